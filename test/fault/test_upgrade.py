#!/usr/bin/python3
"""pg_upgrade: a real run from one cluster of PostgreSQL 15 to another.  Phones go on with the cursors they had; where
nobody adopts the epoch, or where it is no upgrade, they read anew and miss nothing."""
import contextlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import play
from catalogue import catalogue_of, rows_of
from harness import Cluster, Gateway, Socket, home, run_tests, wait_until
from phones import (Phone, check_has_all, code_of, dump_of, epochs, give_ring, is_refused_to_adopt, ready, run, settle,
                    tokens, tool)

SERVER = os.path.join("server", "lib", "postgresql", "15", "bin")  # ours, in the home of clusters
SETTINGS = ("postgresql.conf", "extra.conf", "pg_hba.conf", "pg_ident.conf")

BROKEN = "SELECT \"check\", hint FROM kintaraa.health() WHERE NOT ok"


def make_old():
    play.load(old)
    stage = play.Stage(old)
    stage.value("SELECT play.register('amina'), play.register('zawadi'), "
                "play.helper('clinic', 'healthcare', -1.28, 36.82, 1000), play.staff('dora', 'dispatcher')")
    for n in range(4):
        stage.value("SELECT play.report('amina', %s, '{medical,legal}', '{\"description\": \"words\"}')", "old-%d" % n)
    for row in stage.rows("SELECT a.id::text FROM kintaraa.assignment a WHERE status = 'pending' LIMIT 2"):
        stage.outcome("assignment_accept", "clinic", [row[0]])
    stage.outcome("incident_delete", "amina", ["old-3"])
    tokens.update(stage.rows("SELECT name, token FROM play.person"))
    # the counter of transactions is far beyond that of a new server
    stage.value("DO $$ BEGIN FOR i IN 1..20000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$")
    stage.close()


def make_empty(server):
    """initdb as docs/install.md has it, and the settings of the server that was there."""
    data = os.path.join(server.folder, "data")
    server.stop()
    aside = os.path.join(server.folder, "log", "settings")
    run("mkdir", aside)
    run("cp", "-p", *[os.path.join(data, name) for name in SETTINGS], aside)
    empty_folder(data)
    run(os.path.join(home(), SERVER, "initdb"), "-D", data, "-U", "postgres", "-A", "reject", "--encoding=UTF8",
        "--locale=C.UTF-8", "--data-checksums", "--no-sync")
    run("cp", "-p", *[os.path.join(aside, name) for name in SETTINGS], data)


def empty_folder(folder):
    for name in os.listdir(folder):
        run("rm", "-r", os.path.join(folder, name))


def pg_upgrade(*arguments):
    programs = os.path.join(home(), SERVER)
    work = os.path.join(new.folder, "log", "work")
    run("mkdir", "-p", work)
    return run(os.path.join(programs, "pg_upgrade"), "-b", programs, "-B", programs, "-U", "postgres",
               "-d", os.path.join(old.folder, "data"), "-D", os.path.join(new.folder, "data"),
               "-p", str(old.port), "-P", str(new.port), "-s", new.host, "-j", "2", "--retain", *arguments, folder=work)


# The upgrade

def test_a_phone_holds_cursors_and_has_news_to_fetch():
    fresh, stale, clinic = Phone("amina", "fresh", old), Phone("amina", "stale", old), Phone("clinic", "desk", old)
    fresh.write(old, "before-the-upgrade")
    settle(old)
    fresh.pull(old)
    kept.update(fresh=fresh, stale=stale, clinic=clinic, broken=old.psql(BROKEN))
    kept["held"] = {name: kept[name].copy() for name in ("fresh", "stale", "clinic")}
    kept["gateway"].stop()
    # what is compared is what nobody writes to any more
    old.settings(shared_preload_libraries="kintaraa", kintaraa__worker="off")
    old.restart()
    kept["rows"], kept["catalogue"] = rows_of(old), catalogue_of(old)
    kept["dump"] = dump_of(old)
    old.settings(shared_preload_libraries="pg_cron,kintaraa", kintaraa__worker="on")
    old.stop()


def test_pg_upgrade_goes_through():
    # the worker and pg_cron are on in both, as they are for whoever forgets
    make_empty(new)
    print("# " + pg_upgrade("--check").strip().replace("\n", "\n# "))
    assert "Upgrade Complete" in pg_upgrade()
    run("cp", "-a", os.path.join(new.folder, "data"), os.path.join(new.folder, "log", "upgraded"))


def test_no_worker_of_ours_wrote_while_pg_upgrade_had_the_servers_up():
    # what it wrote in the old one would be of transactions that the new one gives again
    logs = run("grep", "-rhE", "kintaraa|database system is ready", "--include=pg_upgrade_server.log",
               os.path.join(new.folder, "data", "pg_upgrade_output.d")).splitlines()
    assert sum("is ready" in line for line in logs) >= 3, "it started them"
    assert not [line for line in logs if "kintaraa" in line and not line.startswith("command:")], logs


def test_everything_is_there():
    give_ring(old, new)
    new.settings(shared_preload_libraries="kintaraa", kintaraa__worker="off")
    new.start()
    got = rows_of(new)
    assert got["kintaraa.incident"][0] == 4 and len(got) > 30
    assert got == kept["rows"], {t for t in got if got[t] != kept["rows"].get(t)}
    got = catalogue_of(new)
    for name, wanted in kept["catalogue"].items():
        assert wanted or name in ("settings of roles", "default rights"), name
        assert got[name] == wanted, (name, sorted(set(got[name]) ^ set(wanted))[:6])
    assert new.value("SELECT bool_and(unstamped = 0 AND orphaned = 0) FROM kintaraa.verify_changes()")


def test_nothing_is_answered_before_the_epoch_is_adopted():
    for name in ("fresh", "stale", "clinic"):
        assert code_of(kept[name].pull, new) == "KN901", name
    new.psql("SELECT kintaraa.adopt_epoch()")
    assert [row[:2] for row in epochs(new)] == [(1, "first")]


def test_phones_go_on_with_the_cursors_they_had():
    for name in ("fresh", "stale", "clinic"):
        phone = kept[name]
        answer = phone.pull(new)
        assert not answer["resync"], name
        sent = [record["id"] for record in answer["journalEntries"]]
        assert sent == (["before-the-upgrade"] if name == "stale" else []), (name, sent)
        check_has_all(phone, new)
        assert phone.is_whole(new)


def test_the_worker_goes_on_in_the_same_epoch():
    new.settings(shared_preload_libraries="pg_cron,kintaraa", kintaraa__worker="on")
    new.restart()
    ready(new)
    assert [row[:2] for row in epochs(new)] == [(1, "first")], "no new one"
    wait_until(lambda: new.value("SELECT unsealed = 0 AND ok FROM kintaraa.audit_verify()"), 10, "it is sealed")
    wait_until(lambda: new.psql(BROKEN) == kept["broken"], 10, "health as before: %s" % kept["broken"])


def test_a_report_made_after_the_upgrade_reaches_everybody():
    stage = play.Stage(new)
    # its password came along
    new.gateway_dsn = new.gateway_dsn.replace(new.gateway_password, old.gateway_password)
    gateway = Gateway(new)
    before = kept["clinic"].cursor
    with gateway, contextlib.closing(stage), contextlib.closing(Socket(gateway, tokens["clinic"], before)) as desk:
        answer = gateway.api().post("/api/incidents", {"id": "after-the-upgrade", "supportServices": ["medical"]
            }, tokens["amina"])
        assert answer.status == 201, answer
        desk.expect("assignment.new", 10)
        assert "resync" not in [frame["type"] for frame in desk.frames], desk.frames
        for name in ("fresh", "stale", "clinic"):
            phone = kept[name]
            assert wait_until(lambda: not phone.pull(new)["empty"], 10, name)
            check_has_all(phone, new)
            assert phone.is_whole(new)
        offer = stage.value("SELECT play.offer('clinic', (SELECT id FROM kintaraa.incident WHERE client_key = "
                            "play.key('amina', 'incident', 'after-the-upgrade')))::text")
        assert stage.outcome("assignment_accept", "clinic", [offer]) == "ok"
        assert not stage.broken(), stage.broken()
        wait_until(lambda: stage.value("SELECT unsealed = 0 AND ok FROM kintaraa.audit_verify()"), 10, "it is sealed")


def test_adopting_what_is_open_here_already_is_refused():
    assert is_refused_to_adopt(new)


# What is no upgrade, or half of one

def test_whoever_forgets_to_adopt_begins_an_epoch_and_nobody_misses_anything():
    empty_folder(os.path.join(other.folder, "data"))
    give_ring(old, other)
    run("cp", "-a", os.path.join(new.folder, "log", "upgraded") + "/.", os.path.join(other.folder, "data"))
    other.settings(kintaraa__worker="on")
    other.start()
    ready(other)
    assert [row[:2] for row in epochs(other)] == [(1, "first"), (2, "restored")]
    assert is_refused_to_adopt(other), "it is too late"
    writer = Phone("amina", "writer", other)
    writer.write(other, "after-forgetting")
    settle(other)
    for name in ("fresh", "stale", "clinic"):
        phone = kept["held"][name]
        assert phone.pull(other)["resync"], name
        check_has_all(phone, other, *["before-the-upgrade", "after-forgetting"][:0 if name == "clinic" else 2])
        assert phone.is_whole(other)
    wait_until(lambda: other.value("SELECT unsealed = 0 AND ok FROM kintaraa.audit_verify()"), 10, "it is sealed")
    stage = play.Stage(other)
    assert stage.outcome("incident_create", "amina", None, {"id": "on", "supportServices": ["medical"]}) == "created"
    assert not stage.broken(), stage.broken()
    stage.close()


def test_a_restored_dump_is_not_adopted_wherever_its_server_counts():
    other.settings(kintaraa__worker="off")
    other.restart()
    for database in ("kintaraa", "kintaraa_tap"):
        other.psql("ALTER DATABASE %s IS_TEMPLATE false" % database, database="postgres")
        other.psql("DROP DATABASE %s (FORCE)" % database, database="postgres")
    other.psql("CREATE DATABASE kintaraa TEMPLATE template0", database="postgres")
    tool(other, "pg_restore", "-d", "kintaraa", "-j", "2", "--exit-on-error", kept["dump"])
    newest = "(SELECT max(x) FROM kintaraa.change)"
    assert other.value("SELECT pg_snapshot_xmax(pg_current_snapshot()) > " + newest), "it counts beyond the dump"
    assert is_refused_to_adopt(other)
    assert code_of(kept["held"]["fresh"].pull, other) == "KN901"
    other.psql("UPDATE kintaraa.tick SET snapshot = '9000000000:9000000000:' "
               "WHERE t = (SELECT max(t) FROM kintaraa.tick)")
    assert is_refused_to_adopt(other), "and before it"


if __name__ == "__main__":
    kept = {}
    with Cluster("old") as old, Cluster("new") as new, Cluster("other") as other:
        other.stop()
        make_old()
        kept["gateway"] = Gateway(old)
        status = run_tests(globals())
        if os.environ.get("KEEP"):
            os.system("cp -a %s /tmp/kept-log" % new.folder)
        sys.exit(status)
