# SPDX-License-Identifier: Apache-2.0
"""Runs, what people decide about them, kill switches and policies: the collector's side, with run records as
docs/formats/run.md says."""
import json
import threading
import uuid

from collector_kit import Correlator, Live, iso, now_ms
from conftest import wait_for
from test_cli import FAILED, Hale, USAGE

RUNS, VERDICTS, CONTROL = "hale:{m}:runs", "hale:{m}:verdicts", "hale:{m}:control"
SWITCHES, JOURNAL = "hale:{m}:switches", "hale:{m}:journal"
SECRET = "s3cr3t"
PLAN = [
    {"type": "webhook", "name": "tell", "method": "POST",
     "url": f"http://u:{SECRET}@10.0.0.1/hook?key={SECRET}", "headers": {"X-Key": SECRET},
     "token_file": f"/etc/{SECRET}", "auth": "bearer", "body": {"password": SECRET, "text": "down"}},
    {"type": "nova", "cloud": "c", "action": "evacuate", "args": {"host": "compute-1"}, "retries": 3}]


class Runs:
    def __init__(self, stack):
        self.stack, self.redis = stack, stack.redis

    def add(self, state="proposed", tenant="default", **more):
        t = now_ms() * 1000
        run = {"v": 1, "id": str(uuid.uuid4()), "policy": "heal", "tenant": tenant, "alarm_id": str(uuid.uuid4()),
               "alarm_name": "down", "target": "vnf/1", "mode": "approve", "alarm_state": "ALARM", "state": state,
               "phase": "wait", "outcome": "", "op_occ": "", "settled": False, "alarm_seq": 1, "n": 0,
               "accepted_us": t, "logged_us": t, "born_us": t, "verify_within_ms": 60000, "step": 0, "attempt": 0,
               "failures": 0, "queries": 0, "step_us": 0, "call_us": 0, "wake_us": 0, "verify_us": 0,
               "cleared_us": 0, "again_us": 0, "vars": {}, "plan": PLAN, "expires_us": t + 600000000}
        run.update(more)
        self.redis.cmd("HSET", RUNS, run["id"], json.dumps(run))
        return run["id"]

    def get(self, path, status=200, **who):
        a = self.stack.http("GET", path, **who)
        assert a.status == status, (path, a)
        return a.json

    def post(self, run, verb, status=200, comment=None, **who):
        body = {} if comment is None else {"comment": comment}
        a = self.stack.http("POST", f"/v1/runs/{run}/{verb}", body, **who)
        assert a.status == status, (verb, a)
        return a.json

    def control(self):
        return [json.loads(f[1]) for _, f in self.redis.cmd("XRANGE", CONTROL, "-", "+")]

    def verdict(self, run, question="proposal"):
        text = self.redis.cmd("HGET", VERDICTS, f"{run}:{question}")
        return json.loads(text) if text else None

    def rows(self):
        return [json.loads(f[1]) for _, f in self.redis.cmd("XRANGE", JOURNAL, "-", "+")]


def house(stack):
    stack.start("collector")
    return Runs(stack)


def test_lists_are_filtered_and_paged(stack):
    h = house(stack)
    t = now_ms() * 1000
    ids = [h.add("done" if i % 2 else "open", born_us=t + i, policy=f"p{i % 3}", target=f"t{i}") for i in range(7)]
    h.add(tenant="other")

    def seen(query=""):
        return [r["id"] for r in h.get("/v1/runs" + query)["elements"]]
    assert seen() == ids[::-1]
    assert seen("?state=open") == ids[::-1][::2]
    assert seen("?state=done,open&policy=p1") == [ids[4], ids[1]]
    assert seen("?target=t5") == [ids[5]]
    alarm = json.loads(h.redis.cmd("HGET", RUNS, ids[2]))["alarm_id"]
    assert seen("?alarm=" + alarm) == [ids[2]]
    assert seen("?since=" + iso(now_ms() + 60000)) == []
    assert seen("?since=" + iso(now_ms() - 600000)) == ids[::-1]
    got, path = [], "/v1/runs?limit=3&state=open,done"
    while path:
        page = h.get(path)
        got += [r["id"] for r in page["elements"]]
        assert len(page["elements"]) <= 3
        path = next(("/v1/" + x["href"].split("/v1/")[1] for x in page["links"] if x["rel"] == "next"), None)
    assert got == ids[::-1]
    for bad in ("?state=broken", "?limit=0", "?since=yesterday", "?offset=x"):
        assert h.get("/v1/runs" + bad, 422)["description"]


def test_secrets_stay_inside(stack):
    h = house(stack)
    run = h.add()
    one = h.get("/v1/runs/" + run)
    for text in (json.dumps(one), json.dumps(h.get("/v1/runs"))):
        assert SECRET not in text
    plan = one["run"]["plan"]
    assert plan[0]["headers"] == {"X-Key": "***"} and plan[0]["url"] == "http://***@10.0.0.1/hook?***"
    assert "token_file" not in plan[0] and plan[0]["body"] == {"password": "***", "text": "down"}
    assert one["run"]["steps"] == [
        {"name": "tell", "type": "webhook", "what": "POST http://***@10.0.0.1/hook?***"},
        {"name": "1", "type": "nova", "what": "evacuate host=compute-1"}]
    assert h.get(f"/v1/runs/{uuid.uuid4()}", 404)
    assert h.get("/v1/runs/" + run, 404, tenant="other")


def test_the_first_word_counts(stack):
    h = house(stack)
    run = h.add()
    results = []

    def approve(verb):
        own = stack.http("POST", f"/v1/runs/{run}/{verb}", {"comment": verb})
        results.append((verb, own.status, own.json))
    threads = [threading.Thread(target=approve, args=(("approve", "reject")[i % 2],)) for i in range(8)]
    for x in threads:
        x.start()
    for x in threads:
        x.join()
    won = [r for r in results if r[1] == 200]
    assert len(won) == 1 and len([r for r in results if r[1] == 409]) == 7
    word = h.verdict(run)
    assert word["verdict"] == won[0][0] == word["comment"] and word["by"] == won[0][2]["by"]
    assert h.control() == [{"v": 1, "op": "verdict", "id": run}]
    past = {"approve": "approved", "reject": "rejected"}[won[0][0]]
    for r in results:
        if r[1] == 409:
            assert f"already {past} by {word['by']} at 2" in r[2]["description"]
    assert h.get("/v1/runs/" + run)["verdicts"]["proposal"] == word


def test_verdicts_fit_the_state(stack):
    h = house(stack)
    expired, done = h.add(expires_us=now_ms() * 1000 - 1), h.add("done", outcome="verified")
    gone, held = h.add("done", outcome="expired"), h.add("open", held=True)
    assert "expired" in h.post(expired, "approve", 410)["description"]
    assert h.post(gone, "reject", 410)
    assert "verified" in h.post(done, "approve", 409)["description"]
    assert h.post(done, "abort", 409) and h.post(done, "acknowledge", 409)
    assert h.post(h.add("open"), "acknowledge", 409)
    assert h.post(held, "approve", 409)
    assert h.control() == []
    assert h.post(held, "acknowledge", comment="seen")["verdict"] == "acknowledge"
    assert h.verdict(held, "ack")["comment"] == "seen"
    for state in ("open", "verifying", "waiting", "proposed"):
        run = h.add(state)
        assert h.post(run, "abort")["by"]
        assert h.verdict(run, "abort")["verdict"] == "abort"
    assert h.post(run, "abort", 409)
    # What is over is told from the journal.
    row = {"v": 1, "time_ms": now_ms(), "kind": "rejected", "run_id": done, "policy": "heal", "mode": "approve",
           "tenant": "default", "alarm_id": "a", "alarm_name": "d", "alarm_seq": 1, "target": "t", "step": -1,
           "detail": {"by": "anna"}}
    h.redis.cmd("XADD", JOURNAL, "*", "j", json.dumps(row))
    assert "already rejected by anna" in h.post(done, "approve", 409)["description"]
    assert [r["kind"] for r in h.get("/v1/runs/" + done)["journal"]] == ["rejected"]
    assert h.post(str(uuid.uuid4()), "approve", 404)
    assert h.post(h.add(), "approve", 404, tenant="other")
    assert h.post(h.add(), "approve", 401, role="read-only")
    fresh = h.add()
    for body in ({"comment": 1}, {"comment": "x" * 4097}, {"reason": "x"}, []):
        assert stack.http("POST", f"/v1/runs/{fresh}/approve", body).status == 422, body
    assert h.verdict(fresh) is None


def test_switches(stack):
    h = house(stack)
    call = stack.http
    admin = stack.token("delegate,operator")
    assert h.get("/v1/switches") == {"elements": []}
    a = call("PUT", "/v1/switches/policy/heal", {"reason": "it loops", "for": "1h"})
    assert a.status == 200 and a.json["scope"] == "policy/heal" and a.json["reason"] == "it loops"
    assert abs(a.json["expires_ms"] - a.json["at_ms"] - 3600000) < 1000
    stored = json.loads(h.redis.cmd("HGET", SWITCHES, "policy/heal"))
    assert stored["v"] == 1 and stored["expires_ms"] == a.json["expires_ms"] and stored["by"]
    assert h.control()[-1] == {"v": 1, "op": "switch", "id": "policy/heal"}
    row = h.rows()[-1]
    assert row["kind"] == "switched" and row["policy"] == "heal" and row["detail"] == {
        "scope": "policy/heal", "on": True, "by": stored["by"], "reason": "it loops"}
    for scope in ("all", "site/berlin"):  # for everybody: the administrator's
        assert call("PUT", "/v1/switches/" + scope, {"reason": "x"}).status == 403
        a = call("PUT", "/v1/switches/" + scope, {"reason": "storm"}, token=admin)
        assert a.status == 200 and h.get("/v1/switches/" + scope) == a.json
        assert call("DELETE", "/v1/switches/" + scope).status == 403
    assert [s["scope"] for s in h.get("/v1/switches", role="read-only", tenant="other")["elements"]] == [
        "all", "policy/heal", "site/berlin"]
    assert call("DELETE", "/v1/switches/all", {"reason": "over"}, token=admin).status == 204
    assert h.rows()[-1]["detail"]["reason"] == "over" and h.rows()[-1]["detail"]["on"] is False
    assert call("DELETE", "/v1/switches/all", token=admin).status == 404
    assert h.redis.cmd("HGET", SWITCHES, "all") is None
    n = len(h.rows())
    for body in ({}, {"reason": " "}, {"reason": "x", "for": "1h", "expires": iso(now_ms() + 60000)},
                 {"reason": "x", "expires": iso(now_ms() - 1000)}, {"reason": "x", "for": "soon"}, {"why": "x"}):
        assert call("PUT", "/v1/switches/policy/heal", body).status == 422, body
    assert call("PUT", "/v1/switches/policy/x", {"reason": "x"}, role="read-only").status == 401
    h.redis.cmd("HSET", SWITCHES, "policy/old", json.dumps(
        {"v": 1, "by": "a", "at_ms": 1, "reason": "x", "expires_ms": now_ms() - 1}))
    assert call("GET", "/v1/switches/policy/old").status == 404
    assert len(h.rows()) == n


def test_policies_and_latches(stack):
    h = house(stack)
    assert h.get("/v1/policies") == {"elements": []}
    h.redis.cmd("SET", "hale:{m}:act:policies", json.dumps([{"name": "heal", "mode": "auto"},
                                                            {"name": "scale", "mode": "approve"}]))
    h.add()
    h.add("done", outcome="verified")
    h.add(tenant="other")
    h.redis.cmd("HSET", "hale:{m}:guards", "policy:heal", json.dumps(
        {"v": 1, "latched_ms": now_ms() - 1000, "why": "it flapped"}))
    assert stack.http("PUT", "/v1/switches/policy/scale", {"reason": "no"}).status == 200
    heal, scale = h.get("/v1/policies")["elements"]
    assert heal["latch"]["why"] == "it flapped" and heal["switch"] is None
    assert heal["runs"] == {"proposed": 1, "verified": 1} and scale["runs"] == {}
    assert scale["switch"]["reason"] == "no" and scale["latch"] is None
    post = stack.http
    assert post("POST", "/v1/policies/heal/unlatch", role="read-only").status == 401
    assert post("POST", "/v1/policies/nobody/unlatch").status == 404
    assert post("POST", "/v1/policies/scale/unlatch").status == 409
    a = post("POST", "/v1/policies/heal/unlatch")
    assert a.status == 200, a
    assert json.loads(h.redis.cmd("HGET", SWITCHES, "unlatch/heal"))["by"] == a.json["by"]
    assert h.control()[-1] == {"v": 1, "op": "switch", "id": "unlatch/heal"}
    assert h.get("/v1/policies")["elements"][0]["latch"] is None
    assert post("POST", "/v1/policies/heal/unlatch").status == 409
    assert [s["scope"] for s in h.get("/v1/switches")["elements"]] == ["policy/scale"]


def test_the_journal_is_asked(stack):
    h = house(stack)
    c = Correlator(stack.redis)
    first = c.journal("alarm-1", text="one")
    c.journal("alarm-2", text="two")
    c.journal("alarm-1", "other", text="theirs")
    live = Live(stack)
    live.next()
    assert stack.http("PUT", "/v1/switches/policy/p", {"reason": "x"}).status == 200

    def texts(query="", **who):
        return [r["text"] for r in h.get("/v1/journal?" + query, **who)["elements"]]
    rows = h.get("/v1/journal")["elements"]
    assert [r["text"] for r in rows[:2]] == ["one", "two"] and rows[2]["kind"] == "switched"
    assert texts("run=" + rows[0]["run_id"]) == ["one"] and texts("alarm_id=alarm-2") == ["two"]
    assert texts("kind=observed") == ["one", "two"] and texts("kind=call,answer") == []
    assert texts("kind=switched", tenant="other") == [rows[2]["text"]]
    assert texts("policy=p&kind=observed,switched")[2] == rows[2]["text"] and texts("target=t") == ["one", "two"]
    t = int(first.split("-")[0])
    assert texts("until=" + iso(t - 1)) == [] and texts("since=" + iso(now_ms() + 60000)) == []
    assert texts("since=" + iso(t) + "&until=" + iso(now_ms() + 1000) + "&kind=observed") == ["one", "two"]
    assert "no 'nonsense'" in h.get("/v1/journal?kind=nonsense", 422)["description"]
    # Rows of the house come live, too.
    event = live.next()
    assert event["event"] == "action" and json.loads(event["data"])["kind"] == "switched"
    live.close()
    wait_for(lambda: h.get("/healthz", role=None), 5, "health")


def test_commands(stack):
    h, hale = house(stack), Hale(stack)
    run, done = h.add(), h.add("done", outcome="verified", policy="other")
    text = hale("run", "list")
    assert "proposed, 9m left" in text and "done verified" in text and "POST http://***@10.0.0.1/hook?***" in text
    assert run not in hale("run", "list", "--state", "done") and done in hale("run", "list", "--policy", "other")
    assert json.loads(hale("run", "list", "--json", "--from", "1h"))[0]["id"] in (run, done)
    row = {"v": 1, "time_ms": now_ms(), "kind": "proposed", "run_id": run, "policy": "heal", "mode": "approve",
           "tenant": "default", "alarm_id": "a", "alarm_name": "d", "alarm_seq": 1, "target": "t", "step": -1,
           "text": "would heal", "detail": {"guards": [{"guard": "cooldown", "allowed": True, "text": "none"},
                                                       {"guard": "hours", "allowed": False, "text": "at night"}]}}
    h.redis.cmd("XADD", JOURNAL, "*", "j", json.dumps(row))
    text = hale("run", "show", run)
    assert "> " in text and "evacuate host=compute-1" in text and "would heal" in text
    assert [x.split() for x in text.splitlines() if x.startswith(("cooldown", "hours"))] == [
        ["cooldown", "yes", "none"], ["hours", "no", "at", "night"]]
    assert SECRET not in text
    assert "approved" in hale("run", "approve", run, "--comment", "go")
    assert h.verdict(run)["comment"] == "go"
    assert "already approved by operator-default" in hale("run", "reject", run, code=FAILED)
    assert "no run nobody" in hale("run", "abort", "nobody", code=FAILED)
    assert "wants --reason" in hale("switch", "on", "policy/heal", code=USAGE)
    assert "wants a scope" in hale("switch", "on", "heal", "--reason", "x", code=USAGE)
    assert "roles operator and delegate" in hale("switch", "on", "all", "--reason", "x", code=FAILED)
    hale("switch", "on", "policy/heal", "--reason", "it loops", "--for", "1h")
    assert "it loops" in hale("switch", "list") and "policy/heal" in hale("switch", "list")
    h.redis.cmd("SET", "hale:{m}:act:policies", json.dumps([{"name": "heal", "mode": "auto", "target": "t"}]))
    assert hale("policy", "list").splitlines()[1].split() == ["heal", "auto", "-", "stopped", "t", "1", "proposed"]
    assert "goes on" in hale("switch", "off", "policy/heal")
    assert "is not on" in hale("switch", "off", "policy/heal", code=FAILED)
    assert "not latched" in hale("policy", "unlatch", "heal", code=FAILED)
    for args in (["run"], ["run", "show"], ["run", "approve"], ["run", "start", "x"], ["switch"], ["switch", "on"],
                 ["policy"], ["policy", "unlatch"], ["audit"], ["audit", "verify", "a", "b"],
                 ["run", "list", "--from", "soon"], ["audit", "show", "--from", "soon"]):
        hale(*args, code=USAGE)
