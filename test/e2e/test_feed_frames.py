#!/usr/bin/python3
"""Which frames a change becomes, and who is sent them."""
import os
import sys

import psycopg2

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Cluster, run_tests, wait_until
from newsroom import Reader, World, new_id


def newest():
    return world.value("SELECT max(t) FROM kintaraa.tick")


def settle(*readers):
    """Lets the worker tick over all that is committed, and the readers read it."""
    tick = world.value("SELECT kintaraa.tick_write(true)")
    for reader in readers or (room,):
        wait_until(lambda: reader.read_to(tick))


def types(frames):
    return [frame["type"] for frame in frames]


def fresh():
    settle()
    for subscription in list(room.frames):
        room.take(subscription)


def test_an_offer_reaches_its_team_and_nobody_else():
    incident = world.report()
    fresh()
    assignment = world.offer(incident)
    settle()
    frames = room.take(helper)
    assert types(frames) == ["assignment.new"], frames
    assert frames[0]["assignment"]["id"] == assignment
    assert frames[0]["assignment"]["status"] == "pending"
    assert types(room.take(other_helper)) == [] and types(room.take(stranger)) == []


def test_urgency_is_one_of_three_words():
    incident = world.report()
    for urgency, word in (("routine", "medium"), ("urgent", "high"), ("immediate", "critical")):
        fresh()
        world.offer(incident, urgency=urgency)
        settle()
        frame = room.take(helper)[0]
        assert frame["urgency"] == word and frame["urgencyLevel"] == urgency


def test_an_offer_that_was_answered_is_updated_and_not_new():
    incident = world.report()
    assignment = world.offer(incident)
    fresh()
    world.accept(incident, assignment)
    settle()
    kinds = types(room.take(helper))
    assert "assignment.updated" in kinds and "assignment.new" not in kinds, kinds


def test_an_offer_not_accepted_shows_the_card_only():
    incident = world.report()
    fresh()
    world.offer(incident)
    settle()
    text = str(room.take(helper))
    assert "description" not in text and world.her not in text and "phone-" not in text


def test_she_hears_of_her_case_by_the_id_her_phone_made():
    incident = world.report()
    settle()
    frames = room.take(her)
    assert frames[-1]["incidentId"] == "phone-" + incident[:8], frames
    assert incident not in str(frames)


def test_review_by_dispatchers_looks_new_to_all_others():
    incident = world.report()
    fresh()
    world.offer(incident)
    fresh()
    world.write(("UPDATE kintaraa.incident SET status = 'pending_dispatcher_review' WHERE id = %s", incident))
    settle()
    assert room.take(her) == [] and room.take(dispatcher) == []
    world.write(("UPDATE kintaraa.need SET level = level + 1 WHERE bucket = %s", incident))
    settle()
    assert [frame["status"] for frame in room.take(her)] in ([], ["new"])
    assert room.take(dispatcher)[0]["status"] == "pending_dispatcher_review"


def test_the_name_of_the_accepting_team_is_told():
    incident = world.report()
    assignment = world.offer(incident)
    fresh()
    world.accept(incident, assignment)
    settle()
    assert room.take(her)[-1]["assignedProvider"] == "Clinic One"


def test_a_team_is_told_its_own_name_only():
    incident = world.report()
    world.accept(incident, world.offer(incident))
    second = world.offer(incident, world.other_team)
    fresh()
    world.accept(incident, second, world.other_team)
    settle()
    mine = [frame for frame in room.take(other_helper) if frame["type"] == "incident.updated"]
    assert mine[-1]["assignedProvider"] == "Clinic Two", mine
    theirs = [frame for frame in room.take(helper) if frame["type"] == "incident.updated"]
    assert theirs[-1]["assignedProvider"] == "Clinic One", theirs


def test_changes_of_one_case_in_one_transaction_are_one_frame():
    incident = world.report()
    fresh()
    world.write(("UPDATE kintaraa.incident SET status = 'assigned' WHERE id = %s", incident),
                *world.offer_statements(incident, new_id()), *world.offer_statements(incident, new_id()))
    settle()
    assert types(room.take(her)) == ["incident.updated"]


def test_a_stranger_hears_nothing():
    fresh()
    incident = world.report()
    world.accept(incident, world.offer(incident))
    settle()
    assert room.take(stranger) == []


def test_a_barred_dispatcher_hears_nothing_of_that_case():
    incident = new_id()
    fresh()
    world.write(*world.incident_statements(incident),
                ("INSERT INTO kintaraa.barred (bucket, principal) VALUES (%s, %s)", incident, world.dispatcher))
    settle()
    world.write(("UPDATE kintaraa.incident SET status = 'assigned' WHERE id = %s", incident))
    settle()
    world.write(("UPDATE kintaraa.member SET revoked = true, gx = pg_current_xact_id() "
                 "WHERE principal = %s AND bucket = %s", world.centre, incident))
    settle()
    assert room.take(dispatcher) == []
    assert len(room.take(her)) >= 2


def test_a_barred_team_hears_nothing_of_that_case():
    incident = new_id()
    fresh()
    world.write(*world.incident_statements(incident),
                ("INSERT INTO kintaraa.barred (bucket, principal) VALUES (%s, %s)", incident, world.organisation),
                *world.offer_statements(incident, new_id()))
    settle()
    assert room.take(helper) == []


def test_who_is_barred_from_a_case_he_knew_is_told_once_that_it_is_gone():
    incident = world.report()
    world.accept(incident, world.offer(incident))
    settle()
    fresh()
    world.write(("INSERT INTO kintaraa.barred (bucket, principal) VALUES (%s, %s)", incident, world.organisation),
                ("UPDATE kintaraa.incident SET status = status WHERE id = %s", incident))
    settle()
    told = [frame for frame in room.take(helper) if frame["type"] != "assignment.updated"]
    assert [(frame["type"], frame["incidentId"], frame["access"]) for frame in told] \
        == [("scope.changed", incident, "revoked")], told
    world.write(("UPDATE kintaraa.incident SET status = status WHERE id = %s", incident),
                *world.offer_statements(incident, new_id()))
    settle()
    assert room.take(helper) == []
    unknown = world.report()
    world.write(("INSERT INTO kintaraa.barred (bucket, principal) VALUES (%s, %s)", unknown, world.other_team),
                ("UPDATE kintaraa.incident SET status = status WHERE id = %s", unknown))
    settle()
    assert [frame for frame in room.take(other_helper) if frame["type"] != "incident.updated"] == []


def test_access_is_told_when_it_comes_and_when_it_goes():
    incident = world.report()
    assignment = world.offer(incident)
    fresh()
    world.accept(incident, assignment)
    settle()
    frames = [frame for frame in room.take(helper) if frame["type"] == "scope.changed"]
    assert [(frame["incidentId"], frame["access"]) for frame in frames] == [(incident, "granted")], frames
    world.write(("UPDATE kintaraa.member SET revoked = true, gx = pg_current_xact_id() "
                 "WHERE principal = %s AND bucket = %s", world.team, incident),
                ("UPDATE kintaraa.incident SET status = 'new' WHERE id = %s", incident))
    settle()
    frames = room.take(helper)
    assert [(frame["type"], frame.get("access")) for frame in frames] == [("scope.changed", "revoked")], frames


def test_who_keeps_another_way_to_a_case_has_not_lost_it():
    incident = world.report()
    world.write(("INSERT INTO kintaraa.member (principal, bucket, relation) VALUES (%s, %s, 'helper'), "
                 "(%s, %s, 'helper')", world.team, incident, world.organisation, incident))
    fresh()
    world.write(("UPDATE kintaraa.member SET revoked = true, gx = pg_current_xact_id() "
                 "WHERE principal = %s AND bucket = %s", world.team, incident))
    settle()
    assert room.take(helper) == []


def test_a_hidden_case_is_silent():
    incident = world.report()
    fresh()
    world.write(("UPDATE kintaraa.incident SET deleted_at = now() WHERE id = %s", incident))
    settle()
    assert room.take(her) == [] and room.take(dispatcher) == []


def test_a_notification_is_a_class_and_comes_once():
    fresh()
    note = new_id()
    world.write(("INSERT INTO kintaraa.notification (id, account_id, class) VALUES (%s, %s, 'new_case')",
                 note, world.helper))
    settle()
    frames = room.take(helper)
    assert [(frame["type"], frame["notification"]["id"], frame["notification"]["class"]) for frame in frames] == \
        [("notification.push", note, "new_case")], frames
    assert set(frames[0]["notification"]) == {"id", "class", "createdAt"}
    assert room.take(other_helper) == []
    world.write(("UPDATE kintaraa.notification SET read_at = now() WHERE id = %s", note))
    settle()
    assert room.take(helper) == []


def test_a_frame_is_sent_once():
    incident = world.report()
    fresh()
    world.offer(incident)
    settle()
    settle()
    assert types(room.take(helper)) == ["assignment.new"]


def test_a_reader_that_stops_between_two_frames_of_a_tick_gets_both_again():
    incident = world.report()
    fresh()
    before = room.cursor
    connection = world.cluster.connect(autocommit=False)
    first, second = new_id(), new_id()
    world.write(*world.offer_statements(incident, first), *world.offer_statements(incident, second),
                connection=connection)
    connection.commit()
    connection.close()
    settle()
    frames = room.take(helper)
    assert types(frames) == ["assignment.new", "assignment.new"]
    assert frames[0]["cursor"] <= before < frames[1]["cursor"], frames
    outcome, answer = room.join(world.helper_token, frames[0]["cursor"])
    again = {frame["assignment"]["id"] for frame in answer["frames"] if frame["type"] == "assignment.new"}
    assert outcome == "ok" and {first, second} <= again, answer
    room.take(answer["subscription"])


def test_a_late_commit_comes_exactly_once():
    incident = world.report()
    fresh()
    late = world.cluster.connect(autocommit=False)
    old = new_id()
    world.write(*world.offer_statements(incident, old), connection=late)
    others = []
    for _ in range(3):
        others.append(world.offer(incident))
        settle()
    seen = [frame["assignment"]["id"] for frame in room.take(helper)]
    assert seen == others, seen
    late.commit()
    late.close()
    wait_until(lambda: room.read() and old in str(room.frames[helper]))
    settle()
    seen = [frame["assignment"]["id"] for frame in room.take(helper) if frame["type"] == "assignment.new"]
    assert seen == [old], seen


def test_a_rolled_back_savepoint_is_no_news():
    incident = world.report()
    fresh()
    connection = world.cluster.connect(autocommit=False)
    kept, undone = new_id(), new_id()
    for sql, *args in world.offer_statements(incident, kept):
        world.run(sql, *args, connection=connection)
    world.run("SAVEPOINT here", connection=connection)
    for sql, *args in world.offer_statements(incident, undone):
        world.run(sql, *args, connection=connection)
    world.run("ROLLBACK TO here", connection=connection)
    world.run("SELECT kintaraa.change_flush()", connection=connection)
    connection.commit()
    connection.close()
    settle()
    assert [frame["assignment"]["id"] for frame in room.take(helper)] == [kept]


def test_a_stamp_made_inside_a_savepoint_is_not_lost():
    incident = world.report()
    fresh()
    connection = world.cluster.connect(autocommit=False)
    assignment = new_id()
    world.run("SAVEPOINT here", connection=connection)
    world.write(*world.offer_statements(incident, assignment), connection=connection)
    world.run("RELEASE here", connection=connection)
    settle()
    assert room.take(helper) == []
    connection.commit()
    connection.close()
    settle()
    assert [frame["assignment"]["id"] for frame in room.take(helper)] == [assignment]


def test_two_gateways_hear_the_same_each_for_its_own():
    second = Reader(world)
    there = second.subscribe(world.helper_token)
    incident = world.report()
    fresh()
    settle(second)
    second.take(there)
    world.offer(incident)
    settle(room, second)
    assert types(room.take(helper)) == types(second.take(there)) == ["assignment.new"]
    assert not set(room.frames) & set(second.frames)
    second.close()


def test_a_gateway_that_is_not_known_is_told_to_start_again():
    try:
        world.run("SELECT * FROM kintaraa_api.feed_next(%s, %s)", new_id(), newest(),
                  connection=room.connection)
        raise AssertionError("it was answered")
    except psycopg2.Error as error:
        assert error.pgcode == "KN301", error


def test_a_gateway_with_a_cursor_that_is_not_known_is_told_to_start_again():
    for cursor in (1, newest() + 1000, newest() - newest() % 1000 + 998):
        try:
            world.run("SELECT * FROM kintaraa_api.feed_next(%s, %s)", room.gateway, cursor,
                      connection=room.connection)
            raise AssertionError("it was answered: %s" % cursor)
        except psycopg2.Error as error:
            assert error.pgcode == "KN301", error


def test_so_many_changes_are_read_and_one_more_is_not():
    fresh()
    flood = Reader(world)
    flood.subscribe(world.stranger_token)
    world.run("INSERT INTO kintaraa.change (bucket, noun, id, x, version, foreign_version, deleted, updated_at) "
              "SELECT gen_random_uuid(), 'incident', gen_random_uuid(), pg_current_xact_id(), 1, 0, false, now() "
              "FROM generate_series(1, 20000)")
    tick = world.value("SELECT kintaraa.tick_write(true)")
    before = flood.cursor
    flood.read()
    assert flood.cursor >= tick
    world.run("INSERT INTO kintaraa.change (bucket, noun, id, x, version, foreign_version, deleted, updated_at) "
              "SELECT gen_random_uuid(), 'incident', gen_random_uuid(), pg_current_xact_id(), 1, 0, false, now()")
    world.value("SELECT kintaraa.tick_write(true)")
    flood.cursor = before
    try:
        flood.read()
        raise AssertionError("it was read")
    except psycopg2.Error as error:
        assert error.pgcode == "KN301", error
    flood.close()


def test_a_gateway_without_sockets_goes_on_however_much_changed():
    empty = Reader(world)
    world.run("INSERT INTO kintaraa.change (bucket, noun, id, x, version, foreign_version, deleted, updated_at) "
              "SELECT gen_random_uuid(), 'incident', gen_random_uuid(), pg_current_xact_id(), 1, 0, false, now() "
              "FROM generate_series(1, 20001)")
    tick = world.value("SELECT kintaraa.tick_write(true)")
    empty.read()
    assert empty.cursor >= tick
    empty.close()


def test_a_read_looks_at_those_who_are_concerned_and_at_no_others():
    crowd = Reader(world)
    world.run("INSERT INTO kintaraa.subscription "
              "(gateway, principal, id, account_id, session_id, role, expires_at, pokes) "
              "SELECT %s, gen_random_uuid(), nextval('kintaraa.subscription_id_seq'), gen_random_uuid(), "
              "gen_random_uuid(), 'survivor', now() + interval '1 hour', n %% 2 = 0 FROM generate_series(1, 2000) n",
              crowd.gateway)
    mine = crowd.subscribe(world.her_token)
    own = world.cluster.connect(autocommit=False)
    cursor = world.value("SELECT kintaraa.tick_write(true)")
    incident = world.report()
    world.offer(incident)
    world.accept(incident, world.offer(incident))
    world.value("SELECT kintaraa.tick_write(true)")
    with own.cursor() as read:
        read.execute("SELECT count(*) FROM kintaraa_api.feed_next(%s, %s) WHERE subscriptions @> ARRAY[%s::bigint]",
                     (crowd.gateway, cursor, mine))
        assert read.fetchone()[0] > 0
        read.execute("SELECT seq_tup_read, idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'subscription'")
        sequential, indexed = read.fetchone()
    own.close()
    crowd.close()
    assert sequential == 0 and indexed < 100, (sequential, indexed)


with Cluster("feed") as cluster:
    world = World(cluster)
    room = Reader(world)
    her, stranger = room.subscribe(world.her_token), room.subscribe(world.stranger_token)
    helper, dispatcher = room.subscribe(world.helper_token), room.subscribe(world.dispatcher_token)
    world.other, world.other_token = world.register("provider", world.other_team)
    other_helper = room.subscribe(world.other_token)
    status = run_tests(globals())
    room.close()
    world.close()
sys.exit(status)
