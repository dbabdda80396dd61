#!/usr/bin/python3
"""An upgrade of the extension as docs/upgrade.md has it: make install, restart, ALTER EXTENSION UPDATE, migrate().  The
next version is made up here: what is built is this code, one function, one migration and a changed comment more, one
function less and one with another signature."""
import contextlib
import glob
import os
import shutil
import sys

import psycopg2

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import play
from beside import Beside
from catalogue import catalogue_of, rows_of
from harness import Cluster, run_tests, wait_until
from phones import Phone, check_has_all, epochs, ready, settle, tokens
from tree import LIBRARY, Tree

FUNCTION = """CREATE FUNCTION kintaraa.made_up() RETURNS integer
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$ SELECT count(*)::integer FROM kintaraa.made_up $$;
COMMENT ON FUNCTION kintaraa.made_up IS 'Counts what was made up.';
"""
COMMENT = "COMMENT ON FUNCTION kintaraa.seal IS 'Seals, as of the next version.';\n"
MIGRATION = """CREATE TABLE kintaraa.made_up (id integer PRIMARY KEY);
ALTER TABLE kintaraa.made_up ENABLE ROW LEVEL SECURITY;
ALTER TABLE kintaraa.made_up FORCE ROW LEVEL SECURITY;
GRANT SELECT ON kintaraa.made_up TO kintaraa_system;
CREATE POLICY made_up ON kintaraa.made_up FOR ALL TO kintaraa_system USING (true);
ALTER TABLE kintaraa.setting ADD COLUMN made_up boolean NOT NULL DEFAULT true;
ALTER TABLE kintaraa.incident ADD CONSTRAINT made_up CHECK (id IS NOT NULL) NOT VALID;
"""
NEXT = "9.9"
RULES = """policy\tmade_up ON kintaraa.made_up\tCREATE POLICY made_up ON kintaraa.made_up AS PERMISSIVE FOR ALL TO \
kintaraa_system USING (true)
row security\tkintaraa.made_up\tALTER TABLE kintaraa.made_up ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY
"""
BROKEN = "SELECT \"check\", hint FROM kintaraa.health() WHERE NOT ok"


def migrate(database="kintaraa"):
    server.psql("CALL kintaraa.migrate()", database=database)


def code_of(function, *arguments):
    try:
        function(*arguments)
    except psycopg2.Error as error:
        return error.pgcode
    return None


def hint_of_migrations():
    return dict(server.psql(BROKEN)).get("migrations")


def test_a_new_library_runs_beside_the_old_state_and_says_so():
    kept["broken"], kept["rows"] = server.psql(BROKEN), rows_of(server)
    kept["phone"] = Phone("amina", "phone", server)
    tree.write(os.path.join("sql", "85_made_up.sql"), FUNCTION + COMMENT)
    # gone with its entry point, and with other arguments
    source = os.path.join("extension", "notify", "notification_doors.c")
    tree.replace(source, r"(?s)KN_DOOR\(notification_read,.*?\);", "extern void kn_unused(void);\n"
                 "void\nkn_unused(void)\n{\n\tnotification_read(NULL);\n}")
    tree.replace(os.path.join("sql", "40_function_operate.sql"), r"ticks_thin\(everything boolean\)",
                 "ticks_thin(everything boolean, made_up integer DEFAULT 0)")
    version = tree.value_of(os.path.join("extension", "kintaraa.control"), r"default_version = '(.*)'")
    tree.replace(os.path.join("extension", "kintaraa.control"), r"default_version = '.*'",
                 "default_version = '%s'" % NEXT)
    tree.append(os.path.join("extension", "released"), "%s made-up\n" % version)
    tree.append(os.path.join("migrations", "definitions"), RULES)
    # the state of this one cannot be made: the last statement of its migration fails
    tree.write(kept["migration"], MIGRATION + "SELECT 1 / 0;\n")
    tree.install()
    assert server.psql(BROKEN) == kept["broken"], "the old library runs on until the restart"
    server.restart()
    assert hint_of_migrations() == "Run CALL kintaraa.migrate().", server.psql(BROKEN)
    # nobody works on half of it: neither a door that is still there nor one that is gone, nor the worker
    for door in ("me_get", "notification_read"):
        assert code_of(server.psql, "SELECT kintaraa_api.%s(NULL, '{}', '{}', '{}', '{}')" % door) == "KN901", door
    assert server.value("SELECT body ->> 'status' FROM kintaraa_api.health(NULL, '{}', '{}', NULL, '{}')") == "degraded"
    wait_until(lambda: "waits, the extension has another version than the library" in server.log(), 10)
    server.psql("ALTER EXTENSION kintaraa UPDATE")
    assert server.value("SELECT extversion FROM pg_extension WHERE extname = 'kintaraa'") == NEXT
    assert server.value("SELECT obj_description('kintaraa.seal'::regproc)") == "Seals, as of the next version."


def test_a_migration_that_fails_leaves_nothing_behind():
    before = server.value("SELECT max(number) FROM kintaraa.migration")
    for _ in range(2):
        assert code_of(migrate) == "22012"
        assert server.value("SELECT max(number) FROM kintaraa.migration") == before
        assert server.value("SELECT to_regclass('kintaraa.made_up') IS NULL")


def test_the_next_one_goes_on_from_there_and_phones_with_it():
    tree.write(kept["migration"], MIGRATION)
    tree.install()
    server.restart()
    for statement in ("BEGIN; CALL kintaraa.migrate()", "SELECT 1; CALL kintaraa.migrate()"):
        try:
            server.psql(statement)
            raise AssertionError("taken in a transaction")
        except psycopg2.Error as error:
            assert error.pgcode == "25001" and "must be called alone" in str(error), error
            assert "outside BEGIN" in error.diag.message_hint
    # somebody reads the reports and does not end: nobody who sends one is kept waiting
    beside = Beside(server, "amina", "incident_list")
    assert beside.run("CALL kintaraa.migrate()", 3) > 3
    assert max(beside.waits) < 2 and set(beside.outcomes) <= {"KN901", "ok"}, (max(beside.waits), beside.outcomes)
    assert any("process %d of postgres" % beside.reader in notice for notice in beside.notices), beside.notices
    migrate()
    ready(server)
    wait_until(lambda: server.psql(BROKEN) == kept["broken"], 10, "health as before")
    assert server.value("SELECT kintaraa.made_up()") == 0
    got = rows_of(server)
    changed = {table for table in kept["rows"] if got[table] != kept["rows"][table]}
    assert not changed & {"kintaraa.incident", "kintaraa.account", "kintaraa.need", "kintaraa.assignment"}, changed
    assert got["kintaraa.setting"][0] == kept["rows"]["kintaraa.setting"][0]
    phone = kept["phone"]
    phone.write(server, "after-the-upgrade")
    settle(server)
    assert not phone.pull(server)["resync"]
    check_has_all(phone, server, "after-the-upgrade")
    assert len(epochs(server)) == 1


def test_upgraded_is_as_installed():
    server.psql("CREATE DATABASE fresh", database="postgres")
    server.psql("SET client_min_messages = warning; CREATE EXTENSION kintaraa CASCADE", database="fresh")
    migrate("fresh")
    old, fresh = catalogue_of(server), catalogue_of(server, "fresh")
    for name in ("schemas", "relations", "columns", "indexes", "row security", "domains", "triggers", "constraints",
                 "functions", "members of extensions", "default rights"):
        mine = {row for row in old[name] if "cron" not in row and "play" not in row}
        assert len(mine) > 3 or name == "default rights", name
        assert mine == set(fresh[name]), (name, sorted(mine - set(fresh[name]))[:3],
                                          sorted(set(fresh[name]) - mine)[:3])


def test_an_old_library_refuses_the_newer_state():
    # as on the day somebody installs the old package again
    os.replace(os.path.join(tree.folder, "old.so"), os.path.join(tree.server, LIBRARY))
    server.restart()
    assert hint_of_migrations() == "Install the version of kintaraa that migrated this database."
    assert code_of(migrate) == "55000"


if __name__ == "__main__":
    kept = {}
    tree = Tree("version")
    try:
        shutil.copy(os.path.join(tree.server, LIBRARY), os.path.join(tree.folder, "old.so"))
        last = max(glob.glob(os.path.join(tree.folder, "migrations", "[0-9]*.sql")))
        kept["migration"] = os.path.join("migrations", "%04d_made_up.sql" % (int(os.path.basename(last)[:4]) + 1))
        with Cluster("server") as server:
            play.load(server)
            with contextlib.closing(play.Stage(server)) as stage:
                stage.value("SELECT play.register('amina'), play.report('amina', 'first')")
                tokens.update(stage.rows("SELECT name, token FROM play.person"))
            status = run_tests(globals())
    finally:
        tree.remove()
    sys.exit(status)
