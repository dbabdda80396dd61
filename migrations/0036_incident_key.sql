-- Ids that phones make for reports, as migration 35 has it for all others: a keyed index, and sealed for their owner.
SET LOCAL row_security = on;
-- another key ring than the one that sealed the rows does not open the first key
SELECT kintaraa.spelling_seal(k.subject, 'check', pg_catalog.gen_random_uuid(), 'check')
  FROM (SELECT subject FROM kintaraa.subject_key LIMIT 1) AS k;

-- renamed first: an index that is made anew has the names of that moment
ALTER TABLE kintaraa.incident RENAME client_id TO client_key;
ALTER TABLE kintaraa.incident RENAME spelling TO spelling_sealed;
-- locks: reports are written anew, while doors are shut
ALTER TABLE kintaraa.incident
    ALTER spelling_sealed TYPE bytea USING
        kintaraa.spelling_seal(owner_id, 'incident.spelling', id, COALESCE(spelling_sealed, client_key::text)),
    ALTER client_key TYPE bytea USING kintaraa.client_key(owner_id, 'incident', client_key);
COMMENT ON COLUMN kintaraa.incident.client_key IS
    'A keyed index of the id that her phone made, a UUID in small letters.';
COMMENT ON COLUMN kintaraa.incident.spelling_sealed IS
    'That id as her phone spelt it first, sealed; NULL where it is the row''s id.';
DROP DOMAIN IF EXISTS kintaraa.client_id;

-- Indexes that migration 35 made under the names of before, as a dump would not.
ALTER TABLE kintaraa.personal_owner_client_key RENAME client_id TO client_key;
ALTER TABLE kintaraa.note_author_client_key RENAME client_id TO client_key;
ALTER TABLE kintaraa.applied_pkey RENAME id TO client_key;
