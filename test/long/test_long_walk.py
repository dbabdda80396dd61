"""The random walk of test/e2e/test_walk.py over 100,000 operations."""
import os
import sys

WALK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e", "test_walk.py")

if __name__ == "__main__":
    os.environ.setdefault("KN_STEPS", "100000")
    os.environ.setdefault("KN_CHECK_EACH", "500")
    os.execv(sys.executable, [sys.executable, WALK])
