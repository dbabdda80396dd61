"""The database goes away, a worker dies, a session is spoilt: what was acknowledged stays, and service comes back."""
import os
import signal
import sys
import threading
import time
import uuid

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from doors import Doors, metric
from harness import Cluster, Gateway, Socket, run_tests, wait_until


class Writers:
    """Threads that write marks and remember what became of each."""

    def __init__(self, count=8):
        self.stop = threading.Event()
        self.acknowledged, self.unknown, self.refused, self.other = [], [], [], []
        self.threads = [threading.Thread(target=self._write) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def _write(self):
        api = gateway.api(token=token)
        while not self.stop.is_set():
            mark = uuid.uuid4().hex
            answer = api.post("/api/incidents", {"mark": mark, "outcome": "created"})
            if answer.status == 201:
                self.acknowledged.append(mark)
            elif answer.status == 503 and answer.body["code"] in ("GW504", "57P01"):
                self.unknown.append(mark)
            elif answer.status == 503 and answer.body["code"] in ("GW503", "57P03"):
                self.refused.append(mark)
            else:
                self.other.append(answer)

    def finish(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def marks(self):
        return {row[0] for row in doors.psql("SELECT mark FROM kintaraa_api.note")}


def worker_pid():
    with open("/proc/%d/task/%d/children" % (gateway.pid, gateway.pid)) as file:
        children = file.read().split()
    return int(children[0]) if children else None


def restart_under_load(mode):
    writers = Writers()
    wait_until(lambda: len(writers.acknowledged) > 200)
    cluster.restart(mode)
    count = len(writers.acknowledged)
    wait_until(lambda: len(writers.acknowledged) > count + 200)
    writers.finish()
    marks = writers.marks()
    assert not writers.other, writers.other[:3]
    assert not set(writers.acknowledged) - marks, "acknowledged and lost"
    assert not set(writers.refused) & marks, "refused and written"
    assert len(marks) <= len(writers.acknowledged) + len(writers.unknown)
    doors.psql("TRUNCATE kintaraa_api.note")


def terminate_sleepers():
    doors.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
               "WHERE wait_event = 'PgSleep' AND datname = 'doors'")


def test_fast_restart_under_load_loses_nothing_acknowledged():
    restart_under_load("fast")


def test_immediate_restart_under_load_loses_nothing_acknowledged():
    restart_under_load("immediate")


def test_sockets_outlive_a_restart_of_the_database():
    # Right after the restart before this one the feed may still be down: 1013, come again.
    def greeted():
        fresh = Socket(gateway, doors.token("steady"))
        fresh.expect("hello.result")
        return fresh
    socket = wait_until(greeted)
    doors.tell({"type": "before"}, "steady")
    socket.expect("before")
    cluster.restart("immediate")
    doors.tell({"type": "after"}, "steady")
    socket.expect("after")
    assert [frame["type"] for frame in socket.frames] == ["hello.result", "before", "after"]
    socket.close()


def test_read_is_sent_once_more_when_its_connection_breaks():
    before = metric(gateway, "database_retries_total")
    answers = []
    thread = threading.Thread(target=lambda: answers.append(
        gateway.api(token=token).get("/api/dispatch/queue?seconds=1&answer=1")))
    thread.start()
    wait_until(lambda: doors.is_waiting_for("dispatch_queue"))
    terminate_sleepers()
    thread.join()
    assert answers[0].status == 200, answers
    assert metric(gateway, "database_retries_total") == before + 1


def test_write_is_not_sent_again_and_says_that_nobody_knows():
    answers = []
    thread = threading.Thread(target=lambda: answers.append(
        gateway.api(token=token).post("/api/incidents", {"mark": "unsure", "seconds": 1})))
    thread.start()
    wait_until(lambda: doors.is_waiting_for("incident_create"))
    terminate_sleepers()
    thread.join()
    assert answers[0].status == 503 and answers[0].body["code"] == "GW504", answers
    assert "Retry-After" in answers[0].headers
    assert doors.value("SELECT count(*) FROM kintaraa_api.note WHERE mark = 'unsure'") == 0


def test_door_is_prepared_again_when_its_shape_changed():
    api = gateway.api(token=token)
    for _ in range(20):
        assert api.get("/api/incidents/x").body == {"id": "x"}
    doors.psql("DROP FUNCTION kintaraa_api.incident_get(text, text[], jsonb, jsonb, jsonb)")
    doors.psql("""CREATE FUNCTION kintaraa_api.incident_get(text, text[], jsonb, jsonb, jsonb,
                  OUT outcome varchar, OUT body jsonb) LANGUAGE sql
                  AS $$ SELECT 'ok'::varchar, '{"new":true}'::jsonb $$""")
    for _ in range(20):
        answer = api.get("/api/incidents/x")
        assert answer.status == 200 and answer.body == {"new": True}, answer


def test_door_that_is_missing_is_a_server_error_until_it_is_there():
    api = gateway.api(token=token)
    assert api.get("/api/providers").status == 500
    doors.psql("""CREATE FUNCTION kintaraa_api.provider_list(text, text[], jsonb, jsonb, jsonb,
                  OUT outcome text, OUT body json) LANGUAGE sql AS $$ SELECT 'ok', '{}'::json $$""")
    for _ in range(20):
        assert api.get("/api/providers").status == 200


def test_killed_connections_are_replaced():
    api = gateway.api(token=token)
    backends = {api.get("/api/me").body["backend"] for _ in range(5)}
    doors.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'kintaraa-normal'")
    fresh = wait_until(lambda: api.get("/api/me").body.get("backend"))
    assert fresh not in backends


def test_requests_wait_while_the_database_is_away_and_are_then_refused():
    cluster.stop()
    api = gateway.api(token=token)
    assert api.get("/healthz").status == 200
    begin = time.monotonic()
    answer = api.get("/api/me")
    assert answer.status == 503 and answer.body["code"] == "GW503", answer
    assert 0.8 < time.monotonic() - begin < 4
    assert api.get("/readyz").status == 503
    cluster.start()
    wait_until(lambda: api.get("/api/me").status == 200, 5)
    wait_until(lambda: api.get("/readyz").status == 200)


def test_worker_that_dies_is_replaced_and_connections_wait_for_it():
    api = gateway.api(token=token)
    for _ in range(3):
        pid = worker_pid()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: worker_pid() not in (pid, None))
        wait_until(lambda: api.get("/api/me").status == 200)


def test_workers_end_with_their_supervisor():
    pid = worker_pid()
    gateway.kill()
    wait_until(lambda: not os.path.exists("/proc/%d" % pid))
    gateway.start()


def test_the_next_gateway_waits_for_the_port_of_one_that_was_killed():
    last = worker_pid()
    os.kill(last, signal.SIGSTOP)  # it does not notice yet
    try:
        gateway.kill()
        gateway.start(wait=False)
        wait_until(lambda: "event=port_taken" in gateway.log() or gateway.process.poll() is not None)
    finally:
        os.kill(last, signal.SIGCONT)
    gateway.wait_ready()


def test_request_in_flight_is_answered_before_the_end():
    answers = []
    thread = threading.Thread(target=lambda: answers.append(
        gateway.api(token=token).post("/api/incidents", {"mark": "last", "seconds": 0.7, "outcome": "created"})))
    thread.start()
    wait_until(lambda: doors.is_waiting_for("incident_create"))
    begin = time.monotonic()
    assert gateway.stop() == 0
    assert time.monotonic() - begin < 5
    thread.join()
    assert answers[0].status == 201 and answers[0].headers["Connection"] == "close", answers
    assert doors.value("SELECT count(*) FROM kintaraa_api.note WHERE mark = 'last'") == 1
    gateway.start()


with Cluster() as cluster, Doors(cluster) as doors, \
        Gateway(doors, {"KINTARAA_QUEUE_TIMEOUT": "1s", "KINTARAA_LOG_LEVEL": "warn"}) as gateway:
    token = doors.token()
    wait_until(lambda: gateway.api().get("/.well-known/jwks.json").status == 200)
    sys.exit(run_tests(globals()))
