"""Each row of health() is seen wrong once, its hint is followed, and it is well again; no hint destroys anything.  And
what a login without rights can do in the database that it may connect to: nothing to news and deadlines."""
import os
import stat
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import psycopg2
from harness import Cluster, run_tests, wait_until

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fault"))
import play
from phones import PROGRAMS, run

DESTROY = ("keyring_create", "DROP", "TRUNCATE", "DELETE", "adopt_epoch", "resetwal", "initdb")


def row(check):
    return server.psql("SELECT ok, detail, hint FROM kintaraa.health() WHERE \"check\" = %s", (check,))[0]


def is_wrong(check, word=""):
    ok, detail, hint = row(check)
    if not ok:
        seen.add(check)
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
    # it reads all rows, sealed as they lie, and holds a whole dump's snapshot and locks: that keeps nobody waiting
    backup = server.connect("kintaraa_backup", autocommit=False)
    dump = backup.cursor()
    dump.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    dump.execute("SELECT pg_advisory_xact_lock(7521, n) FROM generate_series(1, 9) AS n")
    dump.execute("SELECT string_agg(format('LOCK TABLE %s IN ACCESS SHARE MODE', oid::regclass), ';') FROM pg_class "
                 "WHERE relnamespace = 'kintaraa'::regnamespace AND relkind = 'r'")
    dump.execute(dump.fetchone()[0])
    newest = server.value("SELECT max(t) FROM kintaraa.tick")
    stamp()
    server.psql("UPDATE kintaraa.need SET due_at = clock_timestamp() - interval '1 second'; "
                "SELECT kintaraa.change_flush()")
    server.psql("INSERT INTO kintaraa.audit (action, outcome) VALUES ('test', 'ok')")
    wait_until(lambda: server.value("SELECT max(t) FROM kintaraa.tick") > newest, 3, "a tick beside a dump")
    for check in ("news", "deadlines", "audit_seal"):
        wait_until(lambda: is_well(check) and row(check)[1].endswith(" 0.0 s"), 10, check)
    backup.rollback()
    backup.close()
    for sql in ("CREATE TEMP TABLE x (y integer)", "SELECT n_live_tup FROM pg_stat_user_tables",
                "UPDATE kintaraa.incident SET id = id", "BEGIN; LOCK TABLE kintaraa.incident IN SHARE MODE",
                "SELECT kintaraa.work_lock(4)", "SELECT * FROM kintaraa.health()",
                "SELECT kintaraa_api.health(NULL, NULL, '{}', NULL, '{}')"):
        assert code_of(server.psql, sql, role="kintaraa_backup") == "42501", sql
    for role in ("kintaraa_operator", "kintaraa_analyst"):
        for sql in ("CREATE TEMP TABLE x (y integer)", "SELECT count(*) FROM kintaraa.incident",
                    "EXPLAIN ANALYZE SELECT * FROM kintaraa.need", "SELECT kintaraa.work_lock(4)"):
            assert code_of(server.psql, sql, role=role) == "42501", (role, sql)
    # what a listener hears is that something changed, and nothing of it
    listener = server.connect("kintaraa_analyst")
    listener.cursor().execute("LISTEN kintaraa_tick")
    stamp()

    def heard():
        listener.poll()
        return listener.notifies
    assert {one.payload for one in wait_until(heard, 5, "a tick is told")} == {""}, listener.notifies
    listener.close()
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


def test_a_gateway_that_was_told_to_read_only_is_seen_by_whoever_asks():
    for subject in ("ROLE kintaraa_gateway", "ROLE kintaraa_gateway IN DATABASE kintaraa", "DATABASE kintaraa"):
        assert is_well("writable")
        server.psql("ALTER %s SET default_transaction_read_only = on" % subject, database="postgres")
        assert is_wrong("writable", "default_transaction_read_only"), subject
        server.psql("ALTER %s RESET default_transaction_read_only" % subject, database="postgres")
    # the nearer word wins, and what only the one who asks was told is no matter of theirs
    server.psql("ALTER DATABASE kintaraa SET default_transaction_read_only = on; "
                "ALTER ROLE kintaraa_gateway SET default_transaction_read_only = off", database="postgres")
    assert is_well("writable")
    server.psql("ALTER DATABASE kintaraa RESET default_transaction_read_only; "
                "ALTER ROLE kintaraa_gateway RESET default_transaction_read_only; "
                "ALTER ROLE postgres SET default_transaction_read_only = on", database="postgres")
    assert is_well("writable"), row("writable")
    server.psql("SET transaction_read_only = off; "
                "ALTER ROLE postgres RESET default_transaction_read_only", database="postgres")
    assert is_well("writable")


def test_a_clock_that_was_set_back():
    connection = server.connect(autocommit=False)
    with connection.cursor() as cursor:
        for ahead, ok in ((0, True), (2, False)):
            cursor.execute("SELECT kintaraa.work_lock(4); INSERT INTO kintaraa.tick (t, snapshot, epoch) "
                           "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint + %s * 1000000 "
                           "       + (SELECT tag FROM kintaraa.epoch WHERE last_tick IS NULL), "
                           "       pg_current_snapshot(), tag FROM kintaraa.epoch WHERE last_tick IS NULL", (ahead,))
            cursor.execute("SELECT ok, hint FROM kintaraa.health() WHERE \"check\" = 'clock'")
            found = cursor.fetchone()
            assert found[0] is ok, (ahead, found)
            connection.rollback()
    hints.add(found[1])
    seen.add("clock")
    connection.close()
    assert "set back" in found[1] and is_well("clock")


def test_jobs_that_are_missing():
    server.psql("CREATE EXTENSION IF NOT EXISTS pg_cron")
    entries = "SELECT count(*) FROM kintaraa.audit WHERE action = 'schedule_jobs' AND fields = session_user"
    before = server.value(entries)
    assert server.value("SELECT kintaraa.schedule_jobs()") == 7 and is_well("pg_cron")
    server.psql("SELECT cron.unschedule('kintaraa retention')")
    assert is_wrong("pg_cron", "schedule_jobs"), row("pg_cron")
    server.psql("SELECT kintaraa.schedule_jobs()")
    assert is_well("pg_cron")
    assert server.value(entries) == before + 2


WORSE = {"log_error_verbosity": "default", "log_parameter_max_length": "-1", "log_parameter_max_length_on_error": "-1",
         "log_min_error_statement": "error", "log_statement": "mod", "debug_print_parse": "on",
         "debug_print_rewritten": "on", "debug_print_plan": "on", "fsync": "off", "full_page_writes": "off",
         "synchronous_commit": "off"}


def test_settings_that_write_words_or_lose_answers():
    for name in WORSE:
        assert is_well(name), row(name)
    for name, value in WORSE.items():
        server.psql("ALTER SYSTEM SET %s = '%s'" % (name, value))
    server.reload()
    try:
        for name in WORSE:
            wait_until(lambda: is_wrong(name, name), 10, name)
    finally:
        for name in WORSE:
            server.psql("ALTER SYSTEM RESET %s" % name)
        server.reload()
    for name in WORSE:
        wait_until(lambda: is_well(name), 10, name)


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
        seen.add("key_ring")
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


def test_no_key_is_added_without_its_record():
    path = os.path.join(server.folder, "keys", "keyring")

    def keys():
        with open(path) as file:
            return sum(line.split()[0] == "wrap" for line in file if line.strip())

    def noted():
        return server.value("SELECT count(*) FROM kintaraa.key_check WHERE kind = 'wrap'")
    before = keys()
    assert noted() == before
    for start in ("BEGIN READ ONLY", "BEGIN", "SET default_transaction_read_only = on"):
        codes = [code_of(server.psql, "%s; SELECT kintaraa.keyring_add('wrap')" % start)]
        assert codes[0] in ("25001", "25006") and keys() == before, (start, codes, keys())
    assert code_of(server.psql, "BEGIN; SELECT kintaraa.keyring_create(true)") == "25001"
    server.psql("SELECT kintaraa.keyring_add('wrap')")
    assert (keys(), noted()) == (before + 1, before + 1)
    # undone by what comes after it in one statement: in force, so the worker notes it
    assert code_of(server.psql, "SELECT kintaraa.keyring_add('wrap'), 1 / (SELECT count(*) FROM pg_class WHERE oid = 0)"
                   ) == "22012"
    wait_until(lambda: noted() == keys(), 10)
    assert keys() == before + 2 and is_well("key_ring")
    assert server.value("SELECT count(*) FROM kintaraa.audit WHERE action = 'keyring_record'") == 1


def test_a_server_without_the_library_or_checksums():
    server.stop()
    run(os.path.join(PROGRAMS, "pg_checksums"), "--disable", "-D", os.path.join(server.folder, "data"))
    server.settings(shared_preload_libraries="pg_cron")
    server.start()
    assert is_wrong("preload", "shared_preload_libraries") and is_wrong("data_checksums", "pg_checksums")
    assert is_wrong("worker", "not running") or is_wrong("worker", "none"), row("worker")
    assert code_of(readiness) == "KN901", code_of(readiness)
    server.settings(shared_preload_libraries="pg_cron,kintaraa")
    server.restart()
    wait_until(lambda: is_well("worker") and is_well("preload"), 20)


def test_every_row_was_seen_wrong_once():
    rows = {check for check, in server.psql("SELECT \"check\" FROM kintaraa.health()")}
    # test_drop_extension.py, test/pgtap/health_check.sql, test/fault/test_old_data.py
    elsewhere = {"migrations", "code", "rules", "settings", "maintenance", "encoding"}
    facts = {"server_version", "recovery"}       # tell, and are never wrong
    assert rows - seen == elsewhere | facts, (rows - seen) ^ (elsewhere | facts)


def test_no_hint_destroys_anything():
    assert len(hints) >= 8, hints
    for hint in hints - {None}:
        for word in DESTROY:
            assert word not in hint, hint


if __name__ == "__main__":
    hints, seen = set(), set()
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
