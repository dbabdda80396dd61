-- The trail knows no names: a survivor's acts on two of her cases have nothing in common, and what staff were shown is
-- there record by record.

ALTER TABLE kintaraa.audit ADD COLUMN targets uuid[];
COMMENT ON COLUMN kintaraa.audit.targets IS
    'The records that a list or a pull showed; target is the one record of an act.';
-- locks: no row has a value yet, so the trail is read once and nothing is sorted
CREATE INDEX audit_targets_idx ON kintaraa.audit USING gin (targets) WHERE targets IS NOT NULL;

ALTER TABLE kintaraa.audit ADD COLUMN digest bytea;
COMMENT ON COLUMN kintaraa.audit.digest IS
    'What the seal holds of an entry from before actor and request were taken out of it; else NULL.';
COMMENT ON TABLE kintaraa.audit IS
    'Who did what to which record, denials and protected reads included. Names of fields, never values. The actor is a '
    'keyed pseudonym: of the account for staff, of account and case for a survivor.';

-- Until now a survivor had one pseudonym for all her cases.  It goes, and so does the id of the request, which a client
-- may choose; the digest of the whole entry stays, so that the seals hold.  One entry holds the digest of all that is
-- left, so that neither these entries nor another can be changed under the cover of a digest; of pages of 10,000, since
-- the trail may be longer than a value can be.
GRANT UPDATE ON kintaraa.audit TO kintaraa_system;
-- Not in pg_temp: in a database that close_database() has closed nobody of ours makes temporary objects.
CREATE FUNCTION kintaraa.kn_part(value bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
    SELECT COALESCE(pg_catalog.int4send(pg_catalog.octet_length(value)) OPERATOR(pg_catalog.||) value, '\xffffffff')
$$;
CREATE FUNCTION kintaraa.kn_part(value text) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT kintaraa.kn_part(pg_catalog.convert_to(value, pg_catalog.getdatabaseencoding()))
$$;
CREATE FUNCTION kintaraa.kn_digest(a kintaraa.audit) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT pg_catalog.sha256(
        '\x00000018'::bytea OPERATOR(pg_catalog.||)
        pg_catalog.int8send(a.n) OPERATOR(pg_catalog.||)
        pg_catalog.int8send(a.x::text::bigint) OPERATOR(pg_catalog.||)
        pg_catalog.timestamptz_send(a.at) OPERATOR(pg_catalog.||)
        kintaraa.kn_part(a.action) OPERATOR(pg_catalog.||) kintaraa.kn_part(a.outcome) OPERATOR(pg_catalog.||)
        kintaraa.kn_part(a.code) OPERATOR(pg_catalog.||) kintaraa.kn_part(a.actor) OPERATOR(pg_catalog.||)
        kintaraa.kn_part(a.actor_role) OPERATOR(pg_catalog.||) kintaraa.kn_part(a.noun) OPERATOR(pg_catalog.||)
        kintaraa.kn_part(pg_catalog.uuid_send(a.target)) OPERATOR(pg_catalog.||)
        kintaraa.kn_part(a.fields) OPERATOR(pg_catalog.||) kintaraa.kn_part(a.request))
$$;
GRANT EXECUTE ON FUNCTION kintaraa.kn_part(bytea), kintaraa.kn_part(text), kintaraa.kn_digest(kintaraa.audit)
    TO kintaraa_system;
SET LOCAL ROLE kintaraa_system;
SET LOCAL row_security = on;
-- locks: the digest of all of them must stand in the transaction that takes the names out; the trail is only added to,
-- so nobody waits for these rows
UPDATE kintaraa.audit AS a SET digest = kintaraa.kn_digest(a)
 WHERE a.actor_role = 'survivor' OR a.actor_role IS NULL;
-- locks: the same rows in the same transaction
UPDATE kintaraa.audit AS a SET actor = NULL, request = NULL,
    target = CASE WHEN a.noun IN ('account', 'session') THEN NULL ELSE a.target END WHERE a.digest IS NOT NULL;
INSERT INTO kintaraa.audit (action, outcome, actor_role, fields)
SELECT 'trail_unlink', 'ok', 'database',
       pg_catalog.encode(pg_catalog.sha256(pg_catalog.string_agg(p.digest, ''::bytea ORDER BY p.page)), 'hex')
  FROM (SELECT e.page, pg_catalog.sha256(pg_catalog.string_agg(e.both, ''::bytea ORDER BY e.n)) AS digest
          FROM (SELECT a.n, (pg_catalog.row_number() OVER (ORDER BY a.n) - 1) / 10000 AS page,
                       kintaraa.kn_digest(a) OPERATOR(pg_catalog.||) a.digest AS both
                  FROM kintaraa.audit AS a WHERE a.digest IS NOT NULL) AS e
         GROUP BY e.page) AS p
HAVING pg_catalog.count(*) > 0;
SET LOCAL ROLE kintaraa_owner;
REVOKE UPDATE ON kintaraa.audit FROM kintaraa_system;
DROP FUNCTION kintaraa.kn_digest(kintaraa.audit);
DROP FUNCTION kintaraa.kn_part(text);
DROP FUNCTION kintaraa.kn_part(bytea);
