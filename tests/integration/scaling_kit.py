# SPDX-License-Identifier: Apache-2.0
"""Scaling policies of the actuator: what the tests of them share."""
import json
import threading
import time

from conftest import http_call, wait_for
from service_kit import Service


class Farm(Service):
    """Takes POST /scale {"to": n} and does it once for each Idempotency-Key. Reports its size and the load of
    each instance to the collector until it is stopped. hold: answers wait until it is set."""

    def __init__(self, stack, size=2, load=100.0):
        self.stack, self.size, self.load = stack, size, load
        self.done, self.calls, self.hold, self.status = {}, [], None, 200
        self.tells_size = self.tells_load = True
        self.ended = threading.Event()
        super().__init__()
        self.reporter = threading.Thread(target=self.report)
        self.report_once()
        self.reporter.start()

    def answer(self, call):
        self.take(call.headers["Idempotency-Key"], json.loads(call.body))
        if self.hold:
            self.hold.wait(30)
        return self.status

    def take(self, key, body):
        self.calls.append((time.time_ns() // 1000, key, body))
        if self.status == 200 and key not in self.done:
            self.done[key] = (self.size, int(body["to"]))
            self.size = int(body["to"])

    def report_once(self):
        now, size, load = time.time_ns() // 1000000, self.size, self.load
        out = []
        if self.tells_size:
            out.append({"name": "farm.size", "dimensions": {"farm": "web"}, "timestamp": now, "value": size})
        if self.tells_load:
            out.append({"name": "farm.load", "dimensions": {"farm": "web"}, "timestamp": now,
                        "value": load / max(size, 1)})
        if out:
            reply = self.stack.http("POST", "/v2.0/metrics", out)
            assert reply.status == 204, reply

    def report(self):
        while not self.ended.wait(0.1):
            try:
                self.report_once()
            except OSError:
                pass

    def changes(self):
        return list(self.done.values())

    def stop(self):
        if self.hold:
            self.hold.set()
        self.ended.set()
        self.reporter.join()
        super().stop()


def rows(stack, *kinds):
    out = [json.loads(f[1]) for _, f in stack.redis.cmd("XRANGE", "hale:{m}:journal", "-", "+")]
    out = [r for r in out if r["kind"] != "configured"]  # of the house, at every start
    return [r for r in out if not kinds or r["kind"] in kinds]


def memory(stack):
    text = stack.redis.cmd("HGET", "hale:{m}:guards", "scaling:web")
    return json.loads(text) if text else {"decision": 0, "changes": []}


def await_rows(stack, kind, n=1, seconds=20):
    return wait_for(lambda: len(rows(stack, kind)) >= n and rows(stack, kind), seconds,
                    f"{n} journal rows {kind}; rows: {[(r['kind'], r['text']) for r in rows(stack)]}")


def looks(stack):
    host, port = stack.daemons["actuator"].listen.rsplit(":", 1)
    text = http_call(host, int(port), "GET", "/metrics").body.decode()
    return {line.split()[0].removeprefix("hale_actuator_scaling_"): float(line.split()[-1])
            for line in text.splitlines() if line.startswith("hale_actuator_scaling_")}
