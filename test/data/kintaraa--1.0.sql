\echo Use "CREATE EXTENSION kintaraa CASCADE" to load this file. \quit
SET LOCAL search_path TO pg_catalog, pg_temp;
-- Roles are made when they are absent, without log-in and without password: both are the DBA's.
-- Schema kintaraa is named in the control file and is no member: dropping the extension cannot take the data.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['kintaraa_owner', 'kintaraa_door', 'kintaraa_dispatch', 'kintaraa_system',
                                'kintaraa_report', 'kintaraa_gateway', 'kintaraa_backup', 'kintaraa_operator',
                                'kintaraa_analyst']
    LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = name) THEN
            EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', name);
        END IF;
    END LOOP;
    ALTER ROLE kintaraa_backup BYPASSRLS;
    GRANT pg_read_all_data TO kintaraa_backup;
END
$$;

CREATE SCHEMA kintaraa_api;
COMMENT ON SCHEMA kintaraa_api IS 'The doors: one function per request.';
CREATE SCHEMA kintaraa_report;
COMMENT ON SCHEMA kintaraa_report IS 'Published views for analysts.';
CREATE SCHEMA kintaraa_ops;
COMMENT ON SCHEMA kintaraa_ops IS 'Views for operators.';

REVOKE ALL ON SCHEMA kintaraa, kintaraa_api, kintaraa_report, kintaraa_ops FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA kintaraa TO kintaraa_owner;
GRANT USAGE, CREATE ON SCHEMA kintaraa_report, kintaraa_ops TO kintaraa_owner, kintaraa_report;
GRANT USAGE ON SCHEMA kintaraa TO kintaraa_door, kintaraa_dispatch, kintaraa_system, kintaraa_report;
GRANT USAGE ON SCHEMA kintaraa_api TO kintaraa_gateway;
GRANT USAGE ON SCHEMA kintaraa_report TO kintaraa_analyst, kintaraa_report;
GRANT USAGE ON SCHEMA kintaraa_ops TO kintaraa_operator, kintaraa_report;
-- API: private. What row security policies call, for each row: C that resolves no name, hence without a SET clause,
-- which would cost as much as the probe.
CREATE FUNCTION kintaraa.can_see(bucket uuid) RETURNS boolean
    LANGUAGE C STABLE STRICT PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'kn_can_see';
COMMENT ON FUNCTION kintaraa.can_see IS
    'Whether the proven caller is a member of the bucket; false when nobody is proven.';

CREATE FUNCTION kintaraa.caller_may(what text) RETURNS boolean
    LANGUAGE C STABLE STRICT PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'kn_caller_may';
COMMENT ON FUNCTION kintaraa.caller_may IS 'Whether the proven caller has a role; dispatch means dispatcher or admin.';

CREATE FUNCTION kintaraa.me() RETURNS uuid
    LANGUAGE C STABLE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'kn_me';
COMMENT ON FUNCTION kintaraa.me IS 'The proven account, or NULL.';

CREATE FUNCTION kintaraa.principals() RETURNS uuid[]
    LANGUAGE C STABLE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'kn_principals';
COMMENT ON FUNCTION kintaraa.principals IS 'The caller''s principals; empty when nobody is proven.';

-- API: private. Triggers.
CREATE FUNCTION kintaraa.change_remember() RETURNS trigger
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'kn_change_remember_trigger';
COMMENT ON FUNCTION kintaraa.change_remember IS
    'Remembers a changed record until the stamp is written. Arguments: noun, bucket column, id column.';

CREATE FUNCTION kintaraa.refuse_truncate() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RAISE EXCEPTION 'TRUNCATE of kintaraa.% is refused', TG_TABLE_NAME
        USING ERRCODE = 'KN903', HINT = 'Delete rows, then SELECT kintaraa.change_flush().';
END
$$;

-- API: public, for a DBA who writes rows in psql.
CREATE FUNCTION kintaraa.change_flush() RETURNS integer
    LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_change_flush_sql';
COMMENT ON FUNCTION kintaraa.change_flush IS
    'Stamps what this transaction changed; the last statement of a writer in psql. Returns the number of records.';
ALTER FUNCTION kintaraa.change_flush OWNER TO kintaraa_system;

CREATE FUNCTION kintaraa.policy_changed() RETURNS trigger
    LANGUAGE C VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_policy_changed';
COMMENT ON FUNCTION kintaraa.policy_changed IS 'Tells every backend to read policies and settings anew.';
-- API: public, superuser only.
CREATE FUNCTION kintaraa.keyring_create() RETURNS text
    LANGUAGE C VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_keyring_create_sql';
COMMENT ON FUNCTION kintaraa.keyring_create IS
    'Makes the key ring file named by kintaraa.keyring_file, once. Returns its path.';

-- API: public, superuser only. kind: wrap (data keys), sign (access tokens) or refresh (refresh tokens).
CREATE FUNCTION kintaraa.keyring_add(kind text) RETURNS void
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_keyring_add_sql';
COMMENT ON FUNCTION kintaraa.keyring_add IS 'Adds a new current key of a kind; what older keys made stays readable.';
-- API: private. The migrations this library was built with.
CREATE FUNCTION kintaraa.migrations(OUT number integer, OUT name text, OUT hash text, OUT script text)
    RETURNS SETOF record
    LANGUAGE C STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_migrations_sql';
COMMENT ON FUNCTION kintaraa.migrations IS 'Number, name, SHA-256 and text of every migration built into the library.';

-- API: public. Alone, outside BEGIN and outside psql -1: it commits after each migration.
-- No SECURITY DEFINER and no SET clause: either would forbid COMMIT.  Every name is qualified instead.
CREATE PROCEDURE kintaraa.migrate()
    LANGUAGE plpgsql
    AS $$
DECLARE
    step record;
    done text;
BEGIN
    FOR step IN SELECT m.number, m.name, m.hash, m.script FROM kintaraa.migrations() AS m ORDER BY m.number LOOP
        PERFORM pg_catalog.pg_advisory_xact_lock(7521, 1);
        SET LOCAL search_path = '';
        SET LOCAL row_security = off;
        SET LOCAL client_min_messages = warning;
        SET LOCAL ROLE kintaraa_owner;
        CREATE TABLE IF NOT EXISTS kintaraa.migration (
            number  integer PRIMARY KEY,
            name    text NOT NULL,
            hash    text NOT NULL,
            at      timestamptz NOT NULL DEFAULT pg_catalog.now()
        );
        IF EXISTS (SELECT FROM kintaraa.migration AS old
                    WHERE NOT EXISTS (SELECT FROM kintaraa.migrations() AS m
                                       WHERE m.number OPERATOR(pg_catalog.=) old.number
                                         AND m.hash OPERATOR(pg_catalog.=) old.hash)) THEN
            RAISE EXCEPTION 'this database was migrated by other code than the installed one'
                USING ERRCODE = 'object_not_in_prerequisite_state',
                      HINT = 'Install the version of kintaraa that made it, or a newer one.';
        END IF;
        SELECT old.hash INTO done FROM kintaraa.migration AS old
         WHERE old.number OPERATOR(pg_catalog.=) step.number;
        IF done IS NULL THEN
            EXECUTE step.script;
            SET LOCAL ROLE kintaraa_owner;
            INSERT INTO kintaraa.migration (number, name, hash) VALUES (step.number, step.name, step.hash);
            PERFORM kintaraa.change_flush();
        END IF;
        COMMIT;
    END LOOP;
END
$$;
COMMENT ON PROCEDURE kintaraa.migrate IS
    'Brings the tables to what this version of the extension needs; again is harmless.';
-- API: public
CREATE FUNCTION kintaraa_api.auth_register(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_auth_register';
COMMENT ON FUNCTION kintaraa_api.auth_register IS
    'POST /auth/register: makes an account and a session. Body: email, password, firstName, lastName, phone, role, '
    'providerType, isAnonymous, language, invitation, device.';
ALTER FUNCTION kintaraa_api.auth_register OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.me_get(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_me_get';
COMMENT ON FUNCTION kintaraa_api.me_get IS
    'GET /me: the caller''s own account.';
ALTER FUNCTION kintaraa_api.me_get OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.me_update(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_me_update';
COMMENT ON FUNCTION kintaraa_api.me_update IS
    'PATCH /me: changes the own profile. Body: firstName, lastName, phone, language, isAnonymous.';
ALTER FUNCTION kintaraa_api.me_update OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.me_password(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_me_password';
COMMENT ON FUNCTION kintaraa_api.me_password IS
    'POST /me/password: changes the own password and ends the other sessions. Body: currentPassword, newPassword.';
ALTER FUNCTION kintaraa_api.me_password OWNER TO kintaraa_door;
-- API: public
CREATE FUNCTION kintaraa_api.invitation_create(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_invitation_create';
COMMENT ON FUNCTION kintaraa_api.invitation_create IS
    'POST /admin/invitations: a code that makes somebody a member of staff. Body: role, providerId, provider, '
    'expiresInDays.';
ALTER FUNCTION kintaraa_api.invitation_create OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.account_list(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_account_list';
COMMENT ON FUNCTION kintaraa_api.account_list IS
    'GET /admin/accounts: a page of accounts, newest first. Query: role, limit, after.';
ALTER FUNCTION kintaraa_api.account_list OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.account_deactivate(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_account_deactivate';
COMMENT ON FUNCTION kintaraa_api.account_deactivate IS
    'POST /admin/accounts/{id}/deactivate: switches an account off and ends its sessions. Path: id.';
ALTER FUNCTION kintaraa_api.account_deactivate OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.setting_list(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_setting_list';
COMMENT ON FUNCTION kintaraa_api.setting_list IS
    'GET /admin/settings: all settings.';
ALTER FUNCTION kintaraa_api.setting_list OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.setting_put(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_setting_put';
COMMENT ON FUNCTION kintaraa_api.setting_put IS
    'PUT /admin/settings/{name}: changes a setting. Path: name. Body: value.';
ALTER FUNCTION kintaraa_api.setting_put OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.policy_get(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_policy_get';
COMMENT ON FUNCTION kintaraa_api.policy_get IS
    'GET /admin/policies/{kind}: the version in force. Path: kind.';
ALTER FUNCTION kintaraa_api.policy_get OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.policy_put(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_policy_put';
COMMENT ON FUNCTION kintaraa_api.policy_put IS
    'PUT /admin/policies/{kind}: a new version of a policy. Path: kind. Body: body. If-Match: the version in force.';
ALTER FUNCTION kintaraa_api.policy_put OWNER TO kintaraa_door;

-- API: public, for the DBA: how the first administrator comes in.
CREATE FUNCTION kintaraa.invite(
    role      text,               -- provider, dispatcher, admin or analyst
    provider  uuid DEFAULT NULL   -- the team of a provider
) RETURNS text
    LANGUAGE C VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_invite_sql';
COMMENT ON FUNCTION kintaraa.invite IS 'Makes an invitation and returns its code, which is not shown again.';
-- API: public
CREATE FUNCTION kintaraa_api.assignment_list(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_assignment_list';
COMMENT ON FUNCTION kintaraa_api.assignment_list IS
    'GET /assignments: a page of the offers and acceptances of the caller''s team. Query: status, limit, after.';
ALTER FUNCTION kintaraa_api.assignment_list OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.assignment_accept(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_assignment_accept';
COMMENT ON FUNCTION kintaraa_api.assignment_accept IS
    'POST /assignments/{id}/accept: the team takes the case. Path: id.';
ALTER FUNCTION kintaraa_api.assignment_accept OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.assignment_decline(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_assignment_decline';
COMMENT ON FUNCTION kintaraa_api.assignment_decline IS
    'POST /assignments/{id}/decline: the team does not. Path: id. Body: reason, note.';
ALTER FUNCTION kintaraa_api.assignment_decline OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.assignment_release(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_assignment_release';
COMMENT ON FUNCTION kintaraa_api.assignment_release IS
    'POST /assignments/{id}/release: the team gives an accepted case back. Path: id. Body: reason.';
ALTER FUNCTION kintaraa_api.assignment_release OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.assignment_assign(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_assignment_assign';
COMMENT ON FUNCTION kintaraa_api.assignment_assign IS
    'POST /incidents/{id}/assign: a dispatcher offers a need to a team. Path: id. Body: providerId, service, note.';
ALTER FUNCTION kintaraa_api.assignment_assign OWNER TO kintaraa_dispatch;

-- API: public
CREATE FUNCTION kintaraa_api.assignment_reassign(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_assignment_reassign';
COMMENT ON FUNCTION kintaraa_api.assignment_reassign IS
    'POST /incidents/{id}/reassign: a dispatcher moves a need to another team. Path: id. Body: providerId, reason, '
    'service.';
ALTER FUNCTION kintaraa_api.assignment_reassign OWNER TO kintaraa_dispatch;
-- API: public
CREATE FUNCTION kintaraa_api.audit_list(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_audit_list';
COMMENT ON FUNCTION kintaraa_api.audit_list IS
    'GET /admin/audit: the trail, newest first. Query: target, account, action, outcome, limit, after.';
ALTER FUNCTION kintaraa_api.audit_list OWNER TO kintaraa_dispatch;
-- API: public
CREATE FUNCTION kintaraa_api.dispatch_queue(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_dispatch_queue';
COMMENT ON FUNCTION kintaraa_api.dispatch_queue IS
    'GET /dispatch/queue: open needs, those that wait for a person first. Query: state, urgency, limit.';
ALTER FUNCTION kintaraa_api.dispatch_queue OWNER TO kintaraa_dispatch;

-- API: public
CREATE FUNCTION kintaraa_api.dispatch_dashboard(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_dispatch_dashboard';
COMMENT ON FUNCTION kintaraa_api.dispatch_dashboard IS 'GET /dispatch/dashboard: maintained counters.';
ALTER FUNCTION kintaraa_api.dispatch_dashboard OWNER TO kintaraa_dispatch;

-- API: public
CREATE FUNCTION kintaraa_api.duty_list(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_duty_list';
COMMENT ON FUNCTION kintaraa_api.duty_list IS
    'GET /dispatch/duty: who of the own centre is called, and when. Query: from, to, limit, after.';
ALTER FUNCTION kintaraa_api.duty_list OWNER TO kintaraa_dispatch;

-- API: public
CREATE FUNCTION kintaraa_api.duty_create(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_duty_create';
COMMENT ON FUNCTION kintaraa_api.duty_create IS 'POST /dispatch/duty: enter somebody of the own centre.';
ALTER FUNCTION kintaraa_api.duty_create OWNER TO kintaraa_dispatch;

-- API: public
CREATE FUNCTION kintaraa_api.duty_end(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_duty_end';
COMMENT ON FUNCTION kintaraa_api.duty_end IS
    'DELETE /dispatch/duty/{id}: what has begun ends now, what is to come is taken back.';
ALTER FUNCTION kintaraa_api.duty_end OWNER TO kintaraa_dispatch;

-- API: private. Moves on what is due; the worker calls it ten times a second.
-- at_most: needs moved in one call. Returns how many were moved.
CREATE FUNCTION kintaraa.need_sweep(at_most integer) RETURNS integer
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_need_sweep';
COMMENT ON FUNCTION kintaraa.need_sweep IS 'Expires offers and escalates needs that are due.';
ALTER FUNCTION kintaraa.need_sweep OWNER TO kintaraa_system;

-- API: public, for a DBA or a case worker's tool: a principal that must never see a case.
-- bucket: the incident. principal: an account, a team or an organisation.
CREATE FUNCTION kintaraa.bar(bucket uuid, principal uuid) RETURNS void
    LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ INSERT INTO kintaraa.barred (bucket, principal) VALUES (bar.bucket, bar.principal) ON CONFLICT DO NOTHING $$;
COMMENT ON FUNCTION kintaraa.bar IS 'Bars an account, a team or an organisation from one case, dispatchers included.';
ALTER FUNCTION kintaraa.bar OWNER TO kintaraa_system;
-- API: public. News for open sockets; called by the gateway.
-- token and path unused; input {} -> ok {"gateway","cursor"}
CREATE FUNCTION kintaraa_api.feed_start(token text, path text[], query jsonb, input jsonb, context jsonb,
                                        OUT outcome text, OUT body json)
    RETURNS record
    LANGUAGE C VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_feed_start';
COMMENT ON FUNCTION kintaraa_api.feed_start IS 'Gives a gateway the number under which its sockets subscribe.';
ALTER FUNCTION kintaraa_api.feed_start OWNER TO kintaraa_door;

-- input {"gateway", "cursor"} -> ok {"subscription","role","cursor","resumed","expiresIn","frames"}
CREATE FUNCTION kintaraa_api.feed_join(token text, path text[], query jsonb, input jsonb, context jsonb,
                                       OUT outcome text, OUT body json)
    RETURNS record
    LANGUAGE C VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_feed_join';
COMMENT ON FUNCTION kintaraa_api.feed_join IS
    'Subscribes the bearer of a live token, with all since her cursor when that is possible.';
ALTER FUNCTION kintaraa_api.feed_join OWNER TO kintaraa_door;

-- input {"gateway", "subscriptions": [number, ...]} -> none
CREATE FUNCTION kintaraa_api.feed_leave(token text, path text[], query jsonb, input jsonb, context jsonb,
                                        OUT outcome text, OUT body json)
    RETURNS record
    LANGUAGE C VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_feed_leave';
COMMENT ON FUNCTION kintaraa_api.feed_leave IS 'Ends subscriptions of a gateway; those it does not have are no error.';
ALTER FUNCTION kintaraa_api.feed_leave OWNER TO kintaraa_door;

-- after: the cursor up to which the gateway has delivered.  The last row has the cursor reached and nothing else.
CREATE FUNCTION kintaraa_api.feed_next(gateway uuid, after bigint)
    RETURNS TABLE (subscriptions bigint[], frame text, cursor bigint)
    LANGUAGE C VOLATILE STRICT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_feed_next';
COMMENT ON FUNCTION kintaraa_api.feed_next IS
    'What changed since a cursor, as frames and the subscriptions of the gateway that may see them.';
ALTER FUNCTION kintaraa_api.feed_next OWNER TO kintaraa_door;
-- API: public
CREATE FUNCTION kintaraa_api.incident_create(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_incident_create';
COMMENT ON FUNCTION kintaraa_api.incident_create IS
    'POST /incidents: stores a report, opens and routes its needs. Body: any JSON object.';
ALTER FUNCTION kintaraa_api.incident_create OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.incident_list(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_incident_list';
COMMENT ON FUNCTION kintaraa_api.incident_list IS
    'GET /incidents: a page of what the caller may see. Query: status, type, urgency, limit, after.';
ALTER FUNCTION kintaraa_api.incident_list OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.incident_get(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_incident_get';
COMMENT ON FUNCTION kintaraa_api.incident_get IS 'GET /incidents/{id}: one incident. Path: id.';
ALTER FUNCTION kintaraa_api.incident_get OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.incident_update(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_incident_update';
COMMENT ON FUNCTION kintaraa_api.incident_update IS
    'PATCH /incidents/{id}: the survivor changes her report. Path: id. Body: the fields to change, serverVersion.';
ALTER FUNCTION kintaraa_api.incident_update OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.incident_delete(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_incident_delete';
COMMENT ON FUNCTION kintaraa_api.incident_delete IS
    'DELETE /incidents/{id}: the survivor takes her report back. Path: id.';
ALTER FUNCTION kintaraa_api.incident_delete OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.incident_status(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_incident_status';
COMMENT ON FUNCTION kintaraa_api.incident_status IS
    'POST /incidents/{id}/status: a person moves the case. Path: id. Body: status, note.';
ALTER FUNCTION kintaraa_api.incident_status OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.incident_timeline(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_incident_timeline';
COMMENT ON FUNCTION kintaraa_api.incident_timeline IS 'GET /incidents/{id}/timeline: what happened when. Path: id.';
ALTER FUNCTION kintaraa_api.incident_timeline OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.need_withdraw(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_need_withdraw';
COMMENT ON FUNCTION kintaraa_api.need_withdraw IS
    'POST /incidents/{id}/needs/{service}/withdraw: one service is no longer wanted. Path: id, service.';
ALTER FUNCTION kintaraa_api.need_withdraw OWNER TO kintaraa_door;
-- API: private. What keeps the database small, healthy and watched.
-- batch: rows of one kind at most.  Returns the largest number deleted of one kind: batch means there is more.
CREATE FUNCTION kintaraa.retention_run(batch integer) RETURNS integer
    LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    rule jsonb;
    n integer;
    most integer := 0;
BEGIN
    SELECT p.body INTO rule FROM kintaraa.policy AS p WHERE p.kind = 'retention' ORDER BY p.version DESC LIMIT 1;

    DELETE FROM kintaraa.change WHERE (bucket, noun, id) IN (
        SELECT c.bucket, c.noun, c.id FROM kintaraa.change AS c
         WHERE c.deleted AND c.updated_at < now() - make_interval(days => (rule ->> 'tombstone_days')::integer)
         ORDER BY c.updated_at LIMIT batch);
    GET DIAGNOSTICS n = ROW_COUNT;
    most := greatest(most, n);

    DELETE FROM kintaraa.member WHERE (principal, bucket) IN (
        SELECT m.principal, m.bucket FROM kintaraa.member AS m
         WHERE m.revoked AND m.changed_at < now() - make_interval(days => (rule ->> 'tombstone_days')::integer)
         ORDER BY m.changed_at LIMIT batch);
    GET DIAGNOSTICS n = ROW_COUNT;
    most := greatest(most, n);

    DELETE FROM kintaraa.applied WHERE ctid = ANY (ARRAY(
        SELECT a.ctid FROM kintaraa.applied AS a
         WHERE a.at < now() - make_interval(days => (rule ->> 'applied_days')::integer)
         ORDER BY a.at LIMIT batch FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS n = ROW_COUNT;
    most := greatest(most, n);

    DELETE FROM kintaraa.archive WHERE ctid = ANY (ARRAY(
        SELECT a.ctid FROM kintaraa.archive AS a
         WHERE a.at < now() - make_interval(days => (rule ->> 'archive_days')::integer)
         ORDER BY a.at LIMIT batch FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS n = ROW_COUNT;
    most := greatest(most, n);

    DELETE FROM kintaraa.session WHERE ctid = ANY (ARRAY(
        SELECT s.ctid FROM kintaraa.session AS s
         WHERE s.expires_at < now() - make_interval(days => (rule ->> 'session_days')::integer)
         ORDER BY s.expires_at LIMIT batch FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS n = ROW_COUNT;
    most := greatest(most, n);

    DELETE FROM kintaraa.invitation WHERE ctid = ANY (ARRAY(
        SELECT i.ctid FROM kintaraa.invitation AS i
         WHERE i.expires_at < now() - make_interval(days => (rule ->> 'invitation_days')::integer)
         LIMIT batch FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS n = ROW_COUNT;
    most := greatest(most, n);

    DELETE FROM kintaraa.duty WHERE ctid = ANY (ARRAY(
        SELECT d.ctid FROM kintaraa.duty AS d
         WHERE d.to_at < now() - make_interval(days => (rule ->> 'duty_days')::integer)
         LIMIT batch FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS n = ROW_COUNT;
    most := greatest(most, n);

    DELETE FROM kintaraa.throttle WHERE ctid = ANY (ARRAY(
        SELECT t.ctid FROM kintaraa.throttle AS t
         WHERE t.updated_at < now() - make_interval(hours => (rule ->> 'throttle_hours')::integer)
         ORDER BY t.updated_at LIMIT batch FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS n = ROW_COUNT;
    most := greatest(most, n);

    DELETE FROM kintaraa.notification WHERE ctid = ANY (ARRAY(
        SELECT o.ctid FROM kintaraa.notification AS o
         WHERE o.created_at < now() - make_interval(days => (rule ->> 'notification_days')::integer)
         ORDER BY o.created_at LIMIT batch FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS n = ROW_COUNT;
    most := greatest(most, n);

    DELETE FROM kintaraa.subscription AS s USING kintaraa.gateway AS g
     WHERE s.gateway = g.id
       AND g.seen_at < now() - make_interval(mins => (rule ->> 'subscription_minutes')::integer);
    DELETE FROM kintaraa.gateway AS g
     WHERE g.seen_at < now() - make_interval(mins => (rule ->> 'subscription_minutes')::integer);

    PERFORM kintaraa.change_flush();
    RETURN most;
END
$$;
COMMENT ON FUNCTION kintaraa.retention_run IS
    'Deletes what the retention policy says is too old, in one batch of each kind.';
ALTER FUNCTION kintaraa.retention_run OWNER TO kintaraa_system;

-- everything: all ages; otherwise only those that have just come of age.
-- Of each second, minute or hour the oldest tick stays: a cursor between two ticks means the older one.
CREATE FUNCTION kintaraa.ticks_thin(everything boolean) RETURNS integer
    LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    rule jsonb;
    present bigint := floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
    hour CONSTANT bigint := 3600000000;
    newest bigint;
    step record;
    n integer;
    deleted integer := 0;
BEGIN
    SELECT p.body INTO rule FROM kintaraa.policy AS p WHERE p.kind = 'retention' ORDER BY p.version DESC LIMIT 1;
    SELECT max(k.t) INTO newest FROM kintaraa.tick AS k;
    FOR step IN
        SELECT s.width, present - s.age AS upto
          FROM (VALUES (1000000::bigint, (rule ->> 'tick_all_minutes')::bigint * 60000000),
                       (60000000, (rule ->> 'tick_second_hours')::bigint * hour),
                       (hour, (rule ->> 'tick_minute_days')::bigint * 24 * hour)) AS s (width, age)
    LOOP
        DELETE FROM kintaraa.tick AS k
         WHERE k.t < step.upto AND k.t <> newest
           AND (everything OR k.t >= step.upto - greatest(hour, 2 * step.width))
           AND EXISTS (SELECT FROM kintaraa.tick AS o
                        WHERE o.t < k.t AND o.t >= k.t - k.t % step.width AND o.epoch = k.epoch);
        GET DIAGNOSTICS n = ROW_COUNT;
        deleted := deleted + n;
    END LOOP;
    DELETE FROM kintaraa.tick AS k
     WHERE k.t < present - (rule ->> 'tick_hour_days')::bigint * 24 * hour AND k.t <> newest;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN deleted + n;
END
$$;
COMMENT ON FUNCTION kintaraa.ticks_thin IS 'Deletes ticks that the retention policy does not keep; returns how many.';
ALTER FUNCTION kintaraa.ticks_thin OWNER TO kintaraa_system;

-- API: public, for the DBA: what is slow runs at night.
CREATE FUNCTION kintaraa.schedule_jobs() RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    job record;
    n integer := 0;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') THEN
        RAISE NOTICE 'pg_cron is not in this database; nothing is scheduled'
            USING HINT = 'For the nightly checks create pg_cron here and call this again.';
        RETURN 0;
    END IF;
    FOR job IN SELECT * FROM kintaraa.jobs() LOOP
        EXECUTE 'SELECT cron.schedule($1, $2, $3)' USING job.name, job.schedule, job.command;
        n := n + 1;
    END LOOP;
    RETURN n;
END
$$;
COMMENT ON FUNCTION kintaraa.schedule_jobs IS
    'Enters the nightly jobs into pg_cron as the calling superuser; again is harmless. Returns how many.';

CREATE FUNCTION kintaraa.jobs(OUT name text, OUT schedule text, OUT command text) RETURNS SETOF record
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
    VALUES ('kintaraa counters', '7 1 * * *', 'SELECT kintaraa.dispatch_count_recount()'),
           ('kintaraa loads', '17 1 * * *', 'SELECT kintaraa.dispatch_recount()'),
           ('kintaraa ticks', '27 1 * * *', 'SELECT kintaraa.ticks_thin(true)'),
           ('kintaraa anchor', '37 1 * * *', 'SELECT kintaraa.audit_anchor()'),
           ('kintaraa retention', '47 * * * *', 'SELECT kintaraa.retention_run(10000)'),
           ('kintaraa stamps', '57 1 * * *', 'SELECT kintaraa.change_check()')
$$;
COMMENT ON FUNCTION kintaraa.jobs IS 'The jobs that kintaraa.schedule_jobs() enters.';

-- API: public, superuser only.
CREATE FUNCTION kintaraa.health(OUT "check" text, OUT ok boolean, OUT detail text, OUT hint text)
    RETURNS SETOF record
    LANGUAGE C VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_health_sql';
COMMENT ON FUNCTION kintaraa.health IS 'What is missing or dangerous about this server, and how to mend it.';
ALTER FUNCTION kintaraa.health OWNER TO kintaraa_system;

-- API: public. -> ok {"status": "ok"|"degraded", "checks": [{"name","ok"}]}
CREATE FUNCTION kintaraa_api.health(token text, path text[], query jsonb, input jsonb, context jsonb,
                                    OUT outcome text, OUT body json)
    RETURNS record
    LANGUAGE C VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_health';
COMMENT ON FUNCTION kintaraa_api.health IS
    'Whether requests can be served: degraded when something indispensable is missing.';
ALTER FUNCTION kintaraa_api.health OWNER TO kintaraa_door;

-- -> ok {"keys": [...]}
CREATE FUNCTION kintaraa_api.jwks(token text, path text[], query jsonb, input jsonb, context jsonb,
                                  OUT outcome text, OUT body json)
    RETURNS record
    LANGUAGE C VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_jwks';
COMMENT ON FUNCTION kintaraa_api.jwks IS 'The public halves of the keys that sign access tokens.';
ALTER FUNCTION kintaraa_api.jwks OWNER TO kintaraa_door;

-- query ?limit ?after -> ok {"items":[{"id","class","text","createdAt","readAt"}],"next"}
CREATE FUNCTION kintaraa_api.notification_list(token text, path text[], query jsonb, input jsonb, context jsonb,
                                               OUT outcome text, OUT body json)
    RETURNS record
    LANGUAGE C VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_notification_list';
COMMENT ON FUNCTION kintaraa_api.notification_list IS
    'The caller''s notifications, newest first: a class and a neutral sentence each.';
ALTER FUNCTION kintaraa_api.notification_list OWNER TO kintaraa_door;

-- path {id} -> none
CREATE FUNCTION kintaraa_api.notification_read(token text, path text[], query jsonb, input jsonb, context jsonb,
                                               OUT outcome text, OUT body json)
    RETURNS record
    LANGUAGE C VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_notification_read';
COMMENT ON FUNCTION kintaraa_api.notification_read IS
    'Marks one notification of the caller as read; again is harmless.';
ALTER FUNCTION kintaraa_api.notification_read OWNER TO kintaraa_door;
-- API: public
CREATE FUNCTION kintaraa_api.personal_list(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_personal_list';
COMMENT ON FUNCTION kintaraa_api.personal_list IS
    'GET /me/records/{noun}: a page of her own records. Path: noun. Query: limit, after.';
ALTER FUNCTION kintaraa_api.personal_list OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.personal_get(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_personal_get';
COMMENT ON FUNCTION kintaraa_api.personal_get IS 'GET /me/records/{noun}/{id}: one of her own records. Path: noun, id.';
ALTER FUNCTION kintaraa_api.personal_get OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.personal_put(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_personal_put';
COMMENT ON FUNCTION kintaraa_api.personal_put IS
    'PUT /me/records/{noun}/{id}: stores it. Path: noun, id. Body: its fields, serverVersion.';
ALTER FUNCTION kintaraa_api.personal_put OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.personal_delete(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_personal_delete';
COMMENT ON FUNCTION kintaraa_api.personal_delete IS 'DELETE /me/records/{noun}/{id}: deletes it. Path: noun, id.';
ALTER FUNCTION kintaraa_api.personal_delete OWNER TO kintaraa_door;
-- API: private. What the doors of policies ask before they store a version.
CREATE FUNCTION kintaraa.policy_check(
    kind  text,   -- routing or escalation
    body  jsonb
) RETURNS void
    LANGUAGE C STABLE STRICT PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_policy_check_sql';
COMMENT ON FUNCTION kintaraa.policy_check IS 'Raises KN5xx naming the first member of a policy that cannot be read.';
GRANT EXECUTE ON FUNCTION kintaraa.policy_check TO kintaraa_system;
-- API: private. The number of a word in one of the tables type, gender, language, skill; 0 when it is in none. Called
-- for each team: C that resolves no name, hence without a SET clause, which would cost ten times as much.
CREATE FUNCTION kintaraa.provider_number(kind text, word text) RETURNS smallint
    LANGUAGE C IMMUTABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'kn_provider_number';
COMMENT ON FUNCTION kintaraa.provider_number IS 'The number that stands for a word in kintaraa.provider_dispatch.';
GRANT EXECUTE ON FUNCTION kintaraa.provider_number TO kintaraa_system;

-- API: private. The bits of words; unknown words have none. Without a SET clause for the same reason.
CREATE FUNCTION kintaraa.provider_mask(kind text, words text[]) RETURNS bigint
    LANGUAGE C IMMUTABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'kn_provider_mask';
COMMENT ON FUNCTION kintaraa.provider_mask IS 'The mask that stands for words in kintaraa.provider_dispatch.';
GRANT EXECUTE ON FUNCTION kintaraa.provider_mask TO kintaraa_system;

-- API: private. Without a SET clause for the same reason.
-- {"mon":[["22:00","06:00"]],…,"closed":["2026-12-25"]}; NULL is always open.
CREATE FUNCTION kintaraa.shift_open(hours jsonb, zone text, at timestamptz) RETURNS boolean
    LANGUAGE C STABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'kn_shift_open_sql';
COMMENT ON FUNCTION kintaraa.shift_open IS 'Whether a moment lies within a shift, by the wall clock of the zone.';
GRANT EXECUTE ON FUNCTION kintaraa.shift_open TO kintaraa_system;

-- API: public, for the worker and for a DBA who changed providers. Returns how many rows changed.
CREATE FUNCTION kintaraa.dispatch_refresh() RETURNS integer
    LANGUAGE C VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_dispatch_refresh_sql';
COMMENT ON FUNCTION kintaraa.dispatch_refresh IS
    'Derives what routing scans from providers, their staff and the hour; only rows that differ are written.';
GRANT EXECUTE ON FUNCTION kintaraa.dispatch_refresh TO kintaraa_system;

-- API: private, for the worker. Returns how many providers moved.
CREATE FUNCTION kintaraa.dispatch_fold() RETURNS integer
    LANGUAGE C VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_dispatch_fold_sql';
COMMENT ON FUNCTION kintaraa.dispatch_fold IS
    'Folds new offers and answers into the providers'' last offer and mean time to an answer.';
GRANT EXECUTE ON FUNCTION kintaraa.dispatch_fold TO kintaraa_system;

-- API: public, for the nightly job. Returns how many providers were wrong.
CREATE FUNCTION kintaraa.dispatch_recount() RETURNS integer
    LANGUAGE C VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_dispatch_recount_sql';
COMMENT ON FUNCTION kintaraa.dispatch_recount IS 'Counts each provider''s load anew from its open acceptances.';
GRANT EXECUTE ON FUNCTION kintaraa.dispatch_recount TO kintaraa_system;

-- API: public, for DBAs. Again with the same list changes nothing. Returns how many were added or changed.
CREATE FUNCTION kintaraa.provider_import(
    organisation   text,                    -- name; made when there is none of that name
    provider_type  text,                    -- healthcare legal police counseling social gbv_rescue chw
    csv            text,                    -- RFC 4180; facility_id, name, latitude, longitude and admin1 are used
    demo           boolean DEFAULT false,   -- label them as demo data
    by_telephone   boolean DEFAULT true     -- without staff accounts their offers go to the dispatch centre
) RETURNS integer
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_provider_import';
COMMENT ON FUNCTION kintaraa.provider_import IS
    'Makes verified providers of a list of facilities, all or none; errors name the line.';
GRANT EXECUTE ON FUNCTION kintaraa.provider_import TO kintaraa_system;

-- API: public
CREATE FUNCTION kintaraa_api.provider_list(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_provider_list';
COMMENT ON FUNCTION kintaraa_api.provider_list IS
    'GET /providers: the directory, for staff. Query: type, available, near (latitude,longitude), limit, after.';
ALTER FUNCTION kintaraa_api.provider_list OWNER TO kintaraa_dispatch;

-- API: public
CREATE FUNCTION kintaraa_api.provider_get(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_provider_get';
COMMENT ON FUNCTION kintaraa_api.provider_get IS 'GET /providers/me: the profile of the caller''s team.';
ALTER FUNCTION kintaraa_api.provider_get OWNER TO kintaraa_door;

-- API: public. input: {"languages","skills","gender","capacity","hours"}, each optional; null empties.
CREATE FUNCTION kintaraa_api.provider_update(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_provider_update';
COMMENT ON FUNCTION kintaraa_api.provider_update IS 'PATCH /providers/me: changes the profile of the caller''s team.';
ALTER FUNCTION kintaraa_api.provider_update OWNER TO kintaraa_door;

-- API: public. input: {"available","until"?}
CREATE FUNCTION kintaraa_api.provider_availability(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_provider_availability';
COMMENT ON FUNCTION kintaraa_api.provider_availability IS
    'PUT /providers/me/availability: whether the team takes cases, for good or until a time.';
ALTER FUNCTION kintaraa_api.provider_availability OWNER TO kintaraa_door;
-- API: public, for DBAs, tests and benches. The ranking a report would get, with its reasons.
-- Nobody found is no row; NULL latitude or longitude is an unknown place.
CREATE FUNCTION kintaraa.route_trace(
    service              text,                  -- medical legal counseling police shelter financial emergency community
    urgency              text,                  -- routine urgent immediate
    latitude             double precision,
    longitude            double precision,
    k                    integer DEFAULT 3,
    radius_factor        double precision DEFAULT 1,
    required_gender      text DEFAULT NULL,
    preferred_gender     text DEFAULT NULL,
    required_languages   text[] DEFAULT NULL,   -- one of them will do
    preferred_languages  text[] DEFAULT NULL,
    required_skills      text[] DEFAULT NULL,   -- all of them
    excluded             uuid[] DEFAULT NULL,   -- providers and organisations
    at                   timestamptz DEFAULT pg_catalog.now(),
    OUT rank             integer,
    OUT provider_id      uuid,
    OUT provider_type    text,
    OUT km               double precision,
    OUT cost             double precision,      -- minutes
    OUT components       json,                  -- minutes by term
    OUT visited          integer,               -- rows read
    OUT capped           boolean,               -- the policy's cap ended the scan
    OUT policy_version   integer,
    OUT rejected         json                   -- rows read and refused, by reason
) RETURNS SETOF record
    LANGUAGE C STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_route_trace';
COMMENT ON FUNCTION kintaraa.route_trace IS
    'Ranks providers for a need as a report would, and says why; reads only and reserves nothing.';
GRANT EXECUTE ON FUNCTION kintaraa.route_trace TO kintaraa_system;

-- API: public.
CREATE FUNCTION kintaraa.distance_km(
    latitude1   double precision,
    longitude1  double precision,
    latitude2   double precision,
    longitude2  double precision
) RETURNS double precision
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_distance_km_sql';
COMMENT ON FUNCTION kintaraa.distance_km IS 'Kilometres on the sphere between two places in degrees.';
GRANT EXECUTE ON FUNCTION kintaraa.distance_km TO kintaraa_system, kintaraa_door, kintaraa_dispatch;

-- API: public
CREATE FUNCTION kintaraa_api.recommendation_list(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_recommendation_list';
COMMENT ON FUNCTION kintaraa_api.recommendation_list IS
    'GET /incidents/{id}/recommendations: the best providers for each open need, with the minutes that rank them.';
ALTER FUNCTION kintaraa_api.recommendation_list OWNER TO kintaraa_dispatch;

-- API: public
CREATE FUNCTION kintaraa_api.dispatch_coverage(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_dispatch_coverage';
COMMENT ON FUNCTION kintaraa_api.dispatch_coverage IS
    'GET /dispatch/coverage: who would be asked at these places now. Query: points or box and step, service, urgency.';
ALTER FUNCTION kintaraa_api.dispatch_coverage OWNER TO kintaraa_dispatch;
-- API: public
CREATE FUNCTION kintaraa_api.auth_login(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_auth_login';
COMMENT ON FUNCTION kintaraa_api.auth_login IS
    'POST /auth/login: starts a session. Body: email, password, device.';
ALTER FUNCTION kintaraa_api.auth_login OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.auth_refresh(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_auth_refresh';
COMMENT ON FUNCTION kintaraa_api.auth_refresh IS
    'POST /auth/refresh: the next pair of tokens. Body: refresh.';
ALTER FUNCTION kintaraa_api.auth_refresh OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.auth_logout(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_auth_logout';
COMMENT ON FUNCTION kintaraa_api.auth_logout IS
    'POST /auth/logout: ends the session of the refresh token, or of the access token. Body: refresh.';
ALTER FUNCTION kintaraa_api.auth_logout OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.session_list(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_session_list';
COMMENT ON FUNCTION kintaraa_api.session_list IS
    'GET /me/sessions: the caller''s own live sessions.';
ALTER FUNCTION kintaraa_api.session_list OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.session_revoke(token text, path text[], query jsonb, input jsonb, context jsonb,
    OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_session_revoke';
COMMENT ON FUNCTION kintaraa_api.session_revoke IS
    'DELETE /me/sessions/{id}: ends one of the caller''s own sessions. Path: id.';
ALTER FUNCTION kintaraa_api.session_revoke OWNER TO kintaraa_door;
-- API: public
CREATE FUNCTION kintaraa_api.sync_updates(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_sync_updates';
COMMENT ON FUNCTION kintaraa_api.sync_updates IS
    'GET /incidents/updates: what changed for the caller. Query: since, pageToken.';
ALTER FUNCTION kintaraa_api.sync_updates OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.sync_pull(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_sync_pull';
COMMENT ON FUNCTION kintaraa_api.sync_pull IS
    'GET /sync/pull: the same for WatermelonDB. Query: last_pulled_at, schema_version, migration, tombstones, '
    'pageToken.';
ALTER FUNCTION kintaraa_api.sync_pull OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.sync_batch(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_sync_batch';
COMMENT ON FUNCTION kintaraa_api.sync_batch IS
    'POST /sync/batch: many records, each with its own result. Body: device, seq, mode, records.';
ALTER FUNCTION kintaraa_api.sync_batch OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.sync_push(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_sync_push';
COMMENT ON FUNCTION kintaraa_api.sync_push IS
    'POST /sync/push: the changes of WatermelonDB. Query: last_pulled_at. Body: changes.';
ALTER FUNCTION kintaraa_api.sync_push OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.sync_digest(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_sync_digest';
COMMENT ON FUNCTION kintaraa_api.sync_digest IS
    'GET /sync/digest: number and hash of what the caller should have, by noun.';
ALTER FUNCTION kintaraa_api.sync_digest OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.sync_manifest(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_sync_manifest';
COMMENT ON FUNCTION kintaraa_api.sync_manifest IS 'GET /sync/manifest: ids and versions of a noun. Query: noun, after.';
ALTER FUNCTION kintaraa_api.sync_manifest OWNER TO kintaraa_door;

-- API: public
CREATE FUNCTION kintaraa_api.archive_list(
    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)
    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_door_archive_list';
COMMENT ON FUNCTION kintaraa_api.archive_list IS
    'GET /sync/archive: what was sent and did not win. Query: reason, limit, after.';
ALTER FUNCTION kintaraa_api.archive_list OWNER TO kintaraa_door;

-- API: public, for DBAs and the nightly job. Records without a stamp, and stamps without a record: both are zero
-- unless somebody wrote past the triggers (session_replication_role, disabled triggers, a data-only restore).
CREATE FUNCTION kintaraa.verify_changes(OUT noun text, OUT unstamped bigint, OUT orphaned bigint) RETURNS SETOF record
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
WITH row_of AS (
    SELECT 'incident' AS noun, i.id AS bucket, i.id FROM kintaraa.incident AS i
    UNION ALL SELECT 'need', n.bucket, n.id FROM kintaraa.need AS n
    UNION ALL SELECT 'assignment', a.provider_id, a.id FROM kintaraa.assignment AS a
    UNION ALL SELECT 'account', a.id, a.id FROM kintaraa.account AS a
    UNION ALL SELECT 'notification', n.account_id, n.id FROM kintaraa.notification AS n
    UNION ALL SELECT 'note', n.bucket, n.id FROM kintaraa.note AS n
    UNION ALL SELECT p.noun, p.owner_id, p.id FROM kintaraa.personal AS p)
SELECT COALESCE(r.noun, c.noun), count(*) FILTER (WHERE c.id IS NULL),
       count(*) FILTER (WHERE r.id IS NULL AND NOT c.deleted)
  FROM row_of AS r
  FULL JOIN (SELECT x.* FROM kintaraa.change AS x WHERE x.noun NOT IN ('session', 'provider')) AS c
    ON c.bucket = r.bucket AND c.noun = r.noun AND c.id = r.id
 GROUP BY 1
$$;
COMMENT ON FUNCTION kintaraa.verify_changes IS 'By noun: records without a stamp and stamps without a record.';
ALTER FUNCTION kintaraa.verify_changes OWNER TO kintaraa_system;

-- API: private. The nightly job: warns in the server log. Returns how many records or stamps are wrong.
CREATE FUNCTION kintaraa.change_check() RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    found record;
    wrong bigint := 0;
BEGIN
    FOR found IN SELECT v.noun, v.unstamped, v.orphaned FROM kintaraa.verify_changes() AS v
                  WHERE v.unstamped > 0 OR v.orphaned > 0 ORDER BY v.noun LOOP
        wrong := wrong + found.unstamped + found.orphaned;
        RAISE WARNING 'kintaraa: of noun % there are % records without a stamp and % stamps without a record',
            found.noun, found.unstamped, found.orphaned
            USING HINT = 'Somebody wrote past the triggers; phones do not hear of these records.';
    END LOOP;
    RETURN wrong;
END
$$;
COMMENT ON FUNCTION kintaraa.change_check IS
    'Warns in the log of records without a stamp and stamps without a record; returns how many.';
ALTER FUNCTION kintaraa.change_check OWNER TO kintaraa_system;
-- API: private. What the worker does, each also callable by a superuser.
-- force: also when nothing changed since the last one.
CREATE FUNCTION kintaraa.tick_write(force boolean) RETURNS bigint
    LANGUAGE C VOLATILE STRICT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_tick_write_sql';
COMMENT ON FUNCTION kintaraa.tick_write IS 'Writes a tick and tells the listeners; NULL when nothing changed.';
ALTER FUNCTION kintaraa.tick_write OWNER TO kintaraa_system;

CREATE FUNCTION kintaraa.epoch_check() RETURNS boolean
    LANGUAGE C VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_epoch_check_sql';
COMMENT ON FUNCTION kintaraa.epoch_check IS
    'Begins a new epoch of cursors when this is not the server or the history that the last one was made on.';
ALTER FUNCTION kintaraa.epoch_check OWNER TO kintaraa_system;

-- API: public, superuser only: after pg_upgrade, started with kintaraa.worker = off.
CREATE FUNCTION kintaraa.adopt_epoch() RETURNS void
    LANGUAGE C VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_epoch_adopt_sql';
COMMENT ON FUNCTION kintaraa.adopt_epoch IS
    'Keeps the cursors of all phones after pg_upgrade; refused where transaction ids began anew.';
ALTER FUNCTION kintaraa.adopt_epoch OWNER TO kintaraa_system;

CREATE FUNCTION kintaraa.seal() RETURNS bigint
    LANGUAGE C VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_seal_sql';
COMMENT ON FUNCTION kintaraa.seal IS 'Seals the audit entries of all finished transactions; returns how many.';
ALTER FUNCTION kintaraa.seal OWNER TO kintaraa_system;

CREATE FUNCTION kintaraa.audit_anchor() RETURNS void
    LANGUAGE C VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_audit_anchor_sql';
COMMENT ON FUNCTION kintaraa.audit_anchor IS 'Writes the newest root of the audit trail to the server log.';
ALTER FUNCTION kintaraa.audit_anchor OWNER TO kintaraa_system;

-- API: public, superuser only.
CREATE FUNCTION kintaraa.audit_verify(OUT ok boolean, OUT sealed bigint, OUT unsealed bigint, OUT first_bad bigint)
    RETURNS record
    LANGUAGE C VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_audit_verify_sql';
COMMENT ON FUNCTION kintaraa.audit_verify IS
    'Computes every seal of the audit trail anew; first_bad is the first one that does not hold.';
ALTER FUNCTION kintaraa.audit_verify OWNER TO kintaraa_system;

CREATE FUNCTION kintaraa.worker_status(OUT pid integer, OUT seen_at timestamptz, OUT database text)
    RETURNS record
    LANGUAGE C VOLATILE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'kn_worker_status_sql';
COMMENT ON FUNCTION kintaraa.worker_status IS 'The background worker of this server; pid is NULL when none runs.';
GRANT EXECUTE ON FUNCTION kintaraa.worker_status TO kintaraa_operator, kintaraa_report;

-- API: private. Counters: a report leaves a difference, so that none waits for another one's counter.
-- The lock is taken before the statement whose snapshot must hold both tables as one.
CREATE FUNCTION kintaraa.dispatch_count_fold() RETURNS integer
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    folded integer;
BEGIN
    IF NOT EXISTS (SELECT FROM kintaraa.dispatch_delta) THEN
        RETURN 0;
    END IF;
    PERFORM pg_advisory_xact_lock(7521, 3);
    WITH gone AS (
        DELETE FROM kintaraa.dispatch_delta AS d RETURNING d.status, d.urgency, d.n
    ), total AS (
        SELECT g.status, g.urgency, sum(g.n) AS n, count(*) AS deltas FROM gone AS g GROUP BY g.status, g.urgency
    ), folding AS (
        INSERT INTO kintaraa.dispatch_count AS c (status, urgency, n)
        SELECT t.status, t.urgency, t.n FROM total AS t
        ON CONFLICT (status, urgency) DO UPDATE SET n = c.n + EXCLUDED.n
    )
    SELECT coalesce(sum(t.deltas), 0) INTO folded FROM total AS t;
    RETURN folded;
END
$$;
COMMENT ON FUNCTION kintaraa.dispatch_count_fold IS
    'Adds what is in dispatch_delta to dispatch_count; returns how many differences.';
ALTER FUNCTION kintaraa.dispatch_count_fold OWNER TO kintaraa_system;

CREATE FUNCTION kintaraa.dispatch_count_recount() RETURNS integer
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    corrected integer;
BEGIN
    PERFORM pg_advisory_xact_lock(7521, 3);
    WITH gone AS (
        DELETE FROM kintaraa.dispatch_delta AS d RETURNING d.status, d.urgency, d.n
    ), pending AS (
        SELECT g.status, g.urgency, sum(g.n) AS n FROM gone AS g GROUP BY g.status, g.urgency
    ), truth AS (
        SELECT i.status, i.urgency_level AS urgency, count(*) AS n FROM kintaraa.incident AS i
         WHERE i.deleted_at IS NULL GROUP BY i.status, i.urgency_level
    ), counted AS (
        UPDATE kintaraa.dispatch_count AS c SET n = r.truth
          FROM (SELECT o.status, o.urgency, coalesce(t.n, 0) AS truth, o.n + coalesce(p.n, 0) AS kept
                  FROM kintaraa.dispatch_count AS o
                  LEFT JOIN truth AS t ON t.status = o.status AND t.urgency = o.urgency
                  LEFT JOIN pending AS p ON p.status = o.status AND p.urgency = o.urgency) AS r
         WHERE c.status = r.status AND c.urgency = r.urgency
        RETURNING r.truth <> r.kept AS was_wrong
    )
    SELECT count(*) FILTER (WHERE c.was_wrong) INTO corrected FROM counted AS c;
    IF corrected > 0 THEN
        RAISE LOG 'kintaraa: % counters of incidents were wrong and are corrected', corrected;
    END IF;
    RETURN corrected;
END
$$;
COMMENT ON FUNCTION kintaraa.dispatch_count_recount IS
    'Counts the incidents anew; returns how many counters were wrong.';
ALTER FUNCTION kintaraa.dispatch_count_recount OWNER TO kintaraa_system;
-- Functions are executable by PUBLIC when they are made; nothing of ours is.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA kintaraa, kintaraa_api FROM PUBLIC;
REVOKE ALL ON ALL PROCEDURES IN SCHEMA kintaraa FROM PUBLIC;

-- Policies call these as the role that runs the statement.
GRANT EXECUTE ON FUNCTION kintaraa.can_see(uuid), kintaraa.caller_may(text), kintaraa.me(), kintaraa.principals()
    TO kintaraa_door, kintaraa_dispatch, kintaraa_system, kintaraa_report;
GRANT EXECUTE ON FUNCTION kintaraa.change_flush(), kintaraa.migrations() TO kintaraa_owner, kintaraa_system;
GRANT EXECUTE ON FUNCTION kintaraa.change_remember(), kintaraa.refuse_truncate(), kintaraa.policy_changed()
    TO kintaraa_owner;

-- The gateway's role has USAGE on kintaraa_api and EXECUTE on its functions, and nothing else.
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA kintaraa_api TO kintaraa_gateway;
