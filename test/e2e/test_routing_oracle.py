#!/usr/bin/python3
"""Routing against brute force: 10,000 random needs over the real facilities of Kenya, made harder with
identical points, ties, both sides of the dateline, both poles, full providers and exclusions.

The oracle is plain SQL over every row, with another formula for distance.  KINTARAA_SEED repeats a run."""
import os
import random
import sys
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import ROOT, Cluster, Tap, run_tests
from psycopg2.extras import execute_values

NEEDS = 10000
SEED = int(os.environ.get("KINTARAA_SEED", random.SystemRandom().randrange(1 << 32)))
TYPES = ["healthcare", "legal", "police", "counseling", "social", "gbv_rescue", "chw"]
SERVICES = {"medical": [1], "legal": [2], "police": [3], "counseling": [4], "shelter": [5, 6], "financial": [5],
            "emergency": [1, 6], "community": [7], "unheard_of": []}
LANGUAGES = ["en", "sw", "ki", "luy", "luo", "kln", "kam"]
SKILLS = ["child", "forensic", "disability", "male_survivor", "trauma"]
URGENCIES = ["routine", "urgent", "immediate"]

tap = Tap()
tap.note("seed %d" % SEED)
chance = random.Random(SEED)
cluster = Cluster("oracle")
database = cluster.connect()
sql = database.cursor()


def ask(text, args=None):
    sql.execute(text, args)
    return sql.fetchall() if sql.description else []


def import_kenya():
    with open(os.path.join(ROOT, "test", "data", "facilities-kenya.csv"), encoding="utf-8") as file:
        ask("SELECT kintaraa.provider_import('Kenya', 'healthcare', %s)", (file.read(),))


def add_corners():
    """Providers where the plane of degrees deceives, several of them at one point."""
    places = []
    for _ in range(60):
        places.append((chance.uniform(-20, 20), chance.choice([-1, 1]) * chance.uniform(178.5, 180)))
        places.append((chance.choice([-1, 1]) * chance.uniform(88, 90), chance.uniform(-180, 180)))
    places += [(90, 0), (90, 123), (-90, -45), (0, 180), (0, -180), (12, 180), (12, -180)]
    places += [chance.choice(places) for _ in range(40)]
    rows = ["facility_id,name,latitude,longitude"]
    rows += ["corner-%d,Corner %d,%r,%r" % (n, n, *place) for n, place in enumerate(places)]
    ask("SELECT kintaraa.provider_import('Corners', 'healthcare', %s, true)", ("\n".join(rows),))
    return places


def vary_providers():
    """Types, loads, offers and words by chance; few values, so that ties are many."""
    rows = []
    for (provider,) in ask("SELECT id FROM kintaraa.provider ORDER BY facility_code"):
        ptype = chance.choices(TYPES[:6], [40, 12, 12, 12, 12, 12])[0]
        rows.append((provider, ptype, chance.choice([0, 0, 0, 1, 2, 5, 10]),
                     chance.choice([None, None, 2, 5.5, 10, 30]),
                     chance.choice([None, None, None, "2026-01-01", "2026-01-02", "2026-01-02 11:59:59.5"]),
                     chance.choice([None, "male", "female"]), some(LANGUAGES, 0.5) or [], some(SKILLS, 0.5) or [],
                     chance.random() < 0.95))
    ask("CREATE TEMPORARY TABLE varied (id uuid, type text, load integer, ack real, offer timestamptz, gender text, "
        "languages text[], skills text[], available boolean)")
    execute_values(sql, "INSERT INTO varied VALUES %s", rows, page_size=10000,
                   template="(%s, %s, %s, %s::real, %s::timestamptz, %s, %s::text[], %s::text[], %s)")
    ask("BEGIN")
    ask("""UPDATE kintaraa.provider AS p SET provider_type = v.type, gender = v.gender, languages = v.languages,
        skills = v.skills, is_available = v.available FROM varied AS v WHERE p.id = v.id""")
    ask("""UPDATE kintaraa.provider AS p SET latitude = n.latitude, longitude = n.longitude FROM (
               SELECT array_agg(id) AS ids, min(latitude) AS latitude, min(longitude) AS longitude
                 FROM (SELECT id, latitude, longitude FROM kintaraa.provider ORDER BY facility_code LIMIT 400) AS f
                GROUP BY ascii(id::text)) AS n WHERE p.id = ANY (n.ids)""")
    ask("SELECT kintaraa.dispatch_refresh()")
    ask("""UPDATE kintaraa.provider_dispatch AS d SET load = v.load, ack_minutes = v.ack, last_offer_at = v.offer
        FROM varied AS v WHERE d.provider_id = v.id""")
    ask("COMMIT")


def uncap():
    ask("""INSERT INTO kintaraa.policy (kind, version, body)
           SELECT kind, 2, body || '{"cap": 1000000}' FROM kintaraa.policy WHERE kind = 'routing' AND version = 1""")


def random_place(corners, facilities):
    kind = chance.random()
    if kind < 0.05:
        return None, None
    if kind < 0.15:
        return chance.choice(facilities)
    if kind < 0.25:
        return chance.choice(corners)
    if kind < 0.32:
        return chance.uniform(-25, 25), chance.choice([-1, 1]) * chance.uniform(178, 180)
    if kind < 0.38:
        return chance.choice([-1, 1]) * chance.uniform(86, 90), chance.uniform(-180, 180)
    return chance.uniform(-4.7, 5), chance.uniform(33.9, 41.9)


def some(values, share):
    chosen = [value for value in values if chance.random() < share]
    return chosen or None


def random_need(n, corners, facilities, providers, organisations):
    service = chance.choice(list(SERVICES))
    urgency = chance.choice(URGENCIES)
    types = [t for t in SERVICES[service] if urgency != "routine" or t != 6]
    excluded = chance.sample(providers, chance.choice([0, 0, 0, 1, 50, 300]))
    excluded += organisations if chance.random() < 0.03 else []
    latitude, longitude = random_place(corners, facilities)
    return (n, service, urgency, types, latitude, longitude, chance.randint(1, 8),
            chance.choice([1, 1, 2, 0.02, 40, 300]), chance.choice([None] * 6 + ["male", "female"]),
            chance.choice([None, None, "male", "female"]), some(LANGUAGES, 0.1), some(LANGUAGES, 0.1),
            some(SKILLS, 0.08), excluded,
            "2026-01-%02d %02d:00" % (chance.randint(1, 4), chance.randrange(24)))


def store_needs(needs):
    ask("""CREATE TEMPORARY TABLE need (n integer PRIMARY KEY, service text, urgency text, types smallint[],
        latitude float8, longitude float8, k integer, radius_factor float8, required_gender text,
        preferred_gender text, required_languages text[], preferred_languages text[], required_skills text[],
        excluded uuid[], at timestamptz)""")
    execute_values(sql, "INSERT INTO need VALUES %s", needs, page_size=500, template="(%s, %s, %s, %s::smallint[], "
                   "%s, %s, %s, %s, %s, %s, %s, %s, %s, %s::uuid[], %s::timestamptz)")
    ask("ANALYZE need")


ROUTED = """SELECT n.n, t.rank, t.provider_id::text, t.cost, t.capped FROM need AS n, LATERAL kintaraa.route_trace(
    n.service, n.urgency, n.latitude, n.longitude, n.k, n.radius_factor, n.required_gender, n.preferred_gender,
    n.required_languages, n.preferred_languages, n.required_skills, n.excluded, n.at) AS t ORDER BY n.n, t.rank"""

# Every row, no index, distance by chords of the unit sphere; the weights of policy 1 written out again.
# far only spares rows that lie beyond the radius whatever the rounding: a chord is no longer than its arc.
ORACLE = """
CREATE TEMPORARY TABLE sphere AS SELECT provider_id AS id, organisation_id AS org, ptype, load, capacity,
    gender, langs, skills, last_offer_at,
    COALESCE(ack_minutes, (ARRAY[10, 30, 10, 20, 30, 5, 20])[ptype])::float8 AS ack,
    cos(radians(pos[1])) * cos(radians(pos[0])) AS x, cos(radians(pos[1])) * sin(radians(pos[0])) AS y,
    sin(radians(pos[1])) AS z
  FROM kintaraa.provider_dispatch WHERE dispatchable;
CREATE INDEX ON sphere (ptype);
ANALYZE sphere;
"""
BRUTE = """SELECT n.n, b.id::text, b.cost FROM (
    SELECT *, cos(radians(latitude)) * cos(radians(longitude)) AS x,
           cos(radians(latitude)) * sin(radians(longitude)) AS y, sin(radians(latitude)) AS z,
           power(100.001 * radius_factor / 6371, 2) AS far,
           (urgency = 'routine')::integer + 1 AS spread,
           CASE urgency WHEN 'immediate' THEN 0.1::float8 ELSE 1 END AS small,
           COALESCE(array_position(ARRAY['male', 'female'], required_gender), 0) AS rg,
           COALESCE(array_position(ARRAY['male', 'female'], preferred_gender), 0) AS pg,
           (SELECT COALESCE(bit_or(1 << (array_position(%(languages)s, w) - 1)), 0)
              FROM unnest(required_languages) AS w) AS rl,
           (SELECT COALESCE(bit_or(1 << (array_position(%(languages)s, w) - 1)), 0)
              FROM unnest(preferred_languages) AS w) AS pl,
           (SELECT COALESCE(bit_or(1 << (array_position(%(skills)s, w) - 1)), 0)
              FROM unnest(required_skills) AS w) AS rs
      FROM need OFFSET 0) AS n, LATERAL (
    SELECT id, last_offer_at, round(1e6::float8 * (
               COALESCE(3 + km * 1.4::float8 / 30 * 60, 0) + ack
               + 20 * small * spread * (load::float8 / capacity) * (load::float8 / capacity)
               + 10 * small * spread * CASE WHEN last_offer_at IS NULL THEN 0
                      ELSE exp(-GREATEST(EXTRACT(epoch FROM n.at - last_offer_at)::float8, 0) / 43200) END
               + 15 * small * ((pg <> 0 AND gender <> pg)::integer
                               + (pl <> 0 AND langs & pl = 0)::integer))) / 1e6::float8 AS cost
      FROM (SELECT s.*, CASE WHEN n.x IS NOT NULL THEN 2 * 6371.0088::float8 * asin(LEAST(1, sqrt(
                   (s.x - n.x) * (s.x - n.x) + (s.y - n.y) * (s.y - n.y)
                                                              + (s.z - n.z) * (s.z - n.z)) / 2)) END AS km
              FROM sphere AS s WHERE s.ptype = ANY (n.types) AND load < capacity AND (rg = 0 OR gender = rg)
               AND (rl = 0 OR langs & rl <> 0) AND skills & rs = rs
               AND (n.x IS NULL OR (s.x - n.x) * (s.x - n.x) + (s.y - n.y) * (s.y - n.y)
                                   + (s.z - n.z) * (s.z - n.z) <= far)
            OFFSET 0) AS s
     WHERE (km IS NULL OR km <= 100 * radius_factor) AND NOT id = ANY (excluded) AND NOT org = ANY (excluded)
     ORDER BY cost, last_offer_at NULLS FIRST, id LIMIT n.k) AS b
 ORDER BY n.n, b.cost, b.last_offer_at NULLS FIRST, b.id"""


def by_need(rows, id_column, cost_column):
    result = {}
    for row in rows:
        result.setdefault(row[0], []).append((row[id_column], row[cost_column]))
    return result


def same(routed, wanted):
    """Equal ids; two costs that differ by less than the rounding step of one formula may change places."""
    if len(routed) != len(wanted):
        return False
    for (id_a, cost_a), (id_b, cost_b) in zip(routed, wanted):
        if abs(cost_a - cost_b) > 3e-6 or (id_a != id_b and dict(wanted).get(id_a, cost_b) == cost_b):
            return False
    return True


def test_the_real_facilities_are_there():
    import_kenya()
    assert ask("SELECT count(*) FROM kintaraa.provider_dispatch WHERE dispatchable")[0][0] == 6044


def test_brute_force_equals_routing_on_ten_thousand_needs():
    facilities = ask("SELECT latitude, longitude FROM kintaraa.provider ORDER BY facility_code")
    corners = add_corners()
    vary_providers()
    uncap()
    providers = [row[0] for row in ask("SELECT provider_id::text FROM kintaraa.provider_dispatch ORDER BY 1")]
    organisations = [row[0] for row in ask("SELECT id::text FROM kintaraa.organisation")]
    needs = [random_need(n, corners, facilities, providers, organisations) for n in range(NEEDS)]
    store_needs(needs)
    ask("SET jit = off")
    ask(ORACLE)
    start = time.monotonic()
    rows = ask(ROUTED)
    routed_in = time.monotonic() - start
    routed = by_need(rows, 2, 3)
    wanted = by_need(ask(BRUTE, {"languages": LANGUAGES, "skills": SKILLS}), 1, 2)
    tap.note("routing %.1f s, oracle %.1f s, %d of %d needs found somebody"
             % (routed_in, time.monotonic() - start - routed_in, len(wanted), NEEDS))
    wrong = [need for need in needs if not same(routed.get(need[0], []), wanted.get(need[0], []))]
    for need in wrong[:5]:
        tap.note("need %r" % (need[:13],))
        tap.note("routed %r" % routed.get(need[0]))
        tap.note("wanted %r" % wanted.get(need[0]))
    assert not wrong, "%d of %d differ" % (len(wrong), NEEDS)
    assert len(wanted) > NEEDS / 3, "too few needs find anybody: the test would prove nothing"
    assert not any(row[4] for row in rows), "nothing is capped"


def routed_now(limit=600):
    return ask("SELECT r.* FROM (%s) AS r WHERE r.n < %d" % (ROUTED, limit))


def test_an_ineligible_provider_changes_nothing():
    before = routed_now()
    ask("BEGIN")
    ask("""INSERT INTO kintaraa.provider
               (id, organisation_id, provider_type, name, latitude, longitude, is_verified, by_telephone)
           SELECT gen_random_uuid(), organisation_id, t, 'Nobody', latitude, longitude, t <> 'legal', t <> 'police'
             FROM (SELECT * FROM kintaraa.provider ORDER BY id LIMIT 500) AS p,
                  unnest(ARRAY['legal', 'police']) AS t""")
    ask("SELECT kintaraa.dispatch_refresh()")
    assert ask("SELECT count(*) FROM kintaraa.provider_dispatch AS d "
               "JOIN kintaraa.provider AS p ON p.id = d.provider_id "
               "WHERE p.name = 'Nobody' AND NOT dispatchable")[0][0] == 1000
    after = routed_now()
    ask("ROLLBACK")
    assert before and after == before


def test_moving_the_winner_away_never_improves_its_rank():
    for n, place in enumerate([(-1.28, 36.82), (0.1, 34.75), (-4.05, 39.66), (3.1, 35.6)] * 5):
        query = "SELECT provider_id, rank FROM kintaraa.route_trace('medical', 'urgent', %s, %s, 8, 3)"
        before = ask(query, place)
        winner = before[n % min(4, len(before))]
        ask("BEGIN")
        ask("UPDATE kintaraa.provider_dispatch SET pos = point(%s + 3 * (pos[0] - %s), %s + 3 * (pos[1] - %s)) "
            "WHERE provider_id = %s", (place[1], place[1], place[0], place[0], winner[0]))
        after = dict(ask(query, place))
        ask("ROLLBACK")
        assert after.get(winner[0], 9) >= winner[1]


def test_a_stricter_need_never_adds_a_candidate():
    for _ in range(200):
        place = (chance.uniform(-4.7, 5), chance.uniform(33.9, 41.9))
        loose = ask("SELECT provider_id, cost FROM kintaraa.route_trace('emergency', 'immediate', %s, %s, 8)", place)
        strict = ask("SELECT provider_id, cost FROM kintaraa.route_trace('emergency', 'immediate', %s, %s, 8, "
                     "required_gender => 'female', required_languages => '{sw,en}', excluded => %s::uuid[])",
                     (*place, [row[0] for row in loose[::3]]))
        known = dict(loose)
        worst = loose[-1][1] if len(loose) == 8 else float("inf")
        assert all(known.get(provider, worst) <= cost for provider, cost in strict)
        assert all(provider in known for provider, cost in strict if cost < worst)
        assert not {row[0] for row in loose[::3]} & {row[0] for row in strict}


def test_the_order_of_insertion_changes_nothing():
    before = routed_now()
    ask("CREATE TEMPORARY TABLE shuffled AS SELECT * FROM kintaraa.provider_dispatch")
    ask("DELETE FROM kintaraa.provider_dispatch")
    ask("INSERT INTO kintaraa.provider_dispatch SELECT * FROM shuffled ORDER BY md5(provider_id::text)")
    ask("REINDEX TABLE CONCURRENTLY kintaraa.provider_dispatch")
    assert before and routed_now() == before


def test_the_cap_is_reached_and_told():
    rows = ["facility_id,name,latitude,longitude"]
    rows += ["cap-%d,Cap %d,60,10" % (n, n) for n in range(9)]
    ask("SELECT kintaraa.provider_import('Cap', 'chw', %s)", ("\n".join(rows),))
    for version, cap, visited, capped in ((3, 9, 9, False), (4, 8, 8, True), (5, 4096, 9, False)):
        ask("""INSERT INTO kintaraa.policy (kind, version, body) SELECT kind, %s, body || jsonb_build_object('cap', %s)
               FROM kintaraa.policy WHERE kind = 'routing' AND version = 1""", (version, cap))
        assert ask("SELECT DISTINCT visited, capped, policy_version FROM kintaraa.route_trace("
                   "'community', 'urgent', 60, 10, 8, 1)") == [(visited, capped, version)]


def gini(counts):
    counts = sorted(counts)
    n = len(counts)
    return sum((2 * i - n + 1) * value for i, value in enumerate(counts)) / (n * sum(counts))


def test_equal_providers_share_routine_needs_and_urgency_keeps_the_nearest_first():
    rows = ["facility_id,name,latitude,longitude"]
    rows += ["fair-%d,Fair %d,%r,30" % (n, n, 50 + n / 1e5) for n in range(50)]
    ask("SELECT kintaraa.provider_import('Fair', 'chw', %s)", ("\n".join(rows),))
    ask("UPDATE kintaraa.provider_dispatch SET capacity = 400 WHERE provider_id IN "
        "(SELECT id FROM kintaraa.provider WHERE facility_code LIKE 'fair-%%')", ())
    ask("""DO $$ DECLARE chosen uuid; BEGIN FOR i IN 1..10000 LOOP
           SELECT provider_id INTO chosen FROM kintaraa.route_trace('community', 'routine', 50, 30, 1,
               at => '2026-01-01'::timestamptz + i * interval '1 minute');
           UPDATE kintaraa.provider_dispatch SET load = load + 1,
               last_offer_at = '2026-01-01'::timestamptz + i * interval '1 minute' WHERE provider_id = chosen;
           IF i %% 100 = 0 THEN COMMIT; END IF;
           END LOOP; END $$""", ())
    counts = [row[0] for row in ask("SELECT load FROM kintaraa.provider_dispatch AS d JOIN kintaraa.provider AS p "
                                    "ON p.id = d.provider_id WHERE p.facility_code LIKE 'fair-%%'", ())]
    assert len(counts) == 50 and sum(counts) == 10000
    tap.note("Gini %.4f" % gini(counts))
    assert gini(counts) < 0.1
    ask("UPDATE kintaraa.provider_dispatch SET pos = point(30, 50.1) WHERE provider_id IN "
        "(SELECT id FROM kintaraa.provider WHERE facility_code LIKE 'fair-%%' AND facility_code <> 'fair-7')", ())
    assert ask("SELECT p.facility_code FROM kintaraa.route_trace('community', 'immediate', 50, 30, 1) AS t "
               "JOIN kintaraa.provider AS p ON p.id = t.provider_id") == [("fair-7",)]


if __name__ == "__main__":
    sys.exit(run_tests(globals(), tap))
