"""PostgreSQL and the gateway are killed or restarted twenty times under load: every write that was acknowledged
is there, none is there twice, and afterwards nothing is broken."""
import os
import random
import socket
import sys
import threading
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from harness import Cluster, Gateway, run_tests, wait_until

import play

KILLS = int(os.environ.get("KN_KILLS", "20"))
WRITERS = 6


class Writer(threading.Thread):
    """A phone: sends a report until it is acknowledged, changes it, and remembers what was acknowledged."""

    def __init__(self, token):
        super().__init__(daemon=True)
        self.token = token
        self.acknowledged = {}
        self.changed = {}
        self.statuses = {}
        self.stop = False

    def send(self, api, method, path, body):
        """The answer, or None when there was none or the server was not ready."""
        try:
            answer = api.request(method, path, body, self.token)
        except (OSError, ValueError, EOFError) as error:
            self.statuses[type(error).__name__] = self.statuses.get(type(error).__name__, 0) + 1
            return None
        except Exception as error:  # http.client's own
            self.statuses[type(error).__name__] = self.statuses.get(type(error).__name__, 0) + 1
            return None
        self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1
        return answer if answer.status < 500 else None

    def run(self):
        api = gateway.api(timeout=5)
        while not self.stop:
            name, text = "k-" + uuid.uuid4().hex[:12], uuid.uuid4().hex
            answer = None
            while answer is None and not self.stop:
                answer = self.send(api, "POST", "/api/incidents", {"id": name, "description": text,
                    "supportServices": ["medical"],
                                                                   "urgencyLevel": "immediate"})
                if answer is None:
                    api.close()
            if answer is None:
                break
            assert answer.status in (200, 201), answer
            self.acknowledged[name] = (text, answer.body["caseNumber"])
            answer = self.send(api, "PATCH", "/api/incidents/" + name, {"description": text + "!"})
            if answer is not None and answer.status == 200:
                self.changed[name] = text + "!"


def test_twenty_kills_under_load():
    choose = random.Random(7)
    writers = [Writer(token) for token in tokens for _ in range(WRITERS // len(tokens))]
    for writer in writers:
        writer.start()
    for n in range(KILLS):
        goal = sum(len(w.acknowledged) for w in writers) + 12
        wait_until(lambda: sum(len(w.acknowledged) for w in writers) >= goal, 40,
            "writes go on before kill %d" % (n + 1))
        time.sleep(choose.random() * 0.05)
        what = ["server killed", "server immediate", "gateway killed", "server fast", "backend killed",
            "gateway stopped"][n % 6]
        done.append(what)
        if what == "server killed":
            cluster.kill()
            cluster.start()
        elif what == "server immediate":
            cluster.restart("immediate")
        elif what == "server fast":
            cluster.restart("fast")
        elif what == "backend killed":
            victims = cluster.psql("SELECT pid FROM pg_stat_activity WHERE usename = 'kintaraa_gateway' ORDER BY "
                                   "state_change DESC LIMIT 1")
            if victims:
                os.kill(victims[0][0], 9)
                wait_until(server_answers, 20)
        elif what == "gateway killed":
            gateway.kill()
            wait_until(nobody_listens, 10)
            gateway.start()
        else:
            gateway.stop()
            wait_until(nobody_listens, 10)
            gateway.start()
    goal = sum(len(w.acknowledged) for w in writers) + 20
    wait_until(lambda: sum(len(w.acknowledged) for w in writers) >= goal, 40, "writes go on after the last kill")
    for writer in writers:
        writer.stop = True
    for writer in writers:
        writer.join(30)
        assert not writer.is_alive()
    kept.extend(writers)
    assert len(done) == KILLS


def nobody_listens():
    """What a killed gateway leaves behind ends by itself, a moment later."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", gateway.port)) != 0


def server_answers():
    try:
        return cluster.value("SELECT true")
    except Exception:
        return False


def speak(stage):
    """The ids that were sent, which the tables have sealed."""
    names = [name for writer in kept for name in writer.acknowledged]
    stage.rows("SELECT play.speak(p.id, n) FROM play.person p, unnest(%s) AS n WHERE p.provider IS NULL", names)
    return names


def test_no_acknowledged_write_is_lost():
    stage = play.Stage(cluster)
    speak(stage)
    stored = {row[0]: row[1:] for row in stage.rows("SELECT client_id, case_number, id::text FROM play.incident "
                                                    "WHERE client_id LIKE 'k-%%'".replace("%%", "%"))}
    api = gateway.api()
    lost, differ = [], []
    for writer in kept:
        for name, (text, number) in writer.acknowledged.items():
            if name not in stored or stored[name][0] != number:
                lost.append(name)
        for name, text in list(writer.changed.items()):
            answer = api.get("/api/incidents/" + name, token=writer.token)
            if answer.status != 200 or answer.body["description"] != text:
                differ.append((name, answer.status))
    total = sum(len(w.acknowledged) for w in kept)
    assert total > 200, total
    assert not lost, (len(lost), total, lost[:5])
    assert not differ, differ[:5]


def test_nothing_is_doubled():
    stage = play.Stage(cluster)
    names = speak(stage)
    assert stage.value("SELECT count(*) FROM play.incident WHERE client_id = ANY (%s)", names) == len(names)
    assert stage.value("SELECT count(*) FROM kintaraa.need n JOIN play.incident i ON i.id = n.bucket WHERE "
                       "client_id = ANY (%s)", names) == len(names)
    created = stage.value("SELECT count(*) FROM kintaraa.audit "
                          "WHERE action = 'incident_create' AND outcome = 'created'")
    assert created == stage.value("SELECT count(*) FROM kintaraa.incident")


def test_nothing_is_broken_and_work_goes_on():
    wait_until(lambda: not play.Stage(cluster).broken(), 10, "invariants hold")
    answer = gateway.api().post("/api/incidents", {"id": "last"}, token=tokens[0])
    assert answer.status == 201, answer
    assert gateway.api().get("/readyz").status == 200


def test_clients_saw_only_success_or_a_call_to_try_again():
    seen = {}
    for writer in kept:
        for status, n in writer.statuses.items():
            seen[status] = seen.get(status, 0) + n
    strange = {s: n for s, n in seen.items() if isinstance(s, int) and s not in (200, 201, 502, 503, 504)}
    assert not strange, seen


if __name__ == "__main__":
    with Cluster("kills") as cluster, Gateway(cluster) as gateway:
        done, kept = [], []
        play.load(cluster)
        first = play.Stage(cluster)
        first.value("SELECT play.register('amina'), play.register('zawadi'), play.helper('clinic', 'healthcare', "
                    "-1.28, 36.82, 10000)")
        tokens = [row[0] for row in first.rows("SELECT token FROM play.person WHERE provider IS NULL ORDER BY name")]
        first.close()
        sys.exit(run_tests(globals()))
