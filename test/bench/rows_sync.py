"""Rows of sync: batches against single reports, pulls of nothing and of little, a hostile puller, what stamps cost."""
import concurrent.futures
import http.client
import json
import time
import uuid

import measure
from harness import Api
from measure import median

ROUNDS = 15
BATCH_CLIENTS = 6
BATCH_RATE = 3300  # reports/s at which every need has to be routed within a second
BATCH_SECONDS = 10
SAMPLES = 400  # pulls of one pgbench slice are many; this bounds those through HTTP
CONTEXT = "'{\"requestId\": \"bench\", \"network\": \"127.0.0.0/24\"}'"


def _records(stage, survivor, count):
    bodies = (json.loads(stage.report_body(survivor, uuid.uuid4())) for _ in range(count))
    return [{"table": "incidents", "id": body["id"], "op": "upsert", "data": body} for body in bodies]


def _timed_post(api, path, body, token):
    began = time.monotonic()
    answer = api.post(path, body, token=token)
    lasted = time.monotonic() - began
    if answer.status not in (200, 201):
        raise measure.BenchFailed("%s: %d %s" % (path, answer.status, str(answer.body)[:300]))
    return lasted, answer.body


def _send_batches(arguments):
    """One device in a process of its own, as fast as it can or every so often; returns how many were acknowledged and
    for how long it sent.  Bodies are bytes: making them is no work of the service."""
    host, port, token, bodies, begin, every = arguments
    headers = {"Authorization": "Bearer " + token, "Content-Type": "application/json"}
    connection = http.client.HTTPConnection(host, port)
    connection.connect()
    sent = 0
    for number, body in enumerate(bodies):
        time.sleep(max(0, begin + number * every - time.monotonic()))
        if time.monotonic() > begin + BATCH_SECONDS:
            break
        connection.request("POST", "/api/sync/batch", body, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise measure.BenchFailed("batch: %d %s" % (answer.status, text[:300]))
        sent += text.count(b'"applied"')
    connection.close()
    return sent, time.monotonic() - begin


def batch(stage, say):
    """500 reports at once against one; batches of 50 of several devices, and until when all of them are routed."""
    token = stage.survivors[0]
    singles, wholes, tens = [], [], []
    for _ in range(ROUNDS):
        report = json.loads(stage.report_body(0, uuid.uuid4()))
        singles.append(_timed_post(stage.api, "/api/incidents", report, token)[0])
        tens.append(_timed_post(stage.api, "/api/sync/batch", {"records": _records(stage, 0, 10)}, token)[0])
        wholes.append(_timed_post(stage.api, "/api/sync/batch", {"records": _records(stage, 0, 500)}, token)[0])
        _wait_routed(stage)
    ratio = median([whole / single for whole, single in zip(wholes, singles)])
    say("batch: one report %.1f ms, ten %.1f ms, 500 %.0f ms, 500 cost %.0f single ones"
        % (median(singles) * 1e3, median(tens) * 1e3, median(wholes) * 1e3, ratio))
    paced, longest = _devices(stage, 50 * BATCH_CLIENTS / BATCH_RATE)
    say("batch: batches of 50 from %d devices: at %.0f reports/s no need waited longer than %.2f s for its routing"
        % (BATCH_CLIENTS, paced, longest))
    most, behind = _devices(stage, 0)
    say("batch: as fast as they can for %d s: %.0f reports/s acknowledged, the longest wait for routing was %.1f s"
        % (BATCH_SECONDS, most, behind))
    return (ratio <= 60 and median(wholes) < 0.15 and paced >= 0.98 * BATCH_RATE and longest <= 1.0
            and most >= 5000)


def _devices(stage, every):
    """Reports/s of all devices, and the longest seconds that a need waited for its first routing."""
    count = int(BATCH_SECONDS / every) if every else 30 * BATCH_SECONDS
    bodies = [[json.dumps({"device": "bench%d" % i, "records": _records(stage, i, 50)}).encode() for _ in range(count)]
              for i in range(BATCH_CLIENTS)]
    begin = time.monotonic() + 1  # once all processes run
    longest = 0.0
    with concurrent.futures.ProcessPoolExecutor(BATCH_CLIENTS) as pool:
        sending = [pool.submit(_send_batches, (stage.api.host, stage.api.port, stage.survivors[i], bodies[i], begin,
                                               every)) for i in range(BATCH_CLIENTS)]
        while not all(one.done() for one in sending):
            longest = max(longest, _oldest_unrouted(stage))
            time.sleep(0.05)
        rate = sum(sent / lasted for sent, lasted in (one.result() for one in sending))
    while (oldest := _oldest_unrouted(stage)) > 0:
        longest = max(longest, oldest)
        time.sleep(0.05)
    return rate, longest


def _oldest_unrouted(stage):
    """Seconds since the oldest need that waits for its first routing was opened; 0 when none does."""
    return float(stage.cluster.value("SELECT COALESCE(EXTRACT(epoch FROM clock_timestamp() - min(created_at)), 0) "
                                     "FROM kintaraa.need WHERE due_at <= now() AND level = 0 AND state = 'searching'"))


def _wait_routed(stage):
    began = time.monotonic()
    while _oldest_unrouted(stage) > 0:
        if time.monotonic() - began > 60:
            raise measure.BenchFailed("needs were not routed within a minute")
        time.sleep(0.02)


def _pull_cost(stage, name, token, since):
    """CPU us of one pull at the door, and its rows' number: one client, so that nothing waits for anything."""
    script = stage.pull_script(name, token, since)
    costs = []
    for _ in range(3):
        cpu = measure.Cpu(stage.cluster.pid, None, stage.idle)
        cpu.start()
        count, _ = measure.pgbench(stage.cluster.gateway_dsn, [script], 1, 2)
        costs.append(cpu.stop(wait_backends=True)["server"] / count * 1e6)
    return min(costs)


def pull(stage, say):
    """Pulls of nothing at 5 and 50 buckets, and of 1,000 open cases on a new phone."""
    good = True
    for buckets, most in ((5, 150), (50, 250)):
        token = stage._register("puller%d-%s" % (buckets, uuid.uuid4().hex[:6]))
        for _ in range(buckets - 1):
            _timed_post(stage.api, "/api/incidents", json.loads(stage.report_body(1, uuid.uuid4())), token)
        stage.cluster.value("SELECT kintaraa.tick_write(true)")
        cursor = stage.api.get("/api/incidents/updates", token=token).body["cursor"]
        cost = _pull_cost(stage, "empty%d" % buckets, token, cursor)
        say("pull: nothing new at %d buckets costs %.0f us of PostgreSQL (at most %d)" % (buckets, cost, most))
        good = good and cost <= most
    return _cold_device(stage, say) and good


def growth(stage, say):
    """A pull of one new report while the table of stamps grows a thousandfold."""
    token = stage._register("grower-" + uuid.uuid4().hex[:6])
    costs = []
    for size in (10_000, 1_000_000, 10_000_000):
        _grow_changes(stage, size)
        stage.cluster.value("SELECT kintaraa.tick_write(true)")
        cursor = stage.api.get("/api/incidents/updates", token=token).body["cursor"]
        _timed_post(stage.api, "/api/incidents", json.loads(stage.report_body(1, uuid.uuid4())), token)
        costs.append(_pull_cost(stage, "grown", token, cursor))
        say("growth: one new report beside %d stamps costs %.0f us" % (size, costs[-1]))
    return costs[-1] < 2 * costs[0]


def _grow_changes(stage, size):
    """Stamps of other people's records, all older than any cursor."""
    stage.cluster.psql("INSERT INTO kintaraa.change "
                       "(bucket, noun, id, x, version, foreign_version, deleted, updated_at) "
                       "SELECT gen_random_uuid(), 'incident', gen_random_uuid(), '3', 1, 0, false, now() "
                       "FROM generate_series(1, %s - (SELECT count(*) FROM kintaraa.change))", [size])
    stage.cluster.psql("VACUUM ANALYZE kintaraa.change")


def _cold_device(stage, say):
    token = stage._register("many-" + uuid.uuid4().hex[:6])
    for _ in range(2):
        answer = _timed_post(stage.api, "/api/sync/batch", {"records": _records(stage, 2, 500)}, token)[1]
        if any(result["status"] != "applied" for result in answer["results"]):
            raise measure.BenchFailed("a batch was not stored in full")
    _wait_routed(stage)
    began = time.monotonic()
    answer = stage.api.get("/api/sync/pull?last_pulled_at=null", token=token).body
    first = time.monotonic() - began
    page, rows = answer, len(answer["changes"]["incidents"]["updated"])
    while page["hasMore"]:
        page = stage.api.get("/api/sync/pull?last_pulled_at=null&pageToken=" + page["pageToken"], token=token).body
        rows += len(page["changes"]["incidents"]["updated"])
    whole = time.monotonic() - began
    say("pull: 1,000 open cases on a cold device: first page %.0f ms, all %d after %.0f ms"
        % (first * 1e3, rows, whole * 1e3))
    return rows >= 1000 and first < 0.2 and whole < 2.0


def _read_for_ever(arguments):
    """Returns how often it was answered."""
    host, port, token, path, seconds = arguments
    api = Api(host, port)
    end = time.monotonic() + seconds
    answers = 0
    while time.monotonic() < end:
        answers += api.get(path, token=token).status == 200
    return answers


def _p95(stage, seconds):
    latencies = []
    end = time.monotonic() + seconds
    while time.monotonic() < end and len(latencies) < SAMPLES:
        began = time.monotonic()
        stage.api.get("/api/incidents/" + stage.reports[3][0], token=stage.survivors[3])
        latencies.append(time.monotonic() - began)
    return sorted(latencies)[int(len(latencies) * 0.95)]


ATTACKS = (("full pulls", "/api/sync/pull?last_pulled_at=null", 1),
           ("lists on 8 connections", "/api/incidents?limit=100", 8))


def hostile(stage, say):
    """What somebody who reads everything in a loop costs the others' p95."""
    good = True
    for what, path, connections in ATTACKS:
        token = stage._register("hostile-" + uuid.uuid4().hex[:6])
        _timed_post(stage.api, "/api/sync/batch", {"records": _records(stage, 2, 300)}, token)
        _wait_routed(stage)
        pairs, answers = [], []
        work = (stage.api.host, stage.api.port, token, path, 1.0)
        with concurrent.futures.ProcessPoolExecutor(connections) as pool:
            for _ in range(ROUNDS):
                alone = _p95(stage, 0.7)
                attack = [pool.submit(_read_for_ever, work) for _ in range(connections)]
                time.sleep(0.2)
                pairs.append(_p95(stage, 0.7) / alone)
                answers.append(sum(one.result() for one in attack))
        say("hostile: others' p95 beside %s in a loop is %.2f of their p95 alone (median of %d pairs)"
            % (what, median(pairs), len(pairs)))
        say("hostile: %s answers a second; %.2f beside the first, while the account spends what it had saved"
            % (" ".join(map(str, answers)), pairs[0]))
        good = good and median(pairs) < 1.2
    return good


def stamps(stage, say):
    """Processor time of doors with the triggers that remember changes, against without: creates, and one row."""
    moods = [stage.mood_script("mood%d" % i, token) for i, token in enumerate(stage.survivors)]
    names = [stage.name_script("name%d" % i, token) for i, token in enumerate(stage.survivors)]
    good = True
    for row, what, scripts in (("create", "a create", stage.files["create"]), ("mood", "a new mood entry", moods),
                               ("me", "a new name (PATCH /api/me)", names)):
        tables, most = STAMPED[row]
        ratio = _stamp_ratio(stage, tables, scripts)
        say("stamps: %s costs %.2f of one without stamps (median of %d pairs, at most %.2f)"
            % (what, ratio, ROUNDS, most))
        good = good and ratio < most
    return good


# Tables that a call changes, and what it may cost of one without stamps.
STAMPED = {"create": (["incident", "need", "assignment"], 1.32), "mood": (["personal"], 1.4), "me": (["account"], 1.4)}


def switch_stamps(stage, tables, state):
    """ENABLE or DISABLE what remembers changes.  Doors refuse while a trigger of ours is switched off, so it stays, and
    never fires."""
    for table in tables:
        text = stage.cluster.value("SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = 'remember' AND "
                                   "tgrelid = %s::regclass", ("kintaraa." + table,))
        text = text.replace(" WHEN (false)", "")
        assert " WHEN " not in text, text
        if state == "DISABLE":
            text = text.replace(" EXECUTE FUNCTION", " WHEN (false) EXECUTE FUNCTION")
        stage.cluster.psql(text.replace("CREATE TRIGGER", "CREATE OR REPLACE TRIGGER", 1))


def _stamp_ratio(stage, tables, scripts):
    ratios = []
    for _ in range(ROUNDS):
        costs = {}
        for state in ("ENABLE", "DISABLE"):
            switch_stamps(stage, tables, state)
            cpu = measure.Cpu(stage.cluster.pid, None, stage.idle)
            cpu.start()
            count, _ = measure.pgbench(stage.cluster.gateway_dsn, scripts, 4, 1)
            costs[state] = cpu.stop(wait_backends=True)["server"] / count
        ratios.append(costs["ENABLE"] / costs["DISABLE"])
    switch_stamps(stage, tables, "ENABLE")
    return median(ratios)


ROWS = {"batch": batch, "pull": pull, "growth": growth, "hostile": hostile, "stamps": stamps}
