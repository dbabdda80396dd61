#!/usr/bin/python3
"""An upgrade of the extension as docs/upgrade.md has it: make install, restart, ALTER EXTENSION UPDATE, migrate().  No
second version has been released, so one is made up here: what is built is this code, one function, one migration and
a changed comment more, under the number 1.1."""
import contextlib
import glob
import os
import re
import shutil
import subprocess
import sys

import psycopg2

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import harness
import play
from catalogue import catalogue_of, rows_of
from harness import Cluster, run_tests, wait_until
from phones import Phone, check_has_all, epochs, ready, settle, tokens

TREE = os.path.join(harness.ROOT, ".build", "version-%d" % os.getpid())
LIBRARY = os.path.join("lib", "postgresql", "15", "lib", "kintaraa.so")
FUNCTION = """CREATE FUNCTION kintaraa.made_up() RETURNS integer
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$ SELECT count(*)::integer FROM kintaraa.made_up $$;
COMMENT ON FUNCTION kintaraa.made_up IS 'Counts what was made up.';
"""
COMMENT = "COMMENT ON FUNCTION kintaraa.seal IS 'Seals, as of 1.1.';\n"
MIGRATION = """CREATE TABLE kintaraa.made_up (id integer PRIMARY KEY);
ALTER TABLE kintaraa.made_up ENABLE ROW LEVEL SECURITY;
ALTER TABLE kintaraa.made_up FORCE ROW LEVEL SECURITY;
GRANT SELECT ON kintaraa.made_up TO kintaraa_system;
CREATE POLICY made_up ON kintaraa.made_up FOR ALL TO kintaraa_system USING (true);
ALTER TABLE kintaraa.setting ADD COLUMN made_up boolean NOT NULL DEFAULT true;
"""
BROKEN = "SELECT \"check\", hint FROM kintaraa.health() WHERE NOT ok"


def write(path, text):
    with open(os.path.join(TREE, path), "w") as file:
        file.write(text)


def make(*command):
    done = subprocess.run(command, cwd=TREE, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout[-2000:]


def make_tree():
    """The sources and what is built of them, so that only what is new is compiled."""
    for name in ("extension", "sql", "migrations", os.path.join("test", "local"), os.path.join(".build", "extension")):
        shutil.copytree(os.path.join(harness.ROOT, name), os.path.join(TREE, name), symlinks=True)
    shutil.copy(os.path.join(harness.ROOT, "Makefile"), TREE)
    harness.LOCAL = os.path.join(TREE, "test", "local")
    make("test/local/server", "make")


def install():
    """What make install does, into a server of our own."""
    make("make", "-s", "-C", "extension")
    make("test/local/server", "make")


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
    control = os.path.join("extension", "kintaraa.control")
    with open(os.path.join(TREE, control)) as file:
        text, times = re.subn(r"default_version = '1\.0'", "default_version = '1.1'", file.read())
    assert times == 1, "a version has been released: take it instead of the one made up here"
    write(control, text)
    write(os.path.join("sql", "85_made_up.sql"), FUNCTION + COMMENT)
    write(os.path.join("migrations", "kintaraa--1.0--1.1.sql"),
          FUNCTION + COMMENT + "REVOKE ALL ON FUNCTION kintaraa.made_up FROM PUBLIC;\n")
    # the state of this one cannot be made: the last statement of its migration fails
    write(kept["migration"], MIGRATION + "SELECT 1 / 0;\n")
    install()
    assert server.psql(BROKEN) == kept["broken"], "the old library runs on until the restart"
    server.restart()
    assert hint_of_migrations() == "Run CALL kintaraa.migrate().", server.psql(BROKEN)
    server.psql("ALTER EXTENSION kintaraa UPDATE")
    assert server.value("SELECT extversion FROM pg_extension WHERE extname = 'kintaraa'") == "1.1"
    assert server.value("SELECT obj_description('kintaraa.seal'::regproc)") == "Seals, as of 1.1."


def test_a_migration_that_fails_leaves_nothing_behind():
    before = server.value("SELECT max(number) FROM kintaraa.migration")
    for _ in range(2):
        assert code_of(migrate) == "22012"
        assert server.value("SELECT max(number) FROM kintaraa.migration") == before
        assert server.value("SELECT to_regclass('kintaraa.made_up') IS NULL")


def test_the_next_one_goes_on_from_there_and_phones_with_it():
    write(kept["migration"], MIGRATION)
    install()
    server.restart()
    migrate()
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
    os.replace(os.path.join(TREE, "old.so"), os.path.join(TREE, "put.so"))
    os.replace(os.path.join(TREE, "put.so"), os.path.join(harness.home(), "server", LIBRARY))
    server.restart()
    assert hint_of_migrations() == "Install the version of kintaraa that migrated this database."
    assert code_of(migrate) == "55000"


if __name__ == "__main__":
    kept = {}
    try:
        make_tree()
        shutil.copy(os.path.join(harness.home(), "server", LIBRARY), os.path.join(TREE, "old.so"))
        last = max(glob.glob(os.path.join(TREE, "migrations", "[0-9]*.sql")))
        kept["migration"] = os.path.join("migrations", "%04d_made_up.sql" % (int(os.path.basename(last)[:4]) + 1))
        with Cluster("server") as server:
            play.load(server)
            with contextlib.closing(play.Stage(server)) as stage:
                stage.value("SELECT play.register('amina'), play.report('amina', 'first')")
                tokens.update(stage.rows("SELECT name, token FROM play.person"))
            status = run_tests(globals())
    finally:
        for folder in {harness.home(), TREE}:
            shutil.rmtree(folder, ignore_errors=True)
    sys.exit(status)
