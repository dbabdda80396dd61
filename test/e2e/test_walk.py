"""A random walk of 2,000 operations by everybody, time included: what must always hold, always holds."""
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Cluster, run_tests

import play

STEPS = 2000
SEED = int(os.environ.get("KN_SEED", "42"))
SERVICES = ["medical", "legal", "shelter", "financial", "police", "emergency"]
URGENCIES = ["routine", "urgent", "immediate"]
EXPECTED = ("ok", "created", "none", "conflict", "absent", "refused")


class Walk:
    def __init__(self, stage):
        self.stage = stage
        self.choose = random.Random(SEED)
        self.reports = []
        self.taken = []
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
                                      "closed"])})

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

    def go(self):
        operations = [("report", 10), ("accept", 20), ("decline", 10), ("release", 6), ("time", 12), ("withdraw", 6),
                      ("patch", 8), ("status", 14), ("give", 10), ("delete", 4)]
        names, weights = zip(*operations)
        self.teams = [row[0] for row in self.stage.rows("SELECT provider_id::text FROM kintaraa.provider_dispatch")]
        for self.n in range(1, STEPS + 1):
            name = "report" if not self.reports else self.choose.choices(names, weights)[0]
            outcome = getattr(self, name)()
            self.taken.append((name, outcome))
            assert outcome.startswith(EXPECTED), "seed %d step %d: %s gave %s" % (SEED, self.n, name, outcome)
            if self.n % 25 == 0 or self.n == STEPS:
                broken = self.stage.broken()
                assert not broken, "seed %d step %d: %s after %s" % (SEED, self.n, broken, self.taken[-25:])


def test_nothing_is_ever_broken():
    walk.go()
    assert len(walk.taken) == STEPS


def test_every_kind_of_step_succeeded_and_was_refused():
    seen = {(name, outcome.split()[0]) for name, outcome in walk.taken}
    for wanted in [("report", "created"), ("accept", "ok"), ("accept", "conflict"), ("decline", "ok"),
        ("release", "ok"),
                   ("withdraw", "ok"), ("patch", "ok"), ("status", "ok"), ("status", "conflict"), ("give", "created"),
                       ("delete", "none")]:
        assert wanted in seen, "%s never happened" % (wanted,)


def test_needs_went_through_their_states():
    states = {row[0] for row in walk.stage.rows("SELECT DISTINCT state FROM kintaraa.need")}
    assert states >= {"offered", "engaged", "needs_dispatcher", "met", "unmet", "withdrawn"}, states


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
                         "play.staff('dora', 'dispatcher'), play.register('amina'), play.register('zawadi'), "
                         "play.team('healthcare', -1.281, 36.821, 2, true), play.team('police', -1.281, 36.821, 2, "
                         "true)")
        sys.exit(run_tests(globals()))
