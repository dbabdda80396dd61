"""Rows of single requests: the same door by pgbench (the floor) and by wrk through the gateway, in pairs."""
import contextlib

import measure
from measure import median

CLIENTS = 16
SLICE = 3
PAIRS = 5
LOAD = __file__.rsplit("/", 1)[0] + "/load.lua"

# What the answers are held against: ratio to the floor, requests a second, processor time in us.
TARGETS = {
    "create": {"ratio": 0.85, "rate": 1365, "server": 1000, "gateway": 60},
    "get": {"ratio": 0.75, "rate": 6000, "added": 45, "gateway": 60},
    "list": {"ratio": 0.75},
    "assignments": {"ratio": 0.75},
}
LISTS = ("list", "assignments")
RATIO_FROM_US = 150  # the ratio of a read counts where its door costs this much


def best_floor(stage, row):
    """The number of clients at which pgbench does most."""
    rates = {clients: measure.pgbench(stage.cluster.gateway_dsn, stage.files[row], clients, 2)[1]
             for clients in (4, 8, CLIENTS)}
    return max(rates, key=rates.get)


def run_pair(stage, row, clients):
    cpu = measure.Cpu(stage.cluster.pid, stage.gateway.pid, stage.idle)
    cpu.start()
    floor_count, floor_rate = measure.pgbench(stage.cluster.gateway_dsn, stage.files[row], clients, SLICE)
    floor = cpu.stop(wait_backends=True)
    cpu.start()
    count, rate, p50, p99 = measure.wrk(stage.gateway.url, LOAD, stage.lua, row, CLIENTS, SLICE)
    ours = cpu.stop()
    return {"floor": floor_rate, "rate": rate, "ratio": rate / floor_rate, "p50": p50, "p99": p99,
            "floor_us": floor["server"] / floor_count * 1e6, "server_us": ours["server"] / count * 1e6,
            "gateway_us": ours["gateway"] / count * 1e6, "load_us": ours["load"] / count * 1e6}


def judge(row, result):
    """Names of what misses its target.  Rates and processor time count from the quietest pair, ratios as median."""
    target = TARGETS[row]
    missed = []
    is_cheap = "added" in target and result["least_floor_us"] < RATIO_FROM_US
    if result["ratio"] < target["ratio"] and not is_cheap:
        missed.append("ratio below %.2f" % target["ratio"])
    if result["best_rate"] < target.get("rate", 0):
        missed.append("below %d requests/s" % target["rate"])
    if result["least_server_us"] > target.get("server", 1e9):
        missed.append("PostgreSQL above %d us" % target["server"])
    if result["least_gateway_us"] > target.get("gateway", 1e9):
        missed.append("gateway above %d us" % target["gateway"])
    if result["added_us"] > target.get("added", 1e9):
        missed.append("adds more than %d us" % target["added"])
    return missed


def summary(pairs):
    """Medians; and of what other work on the machine can only make worse, the best of the pairs."""
    result = {key: median([pair[key] for pair in pairs]) for key in pairs[0]}
    result["best_rate"] = max(pair["rate"] for pair in pairs)
    for key in ("floor_us", "server_us", "gateway_us"):
        result["least_" + key] = min(pair[key] for pair in pairs)
    result["added_us"] = median([pair["server_us"] + pair["gateway_us"] - pair["floor_us"] for pair in pairs])
    return result


def run(stage, row, say):
    """Eight accounts list as fast as they can: at the gateway's default they would have to earn it."""
    with stage.without_budget() if row in LISTS else contextlib.nullcontext():
        return run_pairs(stage, row, say)


def run_pairs(stage, row, say):
    clients = best_floor(stage, row)
    pairs = []
    for number in range(PAIRS):
        pair = run_pair(stage, row, clients)
        pairs.append(pair)
        say("  pair %d: floor %6.0f/s (%4.0f us)  ours %6.0f/s  ratio %.2f  server %4.0f  gateway %3.0f  wrk %3.0f us  "
            "p50 %.2f  p99 %.2f ms"
            % (number + 1, pair["floor"], pair["floor_us"], pair["rate"], pair["ratio"], pair["server_us"],
               pair["gateway_us"], pair["load_us"], pair["p50"], pair["p99"]))
    result = summary(pairs)
    missed = judge(row, result)
    say("%s: floor %.0f/s at %d clients, ours %.0f/s at %d (best %.0f), ratio %.2f"
        % (row, result["floor"], clients, result["rate"], CLIENTS, result["best_rate"], result["ratio"]))
    say("  processor time, median and least: PostgreSQL %.0f, %.0f us (floor %.0f, %.0f); gateway %.0f, %.0f us; "
        "adds %.0f us"
        % (result["server_us"], result["least_server_us"], result["floor_us"], result["least_floor_us"],
           result["gateway_us"], result["least_gateway_us"], result["added_us"]))
    say("  p50 %.2f, p99 %.2f ms: %s" % (result["p50"], result["p99"], ", ".join(missed) or "meets its target"))
    return not missed
