#!/bin/bash
# docs/architecture.md names the files whose statements run under row security, and no others.
# shellcheck source=lib.bash
. "$(dirname "$0")/lib.bash"

named() {
	sed -n '/^### Where the net hangs/,/^All others/p' docs/architecture.md | grep '^| `' | cut -d'|' -f2 |
		awk -F'`' '{ for (i = 2; i < NF; i += 2) {
			if ($i ~ /\//) { room = $i; sub(/\/.*/, "/", room) } else $i = room $i
			print $i } }' | sort
}
under() {
	grep -lE 'KN_AS_(DOOR|DISPATCH)' extension/*/*.c | grep -v '^extension/base/' | sed 's/^extension.//' | sort
}
result "the page names every file with statements under row security, and no other" \
	"$(diff <(named) <(under) || true)"
finish
