# SPDX-License-Identifier: Apache-2.0
"""Arithmetic between metrics, through the collector: definitions whose metrics lie in several
shards, copies of samples, and kill -9 of either daemon in between.
"""
import json
import socket
import struct

import pytest

from collector_kit import counter, measurements, now_ms, sample
from conftest import wait_for

SHARDS = 3


def post(stack, rows):
    """Repeats until the samples are acknowledged."""
    def done():
        try:
            a = stack.http("POST", "/v2.0/metrics", rows, role="agent")
        except OSError:
            return False
        assert a.status in (204, 503), a
        return a.status == 204
    wait_for(done, 30, "the samples' acknowledgement", 0.05)


def metric_of(stack, n=SHARDS):
    """A metric's name for each shard."""
    names = ["probe%d" % i for i in range(24)]
    post(stack, [sample(name) for name in names])
    found = {}
    for shard in range(n):
        for text in stack.redis.cmd("HVALS", "hale:{s%d}:series" % shard):
            for name in names:
                if struct.pack("<H", len(name)) + name.encode() in text:
                    found[shard] = name
    assert len(found) == n
    return [found[i] for i in range(n)]


def define(stack, expression, name="d", status=201, **more):
    a = stack.http("POST", "/v2.0/alarm-definitions",
                   {"name": name, "expression": expression, **more})
    assert a.status == status, a
    return a.json


def records(stack, shard, definition=None):
    rows = [json.loads(f[1]) for _, f in
            stack.redis.cmd("XRANGE", "hale:{s%d}:subalarms" % shard, "-", "+")]
    return [r for r in rows if definition in (None, r["definition_id"])]


def states(stack, shard, definition):
    return [r["state"] for r in records(stack, shard, definition) if r["kind"] == "state"]


def fields(stack, shard):
    return {f[0] for _, f in stack.redis.cmd("XRANGE", "hale:{s%d}:samples" % shard, "-", "+")}


def applied(stack):
    last = stack.redis.cmd("XREVRANGE", "hale:{m}:control", "+", "-", "COUNT", "1")[0][0]

    def all_have():
        return all(stack.redis.cmd("HGET", "hale:{s%d}:thr:meta" % s, "control") == last
                   for s in range(SHARDS))
    wait_for(all_have, 20, "the definition in every shard")


@pytest.fixture
def house(stack):
    stack.start("collector", {"shards": SHARDS})
    stack.start("thresholds", {"shards": SHARDS, "checkpoint_interval": "200ms"})
    return stack


def toggles(stack, shard, d, n, wait=False):
    """n states of the definition in turn, ALARM first."""
    want = (["ALARM", "OK"] * n)[:n]
    got = wait_for(lambda: len(states(stack, shard, d)) >= n and states(stack, shard, d), 30,
                   "%d states, got %s" % (n, states(stack, shard, d)))
    assert got == want


def joined(stack, names, d, host="h1"):
    """All metrics have reported and take part; b is 1, so a / b * c is 2."""
    applied(stack)

    def members():
        post(stack, [sample(name, host, value=2.0 if name == names[0] else 1.0)
                     for name in names])
        kinds = [r["kind"] for r in records(stack, 0, d)]
        return kinds.count("metric") == len(names) - 1
    wait_for(members, 20, "the other metrics", 0.1)


def test_metrics_of_three_shards_survive_kills(house):
    stack = house
    a, b, c = metric_of(stack)
    d = define(stack, "last(%s) / last(%s) * last(%s) > 1" % (a, b, c),
               match_by=["hostname"])["id"]
    joined(stack, (a, b, c), d)
    wait_for(lambda: states(stack, 0, d) == ["ALARM"], 20, "the first ALARM")
    assert fields(stack, 0) >= {b"c1", b"c2"}  # copies are where the first metric lives
    assert fields(stack, 1) == fields(stack, 2) == {b"b"}
    assert records(stack, 1) == records(stack, 2) == []
    n, at = 1, now_ms() + 1000
    for i in range(40):  # b lives in another shard: each sample turns the state round
        if i in (6, 13, 29):
            stack.kill9("thresholds")
        if i in (8, 15, 21):  # asked and killed before the answer: then repeated
            row = sample(b, value=100.0 if n % 2 else 1.0, ts=at + i)
            body = json.dumps(row).encode()
            with socket.create_connection(stack.address) as s:
                s.sendall(b"POST /v2.0/metrics HTTP/1.1\r\nHost: h\r\nX-Auth-Token: %s\r\n"
                          b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                          % (stack.token("agent").encode(), len(body), body))
                stack.kill9("collector")
            stack.restart("collector")
        post(stack, sample(b, value=100.0 if n % 2 else 1.0, ts=at + i))
        n += 1
        if i in (6, 13, 29):
            stack.restart("thresholds")
    toggles(stack, 0, d, n)
    values = [r["values"] for r in records(stack, 0, d) if r["kind"] == "state"]
    assert values[0] == [2.0] and values[1] == [0.02]
    # The hot store took the samples once, whatever streams they are in.
    found = measurements(stack, 40, name=b, dimensions="hostname:h1")
    times = [m[0] for e in found for m in e["measurements"]]
    assert len(times) == len(set(times))
    assert counter(stack, "hale_collector_samples_copied_total") >= 18  # since its restart


def test_windows_of_two_shards(house):
    stack = house
    a, b, _ = metric_of(stack)
    d = define(stack, "sum(%s, 1) / sum(%s, 1) * 100 > 90" % (a, b))["id"]
    applied(stack)

    def alarm():
        t = now_ms()
        post(stack, [sample(a, value=95.0, ts=t), sample(b, value=100.0, ts=t)])
        return "ALARM" in states(stack, 0, d)
    wait_for(alarm, 30, "ALARM", 0.1)
    first = [r for r in records(stack, 0, d) if r["kind"] == "state"][-1]
    assert abs(first["values"][0] - 95.0) < 1e-6
    assert first["window"]["end_ms"] - first["window"]["start_ms"] == 1000


def test_copying_is_learnt_and_unlearnt(house):
    """From another collector's definition within a second or so; nothing is copied after its end."""
    stack = house
    a, b, _ = metric_of(stack)
    define(stack, "avg(%s) > 1" % b, name="plain")
    post(stack, sample(b))
    assert counter(stack, "hale_collector_samples_copied_total") == 0
    mine = define(stack, "avg(%s) / avg(%s) > 1" % (a, b))
    post(stack, [sample(b), sample(b, "h2")])  # the first request after the answer is copied
    assert counter(stack, "hale_collector_samples_copied_total") == 2
    assert stack.http("DELETE", "/v2.0/alarm-definitions/" + mine["id"]).status == 204
    post(stack, [sample(b), sample(b, "h2")])
    assert counter(stack, "hale_collector_samples_copied_total") == 2
    stored = json.loads(stack.redis.cmd("HGET", "hale:{m}:definitions",
                                        stack.http("GET", "/v2.0/alarm-definitions").json
                                        ["elements"][0]["id"]))
    stored.update(id="other", name="other", expression="avg(%s) / avg(%s) > 1" % (a, b))
    stack.redis.cmd("HSET", "hale:{m}:definitions", "other", json.dumps(stored))
    stack.redis.cmd("XADD", "hale:{m}:control", "*", "j",
                    json.dumps({"v": 1, "op": "definition", "id": "other"}))

    def copied():
        post(stack, sample(b))
        return counter(stack, "hale_collector_samples_copied_total") > 2
    wait_for(copied, 20, "copies for the other collector's definition", 0.1)


def test_burn_rate_and_refusals(house):
    stack = house
    a, b, _ = metric_of(stack)
    d = define(stack, "burn_rate(%s, %s, 50, 10s, 5s) > 1" % (a, b))["id"]
    bad = define(stack, "avg(%s) / avg(%s) > 1" % (a, b), "n", 422, semantics="monasca")
    assert "no arithmetic between metrics" in json.dumps(bad)
    assert stack.http("PATCH", "/v2.0/alarm-definitions/" + d,
                      {"expression": "burn_rate(%s, %s, 90, 10s, 5s) > 1" % (a, a)}).status == 422
    applied(stack)
    count = [0]

    def both():
        count[0] += 3
        t = now_ms()
        post(stack, [sample(a, value=count[0], ts=t), sample(b, value=count[0] * 4 / 3, ts=t)])
        return {r["sub"] for r in records(stack, 0, d) if r["state"] == "ALARM"} == {0, 1}
    wait_for(both, 40, "both windows burn", 0.1)


def test_one_shard_copies_nothing(stack):
    stack.start("collector")
    stack.start("thresholds", {"checkpoint_interval": "200ms"})
    d = define(stack, "last(x) / last(y) > 1")["id"]

    def alarm():
        post(stack, [sample("x", value=4), sample("y", value=2)])
        return states(stack, 0, d) == ["ALARM"]
    wait_for(alarm, 20, "ALARM", 0.1)
    assert fields(stack, 0) == {b"b"}
    assert counter(stack, "hale_collector_samples_copied_total") == 0
