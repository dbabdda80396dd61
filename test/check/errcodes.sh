#!/bin/bash
# The error codes of the extension and docs/errors.md are the same list.
# shellcheck source=lib.bash
. "$(dirname "$0")/lib.bash"

in_code() {
	grep -oE "MAKE_SQLSTATE\('K', *'N', *'.', *'.', *'.'\)" extension/base/errcodes.h |
		sed -E "s/[^A-Z0-9]//g; s/^MAKESQLSTATE//" | sort
}
in_docs() { grep -oE '\bKN[0-9][0-9][0-9]\b' docs/errors.md | sort -u; }

result "no code is given twice" "$(in_code | uniq -d)"
result "every code is in docs/errors.md" "$(comm -23 <(in_code | uniq) <(in_docs))"
result "docs/errors.md names no other code" "$(comm -13 <(in_code | uniq) <(in_docs))"
result "there are codes at all" "$([ -n "$(in_code)" ] || echo none)"
finish
