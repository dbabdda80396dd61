"""I14: what a phone is sent twice changed meanwhile, or while the tick it has was the newest.

A pull reads rows that no tick has seen yet, and names the newest tick: those rows come once more.  The tick after
that may have been taken while the pull was on its way; the second one has seen all that the pull saw.
"""
import bisect
import collections

PERSONAL = {"safety_plans": "safety_plan", "emergency_contacts": "emergency_contact", "preferences": "preference",
            "mood_entries": "mood_entry", "journal_entries": "journal_entry"}

Stamp = collections.namedtuple("Stamp", "x version")


class Ticks:
    """The ticks of a cluster, and what each had seen."""

    def __init__(self, cluster):
        rows = cluster.psql("SELECT t, pg_snapshot_xmax(snapshot)::text, ARRAY(SELECT pg_snapshot_xip(snapshot)::text) "
                            "FROM kintaraa.tick ORDER BY t")
        self.numbers = [t for t, _, _ in rows]
        self.snapshots = [(int(xmax), {int(x) for x in xip}) for _, xmax, xip in rows]

    def at(self, cursor, later=0):
        """The tick that a cursor means, or one that many later; the newest when there are not so many."""
        return min(bisect.bisect_right(self.numbers, cursor) - 1 + later, len(self.numbers) - 1)

    def has_seen(self, tick, x):
        if tick < 0:
            return False
        xmax, xip = self.snapshots[tick]
        return x < xmax and x not in xip


class Stamps:
    """All stamps that every record ever had, and which record a row of a phone is."""

    def __init__(self, cluster, account):
        self.of = collections.defaultdict(list)
        for noun, row, x, version in cluster.psql("""
                SELECT s.noun, CASE s.noun WHEN 'need' THEN s.bucket::text ELSE s.id::text END, s.x::text, s.version
                  FROM kept.stamp s WHERE s.bucket = %(a)s OR s.bucket IN (
                       SELECT id FROM kintaraa.incident WHERE owner_id = %(a)s) ORDER BY s.n""", {"a": account}):
            self.of["incident" if noun == "need" else noun, row].append(Stamp(int(x), noun != "need" and version))
        self.ids = {(noun, client): row for noun, client, row in cluster.psql(
            "SELECT DISTINCT noun, client_id, id::text FROM kept.version WHERE owner = %s", [account])}
        self.account = account

    def of_row(self, table, row):
        if table == "profiles":
            return self.of["account", self.account]
        if table == "notifications":
            return self.of["notification", row]
        noun = PERSONAL.get(table, "incident")
        return self.of[noun, self.ids.get((noun, row))]


def check(dump, stamps, ticks, counts):
    """Yields what is wrong with the answers that a phone was given."""
    delivered = {}  # (table, id, version): the cursor of the first answer that had it
    known = set()
    for answer in dump["log"]["answers"]:
        since, cursor = answer["since"], answer["cursor"]
        if since in known and not answer["forged"]:
            if answer["resync"]:
                yield "was sent everything since %s" % since
            for row in answer["rows"]:
                if delivered.get(tuple(row), cursor + 1) <= since:
                    counts["rows pulled again"] += 1
                    why = excess(*row, since, stamps, ticks, counts)
                    if why:
                        yield why
        for row in answer["rows"]:
            delivered.setdefault(tuple(row), cursor)
        known.add(cursor)


def excess(table, row, version, since, stamps, ticks, counts):
    history = stamps.of_row(table, row)
    fresh = [stamp for stamp in history if not ticks.has_seen(ticks.at(since), stamp.x)]
    made = next((stamp for stamp in history if stamp.version == version), None)
    if not fresh:
        return "was sent %s %s again since %s, which had seen all of it" % (table, row, since)
    if any(stamp != made for stamp in fresh):
        counts["rows pulled again because they were touched"] += 1
    elif not ticks.has_seen(ticks.at(since, 2), made.x):
        return "was sent %s %s again since %s, two ticks after it had it" % (table, row, since)
    return None
