"""Sixteen connections do everything to the same cases at once, sweeps included: one winner, capacity and
counters exact, no deadlock; and one report sent twenty times at once is one report."""
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Cluster, run_tests, wait_until

import play

SECONDS = float(os.environ.get("KN_RACE_SECONDS", "15"))
CONNECTIONS = 16
TEAMS = {"c1": 2, "c2": 3, "c3": 1, "s1": 2, "s2": 3}
GOOD = ("ok", "created", "none", "conflict KN4", "absent KN301", "gone KN407", "refused KN2")


class Racer(threading.Thread):
    """Picks cases and offers from what all racers share, and keeps every outcome."""

    def __init__(self, seed, end):
        super().__init__()
        self.choose = random.Random(seed)
        self.end = end
        self.seen = {}
        self.failure = None

    def run(self):
        try:
            self.stage = play.Stage(cluster)
            while time.monotonic() < self.end:
                name = self.choose.choices(["accept", "decline", "release", "sweep", "report", "withdraw", "patch",
                                            "complete", "give", "delete"], [30, 8, 10, 10, 12, 4, 8, 10, 10, 2])[0]
                outcome = getattr(self, name)()
                self.seen[(name, outcome)] = self.seen.get((name, outcome), 0) + 1
            self.stage.close()
        except Exception as error:  # shown by the test that joins
            self.failure = error

    def case(self):
        rows = self.stage.rows("SELECT p.name, i.client_id, i.id::text FROM play.incident i JOIN play.person p ON "
                               "p.id = i.owner_id "
                               "WHERE i.deleted_at IS NULL ORDER BY i.created_at DESC LIMIT 12")
        return self.choose.choice(rows) if rows else ("amina", "none", "none")

    def offer(self, status):
        rows = self.stage.rows("SELECT p.name, a.id::text FROM kintaraa.assignment a JOIN play.person p ON p.provider "
                               "= a.provider_id "
                               "WHERE a.status = %s ORDER BY a.offered_at DESC LIMIT 12", status)
        return self.choose.choice(rows) if rows else ("c1", "00000000-0000-4000-8000-000000000000")

    def accept(self):
        who, offer = self.offer("pending")
        return self.stage.outcome("assignment_accept", who, [offer])

    def decline(self):
        who, offer = self.offer("pending")
        return self.stage.outcome("assignment_decline", who, [offer], {"reason": "capacity"})

    def release(self):
        who, offer = self.offer("accepted")
        return self.stage.outcome("assignment_release", who, [offer], {"reason": "ill"})

    def sweep(self):
        self.stage.rows("WITH n AS (SELECT bucket, id FROM kintaraa.need WHERE due_at IS NOT NULL ORDER BY random() "
                        "LIMIT 3 FOR UPDATE SKIP LOCKED), "
                        "m AS (UPDATE kintaraa.need SET due_at = now() - interval '1 second' FROM n WHERE need.bucket "
                        "= n.bucket AND need.id = n.id RETURNING need.id) "
                        "UPDATE kintaraa.assignment a SET due_at = now() - interval '1 second' FROM m WHERE a.need_id "
                        "= m.id AND a.status = 'pending' RETURNING 1; "
                        "SELECT kintaraa.change_flush()")
        self.stage.value("SELECT kintaraa.need_sweep(5)")
        return "ok"

    def report(self):
        services = self.choose.choice([["medical"], ["medical", "shelter"], ["financial", "shelter"],
            ["shelter", "financial", "medical"]])
        return self.stage.outcome("incident_create", self.choose.choice(["amina", "zawadi"]), None, {
            "supportServices": services, "urgencyLevel": self.choose.choice(["urgent", "immediate"]),
            "location": {"coordinates": {"latitude": -1.28, "longitude": 36.82}, "source": "gps"}})

    def withdraw(self):
        who, name, _ = self.case()
        return self.stage.outcome("need_withdraw", who, [name, self.choose.choice(["medical", "shelter"])])

    def patch(self):
        who, name, _ = self.case()
        body = self.choose.choice([{"supportServices": ["financial", "medical", "shelter"]},
            {"urgencyLevel": "immediate"}, {"urgencyLevel": "routine"}])
        return self.stage.outcome("incident_update", who, [name], body)

    def complete(self):
        case = self.case()[2]
        return self.stage.outcome("incident_status", "dora", [case], {"status": self.choose.choice(["completed",
            "completed", "in_progress", "closed"]), "reason": "helped"})

    def give(self):
        return self.stage.outcome(self.choose.choice(["assignment_assign", "assignment_reassign"]), "dora",
            [self.case()[2]],
                                  {"providerId": self.choose.choice(teams), "reason": "race"})

    def delete(self):
        who, name, _ = self.case()
        return self.stage.outcome("incident_delete", who, [name])


def race():
    end = time.monotonic() + SECONDS
    racers = [Racer(seed, end) for seed in range(CONNECTIONS)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(SECONDS + 30)
    total = {}
    for racer in racers:
        assert racer.failure is None, repr(racer.failure)
        for key, n in racer.seen.items():
            total[key] = total.get(key, 0) + n
    return total


def let_go_when_all_wait(holder, threads):
    """Starts each once the one before waits for a lock; then the holder commits, and all come to an end."""
    for n, thread in enumerate(threads, 1):
        thread.start()
        wait_until(lambda: stage.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") >= n)
    holder.rows("COMMIT; SELECT 1")
    for thread in threads:
        thread.join(30)
    holder.close()


def test_no_request_fails_for_another_one():
    outcomes.update(race())
    bad = {key: n for key, n in outcomes.items() if not key[1].startswith(GOOD)}
    assert not bad, bad
    assert cluster.log().count("deadlock detected") == 0


def test_there_was_a_race():
    for wanted in [("accept", "ok"), ("release", "ok"), ("give", "created"), ("complete", "ok"), ("patch", "ok"),
        ("report", "created")]:
        assert outcomes.get(wanted, 0) >= 5, "%s %s" % (wanted, sorted(outcomes.items()))
    assert sum(outcomes.values()) > 300, sum(outcomes.values())


def test_each_need_has_one_winner_and_every_count_is_exact():
    broken = stage.broken()
    assert not broken, broken[:10]


def test_a_team_takes_no_more_than_it_can():
    over = stage.rows("SELECT p.name, d.load, d.capacity FROM kintaraa.provider_dispatch d JOIN play.person p ON "
                      "p.provider = d.provider_id "
                      "WHERE d.load > d.capacity AND NOT EXISTS (SELECT FROM kintaraa.status_history WHERE to_status "
                      "= 'in_progress' AND actor = 'dispatcher')")
    assert not over, over
    assert stage.value("SELECT kintaraa.dispatch_recount()") == 0


def test_one_report_sent_twenty_times_at_once_is_one():
    body = {"id": "twenty", "type": "online", "supportServices": ["medical"]}
    ready, answers = threading.Barrier(20), []

    def send():
        own = play.Stage(cluster)
        ready.wait(20)
        answers.append(own.outcome("incident_create", "amina", None, body))
        own.close()
    threads = [threading.Thread(target=send) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(answers) == ["created"] + ["ok"] * 19, answers
    assert stage.value("SELECT count(*) FROM play.incident WHERE client_id = 'twenty'") == 1
    assert stage.value("SELECT count(*) FROM kintaraa.need n JOIN play.incident i ON i.id = n.bucket WHERE "
                       "client_id = 'twenty'") == 1


def test_two_phones_that_send_the_same_records_in_another_order_do_not_block_each_other():
    names = ["first", "second"]
    record = {"table": "journal_entries", "data": {"content": "as made"}}
    made = stage.call("sync_batch", "amina", None, {"records": [{**record, "id": name} for name in names]})
    assert made[0] == "ok", made
    holder, outcomes = play.Stage(cluster), []
    holder.rows("BEGIN; SELECT id FROM kintaraa.personal WHERE client_key = "
                "play.key('amina', 'journal_entry', 'first') FOR UPDATE")

    def send(device, sent):
        own = play.Stage(cluster)
        outcomes.append(own.outcome("sync_batch", "amina", None, {"device": device, "records": [
            {**record, "id": name, "data": {"content": device}, "base": {"serverVersion": 1}} for name in sent]}))
        own.close()
    threads = [threading.Thread(target=send, args=("there", names)),
               threading.Thread(target=send, args=("back", names[::-1]))]
    let_go_when_all_wait(holder, threads)
    assert outcomes == ["ok", "ok"], outcomes


def test_two_reports_that_are_changed_at_once_do_not_block_a_helper_of_one():
    stage.value("SELECT play.helper('lawyer', 'legal', -1.2801, 36.8201, 10)")
    for name in ("one", "two"):
        case = stage.value("SELECT play.report('zawadi', %s, '{legal}')::text", name)
        offer = stage.value("SELECT play.offer('lawyer', %s)::text", case)
        assert stage.outcome("assignment_accept", "lawyer", [offer]) == "ok"
    holder, outcomes = play.Stage(cluster), []
    holder.rows("BEGIN; SELECT 1 FROM kintaraa.provider_dispatch FOR UPDATE")

    def change():
        own = play.Stage(cluster)
        outcomes.append(own.outcome("sync_batch", "zawadi", None, {"device": "phone", "records": [
            {"table": "incidents", "id": name, "data": {"description": "more"},
             "base": own.value("SELECT play.base('zawadi', %s)", name)} for name in ("one", "two")]}))
        own.close()

    def complete():
        own = play.Stage(cluster)
        outcomes.append(own.outcome("incident_status", "lawyer", [case], {"status": "completed", "reason": "helped"}))
        own.close()
    threads = [threading.Thread(target=change), threading.Thread(target=complete)]
    let_go_when_all_wait(holder, threads)
    assert outcomes == ["ok", "ok"], outcomes


if __name__ == "__main__":
    with Cluster("race", kintaraa__worker="off", deadlock_timeout="200ms") as cluster:
        play.load(cluster)
        stage, outcomes = play.Stage(cluster), {}
        for team, capacity in TEAMS.items():
            stage.value("SELECT play.helper(%s, %s, -1.2801, 36.8201, %s)", team,
                "social" if team[0] == "s" else "healthcare", capacity)
        stage.value("SELECT play.staff('dora', 'dispatcher'), play.register('amina'), play.register('zawadi')")
        teams = [row[0] for row in stage.rows("SELECT provider::text FROM play.person WHERE provider IS NOT NULL")]
        sys.exit(run_tests(globals()))
