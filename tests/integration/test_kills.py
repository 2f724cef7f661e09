# SPDX-License-Identifier: Apache-2.0
"""kill -9 changes nothing: a list of steps is played once in peace and then while a thread kills thresholds,
correlator and actuator at random moments. What the log says of each alarm, and what a subscriber is told of it,
must be the same but for times and ids.

HALE_KILLS=N    plays on until N kills were survived (by hand; default: two runs)
HALE_SEED=N     the seed of the first run; each run prints its own

Real time must not be able to change the outcome. So holds and the wait after a cause's end are ten minutes (only
newer data end them), checks are `last` with a long period, what ends by itself (gaps, the flap window, an
alert's end, an acknowledgement for seconds) ends while nothing else happens to that alarm, and no other
alarm changes often enough to flap. What is asked of different streams is asked one after the other, for between
streams there is no order.
"""
import concurrent.futures
import itertools
import json
import os
import random
import re
import threading
import time

from collector_kit import iso, now_ms, sample
from conftest import Redis, Stack, wait_for
from service_kit import Receiver
from test_arithmetic import metric_of
from test_correlator import log

SHARDS, WAIT = 2, 90
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
STAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?")
DEFINITIONS = {
    "vm-ping": ("last(vm.ping, 600) < 1", ["resource_id"], {"severity": "HIGH"}),
    "host-ping": ("last(host.ping, 600) < 1", ["hostname"], {"severity": "CRITICAL"}),
    "compound": ("last(c.a) > 1 and last(c.b) > 1 or last(c.c) > 5", ["hostname"], {}),
    "levels": ("last(lv) > 80 high at 90 critical at 95", ["hostname"], {}),
    "ratio": ("last(c.a) / last(c.b) > 4", ["hostname"], {}),
    "gap-u": ("last(gap) > 5", ["hostname"], {"on_missing": "undetermined", "missing_after": 4}),
    "gap-k": ("last(gap) > 5", ["hostname"], {"on_missing": "keep"}),
    "gap-a": ("last(gap) > 50", ["hostname"], {"on_missing": "alarm", "missing_after": 4,
                                               "severity": "MEDIUM"}),
    "window": ("max(win, 1) > 10", ["hostname"], {"on_missing": "keep"}),
    "changing": ("last(ch) > 5", ["hostname"], {"description": "before"}),
}
VMS = ["vm-%02d" % i for i in range(30)]
OUT, BACK = 0, 1  # of a ping


def name_of(alarm):
    return alarm["definition_name"] + json.dumps(alarm["group"], sort_keys=True)


def place(entry):
    """Of an entry, or of a position that begins with one."""
    return tuple(map(int, re.match(rb"(\d+)-(\d+)", entry).groups())) if entry else (0, 0)


class Play:
    """The daemons of one run, and the words of the steps."""

    def __init__(self, directory):
        directory.mkdir()
        self.redis = Redis(directory / "r").start()
        self.stack = Stack(directory, self.redis)
        self.receiver = Receiver()
        self.event_ms = 0
        self.definitions = {}
        self.marks, self.dirty, self.turn = [], False, False
        stack = self.stack
        stack.token("agent")
        stack.start("collector", {"shards": SHARDS})
        stack.start("thresholds", {"shards": SHARDS, "checkpoint_interval": "300ms"}, wait=False)
        stack.start("correlator", {"shards": SHARDS, "hold_max": "10m", "clear_hold": "10m",
                                   "clear_hold_max": "10m", "cause_window": "1h",
                                   "flap_window": "8s"}, wait=False)
        (directory / "policies.yaml").write_text("policies: []\n")
        stack.start("actuator", {"policies": str(directory / "policies.yaml"), "subscribers": [
            {"name": "noc", "url": self.receiver.url, "states": ["OK", "UNDETERMINED", "ALARM"]}]})
        for name in ("thresholds", "correlator"):
            stack.daemons[name].wait_healthy(60)

    def close(self):
        faults = self.stack.finish()
        self.redis.stop()
        self.receiver.stop()
        return faults

    # --- what the daemons have done ---------------------------------------------------------
    def field(self, key, field):
        return self.redis.cmd("HGET", key, field)

    def last(self, stream):
        rows = self.redis.cmd("XREVRANGE", stream, "+", "-", "COUNT", "1")
        return rows[0][0] if rows else None

    def last_definition(self):
        """thresholds notes its place in the control stream with what concerns it."""
        for entry, fields in self.redis.cmd("XREVRANGE", "hale:{m}:control", "+", "-"):
            if json.loads(fields[1])["op"] in ("definition", "alarm-delete"):
                return entry
        return None

    def behind(self):
        """The first stream whose reader is not at its end, or None."""
        definition = self.last_definition()
        for s in range(SHARDS):
            meta, samples = "hale:{s%d}:thr:meta" % s, "hale:{s%d}:samples" % s
            if self.marks and place(self.last(samples)) > place(self.field(meta, "output")):
                return samples
            if definition and place(self.field(meta, "control")) < place(definition):
                return "the last definition, in " + samples
        for stream, field in [("hale:{m}:" + s, "pos:" + s) for s in ("control", "events", "topology")] + \
                [("hale:{s%d}:subalarms" % s, "pos:subalarms:%d" % s) for s in range(SHARDS)]:
            if self.last(stream) not in (None, self.field("hale:{m}:cor:meta", field)):
                return stream
        return None

    def mark(self):
        """After samples: one more into each shard, that changes the state of an alarm, so that all before it are
        known to be taken when its record is there."""
        self.dirty = False
        self.turn = not self.turn
        self.http("POST", "/v2.0/metrics", [sample(m, "m1", float(self.turn)) for m in self.marks], (204,), "agent")

    def settle(self):
        if self.dirty and self.marks:
            self.mark()
        end = time.monotonic() + WAIT
        while self.behind():
            assert time.monotonic() < end, f"{self.behind()} is not read to its end"
            time.sleep(0.01)

    def alarms(self):
        rows = [json.loads(v) for v in self.redis.cmd("HVALS", "hale:{m}:alarms")]
        return {name_of(a): a for a in rows}

    def until(self, alarm, condition, what):
        """Waits for what time brings."""
        def there():
            a = self.alarms().get(alarm)
            return a is not None and condition(a)
        wait_for(there, WAIT, f"{alarm}: {what}; it is {self.alarms().get(alarm)}")

    # --- steps ------------------------------------------------------------------------------
    def http(self, method, path, body=None, want=(200,), role="operator"):
        a = self.stack.http(method, path, body, role=role, timeout=60)
        assert a.status in want, (method, path, a)
        return a.json

    def samples(self, *rows):
        self.dirty = True
        self.http("POST", "/v2.0/metrics", list(rows), (204,), "agent")

    def metric(self, name, value, host="m1"):
        self.samples(sample(name, host, value))

    def ping(self, vms, value):
        self.samples(*({"name": "vm.ping", "dimensions": {"resource_id": vm}, "timestamp": now_ms(),
                        "value": value} for vm in vms))

    def events(self, *rows, severity="HIGH"):
        """rows: (type, "raise" or "clear", dimensions)"""
        body = []
        for kind, status, dims in rows:
            self.event_ms = max(self.event_ms + 1, now_ms())
            body.append({"type": kind, "status": status, "dimensions": dims, "severity": severity,
                         "time": self.event_ms})
        self.http("POST", "/v1/events", body)

    def alert(self, name, ends_ms):
        self.http("POST", "/api/v2/alerts", [{"labels": {"alertname": name, "severity": "major"},
                                              "startsAt": iso(now_ms()), "endsAt": iso(ends_ms)}])

    def topology(self, **parts):
        self.redis.cmd("XADD", "hale:{m}:topology", "*", "j", json.dumps(
            {"v": 1, "tenant": "default", "source": "test", "at_ms": 1, **parts}))

    def operate(self, alarm, action, **body):
        a = self.alarms()[alarm]
        path = "/v1/alarms/" + a["id"]
        wait_for(lambda: self.http("GET", path, want=(200, 404)).get("alarm", {}).get("seq") == a["seq"],
                 WAIT, "the collector's knowledge of " + alarm)
        # 503: the correlator is away, it is on its way.
        self.http("POST", path + "/" + action, body, (200, 503))

    def define_marks(self):
        names = metric_of(self.stack, SHARDS)  # its samples are of another host
        for n, metric in enumerate(names):
            self.define("mark-%d" % n, ("last(%s{hostname=m1}) > 0.5" % metric, [], {}))
        self.settle()
        self.marks = names
        self.dirty = True

    def define(self, name, what=None):
        expression, match_by, more = what or DEFINITIONS[name]
        self.definitions[name] = self.http("POST", "/v2.0/alarm-definitions", {
            "name": name, "expression": expression, "match_by": match_by, "flap_detection": False,
            **more}, (201,))["id"]

    def change(self, name, **body):
        self.http("PATCH", "/v2.0/alarm-definitions/" + self.definitions[name], body)

    # --- what came out ----------------------------------------------------------------------
    def outcome(self):
        rows = log(self.redis)
        names = {r["alarm"]["id"]: name_of(r["alarm"]) for r in rows}
        told = [r for r in rows if r.get("announce", r["kind"] == "transition")]
        wait_for(lambda: {n["seq"] for n in self.receiver.bodies()} >= {r["seq"] for r in told}, WAIT,
                 "all notifications")
        return {"log": grouped(rows, names, record), "told": told_of(self.receiver.bodies(), names),
                "records": len(rows), "announced": announced(told)}


def plain(text, names):
    """Without times and ids."""
    text = UUID.sub(lambda m: names.get(m.group(), "<id>"), text)
    return STAMP.sub("<time>", text)


def record(r, names):
    life = r["alarm"].get("life", {})
    return {"kind": r["kind"], "old": r["old_state"], "state": r["alarm"]["state"],
            "severity": r["alarm"]["severity"], "op": r.get("op"), "by": r.get("by"),
            "announce": r.get("announce", r["kind"] == "transition"),
            "mutes": sorted(m["kind"] for m in life.get("suppressed_by", [])),
            "causes": sorted(names[c] for c in life.get("causes", [])),
            "root": life.get("root_cause", False), "symptoms": life.get("symptoms", 0),
            "ack": life.get("ack", {}).get("text"), "owner": life.get("owner"),
            "comments": [c["text"] for c in life.get("comments", [])],
            "description": r["alarm"]["description"], "metrics": len(r["alarm"]["metrics"]),
            "reason": plain(r["alarm"]["reason"], names)}


def grouped(rows, names, make):
    out = {}
    for r in rows:
        out.setdefault(names[r["alarm"]["id"]], []).append(make(r, names))
    return out


def told_of(got, names):
    """Per alarm; the actuator may tell once more what it was killed over, so each once, in the order of seq."""
    out = {}
    for n in sorted({n["seq"]: n for n in got}.values(), key=lambda n: n["seq"]):
        out.setdefault(names[n["alarm_id"]], []).append(
            (n["kind"], n["state"], n["severity"], plain(n["message"], names)))
    return out


def announced(told):
    """The state that those outside were told last, per alarm of the story."""
    return {name_of(r["alarm"]): "OK" if r["kind"] == "deleted" else r["alarm"]["state"] for r in told
            if not r["alarm"]["definition_name"].startswith("mark-")}


# --- the steps --------------------------------------------------------------------------------------

HOST = 'host-ping{"hostname": "h1"}'
SWITCH = [{"switch": "s1"}, {"switch": "s2"}]


def on(name, host="m1"):  # no entity: what time ends there concerns nothing else
    return name + json.dumps({"hostname": host})


def vm_event(n):
    return "vm.down" + json.dumps({"vm": "ev-%d" % n})


def begin():
    """Definitions, what stands on what, and everything fine."""
    yield Play.define_marks
    for name in DEFINITIONS:
        yield lambda p, name=name: p.define(name)
    yield lambda p: p.topology(put=[{"type": "host", "id": "h1"}, {"type": "host", "id": "h2"}] + [
        {"type": "vm", "id": vm, "hosted_by": ["host/h1"], "match": [{"resource_id": vm}]} for vm in VMS])
    yield lambda p: p.topology(put=[{"type": "switch", "id": "s1"}, {"type": "switch", "id": "s2"}] + [
        {"type": "vm", "id": "ev-%d" % i, "depends_on": [
            {"group": "uplinks", "mode": "any", "on": ["switch/s1", "switch/s2"]}]} for i in range(4)])
    yield lambda p: p.metric("host.ping", BACK, "h1")
    yield lambda p: p.metric("host.ping", BACK, "h2")
    yield lambda p: p.ping(VMS, BACK)
    for name in ("c.a", "c.b", "c.c", "lv", "ch"):
        yield lambda p, name=name: p.metric(name, 1)
    # What time ends: begun now, looked at by `ends`.
    yield lambda p: p.metric("gap", 9)
    yield lambda p: p.alert("Expires", now_ms() + 7000)
    yield lambda p: p.events(*(("flapping", ("raise", "clear")[i % 2], {"n": "1"}) for i in range(11)))
    for name, action in (("acked", "ack"), ("shelved", "shelve")):
        yield lambda p, name=name: p.events((name, "raise", {"n": "1"}))
        yield lambda p, name=name, action=action: p.operate(
            name + '{"n": "1"}', action, comment="for a moment", **{"for": "4s"})


def a1_a2():
    """The children fail first, the host's check later; the host is back first."""
    for half in (VMS[:7], VMS[7:]):
        yield lambda p, half=half: p.ping(half, OUT)
    yield lambda p: p.operate(on_vm(3), "ack", comment="seen", owner="ann")
    yield lambda p: p.metric("host.ping", OUT, "h1")
    yield lambda p: p.ping(VMS[:2], BACK)
    yield lambda p: p.ping(VMS[:2], OUT)
    yield lambda p: p.operate(HOST, "comment", comment="who unplugged it?")
    yield lambda p: p.metric("host.ping", BACK, "h1")
    yield lambda p: p.ping(VMS[:15], BACK)
    yield lambda p: p.metric("host.ping", OUT, "h1")
    yield lambda p: p.topology(patch=[{"type": "host", "id": "h1", "state": "maintenance"}])
    yield lambda p: p.ping(VMS[14:17], OUT)
    yield lambda p: p.topology(patch=[{"type": "host", "id": "h1", "state": "up"}])
    yield lambda p: p.metric("host.ping", BACK, "h1")
    yield lambda p: p.ping(VMS, BACK)


def on_vm(n):
    return 'vm-ping{"resource_id": "%s"}' % VMS[n]


def a3():
    """Two switches, any of them is enough."""
    def switch(n, status):
        return lambda p: p.events(("switch.down", status, SWITCH[n]), severity="CRITICAL")

    def vm(status, *ns):
        return lambda p: p.events(*(("vm.down", status, {"vm": "ev-%d" % n}) for n in ns))
    yield switch(0, "raise")
    yield vm("raise", 0)
    yield switch(1, "raise")
    yield vm("raise", 1, 2, 3)
    yield lambda p: p.operate(vm_event(1), "assign", owner="bob")
    yield switch(0, "clear")
    yield vm("clear", 2)
    yield vm("raise", 1)  # looked at again, and still bad: told
    yield switch(0, "raise")
    yield lambda p: p.topology(delete=["vm/ev-3"])
    yield switch(1, "clear")
    yield switch(0, "clear")
    yield vm("clear", 0, 1)


def windows():
    """A6 and A7: what is cleared inside, what outlives the silence or the maintenance, overlaps."""
    def raised(*names):
        return lambda p: p.events(*((n, "raise", {"host": "x"}) for n in names))

    def cleared(*names):
        return lambda p: p.events(*((n, "clear", {"host": "x"}) for n in names))
    made = []

    def make(kind, **body):
        return lambda p: made.append((kind, p.http("POST", "/v1/" + kind, {"for": "1h", **body}, (201,))["id"]))

    def end(n):
        return lambda p: p.http("DELETE", "/v1/%s/%s" % made[n], want=(204,))
    yield raised("told.before", "told.and.stays")
    yield make("silences", matchers=["host=x"], reason="cable")
    yield raised("inside", "outlives")
    yield cleared("inside", "told.before")
    yield make("maintenance", matchers=["host=~x|y"])
    yield raised("told.before")
    yield end(0)
    yield raised("inside")
    yield make("maintenance", entity="host/h2")
    yield lambda p: p.metric("host.ping", OUT, "h2")
    yield end(1)
    yield end(2)
    yield lambda p: p.operate('outlives{"host": "x"}', "shelve", comment="later")
    yield cleared("outlives")
    yield raised("outlives")
    yield lambda p: p.operate('outlives{"host": "x"}', "unshelve")
    yield cleared("inside", "told.before", "told.and.stays", "outlives")
    yield lambda p: p.metric("host.ping", BACK, "h2")


def expressions():
    """Compound ones, levels, arithmetic, windows; a definition that changes and goes."""
    for metric, value in (("c.a", 9), ("c.b", 2), ("c.c", 6), ("c.a", 1), ("c.c", 1), ("lv", 85), ("lv", 97),
                          ("lv", 92), ("lv", 70), ("ch", 9)):
        yield lambda p, m=metric, v=value: p.metric(m, v)
    yield lambda p: p.operate(on("changing"), "ack", comment="known")
    yield lambda p: p.change("changing", severity="HIGH", description="after")
    yield lambda p: p.metric("ch", 10)
    yield lambda p: p.change("changing", expression="last(ch) > 50")
    yield lambda p: p.metric("ch", 11)
    yield lambda p: p.metric("ch", 99)
    yield lambda p: p.samples(*(sample("ch", "m%d" % h, 99) for h in range(2, 6)))
    yield lambda p: p.http("DELETE", "/v2.0/alarm-definitions/" + p.definitions["changing"], want=(204,))
    yield lambda p: p.metric("ch", 1)
    for value, state in ((1, "OK"), (20, "ALARM"), (1, "OK")):
        def turn(p, value=value, state=state):
            def there():
                p.metric("win", value)
                a = p.alarms().get(on("window"))
                return a and a["state"] == state
            wait_for(there, WAIT, "a window that is " + state, every=0.1)
        yield turn


def ends():
    """A5 and A8, and all else that time has ended."""
    yield lambda p: p.until(on("gap-u"), lambda a: a["state"] == "UNDETERMINED", "a gap")
    yield lambda p: p.until(on("gap-a"), lambda a: a["state"] == "ALARM", "a gap that is an alarm")
    for name in ("gap-u", "gap-a"):
        yield lambda p, name=name: p.change(name, missing_after=3600)
    yield lambda p: p.metric("gap", 8)
    yield lambda p: p.metric("gap", 1)
    yield lambda p: p.until('acked{"n": "1"}', lambda a: "ack" not in a["life"], "the acknowledgement's end")
    yield lambda p: p.until('shelved{"n": "1"}', lambda a: "shelved" not in a["life"], "its end on the shelf")
    yield lambda p: p.until('Expires{"severity": "major"}', lambda a: a["state"] == "OK", "its end")
    yield lambda p: p.until('flapping{"n": "1"}', lambda a: not a["life"].get("suppressed_by"), "calm")
    yield lambda p: p.events(*((n, "clear", {"n": "1"}) for n in ("flapping", "acked", "shelved")))


SCENES = (begin, a1_a2, a3, windows, expressions, ends)


class Killer(threading.Thread):
    """Kills and restarts until halted. Half of the time it lets the daemon come up, else it does not."""

    def __init__(self, stack, seed):
        super().__init__(daemon=True)
        self.stack, self.rng = stack, random.Random(seed)
        self.halt, self.kills = threading.Event(), 0

    def run(self):
        while not self.halt.wait(self.rng.choice((0, 0.02, 0.1, 0.3)) * self.rng.random() * 2):
            names = self.rng.choice((["thresholds"], ["correlator"], ["correlator"], ["thresholds", "correlator"],
                                     ["correlator", "thresholds"], ["thresholds"], ["actuator"]))
            for name in names:
                self.stack.kill9(name)
                self.kills += 1
            for name in names:
                self.stack.restart(name, wait=False)
            if self.rng.random() < 0.6:
                self.up(names)

    def up(self, names):
        end = time.monotonic() + 60
        for name in names:
            while not self.halt.is_set() and time.monotonic() < end:
                h = self.stack.daemons[name].health()
                if h is not None and h.status == 200:
                    break
                time.sleep(0.01)

    def finish(self):
        self.halt.set()
        self.join(90)
        return self.kills


def play(directory, seed=None):
    """(outcome, kills)"""
    p = Play(directory)
    killer = Killer(p.stack, seed) if seed is not None else None
    try:
        if killer:
            killer.start()
        for scene in SCENES:
            for step in scene():
                step(p)
                p.settle()
        kills = killer.finish() if killer else 0
        return p.outcome(), kills
    finally:
        if killer:
            killer.finish()
        faults = p.close()
        assert not faults, "\n".join(faults)


def differences(want, got):
    out = []
    for what in ("log", "told"):
        for name in sorted(set(want[what]) | set(got[what])):
            a, b = want[what].get(name, []), got[what].get(name, [])
            for i, (x, y) in enumerate(itertools.zip_longest(a, b)):
                if x != y:
                    out.append(f"{what} of {name}, record {i + 1}:\n  - {x}\n  + {y}")
                    break
    return out


def check(want, got, seed):
    found = differences(want, got)
    assert not found, f"seed {seed}: {len(found)} alarms differ (- in peace, + with kills):\n" + "\n".join(found)
    assert got["records"] == want["records"]


def told_states(outcome, alarm):
    return [state for _, state, _, _ in outcome["told"][alarm]]


def test_kills_change_nothing(tmp_path):
    first = int(os.environ.get("HALE_SEED", random.randrange(1 << 30)))
    goal, kills, n = int(os.environ.get("HALE_KILLS", 0)), 0, 0
    print("seeds", first, "and", first + 1)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(play, tmp_path / ("n%d" % i), s) for i, s in enumerate((None, first, first + 1))]
        want = runs[0].result()[0]
        # The story itself: who was told of an alarm was told of its end, and the scenes had their effect.
        assert set(want["announced"].values()) == {"OK"}, want["announced"]
        mutes = {m for rows in want["log"].values() for r in rows for m in r["mutes"]}
        assert mutes >= {"cause", "hold", "silence", "maintenance", "shelve", "flap"}, mutes
        assert told_states(want, HOST) == ["OK", "ALARM", "OK", "ALARM", "OK"]
        assert all(told_states(want, on_vm(i)) == ["OK"] for i in range(2, 30)), want["told"]
        assert told_states(want, vm_event(1)) == ["ALARM", "OK"] and vm_event(2) not in want["told"]
        while True:
            for run in runs[1:]:
                got, k = run.result()
                check(want, got, first + n)
                kills, n = kills + k, n + 1
                print(f"seed {first + n - 1}: {k} kills", flush=True)
            if kills >= goal:
                break
            runs[1:] = [pool.submit(play, tmp_path / ("s%d" % s), s) for s in (first + n, first + n + 1)]
    assert kills > 10
    print(kills, "kills in", n, "runs survived")
