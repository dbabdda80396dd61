"""Long and packed bodies of sync: each limit and one over, bombs, and what is no gzip."""
import gzip
import os
import socket
import sys
import time
import uuid
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from doors import metric
from harness import Cluster, Gateway, run_tests, wait_until

MIB = 1024 * 1024
WHOLE = 8 * MIB
PATHS = ("/api/sync/batch", "/api/sync/push")
EMPTY = {"/api/sync/batch": (b'{"records":[]', b"}"), "/api/sync/push": (b'{"incidents":{}', b"}")}


def body_of(path, size):
    """Good JSON of exactly that size: blanks mean nothing."""
    head, tail = EMPTY[path]
    return head + b" " * (size - len(head) - len(tail)) + tail


def send(path, body, coding=None, bearer=None):
    headers = {"Content-Encoding": coding} if coding else {}
    return api.request("POST", path, body=body, token=bearer, headers=headers)


def packed_to(path, size):
    """A gzip stream of exactly that size; the name in its head pads it."""
    packed = gzip.compress(body_of(path, 1000), mtime=0)
    return packed[:3] + bytes([packed[3] | 8]) + packed[4:10] + b"n" * (size - len(packed) - 1) + b"\0" + packed[10:]


def resident():
    """Bytes of the gateway and its workers."""
    total = 0
    with open("/proc/%d/task/%d/children" % (gateway.pid, gateway.pid)) as file:
        pids = [gateway.pid, *map(int, file.read().split())]
    for pid in pids:
        with open("/proc/%d/status" % pid) as file:
            total += sum(int(line.split()[1]) for line in file if line.startswith("VmRSS")) * 1024
    return total


def test_sync_takes_8_mib_and_not_a_byte_more():
    for path in PATHS:
        assert send(path, body_of(path, WHOLE)).status == 200, path
        assert announced(path, WHOLE + 1) == b"413", path


def announced(path, size):
    """The status when only the head of such a request has been sent; a client that goes on might not hear it."""
    with socket.create_connection((gateway.host, gateway.port), timeout=20) as wire:
        wire.sendall(("POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n"
                      % (path, token, size)).encode())
        return wire.recv(16).split()[1]


def test_other_routes_keep_their_limit():
    assert send("/api/incidents", b'{"x":"' + b"y" * (MIB - 8) + b'"}').status != 413
    assert announced("/api/incidents", MIB + 1) == b"413"


def test_chunks_are_counted_too():
    for size, status in ((WHOLE, b"200"), (WHOLE + 1, b"413")):
        body = body_of(PATHS[0], size)
        with socket.create_connection((gateway.host, gateway.port), timeout=20) as wire:
            head = ("POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nTransfer-Encoding: chunked\r\n\r\n"
                    % (PATHS[0], token)).encode()
            try:
                wire.sendall(head + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in
                                             (body[at:at + 65000] for at in range(0, size, 65000))) + b"0\r\n\r\n")
            except ConnectionError:
                pass
            assert wire.recv(16).split()[1] == status, size


def test_packed_body_may_unpack_to_8_mib_and_not_more():
    for path in PATHS:
        for coding in ("gzip", "x-gzip", "GZIP"):
            assert send(path, gzip.compress(body_of(path, WHOLE)), coding).status == 200, coding
        answer = send(path, gzip.compress(body_of(path, WHOLE + 1)), "gzip")
        assert answer.status == 413 and answer.body["code"] == "GW413", answer


def test_packed_body_may_be_1_mib_as_sent_and_not_more():
    path = PATHS[0]
    assert len(packed_to(path, MIB)) == MIB and gzip.decompress(packed_to(path, MIB)) == body_of(path, 1000)
    assert send(path, packed_to(path, MIB), "gzip").status == 200
    answer = send(path, packed_to(path, MIB + 1), "gzip")
    assert answer.status == 413 and answer.body["code"] == "GW413", answer


def test_packed_record_is_stored():
    identity = str(uuid.uuid4())
    record = b'{"table":"incidents","id":"%s","data":{"type":"physical"}}' % identity.encode()
    body = b'{"device":"packed","records":[%s]}' % record
    answer = send(PATHS[0], gzip.compress(body), "gzip")
    assert answer.status == 200 and answer.body["results"][0]["status"] == "applied", answer
    assert api.get("/api/incidents/" + identity).status == 200


def test_what_is_no_whole_gzip_is_refused():
    good = gzip.compress(body_of(PATHS[0], 5000))
    wrong = bytearray(good)
    wrong[-5] ^= 1  # of the checksum's neighbour, the length
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 255
    cases = {"truncated": good[:-1], "head alone": good[:10], "one byte": good[:1], "junk behind": good + b"x",
             "two members": good + good, "plain JSON": b'{"records":[]}', "zlib": zlib.compress(b"{}"), "nothing": b"",
             "checksum": bytes(wrong), "flipped": bytes(flipped)}
    for name, body in cases.items():
        answer = send(PATHS[0], body, "gzip")
        assert answer.status == 400 and answer.body["code"] == "GW412", (name, answer)
    assert send(PATHS[0], good, "gzip").status == 200


def test_unpacked_body_must_be_json():
    answer = send(PATHS[0], gzip.compress(b"{"), "gzip")
    assert answer.status == 400 and answer.body["code"] == "GW410", answer


def test_other_codings_are_refused_and_the_known_one_is_named():
    for coding in ("br", "deflate", "gzip, gzip", "identity", "zstd", "gzip;q=1"):
        answer = send(PATHS[0], b"{}", coding)
        assert answer.status == 415 and answer.body["code"] == "GW415", (coding, answer)
        assert answer.headers["Accept-Encoding"] == "gzip"
    for path in ("/api/incidents", "/api/auth/login"):
        answer = send(path, gzip.compress(b"{}"), "gzip")
        assert answer.status == 415 and answer.headers["Accept-Encoding"] == "identity", answer


def test_stranger_cannot_make_the_gateway_unpack():
    answer = send(PATHS[0], gzip.compress(body_of(PATHS[0], WHOLE)), "gzip", bearer=token[:-6] + "AAAAAA")
    assert answer.status == 401, answer


def test_bombs_cost_no_more_than_the_limit():
    bomb = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = b"".join(bomb.compress(b"0" * MIB) for _ in range(900)) + bomb.flush()
    assert 800 * 1024 < len(packed) <= MIB, len(packed)

    def throw():
        answer = send(PATHS[0], packed, "gzip")
        assert answer.status == 413 and answer.body["code"] == "GW413", answer
    throw()
    before = resident()
    for _ in range(30):
        throw()
    after = resident()
    print("# %d KB before, %d KB after 30 bombs of 900 MB" % (before // 1024, after // 1024))
    # A sanitizer keeps what was freed for a while.
    assert after <= before + (MIB if "ASAN_OPTIONS" not in os.environ else 400 * MIB), (before, after)


def test_half_sent_bombs_are_freed_with_their_connection():
    packed = gzip.compress(body_of(PATHS[0], WHOLE))

    def half(count):
        wires = []
        for _ in range(count):
            wire = socket.create_connection((gateway.host, gateway.port), timeout=20)
            wire.sendall(("POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Encoding: gzip\r\n"
                          "Content-Length: %d\r\n\r\n" % (PATHS[0], token, len(packed))).encode() + packed[:-1])
            wires.append(wire)
        wait_until(lambda: resident() > before + count * 4 * MIB, what="the bodies are being kept")
        for wire in wires:
            wire.close()
    before = resident()
    half(4)
    if "ASAN_OPTIONS" not in os.environ:
        wait_until(lambda: resident() < before + 4 * MIB, what="the bodies are freed")
    wait_until(lambda: metric(gateway, "connections_open") <= 2)
    # 256 MB is for all bodies together; who comes after that is asked to come again.
    wires = []
    try:
        for number in range(40):
            wire = socket.create_connection((gateway.host, gateway.port), timeout=20)
            wires.append(wire)
            wire.sendall(("POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Encoding: gzip\r\n"
                          "Content-Length: %d\r\n\r\n" % (PATHS[0], token, len(packed))).encode() + packed[:-1])
        wait_until(lambda: sum(map(is_refused, wires)) >= 8, what="the last are refused")
        assert sum(map(is_refused, wires)) <= 10
    finally:
        for wire in wires:
            wire.close()
    wait_until(lambda: send(PATHS[0], packed, "gzip").status == 200)


LINGERED = 16 * MIB  # read after a refusal, so that it is not lost


def refused_while_it_sends(size, bearer, length):
    """The answer to a body that was refused by its head, read only once all of it is sent."""
    with socket.create_connection((gateway.host, gateway.port), timeout=20) as wire:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        wire.sendall(("POST /api/incidents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: "
                      "application/json\r\nContent-Length: %d\r\n\r\n" % (bearer, length)).encode())
        for _ in range(size // 65536):
            wire.sendall(b" " * 65536)
        wire.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := wire.recv(65536):
            answer += piece
        return answer


def test_whoever_sends_all_before_it_reads_hears_why():
    for size in (2 * MIB, LINGERED):
        answer = refused_while_it_sends(size, token, size)
        assert answer.startswith(b"HTTP/1.1 413 ") and b"GW413" in answer, (size, answer[:300])
    answer = refused_while_it_sends(MIB, token[:-4] + "AAAA", MIB)  # or a phone would never ask for a new one
    assert answer.startswith(b"HTTP/1.1 401 "), answer[:300]


def test_whoever_says_no_more_is_waited_for_half_a_minute():
    api.close()  # an idle one would end meanwhile and be taken for ours
    wait_until(lambda: metric(gateway, "connections_open") == 1, what="those of the tests before have gone")
    with socket.create_connection((gateway.host, gateway.port), timeout=20) as wire:
        wire.sendall(b"POST /api/incidents HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n")
        begin = time.monotonic()
        while wire.recv(65536):
            pass
        wait_until(lambda: metric(gateway, "connections_open") == 1, 40)
    assert 29 < time.monotonic() - begin < 35


def test_whoever_goes_on_for_ever_is_cut_off():
    try:
        refused_while_it_sends(LINGERED + 8 * MIB, token, LINGERED + 8 * MIB)  # more than the kernel keeps for both
    except (BrokenPipeError, ConnectionResetError):
        return
    raise AssertionError("all of it was read")


def is_refused(wire):
    wire.setblocking(False)
    try:
        return wire.recv(16, socket.MSG_PEEK).split()[1:2] == [b"503"]
    except BlockingIOError:
        return False


with Cluster() as cluster, Gateway(cluster, {"KINTARAA_LOG_LEVEL": "warn", "KINTARAA_MAX_PER_ADDRESS": 0}) as gateway:
    api = gateway.api()
    joined = api.post("/api/auth/register", {"email": "bodies@example.org", "password": "a long enough sentence",
                                             "firstName": "A", "lastName": "B"})
    assert joined.status == 201, joined
    token = api.token = joined.body["tokens"]["access"]
    sys.exit(run_tests(globals()))
