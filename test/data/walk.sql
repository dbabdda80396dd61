-- What a walk watches beside play.broken: that every open need is owned, or due with somebody told.

CREATE TABLE play.swept (at timestamptz NOT NULL);
COMMENT ON TABLE play.swept IS 'When the last sweep began that left nothing undone.';

CREATE FUNCTION play.sweep() RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    began timestamptz := clock_timestamp();
    moved integer := kintaraa.need_sweep(1000);
BEGIN
    -- as many as it was given: more may wait, and the next one moves them
    IF moved < 1000 THEN
        DELETE FROM play.swept;
        INSERT INTO play.swept VALUES (began);
    END IF;
    RETURN moved;
END
$$;

-- Since when a need waits for people as it does now.
CREATE TABLE play.waiting (need uuid PRIMARY KEY, bucket uuid NOT NULL, since timestamptz NOT NULL);

CREATE FUNCTION play.note_waiting() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.state = 'paused' AND NEW.state = 'paused' AND OLD.due_at = NEW.due_at THEN
        RETURN NULL;
    END IF;
    DELETE FROM play.waiting WHERE need = NEW.id;
    -- what is paused is a task of people when it is due before it ends
    IF NEW.state IN ('needs_dispatcher', 'stalled')
        OR (NEW.state = 'paused' AND NEW.due_at < now() + interval '71 hours') THEN
        INSERT INTO play.waiting VALUES (NEW.id, NEW.bucket, now());
    END IF;
    RETURN NULL;
END
$$;
-- play.time is on while a test moves the clock
CREATE TRIGGER note_waiting_new AFTER INSERT ON kintaraa.need FOR EACH ROW EXECUTE FUNCTION play.note_waiting();
CREATE TRIGGER note_waiting AFTER UPDATE ON kintaraa.need FOR EACH ROW
    WHEN ((OLD.state, OLD.level, OLD.round, OLD.due_at, OLD.urgency_level)
          IS DISTINCT FROM (NEW.state, NEW.level, NEW.round, NEW.due_at, NEW.urgency_level)
          AND current_setting('play.time', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION play.note_waiting();

-- People of a dispatch centre who may know of a case.
CREATE FUNCTION play.able(bucket uuid) RETURNS SETOF uuid LANGUAGE sql STABLE AS $$
SELECT c.id FROM kintaraa.account c
 WHERE c.is_active AND c.centre_id IS NOT NULL
   AND NOT EXISTS (SELECT FROM kintaraa.barred b
                    WHERE b.bucket = able.bucket AND b.principal IN (c.id, c.centre_id))
$$;

CREATE VIEW play.unowned AS
SELECT 'overdue, although a sweep has run: ' || n.state AS what, n.bucket AS id
  FROM kintaraa.need n, play.swept s
 WHERE n.due_at <= s.at AND n.state NOT IN ('met', 'unmet', 'withdrawn')
UNION ALL
SELECT 'offer overdue, although a sweep has run', a.incident_bucket FROM kintaraa.assignment a, play.swept s
 WHERE a.status = 'pending' AND a.due_at <= s.at
UNION ALL
SELECT 'paused for ever', n.bucket FROM kintaraa.need n WHERE n.state = 'paused' AND n.due_at IS NULL
UNION ALL
SELECT 'waits for people of whom nobody was told: ' || n.state, w.bucket
  FROM play.waiting w JOIN kintaraa.need n ON n.bucket = w.bucket AND n.id = w.need
  JOIN kintaraa.incident i ON i.id = n.bucket
 WHERE (n.state IN ('needs_dispatcher', 'stalled') OR (n.state = 'paused' AND n.due_at < i.held_until))
   AND NOT EXISTS (
       SELECT FROM kintaraa.notification x JOIN play.able(w.bucket) a ON a = x.account_id
        WHERE x.bucket = w.bucket AND x.class = 'duty_call' AND x.created_at >= w.since);
