"""Each row of health() is seen wrong once, its hint is followed, and it is well again; no hint destroys anything.  And
what a login without rights can do in the database that it may connect to: nothing to news and deadlines."""
import os
import stat
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import psycopg2
from harness import Cluster, run_tests, wait_until

import play

DESTROY = ("keyring_create", "DROP", "TRUNCATE", "DELETE", "adopt_epoch", "resetwal", "initdb")


def row(check):
    return server.psql("SELECT ok, detail, hint FROM kintaraa.health() WHERE \"check\" = %s", (check,))[0]


def is_wrong(check, word=""):
    ok, detail, hint = row(check)
    if not ok:
        hints.add(hint)
    return not ok and word in detail + " " + hint


def is_well(check):
    return row(check)[0]


def code_of(function, *arguments, **where):
    try:
        function(*arguments, **where)
    except psycopg2.Error as error:
        return error.pgcode
    return None


def stamp():
    """Something changes that phones must hear of."""
    server.psql("UPDATE kintaraa.account SET language = CASE language WHEN 'en' THEN 'sw' ELSE 'en' END "
                "WHERE role = 'survivor'; SELECT kintaraa.change_flush()")


def test_news_deadlines_and_seals_that_are_late():
    held = server.connect(autocommit=False)
    for lock in (2, 4, 7):
        held.cursor().execute("SELECT kintaraa.work_lock(%s)", (lock,))
    stamp()
    server.psql("UPDATE kintaraa.need SET due_at = clock_timestamp() - interval '4 seconds'; "
                "SELECT kintaraa.change_flush()")
    server.psql("INSERT INTO kintaraa.audit (action, outcome) VALUES ('test', 'ok')")
    for check in ("news", "deadlines", "audit_seal"):
        wait_until(lambda: is_wrong(check, "oldest"), 20, check)
    held.rollback()
    held.close()
    for check in ("news", "deadlines", "audit_seal"):
        wait_until(lambda: is_well(check), 20, check)


def test_a_login_without_rights_holds_up_nothing():
    server.psql("CREATE ROLE nobody LOGIN; GRANT CONNECT ON DATABASE kintaraa TO nobody")
    holder = server.connect("nobody")
    for number in range(1, 9):
        for space in (7521, 7522):
            holder.cursor().execute("SELECT pg_advisory_lock(%s, %s), pg_advisory_lock_shared(%s, %s)",
                                    (space, number) * 2)
    assert code_of(holder.cursor().execute, "SELECT kintaraa.work_lock(4)") == "42501"
    newest = server.value("SELECT max(t) FROM kintaraa.tick")
    stamp()
    wait_until(lambda: server.value("SELECT max(t) FROM kintaraa.tick") > newest, 3, "a tick")
    for sql in ("SELECT * FROM kintaraa_report.people_monthly", "SELECT count(*) FROM kintaraa.incident",
                "SELECT * FROM kintaraa.health()", "CREATE TEMP TABLE x (y integer)",
                "SELECT n_live_tup FROM pg_stat_user_tables"):
        assert code_of(holder.cursor().execute, sql) == "42501", sql
    holder.close()
    for role in ("kintaraa_analyst", "kintaraa_gateway"):
        assert code_of(server.psql, "SELECT n_live_tup FROM pg_stat_user_tables", role=role) == "42501", role
        assert code_of(server.psql, "EXPLAIN ANALYZE SELECT * FROM kintaraa.incident", role=role) == "42501", role
        assert code_of(server.psql, "SELECT lo_create(0)", role=role) == "42501", role
        assert code_of(server.psql, "SELECT lo_from_bytea(0, 'x')", role=role) == "42501", role
    assert server.value("SELECT count(*) FROM pg_stats WHERE schemaname = 'kintaraa'", role="kintaraa_analyst") == 0


def test_a_database_that_is_open_to_everybody():
    for statement, word in (("GRANT CONNECT ON DATABASE kintaraa TO PUBLIC", "CONNECT"),
                            ("GRANT TEMPORARY ON DATABASE kintaraa TO PUBLIC", "TEMPORARY"),
                            ("GRANT EXECUTE ON FUNCTION pg_stat_get_live_tuples TO PUBLIC", "statistics"),
                            ("GRANT EXECUTE ON FUNCTION lo_create TO PUBLIC", "large objects")):
        assert is_well("closed")
        server.psql(statement)
        assert is_wrong("closed", word), row("closed")
        server.psql("SELECT kintaraa.close_database()")
    assert is_well("closed")
    server.psql("GRANT EXECUTE ON FUNCTION kintaraa.close_database TO nobody; GRANT USAGE ON SCHEMA kintaraa TO nobody")
    assert code_of(server.psql, "SELECT kintaraa.close_database()", role="nobody") == "42501", "only a warning"
    server.psql("REVOKE ALL ON FUNCTION kintaraa.close_database FROM nobody; "
                "REVOKE ALL ON SCHEMA kintaraa FROM nobody")


def switch(role, active):
    """As no door would: the last dispatcher stays, and what a team leaves is searched anew."""
    server.psql("SET session_replication_role = replica; UPDATE kintaraa.account SET is_active = %s WHERE role = %s",
                (active, role))


def test_no_dispatcher_and_a_need_without_staff():
    for role, check in (("dispatcher", "dispatchers"), ("provider", "owners")):
        assert is_well(check), row(check)
        switch(role, False)
        assert is_wrong(check), row(check)
        switch(role, True)
        assert is_well(check)


def test_connections_used_up():
    others = []
    while int(row("connections")[1].split()[0]) > 16:
        others.append(server.connect())
    assert is_well("connections"), "as many as a gateway needs"
    others.append(server.connect())
    assert is_wrong("connections", "CONNECTION LIMIT"), row("connections")
    for other in others:
        other.close()
    wait_until(lambda: is_well("connections"), 10)


def readiness():
    """What the gateway's own login is told."""
    connection = server.connect(role="kintaraa_gateway")
    with connection.cursor() as cursor:
        cursor.execute("SELECT body FROM kintaraa_api.health(NULL, NULL, '{}', NULL, '{\"network\": \"::\"}')")
        body = cursor.fetchone()[0]
    connection.close()
    return body["status"], {check["name"]: check["ok"] for check in body["checks"]}


def test_a_server_that_only_reads_is_not_ready():
    assert readiness()[1]["writable"] is True
    server.settings(default_transaction_read_only="on")
    server.reload()
    try:
        wait_until(lambda: is_wrong("writable", "default_transaction_read_only"), 10)
        status, checks = wait_until(readiness)
        assert status == "degraded" and checks["writable"] is False, (status, checks)
    finally:
        server.settings(default_transaction_read_only="off")
        server.reload()
    wait_until(lambda: is_well("writable"), 10)


def test_a_demanded_standby_that_is_gone_holds_up_no_news():
    server.settings(synchronous_standby_names="gone")
    server.reload()
    try:
        wait_until(lambda: is_wrong("standbys", "synchronous_standby_names"), 10)
        assert readiness()[0] == "degraded", "no report is answered"
        newest = server.value("SELECT max(t) FROM kintaraa.tick")
        server.psql("SET synchronous_commit = local; "
                    "INSERT INTO kintaraa.audit (action, outcome) VALUES ('test', 'ok'); "
                    "UPDATE kintaraa.account SET language = 'sw' WHERE role = 'survivor'; "
                    "SELECT kintaraa.change_flush()")
        wait_until(lambda: server.value("SELECT max(t) FROM kintaraa.tick") > newest, 5, "a tick")
        wait_until(lambda: is_well("audit_seal"), 10)
    finally:
        server.settings(synchronous_standby_names="")
        server.reload()
    wait_until(lambda: is_well("standbys"), 10)


def with_ring(change):
    """Whether the key ring is wrong while the file is changed, and whether a backend that had not read it says so."""
    path = os.path.join(server.folder, "keys", "keyring")
    with open(path, "rb") as file:
        kept, before = file.read(), os.stat(path)
    change(path, kept)
    try:
        found = row("key_ring")
        hints.add(found[2])
        assert not found[0], found
        assert code_of(server.psql, "SELECT kintaraa.may_promote()") == "55000"
        assert code_of(server.psql, "SELECT kintaraa_api.auth_login(NULL, '{}', '{}', %s, '{}')",
                       ('{"email": "x@example.org", "password": "whatever it is"}',)) == "KN901"
        return found
    finally:
        with open(path + ".kept", "wb") as file:
            file.write(kept)
        os.chmod(path + ".kept", stat.S_IMODE(before.st_mode))
        os.chown(path + ".kept", before.st_uid, before.st_gid)
        os.replace(path + ".kept", path)


def test_a_key_ring_that_is_lost_lax_torn_or_another_one():
    assert is_well("key_ring") and server.value("SELECT kintaraa.may_promote()")
    assert "Copy" in with_ring(lambda path, kept: os.unlink(path))[2]
    assert "0600" in with_ring(lambda path, kept: os.chmod(path, 0o644))[2]

    def tear(path, kept):
        with open(path, "r+b") as file:
            file.truncate(len(kept) - 1)
    with_ring(tear)

    def second(path, kept):
        os.unlink(path)
        assert code_of(server.psql, "SELECT kintaraa.keyring_create()") == "55000"
        assert code_of(server.psql, "SELECT kintaraa.keyring_create(true)") == "55000", "something is sealed"
        # in a database that knows nothing of it one can be made
        server.psql("CREATE DATABASE other_%s" % uuid.uuid4().hex[:6], database="postgres")
        other = server.value("SELECT datname::text FROM pg_database WHERE datname LIKE 'other%'")
        server.psql("SET client_min_messages = error; CREATE EXTENSION kintaraa CASCADE", database=other)
        server.psql("SELECT kintaraa.keyring_create()", database=other)
    ok, detail, hint = with_ring(second)
    assert "another key ring" in detail and "Copy" in hint, (detail, hint)
    assert is_well("key_ring")


def test_no_hint_destroys_anything():
    assert len(hints) >= 8, hints
    for hint in hints - {None}:
        for word in DESTROY:
            assert word not in hint, hint


if __name__ == "__main__":
    hints = set()
    with Cluster("health") as server:
        play.load(server)
        stage = play.Stage(server)
        stage.value("SELECT play.helper('clinic', 'healthcare', -1.28, 36.82), play.staff('dora', 'dispatcher'), "
                    "play.register('amina')")
        stage.value("SELECT play.report('amina', 'first', '{medical}')")
        offer = stage.rows("SELECT a.id::text FROM kintaraa.assignment a WHERE a.status = 'pending'")[0][0]
        assert stage.outcome("assignment_accept", "clinic", [offer]) == "ok"
        stage.close()
        sys.exit(run_tests(globals()))
