"""What a survivor writes is never refused for its form: broken characters, numbers and marks are mended."""
import json
import os
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Cluster, Gateway, run_tests

BROKEN = {  # what stands in the place of a text: what is stored in its place
    b'"cut \\ud83d"': "cut \ufffd",
    b'"\\ude00 cut"': "\ufffd cut",
    b'"nul \\u0000 inside"': "nul \ufffd inside",
    b'"raw nul \x00 inside"': "raw nul \ufffd inside",
    b'"Fatuma\x92s words"': "Fatuma\ufffds words",
    b'"two\nlines"': "two\nlines",
    b'"C:\\x"': "C:\\x",
}
ODD = [b"1e308", b"-1e308", b"1e131071", b"1e-400", b"9223372036854775808", b"0712345678",
       b"[" * 60 + b"]" * 60, b"1" * 5000, b"+1.5", b".5", b"+", b"-.e+"]
MARK = b"\xef\xbb\xbf"


def send(method, path, body):
    return api.request(method, path, body=body)


def report(identity, text=b'"words"', odd=None):
    more = b',"somethingElse":' + odd if odd is not None else b""
    return b'{"id":"%s","type":"sexual","urgencyLevel":"urgent","description":%s%s}' % (identity.encode(), text, more)


def description(identity):
    answer = api.get("/api/incidents/" + identity)
    assert answer.status == 200, answer
    return answer.body["description"]


def test_report_with_broken_characters_is_stored_and_they_are_replaced():
    for text, wanted in BROKEN.items():
        identity = str(uuid.uuid4())
        answer = send("POST", "/api/incidents", report(identity, text))
        assert answer.status == 201, (text, answer)
        assert description(identity) == wanted, (text, description(identity))
        again = send("POST", "/api/incidents", report(identity, text))
        assert again.status == 200, (text, again)


def test_report_with_numbers_nobody_can_take_is_stored():
    for odd in ODD:
        identity = str(uuid.uuid4())
        answer = send("POST", "/api/incidents", report(identity, odd=odd))
        assert answer.status == 201, (odd[:20], answer)
        assert description(identity) == "words"


def test_report_of_nothing_but_broken_characters_is_stored():
    """Each of them becomes six."""
    for count in (1, 400000):
        answer = send("POST", "/api/incidents", report(str(uuid.uuid4()), b'"' + b"\x01" * count + b'"'))
        assert answer.status == 201, (count, answer)


def test_report_with_a_byte_order_mark_or_a_member_twice_is_stored():
    for body in (MARK + report(str(uuid.uuid4())), report(str(uuid.uuid4()))[:-1] + b',"type":"physical"}',
                 report(str(uuid.uuid4()))[:-1] + b"".join(b',"m%d":1' % n for n in range(300)) + b"}"):
        answer = send("POST", "/api/incidents", body)
        assert answer.status == 201, answer


def test_change_of_a_report_is_mended_too():
    identity = str(uuid.uuid4())
    assert send("POST", "/api/incidents", report(identity)).status == 201
    answer = send("PATCH", "/api/incidents/" + identity, b'{"description":"now \\ud83d"}')
    assert answer.status == 200 and description(identity) == "now \ufffd", answer


def test_record_of_hers_is_mended_too():
    for text, wanted in BROKEN.items():
        path = "/api/me/records/journal_entry/" + uuid.uuid4().hex
        answer = send("PUT", path, b'{"content":%s,"odd":1e999}' % text)
        assert answer.status == 201, (text, answer)
        assert api.get(path).body["content"] == wanted


def test_batch_with_one_broken_record_stores_all_500():
    for number, (text, _) in enumerate(list(BROKEN.items()) + [(b'"words"', None)]):
        ids = [str(uuid.uuid4()) for _ in range(500 if number == 0 else 20)]
        rows = [b'{"table":"journal_entries","id":"%s","data":{"content":%s%s}}'
                % (identity.encode(), text if at == 7 else b'"fine"', b',"odd":1e400' if at == 9 else b"")
                for at, identity in enumerate(ids)]
        answer = send("POST", "/api/sync/batch", MARK + b'{"device":"one","records":[%s]}' % b",".join(rows))
        assert answer.status == 200, (text, answer)
        assert [row["status"] for row in answer.body["results"]] == ["applied"] * len(ids), answer.body["results"][:12]


def test_push_with_one_broken_row_stores_all():
    for text, wanted in BROKEN.items():
        ids = [str(uuid.uuid4()) for _ in range(5)]
        rows = [b'{"id":"%s","type":"physical","description":%s}' % (identity.encode(), text if at == 2 else b'"fine"')
                for at, identity in enumerate(ids)]
        since = api.get("/api/sync/pull").body["timestamp"]
        body = b'{"incidents":{"created":[%s],"updated":[],"deleted":[]}}' % b",".join(rows)
        answer = api.request("POST", "/api/sync/push?last_pulled_at=%d" % since, body=body,
                             headers={"X-Device-Id": "phone-1"})
        assert answer.status == 200 and not answer.body.get("experimentalRejectedIds"), (text, answer)
        assert [description(identity) for identity in ids] == ["fine", "fine", wanted, "fine", "fine"]


def test_what_is_no_json_at_all_is_refused_and_told():
    for body in (b"{", b'{"description":"unclosed', b"\xff\xfe{\x00}\x00", b"hello"):
        answer = send("POST", "/api/incidents", body)
        assert answer.status == 400 and answer.body["code"] == "GW410" and answer.body["hint"], (body, answer)


def test_strict_routes_refuse_and_say_why():
    cases = {b'{"firstName":"cut \\ud83d"}': "surrogate", b'{"firstName":"\\u0000"}': "NUL",
             b'{"firstName":1e308}': "range", b'{"firstName":"\xff"}': "UTF-8",
             MARK + b'{"firstName":"A"}': "byte order mark",
             b'{"firstName":"A","firstName":"B"}': "repeated", b'{"firstName":%s}' % (b"1" * 65): "too long"}
    for body, word in cases.items():
        answer = send("PATCH", "/api/me", body)
        assert answer.status == 400 and answer.body["code"] == "GW410" and word in answer.body["hint"], (body, answer)
    assert api.get("/api/me").body["user"]["firstName"] == "Her"
    assert "\\ufffd" not in json.dumps(api.get("/api/me").body)


with Cluster() as cluster, Gateway(cluster, {"KINTARAA_LOG_LEVEL": "warn"}) as gateway:
    api = gateway.api()
    joined = api.post("/api/auth/register", {"email": "form@example.org", "password": "a long enough sentence",
                                             "firstName": "Her", "lastName": "B"})
    assert joined.status == 201, joined
    api.token = joined.body["tokens"]["access"]
    sys.exit(run_tests(globals()))
