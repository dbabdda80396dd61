"""A random walk of 2,000 operations by everybody, time, staff and teams that come and go included: what must always
hold, always holds.  Identifiers are random, so no two walks are the same: one that has not met every state and every
kind of outcome by then goes on, for five times as long at most.  test/long/test_long_walk.py walks 100,000."""
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Cluster, run_tests

import play

CHECK_EACH = int(os.environ.get("KN_CHECK_EACH", "25"))
STEPS = int(os.environ.get("KN_STEPS", "2000"))
SEED = int(os.environ.get("KN_SEED", "42"))
SERVICES = ["medical", "legal", "shelter", "financial", "police", "emergency"]
URGENCIES = ["routine", "urgent", "immediate"]
STATES = {"offered", "engaged", "needs_dispatcher", "met", "unmet", "withdrawn"}
STEPS_SEEN = {("report", "created"), ("accept", "ok"), ("accept", "conflict"), ("decline", "ok"), ("release", "ok"),
              ("withdraw", "ok"), ("patch", "ok"), ("status", "ok"), ("status", "conflict"), ("give", "created"),
              ("delete", "none")}
EXPECTED = ("ok", "created", "none", "conflict", "absent", "gone", "refused", "unknown")


class Walk:
    def __init__(self, stage):
        self.stage = stage
        self.choose = random.Random(SEED)
        self.reports = []
        self.taken = []
        self.states = set()
        self.n = 0

    def services(self):
        return [s for s in SERVICES if self.choose.random() < 0.35]

    def offer(self):
        rows = self.stage.rows("SELECT a.id::text, COALESCE(p.name, 'dora') FROM kintaraa.assignment a "
                               "LEFT JOIN play.person p ON p.provider = a.provider_id "
                               "ORDER BY a.status NOT IN ('pending', 'accepted'), md5(a.id::text || %s) LIMIT 8",
                               self.n)
        return self.choose.choice(rows) if rows else None

    def report(self):
        who, name = self.choose.choice(["amina", "zawadi"]), "walk-%d" % self.n
        outcome = self.stage.outcome("incident_create", who, None, {
            "id": name, "supportServices": self.services(), "urgencyLevel": self.choose.choice(URGENCIES),
            "location": {"coordinates": {"latitude": -1.28, "longitude": 36.82}, "source": "gps"}})
        self.reports.append((who, name, self.stage.value(
            "SELECT i.id::text FROM kintaraa.incident i WHERE client_id = %s", name)))
        return outcome

    def accept(self):
        offer, who = self.offer() or (None, None)
        return self.stage.outcome("assignment_accept", who, [offer]) if offer else "none"

    def decline(self):
        offer, who = self.offer() or (None, None)
        reason = "conflict" if self.choose.random() < 0.05 else "capacity"
        return self.stage.outcome("assignment_decline", who, [offer], {"reason": reason}) if offer else "none"

    def release(self):
        offer, who = self.offer() or (None, None)
        return self.stage.outcome("assignment_release", who, [offer], {"reason": "ill"}) if offer else "none"

    def time(self):
        step = self.choose.choice(["3 minutes", "3 minutes", "20 minutes", "1 day", "-1 day"])
        self.stage.value("WITH n AS (UPDATE kintaraa.need SET due_at = due_at - %s::interval "
                         "            WHERE due_at IS NOT NULL AND random() < 0.3 RETURNING id, due_at) "
                         "UPDATE kintaraa.assignment a SET due_at = n.due_at FROM n WHERE a.need_id = n.id AND "
                         "a.status = 'pending'; "
                         "SELECT kintaraa.change_flush()", step)
        return "ok %d" % self.stage.value("SELECT kintaraa.need_sweep(1000)")

    def withdraw(self):
        who, name, _ = self.choose.choice(self.reports)
        return self.stage.outcome("need_withdraw", who, [name, self.choose.choice(SERVICES)])

    def patch(self):
        who, name, _ = self.choose.choice(self.reports)
        body = self.choose.choice([{"supportServices": self.services()},
            {"urgencyLevel": self.choose.choice(URGENCIES)},
                                   {"type": "sexual"}, {"supportServices": self.services(),
                                       "urgencyLevel": "immediate"}])
        return self.stage.outcome("incident_update", who, [name], body)

    def status(self):
        who, name, case = self.choose.choice(self.reports)
        actor = self.choose.choice(["dora", "dora", "c1", "c2", "l1", "s1", who])
        return self.stage.outcome("incident_status", actor, [name if actor == who else case],
                                  {"status": self.choose.choice(["in_progress", "in_progress", "completed", "completed",
                                      "closed"]), **self.choose.choice([{}, {"reason": "helped"}])})

    def give(self):
        case = self.choose.choice(self.reports)[2]
        body = {"providerId": self.choose.choice(self.teams), "reason": "walk"}
        if self.choose.random() < 0.5:
            body["service"] = self.choose.choice(SERVICES)
        return self.stage.outcome(self.choose.choice(["assignment_assign", "assignment_reassign"]), "dora", [case],
            body)

    def delete(self):
        who, name, _ = self.choose.choice(self.reports)
        return self.stage.outcome("incident_delete", who, [name])

    def staff(self):
        """A helper leaves, moves or comes back; a session that ended begins anew."""
        who = self.choose.choice(["c1", "c2", "l1", "s1", "c3"])
        what = self.choose.choice(["door", "off", "move", "on", "on", "on"])
        if what == "door":
            return self.stage.outcome("account_deactivate", "root", [self.people[who]])
        if what == "move":
            self.dba("UPDATE kintaraa.account SET provider_id = %s WHERE id = %s", self.choose.choice(self.staffed),
                     self.people[who])
        else:
            self.dba("UPDATE kintaraa.account SET is_active = %s WHERE id = %s", what == "on", self.people[who])
        if what == "on":
            self.dba("UPDATE kintaraa.session SET revoked_at = NULL WHERE account_id = %s", self.people[who])
        self.stage.value("UPDATE play.person p SET provider = a.provider_id FROM kintaraa.account a WHERE a.id = p.id")
        return "ok"

    def team(self):
        """A team is suspended, loses its mark of being verified or its organisation, and has it again."""
        column = self.choose.choice(["is_active", "is_verified", "is_active", "is_verified", "organisation"])
        team = self.choose.choice(self.teams)
        if column == "organisation":
            self.dba("UPDATE kintaraa.provider SET organisation_id = (SELECT id FROM kintaraa.organisation "
                     "WHERE kind = 'helper' ORDER BY md5(id::text || %s) LIMIT 1) WHERE id = %s", self.n, team)
        else:
            self.dba("UPDATE kintaraa.provider SET " + column + " = %s WHERE id = %s", self.choose.random() < 0.6, team)
        return "ok"

    def dispatcher(self):
        self.dba("UPDATE kintaraa.account SET is_active = %s WHERE id = %s", self.choose.random() < 0.7,
                 self.people[self.choose.choice(["otto", "olga"])])
        return "ok"

    def bar(self):
        who = self.choose.choice(["c1", "c2", "l1", "s1"])
        case = self.choose.choice(self.reports)[2]
        self.dba("SELECT kintaraa.bar(i.id, p.principal), kintaraa.case_vacate(i.id) FROM kintaraa.incident i, "
                 "(SELECT id, provider FROM play.person WHERE name = %s) w, "
                 "LATERAL (VALUES (w.id), (w.provider)) p (principal) "
                 "WHERE i.id = %s AND md5(p.principal::text || %s) < '8'", who, case, self.n)
        return "ok"

    def dba(self, sql, *args):
        """In one transaction, with the stamps and the routing figures that psql has to ask for."""
        self.stage.value("BEGIN")
        self.stage.value(sql, *args)
        self.stage.value("SELECT kintaraa.dispatch_refresh()")
        self.stage.value("SELECT kintaraa.change_flush()")
        self.stage.value("COMMIT")

    def will(self):
        who, name, _ = self.choose.choice(self.reports)
        door = self.choose.choice(["need_ask", "need_reached", "need_unreached", "need_another"])
        body = {"teamsAgain": True} if door == "need_ask" and self.choose.random() < 0.2 else None
        return self.stage.outcome(door, who, [name, self.choose.choice(SERVICES)], body)

    def restore(self):
        who, name, case = self.choose.choice(self.reports)
        if self.choose.random() < 0.3:
            self.dba("UPDATE kintaraa.incident SET held_until = now() WHERE held_until IS NOT NULL AND id = %s", case)
        if self.choose.random() < 0.3:
            return "ok end %d" % self.stage.value("SELECT kintaraa.hold_end()")
        if self.choose.random() < 0.5:
            return self.stage.outcome("case_restore", who, [name])
        return self.stage.outcome("case_restore", "dora", [case], {"note": "she called"})

    def seen(self):
        return {(name, outcome.split()[0]) for name, outcome in self.taken}

    def go(self):
        operations = [("report", 10), ("accept", 20), ("decline", 10), ("release", 6), ("time", 12), ("withdraw", 6),
                      ("patch", 8), ("status", 14), ("give", 10), ("delete", 4),
                      ("staff", 5), ("team", 3), ("dispatcher", 2), ("bar", 2), ("will", 10), ("restore", 8)]
        names, weights = zip(*operations)
        self.teams = [row[0] for row in self.stage.rows("SELECT provider_id::text FROM kintaraa.provider_dispatch")]
        self.people = dict(self.stage.rows("SELECT name, id::text FROM play.person"))
        self.staffed = [row[0] for row in self.stage.rows("SELECT DISTINCT provider_id::text FROM kintaraa.account "
                                                          "WHERE provider_id IS NOT NULL")]
        while self.n < STEPS or (self.n < 5 * STEPS and not (self.states >= STATES and self.seen() >= STEPS_SEEN)):
            self.n += 1
            name = "report" if not self.reports else self.choose.choices(names, weights)[0]
            outcome = getattr(self, name)()
            self.taken.append((name, outcome))
            assert outcome.startswith(EXPECTED), "seed %d step %d: %s gave %s" % (SEED, self.n, name, outcome)
            if self.n % CHECK_EACH == 0:
                broken = self.stage.broken()
                self.states |= {row[0] for row in self.stage.rows("SELECT DISTINCT state FROM kintaraa.need")}
                assert not broken, "seed %d step %d: %s after %s" % (SEED, self.n, broken, self.taken[-25:])


def test_nothing_is_ever_broken():
    walk.go()
    assert len(walk.taken) == walk.n >= STEPS


def test_every_kind_of_step_succeeded_and_was_refused():
    assert walk.seen() >= STEPS_SEEN, STEPS_SEEN - walk.seen()


def test_needs_went_through_their_states():
    assert walk.states >= STATES, STATES - walk.states


def test_each_record_is_stamped():
    assert walk.stage.value("SELECT count(*) FROM kintaraa.need n WHERE NOT EXISTS (SELECT FROM kintaraa.change c "
                            "WHERE c.bucket = n.bucket AND c.noun = 'need' AND c.id = n.id)") == 0


if __name__ == "__main__":
    with Cluster("walk", kintaraa__worker="off") as cluster:
        play.load(cluster)
        walk = Walk(play.Stage(cluster))
        walk.stage.value("SELECT play.helper('c1', 'healthcare', -1.2801, 36.8201, 2), play.helper('c2', "
                         "'healthcare', -1.2802, 36.8202, 3), "
                         "play.helper('l1', 'legal', -1.2803, 36.8203, 1), play.helper('s1', 'social', -1.2804, "
                         "36.8204, 4), "
                         "play.staff('dora', 'dispatcher'), play.staff('otto', 'dispatcher'), "
                         "play.staff('olga', 'dispatcher'), play.staff('root', 'admin'), "
                         "play.helper('c3', 'healthcare', -1.2805, 36.8205, 2), "
                         "play.register('amina'), play.register('zawadi'), "
                         "play.team('healthcare', -1.281, 36.821, 2, true), play.team('police', -1.281, 36.821, 2, "
                         "true)")
        sys.exit(run_tests(globals()))
