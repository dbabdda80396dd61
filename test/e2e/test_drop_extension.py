"""Code and state apart: migrations are repeatable and refuse foreign ones, DROP EXTENSION cannot take a row,
writers in psql are stamped or refused, and rules of state hold at commit."""
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import psycopg2
from harness import Cluster, run_tests

import play

NUMBER = [0]


def database():
    """A fresh database with people in it; returns its name."""
    NUMBER[0] += 1
    name = "state_%d" % NUMBER[0]
    cluster.psql("CREATE DATABASE %s TEMPLATE kintaraa_tap" % name, database="postgres")
    return name


def state_of(sql, where, *args):
    try:
        cluster.psql(sql, args or None, database=where)
    except psycopg2.Error as error:
        return error.pgcode
    return None


def rows_of(where):
    """Every table of state with the number of its rows and a hash over them."""
    tables = [row[0] for row in cluster.psql(
        "SELECT c.oid::regclass::text FROM pg_class c WHERE relnamespace = 'kintaraa'::regnamespace AND relkind = 'r' "
        "ORDER BY 1", database=where)]
    return {t: cluster.psql("SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM %s t" % t,
        database=where)[0] for t in tables}


def test_migrating_again_changes_nothing():
    where = database()
    before = cluster.psql("SELECT number, hash, at FROM kintaraa.migration ORDER BY 1", database=where)
    cluster.psql("CALL kintaraa.migrate()", database=where)
    assert cluster.psql("SELECT number, hash, at FROM kintaraa.migration ORDER BY 1", database=where) == before
    assert [row[0] for row in before] == sorted(row[0] for row in before) and len(before) >= 9


def test_two_migrations_at_once_share_the_work():
    cluster.psql("CREATE DATABASE twice", database="postgres")
    cluster.psql("CREATE EXTENSION kintaraa CASCADE", database="twice")
    failures = []

    def migrate():
        code = state_of("CALL kintaraa.migrate()", "twice")
        if code:
            failures.append(code)
    threads = [threading.Thread(target=migrate) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures, failures
    assert cluster.psql("SELECT count(*), count(DISTINCT number) FROM kintaraa.migration", database="twice") == \
        cluster.psql("SELECT count(*), count(*) FROM kintaraa.migrations()", database="twice")


def test_an_edited_or_unknown_migration_is_refused():
    where = database()
    cluster.psql("UPDATE kintaraa.migration SET hash = 'edited' WHERE number = 4", database=where)
    assert state_of("CALL kintaraa.migrate()", where) == "55000"
    where = database()
    cluster.psql("INSERT INTO kintaraa.migration (number, name, hash) VALUES (9999, 'future', 'x')", database=where)
    assert state_of("CALL kintaraa.migrate()", where) == "55000"


def test_migrate_is_alone_or_refused():
    where = database()
    connection = cluster.connect(database=where, autocommit=False)
    try:
        connection.cursor().execute("CALL kintaraa.migrate()")
        raise AssertionError("migrate ran inside BEGIN")
    except psycopg2.Error as error:
        assert error.pgcode == "25001" and error.diag.message_hint, error
    finally:
        connection.close()


def test_drop_is_refused_while_there_is_state():
    where = database()
    assert state_of("DROP EXTENSION kintaraa", where) == "2BP01"


def unwell(where, check):
    return cluster.psql("SELECT ok, detail, hint FROM kintaraa.health() WHERE \"check\" = %s", (check,),
                        database=where)[0]


def me(where):
    return state_of("SELECT kintaraa_api.me_get(NULL, '{}', '{}', NULL, '{}')", where)


def test_cascade_keeps_every_row_and_migrate_puts_back_what_went():
    where = database()
    play.load(cluster, where)
    stage = play.Stage(cluster, where)
    stage.value("SELECT play.helper('clinic', 'healthcare', -1.28, 36.82), play.register('amina')")
    stage.value("SELECT play.report('amina', 'kept', '{medical,legal}')")
    stage.close()
    before, rules = rows_of(where), rules_of(where)
    assert sum(n for n, _ in before.values()) > 50
    cluster.psql("SET client_min_messages = error; DROP EXTENSION kintaraa CASCADE", database=where)
    assert rows_of(where) == before
    # row security stays forced; policies that called functions of the code went with it, so nothing is visible
    assert cluster.value("SELECT count(*) FROM pg_class WHERE relnamespace = 'kintaraa'::regnamespace AND relkind = "
                         "'r' AND NOT relforcerowsecurity", database=where) == 1
    cluster.psql("CREATE EXTENSION kintaraa CASCADE", database=where)
    # half an extension answers nobody and says so
    ok, detail, hint = unwell(where, "rules")
    assert not ok and "more" in detail and hint == "Run CALL kintaraa.migrate().", (ok, detail, hint)
    assert me(where) == "KN901"
    cluster.psql("CALL kintaraa.migrate()", database=where)
    assert rows_of(where) == before
    assert rules_of(where) == rules
    assert unwell(where, "rules")[0] and unwell(where, "code")[0]
    stage = play.Stage(cluster, where)
    assert stage.outcome("incident_get", "amina", ["kept"]) == "ok"
    stage.value("SELECT play.report('amina', 'later')")
    assert stage.value("SELECT count(*) FROM kintaraa.change c JOIN kintaraa.incident i ON i.id = c.id") == 2
    assert not stage.broken(), stage.broken()
    stage.close()


def rules_of(where):
    return sorted(cluster.psql(
        "SET search_path = pg_catalog; SELECT polrelid::regclass::text, polname::text, pg_get_expr(polqual, polrelid), "
        "polroles::regrole[]::text FROM pg_policy", database=where)) + sorted(cluster.psql(
            "SET search_path = pg_catalog; SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
            database=where)) + sorted(cluster.psql(
                "SET search_path = pg_catalog; SELECT c.oid::regclass::text, regexp_replace(pg_get_viewdef(c.oid), "
                "'::text AS text,', '::text,'), relacl::text, reloptions::text FROM pg_class c WHERE relkind = 'v' AND "
                "relnamespace::regnamespace::text LIKE 'kintaraa%%'", database=where))


def test_doors_are_shut_while_a_rule_is_lost_or_switched_off():
    where = database()
    known, answer = cluster.connect(database=where), me(where)
    for statement in (
            "ALTER TABLE kintaraa.incident DISABLE ROW LEVEL SECURITY",
            "ALTER TABLE kintaraa.note NO FORCE ROW LEVEL SECURITY",
            "ALTER TABLE kintaraa.need DISABLE TRIGGER remember",
            "ALTER TABLE kintaraa.need DISABLE TRIGGER ALL",
            "ALTER TABLE kintaraa.account ENABLE REPLICA TRIGGER remember",
            "DROP POLICY door ON kintaraa.need; CREATE POLICY mine ON kintaraa.need TO kintaraa_system USING (true)",
            "ALTER TRIGGER remember ON kintaraa.account RENAME TO mine"):
        assert me(where) == answer, statement
        cluster.psql(statement, database=where)
        assert me(where) == "KN901", statement
        cursor = known.cursor()
        try:
            cursor.execute("SELECT kintaraa_api.me_get(NULL, '{}', '{}', NULL, '{}')")
            raise AssertionError(statement)
        except psycopg2.Error as error:
            assert error.pgcode == "KN901", (statement, error)
        cluster.psql("CALL kintaraa.migrate()", database=where)
    assert me(where) == answer
    # what is a DBA's own beside them shuts nothing
    cluster.psql("ALTER TABLE kintaraa.need ENABLE ALWAYS TRIGGER remember", database=where)
    assert me(where) == answer
    known.close()


def test_each_lost_or_changed_rule_is_named_and_put_back():
    where = database()
    rules = rules_of(where)
    for statement, name in (
            ("DROP POLICY door ON kintaraa.need", "door ON kintaraa.need"),
            ("DROP TRIGGER remember ON kintaraa.account", "remember ON kintaraa.account"),
            ("ALTER TABLE kintaraa.incident DISABLE TRIGGER remember", "remember ON kintaraa.incident"),
            ("ALTER POLICY door ON kintaraa.incident USING (true)", "door ON kintaraa.incident"),
            ("ALTER TABLE kintaraa.session NO FORCE ROW LEVEL SECURITY", "kintaraa.session"),
            ("DROP VIEW kintaraa_ops.queue", "kintaraa_ops.queue"),
            ("REVOKE SELECT ON kintaraa_ops.timer FROM kintaraa_operator", "kintaraa_ops.timer")):
        lost = not statement.startswith(("ALTER POLICY", "DROP VIEW", "REVOKE"))
        assert me(where) is None, statement
        cluster.psql(statement, database=where)
        assert unwell(where, "rules") == (False, name, "Run CALL kintaraa.migrate()."), unwell(where, "rules")
        assert me(where) == ("KN901" if lost else None), statement
        cluster.psql("CALL kintaraa.migrate()", database=where)
        assert unwell(where, "rules")[0] and rules_of(where) == rules, statement


def test_what_is_nobodys_of_ours_is_named_and_left_alone():
    where = database()
    cluster.psql("CREATE POLICY all_of_it ON kintaraa.incident TO kintaraa_door USING (true)", database=where)
    cluster.psql("CALL kintaraa.migrate()", database=where)
    ok, detail, hint = unwell(where, "rules")
    assert not ok and detail == "all_of_it ON kintaraa.incident" and hint.startswith("Find out who made"), hint
    cluster.psql("CREATE FUNCTION kintaraa_api.open_all() RETURNS void LANGUAGE sql AS ''", database=where)
    ok, detail, hint = unwell(where, "code")
    assert not ok and detail == "kintaraa_api.open_all()" and hint.startswith("Find out who made"), hint


def test_a_changed_function_is_named():
    where = database()
    for change in ("ALTER FUNCTION kintaraa.can_see SECURITY DEFINER", "ALTER FUNCTION kintaraa.me VOLATILE",
                   "GRANT EXECUTE ON FUNCTION kintaraa.bar TO PUBLIC", "ALTER FUNCTION kintaraa.seal OWNER TO postgres",
                   "ALTER FUNCTION kintaraa.seal RESET search_path",
                   "CREATE OR REPLACE FUNCTION kintaraa.refuse_truncate() RETURNS trigger LANGUAGE plpgsql VOLATILE "
                   "PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN NULL; END'"):
        assert unwell(where, "code")[0], change
        cluster.psql(change, database=where)
        ok, detail, hint = unwell(where, "code")
        assert not ok and "again" in hint, change
        assert detail.split("(")[0] in change, (change, detail)
        cluster.psql("BEGIN; ALTER EXTENSION kintaraa UPDATE TO 'again'; ALTER EXTENSION kintaraa UPDATE; COMMIT",
                     database=where)


def test_a_data_migration_works_as_the_system_and_not_as_the_owner():
    where = database()
    wrong = ("SET LOCAL ROLE kintaraa_owner; "
             "SET LOCAL row_security = off; UPDATE kintaraa.setting SET help = help || '.'")
    right = ("SET LOCAL ROLE kintaraa_system; "
             "SET LOCAL row_security = on; UPDATE kintaraa.setting SET help = help || '.'")
    connection = cluster.connect(database=where, autocommit=False)
    cursor = connection.cursor()
    try:
        cursor.execute(wrong)
        raise AssertionError("an owner without a policy changed rows, or none silently")
    except psycopg2.Error as error:
        assert error.pgcode == "42501", error.pgcode
    connection.rollback()
    cursor.execute(right)
    assert cursor.rowcount >= 3, cursor.rowcount
    connection.close()


def test_truncate_is_refused():
    where = database()
    for table in ("incident", "need", "assignment", "account", "notification", "provider", "change", "audit"):
        assert state_of("TRUNCATE kintaraa.%s CASCADE" % table, where) == "KN903", table


def test_a_writer_in_psql_is_stamped_or_refused():
    where = database()
    team = cluster.value("INSERT INTO kintaraa.organisation (id, kind, name) VALUES (gen_random_uuid(), 'helper', "
                         "'x') RETURNING id", database=where)
    insert = ("INSERT INTO kintaraa.provider (id, organisation_id, provider_type, name) VALUES (gen_random_uuid(), "
              "'%s', 'legal', 'x'); " % team)
    cluster.psql(insert, database=where)
    update = "UPDATE kintaraa.provider SET name = 'y'"
    assert state_of(update, where) == "KN903"
    assert cluster.value("SELECT count(*) FROM kintaraa.provider WHERE name = 'y'", database=where) == 0
    connection = cluster.connect(database=where, autocommit=False)
    cursor = connection.cursor()
    cursor.execute(update + "; SELECT kintaraa.change_flush()")
    stamped = cursor.fetchone()[0]
    connection.commit()
    assert stamped >= 1 and cluster.value("SELECT version FROM kintaraa.change WHERE noun = 'provider'",
        database=where) == 1
    cursor.execute(update + "; SELECT kintaraa.change_flush()")
    cursor.execute(update)
    try:
        connection.commit()
        raise AssertionError("a change after the flush was committed without a stamp")
    except psycopg2.Error as error:
        assert error.pgcode == "KN903", error.pgcode
    connection.close()
    assert cluster.value("SELECT version FROM kintaraa.change WHERE noun = 'provider'", database=where) == 1


def test_prepare_transaction_is_refused_with_unstamped_changes():
    where = database()
    cluster.psql("INSERT INTO kintaraa.organisation (id, kind, name) VALUES ('%s', 'helper', 'x'); INSERT INTO "
                 "kintaraa.provider "
                 "(id, organisation_id, provider_type, name) VALUES ('%s', '%s', 'legal', 'x')" % ((play_id(),) * 3),
                 database=where)
    connection = cluster.connect(database=where, autocommit=False)
    cursor = connection.cursor()
    cursor.execute("UPDATE kintaraa.provider SET name = 'z'")
    try:
        cursor.execute("PREPARE TRANSACTION 'x'")
        raise AssertionError("prepared")
    except psycopg2.Error as error:
        assert error.pgcode in ("KN903", "55000"), error.pgcode
    connection.close()


def play_id():
    return "22222222-2222-4333-8444-555555555555"


def test_a_savepoint_rolled_back_forgets_exactly_its_stamps():
    where = database()
    organisation = "INSERT INTO kintaraa.organisation (id, kind, name) VALUES ('%s', 'helper', 'x'); " % play_id()
    cluster.psql(organisation + "".join("INSERT INTO kintaraa.provider (id, organisation_id, provider_type, name) "
                                        "VALUES "
                                        "('33333333-2222-4333-8444-55555555555%d', '%s', 'legal', 'p%d'); " % (n,
                                        play_id(), n) for n in range(6)), database=where)
    connection = cluster.connect(database=where, autocommit=False)
    cursor = connection.cursor()

    def touch(n):
        cursor.execute("UPDATE kintaraa.provider SET name = name || '.' WHERE name LIKE 'p%d%%'" % n)
    touch(0)
    cursor.execute("SAVEPOINT a")
    touch(1)
    cursor.execute("SAVEPOINT b")
    touch(2)
    cursor.execute("RELEASE SAVEPOINT b")
    cursor.execute("SAVEPOINT c")
    touch(3)
    cursor.execute("ROLLBACK TO SAVEPOINT c")
    cursor.execute("ROLLBACK TO SAVEPOINT a")
    touch(4)
    cursor.execute("SAVEPOINT d")
    touch(5)
    cursor.execute("RELEASE SAVEPOINT d")
    cursor.execute("SELECT kintaraa.change_flush()")
    assert cursor.fetchone()[0] == 3
    connection.commit()
    connection.close()
    names = cluster.psql("SELECT p.name FROM kintaraa.change c JOIN kintaraa.provider p ON p.id = c.id WHERE c.noun = "
                         "'provider' ORDER BY 1", database=where)
    assert [row[0] for row in names] == ["p0.", "p4.", "p5."], names


def test_a_flush_inside_a_rolled_back_savepoint_is_no_stamp():
    where = database()
    cluster.psql("INSERT INTO kintaraa.organisation (id, kind, name) VALUES ('%s', 'helper', 'x'); INSERT INTO "
                 "kintaraa.provider "
                 "(id, organisation_id, provider_type, name) VALUES ('%s', '%s', 'legal', 'x')" % ((play_id(),) * 3),
                 database=where)
    connection = cluster.connect(database=where, autocommit=False)
    cursor = connection.cursor()
    cursor.execute("UPDATE kintaraa.provider SET name = 'outside'; SAVEPOINT a; SELECT kintaraa.change_flush()")
    cursor.execute("ROLLBACK TO SAVEPOINT a")
    try:
        connection.commit()
    except psycopg2.Error as error:
        assert error.pgcode == "KN903", error.pgcode
    connection.close()
    stamped = cluster.value("SELECT count(*) FROM kintaraa.change WHERE noun = 'provider'", database=where)
    changed = cluster.value("SELECT count(*) FROM kintaraa.provider WHERE name = 'outside'", database=where)
    assert stamped == changed, "changed %d, stamped %d" % (changed, stamped)


if __name__ == "__main__":
    with Cluster("state", kintaraa__worker="off", max_prepared_transactions="2") as cluster:
        sys.exit(run_tests(globals()))
