#!/usr/bin/python3
"""Memory that is short for once costs the statement and nothing of the backend: what it keeps for its life is whole."""
import os
import sys

import psycopg2

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import mutated
import play
from harness import Cluster, run_tests

NOTICES = ("INSERT INTO kintaraa.notification (id, account_id, class) SELECT gen_random_uuid(), id, 'system' "
           "FROM play.person, generate_series(1, %d); SELECT kintaraa.change_flush()")


def fails(stage, sql):
    try:
        stage.value(sql)
    except psycopg2.errors.OutOfMemory:
        return True
    return False


def test_lists_of_changes_are_as_large_as_they_say():
    stage = play.Stage(server)
    for room in (64, 128, 1024):
        assert stage.value(NOTICES % room) == room
        stage.value("SET kn.mutant = no_room")
        for _ in range(3):
            assert fails(stage, NOTICES % (room + 1))
        stage.value("SET kn.mutant = none")
    assert stage.value(NOTICES % 9000) == 9000
    assert stage.value("SELECT count(*) FROM kintaraa.notification n JOIN kintaraa.change c ON c.id = n.id") == 10216
    stage.close()


def test_doors_answer_after_one_that_could_not():
    stage = play.Stage(server)
    stage.value("SET kn.mutant = no_answer")
    assert stage.outcome("me_get", "amina") == "53200"
    stage.value("SET kn.mutant = none")
    assert stage.outcome("me_get", "amina") == "ok"
    stage.close()


if __name__ == "__main__":
    with Cluster("memory", program=mutated.server()) as server:
        play.load(server)
        play.Stage(server).value("SELECT play.register('amina')")
        sys.exit(run_tests(globals()))
