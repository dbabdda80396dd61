"""Marked plaintexts of a survivor are in no file of the server: heap, TOAST, index, WAL, dump, logs of server
and gateway.  The same scan finds a mark that was written unsealed, so it can find one."""
import base64
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Cluster, Gateway, Socket, run_tests

import play

PROGRAMS = "/usr/lib/postgresql/15/bin"
MARKS = {
    "description": "Xq7narrativeXq7", "long description": "Xq7toastXq7", "address": "Xq7addressXq7",
    "place": "Xq7placeXq7", "unreadable": "Xq7unreadableXq7",
    "first name": "Xq7firstXq7", "last name": "Xq7lastXq7", "e-mail": "xq7mailxq7@play.example", "phone": "711987654",
    "latitude": "-1.2899771", "longitude": "36.8199772", "decline note": "Xq7declineXq7", "status note": "Xq7statusXq7",
    "release note": "Xq7releaseXq7",
    "password": "xq7 secret horse xq7", "patched": "Xq7patchedXq7", "archived": "Xq7archivedXq7",
    "id of a mood": "Xq7moodXq7", "id of a journal entry": "Xq7journalXq7", "id of a note": "Xq7noteXq7",
    "id of a report": "Xq7reportXq7",
}
CONTROL = "Xq7controlXq7"


def files(cluster):
    for top in (os.path.join(cluster.folder, "data"), os.path.join(cluster.folder, "log")):
        for folder, _, names in os.walk(top):
            for name in names:
                yield os.path.join(folder, name)


def found(mark, texts):
    """Where a mark is, as text, in the hexadecimal of a bytea, as UTF-16, or in base64 at any of three places."""
    needles = [mark.encode(), mark.encode().hex().encode(), mark.encode("utf-16-le"), mark.lower().encode()]
    for before in range(3):
        whole = base64.b64encode(b"x" * before + mark.encode())
        needles.append(whole[4 if before else 0:(before + len(mark)) // 3 * 4])
    return [name for name, text in texts.items() if any(needle in text for needle in needles)]


def collect():
    cluster.psql("CHECKPOINT")
    texts = {}
    for path in files(cluster):
        with open(path, "rb") as file:
            texts[os.path.relpath(path, cluster.folder)] = file.read()
    done = subprocess.run([os.path.join(PROGRAMS, "pg_dump"), "-h", cluster.host, "-p", str(cluster.port), "-U",
        "postgres", "-d", "kintaraa"],
                          stdout=subprocess.PIPE, check=True)
    texts["pg_dump"] = done.stdout
    texts["gateway log"] = gateway.log().encode()
    return texts


def tell_the_story():
    api = gateway.api()
    answer = api.post("/api/auth/register", {"email": MARKS["e-mail"], "password": MARKS["password"],
        "firstName": MARKS["first name"],
                                             "lastName": MARKS["last name"], "phone": "0" + MARKS["phone"]})
    assert answer.status == 201, answer
    assert api.post("/api/auth/login", {"email": MARKS["e-mail"],
        "password": "wrong " + MARKS["password"]}).status == 400
    token = answer.body["tokens"]["access"]
    marks_of_tokens.update({"access token": token.split(".")[2], "refresh token": answer.body["tokens"]["refresh"]})
    stage.value("SELECT play.helper('clinic', 'healthcare', -1.29, 36.82), play.helper('lawyer', 'legal', -1.29, "
                "36.82), play.helper('refuge', 'social', -1.29, 36.82), play.staff('dora', 'dispatcher')")
    report = {"id": MARKS["id of a report"], "type": "sexual", "supportServices": ["medical", "legal", "shelter"],
        "urgencyLevel": "immediate",
              "description": MARKS["description"], "surprise": {"text": MARKS["unreadable"]},
              "location": {"address": MARKS["address"], "description": MARKS["place"], "coordinates":
                           {"latitude": float(MARKS["latitude"]), "longitude": float(MARKS["longitude"])},
                               "source": "gps"}}
    assert api.post("/api/incidents", report, token=token).status == 201
    assert api.post("/api/incidents", {**report, "description": MARKS["archived"]}, token=token).status == 409
    assert api.post("/api/incidents", {"id": "long", "description": (MARKS[
        "long description"] + os.urandom(1500).hex()) * 15}, token=token).status == 201
    assert api.patch("/api/incidents/" + report["id"], {"description": MARKS["patched"]}, token=token).status == 200
    assert api.get("/api/incidents/" + report["id"], token=token).body["location"]["address"] == MARKS["address"]
    for who, action, body in [("lawyer", "decline", {"reason": "other", "note": MARKS["decline note"]}),
        ("refuge", "accept", None),
                              ("refuge", "release", {"reason": MARKS["release note"]}), ("clinic", "accept", None)]:
        own = stage.value("SELECT token FROM play.person WHERE name = %s", who)
        items = api.get("/api/assignments", token=own).body["items"]
        answer = api.post("/api/assignments/%s/%s" % (items[0]["id"], action), body, token=own)
        assert answer.status == 200, (who, action, answer)
    # ids that phones made, found again in clear letters and in others, sent twice, lost and remembered
    mood, journal = MARKS["id of a mood"], MARKS["id of a journal entry"]
    assert api.put("/api/me/records/mood_entry/" + mood, {"mood": "sad"}, token=token).status == 201
    for words in ("one", "two"):
        sent = {"device": words, "records": [{"table": "journal_entries", "id": journal, "data": {"content": words}}]}
        assert api.post("/api/sync/batch", sent, token=token).status == 200
    lost = api.get("/api/sync/archive?reason=no_base", token=token).body["items"]
    assert [item["id"] for item in lost] == [journal], lost
    held = {noun: api.get("/api/sync/manifest?noun=" + noun, token=token).body["items"][0]["id"]
            for noun in ("mood_entry", "journal_entry")}
    assert held == {"mood_entry": mood, "journal_entry": journal}, held
    clinic = stage.value("SELECT token FROM play.person WHERE name = 'clinic'")
    case = api.get("/api/assignments", token=clinic).body["items"][0]["incidentId"]
    note = {"table": "notes", "id": MARKS["id of a note"], "data": {"incidentId": case, "text": "seen"}}
    answer = api.post("/api/sync/batch", {"device": "desk", "records": [note]}, token=clinic)
    assert answer.body["results"][0]["status"] == "applied", answer
    shown = api.get("/api/incidents/" + case, token=clinic).body
    assert shown["survivor"]["firstName"] == MARKS["first name"], shown
    assert api.post("/api/incidents/%s/status" % case, {"status": "completed", "reason": "helped",
                                                              "note": MARKS["status note"]},
        token=clinic).status == 200
    # requests that fail must not leave their contents in a log either
    api.request("POST", "/api/incidents", body=b'{"description": "' + MARKS["description"].encode() + b'"', token=token,
        headers={"Content-Type": "application/json"})
    api.get("/api/incidents?after=" + MARKS["address"], token=token)
    api.get("/api/incidents/" + MARKS["place"], token=token)
    with Socket(gateway, token):
        pass


def test_no_mark_is_in_any_file():
    texts = collect()
    assert len(texts) > 300 and any(name.startswith("data/pg_wal/0") for name in texts), len(texts)
    leaks = {name: where for name, where in ((name, found(mark, texts)) for name,
        mark in {**MARKS, **marks_of_tokens}.items()) if where}
    assert not leaks, leaks


def test_the_scan_finds_an_unsealed_mark_everywhere():
    stage.value("SET log_statement = 'all'")
    stage.value("UPDATE kintaraa.setting SET help = help || ' %s'; "
                 "CREATE TABLE public.control (t text); ALTER TABLE public.control ALTER t SET STORAGE EXTERNAL; "
                 "INSERT INTO public.control SELECT repeat('%s ', 2000) FROM generate_series(1, 3); "
                 "CREATE INDEX ON public.control (left(t, 40))" % (CONTROL, CONTROL))
    stage.value("RESET log_statement")
    texts = collect()
    where = found(CONTROL, texts)
    for part in ("data/base/", "data/pg_wal/", "log/", "pg_dump"):
        assert any(name.startswith(part) for name in where), (part, where)
    assert sum(name.startswith("data/base/") for name in where) >= 3, where


def test_what_is_sealed_is_there():
    assert stage.value("SELECT count(*) FROM kintaraa.incident WHERE description_sealed IS NOT NULL "
                       "AND spelling_sealed IS NOT NULL") == 2
    assert stage.value("SELECT count(*) FROM kintaraa.assignment WHERE note_sealed IS NOT NULL") == 2
    assert stage.value("SELECT count(*) FROM kintaraa.status_history WHERE note_sealed IS NOT NULL") == 1


def test_keys_are_not_in_the_data_directory():
    with open(os.path.join(cluster.folder, "keys", "keyring"), "rb") as file:
        secrets = [word for word in file.read().replace(b":", b" ").split() if len(word) >= 40]
    assert secrets
    texts = collect()
    leaks = [name for name, text in texts.items() if any(secret in text for secret in secrets)]
    # public halves of signing keys are published, not kept in the cluster
    assert not leaks, leaks


if __name__ == "__main__":
    with Cluster("canary") as cluster, Gateway(cluster) as gateway:
        marks_of_tokens = {}
        play.load(cluster)
        stage = play.Stage(cluster)
        tell_the_story()
        sys.exit(run_tests(globals()))
