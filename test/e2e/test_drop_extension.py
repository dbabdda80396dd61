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
        assert error.pgcode == "2D000", error.pgcode
    finally:
        connection.close()


def test_drop_is_refused_while_there_is_state():
    where = database()
    assert state_of("DROP EXTENSION kintaraa", where) == "2BP01"


def test_cascade_keeps_every_row_and_coming_back_is_described():
    where = database()
    play.load(cluster, where)
    stage = play.Stage(cluster, where)
    stage.value("SELECT play.helper('clinic', 'healthcare', -1.28, 36.82), play.register('amina')")
    stage.value("SELECT play.report('amina', 'kept', '{medical,legal}')")
    stage.close()
    before = rows_of(where)
    assert sum(n for n, _ in before.values()) > 50
    cluster.psql("SET client_min_messages = error; DROP EXTENSION kintaraa CASCADE", database=where)
    assert rows_of(where) == before
    # row security stays forced; policies that called functions of the code went with it, so nothing is visible
    assert cluster.value("SELECT count(*) FROM pg_class WHERE relnamespace = 'kintaraa'::regnamespace AND relkind = "
                         "'r' AND NOT relforcerowsecurity", database=where) == 1
    assert cluster.value("SELECT count(*) FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid WHERE relnamespace = "
                         "'kintaraa'::regnamespace AND NOT tgisinternal", database=where) == 0
    cluster.psql("CREATE EXTENSION kintaraa CASCADE", database=where)
    cluster.psql("CALL kintaraa.migrate()", database=where)
    assert rows_of(where) == before
    # the way back is a restore: what CASCADE took does not come again by itself, and doors then show nothing
    stage = play.Stage(cluster, where)
    assert stage.outcome("incident_get", "amina", ["kept"]) != "ok"
    stage.close()


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
