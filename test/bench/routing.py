#!/usr/bin/python3
"""How long one ranking takes: percentiles, rows read and the share that hits the cap.

    test/bench/routing.py [ROWS…]      rows of further, made-up tables; 96395 and 1000000 when none are given

First the facilities of the file KINTARAA_BENCH_FACILITIES names (CSV, plain or gzip), else those of Kenya;
then made-up ones, three quarters of them in 60 towns.  Types as in the measured mix: half healthcare, the rest
shared.  Needs stand at 2,000 random places among them, k = 3, every service and urgency.  Times are the server's,
around one call each, without the connection.  The figures are printed as a table, and as TAP against the targets."""
import csv
import gzip
import io
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import ROOT, Cluster, Tap

CALLS = 2000
SEED = int(os.environ.get("KINTARAA_SEED", "1"))
TARGETS = ((100000, 2.0), (1100000, 10.0))  # rows up to, p99 in milliseconds

SETUP = """
CREATE TEMPORARY TABLE place (latitude float8, longitude float8);
CREATE TEMPORARY TABLE sample (ms float8, visited integer, capped boolean);
CREATE FUNCTION pg_temp.measure(calls integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    p record;
    n integer := 0;
    began timestamptz;
    answer record;
    services text[] := ARRAY['medical', 'legal', 'counseling', 'police', 'shelter', 'financial', 'emergency',
                             'community'];
    urgencies text[] := ARRAY['routine', 'urgent', 'immediate'];
BEGIN
    FOR p IN SELECT * FROM place LIMIT calls LOOP
        began := clock_timestamp();
        SELECT * INTO answer FROM kintaraa.route_trace(services[1 + n % 8], urgencies[1 + n % 3], p.latitude,
                                                       p.longitude, 3);
        INSERT INTO sample VALUES (EXTRACT(epoch FROM clock_timestamp() - began) * 1000, answer.visited, answer.capped);
        n := n + 1;
    END LOOP;
END
$$;
"""


def read_facilities():
    path = os.environ.get("KINTARAA_BENCH_FACILITIES") or os.path.join(ROOT, "test", "data", "facilities-kenya.csv")
    with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8", newline="") as file:
        return [(float(row["latitude"]), float(row["longitude"])) for row in csv.DictReader(file)]


def make_up(rows, chance):
    """A box the size of Kenya; towns have a spread of some kilometres."""
    towns = [(chance.uniform(-4.6, 5), chance.uniform(34, 41.8), chance.uniform(0.01, 0.08)) for _ in range(60)]
    for _ in range(rows):
        if chance.random() < 0.75:
            latitude, longitude, spread = chance.choice(towns)
            yield chance.gauss(latitude, spread), chance.gauss(longitude, spread)
        else:
            yield chance.uniform(-4.6, 5), chance.uniform(34, 41.8)


def copy(cursor, table, points):
    text = io.StringIO("".join("%r\t%r\n" % point for point in points))
    cursor.copy_expert("COPY %s FROM STDIN" % table, text)


def fill(cursor, points):
    cursor.execute("CREATE TEMPORARY TABLE bench (latitude float8, longitude float8)")
    copy(cursor, "bench", points)
    cursor.execute("""INSERT INTO kintaraa.organisation (id, kind, name)
        VALUES ('00000000-0000-4000-8000-0000000000be', 'helper', 'Bench')""")
    cursor.execute("""INSERT INTO kintaraa.provider
            (id, organisation_id, provider_type, name, latitude, longitude, is_verified, by_telephone)
        SELECT gen_random_uuid(), '00000000-0000-4000-8000-0000000000be',
               (ARRAY['healthcare', 'healthcare', 'healthcare', 'healthcare', 'healthcare', 'healthcare',
                      'legal', 'police', 'counseling', 'social', 'gbv_rescue', 'chw'])
               [1 + floor(random() * 12)::integer], 'Bench', latitude, longitude, true, true FROM bench""")
    cursor.execute("SELECT kintaraa.dispatch_refresh()")
    cursor.execute("VACUUM ANALYZE")
    cursor.execute("CHECKPOINT")


def measure(tap, name, points, chance):
    with Cluster("bench", fsync="off", max_wal_size="4GB", shared_buffers="512MB") as cluster:
        database = cluster.connect()
        cursor = database.cursor()
        cursor.execute(SETUP)
        fill(cursor, points)
        copy(cursor, "place", [(point[0] + chance.gauss(0, 0.02), point[1] + chance.gauss(0, 0.02))
                               for point in chance.choices(points, k=CALLS)])
        cursor.execute("SELECT pg_temp.measure(200); TRUNCATE sample; SELECT pg_temp.measure(%s)", (CALLS,))
        cursor.execute("""SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY ms),
            percentile_cont(0.99) WITHIN GROUP (ORDER BY ms), max(ms),
            percentile_disc(0.5) WITHIN GROUP (ORDER BY visited),
            percentile_disc(0.99) WITHIN GROUP (ORDER BY visited),
            max(visited), 100.0 * count(*) FILTER (WHERE capped) / count(*),
            pg_relation_size('kintaraa.provider_dispatch_place_idx') / 1048576.0 FROM sample""")
        p50, p99, worst, visited, visited99, most, capped, size = cursor.fetchone()
        tap.note("%-10s %9d rows  p50 %.3f  p99 %.3f  max %.3f ms   rows read p50 %d  p99 %d  max %d   "
                 "capped %.2f %%   index %.0f MB"
                 % (name, len(points), p50, p99, worst, visited, visited99, most, capped, size))
        target = next(limit for rows, limit in TARGETS if len(points) <= rows)
        tap.ok(p99 < target, "%s, %d rows: p99 below %g ms" % (name, len(points), target))


def main():
    tap = Tap()
    chance = random.Random(SEED)
    tap.note("seed %d" % SEED)
    measure(tap, "facilities", read_facilities(), chance)
    for rows in [int(argument) for argument in sys.argv[1:]] or [96395, 1000000]:
        measure(tap, "made up", list(make_up(rows, chance)), chance)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
