"""Bodies that nobody asked for: read and dropped on every route and method that takes none, and never kept."""
import json
import os
import random
import re
import select
import socket
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from doors import metric
from harness import ROOT, Cluster, Gateway, run_tests, wait_until

MIB = 1024 * 1024
REQUESTS = 5000
IS_SANITIZED = "ASAN_OPTIONS" in os.environ  # it keeps what was freed for a while
ROUTE = re.compile(r'\{(GET|DELETE),\s*"([^"]+)"')


def bare_targets():
    """Every route and method without a body, with an id that nobody has in the place of each parameter."""
    with open(os.path.join(ROOT, "gateway", "routes.c")) as file:
        found = ROUTE.findall(file.read())
    assert len(found) > 30, found
    targets = []
    for method, path in found:
        path = re.sub(r"\{\w+\}", str(uuid.uuid4()), path)
        targets += [(method, path), ("OPTIONS", path)] + ([("HEAD", path)] if method == "GET" else [])
    return targets + [("OPTIONS", "*"), ("GET", "/api/sync/pull?wait=abc"), ("GET", "/api/incidents/updates?wait=abc")]


class Wire:
    """One connection that sends a body with whatever it asks for."""

    def __init__(self):
        self.socket = socket.create_connection((gateway.host, gateway.port), timeout=30)
        self.file = self.socket.makefile("rb")

    def send(self, method, target, body, is_chunked=False):
        framing = "Transfer-Encoding: chunked" if is_chunked else "Content-Length: %d" % len(body)
        head = "%s %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%s\r\n\r\n" % (method, target, token, framing)
        if is_chunked:
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        self.socket.sendall(head.encode() + body)

    def answer(self, method):
        """Status and body of the next answer."""
        status = int(self.file.readline().split()[1])
        length = 0
        while line := self.file.readline().strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return status, self.file.read(length if method != "HEAD" else 0)

    def close(self):
        self.file.close()
        self.socket.close()


def worker():
    with open("/proc/%d/task/%d/children" % (gateway.pid, gateway.pid)) as file:
        return int(file.read().split()[0])


def resident():
    with open("/proc/%d/status" % worker()) as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) * 1024


def body_of(chance):
    if chance.random() < 0.03:
        return b'{"a":"%s"}' % (b"b" * 300000)
    return chance.choice([b'{"a":"bbbb"}', b"{", b"\xff\x00", b"null", b'"' + b"x" * 3000 + b'"'])


def ask(count, chance):
    """So many requests, some cut in the middle, beside pulls that wait with a body of their own."""
    targets, waiting, wire = bare_targets(), [], Wire()
    for number in range(count):
        method, target = targets[number % len(targets)]
        wire.send(method, target, body_of(chance), chance.random() < 0.3)
        if chance.random() < 0.02:
            wire.close()
            wire = Wire()
            continue
        status, _ = wire.answer(method)
        assert status in (200, 204, 400, 403, 404, 422, 426, 429), (method, target, status)
        if status in (400, 426):
            wire.close()
            wire = Wire()
        if number % 100 == 0:
            waiting.append(Wire())
            waiting[-1].send("GET", "/api/sync/pull?last_pulled_at=%s&wait=8" % cursor(), b'{"a":"bbbb"}')
        if number % 500 == 250:
            assert api.post("/api/incidents", {"type": "physical"}).status == 201
        if len(waiting) > 8:
            waiting.pop(chance.randrange(len(waiting))).close()
    for other in waiting + [wire]:
        other.close()


def cursor():
    return api.get("/api/sync/pull").body["timestamp"]


def test_pull_that_waits_with_a_body_hears_of_the_next_report():
    begin, wire = cursor(), Wire()
    before = worker()
    for _ in range(3):
        wire.send("GET", "/api/sync/pull?last_pulled_at=%s&wait=8" % begin, b'{"a":"bbbb"}')
        wait_until(lambda: metric(gateway, "pulls_parked") > 0 or wire.socket in readable(wire))
        report = api.post("/api/incidents", {"type": "physical"}).body["id"]
        status, body = wire.answer("GET")
        while status == 200 and report.encode() not in body:  # an earlier change, her own account's, came first
            begin = json.loads(body)["timestamp"]
            wire.send("GET", "/api/sync/pull?last_pulled_at=%s&wait=8" % begin, b'{"a":"bbbb"}')
            status, body = wire.answer("GET")
            assert b'"empty":true' not in body, body[:300]
        assert status == 200, (status, body[:300])
        begin = cursor()
    wire.close()
    assert worker() == before


def readable(wire):
    return select.select([wire.socket], [], [], 0)[0]


def test_refused_pulls_with_long_bodies_keep_none_of_them():
    wire = Wire()

    def pull(count):
        nonlocal wire
        for _ in range(count):
            wire.send("GET", "/api/sync/pull?wait=abc", b'"' + b"x" * 300000 + b'"')
            assert wire.answer("GET")[0] == 400
    pull(20)
    before = resident()
    pull(200)
    wire.close()
    assert IS_SANITIZED or resident() <= before + MIB, (before, resident())


def test_five_thousand_of_them_leave_the_gateway_as_it_was():
    before_worker = worker()
    ask(REQUESTS // 4, random.Random(1))
    wait_until(lambda: metric(gateway, "connections_open") <= 2)
    before = resident()
    ask(REQUESTS, random.Random(2))
    wait_until(lambda: metric(gateway, "connections_open") <= 2 and metric(gateway, "pulls_parked") == 0)
    after = resident()
    print("# %d KB before, %d KB after" % (before // 1024, after // 1024))
    assert IS_SANITIZED or abs(after - before) <= MIB, (before, after)
    assert worker() == before_worker and "worker_end" not in gateway.log(), gateway.log()[-2000:]
    wait_until(lambda: metric(gateway, "bodies_bytes") == 0, what="no body is held any more")


def test_options_of_everything_takes_as_much_after_an_upload_as_alone():
    upload = b'{"records":[]' + b" " * (4 * MIB) + b"}"
    answers = []
    for first in (None, upload):
        wire = Wire()
        if first is not None:
            wire.send("POST", "/api/sync/batch", first)
            assert wire.answer("POST")[0] == 200
        wire.send("OPTIONS", "*", b"x" * 1000)
        answers.append(wire.answer("OPTIONS")[0])
        wire.socket.sendall(b"OPTIONS * HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n")
        answers.append(wire.answer("OPTIONS")[0])
        wire.close()
    assert answers == [204, 413, 204, 413], answers


def test_body_of_a_call_counts_until_it_is_answered():
    with cluster.connect() as lock, lock.cursor() as hold:
        lock.autocommit = False
        hold.execute("LOCK TABLE kintaraa.incident IN ACCESS EXCLUSIVE MODE")
        wire = Wire()
        wire.send("POST", "/api/incidents", b'{"description":"%s"}' % (b"x" * 200000))
        wait_until(lambda: metric(gateway, "bodies_bytes") > 200000, what="it is counted")
        wire.close()
        wait_until(lambda: metric(gateway, "connections_open") <= 2)
        assert metric(gateway, "bodies_bytes") > 200000, "its sender has gone, the call runs on"
        lock.rollback()
    wait_until(lambda: metric(gateway, "bodies_bytes") == 0)


SETTINGS = {"KINTARAA_LOG_LEVEL": "warn", "KINTARAA_MAX_PER_ADDRESS": 0, "KINTARAA_READ_SHARE": 0}

with Cluster() as cluster, Gateway(cluster, SETTINGS) as gateway:
    api = gateway.api()
    joined = api.post("/api/auth/register", {"email": "bodies@example.org", "password": "a long enough sentence",
                                             "firstName": "A", "lastName": "B"})
    assert joined.status == 201, joined
    token = api.token = joined.body["tokens"]["access"]
    sys.exit(run_tests(globals()))
