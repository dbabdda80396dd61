"""A commit that goes wrong in a chosen way, and phones that report meanwhile."""
import threading
import uuid

import play

SPOIL = """
CREATE SCHEMA spoil;
CREATE TABLE spoil.mode (what text NOT NULL, share float NOT NULL DEFAULT 1);
INSERT INTO spoil.mode VALUES ('nothing');
-- Runs at COMMIT, when the door has given its row already.
CREATE FUNCTION spoil.act() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    mode spoil.mode;
BEGIN
    SELECT * INTO mode FROM spoil.mode;
    IF random() >= mode.share THEN
        RETURN NULL;
    END IF;
    CASE mode.what
        WHEN 'nothing' THEN NULL;
        WHEN 'unstamped' THEN UPDATE kintaraa.incident SET case_number = case_number WHERE id = NEW.id;
        WHEN 'sleep' THEN PERFORM pg_sleep(30);
        WHEN 'isolation' THEN PERFORM set_config('default_transaction_isolation', 'serializable', false);
        WHEN 'reset' THEN
            EXECUTE 'DEALLOCATE ALL';
            PERFORM set_config('default_transaction_isolation', 'serializable', false);
        ELSE RAISE EXCEPTION 'spoilt' USING ERRCODE = mode.what;
    END CASE;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER spoil AFTER INSERT ON kintaraa.incident DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION spoil.act();
"""


class Spoiled:
    """The cluster, whose commits of reports fail as spoil() says."""

    def __init__(self, cluster, names):
        self.cluster = cluster
        play.load(cluster)
        stage = play.Stage(cluster)
        for name in names:
            stage.value("SELECT play.register(%s)", name)
        self.tokens = dict(stage.rows("SELECT name, token FROM play.person"))
        stage.close()
        cluster.psql(SPOIL)

    def spoil(self, what, share=1.0):
        self.cluster.psql("UPDATE spoil.mode SET what = %s, share = %s", [what, share])

    def stored(self):
        return {row[0] for row in self.cluster.psql("SELECT id::text FROM kintaraa.incident")}

    def backend(self):
        """The pid of the backend that sleeps in its COMMIT, or None."""
        rows = self.cluster.psql("SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
        return rows[0][0] if rows else None


def report(api, token):
    name = str(uuid.uuid4())
    return name, api.post("/api/incidents", {"id": name, "supportServices": ["medical"]}, token)


def reports(gateway, tokens, threads, count):
    """What many phones were told: name of the report → status."""
    told = {}

    def phone(token):
        api = gateway.api(timeout=60)
        for _ in range(count):
            name, answer = report(api, token)
            told[name] = answer.status
    running = [threading.Thread(target=phone, args=(tokens[n % len(tokens)],)) for n in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(300)
    assert len(told) == threads * count, len(told)
    return told


def disagreements(told, stored):
    """Acknowledged and not stored, refused and stored."""
    lost = [name for name, status in told.items() if status in (200, 201) and name not in stored]
    kept = [name for name, status in told.items() if status == 500 and name in stored]
    return lost, kept
