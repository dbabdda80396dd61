-- The rules and the one dispatch centre every installation starts with.

SET LOCAL ROLE kintaraa_system;
SET LOCAL row_security = on;

INSERT INTO kintaraa.organisation (id, kind, name)
VALUES ('00000000-0000-4000-8000-000000000001', 'dispatch_centre', 'Dispatch centre');

INSERT INTO kintaraa.status_rule (from_status, to_status, actor) VALUES
    ('new', 'pending_dispatcher_review', 'machine'),
    ('new', 'assigned', 'machine'),
    ('new', 'in_progress', 'machine'),
    ('pending_dispatcher_review', 'new', 'machine'),
    ('pending_dispatcher_review', 'assigned', 'machine'),
    ('pending_dispatcher_review', 'in_progress', 'machine'),
    ('assigned', 'new', 'machine'),
    ('assigned', 'pending_dispatcher_review', 'machine'),
    ('assigned', 'in_progress', 'machine'),
    ('in_progress', 'new', 'machine'),
    ('in_progress', 'assigned', 'machine'),
    ('in_progress', 'pending_dispatcher_review', 'machine'),
    ('assigned', 'in_progress', 'helper'),
    ('in_progress', 'completed', 'helper'),
    ('completed', 'in_progress', 'helper'),
    ('in_progress', 'completed', 'dispatcher'),
    ('completed', 'in_progress', 'dispatcher'),
    ('completed', 'closed', 'dispatcher'),
    ('new', 'closed', 'dispatcher'),
    ('pending_dispatcher_review', 'closed', 'dispatcher'),
    ('assigned', 'closed', 'dispatcher'),
    ('in_progress', 'closed', 'dispatcher'),
    ('closed', 'in_progress', 'dispatcher'),
    ('new', 'closed', 'owner'),
    ('pending_dispatcher_review', 'closed', 'owner'),
    ('assigned', 'closed', 'owner'),
    ('in_progress', 'closed', 'owner'),
    ('completed', 'closed', 'owner');

INSERT INTO kintaraa.setting (name, value, help) VALUES
    ('routing_mode', '"hybrid"',
     'hybrid offers each need to the best providers; manual leaves every need to dispatchers.'),
    ('hotlines', '[{"number":"999","name":"Police"},{"number":"1195","name":"GBV helpline"},
                   {"number":"116","name":"Child helpline"}]',
     'Numbers in the answer to every report.'),
    ('minimum_app_version', 'null', 'Apps older than this are told to upgrade; null asks nothing.');

-- Minutes per level; who = providers (k of them, radius scaled), dispatchers, officers. repeat_minutes is the last
-- level's.
INSERT INTO kintaraa.policy (kind, version, body) VALUES ('escalation', 1, '{
  "immediate": {"levels": [{"who":"providers","k":3,"radius_factor":1,"minutes":2},
                           {"who":"providers","k":5,"radius_factor":2,"minutes":2},
                           {"who":"dispatchers","minutes":3},
                           {"who":"officers","minutes":5}], "contact_minutes": 15},
  "urgent":    {"levels": [{"who":"providers","k":2,"radius_factor":1,"minutes":10},
                           {"who":"providers","k":3,"radius_factor":2,"minutes":10},
                           {"who":"dispatchers","minutes":15},
                           {"who":"officers","minutes":15}], "contact_minutes": 120},
  "routine":   {"levels": [{"who":"providers","k":1,"radius_factor":1,"minutes":60,"working":true},
                           {"who":"providers","k":1,"radius_factor":1,"minutes":60,"working":true},
                           {"who":"dispatchers","minutes":480,"working":true},
                           {"who":"officers","minutes":480,"working":true}],
                "contact_minutes": 960, "contact_working": true}
}');
INSERT INTO kintaraa.policy (kind, version, body) VALUES ('retention', 1, '{
  "tombstone_days": 180, "applied_days": 180, "archive_days": 365, "session_days": 30, "subscription_minutes": 60,
  "throttle_hours": 48, "tick_all_minutes": 10, "tick_second_hours": 48, "tick_minute_days": 30, "tick_hour_days": 180,
  "notification_days": 90, "invitation_days": 30
}');
INSERT INTO kintaraa.dispatch_count (status, urgency, n)
SELECT s, u, 0
  FROM pg_catalog.unnest(ARRAY['new', 'pending_dispatcher_review', 'assigned', 'in_progress', 'completed',
                               'closed']) AS s,
       pg_catalog.unnest(ARRAY['routine', 'urgent', 'immediate']) AS u;
