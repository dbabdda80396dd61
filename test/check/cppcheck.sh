#!/bin/bash
# Static analysis of what is shipped.
# shellcheck source=lib.bash
. "$(dirname "$0")/lib.bash"

mkdir -p .build/cppcheck
# The macros of lists look like wrong syntax to it unless it sees them.
queue=$(echo '#include <sys/queue.h>' | gcc -M -E - | grep -oE '/[^ ]*/sys/queue\.h')
# An error does not return; and the ends of an embedded file are two symbols of the linker.
analyse() {
	cppcheck --quiet "--include=$queue" --std=c11 --language=c --enable=warning,portability,performance --inline-suppr \
		'-Dereport(level,...)=((level)>=21?abort():(void)0)' '-Delog(level,...)=((level)>=21?abort():(void)0)' \
		-DERROR=21 -DFATAL=22 -DPANIC=23 --suppress=comparePointers \
		--suppress=missingInclude --suppress=unknownMacro --suppress=missingReturn \
		--cppcheck-build-dir=.build/cppcheck "$@" 2>&1 | grep -E '^[^ ]+:[0-9]+:[0-9]+: ' || true
}
result "cppcheck finds nothing in the extension" "$(analyse -Iextension $(ours 'extension/*.c'))"
result "cppcheck finds nothing in the gateway" "$(analyse $(ours 'gateway/*.c'))"
finish
