#!/bin/bash
# The measurable part of the house style.
# shellcheck source=lib.bash
. "$(dirname "$0")/lib.bash"

/usr/bin/python3 test/check/style.py $(ours 'extension/*.[ch]' 'gateway/*.[ch]' 'test/*.[ch]' \
	'*.sql' '*.py' '*.sh' '*.bash' 'Makefile' '*/Makefile' '*.mk' 'test/run' 'test/local/*' '.ci/run')
