-- Ids that phones make may hold a person's words: they are found by a keyed index and sealed for their owner.
-- The tables are written anew, so that no page keeps what lay in the clear; no trigger fires, nobody has to hear of it.
-- Needs the key ring where there are rows; another ring than the one that sealed them does not open the first key.
SET LOCAL row_security = on;
SELECT kintaraa.spelling_seal(k.subject, 'check', pg_catalog.gen_random_uuid(), 'check')
  FROM (SELECT subject FROM kintaraa.subject_key LIMIT 1) AS k;

-- locks: plan, journal and moods are written anew, while doors are shut
ALTER TABLE kintaraa.personal
    ALTER spelling TYPE bytea
        USING kintaraa.spelling_seal(owner_id, 'personal.spelling', id, COALESCE(spelling, client_id::text)),
    ALTER client_id TYPE bytea USING kintaraa.client_key(owner_id, noun, client_id);
ALTER TABLE kintaraa.personal RENAME client_id TO client_key;
ALTER TABLE kintaraa.personal RENAME spelling TO spelling_sealed;
COMMENT ON COLUMN kintaraa.personal.client_key IS
    'A keyed index of the id that her phone made, a UUID in small letters.';
COMMENT ON COLUMN kintaraa.personal.spelling_sealed IS
    'That id as her phone spelt it first, sealed; NULL where it is the row''s id.';

-- locks: notes are written anew, while doors are shut
ALTER TABLE kintaraa.note
    ALTER spelling TYPE bytea
        USING kintaraa.spelling_seal(author_id, 'note.spelling', id, COALESCE(spelling, client_id::text)),
    ALTER client_id TYPE bytea USING kintaraa.client_key(author_id, 'note', client_id);
ALTER TABLE kintaraa.note RENAME client_id TO client_key;
ALTER TABLE kintaraa.note RENAME spelling TO spelling_sealed;
COMMENT ON COLUMN kintaraa.note.client_key IS 'A keyed index of the id that its author''s phone made.';
COMMENT ON COLUMN kintaraa.note.spelling_sealed IS 'That id as it was spelt first, sealed with its author''s key.';

-- locks: what devices sent last is written anew, while doors are shut
ALTER TABLE kintaraa.applied ALTER id TYPE bytea USING kintaraa.client_key(account_id, noun, id);
ALTER TABLE kintaraa.applied RENAME id TO client_key;
COMMENT ON COLUMN kintaraa.applied.client_key IS 'A keyed index of the id that the phone made.';

-- locks: what lost is written anew, while doors are shut
ALTER TABLE kintaraa.archive
    ALTER row_id DROP NOT NULL,
    ALTER row_id TYPE bytea USING kintaraa.spelling_seal(owner_id, 'archive.row_id', id, row_id);
ALTER TABLE kintaraa.archive RENAME row_id TO row_id_sealed;
COMMENT ON COLUMN kintaraa.archive.row_id_sealed IS
    'The id of the record as it was sent, sealed; NULL when its author is erased.';
