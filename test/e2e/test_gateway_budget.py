"""What one account reads in bulk is paid for by its own budget, and nobody else waits for it."""
import json
import os
import socket as sockets
import sys
import threading
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from doors import Doors, metric
from harness import Cluster, Gateway, run_tests, wait_until

# Spent at once, and not earned again while a test lasts.
POOR = {"KINTARAA_READ_BUDGET": "100ms", "KINTARAA_READ_SHARE": 1, "KINTARAA_REPORT_CONNECTIONS": 8}
EARNING = {"KINTARAA_READ_BUDGET": "500ms", "KINTARAA_READ_SHARE": 50, "KINTARAA_REPORT_CONNECTIONS": 8}
PASSWORD = "a long enough sentence"


def behind(where, settings):
    gateway = Gateway(where, settings)
    wait_until(lambda: gateway.api().get("/.well-known/jwks.json").status == 200)
    return gateway


def somebody():
    return doors.token(sub=str(uuid.uuid4()))


def read(gateway, token, seconds=0.0):
    return gateway.api(timeout=60).get("/api/admin/audit?seconds=%s" % seconds, token=token)


class Reading:
    """A request on a wire of its own; it may be left."""

    def __init__(self, gateway, token, path="/api/admin/audit"):
        self.wire = sockets.create_connection((gateway.host, gateway.port), timeout=60)
        self.begin = time.monotonic()
        self.answered = None
        self.wire.sendall(("GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer %s\r\n\r\n"
                           % (path, token)).encode())

    def status(self):
        return int(self._whole().split()[1])

    def code(self):
        return json.loads(self._whole().partition(b"\r\n\r\n")[2])["code"]

    def _whole(self):
        if self.answered is None:
            self.answered = b""
            with self.wire:
                while piece := self.wire.recv(65536):
                    self.answered += piece
            self.seconds = time.monotonic() - self.begin
        return self.answered

    def leave(self):
        self.wire.close()


class Background:
    """A read in a thread of its own."""

    def __init__(self, *arguments):
        self.thread = threading.Thread(target=self._run, args=arguments)
        self.thread.start()

    def _run(self, *arguments):
        self.answer = read(*arguments)

    def wait(self):
        self.thread.join(60)
        return self.answer


def asleep():
    return doors.value("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'kintaraa-report' "
                       "AND state = 'active' AND wait_event = 'PgSleep'")


def waiting(gateway):
    return metric(gateway, "reads_waiting")


def waited(gateway):
    return metric(gateway, "reads_waited_total")


def test_what_the_budget_holds_never_waits():
    with behind(doors, EARNING) as gateway:
        token = somebody()
        for _ in range(8):
            assert read(gateway, token, 0.02).status == 200
        assert waited(gateway) == 0


def test_more_than_that_waits_and_is_answered():
    with behind(doors, EARNING) as gateway:
        token = somebody()
        assert read(gateway, token, 0.75).status == 200
        begin = time.monotonic()
        assert read(gateway, token).status == 200
        lasted = time.monotonic() - begin
        # At least 250 ms are owed and 500 ms a second earned.
        assert lasted > 0.4 and waited(gateway) == 1 and waiting(gateway) == 0, lasted


def test_long_reading_is_not_owed_for_ever():
    with behind(doors, {**EARNING, "KINTARAA_READ_BUDGET": "200ms"}) as gateway:
        token = somebody()
        assert read(gateway, token, 2).status == 200
        begin = time.monotonic()
        assert read(gateway, token).status == 200
        # 200 ms are the most; the 1.8 s that were spent would take 3.6 s to earn.
        assert 0.3 < time.monotonic() - begin < 2.5


def test_whole_account_pays_and_no_other():
    with behind(doors, POOR) as gateway:
        account = str(uuid.uuid4())
        assert read(gateway, doors.token(sub=account), 0.3).status == 200
        wire = Reading(gateway, doors.token(sub=account))
        wait_until(lambda: waiting(gateway) == 1)
        assert read(gateway, somebody()).status == 200
        wire.leave()
        wait_until(lambda: waiting(gateway) == 0)


def test_reports_and_everything_small_go_on():
    with behind(doors, POOR) as gateway:
        api = gateway.api(token=somebody())
        assert api.get("/api/admin/audit?seconds=0.3").status == 200
        assert api.post("/api/incidents", {"outcome": "created"}).status == 201
        for path in ("/api/me", "/api/dispatch/queue?seconds=0.2", "/api/dispatch/queue?seconds=0.2"):
            assert api.get(path).status == 200, path
        assert waited(gateway) == 0


def test_whatever_reads_much_is_paid_for():
    paths = ["/api/" + path for path in (
        "incidents", "incidents/x/timeline", "incidents/updates", "assignments", "me/records/mood_entry", "providers",
        "notifications", "admin/accounts", "admin/audit", "dispatch/coverage", "sync/pull", "sync/digest",
        "sync/manifest", "sync/archive")]
    with behind(doors, POOR) as gateway:
        for path in paths:
            token = somebody()
            assert read(gateway, token, 0.3).status == 200
            wire = Reading(gateway, token, path)
            wait_until(lambda: waiting(gateway) == 1, what=path)
            wire.leave()
            wait_until(lambda: waiting(gateway) == 0, what=path)


def test_four_of_one_account_run_at_once_and_the_fifth_alone():
    with behind(doors, {**EARNING, "KINTARAA_READ_BUDGET": "60s"}) as gateway:
        token = somebody()
        running = [Background(gateway, token, 1) for _ in range(4)]
        wait_until(lambda: asleep() == 4)
        late = [Background(gateway, token, 0.2) for _ in range(2)]
        wait_until(lambda: waiting(gateway) == 2)
        assert asleep() == 4
        other = Background(gateway, somebody(), 0.2)
        assert other.wait().status == 200 and waiting(gateway) == 2
        most = []
        watcher = threading.Thread(target=lambda: wait_until(
            lambda: (most.append(asleep()) if waiting(gateway) < 2 else None) or waiting(gateway) == 0))
        watcher.start()
        assert [one.wait().status for one in running + late] == [200] * 6
        watcher.join()
        assert max(most) <= 1, most


def test_eight_wait_and_the_ninth_is_told_when():
    with behind(doors, POOR) as gateway:
        token = somebody()
        assert read(gateway, token, 0.5).status == 200
        wires = [Reading(gateway, token) for _ in range(8)]
        wait_until(lambda: waiting(gateway) == 8)
        assert metric(gateway, "reads_refused_total") == 0
        answer = read(gateway, token)
        assert answer.status == 429 and answer.body["code"] == "GW429", answer
        # 100 ms are owed, and 10 ms a second earned.
        assert 5 <= int(answer.headers["Retry-After"]) <= 11, answer.headers
        assert metric(gateway, "reads_refused_total") == 1 and waiting(gateway) == 8
        for wire in wires:
            wire.leave()
        # Long before anything is earned.
        wait_until(lambda: waiting(gateway) == 0, 4)
        assert gateway.api().get("/healthz").status == 200


def test_wait_has_an_end():
    with behind(doors, {**POOR, "KINTARAA_READ_TIMEOUT": "700ms"}) as gateway:
        token = somebody()
        assert read(gateway, token, 0.5).status == 200
        begin = time.monotonic()
        answer = read(gateway, token)
        assert answer.status == 429 and answer.body["code"] == "GW429", answer
        assert 0.6 < time.monotonic() - begin < 3
        assert waiting(gateway) == 0 and metric(gateway, "reads_refused_total") == 1


def test_without_a_share_nobody_waits():
    with behind(doors, {**POOR, "KINTARAA_READ_SHARE": 0}) as gateway:
        token = somebody()
        assert [read(gateway, token, 0.2).status for _ in range(3)] == [200] * 3
        assert waited(gateway) == 0


def test_shutdown_answers_those_who_wait():
    gateway = behind(doors, POOR)
    token = somebody()
    assert read(gateway, token, 0.5).status == 200
    wires = [Reading(gateway, token) for _ in range(3)]
    wait_until(lambda: waiting(gateway) == 3)
    assert gateway.stop() == 0
    for wire in wires:
        assert wire.status() == 503 and wire.code() == "GW502" and wire.seconds < 8
    gateway.destroy()


def test_waiting_survives_a_restart_of_the_database():
    with behind(doors, {**EARNING, "KINTARAA_READ_SHARE": 20}) as gateway:
        token = somebody()
        assert read(gateway, token, 1.1).status == 200
        wires = [Reading(gateway, token) for _ in range(2)]
        wait_until(lambda: waiting(gateway) == 2)
        cluster.restart()
        assert [wire.status() for wire in wires] == [200, 200]


def test_a_lost_connection_is_paid_for_and_the_line_goes_on():
    with behind(doors, {**EARNING, "KINTARAA_READ_BUDGET": "60s"}) as gateway:
        token = somebody()
        running = [Background(gateway, token, 1) for _ in range(4)]
        wait_until(lambda: asleep() == 4)
        late = Background(gateway, token)
        wait_until(lambda: waiting(gateway) == 1)
        doors.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
        assert [one.wait().status for one in running + [late]] == [200] * 5
        assert waiting(gateway) == 0


def register(gateway):
    body = {"email": "%s@example.org" % uuid.uuid4(), "password": PASSWORD, "firstName": "A", "lastName": "B"}
    answer = gateway.api().post("/api/auth/register", body)
    assert answer.status == 201, answer
    return answer.body["tokens"]["access"]


def journal(gateway, token):
    record = {"table": "journal_entries", "id": str(uuid.uuid4()), "data": {"content": "words"}}
    answer = gateway.api().post("/api/sync/batch", {"records": [record]}, token=token)
    assert answer.status == 200 and answer.body["results"][0]["status"] == "applied", answer


def pull(gateway, token, query=""):
    return gateway.api(timeout=60).get("/api/incidents/updates" + query, token=token)


def quiet_cursor(gateway, token):
    """A cursor whose pull finds nothing and comes from memory."""
    cursor = pull(gateway, token).body["cursor"]

    def remembered():
        nonlocal cursor
        before = metric(gateway, "pulls_remembered_total")
        answer = pull(gateway, token, "?since=%s" % cursor)
        if not answer.body["empty"]:
            cursor = answer.body["cursor"]
        return metric(gateway, "pulls_remembered_total") > before
    wait_until(remembered, what="a pull from memory")
    return cursor


def drain(gateway, token):
    """Reads until the budget is spent; those that then wait are left."""
    def is_spent():
        before = waited(gateway)
        wires = [Reading(gateway, token, "/api/sync/pull") for _ in range(4)]
        for wire in wires:
            if waited(gateway) == before:
                wire.status()
        spent = waited(gateway) > before
        for wire in wires:
            wire.leave()
        return spent
    wait_until(is_spent, 60, what="an empty budget")


def test_what_reads_much_waits_and_what_does_not_goes_on():
    with behind(cluster, {**POOR, "KINTARAA_READ_TIMEOUT": "100ms"}) as gateway:
        token = register(gateway)
        api = gateway.api(token=token)
        for path in ("/api/incidents/updates", "/api/sync/pull", "/api/sync/digest",
                     "/api/sync/manifest?noun=mood_entry", "/api/sync/archive", "/api/dispatch/coverage",
                     "/api/admin/audit"):
            def waits():
                drain(gateway, token)
                before = waited(gateway)
                status = api.get(path).status
                assert status in (200, 403, 429), (path, status)
                return waited(gateway) > before
            wait_until(waits, 60, what="%s waits" % path)
        drain(gateway, token)
        before = waited(gateway)
        assert api.post("/api/incidents", {"type": "physical"}).status == 201
        journal(gateway, token)
        for path in ("/api/me", "/api/me/sessions"):
            assert api.get(path).status == 200, path
        assert waited(gateway) == before


def test_new_phone_and_its_polls_never_wait():
    with behind(cluster, {}) as gateway:
        token = register(gateway)
        for _ in range(10):
            journal(gateway, token)
        for _ in range(50):
            assert pull(gateway, token).status == 200
        assert waited(gateway) == 0


def test_pull_from_memory_and_the_wait_for_news_cost_nothing():
    with behind(cluster, POOR) as gateway:
        token = register(gateway)
        cursor = quiet_cursor(gateway, token)
        drain(gateway, token)
        before = waited(gateway)
        for _ in range(5):
            assert pull(gateway, token, "?since=%s" % cursor).body["empty"] is True
        wires = [Reading(gateway, token, "/api/incidents/updates?since=%s&wait=30" % cursor) for _ in range(20)]
        wait_until(lambda: metric(gateway, "pulls_parked") == 20)
        assert waited(gateway) == before
        for wire in wires:
            wire.leave()


def test_news_for_the_spent_does_not_delay_the_news_of_others():
    with behind(cluster, POOR) as gateway:
        her, him = register(gateway), register(gateway)
        cursor = quiet_cursor(gateway, her)
        his = quiet_cursor(gateway, him)
        drain(gateway, her)
        wires = [Reading(gateway, her, "/api/incidents/updates?since=%s&wait=30" % cursor) for _ in range(6)]
        wait_until(lambda: metric(gateway, "pulls_parked") == 6)
        journal(gateway, her)
        wait_until(lambda: metric(gateway, "pulls_parked") == 0 and waiting(gateway) >= 5)
        wire = Reading(gateway, him, "/api/incidents/updates?since=%s&wait=30" % his)
        wait_until(lambda: metric(gateway, "pulls_parked") == 1)
        journal(gateway, him)
        assert wire.status() == 200 and wire.seconds < 10 and waiting(gateway) >= 1, wire.seconds
        for wire in wires:
            wire.leave()
        wait_until(lambda: waiting(gateway) == 0)


with Cluster() as cluster, Doors(cluster) as doors:
    sys.exit(run_tests(globals()))
