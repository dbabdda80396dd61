# Common ground of the checks: TAP and lists of our files; sourced.  A check prints one result for each
# rule and names the places that break it.
# shellcheck shell=bash
set -euo pipefail
export LC_ALL=C.UTF-8 PATH="/usr/bin:/bin:/usr/sbin:/sbin:$PATH"
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

count=0
failed=0

# result NAME PLACES: passes when there are no places
result() {
	count=$((count + 1))
	if [ -z "$2" ]; then
		echo "ok $count - $1"
	else
		failed=$((failed + 1))
		echo "not ok $count - $1"
		head -50 <<<"$2" | sed 's/^/# /'
	fi
}

finish() {
	echo "1..$count"
	[ "$failed" -eq 0 ]
}

# ours PATTERN…: our files whose path matches a shell pattern, generated ones left out
ours() {
	local file pattern
	{ git ls-files -co --exclude-standard 2>/dev/null ||
		find . -path ./.git -prune -o -path ./.build -prune -o -path ./.run -prune -o -type f -print |
		sed 's|^\./||'; } | sort -u | while read -r file; do
		[ -f "$file" ] || continue
		for pattern in "$@"; do
			# shellcheck disable=SC2053
			if [[ $file == $pattern ]]; then
				echo "$file"
				break
			fi
		done
	done
}
