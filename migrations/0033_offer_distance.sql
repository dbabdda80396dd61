-- Offers of rescues that teams have: how far her exact place is goes, as it went for those that are over, and their
-- teams hear of it.  An accepted offer stays so when the need is met: more of them may be there than wait for a flush.
DROP TRIGGER IF EXISTS remember ON kintaraa.assignment;
CREATE TRIGGER remember AFTER INSERT OR UPDATE OR DELETE ON kintaraa.assignment
    FOR EACH ROW EXECUTE FUNCTION kintaraa.change_remember('assignment', 'provider_id', 'id');
SET LOCAL ROLE kintaraa_system;
SET LOCAL row_security = on;
DO $$
DECLARE
    last uuid;
    ids uuid[];
BEGIN
    LOOP
        ids := ARRAY(SELECT a.id FROM kintaraa.assignment AS a
                      WHERE (last IS NULL OR a.id > last) AND a.service IN ('emergency', 'shelter')
                        AND a.status IN ('pending', 'accepted') ORDER BY a.id LIMIT 5000);
        EXIT WHEN ids = '{}';
        last := ids[pg_catalog.cardinality(ids)];
        -- locks: offers of two services, while doors are shut
        UPDATE kintaraa.assignment a
           SET distance_km = kintaraa.distance_km(i.cell_latitude, i.cell_longitude, p.latitude, p.longitude),
               cost_minutes = NULL, components = NULL
          FROM kintaraa.incident i, kintaraa.provider p
         WHERE a.id = ANY (ids) AND i.id = a.incident_bucket AND p.id = a.provider_id;
        PERFORM kintaraa.change_flush();
    END LOOP;
END
$$;
