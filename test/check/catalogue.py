"""Prints what breaks a rule in the catalogue of a fresh database: "rule function".  With the argument write it writes
migrations/definitions: what policies, triggers, views and row security the migrations make."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import ROOT, Cluster

FUNCTIONS = """
    SELECT p.oid::regprocedure::text, p.prokind, l.lanname, p.proconfig, p.prosecdef,
           EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
                   WHERE a.grantee = 0 AND a.privilege_type = 'EXECUTE')
    FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
    WHERE p.pronamespace::regnamespace::text LIKE 'kintaraa%' ORDER BY 1
"""

PATH = os.path.join(ROOT, "migrations", "definitions")
# As kintaraa.migrate() runs them, and without what it puts back afterwards.
MIGRATE = """
    SET search_path = ''; SET client_min_messages = warning;
    DO $$
    DECLARE
        step record;
    BEGIN
        FOR step IN SELECT m.script FROM kintaraa.migrations() AS m ORDER BY m.number LOOP
            SET LOCAL row_security = off;
            SET LOCAL ROLE kintaraa_owner;
            EXECUTE step.script;
            SET LOCAL ROLE kintaraa_owner;
            PERFORM kintaraa.change_flush();
            SET LOCAL ROLE NONE;
        END LOOP;
    END
    $$
"""


def definitions(cluster):
    """The lines of the file as they should be."""
    cluster.psql("CREATE DATABASE definitions", database="postgres")
    cluster.psql("SET client_min_messages = warning; CREATE EXTENSION kintaraa CASCADE", database="definitions")
    cluster.psql(MIGRATE, database="definitions")
    with open(PATH, encoding="utf-8") as file:
        head, *lines = file.read().splitlines()
    kept = {tuple(line.split("\t")[:2]): line for line in lines}
    for kind, name, _, found in cluster.psql("SELECT * FROM kintaraa.definitions()", database="definitions"):
        kept.pop((kind, name), None)
        if found is not None:
            kept[kind, name] = "\t".join((kind, name, found))
    return [head] + sorted(kept.values()), [head] + lines


def check(cluster):
    for name, kind, language, config, definer, public in cluster.psql(FUNCTIONS):
        # A C function resolves nothing by name itself, hence only its rights' change needs the pin; a
        # procedure that commits cannot have one and pins the path in its first statement.
        pinned = any(item.startswith("search_path=") for item in config or [])
        if not pinned and (definer or (language != "c" and kind != "p")):
            print("search_path", name)
        if public:
            print("public", name)
    wanted, found = definitions(cluster)
    for line in sorted(set(wanted) ^ set(found)):
        print("definitions", line[:100])


def build():
    subprocess.run(["make", "-s", "-C", os.path.join(ROOT, "extension")], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([os.path.join(ROOT, "test", "local", "server"), "make"], check=True)


def put(lines):
    with open(PATH + ".new", "w", encoding="utf-8") as file:
        file.write("".join(line + "\n" for line in lines))
    os.rename(PATH + ".new", PATH)
    build()


def write():
    """From an empty list, so that nothing is put back that a migration has taken away."""
    with open(PATH, encoding="utf-8") as file:
        put(file.read().splitlines()[:1])
    with Cluster("catalogue") as cluster:
        put(definitions(cluster)[0])


if sys.argv[1:] == ["write"]:
    write()
else:
    with Cluster("catalogue") as cluster:
        check(cluster)
