"""Deadlines are rows: a worker that was away, killed or whose clock jumped a day moves each need by the right
step, once, and loses none.  The clock is stepped by moving due times."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Cluster, run_tests, wait_until

import play


def report(name):
    return stage().value("SELECT play.report('amina', %s, '{medical}', '{\"urgencyLevel\": \"immediate\"}')::text",
        name)


def stage():
    """A connection of its own: servers come and go here."""
    return play.Stage(cluster)


def need(case):
    return stage().rows("SELECT state, level::int, round::int, due_at > now() FROM kintaraa.need WHERE bucket = %s",
        case)[0]


def shift(case, step):
    stage().value("WITH n AS (UPDATE kintaraa.need SET due_at = due_at - %s::interval WHERE bucket = %s RETURNING id, "
                  "due_at) "
                  "UPDATE kintaraa.assignment a SET due_at = n.due_at FROM n WHERE a.need_id = n.id AND a.status = "
                  "'pending'; "
                  "SELECT kintaraa.change_flush()", step, case)


def count(case, status):
    return stage().value("SELECT count(*) FROM kintaraa.assignment WHERE incident_bucket = %s AND status = %s", case,
        status)


def sound():
    broken = stage().broken()
    assert not broken, broken


def test_the_worker_moves_what_is_due_within_two_seconds():
    case = report("due")
    assert need(case) == ("offered", 1, 1, True)
    shift(case, "2 minutes")
    wait_until(lambda: need(case)[:2] == ("offered", 2), 5)
    assert count(case, "expired") == 3 and count(case, "pending") == 5
    sound()


def test_a_clock_a_day_ahead_moves_by_one_level():
    case = report("ahead")
    shift(case, "1 day")
    wait_until(lambda: need(case)[1] >= 2, 5)
    assert need(case) == ("offered", 2, 1, True), need(case)
    sound()


def test_a_clock_a_day_back_moves_nothing_and_loses_nothing():
    case = report("back")
    shift(case, "-1 day")
    probe = report("probe")
    shift(probe, "2 minutes")
    wait_until(lambda: need(probe)[1] == 2, 5)
    assert need(case) == ("offered", 1, 1, True)
    shift(case, "1 day 2 minutes")
    wait_until(lambda: need(case)[1] == 2, 5)
    sound()


def test_what_fell_due_while_the_server_was_away_moves_once_it_is_back():
    for mode in ("fast", "immediate", "kill"):
        cases = [report("%s-%d" % (mode, n)) for n in range(5)]
        for case in cases:
            shift(case, "2 minutes")
        if mode == "kill":
            cluster.kill()
            cluster.start()
        else:
            cluster.restart(mode)
        wait_until(lambda: all(need(case)[1] == 2 for case in cases), 15, "needs move after %s" % mode)
        assert all(need(case) == ("offered", 2, 1, True) for case in cases)
        assert all(count(case, "expired") == 3 and count(case, "pending") == 5 for case in cases)
    sound()


def test_contact_that_was_due_meanwhile_stalls_the_need():
    case = report("stalled")
    offer, who = stage().rows("SELECT a.id::text, p.name FROM kintaraa.assignment a JOIN play.person p ON p.provider "
                              "= a.provider_id WHERE incident_bucket = %s AND status = 'pending'", case)[0]
    assert stage().outcome("assignment_accept", who, [offer]) == "ok"
    shift(case, "15 minutes")
    cluster.restart("immediate")
    wait_until(lambda: need(case)[0] == "stalled", 15)
    assert count(case, "accepted") == 1
    sound()


def test_two_sweepers_beside_the_worker_move_nothing_twice():
    cases = [report("many-%d" % n) for n in range(20)]
    sweepers = [play.Stage(cluster) for _ in range(2)]
    for case in cases:
        shift(case, "2 minutes")
        for sweeper in sweepers:
            sweeper.value("SELECT kintaraa.need_sweep(100)")
    wait_until(lambda: all(need(case)[1] == 2 for case in cases), 10)
    assert all(count(case, "expired") == 3 and count(case, "pending") == 5 for case in cases)
    sound()


if __name__ == "__main__":
    with Cluster("clock") as cluster:
        play.load(cluster)
        first = stage()
        first.value("SELECT play.register('amina'), play.staff('dora', 'dispatcher'), play.helper('clinic', "
                    "'healthcare', -1.2825, 36.8325, 100)")
        first.value("SELECT count(play.team('healthcare', -1.29, 36.82 + n * 0.01, 100, true)) FROM "
                    "generate_series(1, 10) n")
        first.close()
        sys.exit(run_tests(globals()))
