#!/bin/bash
# The measurable part of the house style.
# shellcheck source=lib.bash
. "$(dirname "$0")/lib.bash"

# An install script of a released version is kept as it was.
/usr/bin/python3 test/check/style.py $(ours 'extension/*.[ch]' 'gateway/*.[ch]' 'test/*.[ch]' \
	'*.sql' '*.py' '*.sh' '*.bash' 'Makefile' '*/Makefile' '*.mk' 'test/run' 'test/local/*' '.ci/run' |
	grep -v '^test/data/kintaraa--')
