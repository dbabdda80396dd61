"""What the gateway hands to a door, and how the door's answer comes back."""
import os
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from doors import Doors, metric
from harness import Cluster, Gateway, run_tests, wait_until


def act(answer=None, **how):
    """A POST that makes the door do what is said."""
    how.setdefault("answer", answer)
    return api.post("/api/auth/login", how)


def raw(text, until=b"\r\n\r\n"):
    """Sends bytes and returns all that comes until the connection ends or until is seen."""
    with socket.create_connection((gateway.host, gateway.port), timeout=10) as wire:
        wire.sendall(text if isinstance(text, bytes) else text.encode())
        got = b""
        while until not in got:
            piece = wire.recv(65536)
            if not piece:
                break
            got += piece
        return got


def test_door_gets_token_path_query_body_and_context():
    answer = api.request("PATCH", "/api/me?b=%C3%A9&a=1+2", {"x": [1, 2.50, None]}, headers={
        "X-Request-Id": "my-id_1.", "X-Device-Id": "phone 1", "Idempotency-Key": "k\"1", "If-Match": "\"7\"",
        "Accept-Language": "fr, sw;q=0.8, en;q=0.3"})
    assert answer.status == 200, answer
    assert answer.body["token"] == token
    assert answer.body["path"] == []
    assert answer.body["query"] == {"a": "1 2", "b": "é"}
    assert answer.body["body"] == {"x": [1, 2.5, None]}
    assert answer.body["context"] == {"requestId": "my-id_1.", "network": "127.0.0.0/24", "device": "phone 1",
                                      "idempotencyKey": "k\"1", "ifMatch": "\"7\"", "language": "sw"}
    assert answer.headers["X-Request-Id"] == "my-id_1."


def test_absent_parts_are_left_out():
    answer = api.get("/api/me")
    assert answer.body["body"] is None and answer.body["query"] == {} and answer.body["path"] == []
    assert sorted(answer.body["context"]) == ["language", "network", "requestId"], answer.body["context"]


def test_path_segment_arrives_decoded():
    for sent, got in (("abc", "abc"), ("a%2Fb", "a/b"), ("%22%5C%7B,%7D", "\"\\{,}"), ("%C3%A9%20x", "é x"),
                      ("NULL", "NULL")):
        answer = api.get("/api/incidents/" + sent)
        assert answer.body == {"id": got}, (sent, answer)


def test_path_matches_with_a_slash_at_the_end():
    assert api.get("/api/incidents/abc/").body == {"id": "abc"}


def test_outcomes_become_statuses():
    wanted = {"ok": 200, "created": 201, "accepted": 202, "none": 204, "malformed": 400, "unknown": 401, "refused": 403,
              "absent": 404, "conflict": 409, "gone": 410, "stale": 412, "slow_down": 429}
    for outcome, status in wanted.items():
        answer = act({"code": "KN301", "detail": "d"}, outcome=outcome)
        assert answer.status == status, (outcome, answer)


def test_unknown_outcome_is_a_server_error():
    assert act(outcome="perhaps").status == 500


def post_raw(body):
    return raw("POST /api/auth/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
               % (len(body.encode()), body), until=b"never")


def test_body_of_a_door_goes_out_byte_for_byte():
    got = post_raw('{"answer":{"n":1.50,"e":"\\u00e9 <&>"}}')
    assert got.endswith('{"e": "é <&>", "n": 1.50}'.encode()), got


def test_none_has_no_body():
    got = post_raw('{"outcome":"none"}')
    assert got.endswith(b"\r\n\r\n") and b"Content-Length" not in got, got


def test_refusal_becomes_a_problem_with_its_members():
    answer = act({"code": "KN409", "detail": "not in this state", "hint": "h", "pointer": "/status", "type": "evil",
                  "current": {"status": "closed", "at": 36.8219}, "archiveId": "a"}, outcome="conflict")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.body["type"].endswith("#KN409") and answer.body["title"] == "Conflict"
    assert answer.body["status"] == 409 and answer.body["instance"] == answer.headers["X-Request-Id"]
    assert answer.body["current"] == {"status": "closed", "at": 36.8219} and answer.body["archiveId"] == "a"
    assert answer.body["detail"] == "not in this state" and answer.body["pointer"] == "/status"


def test_slow_down_says_when():
    answer = act({"code": "KN601", "retryAfter": 7}, outcome="slow_down")
    assert answer.status == 429 and answer.headers["Retry-After"] == "7", answer


def test_sqlstates_become_statuses():
    wanted = {"KN001": 400, "KN101": 401, "KN201": 403, "KN301": 404, "KN401": 409, "KN512": 422, "KN601": 429,
              "22P02": 400, "22021": 400, "23505": 409, "40001": 503, "40P01": 503, "55P03": 503, "08006": 503,
              "53300": 503, "57014": 504, "XX000": 503, "XX001": 503, "58030": 503, "57000": 503, "42501": 500,
              "P0001": 500}
    for state, status in wanted.items():
        answer = act(state=state)
        assert answer.status == status, (state, answer)
        assert answer.body["code"] == state, answer
        assert ("Retry-After" in answer.headers) == (status in (503, 504, 429)), (state, answer.headers)


def test_titles_go_by_the_whole_code():
    for state, title in (("40001", "Temporarily unavailable"), ("40P01", "Temporarily unavailable"),
                         ("42501", "Server error"), ("50000", "Server error"), ("23505", "Conflict"),
                         ("57014", "Took too long"), ("22P02", "Bad request"), ("KN401", "Conflict")):
        assert act(state=state).body["title"] == title, (state, act(state=state))


def test_only_our_own_class_speaks_and_detail_never_leaves():
    ours, theirs = act(state="KN512"), act(state="22P02")
    assert ours.body["detail"] == "it went wrong" and ours.body["hint"] == "Do it right."
    assert ours.body["pointer"] == "/field"
    assert "detail" not in theirs.body and "hint" not in theirs.body and "pointer" not in theirs.body
    assert "secret" not in str(ours) + str(theirs)
    assert "secret" not in gateway.log() and "it went wrong" not in gateway.log()


def test_titles_follow_the_language():
    for accept, title in (("sw", "Taarifa si sahihi"), ("en-GB", "Invalid input"), ("de", "Invalid input"),
                          ("sw-KE;q=0.9, en;q=0.8", "Taarifa si sahihi")):
        answer = api.request("POST", "/api/auth/login", {"state": "KN512"}, headers={"Accept-Language": accept})
        assert answer.body["title"] == title, (accept, answer)


def test_every_answer_has_the_security_fields():
    for answer in (api.get("/healthz"), act({}), act(state="KN512"), api.get("/nowhere"),
                   api.get("/api/me", token="x")):
        assert answer.headers["Cache-Control"] == "no-store" and answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer" and answer.headers["X-Request-Id"]
        assert "Server" not in answer.headers and "Strict-Transport-Security" not in answer.headers


def test_strange_request_id_is_replaced():
    for strange in ("a b", "x" * 65, "é", "a;b", "<a>"):
        answer = api.request("GET", "/healthz", headers={"X-Request-Id": strange.encode()})
        assert answer.headers["X-Request-Id"] != strange and len(answer.headers["X-Request-Id"]) == 16, answer
    assert api.request("GET", "/healthz", headers={"X-Request-Id": "x" * 64}).headers["X-Request-Id"] == "x" * 64


def test_head_is_get_without_the_body():
    got = raw("HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", until=b"never")
    assert b"Content-Length: 15\r\n" in got and got.endswith(b"\r\n\r\n"), got


def test_unknown_path_and_method():
    assert api.get("/api/nothing").status == 404
    answer = api.request("PUT", "/api/incidents")
    assert answer.status == 405 and answer.headers["Allow"] == "GET, HEAD, POST, OPTIONS", answer
    answer = api.request("PROPFIND", "/api/incidents/x")
    assert answer.status == 405 and answer.headers["Allow"] == "GET, HEAD, PATCH, DELETE, OPTIONS", answer


def test_token_is_asked_for_before_the_database():
    answer = api.get("/api/me", token="")
    assert answer.status == 401 and answer.headers["WWW-Authenticate"].startswith("Bearer"), answer
    assert answer.body["code"] == "GW401"
    answer = api.request("GET", "/api/me", token="", headers={"Authorization": "Basic eDp5"})
    assert answer.status == 401


def test_body_that_is_no_json_never_reaches_a_door():
    for body in (b"{", b"{\"a\":1}\0", b"nothing", b"\xff", b"{\"a\":\"\\u0000\"}", b"{\"a\":1,\"a\":2}",
                 b"[" * 33 + b"]" * 33):
        answer = api.request("POST", "/api/auth/login", body=body)
        assert answer.status == 400 and answer.body["code"] == "GW410", (body, answer)
    assert api.request("POST", "/api/auth/login", body=b"[" * 32 + b"]" * 32).status != 400


def test_content_type_does_not_matter():
    answer = api.request("POST", "/api/auth/login", body=b'{"answer":{"a":1}}', headers={"Content-Type": "text/plain"})
    assert answer.status == 200 and answer.body == {"a": 1}, answer


def test_repeated_query_name_is_refused():
    answer = api.get("/api/me?a=1&a=2")
    assert answer.status == 400 and answer.body["code"] == "GW402", answer


def test_pipelined_requests_are_answered_in_order():
    one = "GET /api/incidents/%d HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + "\r\n\r\n"
    last = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    got = raw("".join(one % i for i in range(20)) + last, until=b"never")
    places = [got.index(b'{"id" : "%d"}' % i) for i in range(20)]
    assert places == sorted(places) and got.count(b"HTTP/1.1 200 OK") == 21, got


def test_continue_is_said_before_the_body():
    with socket.create_connection((gateway.host, gateway.port), timeout=10) as wire:
        wire.sendall(b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\n"
                     b"Content-Length: 15\r\n\r\n")
        assert wire.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        wire.sendall(b'{"answer":true}')
        assert wire.recv(4096).endswith(b"true")


def test_refused_request_is_not_continued():
    got = raw("POST /api/me HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n", until=b"never")
    assert got.startswith(b"HTTP/1.1 405 ") and b"100 Continue" not in got, got


def test_write_of_a_client_who_left_is_done():
    wire = socket.create_connection((gateway.host, gateway.port))
    body = b'{"mark":"left","seconds":0.5}'
    wire.sendall(b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    wait_until(lambda: doors.is_waiting_for("auth_login"))
    wire.close()
    wait_until(lambda: doors.value("SELECT count(*) FROM kintaraa_api.note WHERE mark = 'left'") == 1)
    assert api.get("/healthz").status == 200


def test_request_that_waits_is_dropped_when_its_client_leaves():
    body = b'{"mark":"queued","seconds":0.4}'
    head = b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    first, second = (socket.create_connection((gateway.host, gateway.port), timeout=10) for _ in range(2))
    first.sendall(head + body)
    wait_until(lambda: doors.is_waiting_for("auth_login"))
    second.sendall(head + body)
    wait_until(lambda: metric(gateway, "lane_waiting", 'lane="hash"') == 1)
    second.close()
    wait_until(lambda: metric(gateway, "lane_waiting", 'lane="hash"') == 0)
    assert b" 200 OK" in first.recv(4096)
    assert doors.value("SELECT count(*) FROM kintaraa_api.note WHERE mark = 'queued'") == 1


def test_own_pages():
    assert api.get("/healthz").body == {"status": "ok"}
    assert api.get("/readyz").body["status"] == "ok"
    assert api.get("/api/openapi.json").body["openapi"].startswith("3.1")
    assert api.get("/.well-known/jwks.json").body["keys"][0]["kid"] == doors.signer.kid
    text = api.get("/metrics").body.decode()
    assert 'kintaraa_gateway_requests_total{route="POST /api/auth/login",status="2xx"}' in text
    assert "kintaraa_gateway_connections_open " in text and 'lane_idle{lane="sos"} 4' in text


def test_network_of_who_calls_through_a_proxy():
    answer = api.request("GET", "/api/me", headers={"X-Forwarded-For": "10.9.8.7, 203.0.113.99, 127.0.0.5"})
    assert answer.body["context"]["network"] == "203.0.113.0/24", answer
    answer = api.request("GET", "/api/me", headers={"X-Forwarded-For": "2001:db8:1:2::3"})
    assert answer.body["context"]["network"] == "2001:db8:1::/48", answer


def test_numbers_are_not_for_strangers():
    for path in ("/metrics", "/readyz"):
        for address, status in (("203.0.113.99", 403), ("192.0.2.77", 200), ("127.0.0.1", 200)):
            answer = api.request("GET", path, headers={"X-Forwarded-For": address})
            assert answer.status == status, (path, address, answer)


def test_log_holds_no_query_body_token_or_path():
    api.get("/api/incidents/secretpath?a=secretquery")
    api.post("/api/auth/login", {"answer": "secretbody"})
    wait_until(lambda: 'route="GET /api/incidents/{id}"' in gateway.log())
    log = gateway.log()
    for secret in ("secretpath", "secretquery", "secretbody", token[:40], token[-40:]):
        assert secret not in log, secret


with Cluster() as cluster, Doors(cluster) as doors, \
        Gateway(doors, {"KINTARAA_PROXIES": "127.0.0.0/8", "KINTARAA_METRICS_ALLOW": "192.0.2.0/24"}) as gateway:
    token = doors.token()
    api = gateway.api(token=token)
    wait_until(lambda: api.get("/.well-known/jwks.json").status == 200)
    sys.exit(run_tests(globals()))
