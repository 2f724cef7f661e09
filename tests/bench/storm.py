#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A storm of alarms in the whole house, with critical host alarms in the middle of it.

  HALE_BUILD_DIR=build/release python3 tests/bench/storm.py [--rate 50000] [--minutes 5]

Fault events of so many different hosts a minute (HIGH) are posted on a fixed schedule; twice a second a
CRITICAL one. Prints what of the POST to the subscriber's socket took for the critical ones (timed from when
they were due), the largest resident memory of each daemon and of Redis, and the counts of the alarm
hale.storm. Not a test: the figures depend on the machine."""
import argparse
import http.server
import json
import pathlib
import re
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))
from conftest import Redis, Stack, http_call, wait_for  # noqa: E402

TICK_S = 0.1


class Subscriber:
    """Remembers when it was told of each critical host."""

    def __init__(self):
        self.seen, self.n = {}, 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                now = time.time()
                outer.n += 1
                for host in re.findall(rb'"host": ?"(core-[0-9]+)"', body):
                    outer.seen.setdefault(host.decode(), now)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = "http://127.0.0.1:%d/" % self.server.server_port


def resident(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", text).group(1)) / 1024


def event(host, severity):
    return {"type": "host.down" if severity == "CRITICAL" else "link.down", "severity": severity,
            "status": "raise", "dimensions": {"host": host}, "time_ms": int(time.time() * 1000)}


def post(stack, token, body):
    host, port = stack.address
    a = http_call(host, port, "POST", "/v1/events", body, {"X-Auth-Token": token}, timeout=60)
    assert a.status == 200, a


class Critical(threading.Thread):
    def __init__(self, stack, token, seconds):
        super().__init__()
        self.stack, self.token, self.seconds, self.due = stack, token, seconds, {}

    def run(self):
        start, i = time.time(), 0
        while time.time() < start + self.seconds:
            due = start + i * 0.5
            wait_for(lambda due=due: time.time() >= due, 10, "the next one", 0.002)
            self.due[f"core-{i}"] = due
            post(self.stack, self.token, event(f"core-{i}", "CRITICAL"))
            i += 1


def storm(stack, token, rate, seconds):
    """Returns how many were sent, and how late the last ones were."""
    start, sent = time.time(), 0
    while True:
        now = time.time() - start
        if now >= seconds:
            return sent, rate / 60 * seconds - sent
        wanted = int(rate / 60 * now)
        if wanted - sent < rate / 60 * TICK_S:
            wait_for(lambda: time.time() - start >= (sent / (rate / 60)) + TICK_S, 10, "the next tick", 0.002)
            continue
        batch = [event(f"h{i}", "HIGH") for i in range(sent, min(wanted, sent + 1000))]
        post(stack, token, batch)
        sent += len(batch)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=int, default=50000, help="alarms a minute")
    parser.add_argument("--minutes", type=float, default=5)
    o = parser.parse_args()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="hale-bench-"))
    stack = Stack(directory, Redis(directory / "r").start())
    subscriber = Subscriber()
    policies = directory / "policies.yaml"
    policies.write_text("policies: []\n")
    for name in ("collector", "thresholds", "correlator"):
        # Room for all of them: beyond max_alarms critical ones are refused like the others.
        stack.start(name, {"max_alarms": 1000000} if name == "correlator" else None)
    stack.start("actuator", {"policies": str(policies),
                             "subscribers": [{"name": "bench", "url": subscriber.url}]})
    token = stack.token("operator")
    critical = Critical(stack, token, o.minutes * 60)
    critical.start()
    sent, behind = storm(stack, token, o.rate, o.minutes * 60)
    critical.join()
    wait_for(lambda: len(subscriber.seen) == len(critical.due), 60, "all critical alarms told")
    took = sorted(1000 * (subscriber.seen[h] - due) for h, due in critical.due.items())
    print("alarms sent %d (%d behind), critical %d" % (sent, behind, len(took)))
    print("critical, due to subscriber: p50 %.1f ms  p99 %.1f ms  max %.1f ms"
          % (took[len(took) // 2], took[min(len(took) - 1, len(took) * 99 // 100)], took[-1]))
    print("messages to the subscriber %d" % subscriber.n)
    for name, d in stack.daemons.items():
        print("%-11s %7.0f MB at most" % (name, resident(d.process.pid)))
    print("%-11s %7.0f MB at most" % ("redis", resident(stack.redis.process.pid)))
    rows = [json.loads(v) for v in stack.redis.cmd("HVALS", "hale:{m}:alarms") if b"hale.storm" in v]
    print("storm: %s" % (rows[0]["reason"] if rows else "none"))
    subscriber.server.shutdown()
    for problem in stack.finish():
        print(problem, file=sys.stderr)
    stack.redis.stop()


if __name__ == "__main__":
    main()
