#!/usr/bin/python3
"""Pulling through the gateway: every form of since, pages under change, grants and losses, commits that come late."""
import os
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import play
from harness import Cluster, Gateway, run_tests

NOUNS = ("incidents", "assignments", "notifications", "profiles", "safetyPlans", "emergencyContacts", "preferences",
         "moodEntries", "journalEntries", "notes")


def tick():
    """Everything committed so far is in the tick that this returns."""
    return cluster.value("SELECT kintaraa.tick_write(true)")


def iso(cursor):
    """A cursor as a time with six decimals."""
    seconds, rest = divmod(cursor, 1000000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + ".%06dZ" % rest


def now_ms():
    return int(time.time() * 1000)


def updates(who, since=None, device=None, token=None):
    query = [] if since is None else ["since=%s" % str(since).replace("+", "%2B")]
    query += [] if token is None else ["pageToken=" + token]
    answer = gateway.api(token=tokens[who]).get("/api/incidents/updates?" + "&".join(query),
                                                headers={"X-Device-Id": device} if device else {})
    assert answer.status == 200, answer
    return answer.body


def pull(who, since=None, more=""):
    answer = gateway.api(token=tokens[who]).get("/api/sync/pull?last_pulled_at=%s%s" % (since or "null", more))
    assert answer.status == 200, answer
    return answer.body


def put(who, noun, name, body):
    answer = gateway.api(token=tokens[who]).put("/api/me/records/%s/%s" % (noun, name), body)
    assert answer.status in (200, 201), answer
    return answer.body


def ids(answer, noun="moodEntries"):
    return sorted(record["id"] for record in answer[noun])


def is_empty(answer):
    return not any(answer[noun] for noun in NOUNS) and not answer["removed"]


def mark():
    """A mood of hers that is new, and the cursor before it."""
    global marks
    before = tick()
    marks += 1
    put("amina", "mood_entry", "mark-%d" % marks, {"mood": "sad"})
    tick()
    return before, "mark-%d" % marks


def test_without_since_everything_comes_and_nothing_is_removed():
    _, name = mark()
    whole = updates("amina")
    assert name in ids(whole) and whole["profiles"] and whole["removed"] == [] and not whole["resync"]
    for since in ("", "null", "undefined", "0"):
        answer = updates("amina", since)
        assert ids(answer) == ids(whole) and not answer["resync"], since


def test_a_cursor_brings_what_changed_since_as_a_number_or_a_time_with_six_decimals():
    before, name = mark()
    for since in (before, iso(before)):
        answer = updates("amina", since)
        assert ids(answer) == [name] and not answer["profiles"] and not answer["resync"], (since, answer)
    assert is_empty(updates("amina", tick())), "nothing is sent after the newest tick"


def test_a_value_between_two_ticks_means_the_older_one():
    before, name = mark()
    assert ids(updates("amina", before + 1000)) in ([name], []), "a millisecond later"
    assert name in ids(updates("amina", before - 1000 * 1000)), "a second earlier"


def test_the_answers_cursor_is_a_tick_and_never_goes_down():
    cursors = []
    for _ in range(5):
        mark()
        cursors.append(updates("amina")["cursor"])
    assert cursors == sorted(cursors)
    assert all(cluster.value("SELECT count(*) FROM kintaraa.tick WHERE t / 1000 = %s", [cursor // 1000]) == 1
               for cursor in cursors)


def test_a_time_of_the_phone_skips_nothing_on_a_device_that_is_not_known():
    _, name = mark()
    for since in (now_ms(), now_ms() + 3 * 86400000, now_ms() * 1000, iso(now_ms() * 1000)[:-4] + "Z",
                  iso(now_ms() * 1000)[:-5] + "+00:00", 1, "2020-01-01T00:00:00Z"):
        answer = updates("amina", since, "never seen")
        assert name in ids(answer) and answer["resync"], "%s: all of it, instead of what it has" % since


def test_a_time_of_the_phone_goes_back_to_what_its_device_is_known_to_have():
    first, name = mark()
    # as a server that has run for an hour
    cluster.psql("INSERT INTO kintaraa.tick (t, snapshot, epoch) SELECT t - 3600 * 1000000::bigint, "
                 "'3:3:'::pg_snapshot, epoch FROM kintaraa.tick ORDER BY t LIMIT 1")
    updates("amina", first, "phone")
    assert cluster.value("SELECT acked_tick FROM kintaraa.device WHERE id = 'phone'") == first
    for since in (now_ms(), now_ms() + 3 * 86400000, iso(now_ms() * 1000)[:-4] + "Z"):
        answer = updates("amina", since, "phone")
        assert name in ids(answer) and not answer["resync"], since
    assert name not in ids(updates("amina", tick(), "phone"))


def test_a_cursor_that_cannot_be_answers_with_everything():
    _, name = mark()
    for since, why in ((tick() + 60 * 1000000, "a tick of the future"),
                       (tick() // 1000 * 1000 + 999, "an unknown epoch"),
                       (1000000000000000 + 1, "older than anything kept"),
                       (9007199254740991, "the greatest number"), (10 ** 20 - 1, "a greater one")):
        answer = updates("amina", since)
        assert name in ids(answer) and answer["resync"], why
        assert pull("amina", since)["experimentalStrategy"] == "replacement", why
    assert "experimentalStrategy" not in pull("amina", tick())


def test_what_is_no_time_is_refused():
    for since in ("yesterday", "-5", "12x", "2026-13-01T00:00:00Z", "2026-01-32T00:00:00Z", "2026-01-01",
                  "2026-01-01T00:00:00"):
        answer = gateway.api(token=tokens["amina"]).get("/api/incidents/updates?since=" + since)
        assert answer.status == 422 and answer.body["code"] == "KN508", (since, answer)
    for token in ("x", "1.2.3.4", "1.%s.mood_entry.%s.more" % (amina, amina)):
        answer = gateway.api(token=tokens["amina"]).get("/api/incidents/updates?pageToken=" + token)
        assert answer.status == 422 and answer.body["code"] == "KN508", (token, answer)


def test_pages_are_the_whole_while_records_change():
    cluster.psql("INSERT INTO kintaraa.personal (id, owner_id, noun, client_key) "
                 "SELECT ('bbbb' || lpad(n::text, 4, '0') || '-0000-4000-8000-000000000000')::uuid, %s, "
                 "'journal_entry', convert_to('page-' || n, 'UTF8') FROM generate_series(1, 4500) AS n; "
                 "SELECT kintaraa.change_flush()", [zawadi])
    cluster.psql("ANALYZE kintaraa.personal, kintaraa.change")
    tick()
    held, pages, token, since = {}, 0, None, None
    while True:
        answer = updates("zawadi", since, token=token)
        for gone in answer["removed"]:
            held.pop(gone["id"], None)
        held.update({record["id"]: record["serverVersion"] for record in answer["journalEntries"]})
        assert sum(len(answer[noun]) for noun in NOUNS) + len(answer["removed"]) <= 2000
        pages += 1
        token = answer["pageToken"]
        # in front of the page and behind it, new, changed and gone
        cluster.psql("UPDATE kintaraa.personal SET body_sealed = NULL WHERE client_key IN ('page-%s', 'page-%s'); "
                     "UPDATE kintaraa.personal SET deleted_at = now() WHERE client_key IN ('page-%s', 'page-%s'); "
                     "INSERT INTO kintaraa.personal (id, owner_id, noun, client_key) "
                     "SELECT x::uuid, %s, 'journal_entry', convert_to(x, 'UTF8') FROM unnest(ARRAY[%s, %s]) AS x; "
                     "SELECT kintaraa.change_flush()",
                     [pages, 4400 + pages, 50 + pages, 4300 + pages, zawadi, "%08d-0000-4000-8000-000000000000" % pages,
                      "ffff%04d-0000-4000-8000-000000000000" % pages])
        tick()
        if not answer["hasMore"]:
            since = answer["cursor"]
            break
    assert pages >= 3, pages
    last = updates("zawadi", since)
    assert not last["hasMore"] and last["removed"], "what changed meanwhile is one page"
    for gone in last["removed"]:
        held.pop(gone["id"], None)
    held.update({record["id"]: record["serverVersion"] for record in last["journalEntries"]})
    truth = dict(cluster.psql("SELECT p.id::text, c.version FROM kintaraa.personal p JOIN kintaraa.change c "
                              "ON c.bucket = p.owner_id AND c.noun = p.noun AND c.id = p.id "
                              "WHERE p.owner_id = %s AND p.deleted_at IS NULL AND p.noun = 'journal_entry'", [zawadi]))
    assert held == truth, "%d held, %d there" % (len(held), len(truth))


def test_many_changes_since_a_cursor_come_in_pages_too():
    before = tick()
    cluster.psql("UPDATE kintaraa.personal SET body_sealed = NULL WHERE owner_id = %s AND noun = 'journal_entry' "
                 "AND deleted_at IS NULL; SELECT kintaraa.change_flush()", [zawadi])
    tick()
    wanted = {row for (row,) in cluster.psql("SELECT id::text FROM kintaraa.personal WHERE owner_id = %s "
                                             "AND noun = 'journal_entry' AND deleted_at IS NULL", [zawadi])}
    got, token = [], None
    while True:
        answer = updates("zawadi", before, token=token)
        got += ids(answer, "journalEntries")
        token = answer["pageToken"]
        if not answer["hasMore"]:
            break
    assert set(got) == wanted and len(got) == len(wanted), "each once: %d of %d" % (len(got), len(wanted))


def test_a_commit_that_comes_late_is_not_missed_and_an_early_one_not_repeated():
    before = tick()
    late = cluster.connect(autocommit=False)
    with late.cursor() as cursor:
        cursor.execute("INSERT INTO kintaraa.notification (id, account_id, class) "
                       "VALUES (gen_random_uuid(), %s, 'system') RETURNING id::text", [amina])
        name = cursor.fetchone()[0]
        cursor.execute("SELECT kintaraa.change_flush()")
    since = before
    for n in range(3):
        _, early = mark()
        answer = updates("amina", since)
        assert early in ids(answer) and name not in ids(answer, "notifications")
        since = tick()
        assert early not in ids(updates("amina", since)), "although the older transaction is still open"
    late.commit()
    late.close()
    tick()
    answer = updates("amina", since)
    assert ids(answer, "notifications") == [name] and ids(answer) == [], answer
    assert name in ids(updates("amina", before), "notifications")
    assert is_empty(updates("amina", tick()))


def test_what_was_rolled_back_never_comes():
    before = tick()
    connection = cluster.connect(autocommit=False)
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO kintaraa.notification (id, account_id, class) "
                       "VALUES (gen_random_uuid(), %s, 'system')", [amina])
        cursor.execute("SELECT kintaraa.change_flush()")
    tick()
    connection.rollback()
    connection.close()
    tick()
    assert is_empty(updates("amina", before))


def test_a_case_comes_with_the_acceptance_and_goes_with_the_release():
    incident = stage.value("SELECT play.report('amina', 'shared')::text")
    before = tick()
    assert incident not in ids(updates("clinic"), "incidents"), "an offer is no share"
    offer = str(stage.value("SELECT play.offer('clinic', %s)", incident))
    assert stage.call("assignment_accept", "clinic", [offer])[0] == "ok"
    granted = tick()
    answer = updates("clinic", before)
    assert incident in ids(answer, "incidents"), "although it is older than the cursor"
    assert offer in ids(answer, "assignments")
    assert "shared" in ids(updates("amina", before), "incidents"), "she sees who helps, under her own id"
    assert incident not in ids(updates("lawyer"), "incidents")
    assert stage.call("assignment_release", "clinic", [offer], {"reason": "fell ill"})[0] == "ok"
    tick()
    answer = updates("clinic", granted)
    assert {"noun": "incident", "id": incident, "reason": "access"} in answer["removed"], answer["removed"]
    assert incident not in ids(answer, "incidents") and incident not in ids(updates("clinic"), "incidents")
    row = [row for row in pull("clinic", granted)["changes"]["incidents"]["updated"] if row["id"] == incident]
    assert row == [{"id": incident, "removed": True}], "nothing but its id"
    assert updates("clinic")["removed"] == [], "who begins has nothing to forget"


def test_a_grant_and_its_loss_between_two_pulls_leave_nothing():
    incident = stage.value("SELECT play.report('amina', 'passing')::text")
    before = tick()
    offer = str(stage.value("SELECT play.offer('clinic', %s)", incident))
    assert stage.call("assignment_accept", "clinic", [offer])[0] == "ok"
    assert stage.call("assignment_release", "clinic", [offer], {"reason": "fell ill"})[0] == "ok"
    tick()
    answer = updates("clinic", before)
    assert incident not in ids(answer, "incidents")
    assert all(gone["id"] == incident for gone in answer["removed"])


def test_what_is_deleted_is_removed_under_the_id_of_the_phone():
    incident = stage.value("SELECT play.report('amina', 'Her-Own_id.7')::text")
    put("amina", "journal_entry", "Page.ONE", {"title": "gone soon"})
    offer = str(stage.value("SELECT play.offer('clinic', %s)", incident))
    assert stage.call("assignment_accept", "clinic", [offer])[0] == "ok"
    before = tick()
    api = gateway.api(token=tokens["amina"])
    assert api.delete("/api/incidents/Her-Own_id.7").status == 204
    assert api.delete("/api/me/records/journal_entry/Page.ONE").status == 204
    tick()
    gone = {(entry["noun"], entry["id"], entry["reason"]) for entry in updates("amina", before)["removed"]}
    assert gone >= {("incident", "Her-Own_id.7", "deleted"), ("journal_entry", "Page.ONE", "deleted")}, gone
    assert "Her-Own_id.7" not in ids(updates("amina"), "incidents")
    assert incident in {entry["id"] for entry in updates("clinic", before)["removed"]}, "from its helper as well"
    soft, hard = pull("amina", before), pull("amina", before, "&tombstones=hard")
    assert {"id": "Page.ONE", "removed": True} in soft["changes"]["journal_entries"]["updated"]
    assert soft["changes"]["journal_entries"]["deleted"] == []
    assert hard["changes"]["journal_entries"] == {"created": [], "updated": [], "deleted": ["Page.ONE"]}


def test_what_is_made_anew_under_the_id_of_what_was_deleted_is_removed_again():
    api = gateway.api(token=tokens["amina"], headers={"X-Device-Id": "anew"})
    stage.value("SELECT play.report('amina', 'twice')::text")
    put("amina", "journal_entry", "twice", {"title": "gone"})
    assert api.delete("/api/incidents/twice").status == 204
    assert api.delete("/api/me/records/journal_entry/twice").status == 204
    before = tick()
    assert updates("amina", before)["removed"] == []
    row = {"id": "twice", "server_version": 0, "_status": "created", "_changed": ""}
    answer = api.post("/api/sync/push?last_pulled_at=%d" % before, {
        "incidents": {"created": [{**row, "description": "anew"}], "updated": [], "deleted": []},
        "journal_entries": {"created": [{**row, "title": "anew"}], "updated": [], "deleted": []}})
    assert answer.status == 200 and "experimentalRejectedIds" not in answer.body, answer
    tick()
    gone = {(entry["noun"], entry["id"]) for entry in updates("amina", before)["removed"]}
    assert gone == {("incident", "twice"), ("journal_entry", "twice")}, gone


def test_a_change_of_a_need_is_a_change_of_its_case():
    incident = stage.value("SELECT play.report('amina', 'needy')::text")
    before = tick()
    cluster.psql("UPDATE kintaraa.need SET expected_by = now() + interval '7 hours' WHERE bucket = %s; "
                 "SELECT kintaraa.change_flush()", [incident])
    tick()
    assert ids(updates("amina", before), "incidents") == ["needy"]


def test_a_status_is_news_of_the_assignment_too():
    incident = stage.value("SELECT play.report('amina', 'moving')::text")
    offer = str(stage.value("SELECT play.offer('clinic', %s)", incident))
    assert stage.call("assignment_accept", "clinic", [offer])[0] == "ok"
    before = tick()
    assert stage.call("incident_status", "clinic", [incident], {"status": "completed", "reason": "helped"})[0] == "ok"
    tick()
    cards = [card for card in updates("clinic", before)["assignments"] if card["id"] == offer]
    assert cards and cards[0]["incident"]["status"] == "completed", cards


def test_who_is_barred_gets_nothing_of_a_case():
    incident = stage.value("SELECT play.report('amina', 'barred')::text")
    before = tick()
    assert incident in ids(updates("dora"), "incidents")
    cluster.psql("INSERT INTO kintaraa.barred SELECT %s, id FROM play.person WHERE name = 'dora'", [incident])
    cluster.psql("UPDATE kintaraa.incident SET status = status WHERE id = %s; SELECT kintaraa.change_flush()",
                 [incident])
    tick()
    assert incident not in str(updates("dora"))
    answer = updates("dora", before)
    assert {"noun": "incident", "id": incident, "reason": "access"} in answer["removed"], answer
    assert incident not in str(dict(answer, removed=[]))
    after = tick()
    cluster.psql("UPDATE kintaraa.incident SET status = status WHERE id = %s; SELECT kintaraa.change_flush()",
                 [incident])
    tick()
    assert incident not in str(updates("dora", after)), "once, and then nothing more"
    assert incident in ids(updates("dina", before), "incidents"), "another dispatcher does"


def test_who_is_barred_from_what_he_holds_drops_all_of_it():
    incident = stage.value("SELECT play.report('amina', 'held')::text")
    offer = str(stage.value("SELECT play.offer('clinic', %s)", incident))
    assert stage.call("assignment_accept", "clinic", [offer])[0] == "ok"
    note = {"table": "notes", "op": "upsert", "id": "held-note", "data": {"incidentId": incident, "text": "a word"}}
    assert stage.call("sync_batch", "clinic", None, {"device": "c", "records": [note]})[1]["results"][0]["status"] \
        == "applied"
    before = tick()
    assert offer in ids(updates("clinic"), "assignments") and incident in ids(updates("clinic"), "incidents")
    cluster.psql("SELECT kintaraa.bar(%s, (SELECT provider FROM play.person WHERE name = 'clinic'))", [incident])
    tick()
    answer = updates("clinic", before)
    gone = {(item["noun"], item["id"]) for item in answer["removed"]}
    assert {("incident", incident), ("assignment", offer), ("note", "held-note")} <= gone, answer
    assert incident not in str(dict(answer, removed=[])) and offer not in str(dict(answer, removed=[]))
    assert incident not in str(updates("clinic")) and offer not in str(updates("clinic"))
    again = stage.call("sync_batch", "clinic", None, {"device": "other", "records": [note]})[1]["results"][0]
    assert (again["status"], again["code"]) == ("parked", "scope"), again


def test_a_dispatcher_pulls_no_words_and_no_place():
    stage.value("SELECT play.report('amina', 'worded', '{medical}', %s)",
                '{"description": "under the mango tree", "location": {"address": "Plot 7"}}')
    tick()
    text = str(updates("dora")) + str(pull("dora"))
    assert "mango" not in text and "Plot 7" not in text
    assert "mango" in str(updates("amina"))


def test_staff_leave_a_trace_and_she_does_not():
    def trail():
        return cluster.value("SELECT count(*) FROM kintaraa.audit WHERE action IN ('sync_updates', 'sync_pull')")
    before = tick()
    stage.value("SELECT play.report('amina', 'traced')::text")
    tick()
    count = trail()
    updates("amina", before)
    pull("amina", before)
    assert trail() == count, "her own reading is hers"
    updates("dora", before)
    pull("dora", before)
    assert trail() == count + 2
    updates("dora", tick())
    assert trail() == count + 2, "reading nothing is no reading"


def test_nobody_is_sent_what_is_another_ones():
    put("amina", "journal_entry", "secret", {"content": "for nobody else"})
    tick()
    for who in ("zawadi", "clinic", "lawyer", "dora"):
        assert "for nobody else" not in str(pull(who)) and "secret" not in str(updates(who)["journalEntries"]), who


def test_watermelondb_gets_rows_it_can_store():
    stage.value("SELECT play.report('amina', 'flat')::text")
    tick()
    answer = pull("amina", more="&schema_version=1&migration=null")
    assert set(answer["changes"]) == {"incidents", "assignments", "notifications", "profiles", "safety_plans",
                                      "emergency_contacts", "preferences", "mood_entries", "journal_entries", "notes"}
    assert isinstance(answer["timestamp"], int) and 0 < answer["timestamp"] < 2 ** 53
    for table, lists in answer["changes"].items():
        assert set(lists) == {"created", "updated", "deleted"} and lists["created"] == lists["deleted"] == [], table
        names = [row["id"] for row in lists["updated"]]
        assert len(names) == len(set(names)), table
        for row in lists["updated"]:
            assert row["removed"] is False and isinstance(row["server_version"], int), row
            assert not any(key.startswith("_") or key != key.lower() for key in row), row
            assert not any(isinstance(value, (dict, list)) for value in row.values()), row
            assert isinstance(row["updated_at"], int), row
    row = next(row for row in answer["changes"]["incidents"]["updated"] if row["id"] == "flat")
    assert row["location_coordinates_latitude"] == -1.28 and row["support_services"] == '["medical"]', row


def test_a_migration_is_sent_everything():
    _, name = mark()
    since = tick()
    more = "&schema_version=2&migration=" + urllib.parse.quote(
        '{"from":1,"tables":["mood_entries"],"columns":[]}')
    rows = pull("amina", since, more)["changes"]["mood_entries"]["updated"]
    assert name in [row["id"] for row in rows]
    assert pull("amina", since, "&schema_version=2&migration=null")["changes"]["mood_entries"]["updated"] == []


def test_a_cursor_of_an_earlier_epoch_is_good_until_what_was_lost():
    before, name = mark()
    last = tick()
    cluster.psql("UPDATE kintaraa.epoch SET last_tick = %s WHERE last_tick IS NULL; "
                 "INSERT INTO kintaraa.epoch (tag, system, timeline, database, first_tick, reason) "
                 "SELECT tag + 1, system, timeline, database, (%s / 1000 + 10000) * 1000 + tag + 1, 'test' "
                 "FROM kintaraa.epoch ORDER BY tag DESC LIMIT 1", [last, last])
    assert tick() % 1000 == last % 1000 + 1
    answer = updates("amina", before)
    assert ids(answer) == [name] and not answer["resync"], "seen before the loss"
    answer = updates("amina", last + 5000)
    assert name in ids(answer) and answer["resync"], "seen after what this server has of it"


with Cluster() as cluster, Gateway(cluster) as gateway:
    play.load(cluster)
    stage = play.Stage(cluster)
    stage.rows("SELECT play.helper('clinic', 'healthcare', -1.2801, 36.8201), "
               "play.helper('lawyer', 'legal', -1.2802, 36.8202), play.staff('dora', 'dispatcher'), "
               "play.staff('dina', 'dispatcher'), play.register('amina'), play.register('zawadi')")
    tokens = dict(cluster.psql("SELECT name, token FROM play.person"))
    amina = cluster.value("SELECT id::text FROM play.person WHERE name = 'amina'")
    zawadi = cluster.value("SELECT id::text FROM play.person WHERE name = 'zawadi'")
    marks = 0
    sys.exit(run_tests(globals()))
