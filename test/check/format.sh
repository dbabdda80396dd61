#!/bin/bash
# C is formatted by clang-format 14; with the argument "write" the files are formatted, else only looked at.
# shellcheck source=lib.bash
. "$(dirname "$0")/lib.bash"

mapfile -t files < <(ours 'extension/*.[ch]' 'gateway/*.[ch]' 'test/*.[ch]')
if [ "${1:-}" = write ]; then
	exec clang-format-14 -i "${files[@]}"
fi
result "C is formatted" "$(clang-format-14 --dry-run -Werror "${files[@]}" 2>&1 | grep 'error:' || true)"
finish
