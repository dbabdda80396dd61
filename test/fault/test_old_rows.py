#!/usr/bin/python3
"""A database of version 1.0 with people and cases comes over, and is to them what it was.

test/data/old has what code of 1.0 wrote: the rows, the key ring they are sealed with (of this test alone), and what was
sent and answered, with the cursors of four phones.  The worker is off: by now every deadline in there is over.
"""
import glob
import json
import os
import re
import shutil
import sys

import psycopg2

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, ".."), os.path.join(HERE, "..", "e2e")]
import harness
import play
from harness import Cluster, run_tests
from phones import tool
from tree import EXTENSIONS, Tree

OLD = os.path.join(harness.ROOT, "test", "data", "old")
LAST = 18  # migration of version 1.0
NAME = "kintaraa"
# The hours that a report waits for have gone by, and nobody was there to act.
SHOWN = ("anonymity", "caseNumber", "createdAt", "description", "id", "incidentDate", "incidentTime", "isAnonymous",
         "location", "providerPreferences", "reporter", "severity", "status", "supportServices", "type",
         "urgencyLevel")

# What the present version makes of a report with the ring of there.  Who changes that gives the hash another first byte
# and goes on to know this one (kn_incident_hash_matches).
HASHED = {"type": "Physical", "incidentDate": "2026-01-02", "incidentTime": "23:59", "description": "caf\u00e9 \"x\"\n",
          "severity": "high", "urgencyLevel": "zzz", "supportServices": ["medical", "magic", "legal"], "isAnonymous": 1,
          "location": {"address": "a house", "description": "behind it", "accuracyM": 12.50, "source": "gps",
                       "coordinates": {"longitude": 36.82, "latitude": -1.28}}, "colour": {"deep": [1.50, None]},
          "providerPreferences": {"communicationMethod": "sms", "preferredGender": "any", "later": 7},
          "status": "closed"}
HASH = "02985831e93dda824c6556ce47aeb6475c76927e1951cd91af7c55c4a9142ac800"

with open(os.path.join(OLD, "answers.json")) as answers:
    facts = json.load(answers)


def read(*path):
    with open(os.path.join(*path)) as file:
        return file.read()


def make_old():
    """As 1.0 would have: its code, its migrations, its rows."""
    shutil.copy(os.path.join(harness.ROOT, "test", "data", "kintaraa--1.0.sql"), os.path.join(tree.server, EXTENSIONS))
    ring = os.path.join(server.folder, "keys", "keyring")
    with open(ring, "r+") as file:
        file.write(read(OLD, "keyring"))
        file.truncate()
    server.settings(shared_preload_libraries="kintaraa", kintaraa__worker="off")
    server.restart()
    server.psql("DROP DATABASE %s (FORCE)" % NAME, database="postgres")
    server.psql("CREATE DATABASE %s" % NAME, database="postgres")
    server.psql("SET client_min_messages = warning; CREATE EXTENSION kintaraa VERSION '1.0' CASCADE")
    for path in sorted(glob.glob(os.path.join(harness.ROOT, "migrations", "0*.sql")))[:LAST]:
        server.psql("SET ROLE kintaraa_owner; SET client_min_messages = warning; " + read(path))
    server.psql("SET ROLE kintaraa_owner; CREATE TABLE kintaraa.migration (number integer PRIMARY KEY, name text NOT "
                "NULL, hash text NOT NULL, at timestamptz NOT NULL DEFAULT now())")
    server.psql("CREATE SCHEMA play; CREATE TABLE play.person (name text PRIMARY KEY, token text NOT NULL, refresh "
                "text, id uuid NOT NULL, email text NOT NULL, provider uuid)")
    for table in tables():
        server.psql("SET session_replication_role = replica; DELETE FROM %s" % table)
    path = os.path.join(server.folder, "log", "rows.sql")
    with open(path, "w") as file:
        file.write(read(OLD, "rows.dump"))
    os.chmod(path, 0o644)
    tool(server, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", "SET session_replication_role = replica",
         "-f", path, "-d", NAME)
    for copy in ("large", "dropped"):
        server.psql("CREATE DATABASE %s TEMPLATE %s" % (copy, NAME), database="postgres")


def tables():
    return [row[0] for row in server.psql("SELECT oid::regclass::text FROM pg_class WHERE relnamespace = "
                                          "'kintaraa'::regnamespace AND relkind = 'r'")]


def counts():
    return {table: server.value("SELECT count(*) FROM %s" % table) for table in tables()}


def raises(connection):
    """SQLSTATE of a door called on a connection that has been there all along."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT outcome FROM kintaraa_api.me_get('x', NULL, '{}', NULL, '{\"network\": \"::\"}')")
            return cursor.fetchone()[0]
    except psycopg2.Error as error:
        return error.pgcode


def failure(sql):
    try:
        server.psql(sql)
    except psycopg2.Error as error:
        return error.pgcode
    return "nothing"


def test_rows_of_1_0_come_over_while_a_client_is_attached():
    client = server.connect(role="kintaraa_gateway")
    assert raises(client) == "KN901", raises(client)
    before = counts()
    server.psql("ALTER EXTENSION kintaraa UPDATE")
    assert raises(client) == "KN901", "between the two steps"
    ring = os.path.join(server.folder, "keys", "keyring")
    os.rename(ring, ring + ".away")
    try:
        assert failure("CALL kintaraa.migrate()") == "KN901", "ids cannot be sealed without the key ring"
    finally:
        os.rename(ring + ".away", ring)
    assert raises(client) == "KN901", "nor do doors open before"
    server.psql("CALL kintaraa.migrate()")
    assert raises(client) == "unknown", raises(client)
    client.close()
    after = counts()
    assert before["kintaraa.incident"] == len(facts["reports"]), before
    lost = {table: (n, after.get(table)) for table, n in before.items() if after.get(table, 0) < n}
    assert not lost, lost


def test_nothing_is_wrong_with_it():
    # no worker here, no cron, nobody has closed the database, and all deadlines are of long ago
    wrong = {row[0] for row in server.psql('SELECT "check" FROM kintaraa.health() WHERE NOT ok')}
    assert wrong <= {"worker", "pg_cron", "closed", "audit_seal", "deadlines"}, wrong
    (ok, sealed, _, bad), = server.psql("SELECT ok, sealed, unsealed, first_bad FROM kintaraa.audit_verify()")
    assert ok and sealed > 0 and bad is None, (ok, sealed, bad)


def came_over(where):
    (ok, _, _, bad), = server.psql("SELECT ok, sealed, unsealed, first_bad FROM kintaraa.audit_verify()",
                                   database=where)
    assert ok and bad is None, bad
    assert not server.psql("SELECT name FROM kintaraa.definitions()", database=where)
    assert server.value("SELECT count(*) FROM kintaraa.incident", database=where) == len(facts["reports"])


def test_more_than_one_flush_or_value_takes_comes_over():
    """20,001 offers that teams still have, 10,001 entries of survivors in the trail."""
    server.psql("SET session_replication_role = replica; "
                "INSERT INTO kintaraa.assignment (id, provider_id, incident_bucket, need_id, service, status, "
                "urgency_level, level, round, components) SELECT gen_random_uuid(), a.provider_id, a.incident_bucket, "
                "a.need_id, 'emergency', 'pending', 'routine', 1, n, '{}' FROM generate_series(101, 20101) AS n, "
                "(SELECT * FROM kintaraa.assignment LIMIT 1) AS a; "
                "INSERT INTO kintaraa.audit (n, action, outcome, actor, actor_role, request) OVERRIDING SYSTEM VALUE "
                "SELECT 1000000 + n, 'incident_get', 'ok', 'her', 'survivor', n FROM generate_series(1, 10001) AS n",
                database="large")
    server.psql("ALTER EXTENSION kintaraa UPDATE", database="large")
    server.psql("CALL kintaraa.migrate()", database="large")
    came_over("large")
    assert server.value("SELECT count(*) FROM kintaraa.assignment a JOIN kintaraa.change c ON c.noun = 'assignment' "
                        "AND c.id = a.id WHERE a.round > 100 AND a.components IS NULL", database="large") == 20001
    server.psql("UPDATE kintaraa.audit SET action = 'other' WHERE n = 1010001", database="large")
    assert not server.value("SELECT ok FROM kintaraa.audit_verify()", database="large"), "a changed entry was not found"


def test_rows_without_the_rules_of_1_0_come_over():
    """They go with the extension, and migrations were written where they are."""
    server.psql("SET client_min_messages = error; DROP EXTENSION kintaraa CASCADE; CREATE EXTENSION kintaraa",
                database="dropped")
    server.psql("CALL kintaraa.migrate()", database="dropped")
    came_over("dropped")


def stand():
    """Today's way to call doors as the people of then, who sign in with the passwords of then."""
    people = server.psql("SELECT name, token, refresh, id, email, provider FROM play.person")
    server.psql("DROP SCHEMA play CASCADE")
    play.load(server)
    for person in people:
        server.psql("INSERT INTO play.person (name, token, refresh, id, email, provider) VALUES (%s, %s, %s, %s, %s, "
                    "%s)", person)
    server.psql("SELECT kintaraa.epoch_check(), kintaraa.tick_write(true)")
    stage = play.Stage(server)
    for name, *_, email, _ in people:
        outcome, body = stage.call("auth_login", None, None, {"email": email, "password": "correct horse " + name})
        assert outcome == "ok", (name, outcome, body)
        server.psql("UPDATE play.person SET token = %s WHERE name = %s", (body["tokens"]["access"], name))
    return stage


def test_people_sign_in_and_reports_sent_again_are_the_same():
    global stage
    stage = stand()
    for name, body in facts["reports"].items():
        outcome, answer = stage.call("incident_create", "amina", None, body)
        assert outcome == ("gone" if name == "deleted" else facts["replays"][name]), (name, outcome, answer)


def test_a_report_is_hashed_as_ever():
    assert stage.outcome("incident_create", "amina", None, dict(HASHED, id="hashed")) == "created"
    made = server.value("SELECT encode(created_hash, 'hex') FROM play.incident WHERE client_id = 'hashed'")
    assert made == HASH, made


def test_she_reads_what_she_read():
    for name, was in facts["answers"].items():
        outcome, now = stage.call("incident_get", "amina", [name])
        if was is None or name == "deleted":
            assert outcome == "absent", (name, outcome)
            continue
        assert outcome == "ok", (name, outcome, now)
        # a member of later
        assert now["providerPreferences"].pop("triageTeams") == [], now
        other = {key: (was.get(key), now.get(key)) for key in SHOWN if was.get(key) != now.get(key)}
        assert not other, (name, other)


def test_phones_are_sent_everything_that_is_theirs():
    """These rows came by a dump, so that cursors of before are of another history."""
    for name, phone in facts["phones"].items():
        outcome, answer = stage.call("sync_updates", phone["who"], None, None, {"since": str(phone["cursor"])})
        assert outcome == "ok" and answer["resync"], (name, outcome, answer)
        had = {row[1] for row in phone["rows"] if row[0] == "incident"} - {"deleted"}
        sent = {incident["id"] for incident in answer["incidents"]}
        assert had <= sent, (name, had - sent)


def test_the_invariants_hold_and_work_goes_on():
    assert not stage.broken(), stage.broken()
    assert stage.outcome("incident_update", "amina", ["accepted"], {"description": "goes on"}) == "ok"
    assert stage.outcome("incident_create", "amina", None, {"id": "new", "supportServices": ["medical"]}) == "created"


if __name__ == "__main__":
    tree = Tree("old-rows")
    try:
        with Cluster("server") as server:
            make_old()
            status = run_tests(globals())
    finally:
        tree.remove()
    sys.exit(status)
