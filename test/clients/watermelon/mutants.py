#!/usr/bin/python3
"""Breaks one guard of sync after the other and shows that the simulation notices: mutants.py [NAME…]

Builds the extension with KN_MUTANTS into a copy of the private server; each mutant is a value of kn.mutant.
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from simulation import Simulation  # noqa: E402
from harness import Tap  # noqa: E402
import mutated  # noqa: E402

TRIES, SECONDS = 3, 20
PATIENCE = {"no_replacement": 60}  # a record has to go between a phone's last pull and the cursor that it makes up
STRIKES = {"no_epoch": ["postgres"] * 4, "no_gap": ["clock", "postgres"] * 3}
# What is broken, and the invariants one of which must say so.
MUTANTS = {
    "none": (),
    "no_xip": ("I1", "I2", "I8", "I13"),          # cursor.c: transactions open at the tick count as seen
    "no_touch": ("I8", "I1"),                     # change.c: who lost is not sent what stands
    "no_removal": ("I2", "I13"),                  # pull.c: what is deleted or lost is not told
    "no_conflict": ("I6", "I4"),                  # record.c: every write is taken
    "plain_version": ("I7",),                     # record.c: own writes conflict
    "no_archive": ("I3",),                        # record.c: what loses is not kept
    "no_lock": ("I6", "I5"),                      # personal_store.c: what is judged may change before it is written
    "no_seq": ("I4", "I6"),                       # push.c: late requests count
    "no_replay": ("I4",),                         # push.c: retries are judged anew
    "no_bases": ("I7",),                          # push_store.c: a write whose answer was lost is foreign
    "hard_removal": ("I3",),                      # sync_doors.c: deleted instead of removed
    "no_tombstone": ("I5",),                      # record.c: what is deleted may be written again
    "no_replacement": ("I2",),                    # pull.c: whose cursor is unknown keeps its copy
    "stuck_cursor": ("I14",),                     # pull.c: a pull goes on from where the one before did
    "clock_ticks": ("I12",),                      # tick.c: ticks follow a clock that was set back
    "no_resume": ("I12",),                        # feed.c: a socket that comes back is told from now on
    "no_epoch": ("I10", "I14", "I12"),            # cursor.c: cursors are read before the first tick after a start
    "no_mark": ("I13",),                          # cursor.c: another one's cursor is taken for her own
    "no_gap": ("I12", "I1", "I13"),               # tick.c: numbers that a crash took back are given again
    "no_case_lock": ("state",),                   # need_store.c: a case is moved by two at once
}
CLIENT_MUTANTS = {
    "library_resolver": ("I6", "I4"),             # the new version under an edit of the old one
    "remote_wins": ("I3",),                       # her edit is dropped on the phone
}


def main():
    tap = Tap()
    program = mutated.server()
    chosen = sys.argv[1:] or [*MUTANTS, *CLIENT_MUTANTS]
    for name in chosen:
        wanted = MUTANTS.get(name, CLIENT_MUTANTS.get(name))
        found = set()
        for attempt in range(TRIES if wanted else 1):
            run = Simulation("%s-%d" % (name, attempt), PATIENCE.get(name, SECONDS), STRIKES.get(name, ["clock"]),
                             mutant=name, server=program if name in MUTANTS else None)
            said = run.run()
            found |= {violation.split()[0] for violation in said}
            for line in next(([v] for v in said if v.split()[0] in wanted), said[:5]):
                tap.note(line[:200])
            if found & set(wanted):
                break
        if wanted:
            tap.ok(found & set(wanted), "%s is noticed by one of %s" % (name, " ".join(wanted)))
        else:
            tap.ok(not found, "without a mutant nothing is noticed")
        tap.note("%s: %s in %d runs" % (name, " ".join(sorted(found)) or "nothing", attempt + 1))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
