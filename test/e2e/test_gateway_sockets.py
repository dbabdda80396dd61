"""WebSockets: hello, news in order, commands, pings, slow readers, and what ends a socket."""
import asyncio
import base64
import contextlib
import json
import os
import socket as sockets
import struct
import sys
import threading
import time

import websockets

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from doors import Doors, metric
from harness import Api, Cluster, Gateway, Socket, run_tests, wait_until


def opened(role="survivor", cursor=None, **how):
    """A socket that has been greeted, and its greeting."""
    fresh = Socket(gateway, doors.token(role), cursor, **how)
    return fresh, fresh.expect("hello.result")


class Wire:
    """A WebSocket by hand, for what a good client never does."""

    def __init__(self, path="/ws", receive_buffer=None, to=None):
        to = to or gateway
        self.wire = sockets.socket()
        if receive_buffer:
            self.wire.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, receive_buffer)
        self.wire.settimeout(15)
        self.wire.connect((to.host, to.port))
        self.wire.sendall(("GET %s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                           "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n"
                           % (path, base64.b64encode(os.urandom(16)).decode())).encode())
        self.data = b""
        while b"\r\n\r\n" not in self.data:
            self.data += self.wire.recv(1)
        assert self.data.startswith(b"HTTP/1.1 101 "), self.data
        self.data = b""

    def send(self, opcode, payload, first=0x80):
        mask = os.urandom(4)
        size = len(payload)
        if size < 126:
            length = bytes([0x80 | size])
        elif size < 65536:
            length = bytes([0xfe]) + struct.pack(">H", size)
        else:
            length = bytes([0xff]) + struct.pack(">Q", size)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        self.wire.sendall(bytes([first | opcode]) + length + mask + masked)

    def say(self, message):
        self.send(1, json.dumps(message).encode())

    def _read(self, size):
        while len(self.data) < size:
            piece = self.wire.recv(65536)
            if not piece:
                raise ConnectionError("closed")
            self.data += piece
        got, self.data = self.data[:size], self.data[size:]
        return got

    def frame(self):
        first, size = self._read(2)
        if size == 126:
            size = struct.unpack(">H", self._read(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", self._read(8))[0]
        return first & 15, self._read(size)

    def close_code(self):
        while True:
            opcode, payload = self.frame()
            if opcode == 8:
                return struct.unpack(">H", payload[:2])[0]


def test_hello_is_answered_with_role_and_cursor():
    socket, greeting = opened("provider")
    assert greeting["role"] == "provider" and greeting["resumed"] is False, greeting
    assert isinstance(greeting["cursor"], int) and 890 <= greeting["expiresIn"] <= 900, greeting
    socket.close()


def test_news_reach_those_they_are_for_in_order():
    mine, _ = opened("police")
    other, _ = opened("legal")
    for i in range(50):
        doors.tell({"type": "incident.updated", "n": i}, "police")
    doors.tell({"type": "notification.push", "n": 50})
    assert [mine.expect("incident.updated")["n"] for _ in range(50)] == list(range(50))
    assert mine.expect("notification.push")["n"] == 50 and other.expect("notification.push")["n"] == 50
    assert not [frame for frame in other.frames if frame["type"] == "incident.updated"]
    cursors = [frame["cursor"] for frame in mine.frames]
    assert cursors == sorted(cursors), cursors
    mine.close(), other.close()


def test_reconnect_with_a_cursor_misses_nothing_and_repeats_nothing():
    socket, greeting = opened()
    doors.tell({"type": "a"})
    cursor = socket.expect("a")["cursor"]
    socket.abort()
    for i in range(5):
        doors.tell({"type": "b", "n": i})
    socket, greeting = opened(cursor=cursor)
    assert greeting["resumed"] is True
    doors.tell({"type": "c"})
    socket.expect("c")
    assert [frame.get("n") for frame in socket.frames if frame["type"] == "b"] == [0, 1, 2, 3, 4]
    assert not [frame for frame in socket.frames if frame["type"] == "a"]
    socket.close()


def test_joins_during_a_stream_of_news_have_no_gap():
    stop = []

    async def follow(cursor):
        async with websockets.connect(gateway.ws, ping_interval=None, max_size=None) as wire:
            await wire.send(json.dumps({"type": "hello", "token": token, "cursor": cursor}))
            seen = []
            async for text in wire:
                frame = json.loads(text)
                if frame["type"] == "stream":
                    seen.append(frame["n"])
                if frame["type"] == "stream.end":
                    return seen

    async def tell():
        loop = asyncio.get_running_loop()
        with contextlib.closing(doors.connect()) as connection, connection.cursor() as cursor:
            for i in range(300):
                await loop.run_in_executor(None, cursor.execute, "CALL kintaraa_api.tell(NULL, %s)",
                                           [json.dumps({"type": "stream", "n": i})])
            await asyncio.sleep(0.2)
            cursor.execute("CALL kintaraa_api.tell(NULL, %s)", [json.dumps({"type": "stream.end"})])
        stop.append(True)

    async def all_of_it():
        teller = asyncio.create_task(tell())
        followers = []
        for _ in range(40):
            followers.append(asyncio.create_task(follow(begin)))
            await asyncio.sleep(0.005)
        lists = await asyncio.gather(*followers)
        await teller
        return lists

    token = doors.token("nurse")
    begin = doors.value("SELECT kintaraa_api.feed_position()")
    for seen in asyncio.run(asyncio.wait_for(all_of_it(), 30)):
        assert seen == list(range(300)), (len(seen), [i for i in range(300) if seen.count(i) != 1][:10])


def test_ended_session_closes_4401():
    socket, _ = opened("leaving")
    stays, _ = opened("staying")
    doors.tell({"type": "session.ended"}, "leaving")
    assert socket.wait_closed() == 4401
    doors.tell({"type": "a"}, "staying")
    stays.expect("a")
    stays.close()


def test_bad_first_frames_close_4401():
    for first in ({"type": "hello"}, {"type": "hello", "token": doors.token()[:-8] + "AAAAAAAA"},
                  {"type": "hello", "token": doors.token(lasts=-5)}, {"type": "ping"},
                  {"type": "hello", "token": doors.token("ghost")}, "no json", [1], {"type": 7}):
        socket = Socket(gateway)
        socket.send(first if isinstance(first, str) else json.dumps(first))
        assert socket.wait_closed() == 4401, first


def test_strange_cursor_is_as_good_as_none():
    for cursor in ("x", "", -1, 1.5, [], {}, True, 2 ** 53, 2 ** 53 + 1, 2 ** 62, 2 ** 63 - 1, 2 ** 63, 2 ** 64,
                   10 ** 40,
                   -2 ** 63 - 1, str(2 ** 53), str(2 ** 63), "9" * 30):
        socket = Socket(gateway, doors.token(), cursor)
        answer = socket.expect("hello.result")
        assert answer["resumed"] is False, (cursor, answer)
        socket.send({"type": "ping"})
        socket.expect("pong")
        socket.close()


def test_token_in_the_url_is_a_hello():
    for path in ("/ws", "/ws/", "/"):
        socket = Socket(gateway, url="ws://%s:%d%s?token=%s" % (gateway.host, gateway.port, path, doors.token("url")))
        assert socket.expect("hello.result")["role"] == "url"
        socket.close()


def test_bad_token_in_the_url_is_refused_in_the_upgrade():
    for token in (doors.token(lasts=-5), doors.token()[:-8] + "AAAAAAAA", "x", "", doors.token("ghost"),
                  "%E2%82%AC.a.b"):
        assert refusal(gateway.ws + "?token=" + token) == 401, token
    socket = Socket(gateway, url=gateway.ws + "?token=" + doors.token())
    assert socket.expect("hello.result")["resumed"] is False
    socket.close()


def test_full_lane_refuses_a_token_in_the_url_in_the_upgrade():
    with Gateway(doors, {"KINTARAA_NORMAL_CONNECTIONS": 1, "KINTARAA_QUEUE_TIMEOUT": "100ms"}) as small:
        wait_until(lambda: refusal(small.ws + "?token=" + doors.token()) is None, what="the feed is there")
        with doors.connect() as lock, lock.cursor() as hold:
            lock.autocommit = False
            hold.execute("LOCK TABLE kintaraa_api.keeps IN ACCESS EXCLUSIVE MODE")
            got = []
            threads = [threading.Thread(target=lambda: got.append(refusal(small.ws + "?token=" + doors.token())))
                       for _ in range(4)]
            for thread in threads:
                thread.start()
            wait_until(lambda: got.count(503) >= 3)
            lock.rollback()
        for thread in threads:
            thread.join()


def refusal(url):
    """The status of an upgrade that is refused, else None."""
    try:
        Socket(gateway, url=url).close()
    except websockets.InvalidStatusCode as error:
        return error.status_code
    return None


def test_socket_ends_with_its_subscription():
    said = Socket(gateway, doors.token(lasts=2))
    shown = Socket(gateway, url=gateway.ws + "?token=" + doors.token(lasts=2))
    renewed = Socket(gateway, doors.token(lasts=2))
    for socket in (said, shown, renewed):
        socket.expect("hello.result")
    renewed.send({"type": "hello", "token": doors.token()})
    renewed.expect("hello.result")
    assert said.wait_closed(6) == 4401 and shown.wait_closed(6) == 4401
    renewed.send({"type": "ping"})
    renewed.expect("pong")
    renewed.close()


def test_second_hello_renews_without_a_gap():
    socket, _ = opened("renew")
    doors.tell({"type": "a", "n": 1}, "renew")
    cursor = socket.expect("a")["cursor"]
    socket.send({"type": "hello", "token": doors.token("renew"), "cursor": cursor})
    socket.expect("hello.result")
    doors.tell({"type": "a", "n": 2}, "renew")
    assert socket.expect("a")["n"] == 2
    wait_until(lambda: doors.value("SELECT count(*) FROM kintaraa_api.subscription WHERE topic = 'renew'") == 1)
    assert len([frame for frame in socket.frames if frame["type"] == "a"]) == 2
    socket.close()


def test_subscription_is_given_up_with_the_socket():
    socket, _ = opened("passing")
    assert doors.value("SELECT count(*) FROM kintaraa_api.subscription WHERE topic = 'passing'") == 1
    socket.abort()
    wait_until(lambda: doors.value("SELECT count(*) FROM kintaraa_api.subscription WHERE topic = 'passing'") == 0)


def test_status_update_calls_its_door():
    socket, _ = opened()
    socket.send({"type": "status.update", "incidentId": "a/b", "status": "in_progress", "note": 1.25, "ref": "r1"})
    result = socket.expect("status.result")
    assert result["incidentId"] == "a/b" and result["ref"] == "r1", result
    assert result["incident"]["id"] == "a/b" and result["incident"]["body"] == {"status": "in_progress", "note": 1.25}
    socket.send({"type": "status.update", "incidentId": "i", "status": "wrong", "ref": 2})
    error = socket.expect("error")
    assert error["replyTo"] == "status.update" and error["ref"] == 2 and error["problem"]["code"] == "KN401", error
    assert error["problem"]["status"] == 409
    socket.close()


def test_messages_are_answered_in_order():
    socket, _ = opened()
    for i in range(12):
        socket.send({"type": "status.update", "incidentId": "i", "status": "s", "ref": i})
        socket.send({"type": "ping", "ref": i})
    wait_until(lambda: len(socket.frames) == 25)
    refs = [(frame["type"], frame.get("ref")) for frame in socket.frames[1:]]
    assert refs == [pair for i in range(12) for pair in (("status.result", i), ("pong", i))], refs
    socket.close()


def test_too_many_waiting_messages_are_refused():
    wire = Wire()
    wire.say({"type": "hello", "token": doors.token()})
    wire.frame()
    message = json.dumps({"type": "status.update", "incidentId": "i", "status": "s"}).encode()
    many = b""
    for _ in range(34):
        mask = b"\0\0\0\0"
        many += bytes([0x81, 0x80 | len(message)]) + mask + message
    wire.wire.sendall(many)
    frames = [json.loads(wire.frame()[1]) for _ in range(34)]
    results = [frame["type"] for frame in frames]
    assert results.count("error") == 1 and results.count("status.result") == 33, results
    assert [frame for frame in frames if frame["type"] == "error"][0]["problem"]["code"] == "GW429"


def test_unknown_and_broken_messages_get_an_error_frame():
    socket, _ = opened()
    for message, code in (({"type": "message.send", "ref": 9}, "GW411"), ({"type": "x"}, "GW411"), ({}, "GW411"),
                          ("{", "GW410"), ("[]", "GW410"), ("[" * 40 + "]" * 40, "GW410"),
                          ({"type": "status.update"}, "GW411")):
        socket.send(message if isinstance(message, str) else json.dumps(message))
        error = socket.expect("error")
        assert error["problem"]["code"] == code, (message, error)
        assert code != "GW411" or "status.update" in error["problem"]["hint"], error
    socket.send({"type": "ping"})
    socket.expect("pong")
    socket.close()


def test_message_may_be_65536_long_and_not_longer():
    wire = Wire()
    wire.say({"type": "hello", "token": doors.token()})
    wire.frame()
    message = b'{"type":"ping","x":"' + b"y" * (65536 - 22) + b'"}'
    assert len(message) == 65536
    wire.send(1, message)
    assert json.loads(wire.frame()[1])["type"] == "pong"
    wire.send(1, b"z" * 65537)
    assert wire.close_code() == 1009


def test_what_is_no_text_is_refused():
    wire = Wire()
    wire.send(2, b"binary")
    assert wire.close_code() == 1003
    wire = Wire()
    wire.send(1, b"\xff\xfe")
    assert wire.close_code() == 1007
    wire = Wire()
    wire.wire.sendall(b"\x81\x02hi")
    assert wire.close_code() == 1002


def test_close_is_answered():
    wire = Wire()
    wire.send(8, struct.pack(">H", 1000))
    assert wire.close_code() == 1000
    try:
        assert wire.wire.recv(1) == b""
    except ConnectionError:
        pass


def test_frame_that_came_with_the_upgrade_is_read():
    hello = json.dumps({"type": "hello", "token": doors.token()}).encode()
    frame = bytes([0x81, 0xfe]) + struct.pack(">H", len(hello)) + b"\0\0\0\0" + hello
    with sockets.create_connection((gateway.host, gateway.port), timeout=10) as wire:
        wire.sendall(b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n" + frame)
        got = b""
        while b"hello.result" not in got:
            piece = wire.recv(4096)
            assert piece, got
            got += piece
        assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in got


def test_upgrade_is_checked():
    api = gateway.api()
    assert api.get("/ws").status == 426
    base = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    answer = api.request("GET", "/ws", headers={**base, "Sec-WebSocket-Version": "12"})
    assert answer.status == 426 and answer.headers["Sec-WebSocket-Version"] == "13", answer
    answer = api.request("GET", "/ws", headers={**base, "Sec-WebSocket-Version": "13",
                                                "Origin": "https://evil.example"})
    assert answer.status == 403 and answer.body["code"] == "GW403", answer


def test_silent_client_is_pinged_and_then_dropped():
    wire = Wire()
    wire.say({"type": "hello", "token": doors.token()})
    wire.frame()
    pings, begin = 0, time.monotonic()
    try:
        while True:
            opcode, _ = wire.frame()
            pings += opcode == 9
    except ConnectionError:
        pass
    assert pings == 2 and 1.3 < time.monotonic() - begin < 5, pings  # the third time nothing was heard since two


def test_client_that_answers_pings_stays():
    socket, _ = opened()
    end = time.monotonic() + 3
    wait_until(lambda: time.monotonic() > end)
    socket.send({"type": "ping"})
    socket.expect("pong")
    socket.close()


def test_slow_reader_is_let_go_and_others_are_not():
    with Gateway(doors, {"KINTARAA_SOCKET_BUFFER": 65536, "KINTARAA_WRITE_TIMEOUT": "500ms"}) as other:
        wait_until(lambda: "feed_up" in other.log())
        slow = [Wire(to=other, receive_buffer=4096) for _ in range(5)]
        for wire in slow:
            wire.say({"type": "hello", "token": doors.token("flood")})
            wire.frame()
        fast = Socket(other, doors.token("flood"))
        fast.expect("hello.result")
        with contextlib.closing(doors.connect()) as connection, connection.cursor() as cursor:
            for i in range(600):
                frame = json.dumps({"type": "big", "n": i, "x": "y" * 14000})
                cursor.execute("CALL kintaraa_api.tell('flood', %s)", [frame])
                if i % 4 == 3:
                    fast.expect("big", where=lambda frame: frame["n"] == i)
        assert [f["n"] for f in fast.frames if f["type"] == "big"] == list(range(600))
        wait_until(lambda: metric(other, "sockets_slow_total") == 5)
        fast.close()


def test_slow_reader_is_poked_and_stays():
    with Gateway(doors, {"KINTARAA_SOCKET_BUFFER": 65536}) as other, \
            contextlib.closing(doors.connect()) as connection, connection.cursor() as database:
        def tell(count):
            for i in range(count):
                database.execute("CALL kintaraa_api.tell('lazy', %s)",
                                 [json.dumps({"type": "big", "n": i, "x": "y" * 14000})])

        def read():
            opcode, payload = wire.frame()
            return json.loads(payload) if opcode == 1 else read()
        wait_until(lambda: "feed_up" in other.log())
        wire = Wire(to=other, receive_buffer=4096)
        wire.say({"type": "hello", "token": doors.token("lazy")})
        have = read()["cursor"]
        wait_until(lambda: tell(50) or metric(other, "sockets_behind_total") == 1)
        tell(20)
        last = doors.value("SELECT kintaraa_api.feed_position()")
        poked = 0
        while poked < last:
            frame = read()
            if frame["type"] == "sync.poke":
                poked = frame["cursor"]
            elif frame["prev"] <= have:
                assert frame["prev"] == have, frame["n"]
                have = frame["cursor"]
        assert have < last and metric(other, "sockets_slow_total") == 0
        # What comes after the gap must not look like its neighbour; whoever has pulled applies it.
        doors.tell({"type": "after"}, "lazy")
        frame = read()
        while frame["type"] != "after":
            frame = read()
        assert have < frame["prev"] <= poked, (have, frame, poked)
        doors.tell({"type": "then"}, "lazy")
        assert read()["prev"] == frame["cursor"]
        wire.wire.close()


def test_catch_up_larger_than_the_buffer_is_delivered():
    begin = doors.value("SELECT kintaraa_api.feed_position()")
    for i in range(40):
        doors.tell({"type": "large", "n": i, "x": "y" * 20000}, "catching")
    socket, _ = opened("catching", cursor=begin)
    wait_until(lambda: len([f for f in socket.frames if f["type"] == "large"]) == 40)
    doors.tell({"type": "after"}, "catching")
    socket.expect("after")
    socket.close()


def test_lost_listener_costs_no_news():
    crowd = [opened("crowd")[0] for _ in range(30)]
    doors.tell({"type": "n", "n": 0}, "crowd")
    for socket in crowd:
        socket.expect("n")
    doors.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
               "WHERE application_name = 'kintaraa-listen' AND datname = 'doors'")
    for i in range(1, 6):
        doors.tell({"type": "n", "n": i}, "crowd")
    for socket in crowd:
        wait_until(lambda: [f["n"] for f in socket.frames if f["type"] == "n"] == [0, 1, 2, 3, 4, 5])
        socket.close()


def test_forgotten_gateway_starts_its_feed_anew():
    crowd = [opened("forgotten")[0] for _ in range(10)]
    doors.tell({"type": "n", "n": 0}, "forgotten")
    for socket in crowd:
        socket.expect("n")
    doors.psql("DELETE FROM kintaraa_api.gateway")
    doors.psql("DELETE FROM kintaraa_api.subscription")
    doors.tell({"type": "n", "n": 1}, "forgotten")
    for socket in crowd:
        socket.expect("n", where=lambda frame: frame["n"] == 1)
    assert all([frame["type"] for frame in socket.frames] == ["hello.result", "n", "n"] for socket in crowd)
    late = wait_until(lambda: opened("forgotten"))[0]
    for socket in crowd + [late]:
        socket.close()


def test_client_is_told_when_it_may_have_missed_something():
    socket, _ = opened("gap")
    doors.psql("UPDATE kintaraa_api.keeps SET resumes = false")
    doors.psql("DELETE FROM kintaraa_api.gateway")
    doors.tell({"type": "n"}, "gap")
    assert socket.expect("hello.result", where=lambda frame: frame is not socket.frames[0])["resumed"] is False
    doors.psql("UPDATE kintaraa_api.keeps SET resumes = true")
    socket.close()


def test_everybody_hears_a_broadcast():
    async def one():
        wire = await websockets.connect(gateway.ws, ping_interval=None)
        await wire.send(json.dumps({"type": "hello", "token": token}))
        assert json.loads(await wire.recv())["type"] == "hello.result"
        return wire

    async def everybody():
        wires = []
        for _ in range(10):
            wires += await asyncio.gather(*[one() for _ in range(30)])
        doors.tell({"type": "all"})
        frames = await asyncio.gather(*[asyncio.wait_for(wire.recv(), 10) for wire in wires])
        assert {json.loads(frame)["type"] for frame in frames} == {"all"} and len(frames) == 300
        for wire in wires:
            wire.transport.abort()

    token = doors.token("mass")
    before = metric(gateway, "sockets_open")
    asyncio.run(everybody())
    wait_until(lambda: metric(gateway, "sockets_open") <= before)


def test_shutdown_says_1001():
    socket, _ = opened()
    waiting = Socket(gateway)
    assert gateway.stop() == 0
    assert socket.wait_closed() == 1001 and waiting.wait_closed() == 1001


with Cluster() as cluster, Doors(cluster) as doors, Gateway(doors, {"KINTARAA_PING_INTERVAL": "500ms"}) as gateway:
    wait_until(lambda: gateway.api().get("/.well-known/jwks.json").status == 200)
    wait_until(lambda: "feed_up" in gateway.log())
    sys.exit(run_tests(globals()))
