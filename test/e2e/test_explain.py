"""With 200,000 incidents no door reads a large table from end to end: every statement that runs while each
door is called is explained by the server itself, and its log is searched for sequential scans."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Cluster, run_tests, wait_until

import play

LARGE = ["incident", "need", "assignment", "change", "member", "audit", "provider", "account", "status_history",
    "notification", "session", "tick"]
INCIDENTS = int(os.environ.get("KN_EXPLAIN_INCIDENTS", "200000"))
SCAN = re.compile(r"Seq Scan on (?:kintaraa\.)?(\w+)")

FILL = """
SET session_replication_role = replica;
INSERT INTO kintaraa.provider (id, organisation_id, provider_type, name, latitude, longitude, is_verified, by_telephone)
SELECT gen_random_uuid(), o.id, (ARRAY['healthcare', 'legal', 'police', 'counseling', 'social', 'gbv_rescue',
    'chw'])[1 + n %% 7], 'p' || n,
       -4 + random() * 8, 34 + random() * 7, true, true
  FROM generate_series(1, 20000) n, (SELECT id FROM kintaraa.organisation WHERE kind = 'helper' LIMIT 1) o;
INSERT INTO kintaraa.account (id, role, email_index, password_hash)
SELECT md5('a' || n)::uuid, 'survivor', decode(md5('e' || n), 'hex'), '\\x00' FROM generate_series(1, 50000) n;
INSERT INTO kintaraa.incident (id, owner_id, client_key, case_number, status, urgency_level, created_hash, created_at)
SELECT md5('i' || n)::uuid, md5('a' || 1 + n %% 50000)::uuid, decode(md5('c' || n), 'hex'), 'KIN-' || n,
       CASE WHEN n %% 100 = 0 THEN 'in_progress' ELSE 'closed' END, 'routine', '\\x00', now() - n * interval '1 minute'
           FROM generate_series(1, %(n)s) n;
INSERT INTO kintaraa.need (bucket, id, service, state, urgency_level, due_at, escalation)
SELECT md5('i' || n)::uuid, md5('n' || n)::uuid, 'medical', CASE WHEN n %% 100 = 0 THEN 'needs_dispatcher'
    ELSE 'withdrawn' END, 'routine',
       CASE WHEN n %% 100 = 0 THEN now() + n * interval '1 minute' END, p.body -> 'routine'
  FROM generate_series(1, %(n)s) n, (SELECT body FROM kintaraa.policy WHERE kind = 'escalation' LIMIT 1) p;
INSERT INTO kintaraa.assignment (id, provider_id, incident_bucket, need_id, service, status, urgency_level, level,
    round, offered_at)
SELECT md5('s' || n)::uuid, (ARRAY(SELECT id FROM kintaraa.provider))[1 + n %% 20000], md5('i' || n)::uuid,
    md5('n' || n)::uuid, 'medical', 'expired', 'routine', 1, 1,
       now() - n * interval '1 minute' FROM generate_series(1, %(n)s) n;
INSERT INTO kintaraa.member (principal, bucket, relation, revoked)
SELECT md5('a' || 1 + n %% 50000)::uuid, md5('i' || n)::uuid, 'owner', false FROM generate_series(1, %(n)s) n
UNION ALL SELECT o.id, md5('i' || n)::uuid, 'dispatcher', n %% 100 <> 0 FROM generate_series(1, %(n)s) n, (SELECT id
    FROM kintaraa.organisation WHERE kind = 'dispatch_centre') o;
INSERT INTO kintaraa.change (bucket, noun, id, x, version, foreign_version, deleted, updated_at)
SELECT md5('i' || n)::uuid, k, CASE k WHEN 'need' THEN md5('n' || n)::uuid ELSE md5('i' || n)::uuid END,
    pg_current_xact_id(), 1, 0, false, now()
  FROM generate_series(1, %(n)s) n, unnest(ARRAY['incident', 'need']) k;
INSERT INTO kintaraa.audit (action, outcome, target) SELECT 'incident_get', 'ok', md5('i' || n)::uuid
    FROM generate_series(1, %(n)s) n;
INSERT INTO kintaraa.status_history (bucket, id, from_status, to_status, actor) SELECT md5('i' || n)::uuid,
    gen_random_uuid(), 'new', 'closed', 'owner' FROM generate_series(1, %(n)s) n;
INSERT INTO kintaraa.notification (id, account_id, class) SELECT gen_random_uuid(), md5('a' || 1 + n %% 50000)::uuid,
    'case_update' FROM generate_series(1, %(n)s / 2) n;
INSERT INTO kintaraa.session (id, account_id, expires_at) SELECT gen_random_uuid(), md5('a' || n)::uuid,
    now() + interval '1 day' FROM generate_series(1, 50000) n;
RESET session_replication_role;
INSERT INTO kintaraa.dispatch_delta SELECT status, urgency_level, count(*) FROM kintaraa.incident GROUP BY 1, 2;
SELECT kintaraa.dispatch_refresh();
"""


def explained(door, who, path=None, body=None, query=None):
    """Calls a door and returns the plans the server wrote about it, as one text."""
    before = len(cluster.log())
    outcome, answer = stage.call(door, who, path, body, query)
    wait_until(lambda: cluster.log()[before:].count("Query Text") > 0, 10, "plans of %s are logged" % door)
    calls[door] = calls.get(door, 0) + 1
    return outcome, answer, cluster.log()[before:]


def check(door, who, path=None, body=None, query=None, wanted=("ok", "created", "none", "accepted")):
    outcome, answer, text = explained(door, who, path, body, query)
    assert outcome in wanted, (door, outcome, answer)
    bad = sorted({name for name in SCAN.findall(text) if name in LARGE})
    if bad:
        at = text.index("Seq Scan on %s" % bad[0]) if "Seq Scan on %s" % bad[0] in text else text.index("Seq Scan on "
            "kintaraa.%s" % bad[0])
        raise AssertionError("%s reads all of %s:\n%s" % (door, bad, text[max(0,
            text.rfind("Query Text", 0, at)):at + 200]))
    return answer


def test_the_search_sees_a_sequential_scan():
    before = len(cluster.log())
    stage.value("SELECT count(*) FROM kintaraa.incident WHERE severity = 'high'")
    wait_until(lambda: "Seq Scan on incident" in cluster.log()[before:], 10, "a sequential scan is logged")


def test_doors_of_the_survivor():
    check("incident_create", "amina", body={"id": "explain", "supportServices": ["medical", "legal"],
        "urgencyLevel": "immediate",
                                            "location": {"coordinates": {"latitude": -1.28, "longitude": 36.82},
                                            "source": "gps"}})
    check("incident_create", "amina", body={"id": "triage"})
    check("incident_create", "amina", body={"id": "explain", "type": "online"}, wanted=("conflict",))
    for query in (None, {"status": "new"}, {"limit": "1"}):
        answer = check("incident_list", "amina", query=query)
    check("incident_list", "amina", query={"limit": "1", "after": answer["next"]})
    for door in ("incident_get", "incident_timeline"):
        check(door, "amina", ["explain"])
    check("incident_update", "amina", ["explain"], {"supportServices": ["medical", "legal", "police"],
        "description": "x"})
    check("need_withdraw", "amina", ["explain", "legal"])
    check("incident_status", "amina", ["triage"], {"status": "closed"})
    check("incident_delete", "amina", ["triage"])
    for door in ("me_get", "session_list", "notification_list"):
        check(door, "amina")
    check("me_update", "amina", body={"firstName": "A"})


def test_doors_of_the_helper():
    offer = stage.value("SELECT play.offer('clinic', play.report('amina', 'for-clinic', '{medical}', "
                        "'{\"urgencyLevel\": \"immediate\"}'))::text")
    case = stage.value("SELECT id::text FROM play.incident WHERE client_id = 'for-clinic'")
    assert offer is not None
    for query in (None, {"status": "pending"}, {"limit": "1"}):
        check("assignment_list", "clinic", query=query)
    check("assignment_accept", "clinic", [offer])
    check("incident_get", "clinic", [case])
    check("incident_list", "clinic")
    check("incident_status", "clinic", [case], {"status": "in_progress"})
    check("need_reached", "amina", ["for-clinic", "medical"])
    check("assignment_release", "clinic", [offer], {"reason": "x"})
    other = stage.value("SELECT play.offer('clinic', play.report('amina', 'declined', '{medical}', "
                        "'{\"urgencyLevel\": \"immediate\"}'))::text")
    check("assignment_decline", "clinic", [other], {"reason": "other"})
    lost = stage.value("SELECT play.offer('clinic', play.report('amina', 'unreached', '{medical}', "
                       "'{\"urgencyLevel\": \"immediate\"}'))::text")
    check("assignment_accept", "clinic", [lost])
    check("need_unreached", "amina", ["unreached", "medical"])
    check("need_another", "amina", ["for-clinic", "medical"])
    check("need_withdraw", "amina", ["unreached", "medical"])
    check("need_ask", "amina", ["unreached", "medical"])
    check("provider_get", "clinic")
    check("provider_availability", "clinic", body={"available": True})
    check("provider_list", "clinic")


def test_doors_of_the_dispatcher():
    case = stage.value("SELECT id::text FROM play.incident WHERE client_id = 'for-clinic'")
    for query in (None, {"urgency": "immediate"}, {"state": "needs_dispatcher", "limit": "1"}):
        check("dispatch_queue", "dora", query=query)
    check("dispatch_dashboard", "dora")
    for query in (None, {"status": "in_progress"}, {"limit": "100"}):
        answer = check("incident_list", "dora", query=query)
    check("incident_list", "dora", query={"after": answer["next"]})
    for door in ("incident_get", "incident_timeline"):
        check(door, "dora", [case])
    check("recommendation_list", "dora", [case])
    team = stage.value("SELECT provider::text FROM play.person WHERE name = 'clinic'")
    check("assignment_assign", "dora", [case], {"providerId": team, "service": "medical"})
    check("provider_list", "dora")
    check("account_list", "admin")
    for query in (None, {"limit": "1"}, {"target": case}):
        check("audit_list", "admin", query=query)


def test_signing_in_and_the_feed():
    check("auth_login", None, body={"email": "amina@play.example", "password": "correct horse amina"})
    check("auth_refresh", None, body={"refresh": stage.value("SELECT refresh FROM play.person WHERE name = 'amina'")})
    gateway = check("feed_start", None, body={})["gateway"]
    check("feed_join", "dora", body={"gateway": gateway, "cursor": None})
    check("feed_join", "amina", body={"gateway": gateway, "cursor": None})


def test_the_sweep():
    before = len(cluster.log())
    stage.value("UPDATE kintaraa.need SET due_at = now() WHERE bucket = md5('i100')::uuid; SELECT "
                "kintaraa.change_flush()")
    assert stage.value("SELECT kintaraa.need_sweep(10)") >= 1
    wait_until(lambda: "need_sweep" in cluster.log()[before:], 10, "the sweep is logged")
    bad = sorted({name for name in SCAN.findall(cluster.log()[before:]) if name in LARGE})
    assert not bad, bad


def test_every_door_of_cases_was_called():
    known = {row[0] for row in stage.rows("SELECT proname::text FROM pg_proc WHERE pronamespace = "
                                          "'kintaraa_api'::regnamespace")}
    wanted = {name for name in known if name.split("_")[0] in ("incident", "need", "assignment",
        "dispatch")} - {"dispatch_coverage"}
    assert wanted <= set(calls) | {"assignment_reassign"}, wanted - set(calls)


if __name__ == "__main__":
    with Cluster("explain", kintaraa__worker="off", shared_preload_libraries="pg_cron,kintaraa,auto_explain",
        auto_explain__log_min_duration="0",
                 auto_explain__log_nested_statements="on", auto_explain__log_verbose="off", fsync="off",
                     synchronous_commit="off",
                 max_wal_size="4GB", log_statement="none") as cluster:
        cluster.psql("ALTER SYSTEM SET auto_explain.log_min_duration = -1")
        cluster.reload()
        play.load(cluster)
        calls, stage = {}, play.Stage(cluster)
        stage.value("SELECT play.helper('clinic', 'healthcare', -1.2825, 36.8325), play.staff('dora', 'dispatcher'), "
                    "play.staff('admin', 'admin'), play.register('amina')")
        stage.cursor.execute(FILL % {"n": INCIDENTS})
        stage.value("VACUUM ANALYZE")
        stage.value("UPDATE play.person SET name = name")
        stage.close()
        cluster.psql("ALTER SYSTEM RESET auto_explain.log_min_duration")
        cluster.reload()
        stage = play.Stage(cluster)
        stage.value("SET auto_explain.log_min_duration = 0")
        sys.exit(run_tests(globals()))
