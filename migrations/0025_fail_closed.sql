-- Whoever writes a report without saying whose it may be has said nothing that makes her known.

ALTER TABLE kintaraa.incident ALTER COLUMN is_anonymous SET DEFAULT true;
COMMENT ON COLUMN kintaraa.incident.is_anonymous IS
    'True: nobody but its owner sees whose it is. Whatever is no plain no is true.';
