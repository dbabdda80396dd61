#!/usr/bin/python3
"""Twenty thousand malformed requests leave the memory of the gateway as it was."""
import os
import sys
import time

from wire import Tap, Wire, all_cases, gateway

WARM_UP = 3000
REQUESTS = 20000
ALLOWED = 1024 * 1024


def resident(pid):
    """Bytes of the process and its children."""
    total = 0
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open("/proc/%s/status" % entry) as file:
                status = dict(line.split(":", 1) for line in file)
        except OSError:
            continue
        if int(entry) == pid or int(status["PPid"]) == pid:
            total += int(status.get("VmRSS", "0 kB").split()[0]) * 1024
    return total


def descriptors(pid):
    """Open descriptors of the process and its children."""
    total = 0
    for entry in os.listdir("/proc"):
        try:
            with open("/proc/%s/stat" % entry) as file:
                parent = int(file.read().rsplit(")", 1)[1].split()[1])
            if entry.isdigit() and (int(entry) == pid or parent == pid):
                total += len(os.listdir("/proc/%s/fd" % entry))
        except (OSError, ValueError):
            continue
    return total


def send_all(address, cases, count):
    """How many were answered with a refusal and closed."""
    refused = 0
    for number in range(count):
        case = cases[number % len(cases)]
        with Wire(address) as wire:
            wire.send(case.data)
            answer = wire.response(is_head=case.data.startswith(b"HEAD "))
            refused += answer.status >= 400 and wire.is_closed()
    return refused


def main():
    tap = Tap()
    cases = [case for case in all_cases()
             if len(case.statuses) == 1 and case.is_malformed and case.fate == "close" and
             len(case.data) < 20000]
    with gateway(KINTARAA_LOG_LEVEL="warn") as (address, pid):
        if pid is None:
            print("Bail out! give the process id of the gateway as KINTARAA_TEST_PID")
            return 1
        send_all(address, cases, WARM_UP)
        before, open_before = resident(pid), descriptors(pid)
        started = time.monotonic()
        refused = send_all(address, cases, REQUESTS)
        seconds = time.monotonic() - started
        after = resident(pid)
        print("# %d KB before, %d KB after, %.0f requests a second"
              % (before // 1024, after // 1024, REQUESTS / seconds))
        tap.ok(refused == REQUESTS, "%d malformed requests are refused" % REQUESTS, refused)
        tap.ok(after <= before + ALLOWED, "and the gateway is as large as before",
               "%d and %d bytes" % (before, after))
        end = time.monotonic() + 5
        while descriptors(pid) > open_before and time.monotonic() < end:
            time.sleep(0.05)
        tap.ok(descriptors(pid) <= open_before, "and has as many descriptors open")
    return tap.done()


sys.exit(main())
