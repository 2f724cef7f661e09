# SPDX-License-Identifier: Apache-2.0
"""Two actuators share the work through Redis (docs/adr/0027): nothing twice, nothing lost, whoever dies."""
import json
import signal

from conftest import http_call, wait_for
from test_actuator import Lab, Log, lab, log, policies, receiver  # noqa: F401 (fixtures)

ROLE = "hale:{m}:role:"


def start(stack, receiver, lab, **more):
    path = stack.dir / "policies.yaml"
    path.write_text(policies(lab.url, step={"timeout": "60s"}, verify={"within": "60s"}, **more))
    config = {"policies": str(path),
              "subscribers": [{"name": "noc", "url": receiver.url}]}
    for name in ("actuator", "actuator-2"):
        stack.start("actuator", config, known_as=name)


def part(stack, name):
    d = stack.daemons[name]
    host, port = d.listen.rsplit(":", 1)
    try:
        return http_call(host, int(port), "GET", "/healthz", timeout=5).json["components"]["role"]["detail"]
    except OSError:
        return None


def parts(stack):
    return sorted(str(part(stack, name)) for name in ("actuator", "actuator-2"))


def who(stack, what):
    return next(n for n in ("actuator", "actuator-2") if part(stack, n) == what)


def shared(stack):
    wait_for(lambda: parts(stack) == ["acts", "tells"], 20, "one acts, the other tells")


def seqs(receiver):
    return [b["seq"] for b in receiver.bodies()]


def test_the_work_is_shared_and_done_once(stack, lab, log, receiver):
    noc = receiver()
    start(stack, noc, lab)
    shared(stack)
    lab.call("POST", "/lab/fault", {"vnfc_id": "dns-1"})
    log.write()
    log.await_row("verifying")
    log.write(state="OK")
    log.await_row("verified")
    wait_for(lambda: seqs(noc) == [1, 2], 10, "both notifications")
    assert len(lab.heals()) == 1 and lab.starts() == 2
    meta = lambda: dict(zip(*[iter(log.redis.cmd("HGETALL", "hale:{m}:act:meta"))] * 2))
    wait_for(lambda: meta().get(b"alarmlog") == meta().get(b"told") == b"2", 15, "both positions")
    for name, key in (("acts", "hale-actuator"), ("tells", "hale-actuator-2")):
        health = json.loads(log.redis.cmd("GET", "hale:{m}:health:" + key))
        assert health["components"]["role"]["detail"] == name


def test_the_other_goes_on_when_one_is_killed(stack, lab, log, receiver):
    noc = receiver()
    start(stack, noc, lab)
    shared(stack)
    acts = who(stack, "acts")
    other = "actuator-2" if acts == "actuator" else "actuator"
    lab.call("POST", "/lab/fault", {"vnfc_id": "dns-1"})
    lab.behave("slow", 1, ms=1500)  # the request is under way when its sender dies
    log.write()
    wait_for(lambda: log.rows("call"), 10, "the call")
    stack.kill9(acts)
    wait_for(lambda: part(stack, other) == "acts and tells", 20, "the survivor")
    log.await_row("verifying", seconds=60)
    log.write(state="OK")
    log.await_row("verified")
    assert lab.starts() == 2, "healed once"
    done = [op for op in lab.state()["operations"] if op["operationState"] == "COMPLETED"]
    assert len(done) == 1
    wait_for(lambda: 2 in seqs(noc), 10, "the notifications")
    assert sorted(set(seqs(noc))) == [1, 2]
    stack.restart(acts)  # it is given a part again
    shared(stack)
    log.write(vnfc="dns-2")
    log.await_row("verifying", 2, seconds=30)
    wait_for(lambda: 3 in seqs(noc), 10, "the third")


def test_a_frozen_holder_writes_nothing_when_it_wakes(stack, lab, log, receiver):
    """It stands still longer than its lease; meanwhile the other has acted. Its own writes are refused."""
    noc = receiver()
    start(stack, noc, lab)
    shared(stack)
    acts = who(stack, "acts")
    other = "actuator-2" if acts == "actuator" else "actuator"
    stack.daemons[acts].process.send_signal(signal.SIGSTOP)
    lab.call("POST", "/lab/fault", {"vnfc_id": "dns-1"})
    log.write()
    wait_for(lambda: part(stack, other) == "acts and tells", 20, "the survivor")
    log.await_row("verifying", seconds=30)
    stack.daemons[acts].process.send_signal(signal.SIGCONT)
    shared(stack)
    log.write(state="OK")
    log.await_row("verified")
    assert len(lab.heals()) == 1 and lab.starts() == 2
    assert [r["kind"] for r in log.rows() if r["kind"] in ("triggered", "verified")] == ["triggered", "verified"]
    wait_for(lambda: sorted(set(seqs(noc))) == [1, 2], 10, "both notifications")


def test_stopping_one_hands_its_part_over_at_once(stack, lab, log, receiver):
    noc = receiver()
    start(stack, noc, lab)
    shared(stack)
    acts = who(stack, "acts")
    other = "actuator-2" if acts == "actuator" else "actuator"
    stack.stop(acts)
    assert log.redis.cmd("GET", ROLE + "act") in (None, log.redis.cmd("GET", ROLE + "tell"))
    wait_for(lambda: part(stack, other) == "acts and tells", 10, "the survivor")
