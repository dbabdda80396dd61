-- One person, one way in: devices that signed in before, refresh tokens whose answer was lost,
-- invitations that are asked for twice, and a dispatcher who stays.

CREATE TABLE kintaraa.known_device (
    id          uuid PRIMARY KEY,
    account_id  uuid NOT NULL REFERENCES kintaraa.account ON DELETE CASCADE,
    session_id  uuid NOT NULL,
    generation  bigint NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL DEFAULT pg_catalog.now(),
    seen_at     timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE kintaraa.known_device IS
    'Devices that signed in with the right password: whoever holds the token of one tries in a lane of its own.';
COMMENT ON COLUMN kintaraa.known_device.id IS 'Made by the server; no name of a device.';
COMMENT ON COLUMN kintaraa.known_device.account_id IS 'The account it signed in to; the token is good for no other.';
COMMENT ON COLUMN kintaraa.known_device.session_id IS 'The session it signed in last: who ends that, ends the token.';
COMMENT ON COLUMN kintaraa.known_device.generation IS 'Counts up when the tokens given so far shall be good no more.';
COMMENT ON COLUMN kintaraa.known_device.created_at IS 'When it signed in first.';
COMMENT ON COLUMN kintaraa.known_device.seen_at IS 'When it signed in last.';
CREATE INDEX known_device_account_idx ON kintaraa.known_device (account_id, seen_at);
CREATE INDEX known_device_session_idx ON kintaraa.known_device (session_id);
CREATE INDEX known_device_seen_at_idx ON kintaraa.known_device (seen_at);
ALTER TABLE kintaraa.known_device ENABLE ROW LEVEL SECURITY;
ALTER TABLE kintaraa.known_device FORCE ROW LEVEL SECURITY;
CREATE POLICY system ON kintaraa.known_device TO kintaraa_system USING (true) WITH CHECK (true);
REVOKE ALL ON kintaraa.known_device FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON kintaraa.known_device TO kintaraa_system;

ALTER TABLE kintaraa.session ADD COLUMN recent timestamptz[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN kintaraa.session.recent IS
    'When the generations before this one ended, the latest last; those of more than a minute ago are dropped.';

COMMENT ON TABLE kintaraa.throttle IS
    'Lines of people who try: distinct wrong secrets per keyed (address, network), and when the next try is looked '
    'at; slows down, never locks.';

ALTER TABLE kintaraa.invitation ADD COLUMN request_index bytea;
COMMENT ON COLUMN kintaraa.invitation.request_index IS
    'Keyed index of who asked for what: the same request again is answered with the same code.';
-- locks: invitations of staff are few, and none has a value yet
CREATE INDEX invitation_request_idx ON kintaraa.invitation (request_index) WHERE request_index IS NOT NULL;
