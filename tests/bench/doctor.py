#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""OPNFV Doctor's figure: a host's fault to the consumers of its VMs.

  doctor.py [--rounds 20] [--vms 1,10,50,200] [--others 2000] [--fsync always]

Each VM has an alarm of Aodh's form at one consumer, and --others alarms of other VMs are there, too. A round PUTs the
sample monitor's event (compute.host.down) and stamps the first byte of each notice at the consumer, and of the one notice with all
affected entities at a subscriber; then the host comes back and everything is ok again by itself. Printed are p50 and p99, in ms, from
before the PUT: of the first VM, of each VM, of the last one, and of the subscriber. One thread and one clock stamp
everything. Doctor's own figures stand in docs/doctor.md.
"""
import argparse
import json
import socket
import time
import uuid

from alarm_latency import OK_ANSWER, Loop
from whole import finish, fresh, percentile, wait_for

EVENT = "compute.instance.update"
WAIT_S = 30


class Bench:
    def __init__(self, options):
        self.loop, self.stack = Loop(), fresh()
        stack = self.stack
        stack.redis.cmd("CONFIG", "SET", "appendfsync", options.fsync)
        port, noc = self.loop.listen(self.notice), self.loop.listen(self.told)
        self.url = f"http://127.0.0.1:{port}/failure"
        stack.start("collector")
        stack.start("correlator", {"storm_rate": 0, "flap_window": "0s"})
        stack.start("actuator", {"notification_methods": {"allow": ["127.0.0.1"]}, "subscribers": [
            {"name": "noc", "url": f"http://127.0.0.1:{noc}/"}]})
        self.sizes = [int(n) for n in options.vms.split(",")]
        self.owner, self.ids = {}, {}
        self.vms = {n: [str(uuid.uuid4()) for _ in range(n)] for n in self.sizes}
        self.fill(options.others)
        self.seen, self.noc, self.last = {}, None, 0

    def fill(self, others):
        entities = [{"type": "host", "id": f"compute-{n}"} for n in self.sizes]
        entities += [{"type": "vm", "id": vm, "hosted_by": [f"host/compute-{n}"]}
                     for n in self.sizes for vm in self.vms[n]]
        for i in range(0, len(entities), 500):
            a = self.stack.http("POST", "/v1/topology?wait=true", {"put": entities[i:i + 500]})
            assert a.status in (200, 202), a
        token = self.stack.token("operator")
        for vm in [vm for n in self.sizes for vm in self.vms[n]] + [str(uuid.uuid4()) for _ in range(others)]:
            a = self.stack.http("POST", "/v2/alarms", {
                "name": "doctor_alarm0", "type": "event", "severity": "moderate", "alarm_actions": [self.url],
                "event_rule": {"event_type": EVENT, "query": [
                    {"field": "traits.instance_id", "type": "", "op": "eq", "value": vm},
                    {"field": "traits.state", "type": "", "op": "eq", "value": "error"}]}}, token=token)
            assert a.status == 201, a
            self.ids[a.json["alarm_id"]] = vm

    def notice(self, head, body, at):
        note = json.loads(body)
        assert note["current"] == "alarm", note
        self.seen.setdefault(self.ids[note["alarm_id"]], at)
        return OK_ANSWER

    def told(self, head, body, at):
        if json.loads(body)["state"] == "ALARM":
            self.noc = self.noc or at
        return OK_ANSWER

    def event(self, n, status):
        """As the sample monitor writes it; later than the one before."""
        self.last = max(self.last + 1, int(time.time() * 1000))
        return [{"time": self.last, "type": "compute.host.down", "details": {
            "hostname": f"compute-{n}", "status": status, "monitor": "bench", "monitor_event_id": "x"}}]

    def round(self, n):
        self.seen, self.noc = {}, None
        body = json.dumps(self.event(n, "down")).encode()
        s = socket.create_connection(self.stack.address)
        head = (f"PUT /events HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {self.stack.token('agent')}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n")
        start = time.time()
        s.sendall(head.encode() + body)
        done = self.loop.run(start + WAIT_S, lambda: len(self.seen) == n and self.noc)
        assert done, (n, len(self.seen), self.noc)
        s.close()
        assert set(self.seen) == set(self.vms[n])
        took = sorted((at - start) * 1000 for at in self.seen.values())
        told = (self.noc - start) * 1000
        a = self.stack.http("PUT", "/events", self.event(n, "up"), role="agent")
        assert a.status == 200, a
        deadline = time.time() + WAIT_S
        while self.stack.redis.cmd("HLEN", "hale:{m}:act:outages"):
            self.loop.run(time.time() + 0.02)
            assert time.time() < deadline, "the host is not back"
        return took, told


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rounds", type=int, default=20)
    p.add_argument("--vms", default="1,10,50,200")
    p.add_argument("--others", type=int, default=2000)
    p.add_argument("--fsync", default="always")
    options = p.parse_args()
    bench = Bench(options)
    try:
        print(f"{'VMs':>4} {'first p50':>10} {'p99':>7} {'each p50':>9} {'p99':>7} {'last p50':>9} {'p99':>7}"
              f" {'subscriber p50':>15} {'p99':>7}")
        for n in bench.sizes:
            bench.round(n)
            rounds = [bench.round(n) for _ in range(options.rounds)]
            columns = ([r[0][0] for r in rounds], [t for r in rounds for t in r[0]], [r[0][-1] for r in rounds],
                       [r[1] for r in rounds])
            texts = [f"{percentile(c, q):.1f}" for c in columns for q in (50, 99)]
            print("%4d %10s %7s %9s %7s %9s %7s %15s %7s" % (n, *texts), flush=True)
    finally:
        finish(bench.stack)


if __name__ == "__main__":
    main()
