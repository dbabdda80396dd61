#!/usr/bin/python3
"""A database of version 1.0 comes over: by ALTER EXTENSION UPDATE and migrate(), to what a fresh installation is."""
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import psycopg2

import harness
from catalogue import catalogue_of
from harness import Cluster, run_tests, wait_until
from tree import EXTENSIONS, Tree

COMPARED = ("schemas", "relations", "columns", "indexes", "row security", "domains", "triggers", "constraints",
            "functions", "members of extensions", "default rights")


def database(name, version=""):
    server.psql("CREATE DATABASE %s" % name, database="postgres")
    server.psql("SET client_min_messages = warning; CREATE EXTENSION kintaraa %s CASCADE" % version, database=name)


def code_of(name):
    """The catalogue as far as it is code."""
    found = catalogue_of(server, name)
    return {part: set(found[part]) for part in ("schemas", "functions", "members of extensions")}


def check_same(got, wanted):
    for part in wanted:
        assert got[part] == wanted[part], (part, sorted(got[part] - wanted[part])[:3],
                                           sorted(wanted[part] - got[part])[:3])


def test_code_of_1_0_becomes_what_is_installed_afresh():
    database("fresh")
    database("old", "VERSION '1.0'")
    server.psql("ALTER EXTENSION kintaraa UPDATE", database="old")
    check_same(code_of("old"), code_of("fresh"))


def test_functions_that_somebody_changed_come_back_and_rights_that_a_dba_gave_stay():
    server.psql("CREATE OR REPLACE FUNCTION kintaraa.refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS "
                "'BEGIN RETURN NULL; END'; CREATE ROLE monitor; GRANT EXECUTE ON FUNCTION kintaraa.health TO monitor",
                database="old")
    server.psql("BEGIN; ALTER EXTENSION kintaraa UPDATE TO 'again'; ALTER EXTENSION kintaraa UPDATE; COMMIT",
                database="old")
    assert server.value("SELECT has_function_privilege('monitor', 'kintaraa.health()', 'EXECUTE')", database="old")
    server.psql("REVOKE ALL ON FUNCTION kintaraa.health FROM monitor; DROP ROLE monitor", database="old")
    check_same(code_of("old"), code_of("fresh"))


def test_a_database_that_was_closed_comes_over():
    server.psql("SELECT kintaraa.close_database()", database="old")
    server.psql("CALL kintaraa.migrate()", database="old")
    assert server.value("SELECT bool_and(ok) FROM kintaraa.health() WHERE \"check\" IN ('migrations', 'closed')",
                        database="old")


def test_a_new_database_of_another_encoding_is_refused():
    server.psql("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0", database="postgres")
    server.psql("SET client_min_messages = warning; CREATE EXTENSION kintaraa CASCADE", database="latin")
    try:
        server.psql("CALL kintaraa.migrate()", database="latin")
    except psycopg2.Error as error:
        assert "is LATIN1, and not UTF8" in str(error), error
    else:
        raise AssertionError("it was migrated")
    for call in ("invite('admin')", "bar(gen_random_uuid(), gen_random_uuid())", "audit_verify()",
                 "provider_import('X', 'healthcare', 'facility_id,name,latitude,longitude')"):
        try:
            server.psql("SELECT kintaraa." + call, database="latin")
        except psycopg2.Error as error:
            assert "migrations are missing" in str(error), (call, error)
    assert server.value("SELECT NOT ok FROM kintaraa.health() WHERE \"check\" = 'encoding'", database="latin")


def test_maintenance_that_was_left_on_is_noticed():
    seen = "SELECT ok, detail FROM kintaraa.health() WHERE \"check\" = 'maintenance'"
    assert server.psql(seen, database="fresh") == [(True, "off")]
    server.settings(kintaraa__maintenance="upload_only")
    server.reload()
    wait_until(lambda: server.psql(seen, database="fresh") == [(False, "upload_only")])


if __name__ == "__main__":
    tree = Tree("old")
    try:
        with Cluster("server") as server:
            # only now, so that the prepared data directory is that of this version
            shutil.copy(os.path.join(harness.ROOT, "test", "data", "kintaraa--1.0.sql"),
                        os.path.join(tree.server, EXTENSIONS))
            status = run_tests(globals())
    finally:
        tree.remove()
    sys.exit(status)
