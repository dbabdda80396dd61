"""The first look at tokens: what is surely wrong never reaches the database, what is good does."""
import hashlib
import hmac
import json
import os
import socket
import sys
import threading

import jwt

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from doors import Doors, Signer, base64url, metric
from harness import Cluster, Gateway, run_tests, wait_until


def status(token):
    return api.get("/api/me", token=token).status


def is_refused(token):
    before = metric(gateway, "tokens_refused_total")
    answer = api.get("/api/me", token=token)
    assert answer.status == 401, (token, answer)
    assert answer.body["code"] == "GW407" and "WWW-Authenticate" in answer.headers, answer
    return metric(gateway, "tokens_refused_total") == before + 1


def test_good_token_is_verified_once_and_then_known():
    token = doors.token()
    verified, cached = metric(gateway, "tokens_verified_total"), metric(gateway, "tokens_cached_total")
    for _ in range(3):
        assert status(token) == 200
    assert metric(gateway, "tokens_verified_total") == verified + 1
    assert metric(gateway, "tokens_cached_total") == cached + 2


def test_token_of_another_library_is_good():
    claims = {"iss": "kintaraa", "aud": "kintaraa", "sub": "s", "sid": "i", "role": "survivor", "iat": 1,
              "exp": 4102444800}
    token = jwt.encode(claims, doors.signer.key, algorithm="ES256", headers={"kid": doors.signer.kid})
    verified = metric(gateway, "tokens_verified_total")
    assert status(token) == 200 and metric(gateway, "tokens_verified_total") == verified + 1


def test_expired_token_is_refused():
    assert is_refused(doors.token(lasts=-1))


def test_token_expires_in_the_cache_too():
    token = doors.token(lasts=2)
    assert status(token) == 200
    wait_until(lambda: status(token) == 401, 5)


def test_wrong_claims_are_refused():
    for claims in ({"iss": "other"}, {"aud": "other"}, {"aud": ["kintaraa"]}, {"iss": None}, {"aud": None},
                   {"exp": None}, {"exp": "4102444800"}, {"exp": 4102444800.5}, {"exp": True},
                   {"nbf": 4102444800}, {"nbf": "0"}):
        assert is_refused(doors.token(**claims)), claims


def test_forged_signature_is_refused():
    good = doors.token()
    head, body, signature = good.split(".")
    other = Signer(doors.signer.kid)
    for forged in (other.token(), "%s.%s." % (head, body), "%s.%s.%s" % (head, body, "A" * 86),
                   "%s.%s.%s" % (head, body, signature[:-4]), "%s.%s" % (head, body), good + ".x",
                   "%s.%s.%s" % (head, body[:-2] + "AA", signature)):
        assert is_refused(forged), forged


def test_other_algorithms_are_refused():
    head, body, _ = doors.token().split(".")
    pem = json.dumps(doors.signer.jwk())
    for header in ('{"alg":"none","kid":"%s","typ":"JWT"}', '{"alg":"HS256","kid":"%s","typ":"JWT"}',
                   '{"alg":"ES256","typ":"JWT","kid":"%s"}', '{"alg":"ES256","kid":"%s","typ":"JWT","x":1}',
                   ' {"alg":"ES256","kid":"%s","typ":"JWT"}'):
        text = "%s.%s" % (base64url((header % doors.signer.kid).encode()), body)
        mac = base64url(hmac.new(pem.encode(), text.encode(), hashlib.sha256).digest())
        for signature in ("", mac, doors.signer.sign(text)):
            wait_until(lambda: status("%s.%s" % (text, signature)) == 401)


def test_text_that_is_no_token_is_refused():
    for text in ("x", ".", "..", "a.b.c", "=", "ey.ey.ey", "x" * 2048):
        wait_until(lambda: status(text) == 401, what=text)


def test_token_may_be_2048_long_and_not_longer():
    def sized(size):
        pad = size - len(doors.token(x=""))
        token = doors.token(x="y" * (pad * 3 // 4 - 4))
        while len(token) < size:
            pad += 1
            token = doors.token(x="y" * (pad * 3 // 4 - 4))
        return token
    good = sized(2048)
    assert len(good) <= 2050
    if len(good) == 2048:
        assert status(good) == 200
    before = metric(gateway, "tokens_unchecked_total")
    assert status("x" * 2049) == 401
    assert metric(gateway, "tokens_unchecked_total") == before


def test_new_key_is_learnt_when_a_token_names_it():
    fresh = Signer()
    wait_until(lambda: status(fresh.token()) == 401)
    doors.keys(doors.signer, fresh)
    token = fresh.token()
    wait_until(lambda: status(token) == 200)
    wait_until(lambda: (status(token), metric(gateway, "tokens_cached_total"))[0] == 200)
    verified = metric(gateway, "tokens_verified_total")
    wait_until(lambda: status(fresh.token()) == 200 and metric(gateway, "tokens_verified_total") > verified)
    doors.keys(doors.signer)


def test_keys_are_asked_for_once_a_second_at_most():
    for _ in range(300):
        api.get("/api/me", token=Signer().token())
    asked = [line for line in gateway.log().splitlines() if "keys_unknown" in line]
    assert not asked, asked
    assert metric(gateway, "tokens_refused_total") > 100


def test_flood_of_forged_tokens_is_left_to_the_database_after_200_a_second():
    head = base64url(doors.signer.header().encode())
    body = base64url(json.dumps({"iss": "kintaraa", "aud": "kintaraa", "exp": 4102444800}).encode())
    before = {name: metric(gateway, name) for name in ("tokens_refused_total", "tokens_unchecked_total")}
    request = "GET /api/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s.%s.%s\r\n\r\n"
    flood = "".join(request % (head, body, base64url(hashlib.sha512(b"%d" % i).digest())) for i in range(1200))
    with socket.create_connection((gateway.host, gateway.port), timeout=20) as wire:
        thread = threading.Thread(target=wire.sendall, args=(flood.encode(),))
        thread.start()
        answers = b""
        while answers.count(b"HTTP/1.1 ") < 1200:
            answers += wire.recv(65536)
        thread.join()
    refused = metric(gateway, "tokens_refused_total") - before["tokens_refused_total"]
    unchecked = metric(gateway, "tokens_unchecked_total") - before["tokens_unchecked_total"]
    assert refused + unchecked == 1200 and unchecked > 0 and refused >= 100, (refused, unchecked)


with Cluster() as cluster, Doors(cluster) as doors, Gateway(doors) as gateway:
    api = gateway.api()
    wait_until(lambda: api.get("/.well-known/jwks.json").status == 200)
    sys.exit(run_tests(globals()))
