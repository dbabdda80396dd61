#!/bin/bash
# Who may include and call whom: see layers.py.
# shellcheck source=lib.bash
. "$(dirname "$0")/lib.bash"
exec /usr/bin/python3 test/check/layers.py
