#!/usr/bin/python3
"""test/e2e/test_data_key.py would notice: of every guard that wipes a data key, what a build without it leaves."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import mutated
from harness import Cluster, run_tests
from test_data_key import keys_left


def left_without(guard):
    with Cluster("data-key", program=program, kn__mutant=guard) as server:
        return keys_left(server)


def test_with_all_guards_nothing_is_left():
    assert not left_without("none")


def test_a_key_that_is_forgotten_and_not_wiped_is_found():
    assert left_without("no_wipe")


def test_a_key_that_only_the_end_of_the_transaction_wipes_is_found():
    assert left_without("no_vault")


if __name__ == "__main__":
    program = mutated.server()
    sys.exit(run_tests(globals()))
