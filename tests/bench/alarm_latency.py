#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Breach to alarm, beside Prometheus and Alertmanager in the same run:

  alarm_latency.py [--rounds 100] [--only hale,prometheus] [--late-wait 30s] [--fsync always]

A round is one series' breach, at a random phase of the second. At the same moment the breaching value is written
where Prometheus scrapes it (1 s scrape, 1 s evaluation, no `for`; group_wait 0, a group for each alert) and POSTed
to Hale; then, each after the one before has arrived, a fault event and the sample of a window:

  last()      last(x) > 40, decided when the sample arrives
  event       POST /v1/events
  window      avg(x, 1) > 40 of series that report each second; a window waits late_wait / 60 after its end

Printed are p50 and p99 from the breach to the transition in the alarm log (a client waits there) and to the first
byte of the webhook at its receiver, and how many times as long Prometheus takes. One thread and one clock stamp
everything, between 0.03 and 0.1 ms late. Redis syncs each write (--fsync everysec: each second) and the
collector answers a POST after that. Series exist, with a good value, before. Debian: prometheus, prometheus-alertmanager.
"""
import argparse
import json
import pathlib
import random
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from whole import finish, fresh, percentile, row, wait_for
from conftest import free_port, http_call

GOOD, BAD, LIMIT = 0, 100, 40
KINDS = ("last", "event", "window")
OK_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
WAIT_S = 10


class Loop:
    """Connections and listeners of one thread. A message is told with the time of its first bytes."""

    def __init__(self):
        self.selector = selectors.DefaultSelector()

    def listen(self, handler):
        """handler(head, body, time) gives the answer. Returns the port."""
        s = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.selector.register(s, selectors.EVENT_READ, lambda: self.add(s.accept()[0], handler))
        return s.getsockname()[1]

    def add(self, s, handler):
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        state = {"got": b"", "at": 0.0}

        def readable():
            try:
                data = s.recv(1 << 20)
            except OSError:
                data = b""
            if not data:
                self.selector.unregister(s)
                s.close()
                return
            if not state["got"]:
                state["at"] = time.time()
            state["got"] += data
            while b"\r\n\r\n" in state["got"]:
                head, rest = state["got"].split(b"\r\n\r\n", 1)
                length = [int(line.split(b":")[1]) for line in head.split(b"\r\n")
                          if line.lower().startswith(b"content-length:")]
                n = length[0] if length else 0
                if len(rest) < n:
                    return
                state["got"] = rest[n:]
                answer = handler(head, rest[:n], state["at"])
                if answer:
                    s.sendall(answer)
        self.selector.register(s, selectors.EVENT_READ, readable)

    def add_stream(self, s, handler):
        """Each readable moment is told with its time; handler reads."""
        self.selector.register(s, selectors.EVENT_READ, lambda: handler(time.time()))

    def run(self, until=None, condition=lambda: False):
        """Until the time, or until the condition is true; false at the time."""
        while not condition():
            rest = 1.0 if until is None else until - time.time()
            if rest <= 0:
                return False
            for key, _ in self.selector.select(rest):
                key.data()
        return True


class Times:
    """When each breach happened and where it was seen, for the first time."""

    def __init__(self):
        self.start, self.seen, self.again = {}, {}, 0

    def note(self, place, ident, at):
        if ident not in self.start:
            return
        if (place, ident) in self.seen:
            self.again += 1
        self.seen.setdefault((place, ident), at)

    def took(self, place, kind):
        return [(at - self.start[i]) * 1000 for (p, i), at in self.seen.items()
                if p == place and i[0] == kind]

    def lost(self, place, kind):
        return sum(1 for i in self.start if i[0] == kind and (place, i) not in self.seen)


def ident_of(group):
    kind, _, k = group.get("breach", "").rpartition("-")
    return kind, int(k or -1)


class Hale:
    def __init__(self, loop, times, options):
        self.loop, self.times, self.n = loop, times, options.rounds
        self.breached, self.good_at = set(), 0.0
        self.stack = stack = fresh()
        stack.redis.cmd("CONFIG", "SET", "appendfsync", options.fsync)
        (stack.dir / "policies.yaml").write_text("policies: []\n")
        stack.start("collector")
        stack.start("thresholds", {"late_wait": options.late_wait})
        stack.start("correlator", {"storm_rate": 0})
        stack.start("actuator", {"policies": str(stack.dir / "policies.yaml"), "subscribers": [
            {"name": "bench", "url": "http://127.0.0.1:%d/" % loop.listen(self.webhook)}]})
        self.token = stack.token("agent")
        for name, expression in (("last", "last(bench.last) > %d"), ("window", "avg(bench.window, 1) > %d")):
            a = stack.http("POST", "/v2.0/alarm-definitions", {
                "name": name, "expression": expression % LIMIT, "match_by": ["breach"]})
            assert a.status == 201, a
        self.log = socket.socket(socket.AF_UNIX)
        self.log.connect(stack.redis.socket)
        self.log_file, self.log_last = self.log.makefile("rb"), "0-0"
        self.ask_log()
        loop.add_stream(self.log, self.logged)
        self.post_socket = socket.create_connection(stack.address)
        self.answers, self.asked = 0, 0
        loop.add(self.post_socket, self.answered)

    def settle(self):
        self.post("/v2.0/metrics", [self.sample("last", k, GOOD) for k in range(self.n)])

        def quiet():
            self.keep_reporting()
            a = self.stack.http("GET", "/v2.0/alarms?limit=1000&state=OK")
            return a.json is not None and len(a.json["elements"]) >= min(2 * self.n, 1000)
        end = time.time() + 120
        while not quiet():
            assert time.time() < end, "alarms of the good values"
            self.loop.run(time.time() + 0.2)

    # --- in ---------------------------------------------------------------------------------------
    def sample(self, kind, k, value):
        return {"name": "bench." + kind, "dimensions": {"breach": "%s-%d" % (kind, k)},
                "timestamp": int(time.time() * 1000), "value": value}

    def post(self, path, body):
        text = json.dumps(body).encode()
        self.asked += 1
        self.post_socket.sendall(b"POST %s HTTP/1.1\r\nHost: h\r\nX-Auth-Token: %s\r\nContent-Type: "
                                 b"application/json\r\nContent-Length: %d\r\n\r\n%s"
                                 % (path.encode(), self.token.encode(), len(text), text))
        done = self.loop.run(time.time() + WAIT_S, lambda: self.answers == self.asked)
        assert done, "the collector does not answer"

    def answered(self, head, body, at):
        assert head.split()[1] in (b"200", b"204"), (head, body)
        self.answers += 1

    def keep_reporting(self):
        """The series of the windows, all of them once a second."""
        if time.time() >= self.good_at:
            self.good_at = time.time() + 1
            self.post("/v2.0/metrics", [self.sample("window", k, BAD if k in self.breached else GOOD)
                                        for k in range(self.n)])

    def breach(self, kind, k):
        if kind == "window":
            self.breached.add(k)
        ident = (kind, k)
        self.times.start[ident] = time.time()
        if kind == "event":
            self.post("/v1/events", {"type": "bench.down", "severity": "HIGH",
                                     "dimensions": {"breach": "event-%d" % k}})
        else:
            self.post("/v2.0/metrics", self.sample(kind, k, BAD))

    # --- out --------------------------------------------------------------------------------------
    def webhook(self, head, body, at):
        record = json.loads(body)
        if record["state"] == "ALARM":
            self.times.note("hook", ident_of(record["group"]), at)
        return OK_ANSWER

    def ask_log(self):
        args = ("XREAD", "BLOCK", "0", "STREAMS", "hale:{m}:alarmlog", self.log_last)
        self.log.sendall(b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%s\r\n" % (len(a), a.encode())
                                                           for a in args))

    def logged(self, at):
        for entry, fields in self.stack.redis._read(self.log_file)[0][1]:
            self.log_last = entry.decode()
            record = json.loads(fields[1])
            alarm = record["alarm"]
            if alarm["state"] == "ALARM" and record["kind"] in ("transition", "created"):
                self.times.note("log", ident_of(alarm["group"]), at)
        self.ask_log()


class Prometheus:
    """An exporter's page of this process, a server that scrapes it, an Alertmanager and its webhook."""

    def __init__(self, loop, times, options):
        self.loop, self.times, self.n, self.bad = loop, times, options.rounds, set()
        self.directory = tempfile.TemporaryDirectory(prefix="hale-peer-")
        d = pathlib.Path(self.directory.name)
        self.scrapes = 0
        exporter, hook = loop.listen(self.scrape), loop.listen(self.webhook)
        self.port, manager = free_port(), free_port()
        (d / "alertmanager.yml").write_text(f"""
route: {{receiver: bench, group_by: ['...'], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers:
- name: bench
  webhook_configs: [{{url: 'http://127.0.0.1:{hook}/', send_resolved: false}}]
""")
        (d / "rules.yml").write_text(f"""
groups:
- name: bench
  interval: 1s
  rules: [{{alert: Bench, expr: 'bench_last > {LIMIT}'}}]
""")
        (d / "prometheus.yml").write_text(f"""
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: ['{d}/rules.yml']
alerting:
  alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{manager}']}}]}}]
scrape_configs:
- {{job_name: bench, static_configs: [{{targets: ['127.0.0.1:{exporter}']}}]}}
""")
        commands = (
            ["prometheus-alertmanager", f"--config.file={d}/alertmanager.yml", f"--storage.path={d}/am",
             f"--web.listen-address=127.0.0.1:{manager}", "--cluster.listen-address="],
            ["prometheus", f"--config.file={d}/prometheus.yml", f"--storage.tsdb.path={d}/data",
             f"--web.listen-address=127.0.0.1:{self.port}"])
        self.logs = open(d / "log", "w+")
        self.processes = [subprocess.Popen(c, stdout=self.logs, stderr=self.logs) for c in commands]

    def settle(self):
        for port in (self.port,):
            wait_for(lambda p=port: self.up(p), 60, "Prometheus is up", 0.2)
        assert self.loop.run(time.time() + 60, lambda: self.scrapes >= 3), "Prometheus scrapes"

    def up(self, port):
        for p in self.processes:
            if p.poll() is not None:
                self.logs.seek(0)
                sys.exit("%s ended:\n%s" % (p.args[0], self.logs.read()[-2000:]))
        try:
            return http_call("127.0.0.1", port, "GET", "/-/ready", timeout=5).status == 200
        except OSError:
            return False

    def scrape(self, head, body, at):
        self.scrapes += 1
        text = "# TYPE bench_last gauge\n" + "".join(
            'bench_last{breach="prometheus-%d"} %d\n' % (k, BAD if k in self.bad else GOOD)
            for k in range(self.n))
        return (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: %d\r\n\r\n%s"
                % (len(text), text.encode()))

    def webhook(self, head, body, at):
        for alert in json.loads(body)["alerts"]:
            if alert["status"] == "firing":
                self.times.note("hook", ident_of(alert["labels"]), at)
        return OK_ANSWER

    def breach(self, k):
        self.bad.add(k)
        self.times.start[("prometheus", k)] = time.time()

    def stop(self):
        for p in self.processes:
            p.terminate()
        for p in self.processes:
            p.wait(60)
        self.directory.cleanup()


def rounds(loop, times, hale, peer, n):
    for k in range(n):
        due = time.time() + 0.2 + random.random()
        while time.time() < due:
            if hale:
                hale.keep_reporting()
            loop.run(min(due, hale.good_at if hale else due))
        if peer:
            peer.breach(k)
        for kind in KINDS if hale else ():
            hale.breach(kind, k)
            end = time.time() + WAIT_S
            while ("hook", (kind, k)) not in times.seen and time.time() < end:
                loop.run(min(end, hale.good_at), lambda i=(kind, k): ("hook", i) in times.seen)
                hale.keep_reporting()
    if peer:
        loop.run(time.time() + WAIT_S,
                 lambda: all(("hook", ("prometheus", k)) in times.seen for k in range(n)))


def report(times, kinds):
    names = {"last": "Hale, last()", "event": "Hale, fault event", "window": "Hale, window of 1 s, average",
             "prometheus": "Prometheus and Alertmanager, 1 s and 1 s"}
    hooks = {}
    for kind in kinds:
        for place, text in (("log", "alarm log"), ("hook", "webhook")):
            took = times.took(place, kind)
            if took:
                row("%s: to the %s" % (names[kind], text), took)
                if place == "hook":
                    hooks[kind] = took
            if kind != "prometheus" or place == "hook":
                lost = times.lost(place, kind)
                if lost:
                    print("%-44s LOST %d" % (names[kind] + ": to the " + text, lost))
    print("notifications more than once: %d" % times.again)
    if "prometheus" in hooks:
        for kind in hooks:
            if kind != "prometheus":
                print("Prometheus / %-32s p50 %8.1f   p99 %8.1f" % (
                    names[kind], *(percentile(hooks["prometheus"], p) / percentile(hooks[kind], p)
                                   for p in (50, 99))))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100, help="at most 500")
    parser.add_argument("--only", default="hale,prometheus")
    parser.add_argument("--late-wait", default="30s", help="of thresholds; 0s: windows are decided at their end")
    parser.add_argument("--fsync", default="always", choices=["always", "everysec"])
    options = parser.parse_args()
    if not 0 < options.rounds <= 500:
        parser.error("--rounds is 1 to 500")
    want = options.only.split(",")
    if "prometheus" in want and not (shutil.which("prometheus") and shutil.which("prometheus-alertmanager")):
        sys.exit("prometheus and prometheus-alertmanager are not installed; --only hale goes without them")
    loop, times = Loop(), Times()
    hale = Hale(loop, times, options) if "hale" in want else None
    peer = Prometheus(loop, times, options) if "prometheus" in want else None
    try:
        for part in (hale, peer):
            if part:
                part.settle()
        rounds(loop, times, hale, peer, options.rounds)
        report(times, (KINDS if hale else ()) + (("prometheus",) if peer else ()))
    finally:
        if peer:
            peer.stop()
        if hale:
            finish(hale.stack)


if __name__ == "__main__":
    main()
