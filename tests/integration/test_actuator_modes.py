# SPDX-License-Identifier: Apache-2.0
"""Modes, verdicts, steps that wait or prove: the actuator and the collector's API, over kill -9."""
import json
import threading

import pytest
from conftest import wait_for
from service_kit import Service, receiver  # noqa: F401 (fixture)
from test_actuator import Log, start

EVENTS, RUNS, VERDICTS = "hale:{m}:events", "hale:{m}:runs", "hale:{m}:verdicts"


@pytest.fixture
def log(redis):
    return Log(redis)


def policy(*steps, **more):
    one = {"name": "heal", "mode": "approve", "alarm": {"definition": "dns-vnfc-down"},
           "target": "vnf/${vnf_id}/${vnfc_id}", "cooldown": "100ms",
           "steps": list(steps), "verify": {"within": "60s"}}
    one.update(more)
    return json.dumps({"policies": [one]})


def hook(receiver, **more):
    return dict({"webhook": {"url": receiver.url, "retries": 5, "timeout": "20s"}}, **more)


def only_run(log, state):
    """The one run, when its record is in the state."""
    def there():
        runs = [json.loads(r) for r in log.redis.cmd("HVALS", RUNS)]
        return runs[0] if len(runs) == 1 and runs[0]["state"] == state else None
    return wait_for(there, 20, f"a run in state {state}; rows: {[(r['kind'], r['text']) for r in log.rows()]}")


def say(stack, run, verb, status=200):
    answer = stack.http("POST", f"/v1/runs/{run['id']}/{verb}", {"comment": "ok"})
    assert answer.status == status, answer
    return answer.json


def kinds(log):
    return [r["kind"] for r in log.rows()]


def approvals(log):
    events = [json.loads(f[1]) for _, f in log.redis.cmd("XRANGE", EVENTS, "-", "+")]
    return [e["status"] for e in events if e["type"] == "hale.loop.approval"]


def over(log, kind):
    row = log.await_row(kind)[0]
    wait_for(lambda: log.redis.cmd("HLEN", VERDICTS) == 0, 20, "no verdict left over")
    return row


def test_two_approvals_at_once_are_one_run(stack, log, receiver):
    hooks = receiver()
    stack.start("collector")
    start(stack, policy(hook(hooks), version="7"))
    log.write()
    run = only_run(log, "proposed")
    assert kinds(log) == ["proposed"] and approvals(log) == ["raise"] and hooks.got == []
    assert run["expires_us"] > run["logged_us"] and run["mode"] == "approve"
    assert log.rows("proposed")[0]["detail"]["would_call"][0]["url"] == hooks.url
    barrier, answers = threading.Barrier(8), []

    def approve():
        barrier.wait(20)
        answers.append(stack.http("POST", f"/v1/runs/{run['id']}/approve", {}).status)
    threads = [threading.Thread(target=approve) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(answers) == [200] + [409] * 7
    log.await_row("verifying")
    log.write(state="OK")
    over(log, "verified")
    assert kinds(log) == ["proposed", "approved", "triggered", "call", "answer", "step", "verifying", "verified"]
    assert len(hooks.got) == 1 and approvals(log) == ["raise", "clear"]
    born = log.rows("triggered")[0]["detail"]
    assert born["version"] == "7" and all(g["allowed"] for g in born["guards"])
    assert log.rows("approved")[0]["detail"]["by"] and len({r["run_id"] for r in log.rows()}) == 1


@pytest.mark.parametrize("dead", ["before", "between", "call"])
def test_kill9_between_verdict_and_call(stack, log, receiver, dead):
    """dead before: nobody is there to hear of the verdict; between: killed as soon as it is given; call: while the
    call is under way."""
    hooks = receiver()
    hooks.hold = threading.Event() if dead == "call" else None
    stack.start("collector")
    start(stack, policy(hook(hooks)))
    log.write()
    run = only_run(log, "proposed")
    if dead == "before":
        stack.kill9("actuator")
    say(stack, run, "approve")
    if dead == "call":
        wait_for(lambda: hooks.got, 20, "the call")
    if dead != "before":
        stack.kill9("actuator")
    stack.restart("actuator")
    if hooks.hold:
        hooks.hold.set()
    log.await_row("verifying", seconds=30)
    log.write(state="OK")
    over(log, "verified")
    assert kinds(log).count("approved") == 1 and kinds(log).count("triggered") == 1
    assert len({headers["Idempotency-Key"] for _, headers, _ in hooks.got}) == 1
    assert approvals(log) == ["raise", "clear"]


def test_rejected_and_expired_never_run(stack, log, receiver):
    hooks = receiver()
    stack.start("collector")
    start(stack, policy(hook(hooks)))
    log.write()
    run = only_run(log, "proposed")
    say(stack, run, "reject")
    over(log, "rejected")
    only_run(log, "done")
    say(stack, run, "approve", 409)
    stack.stop("actuator")
    start(stack, policy(hook(hooks), approval={"expires": "1s"}))
    log.write(state="OK")
    log.write()
    log.await_row("proposed", 2)
    assert over(log, "expired")["text"] == "nobody approved it in time"
    late = [r for r in log.rows("expired")][0]["run_id"]
    assert stack.http("POST", f"/v1/runs/{late}/approve", {}).status == 410
    log.write(state="OK")
    stack.stop("actuator")
    start(stack, policy(hook(hooks)))
    log.write()
    log.await_row("proposed", 3)
    log.write(state="OK")  # nothing is left to approve
    log.await_row("expired", 2)
    assert hooks.got == [] and log.rows("triggered") == []
    assert approvals(log) == ["raise", "clear"] * 3


def test_suggestion_wakes_nobody_and_may_be_approved(stack, log, receiver):
    hooks = receiver()
    stack.start("collector")
    start(stack, policy(hook(hooks), mode="suggest"))
    log.write()
    run = only_run(log, "proposed")
    assert kinds(log) == ["suggested"] and approvals(log) == []
    say(stack, run, "approve")
    log.await_row("verifying")
    log.write(state="OK")
    over(log, "verified")
    assert len(hooks.got) == 1 and approvals(log) == []


def test_waits_for_the_consumer_then_goes_on(stack, log, receiver):
    consumer, evacuate = receiver(), receiver()
    stack.start("collector")
    start(stack, policy(hook(consumer, name="tell"),
                        {"name": "consent", "wait": {"acknowledgement": "required", "within": "60s"},
                         "on_timeout": "fail"},
                        hook(evacuate, name="evacuate"), mode="auto"))
    log.write()
    run = only_run(log, "open")
    wait_for(lambda: only_run(log, "open").get("held"), 20, "the run to wait")
    stack.kill9("actuator")
    stack.restart("actuator")
    assert evacuate.got == [] and len(consumer.got) == 1
    say(stack, run, "acknowledge")
    log.await_row("verifying")
    assert len(evacuate.got) == 1
    log.write(state="OK")
    over(log, "verified")
    assert [k for k in kinds(log) if k not in ("call", "answer")] == [
        "triggered", "step", "waiting", "acknowledged", "step", "step", "verifying", "verified"]
    assert [r["detail"]["next"] for r in log.rows("step")] == ["consent", "evacuate", "done"]


def test_abort_ends_a_run(stack, log, receiver):
    hooks = receiver(503)
    stack.start("collector")
    start(stack, policy(hook(hooks), mode="auto", repeat="while_alarm"))
    log.write()
    run = only_run(log, "open")
    wait_for(lambda: hooks.got, 20, "the first call")
    say(stack, run, "abort")
    row = over(log, "aborted")
    assert row["text"].endswith(": ok") and row["detail"]["comment"] == "ok"
    assert log.redis.cmd("EXISTS", "hale:{m}:lease:" + run["target"]) == 0
    assert only_run(log, "done")["outcome"] == "aborted"
    say(stack, run, "abort", 409)


class Asked(Service):
    """A service that is asked whether it is well, and a collector that is asked about metrics."""

    def __init__(self, good_after):
        self.paths, self.good_after = [], good_after
        super().__init__()

    def answer(self, call):
        self.paths.append(call.path)
        good = self.paths.count(call.path) >= self.good_after
        rows = [{"metric": {}, "value": [1, "1"]}] if good else []
        return (200 if good or call.path.startswith("/api/v1/query") else 503,
                {"status": "success", "data": {"resultType": "vector", "result": rows}})


def test_proof_by_address_and_by_query_and_escalation(stack, log, receiver):
    hooks, bad, asked = receiver(), receiver(400), Asked(3)
    try:
        proof = {"within": "60s", "every": "20ms"}
        start(stack, policy(hook(bad, name="soft", on_ok="done", on_fail="hard"),
                            hook(hooks, name="hard", verify=dict(proof, url=asked.url + "/up/${vnfc_id}")),
                            mode="auto", verify=dict(proof, query='up{vnfc="${vnfc_id}"} == 1')),
              collector={"url": asked.url})
        log.write()
        assert over(log, "verified")["text"] == "the query has a result"
        assert [(r["detail"]["step"], r["detail"]["end"], r["detail"]["next"]) for r in log.rows("step")] == [
            ("soft", "fail", "hard"), ("hard", "ok", "done")]
        assert len(hooks.got) == 1 and asked.paths.count("/up/dns-1") == 3 and len(asked.paths) == 6
    finally:
        asked.stop()


def test_a_query_needs_a_collector(stack):
    path = stack.dir / "policies.yaml"
    path.write_text(policy({"webhook": {"url": "http://127.0.0.1:1/"}}, verify={"query": "up"}))
    stack.start("actuator", {"policies": str(path)}, wait=False)
    daemon = stack.daemons["actuator"]
    wait_for(lambda: daemon.process.poll() is not None, 20, "the actuator to refuse")
    assert daemon.process.returncode == 2 and "add 'collector: {url: ...}'" in daemon.log()
    del stack.daemons["actuator"]
