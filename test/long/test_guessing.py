#!/usr/bin/python3
"""Addresses with an account cannot be told from others at any door that takes one: time, processor time, bytes, words.

2,000 pairs for each door that takes an address, the one or the other first by chance. A build that hashes no password
for an address without an account is told apart by the same look, so that the look is known to see.

    test_guessing.py [DOOR…]    by what they are called in the output, or all

Commits wait for no disk: what a disk takes would hide what is looked for.
"""
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from harness import Cluster, Tap  # noqa: E402
from guessing import Line, auc, interleave  # noqa: E402
import mutated  # noqa: E402

PAIRS = int(os.environ.get("KN_PAIRS", "2000"))
PAIRS_OF_CHANGES = PAIRS // 4
PAIRS_OF_MUTANT = 100
LIMIT = 0.05  # five standard errors of 2,000 pairs
SHARED = 50  # accounts of each kind whose password is changed again and again, within the life of their tokens
counter = iter(range(1, 1 << 30))


def person(**more):
    return dict({"email": "guessed%06d@example.org" % next(counter), "password": "three wet goats"}, **more)


def fresh(body, **more):
    return dict(body, password="no goats %06d" % next(counter), **more)


def people(line, count):
    """Pairs of one who has an account and one who has none."""
    known = [person() for _ in range(count)]
    for body in known:
        assert line.call("auth_register", body)[0] == "created"
    return [(body, person()) for body in known]


def doors(line, cluster):
    used = cluster.value("SELECT kintaraa.invite('analyst')")
    assert line.call("auth_register", person(invitation=used))[0] == "created"
    yield "signing in", "malformed KN001", lambda body: line.cost("auth_login", fresh(body))
    yield "registering with a used invitation", "malformed KN003", lambda body: line.cost(
        "auth_register", fresh(body, invitation=used))
    yield "registering for a role that needs one", "refused KN204", lambda body: line.cost(
        "auth_register", fresh(body, role="provider"))
    # the last: whoever registers has an account from then on
    yield "registering", "created", lambda body: line.cost("auth_register", fresh(body))


def changers(line, count):
    """Pairs of accounts: one at an address that another account has as well, one alone at its address."""
    pairs = []
    for _ in range(count):
        shared, alone = person(), person()
        assert line.call("auth_register", shared)[0] == "created"
        pair = [{"now": body["password"], "token": line.call("auth_register", body)[1]["tokens"]["access"]}
                for body in (fresh(shared), fresh(alone))]
        for account, body in zip(pair, (shared, alone)):
            account["email"] = body["email"]
        pairs.append(pair)
    return pairs


def is_chosen(name):
    return len(sys.argv) == 1 or name in sys.argv[1:]


def judge(tap, name, costs, wanted, limit=LIMIT):
    told = {(cost.outcome + " " + cost.body.get("code", "")).strip() if cost.body else cost.outcome
            for side in costs for cost in side}
    members = {tuple(sorted(cost.body or {})) for side in costs for cost in side}
    tap.ok(told == {wanted} and len(members) == 1, "%s: the same words" % name)
    if told != {wanted} or len(members) != 1:
        tap.note("%s %s" % (told, members))
    for measure in ("seconds", "nanoseconds", "size"):
        found = auc(*([getattr(cost, measure) or 0 for cost in side] for side in costs))
        tap.ok(abs(found - 0.5) <= limit, "%s: its %s do not tell" % (name, measure))
        tap.note("%s: AUC of %s %.3f in %d pairs" % (name, measure, found, len(costs[0])))


def look(tap):
    with Cluster("guessing", synchronous_commit="off") as cluster, Line(cluster) as line:
        pairs = people(line, PAIRS)
        for name, wanted, ask in doors(line, cluster):
            if is_chosen(name):
                judge(tap, name, interleave(pairs, ask), wanted)
        change(tap, line)


def change(tap, line):
    """Whether another account has the address of one's own: wrong passwords, and changes that are made."""
    def wrong(account):
        return line.cost("me_password", {"currentPassword": "no goats", "newPassword": "no goats %d" % next(counter)},
                         account["token"])

    def right(account):
        before, account["now"] = account["now"], "wet goats %06d" % next(counter)
        return line.cost("me_password", {"currentPassword": before, "newPassword": account["now"]}, account["token"])

    for name, wanted, ask in (("a wrong password of one's own", "malformed KN004", wrong),
                              ("changing one's own password", "none", right)):
        if not is_chosen(name):
            continue
        some = changers(line, SHARED)
        pairs = (some * (PAIRS_OF_CHANGES // SHARED + 1))[:PAIRS_OF_CHANGES]
        judge(tap, name, interleave(pairs, ask), wanted, LIMIT * 2)  # half as sharp


def see(tap):
    """The same look at a build that gives itself away."""
    with Cluster("guessing-mutant", program=mutated.server(), kn__mutant="no_decoy_hash",
                 synchronous_commit="off") as cluster, Line(cluster) as line:
        known = [body for body, _ in people(line, 20)]
        # the mutant hashed nothing for these: they have accounts all the same
        for name, _, ask in doors(line, cluster):
            if not is_chosen(name):
                continue
            costs = interleave([(random.choice(known), person()) for _ in range(PAIRS_OF_MUTANT)], ask)
            for measure in ("seconds", "nanoseconds"):
                found = auc(*([getattr(cost, measure) for cost in side] for side in costs))
                tap.ok(found >= 0.9, "without a decoy its %s tell at %s" % (measure, name))
                tap.note("%s: AUC of %s %.3f" % (name, measure, found))


def main():
    random.seed(11)
    tap = Tap()
    look(tap)
    see(tap)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
