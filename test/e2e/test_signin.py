#!/usr/bin/python3
"""Signing in as many people at once do it: races, repeated taps, guesses, floods, and over HTTP."""
import json
import os
import signal
import sys
import threading
import time

import psycopg2

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Cluster, Gateway, run_tests, wait_until  # noqa: E402

CALL = "SELECT outcome, body FROM kintaraa_api.%s(%%s, %%s, %%s, %%s, %%s)"
NETWORK = "192.0.2.0/24"
MEMBERS = ["deviceToken", "otherAccounts", "serverTime", "tokens", "user"]
counter = iter(range(1, 1 << 30))


class Line:
    """A connection with the gateway's own login, and doors called through it."""

    def __init__(self, autocommit=True):
        self.connection = psycopg2.connect(cluster.gateway_dsn)
        self.connection.autocommit = autocommit

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def call(self, door, body=None, token=None, path=(), network=NETWORK):
        with self.connection.cursor() as cursor:
            cursor.execute(CALL % door, (token, list(path), "{}", None if body is None else json.dumps(body),
                                         json.dumps({"network": network})))
            outcome, answer = cursor.fetchone()
        return outcome, answer

    def told(self, *args, **kwargs):
        outcome, answer = self.call(*args, **kwargs)
        return (outcome + " " + answer.get("code", "")).strip()


def call(*args, **kwargs):
    with Line() as line:
        return line.call(*args, **kwargs)


def told(*args, **kwargs):
    with Line() as line:
        return line.told(*args, **kwargs)


def person(password="three wet goats", **more):
    return dict({"email": "person%d@example.org" % next(counter), "password": password}, **more)


def staff(role):
    code = cluster.value("SELECT kintaraa.invite(%s)", (role,))
    return call("auth_register", person(invitation=code))[1]


def at_once(count, work):
    """The results of work(i) of that many threads that start together."""
    results, barrier = [None] * count, threading.Barrier(count)

    def run(i):
        barrier.wait()
        results[i] = work(i)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def waits_for_lock():
    return cluster.value("SELECT count(*) FROM pg_stat_activity WHERE usename = 'kintaraa_gateway' "
                         "AND wait_event_type = 'Lock'") > 0


def blocked_until(finish, work):
    """Runs work in a thread until it waits for a lock, then finish; returns what work returned."""
    results = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    wait_until(waits_for_lock, what="the second waits for the first")
    finish()
    thread.join()
    return results[0]


def test_six_equal_registrations_at_once_make_one_account():
    wanted = person()
    answers = at_once(6, lambda i: call("auth_register", wanted))
    assert sorted(outcome for outcome, _ in answers) == ["created"] + ["ok"] * 5, answers
    assert len({answer["user"]["id"] for _, answer in answers}) == 1


def test_a_registration_waits_for_an_equal_one_and_is_its_replay():
    wanted = person()
    with Line(autocommit=False) as first:
        outcome, made = first.call("auth_register", wanted)
        assert outcome == "created"
        outcome, answer = blocked_until(first.connection.commit, lambda: call("auth_register", wanted))
    assert (outcome, answer["user"]["id"]) == ("ok", made["user"]["id"]), answer


def test_four_refreshes_at_once_get_the_same_next_token():
    first = call("auth_register", person())[1]["tokens"]
    answers = at_once(4, lambda i: call("auth_refresh", {"refresh": first["refresh"]}))
    assert {outcome for outcome, _ in answers} == {"ok"}, answers
    assert len({answer["tokens"]["refresh"] for _, answer in answers}) == 1
    assert answers[0][1]["tokens"]["refresh"] != first["refresh"]
    assert {told("me_get", token=answer["tokens"]["access"]) for _, answer in answers} == {"ok"}
    assert told("auth_refresh", answers[0][1]["tokens"]) == "ok"


def test_a_refresh_token_used_too_late_ends_the_session_for_good():
    first = call("auth_register", person())[1]
    second = call("auth_refresh", call("auth_refresh", first["tokens"])[1]["tokens"])[1]
    cluster.psql("UPDATE kintaraa.session SET recent = ARRAY[clock_timestamp() - interval '61 seconds'] || recent[2:] "
                 "WHERE account_id = %s", (first["user"]["id"],))
    assert told("auth_refresh", first["tokens"]) == "malformed KN002"
    # the refusal is an answer and no error: what it wrote is there for everybody
    assert told("auth_refresh", second["tokens"]) == "malformed KN002"
    assert told("me_get", token=second["tokens"]["access"]) == "unknown KN104"


def test_of_two_who_use_an_invitation_at_once_one_gets_it():
    code = cluster.value("SELECT kintaraa.invite('dispatcher')")
    with Line(autocommit=False) as first:
        assert first.told("auth_register", person(invitation=code)) == "created"
        answer = blocked_until(first.connection.commit, lambda: told("auth_register", person(invitation=code)))
    assert answer == "malformed KN003", answer


def test_an_invitation_is_not_used_up_by_whoever_fails():
    code = cluster.value("SELECT kintaraa.invite('dispatcher')")
    with Line(autocommit=False) as first:
        assert first.told("auth_register", person(invitation=code)) == "created"
        answer = blocked_until(first.connection.rollback, lambda: told("auth_register", person(invitation=code)))
    assert answer == "created", answer


def test_two_administrators_cannot_switch_each_other_off():
    one, other = staff("admin"), staff("admin")
    cluster.psql("UPDATE kintaraa.account SET is_active = false WHERE role = 'admin' AND id NOT IN (%s, %s);"
                 "SELECT kintaraa.change_flush()", (one["user"]["id"], other["user"]["id"]))

    def deactivate(line, who, whom):
        return line.told("account_deactivate", token=who["tokens"]["access"], path=[whom["user"]["id"]])

    with Line(autocommit=False) as first, Line() as second:
        assert deactivate(first, one, other) == "none"
        answer = blocked_until(first.connection.commit, lambda: deactivate(second, other, one))
        assert answer == "conflict KN408", answer
        assert deactivate(second, other, one) == "unknown KN104"
    assert cluster.value("SELECT count(*) FROM kintaraa.account WHERE role = 'admin' AND is_active") == 1


def test_a_sign_in_during_a_deactivation_comes_too_late():
    admin, wanted = staff("admin"), person()
    her = call("auth_register", wanted)[1]
    with Line(autocommit=False) as first:
        assert first.told("account_deactivate", token=admin["tokens"]["access"], path=[her["user"]["id"]]) == "none"
        answer = blocked_until(first.connection.commit, lambda: told("auth_login", wanted))
    assert answer == "malformed KN001", answer
    assert cluster.value("SELECT count(*) FROM kintaraa.session WHERE account_id = %s AND revoked_at IS NULL",
                         (her["user"]["id"],)) == 0


def test_an_unknown_address_is_answered_like_a_known_one():
    # what it costs is compared in test_signin_partner.py
    known = person()
    call("auth_register", known)
    answers = [call("auth_login", dict(body, password="no goats here")) for body in (known, person())]
    for _, answer in answers:
        answer.pop("serverTime")
    assert answers[0] == answers[1] and answers[0][0] == "malformed", answers


def test_a_taken_address_registers_like_a_free_one():
    taken = person()
    call("auth_register", taken)
    for body in (dict(taken, password="wet goats"), person()):
        outcome, answer = call("auth_register", body)
        assert outcome == "created" and sorted(answer) == MEMBERS, answer


def test_wrong_passwords_are_counted_although_they_are_refused():
    wanted = person()
    call("auth_register", wanted)
    told_of = [told("auth_login", dict(wanted, password="guess %d" % n)) for n in range(6)]
    # the registration was a try as well: five are free, and the sixth begins the wait
    assert told_of == ["malformed KN001"] * 5 + ["slow_down KN601"], told_of
    assert told("auth_login", wanted) == "slow_down KN601"
    assert told("auth_login", wanted, network="198.51.100.0/24") == "ok"


def test_guesses_made_at_once_count_as_well():
    wanted = person()
    call("auth_register", wanted)
    told_of = at_once(20, lambda n: told("auth_login", dict(wanted, password="guess %d" % n)))
    evaluated = told_of.count("malformed KN001")
    # one hash runs at a time; who waits for it looks again
    assert 5 <= evaluated <= 7, told_of
    assert told_of.count("slow_down KN601") == 20 - evaluated, told_of


def test_wrong_input_leaves_the_connection_usable():
    with Line() as line:
        for body, code in (({}, "KN502"), ({"email": 7}, "KN503"), ({"email": "x"}, "KN504"),
                           (person("short"), "KN505"), (person("password123"), "KN507"), ([], "KN501")):
            try:
                line.call("auth_register", body)
                raise AssertionError("%s was taken" % body)
            except psycopg2.Error as error:
                assert error.pgcode == code, (error.pgcode, body)
            assert line.told("auth_register", person()) == "created"


def stuck_hash(line, work):
    """What work returns while the backend of a connection that does little but hash stands still."""
    os.kill(line.connection.get_backend_pid(), signal.SIGSTOP)
    try:
        return work()
    finally:
        os.kill(line.connection.get_backend_pid(), signal.SIGCONT)


def test_who_waits_two_seconds_for_a_hash_is_told_to_come_again():
    wanted, over = person(), threading.Event()
    call("auth_register", wanted)

    def sign_in():
        with line:
            while not over.is_set():
                line.call("auth_login", wanted)

    def refused():
        begin = time.perf_counter()
        outcome, answer = call("auth_login", wanted)
        return outcome == "slow_down" and answer["code"] == "KN602" and time.perf_counter() - begin

    line = Line()
    thread = threading.Thread(target=sign_in)
    thread.start()
    try:
        waited = wait_until(lambda: stuck_hash(line, refused), what="a hash is stopped midway")
    finally:
        over.set()
        thread.join()
    assert 2 <= waited < 5, waited
    assert told("auth_login", wanted) == "ok"


def test_killed_backends_give_their_slot_back():
    lines = [Line() for _ in range(10)]

    def sign_in(line):
        try:
            while True:
                line.call("auth_login", person())
        except psycopg2.Error:
            pass

    threads = [threading.Thread(target=sign_in, args=(line,)) for line in lines]
    for thread in threads:
        thread.start()
    wait_until(lambda: cluster.value("SELECT count(*) FROM pg_stat_activity WHERE usename = 'kintaraa_gateway' "
                                     "AND wait_event = 'Extension'") > 3, what="some wait for a slot")
    cluster.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'kintaraa_gateway'")
    for thread in threads:
        thread.join()
    assert told("auth_login", person()) == "malformed KN001"


def test_the_gateways_login_reads_no_table_and_invites_nobody():
    with Line() as line:
        for sql in ("TABLE kintaraa.account", "TABLE kintaraa.session", "TABLE kintaraa.invitation",
                    "TABLE kintaraa.subject_key", "TABLE kintaraa.throttle", "SELECT kintaraa.invite('admin')",
                    "SELECT kintaraa.dispatch_refresh()", "UPDATE kintaraa.account SET role = 'admin'",
                    "SET ROLE kintaraa_system", "SET ROLE kintaraa_door"):
            with line.connection.cursor() as cursor:
                try:
                    cursor.execute(sql)
                    raise AssertionError("%s was allowed" % sql)
                except psycopg2.Error as error:
                    assert error.pgcode == "42501", (sql, error.pgcode)


def test_over_http_she_registers_reads_renews_and_signs_out():
    api = gateway.api()
    wanted = person(firstName="Amina")
    made = api.post("/api/auth/register", wanted)
    assert made.status == 201, made
    assert api.post("/api/auth/register", wanted).status == 200
    tokens = made.body["tokens"]
    me = api.get("/api/me", token=tokens["access"])
    assert me.status == 200 and me.body["user"] == made.body["user"], me
    changed = api.patch("/api/me", {"lastName": "Wanjiru"}, token=tokens["access"])
    assert changed.status == 200 and changed.body["user"]["serverVersion"] == 2, changed
    renewed = api.post("/api/auth/refresh", {"refresh": tokens["refresh"]})
    assert renewed.status == 200, renewed
    sessions = api.get("/api/me/sessions", token=tokens["access"])
    assert sessions.status == 200 and len(sessions.body["items"]) == 2, sessions
    other = next(item["id"] for item in sessions.body["items"] if not item["isCurrent"])
    assert api.delete("/api/me/sessions/" + other, token=tokens["access"]).status == 204
    assert api.post("/api/auth/logout", {"refresh": tokens["refresh"]}).status == 204
    assert api.get("/api/me", token=tokens["access"]).status == 401
    assert api.post("/api/auth/logout", {"refresh": tokens["refresh"]}).status == 204


def test_over_http_refusals_have_their_status():
    api = gateway.api()
    wanted = person()
    token = api.post("/api/auth/register", wanted).body["tokens"]["access"]
    for answer, status, code in (
            (api.post("/api/auth/login", dict(wanted, password="no goats here")), 400, "KN001"),
            (api.post("/api/auth/refresh", {"refresh": "nonsense"}), 400, "KN002"),
            (api.post("/api/auth/register", person(role="admin")), 403, "KN204"),
            (api.post("/api/auth/register", person(invitation="nonsense")), 400, "KN003"),
            (api.post("/api/auth/register", person("password123")), 422, "KN507"),
            (api.patch("/api/me", {"role": "admin"}, token=token), 403, "KN205"),
            (api.patch("/api/me", {"lastName": "x"}, token=token, headers={"If-Match": '"9"'}), 412, "KN412"),
            (api.delete("/api/me/sessions/00000000-0000-4000-8000-000000000000", token=token), 404, "KN301"),
            (api.get("/api/admin/accounts", token=token), 403, "KN201"),
            (api.post("/api/admin/invitations", {"role": "admin"}, token=token), 403, "KN201")):
        assert (answer.status, answer.body["code"]) == (status, code), (answer, status, code)


def test_over_http_a_guesser_waits_and_the_one_too_many_is_told_how_long():
    api = gateway.api()
    wanted = person()
    api.post("/api/auth/register", wanted)
    answers = [api.post("/api/auth/login", dict(wanted, password="guess %d" % n)) for n in range(5)]
    assert [answer.status for answer in answers] == [400] * 5, answers
    begin = time.monotonic()
    assert api.post("/api/auth/login", wanted).status == 200
    assert 0.5 < time.monotonic() - begin < 6, "she waits two seconds"
    cluster.psql("UPDATE kintaraa.throttle SET until = clock_timestamp() + interval '1 minute'")
    answer = api.post("/api/auth/login", wanted)
    assert (answer.status, answer.body["code"]) == (429, "KN601"), answer
    assert int(answer.headers["Retry-After"]) > 0 and "turn" not in answer.body, answer
    cluster.psql("DELETE FROM kintaraa.throttle")


def test_over_http_nobody_who_waits_holds_a_connection_of_the_database():
    api = gateway.api()
    wanted = [person() for _ in range(20)]
    for body in wanted:
        cluster.psql("DELETE FROM kintaraa.throttle")
        api.post("/api/auth/register", body)
    cluster.psql("UPDATE kintaraa.throttle SET failures = 6, until = clock_timestamp() + interval '3 seconds'")
    for body in wanted[:-1]:
        told("auth_login", dict(body, password="no goats"), network="127.0.0.0/24")
    cluster.psql("UPDATE kintaraa.throttle SET failures = 6, until = clock_timestamp() + interval '3 seconds'")
    done, begin = [], time.monotonic()

    def sign_in(body):
        answer = gateway.api().post("/api/auth/login", body)
        done.append((answer.status, time.monotonic() - begin))

    threads = [threading.Thread(target=sign_in, args=(body,)) for body in wanted]
    for thread in threads:
        thread.start()
    time_of_other = []
    for _ in range(5):
        start = time.monotonic()
        assert api.post("/api/auth/login", dict(person(), password="no goats")).status == 400
        time_of_other.append(time.monotonic() - start)
    for thread in threads:
        thread.join()
    assert {status for status, _ in done} == {200}, done
    assert max(waited for _, waited in done) < 15, done
    assert min(time_of_other) < 2, (time_of_other, done)


def test_over_http_who_hangs_up_while_waiting_is_forgotten_and_a_stop_waits_for_nobody():
    api = gateway.api()
    wanted = person()
    api.post("/api/auth/register", wanted)
    cluster.psql("UPDATE kintaraa.throttle SET failures = 6, until = clock_timestamp() + interval '14 seconds'")
    gone = gateway.api(timeout=0.3)
    try:
        gone.post("/api/auth/login", wanted)
        raise AssertionError("she did not wait")
    except OSError:
        pass
    waits = threading.Thread(target=lambda: answers.append(gateway.api().post("/api/auth/login", wanted)))
    answers = []
    waits.start()
    wait_until(lambda: cluster.value("SELECT max(until) > clock_timestamp() + interval '13.09 seconds' "
                                     "FROM kintaraa.throttle"), what="both wait")
    begin = time.monotonic()
    assert gateway.stop() == 0
    waits.join()
    assert time.monotonic() - begin < 10, "the stop waited for a turn"
    assert answers[0].status in (429, 503) and "Retry-After" in answers[0].headers, answers
    gateway.start()
    cluster.psql("DELETE FROM kintaraa.throttle")


def test_over_http_an_administrator_invites_and_rules():
    api = gateway.api()
    code = cluster.value("SELECT kintaraa.invite('admin')")
    admin = api.post("/api/auth/register", person(invitation=code, role="admin"))
    assert admin.status == 201, admin
    api = gateway.api(token=admin.body["tokens"]["access"])
    made = api.post("/api/admin/invitations", {"role": "provider", "provider": {
        "name": "Wema", "providerType": "legal", "latitude": -1.29, "longitude": 36.82}})
    assert made.status == 201, made
    helper = api.post("/api/auth/register", person(invitation=made.body["code"]), token="")
    assert helper.status == 201 and helper.body["user"]["providerType"] == "legal", helper
    listed = api.get("/api/admin/accounts?role=provider&limit=1")
    assert listed.status == 200 and len(listed.body["items"]) == 1, listed
    assert api.put("/api/admin/settings/routing_mode", {"value": "manual"}).status == 200
    policy = api.get("/api/admin/policies/retention")
    assert policy.status == 200, policy
    put = api.put("/api/admin/policies/retention", {"body": dict(policy.body["body"], session_days=31)},
                  headers={"If-Match": '"%d"' % policy.body["version"]})
    assert put.status == 200 and put.body["version"] == policy.body["version"] + 1, put
    off = "/api/admin/accounts/%s/deactivate" % helper.body["user"]["id"]
    assert api.post(off).status == 204
    assert api.get("/api/me", token=helper.body["tokens"]["access"]).status == 401


def test_logs_hold_neither_passwords_nor_addresses_nor_tokens():
    text = cluster.log() + gateway.log()
    for secret in ("goats", "guess ", "person1", "@example.org", "password123", "eyJ"):
        assert secret not in text, "the logs hold %r" % secret


with Cluster("signin") as cluster, Gateway(cluster, start=False) as gateway:
    if any(name.startswith("test_over_http") for name in sys.argv[1:]) or len(sys.argv) == 1:
        gateway.start()
    sys.exit(run_tests(globals()))
