-- A need that a team has and nobody was in touch about has a time at which it counts as stalled.

SET LOCAL ROLE kintaraa_system;
SET LOCAL row_security = on;
UPDATE kintaraa.need SET due_at = pg_catalog.now()
 WHERE state = 'engaged' AND contacted_at IS NULL AND due_at IS NULL;

-- A need that is open again takes up a case that people had ended.
INSERT INTO kintaraa.status_rule (from_status, to_status, actor) VALUES
    ('new', 'completed', 'machine'),
    ('pending_dispatcher_review', 'completed', 'machine'),
    ('assigned', 'completed', 'machine'),
    ('in_progress', 'completed', 'machine'),
    ('completed', 'new', 'machine'),
    ('completed', 'pending_dispatcher_review', 'machine'),
    ('completed', 'assigned', 'machine'),
    ('completed', 'in_progress', 'machine'),
    ('closed', 'new', 'machine'),
    ('closed', 'pending_dispatcher_review', 'machine'),
    ('closed', 'assigned', 'machine'),
    ('closed', 'in_progress', 'machine');

SET LOCAL ROLE kintaraa_owner;
ALTER TABLE kintaraa.need DROP CONSTRAINT need_owned_check;
ALTER TABLE kintaraa.need ADD CONSTRAINT need_owned_check CHECK (due_at IS NOT NULL OR
    state IN ('met', 'unmet', 'withdrawn') OR (state = 'engaged' AND contacted_at IS NOT NULL));
COMMENT ON CONSTRAINT need_owned_check ON kintaraa.need IS
    'A need is never without an owner and a due time; acceptance is not help before she was contacted.';
