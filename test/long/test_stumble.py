#!/usr/bin/python3
"""The calls 1 to 200 of each function in test/fault/stumble.c fail one after the other."""
import os
import sys

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fault")
os.environ.setdefault("KN_CALLS", " ".join(str(number) for number in range(1, 201)))
os.execv(sys.executable, [sys.executable, os.path.join(FOLDER, "test_stumble.py"), *sys.argv[1:]])
