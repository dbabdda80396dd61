"""What a browser is told: preflight, origins, and that answers name who may read them."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from doors import Doors
from harness import Cluster, Gateway, Socket, run_tests, wait_until

OURS = ("https://dispatch.example", "http://localhost:3000")


def preflight(origin, path="/api/incidents", method="POST"):
    return api.request("OPTIONS", path, headers={"Origin": origin, "Access-Control-Request-Method": method,
                                                 "Access-Control-Request-Headers": "authorization,content-type"})


def test_preflight_of_a_listed_origin_is_allowed():
    for origin in OURS:
        answer = preflight(origin)
        assert answer.status == 204 and answer.headers["Access-Control-Allow-Origin"] == origin, answer.headers
        assert "POST" in answer.headers["Access-Control-Allow-Methods"].split(", ")
        allowed = answer.headers["Access-Control-Allow-Headers"].lower().split(", ")
        assert {"authorization", "content-type", "idempotency-key", "if-match", "x-request-id"} <= set(allowed)
        assert answer.headers["Vary"] == "Origin" and int(answer.headers["Access-Control-Max-Age"]) > 0
        assert "Access-Control-Allow-Credentials" not in answer.headers


def test_preflight_of_another_origin_is_told_nothing():
    for origin in ("https://evil.example", "https://dispatch.example.evil.example", "https://dispatch.exampl", "null",
                   "https://dispatch.example, http://localhost:3000", "x" * 300):
        answer = preflight(origin)
        told = [name for name in answer.headers if name.startswith("Access-Control")]
        assert answer.status == 204 and not told, told


def test_methods_are_those_of_the_path():
    answer = preflight(OURS[0], "/api/incidents/x")
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, HEAD, PATCH, DELETE, OPTIONS"
    assert preflight(OURS[0], "/api/nowhere").status == 404


def test_options_without_an_origin_tells_the_methods():
    answer = api.request("OPTIONS", "/api/me/password")
    assert answer.status == 204 and answer.headers["Allow"] == "POST, OPTIONS", answer.headers
    assert api.request("OPTIONS", "*").status == 204


def test_answers_and_errors_can_be_read_by_a_listed_origin():
    for path, status in (("/healthz", 200), ("/api/me", 401), ("/api/nowhere", 404)):
        answer = api.request("GET", path, headers={"Origin": OURS[0]})
        assert answer.status == status and answer.headers["Access-Control-Allow-Origin"] == OURS[0], answer.headers
        assert "X-Request-Id" in answer.headers["Access-Control-Expose-Headers"]
        answer = api.request("GET", path, headers={"Origin": "https://evil.example"})
        assert answer.status == status and "Access-Control-Allow-Origin" not in answer.headers, answer.headers


def test_sockets_open_for_listed_origins_only():
    socket = Socket(gateway, doors.token(), headers={"Origin": OURS[0]})
    socket.expect("hello.result")
    socket.close()
    try:
        Socket(gateway, headers={"Origin": "https://evil.example"})
    except Exception as refused:
        assert "403" in str(refused), refused
    else:
        raise AssertionError("a foreign origin opened a socket")


def test_star_allows_any_origin():
    with Gateway(doors, {"KINTARAA_ORIGINS": "*"}) as other:
        answer = other.api().request("GET", "/healthz", headers={"Origin": "https://any.example"})
        assert answer.headers["Access-Control-Allow-Origin"] == "https://any.example"


with Cluster() as cluster, Doors(cluster) as doors, Gateway(doors, {"KINTARAA_ORIGINS": ",".join(OURS)}) as gateway:
    api = gateway.api()
    wait_until(lambda: "feed_up" in gateway.log() and api.get("/.well-known/jwks.json").status == 200)
    sys.exit(run_tests(globals()))
