"""Pulls that wait, pulls from memory, and pokes, with the real extension behind the gateway."""
import datetime
import os
import socket as sockets
import sys
import threading
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from doors import metric
from harness import Cluster, Gateway, Socket, run_tests, wait_until

PASSWORD = "a long enough sentence"
PARKED_MOST = 12
# One account reads more here than its budget holds; that has a test of its own.
SETTINGS = {"KINTARAA_MAX_PARKED": PARKED_MOST, "KINTARAA_NORMAL_CONNECTIONS": 2, "KINTARAA_LOG_LEVEL": "info",
            "KINTARAA_READ_SHARE": 0}


class Person:
    """A survivor with two phones: a token for each."""

    def __init__(self):
        self.email = "%s@example.org" % uuid.uuid4()
        api = gateway.api()
        body = {"email": self.email, "password": PASSWORD, "firstName": "A", "lastName": "B", "device": "one"}
        joined = api.post("/api/auth/register", body)
        assert joined.status == 201, joined
        self.one = joined.body["tokens"]["access"]
        self.refresh = joined.body["tokens"]["refresh"]
        self.two = self.sign_in()

    def sign_in(self):
        answer = gateway.api().post("/api/auth/login", {"email": self.email, "password": PASSWORD, "device": "two"})
        assert answer.status == 200, answer
        return answer.body["tokens"]["access"]

    def write(self, token=None):
        """A record of which no frame tells."""
        identity = str(uuid.uuid4())
        record = {"table": "journal_entries", "id": identity, "data": {"content": "words"}}
        answer = gateway.api().post("/api/sync/batch", {"records": [record]}, token=token or self.two)
        assert answer.status == 200 and answer.body["results"][0]["status"] == "applied", answer
        return identity

    def report(self):
        answer = gateway.api().post("/api/incidents", {"type": "physical"}, token=self.two)
        assert answer.status == 201, answer
        return answer.body["id"]

    def quiet(self, token=None):
        """The cursor after which nothing is new."""
        cursor = [pull(token or self.one).body["cursor"]]

        def still():
            answer = pull(token or self.one, cursor[0]).body
            cursor[0] = answer["cursor"]
            return answer["empty"]
        wait_until(still, what="a pull that finds nothing")
        return cursor[0]

    def remembered(self):
        """A cursor whose pull comes from memory."""
        def hit():
            cursor = self.quiet()
            before = metric(gateway, "pulls_remembered_total")
            pull(self.one, cursor)
            return metric(gateway, "pulls_remembered_total") > before and cursor
        return wait_until(hit, what="a pull from memory")


def pull(token, cursor=None, wait=None, path="/api/incidents/updates", name="since", api=None, more=""):
    query = [] if cursor is None else ["%s=%s" % (name, cursor)]
    query += [] if wait is None else ["wait=%s" % wait]
    return (api or gateway.api(timeout=60)).get("%s?%s%s" % (path, "&".join(query), more), token=token)


def journal(answer):
    return [record["id"] for record in answer.body["journalEntries"]]


class Waiting:
    """A pull in a thread of its own."""

    def __init__(self, *args, **options):
        self.answer, self.seconds = None, None
        self.thread = threading.Thread(target=self._run, args=(args, options))
        self.thread.start()

    def _run(self, args, options):
        begin = time.monotonic()
        self.answer = pull(*args, **options)
        self.seconds = time.monotonic() - begin

    def wait(self):
        self.thread.join(60)
        assert self.answer is not None
        return self.answer


def parked():
    return metric(gateway, "pulls_parked")


def statements(door):
    """How often the database has been asked for that door; it logs before it answers."""
    return cluster.log().count("execute %s: " % door)


def feed_is_back():
    """Until then sockets are asked to come again, and nobody waits."""
    def greeted():
        socket = Socket(gateway, her.one)
        wait_until(lambda: socket.frames or socket.closed.is_set())
        socket.close()
        return bool(socket.frames)
    wait_until(greeted)


def raw(token, cursor, wait):
    wire = sockets.create_connection((gateway.host, gateway.port), timeout=30)
    wire.sendall(("GET /api/incidents/updates?since=%d&wait=%d HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n"
                  % (cursor, wait, token)).encode())
    return wire


def test_time_to_wait_is_0_to_30_seconds():
    for wait in ("31", "-1", "x", "", "1.5", "030", "99999999999"):
        answer = pull(her.one, wait=wait)
        assert answer.status == 400 and answer.body["code"] == "GW416", (wait, answer)
    for wait in ("0", "30", "07"):
        assert pull(her.one, wait=wait).status == 200, wait


def test_what_is_new_does_not_wait():
    cursor = her.quiet()
    identity = her.write()
    begin = time.monotonic()
    answer = pull(her.one, cursor, 30)
    assert identity in journal(answer) and not answer.body["empty"] and time.monotonic() - begin < 10
    assert pull(her.one, None, 30).body["empty"] is False
    assert pull(her.one, 12345001, 30).body["empty"] is False


def test_waiting_pull_hears_what_no_frame_tells():
    for path, name in (("/api/incidents/updates", "since"), ("/api/sync/pull", "last_pulled_at")):
        cursor = her.quiet()
        waiting = Waiting(her.one, cursor, 30, path, name)
        wait_until(lambda: parked() == 1)
        identity = her.write()
        answer = waiting.wait()
        assert waiting.seconds < 15 and answer.status == 200 and not answer.body["empty"], answer
        if name == "since":
            assert identity in journal(answer)
        else:
            assert identity in [row["id"] for row in answer.body["changes"]["journal_entries"]["updated"]]
        assert parked() == 0


def test_news_of_others_wakes_nobody():
    cursor = her.quiet()
    waiting = Waiting(her.one, cursor, 3)
    wait_until(lambda: parked() == 1)
    asked = statements("sync_updates")
    him.write()
    him.report()
    assert waiting.wait().body["empty"] is True and waiting.seconds >= 2.9
    assert statements("sync_updates") == asked


def test_end_of_the_time_is_an_empty_answer_of_that_moment():
    cursor = her.quiet()
    waiting = Waiting(her.one, cursor, 1)
    answer = waiting.wait()
    assert 0.9 < waiting.seconds < 8, waiting.seconds
    assert answer.status == 200 and answer.body["empty"] is True and answer.body["cursor"] >= cursor
    told = datetime.datetime.fromisoformat(answer.body["serverTime"].replace("Z", "+00:00"))
    assert abs((datetime.datetime.now(datetime.timezone.utc) - told).total_seconds()) < 2, told


def test_waiting_pulls_hold_no_connection_and_are_bounded():
    cursor = her.quiet()
    waiting = [Waiting(her.one, cursor, 30) for _ in range(PARKED_MOST)]
    wait_until(lambda: parked() == PARKED_MOST)
    wait_until(lambda: metric(gateway, "lane_idle", 'lane="normal"') == 2)
    begin = time.monotonic()
    assert pull(her.one, cursor, 30).body["empty"] is True and time.monotonic() - begin < 5
    assert gateway.api().get("/api/me", token=her.one).status == 200
    identity = her.write()
    for one in waiting:
        assert identity in journal(one.wait()) and one.seconds < 20
    assert parked() == 0


def test_client_that_leaves_is_forgotten():
    cursor = her.quiet()
    wires = [raw(her.one, cursor, 30) for _ in range(5)]
    wait_until(lambda: parked() == 5)
    for wire in wires:
        wire.close()
    wait_until(lambda: parked() == 0)
    assert gateway.api().get("/healthz").status == 200


def test_ended_session_ends_the_wait():
    person = Person()
    cursor = person.quiet()
    waiting = Waiting(person.one, cursor, 30)
    wait_until(lambda: parked() == 1)
    assert gateway.api().post("/api/auth/logout", {"refresh": person.refresh}).status == 204
    answer = waiting.wait()
    assert answer.status == 401 and waiting.seconds < 15, answer
    assert pull(person.two, cursor).status == 200


def test_same_empty_pull_comes_from_memory():
    cursor = her.remembered()
    asked = statements("sync_updates")
    before = metric(gateway, "pulls_remembered_total")
    answers = [pull(her.one, cursor) for _ in range(5)]
    assert metric(gateway, "pulls_remembered_total") == before + 5
    assert statements("sync_updates") == asked
    assert all(answer.status == 200 and answer.body["empty"] and answer.body["cursor"] >= cursor for answer in answers)
    assert answers[0].body["serverTime"] < answers[-1].body["serverTime"]
    assert {key: value for key, value in answers[0].body.items() if key != "serverTime"} == {
        key: value for key, value in answers[4].body.items() if key != "serverTime"}
    # Another cursor, another question and another token are other pulls.
    for other in (lambda: pull(her.one, cursor - 1000), lambda: pull(her.one, cursor, more="&x=1"),
                  lambda: pull(her.two, cursor),
                  lambda: pull(her.one, cursor, path="/api/sync/pull", name="last_pulled_at")):
        other()
    assert metric(gateway, "pulls_remembered_total") == before + 5


def test_memory_ends_with_news_that_no_frame_tells():
    for write in (her.write, her.report):
        cursor = her.remembered()
        identity = write()
        answer = wait_until(lambda: (lambda answer: not answer.body["empty"] and answer)(pull(her.one, cursor)))
        assert identity in journal(answer) + [record["id"] for record in answer.body["incidents"]]


def test_writer_sees_her_own_writes_at_once():
    for _ in range(5):
        cursor = her.remembered()
        identity = her.write(her.one)
        assert identity in journal(pull(her.one, cursor))


def test_memory_ends_with_the_session():
    person = Person()
    cursor = person.remembered()
    assert gateway.api().post("/api/auth/logout", {"refresh": person.refresh}).status == 204
    wait_until(lambda: pull(person.one, cursor).status == 401)


def test_memory_ends_when_the_feed_starts_anew():
    cursor = her.remembered()
    restarts = gateway.log().count("feed_up")
    cluster.psql("DELETE FROM kintaraa.gateway")
    wait_until(lambda: gateway.log().count("feed_up") > restarts)
    asked = statements("sync_updates")
    assert pull(her.one, cursor).body["empty"] is True
    assert statements("sync_updates") > asked
    feed_is_back()


def test_cut_link_costs_nobody_the_subscription():
    sockets = [opened(her.one)[0] for _ in range(3)]
    subscribed = "SELECT DISTINCT id FROM kintaraa.subscription ORDER BY id DESC"
    newest = cluster.psql(subscribed)[:3]
    restarts = gateway.log().count("resumed=yes")
    for number in range(5):
        cluster.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                     "WHERE application_name = 'kintaraa-listen'")
        identity = her.report()  # while nobody listens
        wait_until(lambda: gateway.log().count("resumed=yes") > restarts + number)
        for socket in sockets:
            frame = socket.expect("incident.updated")
            while frame["incidentId"] != identity:
                frame = socket.expect("incident.updated")
    assert set(newest) <= set(cluster.psql(subscribed))
    for socket in sockets:
        marks = [(frame["type"], frame["cursor"], frame.get("incidentId")) for frame in socket.frames
                 if "cursor" in frame]
        assert len(marks) == len(set(marks)), marks
        socket.close()
    feed_is_back()


def test_waiting_goes_on_when_the_feed_is_lost():
    for lose in ("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'kintaraa-listen'",
                 "DELETE FROM kintaraa.gateway"):
        cursor = her.quiet()
        waiting = Waiting(her.one, cursor, 30)
        wait_until(lambda: parked() == 1)
        restarts = gateway.log().count("feed_up")
        cluster.psql(lose)
        identity = her.write()
        wait_until(lambda: gateway.log().count("feed_up") > restarts)
        assert identity in journal(waiting.wait()) and waiting.seconds < 20
        feed_is_back()


def test_nothing_is_hidden_while_the_feed_comes_and_goes():
    written, seen, done = [], set(), threading.Event()

    def write():
        for number in range(40):
            written.append(her.write())
            if number % 10 == 5:
                cluster.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                             "WHERE application_name = 'kintaraa-listen'")
            if number % 20 == 15:
                cluster.psql("DELETE FROM kintaraa.gateway")
        done.set()
    cursor = her.quiet()
    writer = threading.Thread(target=write)
    writer.start()

    def all_seen():
        nonlocal cursor
        answer = pull(her.one, cursor, 2)
        assert answer.status == 200, answer
        seen.update(journal(answer))
        cursor = answer.body["cursor"]
        return done.is_set() and seen >= set(written)
    wait_until(all_seen, 60)
    writer.join()
    feed_is_back()


def opened(token, **hello):
    socket = Socket(gateway, token, hello=False)
    socket.send({"type": "hello", "token": token, **hello})
    return socket, socket.expect("hello.result")


def test_poked_socket_hears_that_and_never_what():
    socket, greeting = opened(her.one, mode="poke")
    her.report()
    her.write()
    poke = socket.expect("sync.poke")
    assert set(poke) == {"type", "cursor"} and poke["cursor"] > greeting["cursor"]
    after = wait_until(lambda: her.report() and socket.expect("sync.poke"))
    assert after["cursor"] > poke["cursor"]
    assert {frame["type"] for frame in socket.frames} == {"hello.result", "sync.poke"}
    socket.close()


def test_poked_socket_is_not_poked_by_others():
    cursor = her.quiet()
    socket, _ = opened(her.one, mode="poke")
    him.write()
    him.report()
    identity = her.write()
    poke = socket.expect("sync.poke")
    assert identity in journal(pull(her.one, cursor))
    her.quiet()
    pokes = [frame for frame in socket.frames if frame["type"] == "sync.poke"]
    assert pokes == [poke] or pokes[-1]["cursor"] > poke["cursor"]
    socket.close()


def test_many_pieces_of_news_are_few_pokes():
    socket, _ = opened(her.one, mode="poke")
    begin = time.monotonic()
    while time.monotonic() < begin + 2.5:
        her.write()
    last = her.quiet()
    seconds = time.monotonic() - begin
    wait_until(lambda: socket.cursor() // 1000 >= last // 1000, what="a poke that covers all of it")
    pokes = [frame for frame in socket.frames if frame["type"] == "sync.poke"]
    # After 100, 200, 400, 800 and 1600 ms, then one in two seconds.
    assert 3 <= len(pokes) <= 6 + seconds / 2, (len(pokes), seconds)
    cursors = [frame["cursor"] for frame in pokes]
    assert cursors == sorted(set(cursors))
    socket.close()


def test_poked_socket_resumes_with_one_poke():
    socket, greeting = opened(her.one, mode="poke", cursor=her.quiet())
    socket.close()
    for _ in range(3):
        her.write()
    wait_until(lambda: cluster.value("SELECT max(t) FROM kintaraa.tick") > greeting["cursor"])
    socket, greeting = opened(her.one, mode="poke", cursor=greeting["cursor"])
    assert greeting["resumed"] is True
    assert socket.expect("sync.poke")["cursor"] >= greeting["cursor"]
    socket.close()


def test_poked_socket_ends_with_its_session():
    person = Person()
    socket, _ = opened(person.one, mode="poke")
    assert gateway.api().post("/api/auth/logout", {"refresh": person.refresh}).status == 204
    assert socket.wait_closed() == 4401


def test_unknown_mode_is_an_error_and_the_next_hello_may_be_right():
    socket = Socket(gateway, her.one, hello=False)
    for mode in ("deltas", 7, None, []):
        socket.send({"type": "hello", "token": her.one, "mode": mode})
        assert socket.expect("error")["problem"]["code"] == "GW411", mode
    socket.send({"type": "hello", "token": her.one, "mode": "delta"})
    socket.expect("hello.result")
    socket.close()


def test_frames_are_chained():
    socket, greeting = opened(her.one)
    have = greeting["cursor"]
    for _ in range(4):
        her.report()
    wait_until(lambda: len(socket.frames) >= 5)
    for frame in socket.frames[1:]:
        assert frame["prev"] == have, (have, frame)
        have = frame["cursor"]
    socket.close()
    her.report()
    her.report()
    socket, _ = opened(her.one, cursor=greeting["cursor"])
    wait_until(lambda: len(socket.frames) >= 7)
    have = greeting["cursor"]
    for frame in socket.frames[1:]:
        assert frame["prev"] == have and frame["cursor"] >= have, (have, frame)
        have = frame["cursor"]
    socket.close()


def test_mode_may_change_with_the_next_hello():
    socket, _ = opened(her.one, mode="poke")
    socket.send({"type": "hello", "token": her.one})
    socket.expect("hello.result")
    identity = her.report()
    assert socket.expect("incident.updated")["incidentId"] == identity
    socket.close()


def test_shutdown_answers_those_who_wait():
    cursor = her.quiet()
    waiting = [Waiting(her.one, cursor, 30) for _ in range(3)]
    wait_until(lambda: parked() == 3)
    assert gateway.stop() == 0
    for one in waiting:
        answer = one.wait()
        assert answer.status == 200 and answer.body["empty"] is True and one.seconds < 10


with Cluster(log_statement="all") as cluster, Gateway(cluster, SETTINGS) as gateway:
    wait_until(lambda: gateway.api().get("/.well-known/jwks.json").status == 200)
    wait_until(lambda: "feed_up" in gateway.log())
    her, him = Person(), Person()
    sys.exit(run_tests(globals()))
