"""A random walk of 2,000 operations by everybody, time, staff, teams and centres that come and go included: what must
always hold, always holds, and every open need is owned by somebody active, or due with somebody told.  Identifiers
are random, so no two walks are the same: one that has not met every state and every kind of outcome by then goes on,
for five times as long at most.  Cases end as others begin, so that a walk is at its end what it was at its
beginning.  test/long/test_long_walk.py walks 100,000."""
import collections
import os
import random
import sys
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Cluster, run_tests

import play

CHECK_EACH = int(os.environ.get("KN_CHECK_EACH", "25"))
STEPS = int(os.environ.get("KN_STEPS", "2000"))
SEED = int(os.environ.get("KN_SEED", "42"))
SERVICES = ["medical", "legal", "shelter", "financial", "police", "emergency"]
URGENCIES = ["routine", "urgent", "immediate"]
OPEN_CASES = 30       # older ones are closed
TOKEN_SECONDS = 300   # of 15 minutes
STATES = {"offered", "engaged", "stalled", "needs_dispatcher", "paused", "met", "unmet", "withdrawn"}
STEPS_SEEN = {("report", "created"), ("batch", "ok"), ("push", "ok"), ("accept", "ok"), ("accept", "conflict"),
              ("decline", "ok"), ("release", "ok"), ("withdraw", "ok"), ("patch", "ok"), ("status", "ok"),
              ("status", "conflict"), ("give", "created"), ("delete", "none"), ("staff", "ok"), ("team", "ok"),
              ("move", "ok"), ("dispatcher", "ok"), ("alone", "ok"), ("rules", "ok"), ("erase", "ok"),
              ("erase", "23503"), ("bar", "ok"), ("bar", "55000"), ("unbar", "ok"), ("will", "ok"), ("restore", "ok"),
              ("time", "ok")}
# the only centre is not barred, nor whoever reported; a person with records is not deleted, nor the last dispatcher
EXPECTED = ("ok", "created", "none", "conflict", "absent", "gone", "refused", "unknown", "55000", "22023", "23503",
            "KN408")
WEIGHTS = {"report": 7, "batch": 3, "push": 2, "accept": 22, "decline": 8, "release": 5, "time": 12, "withdraw": 5,
           "patch": 8, "status": 14, "give": 8, "delete": 3, "staff": 8, "team": 6, "move": 3, "dispatcher": 3,
           "alone": 1, "rules": 4, "erase": 2, "bar": 3, "unbar": 2, "will": 9, "restore": 7}
HELPERS = ["c1", "c2", "c3", "l1", "s1"]
PLACE = {"coordinates": {"latitude": -1.28, "longitude": 36.82}, "source": "gps"}
Case = collections.namedtuple("Case", "who id")


class Walk:
    def __init__(self, stage):
        self.stage = stage
        self.choose = random.Random(SEED)
        self.cases = collections.deque()
        self.taken = []
        self.states = set()
        self.n = 0
        self.people = dict(stage.rows("SELECT name, id::text FROM play.person"))
        self.homes = dict(stage.rows("SELECT name, provider::text FROM play.person WHERE provider IS NOT NULL"))
        self.teams = [row[0] for row in stage.rows("SELECT provider_id::text FROM kintaraa.provider_dispatch")]
        self.organisations = [row[0] for row in stage.rows("SELECT id::text FROM kintaraa.organisation "
                                                           "WHERE kind = 'helper'")]
        self.centre = stage.value("SELECT centre_id::text FROM kintaraa.account WHERE id = %s", self.people["olga"])
        self.hired = []
        self.renewed = time.monotonic()

    # Who and what.

    def services(self):
        return [s for s in SERVICES if self.choose.random() < 0.35]

    def any_case(self):
        return self.choose.choice(self.cases)

    def dispatches(self):
        return self.choose.choice(["dora", "otto", "root"])

    def uuid(self):
        return str(uuid.UUID(int=self.choose.getrandbits(128), version=4))

    def data(self):
        return {"supportServices": self.services(), "urgencyLevel": self.choose.choice(URGENCIES), "location": PLACE}

    def offer(self, status):
        """One of the assignments of the cases that go on, mostly in that status and of somebody who is there; and who
        answers for it."""
        rows = self.stage.rows(
            "SELECT a.id::text, COALESCE(p.name, 'root'), a.status = %s AND COALESCE(s.is_active, t.by_telephone) "
            "  FROM kintaraa.assignment a JOIN kintaraa.provider t ON t.id = a.provider_id "
            "  LEFT JOIN play.person p ON p.provider = a.provider_id "
            "  LEFT JOIN kintaraa.account s ON s.id = p.id "
            " WHERE a.incident_bucket = ANY (%s::uuid[]) ORDER BY a.id, p.name",
            status, [case.id for case in self.cases])
        fit = [row for row in rows if row[2]]
        rows = fit if fit and self.choose.random() < 0.9 else rows
        return self.choose.choice(rows)[:2] if rows else None

    def answer(self, door, status, body=None):
        chosen = self.offer(status)
        return self.stage.outcome(door, chosen[1], [chosen[0]], body) if chosen else "none"

    # Reports come in, and old ones end.

    def add(self, who, case_id):
        if self.stage.value("SELECT count(*) FROM kintaraa.incident WHERE id = %s", case_id):
            self.cases.append(Case(who, case_id))

    def report(self):
        # mostly she herself, now and then a helper for her
        case = Case(self.choose.choice(3 * ["amina", "zawadi"] + ["c1"]), self.uuid())
        outcome = self.stage.outcome("incident_create", case.who, None, {"id": case.id, **self.data()})
        self.add(*case)
        return outcome

    def records(self, who, n_new):
        """New reports, one of hers changed, and one of hers deleted."""
        new = [{"table": "incidents", "id": self.uuid(), "data": self.data()} for _ in range(n_new)]
        known = [case.id for case in self.cases if case.who == who][-2:]
        version = "SELECT version FROM kintaraa.change WHERE bucket = %s AND noun = 'incident' AND id = bucket"
        old = [{"table": "incidents", "id": case, "base": {"serverVersion": self.stage.value(version, case)},
                **({"data": {"supportServices": self.services()}} if self.choose.random() < 0.8 else
                   {"op": "delete"})} for case in known]
        return new, old

    def batch(self):
        who = self.choose.choice(["amina", "zawadi"])
        # a dozen is more than are routed before the answer
        new, old = self.records(who, self.choose.choice([1, 1, 2, 12]))
        outcome, answer = self.stage.call("sync_batch", who, None, {"device": "phone", "records": new + old})
        for record in new:
            self.add(who, record["id"])
        stored = [result["status"] for result in (answer or {}).get("results", [])]
        assert outcome != "ok" or stored[:len(new)] == ["applied"] * len(new), answer
        return outcome

    def push(self):
        who = self.choose.choice(["amina", "zawadi"])
        new, old = self.records(who, 1)
        row = lambda record: {"id": record["id"], "support_services": record["data"]["supportServices"]}
        changes = {"incidents": {
            "created": [{**row(record), "urgency_level": record["data"]["urgencyLevel"]} for record in new],
            "updated": [{**row(record), "server_version": record["base"]["serverVersion"],
                         "_changed": "support_services"} for record in old if "data" in record],
            "deleted": [record["id"] for record in old if "data" not in record]}}
        outcome = self.stage.outcome("sync_push", who, None, changes, "phone")
        for record in new:
            self.add(who, record["id"])
        return outcome

    def close_old(self):
        """A case that is over for everybody gives back what it held."""
        while len(self.cases) > OPEN_CASES:
            case = self.cases.popleft()
            self.stage.outcome("incident_status", "root", [case.id], {"status": "closed"})
            self.dba("UPDATE kintaraa.incident SET held_until = now() WHERE id = %s AND held_until IS NOT NULL",
                     case.id)
            while self.stage.value("SELECT kintaraa.hold_end()") > 0:
                pass
            left = self.stage.rows("SELECT service, state FROM kintaraa.need "
                                   "WHERE bucket = %s AND state NOT IN ('met', 'unmet', 'withdrawn')", case.id)
            assert not left, "%s was closed and has %s" % (case.id, left)

    # Helpers, she, dispatchers.

    def accept(self):
        return self.answer("assignment_accept", "pending")

    def decline(self):
        reason = "conflict" if self.choose.random() < 0.05 else "capacity"
        return self.answer("assignment_decline", "pending", {"reason": reason})

    def release(self):
        return self.answer("assignment_release", "accepted", {"reason": "ill"})

    def withdraw(self):
        case = self.any_case()
        return self.stage.outcome("need_withdraw", case.who, [case.id, self.choose.choice(SERVICES)])

    def patch(self):
        case = self.any_case()
        body = self.choose.choice([
            {"supportServices": self.services()}, {"urgencyLevel": self.choose.choice(URGENCIES)}, {"type": "sexual"},
            {"supportServices": self.services(), "urgencyLevel": "immediate"},
            {"providerPreferences": {"triageTeams": self.choose.choice([[], ["legal"], ["healthcare", "social"]])}}])
        return self.stage.outcome("incident_update", case.who, [case.id], body)

    def status(self):
        case = self.any_case()
        actor = self.choose.choice([case.who, "dora", "root", "c1", "c2", "l1", "s1"])
        return self.stage.outcome("incident_status", actor, [case.id], {
            "status": self.choose.choice(["in_progress", "in_progress", "completed", "completed", "closed"]),
            **self.choose.choice([{}, {"reason": "helped"}])})

    def give(self):
        body = {"providerId": self.choose.choice(self.teams), "reason": "walk"}
        if self.choose.random() < 0.5:
            body["service"] = self.choose.choice(SERVICES + ["triage"])
        return self.stage.outcome(self.choose.choice(["assignment_assign", "assignment_reassign"]),
                                  self.dispatches(), [self.any_case().id], body)

    def delete(self):
        case = self.any_case()
        return self.stage.outcome("incident_delete", case.who, [case.id])

    def will(self):
        case = self.any_case()
        door = self.choose.choice(["need_ask", "need_reached", "need_unreached", "need_another"])
        body = {"teamsAgain": True} if door == "need_ask" and self.choose.random() < 0.2 else None
        return self.stage.outcome(door, case.who, [case.id, self.choose.choice(SERVICES)], body)

    def restore(self):
        case = self.any_case()
        if self.choose.random() < 0.3:
            self.dba("UPDATE kintaraa.incident SET held_until = now() WHERE held_until IS NOT NULL AND id = %s",
                     case.id)
        if self.choose.random() < 0.3:
            return "ok end %d" % self.stage.value("SELECT kintaraa.hold_end()")
        if self.choose.random() < 0.5:
            return self.stage.outcome("case_restore", case.who, [case.id])
        return self.stage.outcome("case_restore", self.dispatches(), [case.id], {"note": "she called"})

    # Time, staff, teams, centres.

    def time(self):
        """The clock goes on, or back; what the worker does each second."""
        step = self.choose.choice(["3 minutes", "3 minutes", "20 minutes", "1 day", "-1 day"])
        self.stage.value("SET play.time = 'on'; "
                         # what is paused never comes to be due after it ends, when it is nobody's task
                         "WITH n AS (UPDATE kintaraa.need SET due_at = due_at - %s::interval "
                         "            WHERE due_at IS NOT NULL AND random() < 0.3 "
                         "              AND (state <> 'paused' OR %s::interval > '0') RETURNING id, due_at) "
                         "UPDATE kintaraa.assignment a SET due_at = n.due_at FROM n WHERE a.need_id = n.id AND "
                         "a.status = 'pending'; "
                         "SELECT kintaraa.change_flush(); SET play.time = 'off'", step, step)
        self.stage.value("SELECT kintaraa.team_check_run()")
        while self.stage.value("SELECT play.sweep()") >= 1000:
            pass
        return "ok"

    def dba(self, sql, *args):
        outcome = self.stage.dba(sql, *args)
        assert outcome in EXPECTED, "seed %d step %d: %s: %s" % (SEED, self.n, sql, outcome)
        return outcome

    def staff(self):
        """A helper leaves, moves or comes back, mostly home; a session that ended begins anew."""
        who = self.choose.choice(HELPERS)
        what = self.choose.choice(["door", "off", "move"] + 5 * ["back"])
        if what == "door":
            return self.stage.outcome("account_deactivate", "root", [self.people[who]])
        home = self.homes[who] if what == "back" else self.choose.choice(list(self.homes.values()))
        outcome = self.dba("UPDATE kintaraa.account SET is_active = %s, provider_id = %s WHERE id = %s",
                           what != "off", home, self.people[who])
        if what == "back":
            self.dba("UPDATE kintaraa.session SET revoked_at = NULL WHERE account_id = %s", self.people[who])
        self.stage.value("UPDATE play.person p SET provider = a.provider_id FROM kintaraa.account a WHERE a.id = p.id")
        return outcome

    def team(self):
        """A team is suspended, loses its mark of being verified, its telephone, capacity or organisation; or has them
        again."""
        team = self.choose.choice(self.teams)
        column = self.choose.choice(["is_active", "is_verified", "by_telephone", "organisation_id", "capacity"])
        value = {"organisation_id": self.choose.choice(self.organisations),
                 "capacity": self.choose.choice([1, 20, 20, 20]),
                 "by_telephone": team not in self.homes.values() and self.choose.random() < 0.8
                 }.get(column, self.choose.random() < 0.9)
        return self.dba("UPDATE kintaraa.provider SET " + column + " = %s WHERE id = %s", value, team)

    def move(self):
        """A facility is somewhere else, near or far away; mostly where it was."""
        north = self.choose.choice([0, 0, 0, 0, 0.02, 3])
        return self.dba("UPDATE kintaraa.provider SET latitude = -1.2801 + %s WHERE id = %s", north,
                        self.choose.choice(self.teams))

    def dispatcher(self):
        """One leaves or comes back, goes to the other centre, or is on duty."""
        who = self.choose.choice(["dora", "otto", "olga"])
        if self.choose.random() < 0.3:
            return self.dba("INSERT INTO kintaraa.duty (centre_id, account_id, kind, from_at, to_at) "
                            "SELECT centre_id, id, 'dispatcher', now(), now() + interval '1 second' "
                            "  FROM kintaraa.account WHERE id = %s AND centre_id IS NOT NULL", self.people[who])
        if self.choose.random() < 0.1:
            return self.stage.outcome("account_deactivate", "root", [self.people[who]])
        self.dba("UPDATE kintaraa.session SET revoked_at = NULL WHERE account_id = %s", self.people[who])
        return self.dba("UPDATE kintaraa.account SET is_active = %s WHERE id = %s",
                        self.choose.random() < 0.8, self.people[who])

    def rules(self):
        """An administrator leaves all to people, or not; escalation has fewer levels, or all."""
        if self.choose.random() < 0.5:
            # not in the tenths whose offers are compared
            manual = STEPS < 10 * self.n < 9 * STEPS and self.choose.random() < 0.3
            return self.stage.outcome("setting_put", "root", ["routing_mode"],
                                      {"value": "manual" if manual else "hybrid"})
        first = self.stage.value("SELECT body FROM kintaraa.policy WHERE kind = 'escalation' ORDER BY version LIMIT 1")
        if self.choose.random() < 0.5:
            first["routine"]["levels"] = first["routine"]["levels"][2:]
            first["immediate"]["levels"] = first["immediate"]["levels"][1:3]
        return self.stage.outcome("policy_put", "root", ["escalation"], {"body": first})

    def alone(self):
        """What is refused, done all the same: no dispatcher is left for a while."""
        return self.dba("ALTER TABLE kintaraa.account DISABLE TRIGGER dispatcher_moved; "
                        "UPDATE kintaraa.account SET is_active = false WHERE role = 'dispatcher'; "
                        "SET CONSTRAINTS ALL IMMEDIATE; "
                        "ALTER TABLE kintaraa.account ENABLE TRIGGER dispatcher_moved")

    def erase(self):
        """Somebody is hired; an account is deleted as a row, and with it all that it was told.  One that has
        records cannot be."""
        what = self.choose.choice(["hire", "fire", "owner"])
        if what == "owner":
            return self.dba("DELETE FROM kintaraa.account WHERE id = %s",
                            self.people[self.choose.choice(["amina", "zawadi"])])
        if self.hired and (what == "fire" or len(self.hired) > 2):
            gone = self.hired.pop(self.choose.randrange(len(self.hired)))
            return self.dba("DELETE FROM kintaraa.account WHERE id = %s", gone)
        like = self.people[self.choose.choice(["otto", "c1", "l1"])]
        self.hired.append(self.uuid())
        return self.dba("INSERT INTO kintaraa.account (id, role, email_index, password_hash, provider_id, centre_id) "
                        "SELECT %s, role, email_index, password_hash, provider_id, centre_id "
                        "  FROM kintaraa.account WHERE id = %s", self.hired[-1], like)

    def bar(self):
        """Anybody from a case: a person, a team, an organisation, a centre.  One centre with somebody stays."""
        case = self.any_case()
        if self.choose.random() < 0.4:
            who = self.choose.choice([self.centre, self.people["otto"], self.people["dora"]])
        else:
            who = self.stage.value(
                "SELECT p.principal FROM kintaraa.account s JOIN kintaraa.provider t ON t.id = s.provider_id, "
                "       LATERAL (VALUES (s.id), (t.id), (t.organisation_id)) p (principal) "
                " WHERE s.id = %s ORDER BY md5(p.principal::text || %s) LIMIT 1",
                self.people[self.choose.choice(HELPERS)], self.n)
        if self.choose.random() < 0.1:
            self.dba("SELECT kintaraa.bar(%s, %s)", case.id, self.centre)
            return self.dba("SELECT kintaraa.bar(%s, centre_id) FROM kintaraa.account WHERE id = %s", case.id,
                            self.people["root"])
        return self.dba("SELECT kintaraa.bar(%s, %s)", case.id, who)

    def unbar(self):
        return self.dba("DELETE FROM kintaraa.barred WHERE bucket = %s", self.any_case().id)

    # The walk itself.

    def renew(self):
        """Sessions go on while their tokens end, as on everybody's phone."""
        if time.monotonic() - self.renewed < TOKEN_SECONDS:
            return
        self.renewed = time.monotonic()
        for who, refresh in self.stage.rows("SELECT p.name, p.refresh FROM play.person p JOIN kintaraa.account a "
                                            "    ON a.id = p.id WHERE a.is_active"):
            outcome, answer = self.stage.call("auth_refresh", None, None, {"refresh": refresh})
            if outcome == "ok":
                self.stage.value("UPDATE play.person SET token = %s, refresh = %s WHERE name = %s",
                                 answer["tokens"]["access"], answer["tokens"]["refresh"], who)

    def seen(self):
        return {(name, outcome.split()[0]) for name, outcome in self.taken}

    def morning(self):
        """Staff and teams are as they were in the first tenth: by chance they may all be away just now."""
        for who in HELPERS:
            self.dba("UPDATE kintaraa.account SET is_active = true, provider_id = %s WHERE id = %s", self.homes[who],
                     self.people[who])
            self.dba("UPDATE kintaraa.session SET revoked_at = NULL WHERE account_id = %s", self.people[who])
        self.stage.value("UPDATE play.person p SET provider = a.provider_id FROM kintaraa.account a WHERE a.id = p.id")
        self.dba("UPDATE kintaraa.provider SET is_active = true, is_verified = true, capacity = 20, latitude = -1.2801")
        self.stage.outcome("setting_put", "root", ["routing_mode"], {"value": "hybrid"})

    def rate(self, tenth):
        """How many of the tries to accept an offer succeeded in one tenth of the walk."""
        part = self.taken[STEPS * tenth // 10:STEPS * (tenth + 1) // 10]
        tries = [outcome for name, outcome in part if name == "accept"]
        return tries.count("ok") / max(len(tries), 1)

    def check(self):
        self.states |= {row[0] for row in self.stage.rows("SELECT DISTINCT state FROM kintaraa.need "
                                                          "WHERE bucket = ANY (%s::uuid[])",
                                                          [case.id for case in self.cases])}
        broken = self.stage.broken() + self.stage.rows("SELECT what, id::text FROM play.unowned")
        assert not broken, "seed %d step %d: %s after %s" % (SEED, self.n, broken, self.taken[-CHECK_EACH:])

    def go(self):
        names, weights = zip(*WEIGHTS.items())
        while self.n < STEPS or (self.n < 5 * STEPS and not (self.states >= STATES and self.seen() >= STEPS_SEEN)):
            self.n += 1
            self.renew()
            if self.n in (STEPS * 90 // 100, STEPS * 95 // 100):
                self.morning()
            name = "report" if not self.cases else self.choose.choices(names, weights)[0]
            outcome = getattr(self, name)()
            self.taken.append((name, outcome))
            assert outcome.startswith(EXPECTED), "seed %d step %d: %s gave %s" % (SEED, self.n, name, outcome)
            self.close_old()
            if self.n % CHECK_EACH == 0:
                self.check()


def test_nothing_is_ever_broken():
    walk.go()
    assert len(walk.taken) == walk.n >= STEPS


def test_every_kind_of_step_succeeded_and_was_refused():
    assert walk.seen() >= STEPS_SEEN, STEPS_SEEN - walk.seen()


def test_needs_went_through_their_states():
    assert walk.states >= STATES, STATES - walk.states


def test_offers_are_accepted_at_the_end_as_at_the_beginning():
    rates = [round(walk.rate(tenth), 2) for tenth in range(10)]
    print("# accepted of those tried, by tenths: %s" % rates)
    assert rates[-1] >= rates[0] / 2, rates


def test_each_record_is_stamped():
    assert walk.stage.value("SELECT count(*) FROM kintaraa.need n WHERE NOT EXISTS (SELECT FROM kintaraa.change c "
                            "WHERE c.bucket = n.bucket AND c.noun = 'need' AND c.id = n.id)") == 0


def people(stage):
    stage.value("SELECT play.helper('c1', 'healthcare', -1.2801, 36.8201, 20), "
                "play.helper('c2', 'healthcare', -1.2802, 36.8202, 20), "
                "play.helper('c3', 'healthcare', -1.2805, 36.8205, 20), "
                "play.helper('l1', 'legal', -1.2803, 36.8203, 20), play.helper('s1', 'social', -1.2804, 36.8204, 20), "
                "play.staff('dora', 'dispatcher'), play.staff('otto', 'dispatcher'), "
                "play.staff('olga', 'dispatcher'), play.staff('root', 'admin'), "
                "play.register('amina'), play.register('zawadi'), "
                "play.team('healthcare', -1.281, 36.821, 20, true), play.team('police', -1.281, 36.821, 20, true)")
    # another dispatch centre, so that one of them may be barred
    stage.dba("WITH c AS (INSERT INTO kintaraa.organisation (id, kind, name) "
              "           VALUES (gen_random_uuid(), 'dispatch_centre', 'Second centre') RETURNING id) "
              "UPDATE kintaraa.account a SET centre_id = c.id FROM c, play.person p "
              " WHERE p.name = 'olga' AND a.id = p.id")


if __name__ == "__main__":
    with Cluster("walk", kintaraa__worker="off") as cluster:
        play.load(cluster)
        play.load(cluster, script="walk.sql")
        stage = play.Stage(cluster)
        people(stage)
        walk = Walk(stage)
        sys.exit(run_tests(globals()))
