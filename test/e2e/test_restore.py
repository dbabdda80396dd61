"""A dump restored into an empty cluster is the same state: schema, owners, every row; and work goes on."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Cluster, run_tests

import play

PROGRAMS = "/usr/lib/postgresql/15/bin"
WHERE = "case_work"


def tool(cluster, name, *arguments, **options):
    done = subprocess.run([os.path.join(PROGRAMS, name), "-h", cluster.host, "-p", str(cluster.port), "-U", "postgres",
        *arguments],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    assert done.returncode == 0, "%s: %s" % (name, done.stderr.decode()[-2000:])
    return done.stdout


def schema_of(cluster):
    """The schema as text, without what names this very dump."""
    text = tool(cluster, "pg_dump", "-s", "-d", WHERE).decode()
    # a view whose column is named by its type's name comes back without AS: the server's way to print it
    return [line.replace("::text AS text,", "::text,") for line in text.splitlines() if line and not line.startswith((
        "--", "\\restrict", "\\unrestrict"))]


def rows_of(cluster):
    tables = [row[0] for row in cluster.psql("SELECT c.oid::regclass::text FROM pg_class c WHERE relnamespace = "
                                             "'kintaraa'::regnamespace AND relkind = 'r' "
                                             "AND relpersistence = 'p' ORDER BY 1", database=WHERE)]
    return {t: cluster.psql("SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM %s t" % t,
        database=WHERE)[0] for t in tables}


def owners_of(cluster):
    return cluster.psql("SELECT c.relname::text, c.relowner::regrole::text, c.relacl::text FROM pg_class c WHERE "
                        "relnamespace = 'kintaraa'::regnamespace ORDER BY 1", database=WHERE) + \
        cluster.psql("SELECT p.oid::regprocedure::text, p.proowner::regrole::text, p.proacl::text FROM pg_proc p "
                     "WHERE pronamespace IN "
                     "('kintaraa'::regnamespace, 'kintaraa_api'::regnamespace) ORDER BY 1", database=WHERE)


def fill(cluster):
    cluster.psql("CREATE DATABASE %s TEMPLATE kintaraa_tap" % WHERE, database="postgres")
    play.load(cluster, WHERE)
    stage = play.Stage(cluster, WHERE)
    stage.value("SELECT play.helper('clinic', 'healthcare', -1.28, 36.82), play.staff('dora', 'dispatcher'), "
                "play.register('amina')")
    for n in range(12):
        stage.value("SELECT play.report('amina', %s, '{medical,legal}', '{\"description\": \"words\", "
                    "\"urgencyLevel\": \"urgent\"}')", "r%d" % n)
    for row in stage.rows("SELECT a.id::text FROM kintaraa.assignment a WHERE status = 'pending' LIMIT 5"):
        stage.outcome("assignment_accept", "clinic", [row[0]])
    stage.outcome("incident_delete", "amina", ["r3"])
    stage.outcome("incident_status", "amina", ["r4"], {"status": "closed"})
    assert not stage.broken()
    stage.close()


def make_empty():
    """As a DBA would: the same key ring, no database of ours, none of our roles."""
    for name in ("kintaraa", "kintaraa_tap", WHERE):
        if empty.psql("SELECT 1 FROM pg_database WHERE datname = %s", (name,), database="postgres"):
            empty.psql("ALTER DATABASE %s IS_TEMPLATE false" % name, database="postgres")
            empty.psql("DROP DATABASE %s (FORCE)" % name, database="postgres")
    for row in empty.psql("SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'kintaraa%'", database="postgres"):
        empty.psql("DROP OWNED BY %s; DROP ROLE %s" % (row[0], row[0]), database="postgres")
    assert empty.psql("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'kintaraa%'", database="postgres") == [(0,)]
    empty.psql("CREATE DATABASE %s" % WHERE, database="postgres")


def give_ring():
    with open(os.path.join(source.folder, "keys", "keyring"), "rb") as file:
        ring = file.read()
    keys = os.path.join(empty.folder, "keys", "keyring")
    owner = os.stat(keys)
    with open(keys, "wb") as file:
        file.write(ring)
    os.chown(keys, owner.st_uid, owner.st_gid)
    empty.settings(kintaraa__worker="off", shared_preload_libraries="kintaraa")
    empty.restart()


def restore(arguments):
    make_empty()
    if arguments is None:
        tool(empty, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", WHERE, input=plain)
    else:
        tool(empty, "pg_restore", "-d", WHERE, "--exit-on-error", *arguments, dump)
    empty.psql("CALL kintaraa.migrate()", database=WHERE)
    compare()


def compare():
    got, wanted = schema_of(empty), schema_of(source)
    assert got == wanted, [line for line in got if line not in wanted][:5] + [line for line in wanted if line not
        in got][:5]
    assert rows_of(empty) == rows_of(source)
    assert owners_of(empty) == owners_of(source)
    stage = play.Stage(empty, WHERE)
    outcome, body = stage.call("incident_get", "amina", ["r1"])
    assert outcome == "ok" and body["description"] == "words", body
    assert stage.outcome("incident_update", "amina", ["r1"], {"description": "goes on"}) == "ok"
    assert stage.outcome("incident_create", "amina", None, {"id": "after", "supportServices": ["medical"]}) == "created"
    assert stage.value("SELECT count(*) FROM pg_class WHERE relnamespace = 'kintaraa'::regnamespace AND relkind = 'r' "
                       "AND NOT relforcerowsecurity") == 1
    assert not stage.broken(), stage.broken()
    stage.close()


def test_custom_dump_in_two_jobs_into_an_empty_cluster():
    restore(["-j", "2"])


def test_plain_dump_into_an_empty_cluster():
    restore(None)


def test_the_comparison_would_see_a_difference():
    before = rows_of(source)
    source.psql("UPDATE kintaraa.setting SET help = help || '.' WHERE name = 'hotlines'", database=WHERE)
    after = rows_of(source)
    changed = [t for t in before if before[t] != after[t]]
    assert changed == ["kintaraa.audit", "kintaraa.setting"], changed


if __name__ == "__main__":
    with Cluster("source") as source, Cluster("empty") as empty:
        give_ring()
        fill(source)
        dump = os.path.join(source.folder, "dump")
        plain = tool(source, "pg_dump", "-d", WHERE)
        with open(dump, "wb") as out:
            out.write(tool(source, "pg_dump", "-Fc", "-d", WHERE))
        sys.exit(run_tests(globals()))
