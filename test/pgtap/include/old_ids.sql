-- Ids of phones as they lay before migrations 35 and 36: in the clear.
DROP VIEW play.incident;
ALTER TABLE kintaraa.incident RENAME client_key TO client_id;
ALTER TABLE kintaraa.incident RENAME spelling_sealed TO spelling;
ALTER TABLE kintaraa.incident ALTER client_id TYPE text USING encode(client_id, 'hex'),
    ALTER spelling TYPE text USING NULL;
ALTER TABLE kintaraa.personal RENAME client_key TO client_id;
ALTER TABLE kintaraa.personal RENAME spelling_sealed TO spelling;
ALTER TABLE kintaraa.personal ALTER client_id TYPE text USING encode(client_id, 'hex'),
    ALTER spelling TYPE text USING NULL;
ALTER TABLE kintaraa.note RENAME client_key TO client_id;
ALTER TABLE kintaraa.note RENAME spelling_sealed TO spelling;
ALTER TABLE kintaraa.note ALTER client_id TYPE text USING encode(client_id, 'hex'), ALTER spelling TYPE text USING NULL;
ALTER TABLE kintaraa.applied RENAME client_key TO id;
ALTER TABLE kintaraa.applied ALTER id TYPE text USING encode(id, 'hex');
ALTER TABLE kintaraa.archive RENAME row_id_sealed TO row_id;
ALTER TABLE kintaraa.archive ALTER row_id TYPE text USING 'x', ALTER row_id SET NOT NULL;
