#!/bin/bash
# The pictures of the docs are those that the code and their texts give.
# shellcheck source=lib.bash
. "$(dirname "$0")/lib.bash"
result "pictures are of what stands there now; make pictures draws them" "$(/usr/bin/python3 test/local/pictures check)"
finish
