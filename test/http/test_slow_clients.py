#!/usr/bin/python3
"""A slow client is closed at its deadline, however it spends its time, and disturbs nobody.

Against a gateway of our own the deadlines are short; for one that runs elsewhere give them in
seconds as KINTARAA_TEST_HEAD, _BODY, _IDLE and _WRITE.
"""
import os
import select
import sys
import time

from wire import Tap, Wire, address_given, gateway

OURS = {"HEAD": 1.0, "BODY": 1.5, "IDLE": 1.2, "WRITE": 1.0}
THEIRS = {"HEAD": 10.0, "BODY": 30.0, "IDLE": 60.0, "WRITE": 30.0}
DEADLINE = {name: float(os.environ.get("KINTARAA_TEST_%s" % name, value))
            for name, value in (THEIRS if address_given() else OURS).items()}
LATE = 1.5
GET = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
LARGE = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED = b"POST /api/auth/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
BODY = b"POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"

tap = Tap()


def drip(wire, piece, until):
    """Sends one piece every tenth of a second until the other side speaks or ends."""
    position = 0
    while time.monotonic() < until:
        wire.send(piece[position % len(piece):position % len(piece) + 1])
        position += 1
        if wire.fill(0.1):
            return True
    return False


def in_time(seconds, deadline):
    return deadline - 0.2 <= seconds <= deadline + LATE


def end_of(wire, since, deadline, name, statuses):
    """The connection ends within its deadline, with one of the statuses or, for None, without."""
    until = since + deadline + LATE + 1
    try:
        answer = wire.response(max(until - time.monotonic(), 0.1))
    except AssertionError as error:
        tap.ok(False, name, error)
        return
    seconds = time.monotonic() - since
    status = answer.status if answer else None
    is_closed = wire.is_closed(LATE + 2)
    tap.ok(status in statuses and is_closed and in_time(seconds, deadline), name,
           "status %s, %s after %.2f s of %.2f" % (status, "closed" if is_closed else "open",
                                                    seconds, deadline))


def slow_head(address, data, piece, name):
    with Wire(address) as wire:
        wire.send(data)
        if piece:
            drip(wire, piece, wire.opened + DEADLINE["HEAD"] + LATE)
        end_of(wire, wire.opened, DEADLINE["HEAD"], name, {408, None} if not data else {408})


def slow_body(address, data, piece, name):
    with Wire(address) as wire:
        wire.send(data)
        since = time.monotonic()
        if piece:
            drip(wire, piece, since + DEADLINE["BODY"] + LATE)
        end_of(wire, since, DEADLINE["BODY"], name, {408})


def idle(address):
    with Wire(address) as wire:
        wire.send(GET)
        wire.response()
        end_of(wire, time.monotonic(), DEADLINE["IDLE"],
               "a connection that is quiet after an answer is closed without a word", {None})


def second_head(address):
    with Wire(address) as wire:
        wire.send(GET)
        wire.response()
        since = time.monotonic()
        wire.send(b"G")
        drip(wire, b"X", since + DEADLINE["HEAD"] + LATE)
        end_of(wire, since, DEADLINE["HEAD"],
               "the head of a second request has the same deadline as the first", {408})


def slow_reader(address):
    """Asks for much and reads nothing; what it asked for does not fit any buffer."""
    count = 4000
    with Wire(address, receive_buffer=4096) as wire:
        wire.socket.setblocking(False)
        since = time.monotonic()
        sent = 0
        poll = select.poll()
        poll.register(wire.socket, select.POLLOUT)
        is_reset = False
        while time.monotonic() < since + DEADLINE["WRITE"] + 2 * LATE and not is_reset:
            events = dict(poll.poll(100)).get(wire.socket.fileno(), 0)
            is_reset = bool(events & (select.POLLERR | select.POLLHUP))
            if events & select.POLLOUT and not is_reset and sent < count:
                try:
                    sent += wire.socket.send(LARGE * 16) // len(LARGE)
                except BlockingIOError:
                    continue
                except OSError:
                    is_reset = True
        seconds = time.monotonic() - since
        answers = 0
        while not wire.is_ended and wire.fill(LATE):
            answers += wire.buffer.count(b"HTTP/1.1 200 OK\r\n")
            wire.buffer = wire.buffer[-16:] if not wire.is_ended else b""
        tap.ok(wire.is_ended and answers < sent, "a client that does not read is closed",
               "after %.1f s: %d of %d requests answered" % (seconds, answers, sent))


def steady_reader(address):
    """Always behind, and never still, for longer than the deadline."""
    mark = b"HTTP/1.1 200 OK\r\n"
    with Wire(address, receive_buffer=1 << 16) as wire:
        until = time.monotonic() + 3 * DEADLINE["WRITE"]
        sent, answers, tail = 0, 0, b""
        while time.monotonic() < until or answers < sent:
            if time.monotonic() < until and sent < answers + 1000:
                wire.socket.send(LARGE)
                sent += 1
                continue
            if not select.select([wire.socket], [], [], LATE)[0]:
                break
            piece = wire.socket.recv(1 << 14)
            if not piece:
                break
            answers += (tail + piece).count(mark)
            tail = (tail + piece)[1 - len(mark):]
            select.select([], [], [], 0.005)
        tap.ok(answers == sent and time.monotonic() >= until,
               "a client that reads slowly but steadily gets all its answers",
               "%d of %d answers" % (answers, sent))


def crowd(address):
    """Many slow clients at once: a request among them is answered promptly, and all are closed."""
    wires = [Wire(address) for _ in range(300)]
    for wire in wires:
        wire.send(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Slow: ")
    with Wire(address) as wire:
        since = time.monotonic()
        wire.send(GET)
        status = wire.response().status
        tap.ok(status == 200 and time.monotonic() - since < 1,
               "300 slow clients do not hold up a request")
    last = max(wire.opened for wire in wires)
    until = last + DEADLINE["HEAD"] + LATE
    for wire in wires:
        while not wire.is_ended and time.monotonic() < until:
            wire.fill(until - time.monotonic())
    tap.ok(all(wire.is_ended for wire in wires), "all 300 are closed by their deadline")
    for wire in wires:
        wire.socket.close()


def main():
    settings = {"KINTARAA_%s_TIMEOUT" % name: "%dms" % (seconds * 1000)
                for name, seconds in DEADLINE.items()}
    with gateway(**settings) as (address, _):
        slow_head(address, b"", b"", "a client that says nothing is closed")
        slow_head(address, b"G", b"", "a client that stops after one byte is closed")
        slow_head(address, b"GET /healthz HTTP/1.1\r\nHost: a\r\n", b"",
                  "a client that never ends its head is closed")
        slow_head(address, b"G", b"E", "one byte now and then in the method gains no time")
        slow_head(address, b"GET /healthz HTTP/1.1\r\nHost: a\r\n", b"X-A: b\r\n",
                  "one byte now and then in the fields gains no time")
        second_head(address)
        slow_body(address, BODY, b"", "a body that never comes is given up")
        slow_body(address, BODY, b"x", "one byte now and then in the body gains no time")
        slow_body(address, CHUNKED, b"1\r\nx\r\n", "small chunks now and then gain no time")
        slow_body(address, CHUNKED + b"1;a=", b"x", "a chunk extension gains no time")
        slow_body(address, CHUNKED + b"0\r\n", b"X-A: b\r\n", "trailers gain no time")
        idle(address)
        slow_reader(address)
        steady_reader(address)
        crowd(address)
    return tap.done()


sys.exit(main())
