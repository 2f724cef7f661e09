# SPDX-License-Identifier: Apache-2.0
"""percentile, stddev, baseline and forecast through collector, thresholds and correlator, with kill -9 of
thresholds while windows are open. docs/formats/expression.md, thresholds.md.
"""
import math

import pytest

from collector_kit import now_ms
from conftest import wait_for

N = 40                        # series of a host, all in one group
CALM, BAD = 1, 4              # so many of them have 1000, the others 10
HORIZON_S, SLOPE = 60, 2


class Feed:
    """Posts every host's samples with each call; all of a host have one time, so one window."""

    def __init__(self, stack):
        self.stack, self.start_s, self.slow = stack, now_ms() // 1000, {"h1": CALM, "h2": BAD}

    def rows(self):
        at = now_ms()
        step = at // 1000 - self.start_s  # a line without noise: equal within each second
        for host, slow in self.slow.items():
            for i in range(N):
                yield "ms", {"hostname": host, "n": str(i)}, 1000 if i < slow else 10, at
        yield "disk", {"hostname": "h1"}, 50, at
        yield "disk", {"hostname": "h2"}, 50 + SLOPE * step, at
        yield "calls", {"hostname": "h1"}, 7, at

    def __call__(self):
        a = self.stack.http("POST", "/v2.0/metrics",
                            [{"name": n, "dimensions": d, "value": v, "timestamp": at}
                             for n, d, v, at in self.rows()], role="agent")
        assert a.status in (204, 503), a

    def until(self, condition, what):
        def there():
            self()
            return condition()
        return wait_for(there, 60, what, 0.1)


@pytest.fixture
def house(stack):
    stack.start("collector")
    # A window of a second waits a second for its samples: this test may run on a busy machine.
    stack.start("thresholds", {"checkpoint_interval": "200ms", "late_wait": "60s"})
    stack.start("correlator")
    return stack


def define(stack, name, expression):
    a = stack.http("POST", "/v2.0/alarm-definitions",
                   {"name": name, "expression": expression, "match_by": ["hostname"],
                    "on_missing": "keep"})
    assert a.status == 201, a
    return a.json["id"]


def transitions(stack, definition, host):
    a = stack.http("GET", "/v1/alarm-log?limit=1000")
    assert a.status == 200, a
    return [r for r in a.json["elements"] if r["kind"] == "transition"
            and r["alarm"]["definition_id"] == definition
            and r["alarm"]["group"] == {"hostname": host}]


def value(record):
    return record["evidence"]["subs"][0]["values"][-1]


def spread(slow):
    return 990 * math.sqrt(slow / N * (1 - slow / N))


def states(stack, definition, host):
    return [r["alarm"]["state"] for r in transitions(stack, definition, host)]


def learns(stack, definition):
    """The reason why group h1 has no state yet, or None."""
    a = stack.http("GET", "/v1/alarm-definitions/%s/why?group=hostname:h1" % definition)
    assert a.status == 200, a
    groups = a.json["subs"][0]["groups"]
    if groups and (groups[0]["stored"] or {}).get("learning"):
        return str(a.json["answers"])
    return None


def test_functions_survive_kill9(house):
    stack = house
    ids = {name: define(stack, name, expression) for name, expression in (
        ("percentile", "percentile(ms, 95, 1) > 200"),
        ("stddev", "stddev(ms, 1) > 200"),
        ("baseline", "baseline(calls, 1) > 5"),
        ("forecast", "forecast(disk, 10, %d) >= 120" % HORIZON_S))}
    feed = Feed(stack)

    def all_are(want):
        return lambda: all(states(stack, ids[n], h) == s for (n, h), s in want.items())
    calm = {("percentile", "h1"): ["OK"], ("stddev", "h1"): ["OK"]}
    feed.until(all_are({**calm, ("percentile", "h2"): ["ALARM"], ("stddev", "h2"): ["ALARM"]}),
               "the first windows")
    feed.until(lambda: learns(stack, ids["baseline"]), "the baseline learns")

    stack.kill9("thresholds")  # windows are open, and so is the line of the forecast
    feed()
    feed.slow["h2"] = CALM
    stack.restart("thresholds")
    forecast = {("forecast", "h1"): ["OK"], ("forecast", "h2"): ["ALARM"]}
    feed.until(all_are({**calm, **forecast, ("percentile", "h2"): ["ALARM", "OK"],
                        ("stddev", "h2"): ["ALARM", "OK"]}), "the states after the kill")

    stack.kill9("thresholds")
    feed.slow["h2"] = BAD
    stack.restart("thresholds")
    again = ["ALARM", "OK", "ALARM"]  # and nothing else was decided anew
    feed.until(all_are({**calm, **forecast, ("percentile", "h2"): again,
                        ("stddev", "h2"): again}), "the states after the second kill")
    assert states(stack, ids["baseline"], "h1") == []
    assert "has not enough history yet" in learns(stack, ids["baseline"])

    # On the values of docs/formats/thresholds.md: nearest rank, population, the line through equal steps.
    first = {(n, h): transitions(stack, ids[n], h)[0] for n, h in
             [(n, h) for n in ids if n != "baseline" for h in ("h1", "h2")]}
    assert value(first["percentile", "h1"]) == 10 and value(first["percentile", "h2"]) == 1000
    assert abs(value(first["stddev", "h1"]) - spread(CALM)) < 1e-6
    assert abs(value(first["stddev", "h2"]) - spread(BAD)) < 1e-6
    assert abs(value(first["forecast", "h1"]) - 50) < 1e-6
    end_s = first["forecast", "h2"]["evidence"]["subs"][0]["window"]["end_ms"] / 1000
    line = 50 + SLOPE * (end_s + HORIZON_S - feed.start_s)
    assert abs(value(first["forecast", "h2"]) - line) <= SLOPE
