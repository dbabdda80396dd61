-- A late edit of one phone must not lie over words of another one.

ALTER TABLE kintaraa.incident ADD COLUMN edited_foreign_version bigint;
ALTER TABLE kintaraa.incident ALTER COLUMN edited_foreign_version SET DEFAULT 0;
COMMENT ON COLUMN kintaraa.incident.edited_foreign_version IS
    'The highest version of her words that another device than edited_by wrote; unknown in rows older than the column.';
