# SPDX-License-Identifier: Apache-2.0
"""Scaling policies of the actuator, with a real collector, and a farm whose instances share a load."""
import json
import subprocess
import threading
import time

import pytest
from conftest import binary, wait_for
from scaling_kit import Farm, await_rows, looks, memory, rows
from service_kit import Service


@pytest.fixture
def farm(stack):
    stack.start("collector")
    farm = Farm(stack)
    yield farm
    farm.stop()


def policies(farm, **changes):
    def call(way):
        return [{"webhook": {"url": f"{farm.url}/scale", "timeout": "10s", "retries": 10,
                             "body": json.dumps({"way": way, "to": "${scale.to}", "from": "${scale.from}",
                                                 "by": "${scale.by}"})}}]
    policy = {"name": "web", "mode": "auto", "target": "farm/web", "every": "100ms", "fresh": "5s",
              "track": {"query": 'avg(farm.load{farm="web"})', "value": 60},
              "size": {"query": 'farm.size{farm="web"}'}, "min": 1, "max": 10, "warm_up": "0s",
              "cooldown": "0s", "stabilise": {"up": "0s", "down": "1s"},
              "scale_out": call("out"), "scale_in": call("in")}
    policy.update(changes)
    return json.dumps({"scaling": [{k: v for k, v in policy.items() if v is not None}]})


def start(stack, text):
    (stack.dir / "policies.yaml").write_text(text)
    (stack.dir / "actuator.token").write_text(stack.token("read-only"))
    return stack.start("actuator", {"policies": str(stack.dir / "policies.yaml"),
                                    "collector": {"url": stack.url,
                                                  "token_file": str(stack.dir / "actuator.token")}})


def test_follows_the_load_out_and_in(stack, farm):
    farm.load = 100.0  # 50 for each of two: 17 % under 60, and ceil(1.67) is two
    start(stack, policies(farm))
    wait_for(lambda: looks(stack)["looks_total"] >= 3, 20, "some looks")
    assert farm.calls == [] and rows(stack) == []
    farm.load = 200.0
    wait_for(lambda: farm.size == 4, 20, "four instances")
    row = await_rows(stack, "verified")[0]
    assert row["policy"] == "web" and row["alarm_id"] == "scaling:web" and row["target"] == "farm/web"
    born = rows(stack, "triggered")[0]
    assert born["text"].startswith("web: scale out from 2 to 4: metric ") and born["alarm_seq"] == 1
    assert farm.calls[0][2] == {"way": "out", "to": "4", "from": "2", "by": "2"}
    farm.load = 50.0
    wait_for(lambda: farm.size == 1, 20, "one instance")
    assert [r["kind"] for r in rows(stack) if r["run_id"] == row["run_id"]] == ["triggered", "call", "answer",
                                                                               "step", "verified"]
    await_rows(stack, "verified", len(farm.changes()))
    kept = memory(stack)
    assert kept["decision"] == len(farm.changes()) and all(c["good"] for c in kept["changes"])
    farm.load = 5000.0
    wait_for(lambda: farm.size == 10, 20, "max instances, no more")


def test_without_data_nothing_goes_in(stack, farm):
    farm.size, farm.load, farm.tells_load = 3, 30.0, False
    start(stack, policies(farm, min=2, fresh="1s", stabilise={"down": "200ms"}))
    wait_for(lambda: looks(stack)["blind_total"] >= 5, 30, "looks without a metric")
    assert farm.calls == []
    farm.size = 1  # below min: that needs no metric
    wait_for(lambda: farm.size == 2, 20, "min instances")
    await_rows(stack, "verified")
    farm.tells_size = False
    before = looks(stack)["blind_total"]
    wait_for(lambda: looks(stack)["blind_total"] >= before + 12, 30, "looks without a size")
    farm.load = 600.0  # nobody says how many there are
    farm.tells_load = True
    before = looks(stack)["blind_total"]
    wait_for(lambda: looks(stack)["blind_total"] >= before + 5, 30, "further looks without a size")
    assert len(farm.changes()) == 1
    assert 'detail="no data"' in stack.daemons["actuator"].log()


def test_two_series_are_no_answer(stack, farm):
    farm.load = 500.0
    start(stack, policies(farm, track={"query": '{__name__=~"farm.*"}', "value": 1}))
    wait_for(lambda: looks(stack)["blind_total"] >= 3, 20, "looks")
    assert farm.calls == [] and "aggregate" in stack.daemons["actuator"].log()


def test_observe_says_it_once(stack, farm):
    farm.load = 200.0
    start(stack, policies(farm, mode="observe"))
    row = await_rows(stack, "observed")[0]
    assert row["detail"]["would_call"][0]["body"]["to"] == "4"
    before = looks(stack)["looks_total"]
    wait_for(lambda: looks(stack)["looks_total"] >= before + 5, 20, "further looks")
    assert len(rows(stack, "observed")) == 1 and farm.calls == []
    farm.load = 300.0
    assert await_rows(stack, "observed", 2)[1]["detail"]["would_call"][0]["body"]["to"] == "5"


def test_steps_rates_and_cooldown(stack, farm):
    farm.load = 190.0
    start(stack, policies(farm, track=None, steps={"query": "avg(farm.load)",
                                                   "rules": [{"above": 80, "add": "100%"},
                                                             {"below": 20, "remove": 1}]},
                          rate={"up": {"max": 1, "per": "1h"}}))
    wait_for(lambda: farm.size == 3, 20, "one more, as the rate says")
    farm.load = 600.0
    wait_for(lambda: "result=rate" in stack.daemons["actuator"].log(), 20, "the rate's refusal")
    assert farm.changes() == [(2, 3)]


@pytest.mark.parametrize("answers", [True, False])
def test_kill9_between_decision_and_end_scales_once(stack, farm, answers):
    """Killed again and again, at another moment each time, until the run is through: one effect."""
    start(stack, policies(farm, stabilise={"up": "0s", "down": "1h"}))
    wait_for(lambda: looks(stack)["looks_total"] >= 1, 20, "a look")
    if not answers:  # it does what it is told, and nobody hears of it
        farm.hold = threading.Event()
    farm.load = 230.0
    wait_for(lambda: memory(stack)["decision"] == 1, 20, "the decision", every=0.001)
    pause = 0.0
    for _ in range(6):
        stack.kill9("actuator")
        stack.restart("actuator", wait=False)
        wait_for(lambda: "event=loaded" in stack.daemons["actuator"].log() or rows(stack, "verified"), 20,
                 "the start")
        end = time.monotonic() + pause
        wait_for(lambda: time.monotonic() > end, 5, "another moment", every=0.001)
        pause += 0.01
    if farm.hold:
        farm.hold.set()
        farm.hold = None
    await_rows(stack, "verified", seconds=30)
    assert farm.changes() == [(2, 4)], "one effect at the farm"
    assert {r["run_id"] for r in rows(stack)} == {rows(stack)[0]["run_id"]}
    assert memory(stack)["decision"] == 1 and memory(stack)["changes"][-1]["good"]
    wait_for(lambda: looks(stack)["looks_total"] >= 3, 30, "looks after the start")
    assert farm.size == 4


def test_size_told_late_is_not_scaled_twice(stack, farm):
    """The farm grows, but what it reports stays behind: nothing is ordered twice while the warm-up lasts."""
    farm.tells_size = farm.tells_load = False

    def told():
        now = time.time_ns() // 1000000
        stack.http("POST", "/v2.0/metrics", [
            {"name": n, "dimensions": {"farm": "web"}, "timestamp": now, "value": v}
            for n, v in (("farm.size", 2), ("farm.load", 120))])
    told()
    start(stack, policies(farm, warm_up="1h", fresh="60s"))
    await_rows(stack, "verified")
    told()
    before = looks(stack)["looks_total"]
    wait_for(lambda: looks(stack)["looks_total"] >= before + 8, 20, "further looks")
    assert farm.changes() == [(2, 4)]
    stack.kill9("actuator")
    stack.restart("actuator")
    wait_for(lambda: looks(stack)["looks_total"] >= 5, 20, "looks after a restart")
    assert farm.changes() == [(2, 4)], "what is on its way is remembered"


def test_load_that_follows_capacity_comes_to_rest(stack, farm):
    """More instances draw more load (shed before), fewer less: no oscillation."""
    start(stack, policies(farm, warm_up="500ms", stabilise={"up": "0s", "down": "2s"}))

    def follow():
        farm.load = min(420.0, 75.0 * farm.size)  # each is full until all have found a place
        return farm.size >= 7
    wait_for(follow, 30, "seven instances")
    before = looks(stack)["looks_total"]
    wait_for(lambda: follow() and looks(stack)["looks_total"] >= before + 15, 30, "looks at rest")
    ways = [to > was for was, to in farm.changes()]
    assert all(ways), f"it never went back: {farm.changes()}"
    assert farm.size == 7


def test_a_loop_that_quarrels_ends_in_quiet(stack, farm):
    """The load does the opposite of what is wanted: the flap budget ends it, and an alarm says so."""
    start(stack, policies(farm, stabilise={"up": "0s", "down": "0s"}, guards={"flap_budget": {"max": 4, "per": "1h"}}))

    def contrary():
        farm.load = 240.0 if farm.size <= 2 else 100.0
        return rows(stack, "latched")
    wait_for(contrary, 30, "the latch")
    assert len(farm.changes()) <= 4
    n, before = len(farm.changes()), looks(stack)["looks_total"]
    wait_for(lambda: contrary() and looks(stack)["looks_total"] >= before + 10, 20, "further looks")
    assert len(farm.changes()) == n and len(rows(stack, "suppressed")) == 1, "one word, then quiet"
    events = [json.loads(f[1]) for _, f in stack.redis.cmd("XRANGE", "hale:{m}:events", "-", "+")]
    assert [e for e in events if e["type"] == "hale.loop.oscillating" and e["dimensions"]["policy"] == "web"], events


def test_reload_takes_and_refuses(stack, farm):
    d = start(stack, policies(farm, max=3))
    farm.load = 600.0
    wait_for(lambda: farm.size == 3, 20, "three instances")
    path = stack.dir / "policies.yaml"
    path.write_text(policies(farm, max=0))
    d.process.send_signal(1)
    wait_for(lambda: "reload_refused" in d.log() or "max" in d.log().split("event=loaded")[-1], 20, "the refusal")
    assert farm.size == 3
    path.write_text(policies(farm, max=5))
    d.process.send_signal(1)
    wait_for(lambda: farm.size == 5, 20, "five instances")


class Slow(Service):
    """A collector that takes its time with every answer."""

    def __init__(self):
        self.asked, self.free = [], threading.Event()
        super().__init__()

    def answer(self, call):
        self.asked.append(call.path)
        self.free.wait(20)
        return 200, {"status": "success", "data": {"resultType": "vector", "result": []}}


def test_answers_to_the_looks_of_before_a_reload(stack, farm):
    """A policy takes another's place while a look of that one is under way: each answer is its own."""
    slow = Slow()
    path = stack.dir / "policies.yaml"
    path.write_text(policies(farm, name="old", every="50s"))
    d = stack.start("actuator", {"policies": str(path), "collector": {"url": slow.url, "timeout": "20s"}})
    wait_for(lambda: len(slow.asked) == 2, 20, "the first look")
    path.write_text(policies(farm, name="new", every="50s"))
    d.process.send_signal(1)
    wait_for(lambda: len(slow.asked) == 4, 20, "the look of the new one")
    slow.free.set()
    wait_for(lambda: "event=scaling policy=new" in d.log(), 20, "what the new one makes of it")
    assert "policy=old" not in d.log() and looks(stack)["looks_total"] == 1
    slow.stop()


def test_scaling_needs_a_collector(stack, farm):
    (stack.dir / "policies.yaml").write_text(policies(farm))
    (stack.dir / "a.yaml").write_text(json.dumps({"redis": f"unix:{stack.dir}/redis.sock",
                                                  "policies": str(stack.dir / "policies.yaml")}))
    ran = subprocess.run([str(binary("actuator")), "--config", str(stack.dir / "a.yaml"), "--check-config"],
                         stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    assert ran.returncode == 2 and "add 'collector:" in ran.stderr
