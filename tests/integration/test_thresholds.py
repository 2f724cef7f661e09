# SPDX-License-Identifier: Apache-2.0
"""hale-thresholds against a real Redis: samples in, sub-alarm records out, exactly once.

The test plays the collector: it writes the catalogue, definitions and batches itself, so the
daemon is tested alone. Series ids are XXH3 of the canonical form (libxxhash through ctypes).
"""
import ctypes
import ctypes.util
import json
import random
import struct
import time
import uuid

import pytest

from conftest import wait_for

LIB = ctypes.util.find_library("xxhash")
pytestmark = pytest.mark.skipif(LIB is None, reason="libxxhash is not installed")


def series_id(canonical):
    f = ctypes.CDLL(LIB).XXH3_64bits
    f.restype = ctypes.c_uint64
    f.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    return f(canonical, len(canonical))


def canonical(name, dims, tenant="t", region="r"):
    def text(s):
        b = s.encode()
        return struct.pack("<H", len(b)) + b
    out = b"\x01" + text(tenant) + text(region) + text(name) + struct.pack("<H", len(dims))
    for k in sorted(dims):
        out += text(k) + text(dims[k])
    return out


def batch(samples, accepted_us=None):
    """samples: [(id, time_ms, value)]"""
    accepted_us = accepted_us or int(time.time() * 1e6)
    n = len(samples)
    return (struct.pack("<BBHIq", 1, 0, 0, n, accepted_us)
            + struct.pack(f"<{n}Q", *(s[0] for s in samples))
            + struct.pack(f"<{n}q", *(s[1] for s in samples))
            + struct.pack(f"<{n}d", *(s[2] for s in samples)))


class Feed:
    shard = 0

    def __init__(self, redis):
        self.redis = redis

    def key(self, what):
        return "hale:{s%d}:%s" % (self.shard, what)

    def define(self, expression, match_by=(), version=1, ident=None, semantics="hale"):
        ident = ident or str(uuid.uuid4())
        d = {"v": 1, "id": ident, "tenant": "t", "name": ident, "description": "",
             "expression": expression, "match_by": list(match_by), "severity": "LOW",
             "actions_enabled": True, "ok_actions": [], "alarm_actions": [],
             "undetermined_actions": [], "semantics": semantics, "version": version,
             "created_ms": 1, "updated_ms": 1}
        self.redis.cmd("HSET", "hale:{m}:definitions", ident, json.dumps(d))
        self.control({"v": 1, "op": "definition", "id": ident})
        return ident

    def undefine(self, ident):
        self.redis.cmd("HDEL", "hale:{m}:definitions", ident)
        self.control({"v": 1, "op": "definition", "id": ident})

    def control(self, record):
        self.redis.cmd("XADD", "hale:{m}:control", "*", "j", json.dumps(record))

    def series(self, name, **dims):
        c = canonical(name, dims)
        ident = series_id(c)
        self.redis.cmd("HSET", self.key("series"), struct.pack(">Q", ident), c)
        return ident

    def post(self, samples, entry_id="*"):
        return self.redis.cmd("XADD", self.key("samples"), entry_id, "b", batch(samples))

    def records(self):
        rows = self.redis.cmd("XRANGE", self.key("subalarms"), "-", "+")
        return [json.loads(fields[1]) for _, fields in rows]

    def states(self, definition=None):
        return [r["state"] for r in self.records() if r["kind"] == "state"
                and (definition is None or r["definition_id"] == definition)]

    def applied(self):
        """Waits until the daemon has applied every control record."""
        last = self.redis.cmd("XREVRANGE", "hale:{m}:control", "+", "-", "COUNT", "1")[0][0]
        wait_for(lambda: self.redis.cmd("HGET", self.key("thr:meta"), "control") == last, 10,
                 "the control record")

    def processed(self, entry):
        """Waits until the daemon has snapshotted the entry."""
        def done():
            at = self.redis.cmd("HGET", self.key("thr:meta"), "snapshot")
            return at is not None and tuple(map(int, at.split(b"-"))) >= \
                tuple(map(int, entry.split(b"-")))
        wait_for(done, 60, "the snapshot")


@pytest.fixture
def feed(redis):
    return Feed(redis)


def start(stack, **config):
    return stack.start("thresholds", {"checkpoint_interval": "200ms", **config})


def now_ms():
    return int(time.time() * 1000)


def test_last_is_decided_at_once(stack, feed):
    start(stack)
    d = feed.define("last(cpu) > 10", ["hostname"])
    feed.applied()
    s = feed.series("cpu", hostname="h1")
    for value in (20.0, 5.0, 30.0):
        feed.post([(s, now_ms(), value)])
    wait_for(lambda: len(feed.records()) >= 4, 5, "four records")
    records = feed.records()
    assert [(r["kind"], r["state"]) for r in records] == [
        ("create", "UNDETERMINED"), ("state", "ALARM"), ("state", "OK"), ("state", "ALARM")]
    assert all(r["definition_id"] == d and r["group"] == {"hostname": "h1"} for r in records)
    assert records[0]["metrics"] == [{"name": "cpu", "dimensions": {"hostname": "h1"}}]
    assert records[1]["values"] == [20.0]
    assert 0 <= records[1]["decided_us"] - records[1]["accepted_us"] < 5_000_000
    health = stack.redis.cmd("GET", "hale:{m}:health:hale-thresholds")
    assert json.loads(health)["daemon"] == "hale-thresholds"


def test_definition_change_and_delete(stack, feed):
    start(stack)
    d = feed.define("max(x) > 10")
    feed.applied()
    s = feed.series("x")
    feed.post([(s, now_ms(), 5.0)])
    wait_for(lambda: len(feed.records()) == 1, 5, "the create record")
    feed.define("max(x) > 1", version=2, ident=d)   # the data stay and alarm now
    wait_for(lambda: feed.states(d) == ["ALARM"], 10, "the alarm under the new threshold")
    assert feed.records()[-1]["definition_version"] == 2
    feed.control({"v": 1, "op": "alarm-delete", "id": str(uuid.uuid4()), "definition_id": d,
                  "group": {}})
    feed.applied()
    feed.post([(s, now_ms(), 5.0)])
    wait_for(lambda: [r["kind"] for r in feed.records()].count("create") == 2, 5, "re-creation")
    feed.undefine(d)
    feed.applied()
    before = len(feed.records())
    e = feed.define("last(marker) > 0")
    feed.applied()
    feed.post([(s, now_ms(), 50.0), (feed.series("marker"), now_ms(), 1.0)])
    wait_for(lambda: feed.states(e) == ["ALARM"], 5, "the marker")
    assert len(feed.records()) == before + 2        # create and state of the marker only


def test_window_closes_in_time(stack, feed):
    """late_wait 0: the state of the minute is there right after its end, without any sample."""
    start(stack, late_wait="0s")
    d = feed.define("avg(x) > 10")
    feed.applied()
    if 55_000 < now_ms() % 60_000:                  # not at the end of a minute
        wait_for(lambda: now_ms() % 60_000 < 5_000, 10, "a new minute")
    # An id of the past lets the window of that minute begin there: no need to wait for a minute.
    minute = now_ms() // 60_000 * 60_000
    s = feed.series("x")
    feed.post([(s, minute - 59_000, 20.0)], f"{minute - 59_000}-0")
    wait_for(lambda: feed.states(d) == ["ALARM"], 5, "the close of the window")
    r = feed.records()[-1]
    assert r["at_ms"] == minute and r["window"]["end_ms"] == minute and r["values"] == [20.0]


def test_unknown_series_and_rubbish_are_skipped(stack, feed):
    d = start(stack)
    feed.define("last(x) > 10")
    feed.applied()
    s = feed.series("x")
    feed.redis.cmd("XADD", "hale:{s0}:samples", "*", "b", b"\x07rubbish")
    feed.redis.cmd("HSET", "hale:{m}:definitions", "bad", "{")
    feed.control({"v": 1, "op": "definition", "id": "bad"})
    feed.redis.cmd("XADD", "hale:{m}:control", "*", "j", "rubbish")
    feed.post([(12345, now_ms(), 50.0), (s, now_ms(), 50.0)])
    wait_for(lambda: feed.states() == ["ALARM"], 5, "the alarm")
    host, port = d.listen.rsplit(":", 1)
    from conftest import http_call
    text = http_call(host, int(port), "GET", "/metrics").body.decode()
    assert "hale_thresholds_bad_entries_total 1\n" in text
    assert "hale_thresholds_unknown_series_total 1\n" in text


def test_redis_away(stack, feed):
    d = start(stack)
    ident = feed.define("last(x) > 10")
    feed.applied()
    s = feed.series("x")
    feed.processed(feed.post([(s, now_ms(), 50.0)]))
    stack.redis.kill9()
    wait_for(lambda: d.health() is not None and d.health().status == 503, 10, "bad health")
    stack.redis.start()
    wait_for(lambda: d.health().status == 200, 15, "good health")
    feed.post([(s, now_ms(), 5.0)])
    wait_for(lambda: feed.states(ident) == ["ALARM", "OK"], 10, "both states")


def test_term_writes_a_snapshot(stack, feed):
    start(stack, checkpoint_interval="10m")
    feed.define("last(x) > 10")
    feed.applied()
    entry = feed.post([(feed.series("x"), now_ms(), 50.0)])
    wait_for(lambda: feed.states() == ["ALARM"], 5, "the alarm")
    assert feed.redis.cmd("HGET", "hale:{s0}:thr:meta", "snapshot") != entry
    stack.stop("thresholds")
    assert feed.redis.cmd("HGET", "hale:{s0}:thr:meta", "snapshot") == entry


def shard_of(name, n, tenant=b"t"):
    f = ctypes.CDLL(LIB).XXH3_64bits_withSeed
    f.restype = ctypes.c_uint64
    f.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]
    return f(name.encode(), len(name), f(tenant, len(tenant), 0)) % n


def test_shards_work_side_by_side(stack, feed):
    start(stack, shards=2)
    here, there = (next(n for n in "xyzuvwabc" if shard_of(n, 2) == s) for s in (0, 1))
    d = feed.define(f"last({here}) > 10 or last({there}) > 10")
    other = Feed(feed.redis)
    other.shard = 1
    feed.applied()
    other.applied()
    feed.post([(feed.series(here, host="a"), now_ms(), 50.0)])
    other.post([(other.series(there, host="b"), now_ms(), 5.0)])
    wait_for(lambda: feed.states(d) == ["ALARM"] and other.states(d) == ["OK"], 5,
             "a state in each shard")


def test_copies_from_another_shard(stack, feed):
    """Their series stand in the catalogue of the shard they come from; rubbish is skipped."""
    start(stack, shards=2)
    here, there = (next(n for n in "xyzuvwabc" if shard_of(n, 2) == s) for s in (0, 1))
    d = feed.define(f"last({here}) / last({there}) > 10")
    plain = feed.define(f"last({there}) > 1")
    other = Feed(feed.redis)
    other.shard = 1
    feed.applied()
    other.applied()
    a, b = feed.series(here), other.series(there)

    def copy(value, field="c1"):
        feed.redis.cmd("XADD", feed.key("samples"), "*", field, batch([(b, now_ms(), value)]))
    feed.post([(a, now_ms(), 50.0)])
    copy(1.0)
    wait_for(lambda: feed.states(d) == ["ALARM"], 20, "ALARM")
    for field in ("c99", "cx", "d"):
        copy(1000.0, field)
    copy(10.0)
    wait_for(lambda: feed.states(d) == ["ALARM", "OK"], 20, "OK")
    assert feed.states(plain) == other.states(d) == []  # a copy is only for what lives here
    other.post([(b, now_ms(), 10.0)])
    wait_for(lambda: other.states(plain) == ["ALARM"], 20, "the plain definition, at home")


def strip(record):
    return json.dumps({k: v for k, v in record.items() if k != "decided_us"}, sort_keys=True)


def progress(feed):
    return feed.redis.cmd("HGET", "hale:{s0}:thr:meta", "snapshot"), \
        feed.redis.cmd("HGET", "hale:{s0}:thr:meta", "output")


def test_kill9_during_replay_gives_the_same_records(stack, feed):
    """The records of a run with kills equal those of an undisturbed run over the same input."""
    rng = random.Random(7)
    start(stack, checkpoint_interval="100ms", late_wait="0s")
    hosts = [f"h{i:02d}" for i in range(40)]
    feed.define("last(a) > 10", ["hostname"])
    feed.define("max(b) > 10 times 2 or avg(a) > 5", ["hostname"])
    feed.define("count(b, deterministic) > 30")
    feed.define("rate(a, 120 every 30) / sum(b) > 0.01 or last(b) - last(a) > 10", ["hostname"])
    feed.applied()
    stack.stop("thresholds")
    known = {(n, h): feed.series(n, hostname=h) for n in "ab" for h in hosts}
    clock = now_ms() - 86_400_000
    last = None
    for _ in range(4000):   # ids some seconds apart: many windows close
        clock += rng.randrange(100, 11_000)
        samples = [(known[rng.choice("ab"), rng.choice(hosts)],
                    clock - rng.randrange(0, 90_000), rng.uniform(0, 20))
                   for _ in range(rng.randrange(1, 60))]
        last = feed.post(samples, f"{clock}-0")
    end = tuple(map(int, last.split(b"-")))
    kills = 0
    while True:
        before = progress(feed)
        stack.restart("thresholds", wait=False)
        wait_for(lambda: progress(feed) != before, 30, "progress")
        time.sleep(rng.uniform(0, 0.05))   # not a synchronisation: a random moment to kill
        stack.kill9("thresholds")
        kills += 1
        at = tuple(map(int, progress(feed)[0].split(b"-")))
        if at >= end:
            break
    stack.restart("thresholds")
    feed.processed(last)
    stack.stop("thresholds")
    got = feed.records()
    assert kills >= 2 and len(got) > 1000

    # The same input once more into an empty state, undisturbed.
    for key in ("hale:{s0}:thr:meta", "hale:{s0}:thr:state", "hale:{s0}:subalarms"):
        feed.redis.cmd("DEL", key)
    stack.restart("thresholds")
    feed.processed(last)
    stack.stop("thresholds")
    want = feed.records()
    # Beyond the last entry ticks follow Redis' clock: the two runs end at different times.
    # Definitions are taken in the order of the control stream or in that of the hash, so the
    # order is compared within each definition.
    got, want = ([(r["definition_id"], strip(r)) for r in rows if r["at_ms"] <= clock]
                 for rows in (got, want))
    assert len(set(got)) == len(got), "a record was doubled"
    assert sorted(got, key=lambda r: r[0]) == sorted(want, key=lambda r: r[0])


def test_kill9_under_live_load(stack, feed):
    """Every sample toggles last(): each must give exactly one record, in order."""
    rng = random.Random(3)
    start(stack, checkpoint_interval="100ms")
    d = feed.define("last(x) > 10", ["hostname"])
    feed.applied()
    hosts = {f"h{i}": feed.series("x", hostname=f"h{i}") for i in range(20)}
    want = {h: [] for h in hosts}
    last = None
    for i in range(1500):
        h = rng.choice(list(hosts))
        value = float(1000 + i if len(want[h]) % 2 == 0 else -i)
        want[h].append(value)
        last = feed.post([(hosts[h], now_ms() + i, value)])
        if i % 250 == 249:
            stack.kill9("thresholds")
            stack.restart("thresholds", wait=False)
    feed.processed(last)
    got = {h: [] for h in hosts}
    for r in feed.records():
        if r["kind"] == "state" and r["definition_id"] == d:
            got[r["group"]["hostname"]].append(r["values"][0])
    assert got == want


def test_extensions_over_kill9(stack, feed):
    """A level after `for` over windows of a second, and absent: each told once, in time."""
    start(stack, late_wait="0s", checkpoint_interval="100ms")
    high = feed.define("avg(x, 1) > 10 high at 20 for 3s")
    gone = feed.define("absent(x, 4)")
    feed.applied()
    s = feed.series("x")
    begin = now_ms()
    for i in range(60):
        wait_for(lambda at=begin + i * 100: now_ms() >= at, 5, "the next sample's time")
        feed.post([(s, now_ms(), 25.0)])
        if i % 20 == 13:
            stack.kill9("thresholds")
            stack.restart("thresholds", wait=False)
    last = now_ms()
    wait_for(lambda: feed.states(gone) == ["OK", "ALARM"], 20, "the silence")
    wait_for(lambda: feed.states(high) == ["ALARM", "UNDETERMINED"], 20, "no data")
    alarm = next(r for r in feed.records()
                 if r["definition_id"] == high and r["state"] == "ALARM" and r["kind"] == "state")
    assert alarm["severity"] == "HIGH" and alarm["values"] == [25.0]
    assert 3000 <= alarm["at_ms"] - alarm["since_ms"] < 4000
    absent = [r for r in feed.records() if r["definition_id"] == gone][-1]
    assert absent["values"] == [4.0] and 0 <= last + 4000 - absent["at_ms"] < 2000
