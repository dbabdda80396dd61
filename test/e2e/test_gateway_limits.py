"""Each limit of the gateway: reached, and passed by one."""
import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from doors import Doors, metric
from harness import Cluster, Gateway, run_tests, wait_until

SETTINGS = {
    "KINTARAA_MAX_BODY": 1000, "KINTARAA_QUEUE_LIMIT": 2, "KINTARAA_QUEUE_TIMEOUT": "700ms",
    "KINTARAA_NORMAL_CONNECTIONS": 2, "KINTARAA_SOS_CONNECTIONS": 1, "KINTARAA_NORMAL_TIMEOUT": "1500ms",
    "KINTARAA_HEAD_TIMEOUT": "400ms", "KINTARAA_BODY_TIMEOUT": "600ms", "KINTARAA_IDLE_TIMEOUT": "500ms",
    "KINTARAA_WRITE_TIMEOUT": "600ms", "KINTARAA_MAX_CONNECTIONS": 40,
}


def dial():
    return socket.create_connection((gateway.host, gateway.port), timeout=10)


def rest(wire):
    got = b""
    while True:
        try:
            piece = wire.recv(65536)
        except ConnectionError:
            return got
        if not piece:
            return got
        got += piece


def post(size, path="/api/auth/login"):
    return b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (path.encode(), size)


class Background:
    """One request in a thread of its own."""

    def __init__(self, method, path, json=None):
        self.answer = None
        self.seconds = None
        self.thread = threading.Thread(target=self._run, args=(method, path, json))
        self.thread.start()

    def _run(self, method, path, json):
        begin = time.monotonic()
        self.answer = gateway.api(token=token).request(method, path, json)
        self.seconds = time.monotonic() - begin

    def wait(self):
        self.thread.join()
        return self.answer


def test_body_may_be_as_long_as_the_limit():
    assert api.request("POST", "/api/auth/login", body=b'"' + b"x" * 998 + b'"').status != 413
    answer = api.request("POST", "/api/auth/login", body=b'"' + b"x" * 999 + b'"')
    assert answer.status == 413 and answer.body["code"] == "GW413", answer


def test_chunked_body_is_counted_too():
    head = b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    for size, refused in ((1000, False), (1001, True)):
        body = b'"' + b"x" * (size - 2) + b'"'
        with dial() as wire:
            wire.sendall(head + b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n")
            status = wire.recv(20)
        assert (b" 413 " in status) == refused, (size, status)


def test_answer_to_a_refused_upload_is_not_lost():
    with dial() as wire:
        wire.sendall(post(10_000_000))
        try:
            wire.sendall(b"x" * 50_000)
        except ConnectionError:
            pass
        assert rest(wire).startswith(b"HTTP/1.1 413 ")


def test_head_may_be_16384_long():
    start = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Pad: "
    for size, status in ((16384, b"200"), (16385, b"431")):
        with dial() as wire:
            wire.sendall(start + b"y" * (size - len(start) - 4) + b"\r\n\r\n")
            assert wire.recv(16).split()[1] == status, size


def test_64_fields_may_be_sent():
    for count, status in ((64, b"200"), (65, b"431")):
        with dial() as wire:
            wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * (count - 1) + b"\r\n")
            assert wire.recv(16).split()[1] == status, count


def test_url_may_be_2048_long():
    for size, status in ((2048, 200), (2049, 414)):
        assert api.get("/healthz?a=" + "b" * (size - 11)).status == status, size


def test_context_fields_may_be_128_long():
    for name in ("Idempotency-Key", "If-Match"):
        for value, status in (("x" * 128, 200), ("x" * 129, 400), ("", 400)):
            assert api.request("GET", "/api/me", headers={name: value}).status == status, (name, len(value))


def test_head_must_arrive_in_time_however_slowly_it_drips():
    begin = time.monotonic()
    with dial() as wire:
        for byte in b"GET /healthz HTTP/1.1\r\n":
            wire.sendall(bytes([byte]))
            wire.settimeout(0.05)
            try:
                if wire.recv(1):
                    break
            except TimeoutError:
                continue
        wire.settimeout(10)
        assert b" 408 " in b"H" + rest(wire)
    assert 0.3 < time.monotonic() - begin < 3


def test_silent_client_is_sent_away():
    begin = time.monotonic()
    with dial() as wire:
        assert rest(wire).startswith(b"HTTP/1.1 408 ")
    assert 0.3 < time.monotonic() - begin < 3


def test_body_must_arrive_in_time():
    begin = time.monotonic()
    with dial() as wire:
        wire.sendall(post(100) + b"x" * 50)
        assert rest(wire).startswith(b"HTTP/1.1 408 ")
    assert 0.5 < time.monotonic() - begin < 3


def test_idle_connection_is_closed_without_a_word():
    with dial() as wire:
        wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"ok" in wire.recv(4096)
        begin = time.monotonic()
        assert rest(wire) == b""
        assert 0.4 < time.monotonic() - begin < 3


def test_answer_nobody_reads_is_given_up():
    wire = socket.socket()
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    wire.connect((gateway.host, gateway.port))
    body = b'{"bytes":8000000}'
    before = metric(gateway, "connections_open")
    wire.sendall(post(len(body)) + body)
    wait_until(lambda: metric(gateway, "connections_open") < before, 8)
    wire.close()


def test_slow_reader_that_reads_gets_all_of_it():
    wire = socket.socket()
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    wire.settimeout(10)
    wire.connect((gateway.host, gateway.port))
    body = b'{"bytes":6000000}'
    wire.sendall(post(len(body)).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + body)
    got, begin = 0, time.monotonic()
    while True:
        piece = wire.recv(32768)
        if not piece:
            break
        got += len(piece)
        if got < 800_000:
            threading.Event().wait(0.05)
    assert got > 6_000_000 and time.monotonic() - begin > 0.6, got


def test_statement_is_stopped_after_its_time():
    answer = api.get("/api/dispatch/queue?seconds=5")
    assert answer.status == 504 and answer.body["code"] == "57014", answer


def test_full_queue_is_refused_and_late_ones_are_told():
    running = Background("POST", "/api/auth/login", {"seconds": 1.2})
    wait_until(lambda: doors.is_waiting_for("auth_login"))
    waiting = [Background("POST", "/api/auth/login", {"mark": "late"}) for _ in range(2)]
    wait_until(lambda: metric(gateway, "lane_waiting", 'lane="hash"') == 2)
    answer = api.post("/api/auth/login", {"mark": "late"})
    assert answer.status == 503 and answer.body["code"] == "GW503" and answer.headers["Retry-After"] == "1", answer
    for one in waiting:
        assert one.wait().status == 503 and 0.6 < one.seconds < 1.3, (one.answer, one.seconds)
    assert running.wait().status == 200
    assert doors.value("SELECT count(*) FROM kintaraa_api.note WHERE mark = 'late'") == 0
    assert metric(gateway, "lane_refused_total", 'lane="hash"') == 3


def test_report_is_taken_while_the_normal_lane_is_full():
    busy = [Background("GET", "/api/dispatch/queue?seconds=1") for _ in range(4)]
    wait_until(lambda: metric(gateway, "lane_waiting", 'lane="normal"') == 2)
    assert api.get("/api/me").status == 503
    answer = api.post("/api/incidents", {"mark": "sos", "outcome": "created"})
    assert answer.status == 201, answer
    for one in busy:
        one.wait()


def test_reports_borrow_idle_connections_and_nobody_borrows_theirs():
    sos = [Background("POST", "/api/incidents", {"seconds": 0.8}) for _ in range(3)]
    wait_until(lambda: metric(gateway, "lane_idle", 'lane="normal"') == 0)
    assert [one.wait().status for one in sos] == [200] * 3
    assert max(one.seconds for one in sos) < 1.5
    busy = [Background("GET", "/api/dispatch/queue?seconds=1") for _ in range(3)]
    wait_until(lambda: metric(gateway, "lane_waiting", 'lane="normal"') == 1)
    assert metric(gateway, "lane_idle", 'lane="sos"') == 1
    for one in busy:
        one.wait()


def test_connections_above_the_limit_wait_until_there_is_room():
    api.close()
    wait_until(lambda: metric(gateway, "connections_open") <= 2)
    wires = []
    for _ in range(38):
        wires.append(dial())
        wires[-1].sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " in wires[-1].recv(4096)
    late = [dial() for _ in range(5)]
    for wire in late:
        wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    for wire in wires:
        wire.close()
    for wire in late:
        assert b" 200 " in rest(wire)


def test_connections_that_say_nothing_make_room():
    with Gateway(doors, {"KINTARAA_MAX_CONNECTIONS": 20}) as small:
        for said in (b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /hea"):
            wires = [socket.create_connection((small.host, small.port), timeout=10) for _ in range(24)]
            for wire in wires:
                wire.sendall(said)
            assert small.api(timeout=6).get("/healthz").status == 200, said  # of 10 s for a head, 60 s for the next one
            for wire in wires:
                wire.close()


def test_many_slow_clients_do_not_keep_others_out():
    api.close()
    stop = time.monotonic() + 3
    served = 0
    while time.monotonic() < stop:
        wires = []
        for _ in range(30):
            wires.append(dial())
            wires[-1].sendall(b"GET /healthz HTTP/1.1\r\nX: ")
        with dial() as wire:
            wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            served += b" 200 " in rest(wire)
        for wire in wires:
            wire.close()
    assert served > 5


with Cluster() as cluster, Doors(cluster) as doors, Gateway(doors, SETTINGS) as gateway:
    token = doors.token()
    api = gateway.api(token=token)
    wait_until(lambda: api.get("/.well-known/jwks.json").status == 200)
    sys.exit(run_tests(globals()))
