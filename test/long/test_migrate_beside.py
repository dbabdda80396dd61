#!/usr/bin/python3
"""migrate() waits for a table that somebody reads for a minute, and nobody waits for it: ten reports a second are
stored meanwhile, none later than two seconds.  The same change typed by hand keeps them waiting."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fault"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import play
from beside import RATE, Beside
from harness import Cluster, run_tests

SECONDS = int(os.environ.get("KN_SECONDS", "60"))
WAIT_MOST = 2.0
CHANGE = "ALTER TABLE kintaraa.incident ADD COLUMN %s integer"


def test_no_report_waits_for_a_migration():
    beside = Beside(server, "amina")
    # what kintaraa.migrate() calls for each rule that it puts back; a migration of the library would shut the doors
    took = beside.run("CALL kintaraa.migrate_run('made up', '%s', NULL, NULL, NULL)" % CHANGE % "made_up", SECONDS)
    print("# %d reports, the slowest %.2f s, the migration %.0f s, %d notices" % (
        len(beside.waits), max(beside.waits), took, len(beside.notices)))
    assert took >= SECONDS and len(beside.waits) >= SECONDS * RATE * 0.9
    assert set(beside.outcomes) == {"created"}, set(beside.outcomes)
    assert max(beside.waits) <= WAIT_MOST, sorted(beside.waits)[-5:]
    assert server.value("SELECT count(*) FROM kintaraa.incident") == len(beside.waits)
    assert any("process %d of postgres" % beside.reader in notice for notice in beside.notices), beside.notices
    assert server.value("SELECT count(made_up) = 0 FROM kintaraa.incident"), "it is done in the end"


def test_the_same_change_by_hand_keeps_them_waiting():
    beside = Beside(server, "amina")
    beside.run(CHANGE % "by_hand", 4)
    print("# by hand the slowest waited %.2f s" % max(beside.waits))
    assert max(beside.waits) > WAIT_MOST, "nothing was proved above"


if __name__ == "__main__":
    with Cluster("beside") as server:
        play.load(server)
        server.psql("SELECT play.register('amina')")
        sys.exit(run_tests(globals()))
