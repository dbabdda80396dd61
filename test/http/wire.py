"""What the tests of the wire share: the cases, a raw connection, and the gateway under test.

A case file holds cases, divided by empty lines:

    = 400 close | RFC 9112 3.2 | what it is about, with %s
    each: a b ;; c
    GET / HTTP/1.1\\r\\n
    Host: %s\\r\\n
    \\r\\n

The first line tells what is expected, who says so, and a name.  Expected are the statuses in order
and what becomes of the connection: open, close, or any of the two.  "ok" is any status that is not
a refusal of the parser, "400/426" either of the two; "wait" means that no answer comes yet.
"each" makes one case of each item, put where %s stands.  The other lines are the bytes, joined
without their line ends; \\r \\n \\t \\0 \\\\ \\xHH are escapes and \\{N*text} is text, N times.
A line that starts with '#' outside of a case is a remark.

The gateway is the one at KINTARAA_TEST_ADDRESS (host:port), or one started here with a cluster of
its own.
"""
import contextlib
import glob
import os
import select
import socket
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
REFUSALS = {400, 408, 413, 414, 417, 431, 501, 505}
PATIENCE = float(os.environ.get("KN_DEADLINE", "20"))


class Case:
    def __init__(self, file, expect, rule, name, data):
        self.file, self.rule, self.name, self.data = file, rule, name, data
        *self.statuses, self.fate = expect.split()

    @property
    def title(self):
        return "%s: %s [%s]" % (self.file, self.name.replace("#", "(hash)"), self.rule)

    @property
    def is_malformed(self):
        return any(status != "ok" and status != "101" for status in self.statuses)


def unescape(text, position=0, is_nested=False):
    """Returns the bytes and where it stopped."""
    simple = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}
    data = bytearray()
    while position < len(text) and not (is_nested and text[position] == "}"):
        if text[position] != "\\":
            data += text[position].encode()
            position += 1
            continue
        kind = text[position + 1]
        position += 2
        if kind in simple:
            data += simple[kind]
        elif kind == "x":
            data.append(int(text[position:position + 2], 16))
            position += 2
        elif kind == "{":
            star = text.index("*", position)
            piece, end = unescape(text, star + 1, True)
            data += piece * int(text[position:star])
            position = end + 1
        else:
            raise ValueError("no such escape: \\%s in %s" % (kind, text))
    return bytes(data), position


def cases_of(path):
    """Every case of one file."""
    file = os.path.basename(path)[:-len(".case")]
    with open(path) as lines:
        blocks = lines.read().split("\n\n")
    for block in blocks:
        lines = block.strip("\n").split("\n")
        while lines and (lines[0].startswith("#") or not lines[0]):
            lines.pop(0)
        if not lines:
            continue
        if not lines[0].startswith("= "):
            raise ValueError("%s: %s" % (path, lines[0]))
        expect, rule, name = (part.strip() for part in lines.pop(0)[2:].split(" | "))
        items = [""]
        if lines[0].startswith("each: "):
            items = [item.strip(" ") for item in lines.pop(0)[len("each: "):].split(" ;; ")]
        for item in items:
            data, _ = unescape("".join(lines).replace("%s", item))
            yield Case(file, expect, rule, name.replace("%s", item), data)


def all_cases():
    return [case for path in sorted(glob.glob(os.path.join(HERE, "cases", "*.case")))
            for case in cases_of(path)]


class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body


class Wire:
    """A connection that sends bytes as they are and reads answers while it sends."""

    sources = 0

    def __init__(self, address, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if address[0].startswith("127."):
            # Many sources, so that thousands of short connections do not run out of ports.
            Wire.sources += 1
            self.socket.bind(("127.0.0.%d" % (2 + Wire.sources % 250), 0))
        self.socket.connect(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.buffer = b""
        self.is_ended = False
        self.opened = time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    @property
    def age(self):
        return time.monotonic() - self.opened

    def send(self, data, deadline=PATIENCE):
        """Sends and reads meanwhile; False when the other side went away first."""
        end = time.monotonic() + deadline
        view = memoryview(data)
        while view and time.monotonic() < end:
            readable, writable, _ = select.select([] if self.is_ended else [self.socket],
                                                  [self.socket], [], end - time.monotonic())
            if readable:
                self._take()
            if writable:
                try:
                    view = view[self.socket.send(view):]
                except BlockingIOError:
                    continue
                except OSError:
                    return False
        return not view

    def _take(self):
        try:
            data = self.socket.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.buffer += data
        self.is_ended = self.is_ended or not data

    def fill(self, deadline):
        """Waits for more bytes or the end; False when neither came in time."""
        if self.is_ended:
            return False
        readable, _, _ = select.select([self.socket], [], [], max(deadline, 0))
        if readable:
            self._take()
        return bool(readable)

    def response(self, deadline=PATIENCE, is_head=False):
        """The next answer, or None at the end of the connection.  100 is passed over."""
        end = time.monotonic() + deadline
        while True:
            found = self._parse(is_head)
            if found and found.status == 100:
                continue
            if found:
                return found
            if self.is_ended:
                if self.buffer:
                    raise AssertionError("half an answer: %r" % self.buffer[:200])
                return None
            if not self.fill(end - time.monotonic()) and time.monotonic() >= end:
                raise AssertionError("no answer within %.1f s" % deadline)

    def _parse(self, is_head):
        head, mark, rest = self.buffer.partition(b"\r\n\r\n")
        if not mark:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        if not first.startswith("HTTP/1.1 "):
            raise AssertionError("no status line: %r" % first)
        status = int(first.split(" ")[1])
        headers = {name.lower(): value.strip()
                   for name, value in (line.split(":", 1) for line in lines)}
        length = int(headers.get("content-length", "0"))
        if is_head or status == 101 or status == 204 or status == 100:
            length = 0
        if len(rest) < length:
            return None
        self.buffer = rest[length:]
        return Response(status, headers, rest[:length])

    def is_closed(self, deadline=PATIENCE):
        """Waits for the end; an answer on the way is an error."""
        end = time.monotonic() + deadline
        while not self.is_ended and time.monotonic() < end:
            self.fill(end - time.monotonic())
        return self.is_ended and not self.buffer


def status_is(status, wanted):
    return any(status == int(choice) if choice != "ok" else status not in REFUSALS
               for choice in wanted.split("/"))


def address_given():
    given = os.environ.get("KINTARAA_TEST_ADDRESS")
    if not given:
        return None
    host, port = given.rsplit(":", 1)
    return host, int(port)


@contextlib.contextmanager
def gateway(**settings):
    """The address of the gateway and its process id (None when it is not ours)."""
    given = address_given()
    if given:
        pid = os.environ.get("KINTARAA_TEST_PID")
        yield given, int(pid) if pid else None
        return
    sys.path.insert(0, os.path.dirname(HERE))
    from harness import Cluster, Gateway
    with Cluster() as cluster, Gateway(cluster, settings) as started:
        yield (started.host, started.port), started.pid


class Tap:
    def __init__(self):
        self.count, self.failures = 0, 0

    def ok(self, is_fine, name, remark=None):
        self.count += 1
        print("%sok %d - %s" % ("" if is_fine else "not ", self.count, name))
        if not is_fine:
            self.failures += 1
            if remark:
                print("# %s" % str(remark).replace("\n", " "))
        sys.stdout.flush()
        return is_fine

    def done(self):
        print("1..%d" % self.count)
        return 1 if self.failures else 0
