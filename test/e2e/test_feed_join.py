#!/usr/bin/python3
"""Sockets that come, come back and go: feed_start, feed_join, feed_leave, and the end of a session."""
import os
import sys
import threading
import time

import psycopg2

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Cluster, run_tests, wait_until
from newsroom import Reader, World, new_id


def settle():
    tick = world.value("SELECT kintaraa.tick_write(true)")
    wait_until(lambda: room.read_to(tick))
    return tick


def subscriptions():
    return {row[0] for row in world.run("SELECT id FROM kintaraa.subscription")}



def test_a_new_socket_is_told_where_it_begins():
    outcome, answer = room.join(world.her_token)
    assert outcome == "ok", answer
    assert answer["resumed"] is False and answer["frames"] == []
    assert answer["role"] == "survivor" and answer["cursor"] > 10 ** 15
    assert 900 < answer["expiresIn"] <= 960, answer


def test_without_a_live_token_nobody_joins():
    before = subscriptions()
    assert room.join(None)[0] == "unknown"
    assert room.join("e30.e30.AA")[0] == "unknown"
    account, token = world.register("survivor")
    world.write(("UPDATE kintaraa.session SET revoked_at = now() WHERE account_id = %s", account))
    assert room.join(token)[0] == "unknown"
    assert subscriptions() == before


def test_nobody_joins_at_a_gateway_that_is_not_known():
    outcome, answer = world.door("feed_join", world.her_token, body={"gateway": new_id()})
    assert (outcome, answer["code"]) == ("absent", "KN301"), answer


def test_a_socket_that_comes_back_gets_what_it_missed():
    incident = world.report()
    cursor = settle()
    missed = world.offer(incident)
    settle()
    outcome, answer = room.join(world.helper_token, cursor)
    assert outcome == "ok" and answer["resumed"] is True, answer
    assert [frame["assignment"]["id"] for frame in answer["frames"]] == [missed], answer
    assert cursor < answer["frames"][-1]["cursor"] <= answer["cursor"]
    outcome, answer = room.join(world.helper_token, answer["cursor"])
    assert answer["resumed"] is True and answer["frames"] == [], answer


def test_it_gets_only_what_it_may_see():
    cursor = settle()
    incident = world.report()
    world.offer(incident)
    settle()
    outcome, answer = room.join(world.stranger_token, cursor)
    assert outcome == "ok" and answer["resumed"] is True and answer["frames"] == [], answer


def test_a_cursor_between_two_ticks_means_the_older_one():
    incident = world.report()
    cursor = settle()
    # else the next tick may be that of the very next millisecond
    wait_until(lambda: time.time() * 1000 > cursor // 1000 + 2)
    missed = world.offer(incident)
    settle()
    outcome, answer = room.join(world.helper_token, cursor + 1000)
    assert answer["resumed"] is True
    assert missed in [frame["assignment"]["id"] for frame in answer["frames"]], answer


def test_a_cursor_that_is_not_ours_is_not_resumed():
    newest = settle()
    for cursor in (0, 1, newest + 1000 * 3600 * 1000, newest - newest % 1000 + 998, newest - newest % 1000,
                   2 ** 53 - 1, 2 ** 53, 2 ** 63 - 1, 2 ** 64, -1, 1.5):
        outcome, answer = room.join(world.her_token, cursor)
        assert outcome == "ok" and answer["resumed"] is False and answer["frames"] == [], (cursor, answer)
        assert answer["cursor"] >= newest


def test_a_cursor_that_is_no_number_is_refused():
    for cursor in ("x", "7", [], True):
        try:
            room.join(world.her_token, cursor)
            raise AssertionError("accepted: %r" % cursor)
        except psycopg2.Error as error:
            assert error.pgcode.startswith("KN5"), error


def notify(account, count):
    world.write(("INSERT INTO kintaraa.notification (id, account_id, class) "
                 "SELECT gen_random_uuid(), %s, 'system' FROM generate_series(1, %s)", account, count))


def test_a_thousand_frames_are_sent_and_one_more_is_not():
    account, token = world.register("survivor")
    cursor = settle()
    notify(account, 1000)
    settle()
    outcome, answer = room.join(token, cursor)
    assert answer["resumed"] is True and len(answer["frames"]) == 1000, len(answer["frames"])
    assert answer["frames"][0]["cursor"] == cursor and answer["frames"][-1]["cursor"] > cursor
    notify(account, 1)
    settle()
    outcome, answer = room.join(token, cursor)
    assert answer["resumed"] is False and answer["frames"] == [], len(answer["frames"])


def touch(count):
    world.run("INSERT INTO kintaraa.change (bucket, noun, id, x, version, foreign_version, deleted, updated_at) "
              "SELECT gen_random_uuid(), 'incident', gen_random_uuid(), pg_current_xact_id(), 1, 0, false, now() "
              "FROM generate_series(1, %s)", count)


def test_a_catch_up_looks_at_so_many_changes_and_no_more():
    cursor = settle()
    touch(5000)
    settle()
    assert room.join(world.her_token, cursor)[1]["resumed"] is True
    touch(1)
    settle()
    assert room.join(world.her_token, cursor)[1]["resumed"] is False


def test_memberships_that_are_not_told_of_hide_none_that_is():
    incident = world.report()
    assignment = world.offer(incident)
    cursor = settle()
    own = ("INSERT INTO kintaraa.member (principal, bucket, relation) "
           "SELECT gen_random_uuid(), gen_random_uuid(), 'owner' FROM generate_series(1, %s)")
    world.run(own, 4999)
    world.accept(incident, assignment)
    settle()
    outcome, answer = room.join(world.helper_token, cursor)
    told = [frame["type"] for frame in answer["frames"]]
    assert outcome == "ok" and answer["resumed"] is True and "scope.changed" in told, answer
    incident = world.report()
    assignment = world.offer(incident)
    cursor = settle()
    world.run(own, 5001)
    world.accept(incident, assignment)
    settle()
    assert room.join(world.helper_token, cursor)[1]["resumed"] is False, "her own case lies beyond what was looked at"


def test_who_joins_during_a_read_misses_nothing():
    incident = world.report()
    settle()
    locked = world.cluster.connect("kintaraa_gateway", autocommit=False)
    world.run("SELECT * FROM kintaraa_api.feed_next(%s, %s)", room.gateway, room.cursor, connection=locked)
    answers = []
    joiner = threading.Thread(target=lambda: answers.append(room.join(world.helper_token)))
    joiner.start()
    wait_until(lambda: world.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") == 1)
    world.offer(incident)
    tick = world.value("SELECT kintaraa.tick_write(true)")
    locked.commit()
    locked.close()
    joiner.join()
    outcome, answer = answers[0]
    assert answer["cursor"] >= tick, "it begins behind what the read may have passed"


def test_who_left_hears_nothing():
    subscription = room.subscribe(world.helper_token)
    incident = world.report()
    settle()
    room.take(subscription)
    outcome, _ = world.door("feed_leave", body={"gateway": room.gateway, "subscriptions": [subscription, 4711]})
    assert outcome == "none" and subscription not in subscriptions()
    world.offer(incident)
    settle()
    assert room.take(subscription) == []


def test_nobody_is_ended_for_another_gateway():
    subscription = room.subscribe(world.helper_token)
    second = Reader(world)
    world.door("feed_leave", body={"gateway": second.gateway, "subscriptions": [subscription]})
    second.close()
    assert subscription in subscriptions()


def test_ten_thousand_leave_at_once_and_one_more_do_not():
    body = {"gateway": room.gateway, "subscriptions": list(range(10 ** 9, 10 ** 9 + 10000))}
    assert world.door("feed_leave", body=body)[0] == "none"
    body["subscriptions"].append(1)
    try:
        world.door("feed_leave", body=body)
        raise AssertionError("accepted")
    except psycopg2.Error as error:
        assert error.pgcode == "KN505", error


def test_what_is_no_list_of_numbers_is_refused():
    for wrong in (None, {}, "1", ["x"], [[1]]):
        try:
            world.door("feed_leave", body={"gateway": room.gateway, "subscriptions": wrong})
            raise AssertionError("accepted: %r" % (wrong,))
        except psycopg2.Error as error:
            assert error.pgcode.startswith("KN5"), error


def ended(subscription):
    return [frame["type"] for frame in room.frames.get(subscription, [])][-1:] == ["session.ended"]


def test_a_revoked_session_ends_its_sockets_and_no_others():
    account, token = world.register("survivor")
    subscription = room.subscribe(token)
    stays = room.subscribe(world.her_token)
    world.write(("UPDATE kintaraa.session SET revoked_at = now() WHERE account_id = %s", account))
    settle()
    assert ended(subscription) and not ended(stays)
    assert subscription not in subscriptions() and stays in subscriptions()


def test_a_closed_account_ends_its_sockets():
    account, token = world.register("survivor")
    subscription = room.subscribe(token)
    world.write(("UPDATE kintaraa.account SET is_active = false WHERE id = %s", account))
    settle()
    assert ended(subscription)


def test_a_socket_whose_time_is_over_ends_without_any_other_news():
    subscription = room.subscribe(world.her_token)
    settle()
    world.run("UPDATE kintaraa.subscription SET expires_at = now() WHERE id = %s", subscription)
    room.columns.clear()
    before = room.cursor
    room.read()
    assert ended(subscription) and subscription not in subscriptions()
    assert room.columns[0] > before, "a gateway takes only what is newer than its cursor"
    room.take(subscription)
    room.read()
    assert room.take(subscription) == []


def test_gateways_that_are_not_seen_for_an_hour_are_forgotten():
    gone, alive = Reader(world), Reader(world)
    subscription = gone.subscribe(world.her_token)
    for reader, age in ((gone, "61 minutes"), (alive, "59 minutes")):
        world.run("UPDATE kintaraa.gateway SET seen_at = now() - %s::interval WHERE id = %s", age, reader.gateway)
    world.value("SELECT kintaraa.retention_run(1)")
    left = {row[0] for row in world.run("SELECT id::text FROM kintaraa.gateway")}
    assert alive.gateway in left and gone.gateway not in left and subscription not in subscriptions()
    alive.read()
    assert world.value("SELECT now() - seen_at < interval '10 seconds' FROM kintaraa.gateway WHERE id = %s",
                       alive.gateway), "a read keeps it"
    gone.close()
    alive.close()


with Cluster("join") as cluster:
    world = World(cluster)
    room = Reader(world)
    status = run_tests(globals())
    room.close()
    world.close()
sys.exit(status)
