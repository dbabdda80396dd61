#!/bin/bash
# Every shell script is clean.
# shellcheck source=lib.bash
. "$(dirname "$0")/lib.bash"

scripts() {
	local file
	ours '*.sh' '*.bash'
	for file in $(ours 'test/local/*' 'test/run' '.ci/run' 'docker/*' 'test/*/run'); do
		! head -1 "$file" | grep -qE '^#!/bin/(ba)?sh' || echo "$file"
	done
}
result "shellcheck finds nothing" "$(shellcheck -f gcc -e SC2046 $(scripts | sort -u) || true)"
finish
