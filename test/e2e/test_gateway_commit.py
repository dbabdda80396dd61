#!/usr/bin/python3
"""An error that COMMIT raises comes after the row of the door: it is the answer.  What was acknowledged is stored."""
import os
import signal
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import psycopg2
from commits import Spoiled, disagreements, report, reports
from harness import Cluster, Gateway, run_tests, wait_until


def test_what_many_phones_are_told_is_what_is_stored_while_every_third_commit_fails():
    spoiled.spoil("P0001", 0.33)
    told = reports(gateway, list(spoiled.tokens.values()), 8, 25)
    spoiled.spoil("nothing")
    assert set(told.values()) == {201, 500}, set(told.values())
    assert disagreements(told, spoiled.stored()) == ([], [])


def test_an_error_of_commit_is_the_answer_whatever_its_kind():
    for state, status in (("P0001", 500), ("23514", 500), ("40001", 503), ("KN903", 503), ("53100", 503),
                          ("58030", 503), ("XX001", 503)):
        spoiled.spoil(state)
        name, answer = report(api, token)
        assert (answer.status, answer.body["code"]) == (status, state), (state, answer)
        assert ("Retry-After" in answer.headers) == (status == 503), state
        assert name not in spoiled.stored(), state


def test_the_guard_of_stamps_takes_the_answer_back():
    spoiled.spoil("unstamped")
    name, answer = report(api, token)
    assert (answer.status, answer.body["code"]) == (503, "KN903"), answer
    assert name not in spoiled.stored()


def end_in_commit(end):
    """The answer of a report whose backend is ended while it commits."""
    spoiled.spoil("sleep")
    told = []
    phone = threading.Thread(target=lambda: told.append(report(gateway.api(), token)))
    phone.start()
    pid = wait_until(spoiled.backend)
    end(pid)
    phone.join(20)
    wait_until(is_writing)
    return told[0]


def is_writing():
    try:
        spoiled.spoil("nothing")
        return report(gateway.api(), token)[1].status == 201
    except psycopg2.Error:
        return False


def test_a_backend_that_is_terminated_in_its_commit_has_acknowledged_nothing():
    name, answer = end_in_commit(lambda pid: cluster.psql("SELECT pg_terminate_backend(%s)", [pid]))
    assert answer.status == 503 and "Retry-After" in answer.headers, answer
    assert name not in spoiled.stored()


def test_a_backend_that_is_killed_in_its_commit_has_acknowledged_nothing():
    name, answer = end_in_commit(lambda pid: os.kill(pid, signal.SIGKILL))
    assert (answer.status, answer.body["code"]) == (503, "GW504"), answer
    assert name not in spoiled.stored()


def test_a_server_that_stops_in_a_commit_has_acknowledged_nothing():
    name, answer = end_in_commit(lambda _: cluster.restart("fast"))
    assert answer.status == 503 and "Retry-After" in answer.headers, answer
    assert name not in spoiled.stored()


def test_a_commit_that_no_longer_waits_for_its_standby_is_no_acknowledgement():
    waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND usename = 'kintaraa_gateway'"
    cluster.psql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    cluster.reload()
    try:
        told = []
        phone = threading.Thread(target=lambda: told.append(report(gateway.api(timeout=60), token)))
        phone.start()
        (pid,), = wait_until(lambda: cluster.psql(waiting))
        cluster.psql("SELECT pg_cancel_backend(%s)", [pid])
        phone.join(60)
    finally:
        cluster.psql("ALTER SYSTEM RESET synchronous_standby_names")
        cluster.reload()
    (name, answer), = told
    assert (answer.status, answer.body["code"]) == (504, "GW506") and "Retry-After" in answer.headers, answer
    again = api.post("/api/incidents", {"id": name, "supportServices": ["medical"]}, token)
    assert again.status == 200, "the phone sends it again"


def test_the_role_cannot_be_given_another_isolation_level():
    cluster.psql("ALTER ROLE kintaraa_gateway SET default_transaction_isolation = 'serializable'")
    with Gateway(cluster) as other:
        told = reports(other, list(spoiled.tokens.values()), 8, 25)
    cluster.psql("ALTER ROLE kintaraa_gateway RESET default_transaction_isolation")
    assert set(told.values()) == {201}, set(told.values())
    assert disagreements(told, spoiled.stored()) == ([], [])


def test_a_session_whose_level_was_changed_behind_us_is_put_right():
    with Gateway(cluster, {"KINTARAA_SOS_CONNECTIONS": 1, "KINTARAA_NORMAL_CONNECTIONS": 1}) as other:
        spoiled.spoil("isolation")
        told = [report(other.api(), token)[1].status for _ in range(6)]
        spoiled.spoil("nothing")
    assert told == [201] * 6, told


def test_a_session_that_was_reset_behind_us_is_put_right():
    with Gateway(cluster, {"KINTARAA_SOS_CONNECTIONS": 1, "KINTARAA_NORMAL_CONNECTIONS": 1}) as other:
        phone = other.api(token=token)
        for what in ("reset", "reset", "nothing"):
            spoiled.spoil(what)
            for path in ("/api/me", "/api/incidents", "/api/notifications"):
                assert phone.get(path).status == 200, path
            assert report(phone, token)[1].status == 201, what


def test_a_door_that_writes_refuses_another_isolation_level_before_it_writes():
    name = "5c0f2a0e-0000-4000-8000-00000000000a"
    write = "SELECT outcome FROM kintaraa_api.incident_create(%%s, NULL, NULL, '{\"id\":\"%s\"}', NULL)" % name
    for level in ("REPEATABLE READ", "SERIALIZABLE"):
        connection = cluster.connect("kintaraa_gateway", autocommit=False)
        connection.set_session(isolation_level=level)
        cursor = connection.cursor()
        cursor.execute("SELECT outcome FROM kintaraa_api.me_get(%s, NULL, NULL, NULL, NULL)", [token])
        assert cursor.fetchone()[0] == "ok", "reading is as good there"
        try:
            cursor.execute(write, [token])
            raise AssertionError("taken at level %s" % level)
        except psycopg2.Error as error:
            assert error.pgcode == "KN904" and "read committed" in error.diag.message_hint, error
        connection.close()
    assert name not in spoiled.stored()


with Cluster() as cluster:
    spoiled = Spoiled(cluster, ["amina", "zawadi"])
    token = spoiled.tokens["amina"]
    with Gateway(cluster) as gateway:
        api = gateway.api()
        sys.exit(run_tests(globals()))
