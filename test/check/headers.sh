#!/bin/bash
# Each header has a guard and compiles alone: the extension's with postgres.h before it or without, as
# those of the server do.
# shellcheck source=lib.bash
. "$(dirname "$0")/lib.bash"

flags=(-std=gnu11 -D_GNU_SOURCE -Wall -Werror -fsyntax-only -x c)
server=/usr/include/postgresql/15/server

compiles() {
	local header=$1
	case $header in
		extension/*)
			gcc "${flags[@]}" -Iextension -include "$header" /dev/null 2>/dev/null ||
				gcc "${flags[@]}" -Iextension "-I$server" -include postgres.h -include "$header" /dev/null
			;;
		*) gcc "${flags[@]}" -I/usr/include/postgresql -include "./$header" /dev/null ;;
	esac
}

alone() {
	local header out
	for header in $(ours 'extension/*.h' 'gateway/*.h'); do
		out=$(compiles "$header" 2>&1) || printf '%s\n' "$header" "$out"
	done
}
result "each header compiles alone" "$(alone)"

unguarded() {
	local header
	for header in $(ours 'extension/*.h' 'gateway/*.h' 'test/*.h'); do
		[[ $(grep -m1 '^#' "$header") == "#ifndef "*_H ]] || echo "$header"
	done
}
result "each header has a guard" "$(unguarded)"

finish
