#!/usr/bin/python3
"""Statements read what they are about and no more, also by plans that were made when little was known."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import play
from harness import Cluster, run_tests

RECORDS = 1000
CONTEXT = '{"requestId": "cold", "network": "192.0.2.0"}'


def door(name, query=None, body=None, path=None):
    with connection.cursor() as cursor:
        cursor.execute("SELECT outcome, body FROM kintaraa_api.%s(%%s, %%s, %%s, %%s, %%s)" % name,
                       (token, path, json.dumps(query or {}), body and json.dumps(body), CONTEXT))
        outcome, answer = cursor.fetchone()
    assert outcome == "ok", answer
    return answer


def rows_read(table):
    """Of that table, by this connection since it last told the statistics: at least by this transaction so far."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = %s", [table])
        return cursor.fetchone()[0]


def everything():
    answer = door("sync_pull", {"last_pulled_at": "null"})
    changes = answer["changes"]
    while answer["hasMore"]:
        answer = door("sync_pull", {"last_pulled_at": "null", "pageToken": answer["pageToken"]})
        for table in changes:
            changes[table]["updated"] += answer["changes"][table]["updated"]
    return changes


def test_a_large_pull_reads_each_stamp_a_few_times():
    for _ in range(6):
        everything()
        door("sync_updates")
        door("incident_list")
        door("personal_list", path=["journal_entry"])
    connection.commit()
    for half in range(2):
        door("sync_batch", body={"device": "cold", "records": [
            {"table": "journal_entries", "op": "upsert", "id": "entry-%d-%d" % (half, i), "data": {"text": "a day"}}
            for i in range(RECORDS // 2)]})
        connection.commit()
    assert len(everything()["journal_entries"]["updated"]) == RECORDS
    read = rows_read("change")
    connection.rollback()
    assert read < 8 * RECORDS, read


def test_a_batch_reads_what_its_device_sent_before_no_more_than_once():
    door("sync_batch", body={"device": "cold", "records": [
        {"table": "journal_entries", "op": "upsert", "id": "late-%d" % i, "data": {"text": "a day"}}
        for i in range(100)]})
    read = rows_read("applied")
    connection.rollback()
    assert read < 500, read


def pages(name, path=None):
    """Rows of each page of a list, by following next to the end, and what each read of the table."""
    after, table = None, "incident" if path is None else "personal"
    while True:
        before = rows_read(table)
        answer = door(name, {"limit": "20", **({"after": after} if after else {})}, path=path)
        read = rows_read(table) - before
        connection.rollback()
        yield len(answer["items"]), read
        after = answer["next"]
        if after is None:
            return


def test_each_page_of_a_list_reads_its_own_rows():
    cluster.psql("SELECT count(play.report('amina', 'listed-' || n)) FROM generate_series(1, 200) n")
    for name, path, least in (("incident_list", None, 200), ("personal_list", ["journal_entry"], RECORDS)):
        shown, read = zip(*pages(name, path))
        assert sum(shown) >= least, (name, shown)
        assert max(read) < 60, (name, read)


def test_a_fold_reads_the_teams_that_were_asked():
    cluster.psql("SELECT count(play.team('healthcare', -1.3, 36 + n * 0.001, 1000, true)) "
                 "FROM generate_series(1, 1000) n")
    cluster.psql("SELECT kintaraa.dispatch_refresh(), kintaraa.dispatch_fold()")
    cluster.psql("SELECT count(play.report('amina', n::text)) FROM generate_series(1, 700) n")
    cluster.psql("ANALYZE; SELECT kintaraa.dispatch_fold()")
    cluster.psql("SELECT play.report('amina', 'one-more')")
    with connection.cursor() as cursor:
        cursor.execute("SELECT kintaraa.dispatch_fold()")
        assert cursor.fetchone()[0] > 0
    read = rows_read("provider_dispatch") + rows_read("assignment")
    connection.rollback()
    assert read < 50, read


def test_a_batch_of_reports_reads_no_other_reports_of_hers():
    door("sync_batch", body={"device": "cold", "records": [
        {"table": "incidents", "op": "upsert", "id": "batched-%d" % i, "data": {"supportServices": ["medical"]}}
        for i in range(20)]})
    read = {table: rows_read(table) for table in ("incident", "need", "change", "applied")}
    connection.rollback()
    assert max(read.values()) < 300, read


def engaged(team, number):
    """Needs of that team, as if it had accepted each; nothing fires."""
    cluster.psql("""
        SET session_replication_role = replica;
        CREATE TEMP TABLE made AS SELECT gen_random_uuid() AS id, gen_random_uuid() AS need
                                    FROM generate_series(1, %(number)s);
        INSERT INTO kintaraa.incident (id, owner_id, client_key, case_number, status, urgency_level, created_hash)
        SELECT m.id, p.id, uuid_send(m.id), m.id, 'assigned', 'routine', '\\x00'
          FROM made AS m, play.person AS p WHERE p.name = 'amina';
        INSERT INTO kintaraa.need (bucket, id, service, state, urgency_level, contacted_at)
        SELECT id, need, 'medical', 'engaged', 'routine', now() FROM made;
        INSERT INTO kintaraa.assignment (id, provider_id, incident_bucket, need_id, service, status, urgency_level,
                                         level, round)
        SELECT gen_random_uuid(), %(team)s::uuid, id, need, 'medical', 'accepted', 'routine', 0, 1 FROM made;
        UPDATE kintaraa.provider_dispatch SET load = load + %(number)s WHERE provider_id = %(team)s;
        DROP TABLE made""", {"team": team, "number": number})


def owners():
    with connection.cursor() as cursor:
        cursor.execute("SELECT ok, detail FROM kintaraa.health() WHERE \"check\" = 'owners'")
        return cursor.fetchone()


def test_health_reads_the_work_of_those_teams_only_that_nobody_mans():
    cluster.psql("SET session_replication_role = replica; INSERT INTO kintaraa.account (id, role, email_index, "
                 "email_sealed, password_hash, language, is_anonymous) SELECT gen_random_uuid(), 'survivor', "
                 "sha256(n::text::bytea), '\\x00', '\\x00', 'en', true FROM generate_series(1, 2000) AS n")
    cluster.psql("SELECT play.helper('clinic', 'legal', -1.3, 36)")
    engaged(cluster.value("SELECT provider FROM play.person WHERE name = 'clinic'"), 2000)
    telephone = cluster.value("SELECT play.team('chw', -1.3, 36, 1000, true)")
    engaged(telephone, 3)
    for known in ("little", "all"):
        assert owners() == (True, "0 needs given to teams without active staff"), "dispatchers answer for it"
        read = {table: rows_read(table) for table in ("need", "assignment", "account")}
        connection.rollback()
        assert max(read.values()) < 100, (known, read)
        cluster.psql("ANALYZE kintaraa.need, kintaraa.assignment, kintaraa.account, kintaraa.provider_dispatch")
    cluster.psql("SET session_replication_role = replica; "
                 "UPDATE kintaraa.provider SET by_telephone = false WHERE id = %s", (telephone,))
    assert owners() == (False, "3 needs given to teams without active staff")
    read = {table: rows_read(table) for table in ("need", "assignment", "account")}
    connection.rollback()
    assert max(read.values()) < 100, read


with Cluster("cold", autovacuum="off", kintaraa__worker="off") as cluster:
    play.load(cluster)
    play.Stage(cluster).value("SELECT play.register('amina')")
    cluster.psql("SELECT kintaraa.epoch_check(), kintaraa.tick_write(true)")
    cluster.psql("ANALYZE")
    token = cluster.value("SELECT token FROM play.person WHERE name = 'amina'")
    connection = cluster.connect(autocommit=False)
    sys.exit(run_tests(globals()))
