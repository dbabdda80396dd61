#!/bin/bash
# Every Python program compiles, and runs with the interpreter that Debian has.
# shellcheck source=lib.bash
. "$(dirname "$0")/lib.bash"

programs() {
	local file
	ours '*.py'
	for file in $(ours 'test/local/*' 'test/run' 'test/*/run'); do
		! head -1 "$file" | grep -q python || echo "$file"
	done
}

broken() {
	programs | sort -u | /usr/bin/python3 -c '
import ast, sys
for path in sys.stdin.read().split():
    try:
        ast.parse(open(path, encoding="utf-8").read(), path)
    except SyntaxError as error:
        print(error)
'
}
result "every Python program compiles" "$(broken)"
result "none asks for another interpreter" \
	"$(grep -HnE '^#!.*python' $(programs | sort -u) | grep -v ':1:#!/usr/bin/python3$' || true)"
finish
