-- Of a UUID capitals and small letters are one: it is found by small letters, and its owner reads it as it came first.

ALTER TABLE kintaraa.incident ADD COLUMN IF NOT EXISTS spelling text;
ALTER TABLE kintaraa.personal ADD COLUMN IF NOT EXISTS spelling text;
ALTER TABLE kintaraa.note ADD COLUMN IF NOT EXISTS spelling text;
COMMENT ON COLUMN kintaraa.incident.client_id IS
    'The id her phone made, a UUID in small letters; only its owner reads it.';
COMMENT ON COLUMN kintaraa.incident.spelling IS 'The id as her phone spelt it first, where client_id is not that.';
COMMENT ON COLUMN kintaraa.personal.spelling IS 'The id as her phone spelt it first, where client_id is not that.';
COMMENT ON COLUMN kintaraa.note.spelling IS
    'The id as its author''s phone spelt it first, where client_id is not that.';

-- Nothing of it that anybody is shown changes, so that nobody has to hear of it.  Two that are one by now stay two.
-- Made anew and not switched off: where the extension was dropped since, its triggers went with it.
DROP TRIGGER IF EXISTS remember ON kintaraa.incident;
DROP TRIGGER IF EXISTS remember ON kintaraa.personal;
DROP TRIGGER IF EXISTS remember ON kintaraa.note;
SET LOCAL ROLE kintaraa_system;
SET LOCAL row_security = on;
-- locks: spelt in capitals by few phones
UPDATE kintaraa.incident i SET spelling = i.client_id, client_id = pg_catalog.lower(i.client_id)
 WHERE i.client_id ~ '[A-Z]' AND i.client_id ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
   AND NOT EXISTS (SELECT FROM kintaraa.incident t WHERE t.owner_id = i.owner_id AND t.id <> i.id
                      AND pg_catalog.lower(t.client_id) = pg_catalog.lower(i.client_id));
-- locks: spelt in capitals by few phones
UPDATE kintaraa.personal i SET spelling = i.client_id, client_id = pg_catalog.lower(i.client_id)
 WHERE i.client_id ~ '[A-Z]' AND i.client_id ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
   AND NOT EXISTS (SELECT FROM kintaraa.personal t WHERE t.owner_id = i.owner_id AND t.noun = i.noun AND t.id <> i.id
                      AND pg_catalog.lower(t.client_id) = pg_catalog.lower(i.client_id));
-- locks: spelt in capitals by few phones
UPDATE kintaraa.note i SET spelling = i.client_id, client_id = pg_catalog.lower(i.client_id)
 WHERE i.client_id ~ '[A-Z]' AND i.client_id ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
   AND NOT EXISTS (SELECT FROM kintaraa.note t WHERE t.author_id = i.author_id AND t.id <> i.id
                      AND pg_catalog.lower(t.client_id) = pg_catalog.lower(i.client_id));
SET LOCAL ROLE kintaraa_owner;
CREATE TRIGGER remember AFTER INSERT OR UPDATE OR DELETE ON kintaraa.incident
    FOR EACH ROW EXECUTE FUNCTION kintaraa.change_remember('incident', 'id', 'id', 'deleted_at');
CREATE TRIGGER remember AFTER INSERT OR UPDATE OR DELETE ON kintaraa.personal
    FOR EACH ROW EXECUTE FUNCTION kintaraa.change_remember('@noun', 'owner_id', 'id', 'deleted_at');
CREATE TRIGGER remember AFTER INSERT OR UPDATE OR DELETE ON kintaraa.note
    FOR EACH ROW EXECUTE FUNCTION kintaraa.change_remember('note', 'bucket', 'id');

-- Offers of rescues kept how far her exact place was from each team: three of them give it away.
-- Terms and costs were made from the same distance and go: what ranked those offers cannot be told without it.
-- What is over is shown to no team any more: no phone has to hear of it.  What teams have follows in migration 33:
-- nothing before it can be stamped, since stamps are not yet as this library writes them.
DROP TRIGGER IF EXISTS remember ON kintaraa.assignment;
SET LOCAL ROLE kintaraa_system;
-- locks: offers of two services, while doors are shut
UPDATE kintaraa.assignment a
   SET distance_km = kintaraa.distance_km(i.cell_latitude, i.cell_longitude, p.latitude, p.longitude),
       cost_minutes = NULL, components = NULL
  FROM kintaraa.incident i, kintaraa.provider p
 WHERE i.id = a.incident_bucket AND p.id = a.provider_id AND a.service IN ('emergency', 'shelter')
   AND a.status NOT IN ('pending', 'accepted');
