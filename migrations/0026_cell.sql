-- Offers of rescues kept how far her exact place was from each team: three of them give it away.
-- Terms and costs were made from the same distance and go: what ranked those offers cannot be told without it.

SET LOCAL ROLE kintaraa_system;
SET LOCAL row_security = on;
UPDATE kintaraa.assignment a
   SET distance_km = kintaraa.distance_km(i.cell_latitude, i.cell_longitude, p.latitude, p.longitude),
       cost_minutes = NULL, components = NULL
  FROM kintaraa.incident i, kintaraa.provider p
 WHERE i.id = a.incident_bucket AND p.id = a.provider_id AND a.service IN ('emergency', 'shelter')
   AND a.status IN ('pending', 'accepted');

-- What is over is shown to no team any more: no phone has to hear of it, and it may be more than one transaction
-- stamps.
SET LOCAL ROLE kintaraa_owner;
ALTER TABLE kintaraa.assignment DISABLE TRIGGER remember;
SET LOCAL ROLE kintaraa_system;
UPDATE kintaraa.assignment a
   SET distance_km = kintaraa.distance_km(i.cell_latitude, i.cell_longitude, p.latitude, p.longitude),
       cost_minutes = NULL, components = NULL
  FROM kintaraa.incident i, kintaraa.provider p
 WHERE i.id = a.incident_bucket AND p.id = a.provider_id AND a.service IN ('emergency', 'shelter')
   AND a.status NOT IN ('pending', 'accepted');
SET LOCAL ROLE kintaraa_owner;
ALTER TABLE kintaraa.assignment ENABLE TRIGGER remember;
