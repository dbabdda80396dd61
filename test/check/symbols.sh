#!/bin/bash
# Modules share one name space with the server: what we define there begins with kn_, and the library
# exports entry points only.
# shellcheck source=lib.bash
. "$(dirname "$0")/lib.bash"

build=.build/extension
make -s -C extension >&2

result "every global symbol of an object begins with kn_" "$(
	find "$build" -name '*.o' -exec nm --defined-only -g -A {} + |
		awk '{ print $NF, $1 }' |
		grep -vE '^(kn_|pg_finfo_kn_|_PG_init |_PG_fini |Pg_magic_func )' || true
)"

exported=$(nm -D --defined-only "$build/kintaraa.so" | awk '{ print $NF }')
result "the library exports entry points only" "$(
	while read -r symbol; do
		case $symbol in
			_PG_init | _PG_fini | Pg_magic_func | pg_finfo_kn_* | kn_*_main) ;;
			*) grep -qx "pg_finfo_$symbol" <<<"$exported" || echo "$symbol" ;;
		esac
	done <<<"$exported"
)"

finish
