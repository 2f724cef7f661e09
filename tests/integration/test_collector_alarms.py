# SPDX-License-Identifier: Apache-2.0
"""Definitions, fault events, alarms, history and live updates of the collector."""
import json
import threading
import urllib.parse
import uuid

from collector_kit import (ALARM_KEYS, Correlator, DEFINITION_KEYS, Live, iso, now_ms, q)
from conftest import wait_for

# --- definitions ----------------------------------------------------------------------------------

def test_definitions(stack):
    stack.start("collector")
    path = "/v2.0/alarm-definitions"
    noc = stack.http("POST", "/v2.0/notification-methods",
                     {"name": "noc", "type": "EMAIL", "address": "noc@example.org"})
    body = {"name": "cpu high", "expression": "max(cpu{hostname=h1}) > 90 and avg(mem) > 5",
            "severity": "high", "match_by": ["hostname"], "description": "d",
            "alarm_actions": [noc.json["id"]]}
    a = stack.http("POST", path, body)
    assert a.status == 201 and set(a.json) == DEFINITION_KEYS, a
    d = a.json
    assert d["severity"] == "HIGH" and d["expression"] == body["expression"]
    assert d["links"][0]["href"].endswith(f"{path}/{d['id']}")
    a = stack.http("POST", path, body)
    assert a.status == 409 and a.json["title"] == "AlreadyExistsException"
    assert stack.http("GET", f"{path}/{d['id']}").json == d
    for bad, status in ((b"{", 400), (b"", 400), (b"[]", 422), (b"null", 422),
                        ({"name": "x"}, 422), ({"expression": "max(x) > 1"}, 422),
                        ({"name": "x", "expression": "median(x) > 1"}, 422),
                        ({"name": "x" * 256, "expression": "max(x) > 1"}, 422),
                        ({"name": "x", "expression": "max(x) > 1", "severity": "AWFUL"}, 422),
                        ({"name": "x", "expression": "max(x) > 1", "match_by": "h"}, 422),
                        ({"name": "x", "expression": "max(x) > 1", "ok_actions": ["a", "a"]}, 422)):
        assert stack.http("POST", path, bad).status == status, bad
    # Control record and hash are in Redis.
    assert stack.redis.cmd("XLEN", "hale:{m}:control") == 2  # the method, the definition
    stored = json.loads(stack.redis.cmd("HGET", "hale:{m}:definitions", d["id"]))
    assert stored["version"] == 1 and stored["tenant"] == "default"
    # Changes.
    one = f"{path}/{d['id']}"
    a = stack.http("PATCH", one, {"actions_enabled": "true", "severity": "CRITICAL"})
    assert a.status == 200 and a.json["severity"] == "CRITICAL", a
    assert json.loads(stack.redis.cmd("HGET", "hale:{m}:definitions", d["id"]))["version"] == 2
    full = {k: v for k, v in a.json.items() if k not in ("id", "links", "deterministic")}
    full["name"] = "renamed"
    assert stack.http("PUT", one, full).json["name"] == "renamed"
    assert stack.http("POST", path, dict(body)).status == 201  # the old name is free
    for k in full:
        assert stack.http("PUT", one, {x: v for x, v in full.items() if x != k}).status == 422, k
    assert stack.http("PATCH", one, {"name": "cpu high"}).status == 409
    for bad in ({"match_by": ["x"]}, {"expression": "max(cpu{hostname=h1}) > 90"},
                {"expression": "max(cpu{hostname=h2}) > 90 and avg(mem) > 5"}):
        a = stack.http("PATCH", one, bad)
        assert a.status == 422 and a.json["title"] == "InvalidUpdateException", a
    assert stack.http("PATCH", one, {"expression": "max(cpu{hostname=h1}) > 9 or avg(mem) > 5"}
                      ).status == 200
    # Lists.
    for i, sev in enumerate(("LOW", "MEDIUM", "HIGH")):
        assert stack.http("POST", path, {"name": f"n{i}", "expression": f"max(m{i}) > 1",
                                         "severity": sev}).status == 201
    names = [e["name"] for e in stack.http("GET", path + "?sort_by=severity,name").json["elements"]]
    assert names == ["renamed", "cpu high", "n2", "n0", "n1"]
    assert [e["name"] for e in stack.http("GET", q(path, sort_by="name desc", limit=2, offset=1))
            .json["elements"]] == ["n2", "n1"]
    assert len(stack.http("GET", q(path, name="n1")).json["elements"]) == 1
    assert len(stack.http("GET", q(path, severity="low|medium")).json["elements"]) == 2
    assert len(stack.http("GET", q(path, dimensions="hostname:h1")).json["elements"]) == 2
    for bad in ("severity=X", "sort_by=color", "sort_by=name up", "offset=x", "limit=x"):
        assert stack.http("GET", path + "?" + bad.replace(" ", "+")).status == 422, bad
    # Delete.
    assert stack.http("DELETE", one).status == 204
    for method, payload in (("GET", None), ("DELETE", None), ("PATCH", {"name": "q"}), ("PUT", full)):
        assert stack.http(method, one, payload).status == 404
    assert stack.http("POST", path, full).status == 201


def test_concurrent_creation_gives_one_definition(stack):
    stack.start("collector")
    stack.token()
    answers = []

    def create():
        answers.append(stack.http("POST", "/v2.0/alarm-definitions",
                                  {"name": "same", "expression": "max(x) > 1"}).status)
    threads = [threading.Thread(target=create) for _ in range(12)]
    for th in threads:
        th.start()
    for th in threads:
        th.join()
    assert sorted(answers) == [201] + [409] * 11
    assert stack.redis.cmd("HLEN", "hale:{m}:definitions") == 1
    assert stack.redis.cmd("HLEN", "hale:{m}:defnames") == 1


# --- events ---------------------------------------------------------------------------------------

def test_events(stack):
    stack.start("collector")
    good = {"type": "vnfc.down", "time": "2026-11-21T10:11:12.123Z", "severity": "MAJOR",
            "dimensions": {"vnf_id": "v1"}, "details": {"x": [1]}}
    doctor = {"time": now_ms(), "type": "compute.host.down",
              "details": {"hostname": "compute-1", "status": "down", "monitor": "m", "severity":
                          "critical"}}
    for n, body in ((1, good), (2, [good, doctor]), (1, {"event": doctor}), (2, {"events": [good] * 2})):
        a = stack.http("POST", "/v1/events", body, role="agent")
        assert a.status == 200 and a.json == {"accepted": n}, (body, a)
    assert stack.http("PUT", "/events", [doctor], role="agent").json == {"accepted": 1}
    rows = [json.loads(e[1][1]) for e in stack.redis.cmd("XRANGE", "hale:{m}:events", "-", "+")]
    assert len(rows) == 7
    assert rows[0]["severity"] == "HIGH" and rows[0]["status"] == "raise"
    assert rows[0]["time_ms"] == 1795255872123 and rows[0]["tenant"] == "default"
    assert rows[2]["dimensions"] == {"hostname": "compute-1"} and rows[2]["severity"] == "CRITICAL"
    assert rows[0]["accepted_us"] > 10**15
    clear = stack.http("POST", "/v1/events", dict(good, status="resolved"))
    assert clear.status == 200
    assert json.loads(stack.redis.cmd("XREVRANGE", "hale:{m}:events", "+", "-", "COUNT", 1)[0][1][1]
                      )["status"] == "clear"
    for bad, status in ((b"{", 400), (b"", 400), (b"null", 422), ([], 422), ({}, 422), ("x", 422),
                        ({"type": "t"}, 422), ({"type": "t", "dimensions": {}}, 422),
                        ({"type": "a b", "dimensions": {"a": "b"}}, 422),
                        ({"type": 5, "dimensions": {"a": "b"}}, 422),
                        ({"type": "t", "dimensions": {"a": 5}}, 422),
                        ({"type": "t", "dimensions": {"a": "b"}, "severity": "odd"}, 422),
                        ({"type": "t", "dimensions": {"a": "b"}, "status": "odd"}, 422),
                        ({"type": "t", "dimensions": {"a": "b"}, "time": "odd"}, 422),
                        ({"type": "t", "dimensions": {"a": "b"}, "details": []}, 422),
                        ({"type": "t", "dimensions": {"a": "b"}, "details": {"x": "y" * 70000}}, 422),
                        ([good] * 1001, 422), ([good, {"type": "t"}], 422)):
        assert stack.http("POST", "/v1/events", bad).status == status, str(bad)[:200]
    assert stack.redis.cmd("XLEN", "hale:{m}:events") == 8
    assert stack.http("POST", "/v1/events", good, role="read-only").status == 401
    assert stack.http("GET", "/v1/events").status == 405
    assert stack.http("GET", "/v1/events").headers["allow"] == "POST, PUT"


# --- alarms: a stand-in writes what the correlator would ------------------------------------------

def ids(answer):
    assert answer.status == 200, answer
    assert set(answer.json) == {"links", "elements"}
    return [e["id"] for e in answer.json["elements"]]


def test_alarm_lists(stack):
    cor = Correlator(stack.redis)
    early = cor.alarm("ALARM", name="early", severity="CRITICAL")  # before the collector's start
    stack.start("collector")
    t = early["created_ms"]
    rest = [cor.alarm("OK", name="b", severity="LOW", host="h2", link="http://x", created_ms=t + 1),
            cor.alarm("UNDETERMINED", name="a", severity="HIGH", host="h3", created_ms=t + 2,
                      lifecycle_state="OPEN")]
    cor.alarm(tenant="other")
    mine = [early] + rest
    path = "/v2.0/alarms"
    wait_for(lambda: len(ids(stack.http("GET", path))) == 3, 10, "three alarms")
    a = stack.http("GET", path)
    assert ids(a) == sorted(x["id"] for x in mine)
    assert all(set(e) == ALARM_KEYS for e in a.json["elements"])
    e = [x for x in a.json["elements"] if x["id"] == early["id"]][0]
    assert set(e["alarm_definition"]) == {"id", "name", "severity", "links"}
    assert e["metrics"] == early["metrics"] and e["state"] == "ALARM"
    assert e["state_updated_timestamp"] == iso(early["state_updated_ms"])
    order = {"early": early["id"], "b": rest[0]["id"], "a": rest[1]["id"]}
    for sort, names in (("alarm_definition_name", "a b early"), ("state", "b a early"),
                        ("severity desc", "early a b"), ("severity", "b a early"),
                        ("created_timestamp desc,alarm_id", "a b early")):
        assert ids(stack.http("GET", q(path, sort_by=sort))) == [order[n] for n in names.split()], sort
    for params, names in (({"state": "alarm"}, "early"), ({"severity": "LOW|high"}, "b a"),
                          ({"alarm_definition_id": "def-b"}, "b"), ({"metric_name": "cpu"}, "early b a"),
                          ({"metric_name": "none"}, ""), ({"metric_dimensions": "hostname:h2"}, "b"),
                          ({"metric_dimensions": "hostname:h2|h3"}, "b a"), ({"link": "http://x"}, "b"),
                          ({"metric_dimensions": "hostname"}, "early b a"),
                          ({"lifecycle_state": "OPEN"}, "a"),
                          ({"state_updated_start_time": "2030-01-01T00:00:00Z"}, ""),
                          ({"state_updated_timestamp": "x"}, "early b a")):
        assert sorted(ids(stack.http("GET", q(path, **params)))) == sorted(
            order[n] for n in names.split()), params
    page = stack.http("GET", q(path, sort_by="severity desc", limit=1, offset=1))
    assert ids(page) == [order["a"]] and "offset=2" in page.json["links"][1]["href"]
    for bad in ("state=x", "severity=x", "sort_by=x", "offset=x", "limit=0",
                "metric_dimensions=" + "k" * 256, "state_updated_start_time=x"):
        assert stack.http("GET", path + "?" + bad).status == 422, bad
    one = stack.http("GET", f"{path}/{early['id']}")
    assert one.status == 200 and set(one.json) == ALARM_KEYS
    assert stack.http("GET", f"{path}/{uuid.uuid4()}").status == 404
    assert stack.http("GET", f"{path}/{early['id']}", tenant="other").status == 404
    # Counts.
    c = stack.http("GET", path + "/count").json
    assert set(c) == {"links", "columns", "counts"} and c["counts"] == [[3]]
    c = stack.http("GET", path + "/count?group_by=state,severity").json
    assert c["columns"] == ["count", "state", "severity"]
    assert c["counts"] == [[1, "ALARM", "CRITICAL"], [1, "OK", "LOW"], [1, "UNDETERMINED", "HIGH"]]
    c = stack.http("GET", path + "/count?group_by=dimension_name,dimension_value&state=OK").json
    assert c["counts"] == [[1, "hostname", "h2"]]
    assert stack.http("GET", path + "/count?metric_name=no&group_by=state").json["counts"] == [[0, None]]
    assert stack.http("GET", path + "/count?group_by=x").status == 422
    s = stack.http("GET", "/v1/status").json
    assert set(s) == {"version", "time_ms", "tenant", "roles", "daemons", "redis", "series", "alarms"}
    stack.redis.cmd("SET", "hale:{m}:health:hale-thresholds", '{"status":"ok"}', "EX", 10)
    wait_for(lambda: set(stack.http("GET", "/v1/status").json["daemons"]) ==
             {"collector", "thresholds"}, 10, "health of both")
    assert s["tenant"] == "default" and s["roles"] == ["operator"] and s["redis"]["ok"] is True
    assert s["alarms"] == {"OK": 1, "ALARM": 1, "UNDETERMINED": 1}


def test_alarm_changes(stack):
    cor = Correlator(stack.redis)
    stack.start("collector")
    a = cor.alarm("ALARM")
    path = f"/v2.0/alarms/{a['id']}"
    wait_for(lambda: stack.http("GET", path).status == 200, 10, "the alarm")
    full = {"state": "OK", "lifecycle_state": "ACK", "link": "http://t/1"}
    for bad in (b"[]", {"state": "odd"}, {"state": 5}, {"lifecycle_state": "x" * 51},
                {"link": "x" * 513}):
        assert stack.http("PATCH", path, bad).status == 422, bad
    for k in full:
        assert stack.http("PUT", path, {x: v for x, v in full.items() if x != k}).status == 422
        assert stack.http("PUT", path, dict(full, **{k: ""})).status == 422
    assert stack.http("PATCH", path, b"{").status == 400
    # Nobody obeys: 503, and the wish stays recorded.
    b = stack.http("PATCH", path, {"link": "http://t/0"})
    assert b.status == 503 and "retry-after" in b.headers
    cor.serve()
    try:
        b = stack.http("PUT", path, full)
        assert b.status == 200 and {k: b.json[k] for k in full} == full, b
        b = stack.http("PATCH", path, {"lifecycle_state": "RESOLVED", "state": None})
        assert b.status == 200 and b.json["lifecycle_state"] == "RESOLVED" and b.json["state"] == "OK"
        gone = f"/v2.0/alarms/{uuid.uuid4()}"
        assert stack.http("PATCH", gone, {"state": "OK"}).status == 404
        assert stack.http("DELETE", gone).status == 404
        assert len(stack.http("GET", path + "/state-history").json["elements"]) == 1
        assert stack.http("DELETE", path, tenant="other").status == 404
        assert stack.http("DELETE", path).status == 204
        assert stack.http("GET", path).status == 404
        assert stack.http("GET", path + "/state-history").status == 404
        assert stack.http("GET", "/v2.0/alarms/state-history").json["elements"] == []
    finally:
        cor.stop()


def test_state_history_and_logs(stack):
    cor = Correlator(stack.redis)
    base = now_ms() - 60000
    a = cor.alarm("OK", host="h1")
    for i, s in enumerate(("ALARM", "OK", "ALARM")):
        cor.transition(a["id"], s, base + 1000 * i)
    stack.start("collector")  # the index is built backwards from the log
    b = cor.alarm("OK", host="h2")
    cor.transition(b["id"], "ALARM", base + 5000)
    other = cor.alarm("OK", tenant="other")
    cor.transition(other["id"], "ALARM", base + 6000)
    path = "/v2.0/alarms/state-history"

    def rows(p=path, **params):
        r = stack.http("GET", q(p, **params))
        assert r.status == 200, r
        return r.json["elements"]
    wait_for(lambda: len(rows()) == 4, 10, "four transitions")
    r = rows()
    assert set(r[0]) == {"id", "alarm_id", "metrics", "old_state", "new_state", "reason",
                         "reason_data", "timestamp", "sub_alarms"}
    assert [x["timestamp"] for x in r] == [iso(base + k) for k in (0, 1000, 2000, 5000)]
    assert r[0]["id"] == str(base) and r[0]["metrics"][0]["id"] is None
    assert (r[0]["old_state"], r[0]["new_state"]) == ("OK", "ALARM")
    assert len(rows(start_time=iso(base + 1000), end_time=iso(base + 2000))) == 2  # both inclusive
    assert len(rows(dimensions="hostname:h2")) == 1
    assert len(rows(offset=iso(base + 1000))) == 2 and len(rows(offset=str(base))) == 3
    assert len(rows(offset=0)) == 4
    assert len(rows(f"/v2.0/alarms/{a['id']}/state-history/")) == 3
    page = stack.http("GET", q(path, limit=3))
    nxt = urllib.parse.urlparse(page.json["links"][1]["href"]).query
    assert len(stack.http("GET", path + "?" + nxt).json["elements"]) == 1
    for bad in ("start_time=x", "offset=x", "limit=x", "dimensions=" + "x" * 256):
        assert stack.http("GET", path + "?" + bad).status == 422
    # Hale's own logs.
    log = stack.http("GET", "/v1/alarm-log").json["elements"]
    assert [x["seq"] for x in log] == [1, 2, 3, 4, 5, 6]
    assert [x["seq"] for x in stack.http("GET", "/v1/alarm-log?limit=2").json["elements"]] == [5, 6]
    assert [x["seq"] for x in stack.http("GET", "/v1/alarm-log?after=2&limit=2").json["elements"]] == [3, 4]
    assert [x["seq"] for x in stack.http("GET", "/v1/alarm-log?before=3").json["elements"]] == [1, 2]
    assert [x["seq"] for x in stack.http("GET", f"/v1/alarm-log?alarm_id={b['id']}").json["elements"]] == [5, 6]
    j = [cor.journal(a["id"]), cor.journal(b["id"]), cor.journal(a["id"], tenant="other")]
    assert [x["id"] for x in stack.http("GET", "/v1/journal").json["elements"]] == j[:2]
    assert [x["id"] for x in stack.http("GET", f"/v1/journal?alarm_id={b['id']}").json["elements"]] == [j[1]]
    assert [x["id"] for x in stack.http("GET", f"/v1/journal?after={j[0]}").json["elements"]] == [j[1]]
    for bad in ("/v1/alarm-log?after=x", "/v1/journal?after=x", "/v1/journal?limit=0"):
        assert stack.http("GET", bad).status == 422
    s = stack.http("GET", f"/v1/alarms/{a['id']}").json
    assert s["alarm"]["id"] == a["id"] and s["last"]["seq"] == 4 and s["last"]["evidence"]
    assert [x["id"] for x in s["journal"]] == [j[0]]
    assert stack.http("GET", f"/v1/alarms/{uuid.uuid4()}").status == 404


# --- live -----------------------------------------------------------------------------------------

def test_live_resumes_without_gap_or_repetition(stack):
    cor = Correlator(stack.redis)
    a = cor.alarm("OK")
    other = cor.alarm("OK", tenant="other")
    stack.start("collector")
    stack.token("operator", "other")
    live = Live(stack)
    hello = live.next()
    assert hello["event"] == "hello" and hello["first"] == "event"
    assert json.loads(hello["data"])["id"].startswith("2.")
    cor.transition(a["id"], "ALARM")
    e = live.next()
    assert e["event"] == "alarm" and e["id"].startswith("3.") and json.loads(e["data"])["seq"] == 3
    cor.transition(other["id"], "ALARM")  # not for this tenant
    j = cor.journal(a["id"])
    e = live.next()
    assert e["event"] == "action" and e["id"] == f"4.{j}" and json.loads(e["data"])["id"] == j
    live.close()
    last = e["id"]
    # Much happens while nobody listens; the rest while catching up.
    want = []
    for i in range(700):
        cor.transition(a["id"], "OK" if i % 2 == 0 else "ALARM")
        want.append(("alarm", cor.seq))
        if i % 10 == 0:
            cor.transition(other["id"], "OK" if i % 20 == 0 else "ALARM")
    jids = [cor.journal(a["id"]) for _ in range(150)]
    stop = threading.Event()
    writer = Correlator(type(stack.redis)(stack.redis.dir))
    writer.seq, writer.alarms = cor.seq, cor.alarms

    def more():
        for i in range(300):
            writer.transition(a["id"], "OK" if i % 2 == 0 else "ALARM")
        stop.set()
    th = threading.Thread(target=more)
    live = Live(stack, last)
    th.start()
    assert live.next()["event"] == "hello"
    seqs, actions = [], []
    while not (stop.is_set() and seqs and seqs[-1] == writer.seq and len(actions) == 150):
        e = live.next()
        d = json.loads(e["data"])
        if e["event"] == "alarm":
            seqs.append(d["seq"])
        else:
            actions.append(d["id"])
    th.join()
    live.close()
    foreign = {r["seq"] for r in stack.http("GET", "/v1/alarm-log?limit=1000", tenant="other")
               .json["elements"]}
    assert seqs == [s for s in range(5, writer.seq + 1) if s not in foreign]
    assert actions == jids
    # From the oldest kept, by query parameter; the other tenant sees only its own.
    live = Live(stack, "0.0-0", header=False, tenant="other")
    live.next()
    assert json.loads(live.next()["data"])["alarm"]["tenant"] == "other"
    live.close()
    h = {"Last-Event-ID": "nonsense"}
    assert stack.http("GET", "/v1/live", headers=h).status == 422
    assert stack.http("GET", "/v1/live", role="agent").status == 401


def test_live_survives_the_collector(stack):
    cor = Correlator(stack.redis)
    a = cor.alarm("OK")
    stack.start("collector")
    live = Live(stack)
    live.next()
    cor.transition(a["id"], "ALARM")
    last = live.next()["id"]
    stack.kill9("collector")
    live.close()
    cor.transition(a["id"], "OK")
    stack.restart("collector")
    live = Live(stack, last)
    live.next()
    assert json.loads(live.next()["data"])["alarm"]["state"] == "OK"
    live.close()
