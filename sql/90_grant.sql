-- Functions are executable by PUBLIC when they are made; nothing of ours is.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA kintaraa, kintaraa_api FROM PUBLIC;
REVOKE ALL ON ALL PROCEDURES IN SCHEMA kintaraa FROM PUBLIC;

-- Policies call these as the role that runs the statement.
GRANT EXECUTE ON FUNCTION kintaraa.can_see(uuid), kintaraa.caller_may(text), kintaraa.me(), kintaraa.principals(),
    kintaraa.barred_from()
    TO kintaraa_door, kintaraa_dispatch, kintaraa_system, kintaraa_report;
GRANT EXECUTE ON FUNCTION kintaraa.change_flush(), kintaraa.migrations() TO kintaraa_owner, kintaraa_system;
GRANT EXECUTE ON FUNCTION kintaraa.change_remember(), kintaraa.refuse_truncate(), kintaraa.policy_changed(),
    kintaraa.client_key(uuid, text, text), kintaraa.spelling_seal(uuid, text, uuid, text)
    TO kintaraa_owner;

-- The gateway's role has USAGE on kintaraa_api and EXECUTE on its functions, and nothing else.
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA kintaraa_api TO kintaraa_gateway;
