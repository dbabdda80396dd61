#!/usr/bin/python3
"""Every wire case gets exactly the answers it should, and the connection ends as it should.

What the standards forbid is refused and the connection closed; a request that hides in
another is never carried out, because an answer too many is a failure.
"""
import select
import sys

from wire import Tap, Wire, all_cases, gateway, status_is

QUIET = 0.1


def judge(address, case, number):
    """None when the case went as expected, else what happened."""
    with Wire(address) as wire:
        wire.send(case.data)
        if case.fate == "wait":
            readable, _, _ = select.select([wire.socket], [], [], QUIET)
            return "an answer came" if readable else None
        for position, wanted in enumerate(case.statuses):
            is_head = position == 0 and case.data.startswith(b"HEAD ")
            answer = wire.response(is_head=is_head)
            if answer is None:
                return "closed before answer %d" % (position + 1)
            if not status_is(answer.status, wanted):
                return "answer %d was %d, wanted %s" % (position + 1, answer.status, wanted)
            if answer.status == 101:
                return None
        return judge_end(wire, case, number)


def judge_end(wire, case, number):
    """Whether it is open is asked with one more request, which must get the next answer."""
    if case.fate == "close":
        if wire.is_closed():
            return None
        return "left open" if not wire.buffer else "one answer too many: %r" % wire.buffer[:80]
    mark = "probe-%d" % number
    wire.send(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Request-Id: %s\r\n\r\n" % mark.encode())
    answer = wire.response()
    if answer is None:
        return "closed" if case.fate == "open" else None
    if answer.headers.get("x-request-id") != mark:
        return "one answer too many: %d" % answer.status
    return None if answer.status == 200 else "the next request got %d" % answer.status


def main():
    tap = Tap()
    cases = all_cases()
    with gateway() as (address, _):
        for number, case in enumerate(cases):
            try:
                remark = judge(address, case, number)
            except (AssertionError, OSError, ValueError) as error:
                remark = repr(error)
            tap.ok(remark is None, case.title, remark)
        with Wire(address) as wire:
            wire.send(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            tap.ok(wire.response().status == 200, "after all of them the gateway still serves")
    malformed = sum(case.is_malformed for case in cases)
    tap.ok(malformed >= 300, "at least 300 of the cases are malformed", malformed)
    return tap.done()


sys.exit(main())
