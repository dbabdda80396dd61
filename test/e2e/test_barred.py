#!/usr/bin/python3
"""Who is barred times every door times every stage of a case: nothing is told, nothing is done.

The table test/data/barred.table says for each door what somebody who is not barred would get, so that each zero of a
barred one is known to be able to be something else.  A door without a line in the table is a failure."""
import json
import os
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import play
from harness import ROOT, Cluster, run_tests

STAGES = ("reported", "offered", "accepted", "completed")
ACTORS = {"helper": "near", "dispatcher": "dora", "admin": "boss"}
# who is barred, and by what
BARS = (("account", "helper", "near"), ("team", "helper", "near"), ("organisation", "helper", "near"),
        ("account", "dispatcher", "dora"), ("account", "admin", "boss"),
        ("centre", "dispatcher", "dina"), ("centre", "admin", "bella"))
PRINCIPAL = {
    "account": "SELECT id FROM play.person WHERE name = %s",
    "team": "SELECT provider FROM play.person WHERE name = %s",
    "organisation": "SELECT t.organisation_id FROM play.person p JOIN kintaraa.provider t ON t.id = p.provider "
                    "WHERE p.name = %s",
    "centre": "SELECT a.centre_id FROM play.person p JOIN kintaraa.account a ON a.id = p.id WHERE p.name = %s",
}
COUNTS = ("sync_digest", "dispatch_dashboard", "provider_get")
FINGERPRINT = """
SELECT md5(concat((SELECT i::text FROM kintaraa.incident i WHERE i.id = %(id)s),
    (SELECT string_agg(n::text, ',' ORDER BY n.id) FROM kintaraa.need n WHERE n.bucket = %(id)s),
    (SELECT string_agg(a::text, ',' ORDER BY a.id) FROM kintaraa.assignment a WHERE a.incident_bucket = %(id)s),
    (SELECT string_agg(t::text, ',' ORDER BY t.id) FROM kintaraa.note t WHERE t.bucket = %(id)s),
    (SELECT string_agg(m::text, ',' ORDER BY m.principal) FROM kintaraa.member m WHERE m.bucket = %(id)s)))"""


def table():
    with open(os.path.join(ROOT, "test", "data", "barred.table")) as file:
        for number, line in enumerate(file, 1):
            if not line.startswith("#"):
                cells = [cell.strip() for cell in line.split("|")]
                assert len(cells) == 7, "line %d has %d cells" % (number, len(cells))
                yield number, cells


class Case:
    """A report in one of the stages, with near as the team that it is offered to."""
    made = 0

    def __init__(self, stage):
        Case.made += 1
        self.stage = stage
        name = "case-%d" % Case.made
        service = "legal" if stage == "reported" else "medical"
        self.id = stage_db.value("SELECT play.report('amina', %s, %s::text[], %s)::text", name, "{%s}" % service,
                                 '{"urgencyLevel": "immediate"}')
        self.offer = str(stage_db.value("SELECT play.offer('near', %s)", self.id) or uuid.uuid4())
        if stage in ("accepted", "completed"):
            assert stage_db.call("assignment_accept", "near", [self.offer])[0] == "ok"
            note = {"table": "notes", "op": "upsert", "id": "note-" + name,
                    "data": {"incidentId": self.id, "text": "word"}}
            stage_db.call("sync_batch", "near", None, {"device": "n", "records": [note]})
        if stage == "completed":
            assert stage_db.call("incident_status", "near", [self.id], {"status": "completed", "reason": "helped"})[0] \
                == "ok"
        self.words = {"incident": self.id, "offer": self.offer, "third": third}
        self.marks = [self.id] + [str(row[0]) for row in stage_db.rows(
            "SELECT case_number FROM kintaraa.incident WHERE id = %s UNION ALL "
            "SELECT id::text FROM kintaraa.need WHERE bucket = %s UNION ALL "
            "SELECT id::text FROM kintaraa.assignment WHERE incident_bucket = %s UNION ALL "
            "SELECT id::text FROM kintaraa.note WHERE bucket = %s",
            self.id, self.id, self.id, self.id)]
        if stage in ("accepted", "completed"):
            self.marks.append("note-" + name)

    def fill(self, text, incident=None):
        for word, value in self.words.items():
            text = text.replace("{%s}" % word, value if incident is None or word == "third" else incident)
        return json.loads(text) if text else None


def attempt(case, who, cells, before, other=None):
    """What one line of the table does for somebody: a letter, and the answer."""
    door, path, query, body = cells[:4]
    own.value("SAVEPOINT attempt")
    try:
        print_before = own.value(FINGERPRINT.replace("%(id)s", "'%s'" % case.id))
        outcome, answer = own.call(door, who, case.fill(path, other), case.fill(body, other), case.fill(query, other))
        acted = own.value(FINGERPRINT.replace("%(id)s", "'%s'" % case.id)) != print_before
        answer = dict(answer or {}, serverTime=None)
        text = json.dumps(answer)
        told = any(mark in text for mark in case.marks) or (door in COUNTS and answer != before.get((door, who)))
        return "a" if acted else "r" if told else "-", (outcome, answer)
    finally:
        own.value("ROLLBACK TO attempt")


def counts(who):
    own.connection.rollback()
    return {(door, who): dict(own.call(door, who)[1] or {}, serverTime=None) for door in COUNTS}


class Ear:
    """An open socket of somebody, as the gateway would hold it."""

    def __init__(self, who):
        self.gateway = stage_db.call("feed_start", None)[1]["gateway"]
        joined = stage_db.call("feed_join", who, None, {"gateway": self.gateway})[1]
        self.cursor = joined["cursor"]

    def hear(self):
        stage_db.value("SELECT kintaraa.tick_write(true)")
        rows = stage_db.rows("SELECT frame, cursor FROM kintaraa_api.feed_next(%s, %s)", self.gateway, self.cursor)
        self.cursor = rows[-1][1]
        return [json.loads(frame) for frame, _ in rows if frame]


def stir(case):
    """Something of the case changes."""
    stage_db.value("BEGIN")
    stage_db.value("UPDATE kintaraa.incident SET status = status WHERE id = %s", case.id)
    stage_db.value("UPDATE kintaraa.assignment SET status = status WHERE incident_bucket = %s", case.id)
    stage_db.value("SELECT kintaraa.change_flush()")
    stage_db.value("COMMIT")


def test_every_door_has_a_line():
    doors = {row[0] for row in stage_db.rows("SELECT proname FROM pg_proc "
                                             "WHERE pronamespace = 'kintaraa_api'::regnamespace")}
    assert doors == {cells[0] for _, cells in table()}, doors ^ {cells[0] for _, cells in table()}


def test_whoever_is_not_barred_gets_what_the_table_says():
    found = {number: {actor: "" for actor in ACTORS} for number, _ in table()}
    for actor, who in ACTORS.items():
        for stage in STAGES:
            before, ear = counts(who), Ear(who)
            case = Case(stage)
            for number, cells in table():
                if cells[1] == "frames":
                    stir(case)
                    heard = any(mark in json.dumps(ear.hear()) for mark in case.marks)
                    found[number][actor] += "r" if heard else "-"
                else:
                    found[number][actor] += attempt(case, who, cells, before)[0]
            own.connection.rollback()
    wrong = ["%d %s: %s, found %s" % (number, cells[0], " ".join(cells[4:]), " ".join(found[number].values()))
             for number, cells in table() if cells[4:] != list(found[number].values())]
    assert not wrong, "\n".join(wrong)
    could = sum(cell in "ra" for _, cells in table() for cell in "".join(cells[4:]))
    assert could >= 20, could


def barred(kind, actor, who):
    wrong = []
    for stage in STAGES:
        before, ear = counts(who), Ear(who)
        case = Case(stage)
        ear.hear()
        stage_db.value("SELECT kintaraa.bar(%%s, (%s))" % PRINCIPAL[kind], case.id, who)
        told = [frame["type"] for frame in ear.hear() if any(mark in json.dumps(frame) for mark in case.marks)]
        knew = actor != "helper" or stage != "reported"
        if told != ["scope.changed"] * knew:
            wrong.append("%s: is told %s" % (stage, told))
        for _, cells in table():
            if cells[1] == "frames":
                stir(case)
                letter = "r" if any(mark in json.dumps(ear.hear()) for mark in case.marks) else "-"
            else:
                letter, answer = attempt(case, who, cells, before)
                if "{" in cells[1] + cells[2] + cells[3].replace("{}", ""):
                    absent = attempt(case, who, cells, before, str(uuid.uuid4()))[1]
                    if answer != absent and cells[0] not in ("sync_batch", "sync_push", "audit_list"):
                        wrong.append("%s: %s differs from an absent one: %s" % (stage, cells[0], answer))
            if letter != "-":
                wrong.append("%s: %s gets %s" % (stage, " ".join(cells[:4]), letter))
        own.connection.rollback()
    assert not wrong, "\n".join(wrong)


def make_test(kind, actor, who):
    def test():
        barred(kind, actor, who)
    test.__name__ = "test_a_barred_%s_leaves_a_%s_with_nothing" % (kind, actor)
    return test


for bar in BARS:
    case_test = make_test(*bar)
    globals()[case_test.__name__] = case_test

if __name__ == "__main__":
    with Cluster("barred") as cluster:
        play.load(cluster)
        stage_db = play.Stage(cluster)
        own = play.Stage(cluster, autocommit=False)
        for person, latitude in (("near", -1.2801), ("far", -1.2811)):
            stage_db.value("SELECT play.helper(%s, 'healthcare', %s, 36.8201, 1000)", person, latitude)
        third = str(stage_db.value("SELECT play.helper('third', 'healthcare', -1.29, 36.83, 1000)"))
        stage_db.value("SELECT play.helper('lawyer', 'legal', -1.2812, 36.8202, 1000)")
        for person, role in (("dora", "dispatcher"), ("boss", "admin"), ("dina", "dispatcher"), ("bella", "admin")):
            stage_db.value("SELECT play.staff(%s, %s)", person, role)
        stage_db.value("SELECT play.register('amina')")
        stage_db.value("INSERT INTO kintaraa.organisation (id, kind, name) VALUES "
                       "('00000000-0000-4000-8000-000000000002', 'dispatch_centre', 'Second centre')")
        stage_db.value("BEGIN")
        stage_db.value("UPDATE kintaraa.account SET centre_id = '00000000-0000-4000-8000-000000000002' WHERE id IN "
                       "(SELECT id FROM play.person WHERE name IN ('dina', 'bella'))")
        stage_db.value("SELECT kintaraa.change_flush()")
        stage_db.value("COMMIT")
        status = run_tests(globals())
    sys.exit(status)
