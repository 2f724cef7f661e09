#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Latency of the fast fault path through hale-correlator: a fault event is added to the events
stream, the transition is read from the alarm log by a waiting client.

  HALE_BUILD_DIR=build/release python3 tests/bench/bench_event_path.py [--events N] [--rate R]

Prints one JSON line per fsync policy: p50/p99/max in microseconds of
  handled   event added -> log record made (stamps in the record: read, decoded, decided)
  logged    event added -> log record received by a client that waits for it
  bare      the same with a stand-in for the correlator that costs nothing: one XADD, one waiting
            reader, then one XADD of the log record, one waiting reader (what Redis and this client
            cost)
  added     logged - bare, at p50 and p99: what the correlator adds
Events are sent on a fixed schedule and timed from when they were due, so a stall shows (no
coordinated omission). Not a test: the figures depend on the machine."""
import argparse
import json
import pathlib
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))
from conftest import Redis, Stack, wait_for  # noqa: E402

EVENTS, LOG = "hale:{m}:events", "hale:{m}:alarmlog"


def client(redis):
    c = Redis(redis.dir)
    c.socket = redis.socket
    return c


def pct(values, q):
    values = sorted(values)
    return round(values[min(len(values) - 1, int(q * len(values)))])


def event(i, now_us):
    return json.dumps({"v": 1, "tenant": "default", "type": "vnfc.down", "time_ms": i + 1,
                       "severity": "CRITICAL", "status": "raise" if i % 2 == 0 else "clear",
                       "dimensions": {"vnf_id": "v1", "hostname": "compute-1"},
                       "details": {"hostname": "compute-1", "status": "down"},
                       "accepted_us": now_us})


def read_until(redis, stream, n, wanted, out):
    """Waits for entries of stream one after the other; out: (receive time us, entry)."""
    c, last, seen = client(redis), "0-0", 0
    while seen < n:
        got = c.cmd("XREAD", "BLOCK", "5000", "STREAMS", stream, last)
        now = time.time() * 1e6
        if got is None:
            return
        for entry_id, fields in got[0][1]:
            last = entry_id
            if wanted(fields):
                out.append((now, fields))
                seen += 1
    c.disconnect()


def paced(n, rate, send):
    """Calls send(i, due time us) on a schedule."""
    start = time.time() + 0.05
    for i in range(n):
        due = start + i / rate
        while True:
            rest = due - time.time()
            if rest <= 0:
                break
            if rest > 0.0005:
                time.sleep(rest - 0.0003)
        send(i, due * 1e6)


def run(redis, n, rate, send, log_stream, wanted):
    out, due = [], []
    reader = threading.Thread(target=read_until, args=(redis, log_stream, n, wanted, out))
    reader.start()
    c = client(redis)
    paced(n, rate, lambda i, t: (due.append(t), send(c, i, t)))
    reader.join()
    c.disconnect()
    if len(out) != n:
        sys.exit(f"only {len(out)} of {n} came back")
    return due, out


def measure(fsync, n, rate):
    with tempfile.TemporaryDirectory(prefix="hb") as tmp:
        tmp = pathlib.Path(tmp)
        redis = Redis(tmp / "r").start()
        stack = Stack(tmp, redis)
        try:
            redis.cmd("CONFIG", "SET", "appendfsync", fsync)
            stack.start("correlator")
            due, out = run(redis, n, rate,
                           lambda c, i, t: c.cmd("XADD", EVENTS, "*", "j", event(i, int(t))), LOG,
                           lambda f: b'"kind":"transition"' in f[1])
            records = [json.loads(f[1]) for _, f in out]
            handled = [r["logged_us"] - t for r, t in zip(records, due)]
            logged = [now - t for (now, _), t in zip(out, due)]
            stack.stop("correlator")
            line = out[0][1][1]

            # A thread of its own would share this interpreter's lock; a script in Redis is the
            # cheapest stand-in: both XADDs, no decision.
            due, out = run(redis, n, rate,
                           lambda c, i, t: c.cmd(
                               "EVAL", "redis.call('XADD',KEYS[1],'*','j',ARGV[1]) "
                               "return redis.call('XADD',KEYS[2],'*','j',ARGV[2])", 2,
                               "bare:{m}:in", "bare:{m}:out", event(i, int(t)), line),
                           "bare:{m}:out", lambda f: True)
            bare = [now - t for (now, _), t in zip(out, due)]
        finally:
            wait_for(lambda: True)
            for f in stack.finish():
                print(f, file=sys.stderr)
            redis.stop()
    skip = n // 10  # warm-up
    rows = {"handled": handled[skip:], "logged": logged[skip:], "bare": bare[skip:]}
    result = {"appendfsync": fsync, "events": n, "rate_per_s": rate}
    for name, values in rows.items():
        result[name] = {"p50": pct(values, .5), "p99": pct(values, .99), "max": round(max(values))}
    result["added"] = {q: result["logged"][q] - result["bare"][q] for q in ("p50", "p99")}
    return result


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--events", type=int, default=3000)
    p.add_argument("--rate", type=float, default=500, help="events per second")
    a = p.parse_args()
    for fsync in ("always", "everysec"):
        print(json.dumps(measure(fsync, a.events, a.rate)))


if __name__ == "__main__":
    main()
