"""What a head says of its caller: names of phones refuse nothing, strangers are never local, secrets reach no log."""
import json
import os
import socket
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Cluster, Gateway, run_tests, wait_until

PASSWORD = "a long enough sentence"
NAMES = {  # as sent in X-Device-Id: as it is kept
    b"phone 1": "phone 1",
    "Fatuma\u2019s iPhone".encode(): "Fatuma\u2019s iPhone",
    "caf\u00e9 \u2615 \U0001f4f1".encode(): "caf\u00e9 \u2615 \U0001f4f1",
    "caf\u00e9".encode("latin-1"): "caf\u00e9",
    b"Fatuma\x92s": "Fatuma\ufffds",
    b"a\tb": "a\ufffdb",
    b"x" * 64: "x" * 64,
    b"x" * 65: "x" * 65,
    b"x" * 128: "x" * 128,
    b"x" * 129: "x" * 128,
    ("\u2615" * 128).encode(): "\u2615" * 128,
    ("\u2615" * 129).encode(): "\u2615" * 128,
    b"": None,
}


def raw(gateway, method, path, headers, body=b""):
    """Header values are bytes; returns the status, and the body when it is JSON."""
    with socket.create_connection((gateway.host, gateway.port), timeout=20) as wire:
        head = b"%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n" % (
            method.encode(), path.encode(), len(body))
        head += b"".join(b"%s: %s\r\n" % (name.encode(), value) for name, value in headers)
        wire.sendall(head + b"\r\n" + body)
        answer = b""
        while piece := wire.recv(65536):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body) if body.startswith(b"{") else None


def signed(*headers):
    return [("Authorization", b"Bearer " + token.encode()), *headers]


def test_device_of_any_name_may_push_and_send_batches():
    for name in NAMES:
        identity = str(uuid.uuid4())
        body = json.dumps({"journal_entries": {"created": [{"id": identity, "content": "words"}], "updated": [],
                                               "deleted": []}}).encode()
        status, answer = raw(gateway, "POST", "/api/sync/push", signed(("X-Device-Id", name)), body)
        assert (status, answer.get("experimentalRejectedIds")) == (200, None), (name, status, answer)
        body = json.dumps({"records": [{"table": "journal_entries", "id": str(uuid.uuid4()), "data": {"content": "x"}}],
                           "seq": 1}).encode()
        status, answer = raw(gateway, "POST", "/api/sync/batch", signed(("X-Device-Id", name)), body)
        assert status == 200 and (answer.get("superseded") or answer["results"][0]["status"] == "applied"), answer


def test_device_in_a_body_refuses_nothing_either():
    odd = ["x" * 128, "x" * 129, "\u2615" * 500, "", 7, None, {"a": 1}, "caf\u00e9"]
    for number, device in enumerate(odd):
        record = {"table": "journal_entries", "id": str(uuid.uuid4()), "data": {"content": "x"}}
        answer = api.post("/api/sync/batch", {"device": device, "records": [record]})
        assert answer.status == 200 and answer.body["results"][0]["status"] == "applied", (device, answer)
        answer = gateway.api().post("/api/auth/login", {"email": "caller@example.org", "password": PASSWORD,
                                                        "device": device})
        assert answer.status == 200, (device, answer)
        sessions = api.get("/api/me/sessions", token=answer.body["tokens"]["access"]).body["items"]
        kept = next(row["device"] for row in sessions if row["isCurrent"])
        assert kept == (device[:128] or None if isinstance(device, str) else None), (number, device, kept)


def test_name_in_the_header_is_kept_as_it_can_be_read():
    body = json.dumps({"email": "caller@example.org", "password": PASSWORD}).encode()
    for name, wanted in NAMES.items():
        status, answer = raw(gateway, "POST", "/api/auth/login", [("X-Device-Id", name)], body)
        assert status == 200, (name, answer)
        sessions = api.get("/api/me/sessions", token=answer["tokens"]["access"]).body["items"]
        kept = next(row["device"] for row in sessions if row["isCurrent"])
        assert kept == wanted, (name, kept)


def test_device_named_twice_or_an_odd_app_version_refuse_nothing():
    twice = signed(("X-Device-Id", b"one"), ("X-Device-Id", b"two"))
    for headers in (twice, signed(("X-App-Version", b"caf\xe9")), signed(("X-App-Version", b"1" * 500))):
        status, answer = raw(gateway, "POST", "/api/incidents", headers, b'{"type":"physical"}')
        assert status == 201, (headers, answer)


def test_keys_that_must_not_become_one_are_still_refused():
    for name in ("Idempotency-Key", "If-Match"):
        for value in (b"x" * 129, b"caf\xe9", b""):
            status, answer = raw(gateway, "POST", "/api/incidents", signed((name, value)), b"{}")
            assert status == 400 and answer["code"] == "GW406", (name, value, answer)


def test_token_with_a_foreign_byte_is_refused_and_told_to_nobody():
    before = len(cluster.log())
    for byte in (b"\xe2", b"\xff", b"\x80", b"\t", b"%", b" ", b"/", b"+", b"=", b"\\", b"'"):
        for value in (byte + b"SECRET.x.y", token.encode() + byte + b"SECRET", b"SEC" + byte + b"RET"):
            for method, path, status in (("GET", "/api/me", 401), ("POST", "/api/incidents", 401),
                                         ("POST", "/api/auth/logout", 204)):
                got, answer = raw(gateway, method, path, [("Authorization", b"Bearer " + value)], b"{}")
                assert got == status, (value, path, got, answer)
    for log in (cluster.log()[before:], gateway.log()):
        assert "SECRET" not in log and "SEC" not in log and "invalid byte" not in log, log[-1000:]


def test_other_headers_with_foreign_bytes_reach_no_log():
    before = len(cluster.log())
    for name in ("X-Request-Id", "X-Device-Id", "X-App-Version", "Accept-Language", "User-Agent", "Origin", "Cookie"):
        for value in (b"\xe2SECRET", b"SECRET\xc3", b"SECRET\xed\xa0\x80"):
            status, answer = raw(gateway, "POST", "/api/incidents", signed((name, value)), b'{"type":"physical"}')
            assert status == 201, (name, value, answer)
    for log in (cluster.log()[before:], gateway.log()):
        assert "SECRET" not in log and "invalid byte" not in log, log[-1000:]


MARKS = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via", "X-Forwarded-Host", "X-Forwarded-Proto", "True-Client-IP")


def test_forwarded_request_is_never_local():
    for path in ("/metrics", "/readyz"):
        assert raw(gateway, "GET", path, [])[0] == 200
        for name in MARKS:
            for value in (b"203.0.113.7", b"127.0.0.1", b"::1", b"for=127.0.0.1", b"", b"nonsense"):
                status, answer = raw(gateway, "GET", path, [(name, value)])
                assert status == 403 and answer["code"] == "GW409", (path, name, value, status)


def test_proxy_that_is_named_is_believed_and_not_more():
    with Gateway(cluster, {"KINTARAA_PROXIES": "127.0.0.1", "KINTARAA_METRICS_ALLOW": "198.51.100.0/24"}) as named:
        assert "proxies_unnamed" not in named.log()
        for value, wanted in ((b"203.0.113.7", 403), (b"198.51.100.7", 200), (b"198.51.100.7 ", 200),
                              (b"nonsense", 403),
                              (b"203.0.113.7:443", 403), (b"unknown", 403), (b"127.0.0.1, 203.0.113.7", 403),
                              (b"198.51.100.7, 127.0.0.1", 200), (b"", 403),
                              (b"nonsense, 127.0.0.1", 403)):
            status, _ = raw(named, "GET", "/metrics", [("X-Forwarded-For", value)])
            assert status == wanted, (value, status)
        for name in ("Forwarded", "X-Real-IP", "Via"):
            assert raw(named, "GET", "/metrics", [(name, b"127.0.0.1")])[0] == 403
        assert raw(named, "GET", "/metrics", [])[0] == 200  # from this machine, and nobody forwarded it


def test_gateway_without_named_proxies_warns_at_start():
    wait_until(lambda: "event=proxies_unnamed" in gateway.log())


with Cluster() as cluster, Gateway(cluster, {"KINTARAA_LOG_LEVEL": "info"}) as gateway:
    api = gateway.api()
    joined = api.post("/api/auth/register", {"email": "caller@example.org", "password": PASSWORD,
                                             "firstName": "A", "lastName": "B"})
    assert joined.status == 201, joined
    token = api.token = joined.body["tokens"]["access"]
    sys.exit(run_tests(globals()))
