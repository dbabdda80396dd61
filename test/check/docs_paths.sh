#!/bin/bash
# What we ship names no machine's folders and no registry's host, and its links lead somewhere.
# shellcheck source=lib.bash
. "$(dirname "$0")/lib.bash"

mapfile -t files < <(ours '*' | grep -vE '^test/check/docs_paths\.sh$|\.(csv|gz|bin|png|jpg)$')

result "no absolute path of a machine" \
	"$(grep -InE '(^|[^A-Za-z0-9_./])/(work|home|root|Users|mnt)/[A-Za-z]' "${files[@]}" || true)"
result "no host of a registry" "$(grep -InE \
	'(deb|security)\.debian\.org|pypi\.org|npmjs\.org|docker\.io|ghcr\.io|quay\.io' \
	"${files[@]}" || true)"

dead_links() {
	local file target
	for file in $(ours '*.md'); do
		grep -oE '\]\([^)#: ]+' "$file" | sed 's/^](//' | while read -r target; do
			[ -e "$(dirname "$file")/$target" ] || echo "$file links to $target"
		done
	done
}
result "links between pages lead somewhere" "$(dead_links)"
finish
