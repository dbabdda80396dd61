#!/usr/bin/python3
"""Folding and recounting beside other transactions: nothing is lost, nothing is counted twice."""
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import ROOT, Cluster, run_tests, wait_until

cluster = Cluster("fold", kintaraa__worker="off")
with open(os.path.join(ROOT, "test", "data", "play.sql"), encoding="utf-8") as file:
    cluster.psql(file.read())
team = cluster.value("SELECT play.helper('clinic', 'healthcare', -1.28, 36.82)")
cluster.psql("SELECT play.register('amina')")
incident = cluster.value("SELECT play.report('amina', 'fold', '{medical}', '{\"urgencyLevel\": \"urgent\"}')")


def fold():
    return cluster.value("SELECT kintaraa.dispatch_fold()")


def row(columns):
    return cluster.psql("SELECT %s FROM kintaraa.provider_dispatch WHERE provider_id = %%s" % columns, (team,))[0]


def late_writer(statement, meanwhile):
    """Runs the statement, lets meanwhile happen before it commits."""
    writer = cluster.connect(autocommit=False)
    cursor = writer.cursor()
    cursor.execute(statement, (team,))
    cursor.execute("SELECT kintaraa.change_flush()")
    meanwhile()
    writer.commit()
    writer.close()


def test_an_answer_that_commits_after_a_later_one_was_folded_is_folded_next_time():
    fold()
    touch = ("UPDATE kintaraa.account SET created_at = created_at WHERE role = 'survivor'; "
             "SELECT kintaraa.change_flush()")

    def others():
        for _ in range(3):
            cluster.psql(touch)
            fold()
        cluster.psql("UPDATE kintaraa.dispatch_bookmark SET snapshot = pg_current_snapshot()")
        assert row("ack_count") == (0,)

    late_writer("UPDATE kintaraa.assignment SET offered_at = now() - interval '8 minutes', status = 'declined', "
                "responded_at = now() WHERE provider_id = %s", others)
    assert fold() == 1
    assert row("ack_count, round(ack_mean::numeric, 2)::float8") == (1, 8.0)
    assert fold() == 0 and row("ack_count") == (1,)


def test_a_change_of_an_old_answer_is_not_a_new_one():
    late_writer("UPDATE kintaraa.assignment SET level = level + 1 WHERE provider_id = %s", lambda: None)
    assert fold() == 1 and row("ack_count") == (1,)


def test_an_acceptance_during_the_recount_is_counted():
    cluster.psql("UPDATE kintaraa.provider_dispatch SET load = 5 WHERE provider_id = %s", (team,))
    writer = cluster.connect(autocommit=False)
    cursor = writer.cursor()
    cursor.execute("UPDATE kintaraa.provider_dispatch SET load = load + 1 WHERE provider_id = %s", (team,))
    cursor.execute("UPDATE kintaraa.assignment SET status = 'accepted' WHERE provider_id = %s", (team,))
    cursor.execute("UPDATE kintaraa.need SET state = 'engaged' WHERE bucket = %s", (incident,))
    cursor.execute("SELECT kintaraa.change_flush()")
    counter = cluster.connect()
    done = []
    thread = threading.Thread(target=lambda: done.append(run(counter, "SELECT kintaraa.dispatch_recount()")))
    thread.start()
    wait_until(lambda: cluster.value("SELECT count(*) FROM pg_locks WHERE NOT granted") > 0, 30, "the recount waits")
    writer.commit()
    thread.join(30)
    assert done == [1] and row("load") == (1,), (done, row("load"))
    assert cluster.value("SELECT kintaraa.dispatch_recount()") == 0


def run(connection, statement):
    cursor = connection.cursor()
    cursor.execute(statement)
    return cursor.fetchone()[0]


if __name__ == "__main__":
    sys.exit(run_tests(globals()))
