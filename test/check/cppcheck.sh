#!/bin/bash
# Static analysis of what is shipped.
# shellcheck source=lib.bash
. "$(dirname "$0")/lib.bash"

mkdir -p .build/cppcheck
analyse() {
	cppcheck --quiet --std=c11 --language=c --enable=warning,portability,performance --inline-suppr \
		--suppress=missingInclude --suppress=unknownMacro --suppress=missingReturn \
		--cppcheck-build-dir=.build/cppcheck "$@" 2>&1 | grep -E '^[^ ]+:[0-9]+:[0-9]+: ' || true
}
result "cppcheck finds nothing in the extension" "$(analyse -Iextension $(ours 'extension/*.c'))"
result "cppcheck finds nothing in the gateway" "$(analyse $(ours 'gateway/*.c'))"
finish
