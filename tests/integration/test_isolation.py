# SPDX-License-Identifier: Apache-2.0
"""No tenant sees, counts, changes or tells from nonexistent what belongs to another: every route of
collector/routes.c, which is read here, so that a route without a case fails."""
import hashlib
import http.client
import json
import re
import secrets
import struct
import uuid

import pytest

from collector_kit import ISO0, Correlator, iso, now_ms
from conftest import ROOT, to_yaml, wait_for

A, B = "tenant-a", "tenant-b"
NEEDLE = {A: "needle-of-a", B: "needle-of-b"}  # in every name, dimension and text of its tenant
ROLES = {"OPEN": set(), "WRITE": {"operator"}, "READ": {"operator", "read-only"},
         "FEED": {"operator", "agent"}, "ASK": {"operator", "read-only", "agent"}}
EVERY_ROLE = {"operator", "agent", "read-only", "delegate"}
NOBODY = str(uuid.UUID(int=0))
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}


def routes():
    text = (ROOT / "collector" / "routes.c").read_text()
    found = re.findall(r'^\s*\{"([A-Z]+)",\s*"([^"]+)",\s*(\w+),\s*\w+,\s*\w+\},', text, re.M)
    assert len(found) == len(re.findall(r'^\s*\{"', text, re.M)) > 50, "routes.c is not understood"
    return [((method, path), ROLES[roles]) for method, path, roles in found]


# --- what each form of samples looks like ----------------------------------------------------------
def snappy(data):
    n, head = len(data), bytearray()
    while n > 0x7F:
        head.append(n & 0x7F | 0x80)
        n >>= 7
    head.append(n)
    return bytes(head) + bytes([61 << 2]) + struct.pack("<H", len(data) - 1) + data


def field(number, data):
    return bytes([number << 3 | 2, len(data)]) + data


def remote_write(name):
    def label(k, v):
        return field(1, field(1, k.encode()) + field(2, v.encode()))
    sample = field(2, b"\x09" + struct.pack("<d", 1.0) + b"\x10" + varint(now_ms()))
    return snappy(field(1, label("__name__", name.replace("-", "_")) + label("host", name) + sample))


def varint(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes(out + bytes([n]))


def otlp(name):
    point = {"timeUnixNano": str(now_ms() * 1000000), "asDouble": 1.0,
             "attributes": [{"key": "host", "value": {"stringValue": name}}]}
    return {"resourceMetrics": [{"scopeMetrics": [{"metrics": [
        {"name": "otlp." + name, "gauge": {"dataPoints": [point]}}]}]}]}


def event(name):
    return {"type": "x.down", "dimensions": {"host": name}, "details": {"text": name}}


def alert(name):
    return [{"labels": {"alertname": "x.down", "host": name}, "annotations": {"text": name}}]


def ves(name):
    return {"commonEventHeader": {"domain": "fault", "sourceName": name,
                                  "lastEpochMicrosec": now_ms() * 1000},
            "faultFields": {"alarmCondition": "x.down", "eventSeverity": "MAJOR",
                            "eventSourceType": "host", "specificProblem": name}}


def collectd(name):
    return [{"values": [1.0], "dstypes": ["gauge"], "dsnames": ["value"], "time": now_ms() / 1000,
             "interval": 10, "host": name, "plugin": "load", "plugin_instance": "", "type": "load",
             "type_instance": ""}]


def metric(name):
    return [{"name": "m." + name, "dimensions": {"host": name}, "timestamp": now_ms(), "value": 1.0,
             "value_meta": {"text": name}}]


def definition(name):
    return {"name": "d." + name, "expression": f"max(m.{name}) > 100", "description": name,
            "match_by": ["host"], "severity": "LOW", "actions_enabled": True, "ok_actions": [],
            "alarm_actions": [], "undetermined_actions": []}


def silence(name):
    return {"matchers": ["host=" + name], "for": "1h", "reason": name}


def am_silence(name):
    return {"matchers": [{"name": "host", "value": name, "isRegex": False}], "comment": name,
            "startsAt": "2026-01-01T00:00:00Z", "endsAt": iso(now_ms() + 3600000), "createdBy": "x"}


def method(name):
    return {"name": "n." + name, "type": "WEBHOOK", "address": f"http://{name}.example.org/",
            "period": 0}


def aodh(name):
    return {"name": name, "type": "event", "alarm_actions": ["http://%s.example.org/x" % name], "event_rule": {
        "query": [{"field": "traits.instance_id", "op": "eq", "value": name}]}}


def notifier(name):
    return {"fault_action": f"http://{name}/x/vnf_instances/v/servers/{NOBODY}/notify", "fault_id": ["1234"]}


def upkeep(name):
    return {"alarm_id": NOBODY, "reason_data": {"type": "event", "event": {
        "event_type": "maintenance.host", "traits": [["host", 1, name], ["state", 1, "IN_MAINTENANCE"]]}}}


def session(name):
    return {"state": "MAINTENANCE", "maintenance_at": "2126-01-01 00:00:00", "hosts": [name],
            "workflow": "default", "metadata": {"text": name}}


# --- the cases: how each route is called -------------------------------------------------------------
# get: query of a reading call, with {needle} where it asks for A's things by name; id: what {id} is;
# body: of the tenant whose needle it gets; feed: brings samples; wait: does not answer at once.
TIME = f"start_time={ISO0}"
CASES = {
    ("GET", "/v2.0/metrics"): {"get": ["", "?name=m.{needle}", "?dimensions=host:{needle}"]},
    ("GET", "/v2.0/metrics/measurements"): {"get": [
        f"?name=m.{{needle}}&{TIME}", f"?name=m.{{needle}}&{TIME}&merge_metrics=true",
        f"?name=m.{{needle}}&{TIME}&group_by=*"]},
    ("GET", "/v2.0/metrics/statistics"): {"get": [
        f"?name=m.{{needle}}&{TIME}&statistics=avg,count&period=3600&merge_metrics=true",
        f"?name=m.{{needle}}&{TIME}&statistics=count&group_by=*"]},
    ("GET", "/v2.0/metrics/names"): {"get": ["", "?dimensions=host:{needle}"]},
    ("GET", "/v2.0/metrics/dimensions/names"): {"get": ["", "?metric_name=m.{needle}"]},
    ("GET", "/v2.0/metrics/dimensions/names/values"): {
        "get": ["?dimension_name=host", "?dimension_name=host&metric_name=m.{needle}"]},
    ("GET", "/v2.0/notification-methods"): {"get": ["", "?sort_by=name&limit=1"]},
    ("POST", "/v2.0/notification-methods"): {"body": method},
    ("GET", "/v2.0/notification-methods/types"): {"get": [""]},
    ("GET", "/v2.0/notification-methods/{id}"): {"get": [""], "id": "method"},
    ("PUT", "/v2.0/notification-methods/{id}"): {"body": method, "id": "method"},
    ("PATCH", "/v2.0/notification-methods/{id}"): {"body": lambda n: {"name": n}, "id": "method"},
    ("DELETE", "/v2.0/notification-methods/{id}"): {"id": "method"},
    ("GET", "/v1/notification-methods/{id}/secret"): {"get": [""], "id": "method"},
    ("GET", "/v2.0/alarm-definitions"): {"get": ["", "?name=d.{needle}", "?dimensions=host:{needle}",
                                                 "?sort_by=name&limit=1"]},
    ("POST", "/v2.0/alarm-definitions"): {"body": definition},
    ("GET", "/v2.0/alarm-definitions/{id}"): {"get": [""], "id": "definition"},
    ("PUT", "/v2.0/alarm-definitions/{id}"): {"body": definition, "id": "definition"},
    ("PATCH", "/v2.0/alarm-definitions/{id}"): {"body": lambda n: {"name": n}, "id": "definition"},
    ("DELETE", "/v2.0/alarm-definitions/{id}"): {"id": "definition"},
    ("GET", "/v2.0/alarms"): {"get": [
        "", "?metric_name=cpu", "?metric_dimensions=host:{needle}", "?state=ALARM",
        "?alarm_definition_id={definition}", "?sort_by=state&limit=1"]},
    ("GET", "/v2.0/alarms/count"): {"get": ["", "?group_by=state,dimension_value",
                                            "?alarm_definition_id={definition}"]},
    ("GET", "/v2.0/alarms/state-history"): {"get": ["", f"?{TIME}", "?dimensions=host:{needle}"]},
    ("GET", "/v2.0/alarms/{id}"): {"get": [""], "id": "alarm"},
    ("PUT", "/v2.0/alarms/{id}"): {"id": "alarm", "body": lambda n: {
        "state": "OK", "lifecycle_state": n, "link": "http://" + n}},
    ("PATCH", "/v2.0/alarms/{id}"): {"body": lambda n: {"lifecycle_state": n}, "id": "alarm"},
    ("DELETE", "/v2.0/alarms/{id}"): {"id": "alarm"},
    ("GET", "/v2.0/alarms/{id}/state-history"): {"get": [""], "id": "alarm"},
    ("POST", "/maintenance"): {"body": upkeep},
    ("GET", "/fenix/v1/maintenance"): {"get": [""]},
    ("POST", "/fenix/v1/maintenance"): {"body": session},
    **{case: what for root in ("/maintenance", "/fenix/v1/maintenance") for case, what in {
        ("GET", root + "/{id}"): {"get": [""], "id": "session"},
        ("PUT", root + "/{id}"): {"body": lambda n: {"state": "MAINTENANCE_COMPLETE", "host": n}, "id": "session"},
        ("DELETE", root + "/{id}"): {"id": "session"},
        **{("GET", root + "/{id}/{id}" + more): {
            "get": [""], "id": "session", "path": root + "/{id}/" + A + more.replace("{id}", "vm-1")}
           for more in ("", "/{id}")},
        **{("PUT", root + "/{id}/{id}" + more): {
            "body": lambda n: {"state": "ACK_MAINTENANCE"}, "id": "session",
            "path": root + "/{id}/" + A + more.replace("{id}", "vm-1")} for more in ("", "/{id}")}}.items()},
    # One's own constraints are made by PUT: test_actuator_upkeep.py has them with two tenants.
    **{case: what for kind in ("instance", "instance_group") for case, what in {
        ("GET", f"/fenix/v1/{kind}/{{id}}"): {"get": [""], "id": "constraint"},
        ("PUT", f"/fenix/v1/{kind}/{{id}}"): {"body": lambda n: {"instance_id": n}},
        ("DELETE", f"/fenix/v1/{kind}/{{id}}"): {"id": "constraint"}}.items()},
    ("GET", "/v2/alarms"): {"get": ["", "?q.field=name&q.value={needle}", "?limit=1"]},
    ("POST", "/v2/alarms"): {"body": aodh},
    ("GET", "/v2/alarms/{id}"): {"get": [""], "id": "aodh"},
    ("PUT", "/v2/alarms/{id}"): {"body": aodh, "id": "aodh"},
    ("DELETE", "/v2/alarms/{id}"): {"id": "aodh"},
    ("GET", "/v2/alarms/{id}/state"): {"get": [""], "id": "aodh"},
    ("PUT", "/v2/alarms/{id}/state"): {"body": lambda n: b'"ok"', "id": "aodh"},
    ("GET", "/v2/{id}/servers/{id}/alarms"): {"get": [""], "path": f"/v2/nfv/servers/{NOBODY}/alarms"},
    ("POST", "/v2/{id}/servers/{id}/alarms"): {"body": notifier, "path": f"/v2/nfv/servers/{NOBODY}/alarms"},
    ("DELETE", "/v2/{id}/servers/{id}/alarms/{id}"): {"id": "notifier",
                                                      "path": f"/v2/nfv/servers/{NOBODY}/alarms/{{id}}"},
    ("GET", "/v1/silences"): {"get": [""]},
    ("POST", "/v1/silences"): {"body": silence},
    ("GET", "/v1/silences/{id}"): {"get": [""], "id": "silence"},
    ("PUT", "/v1/silences/{id}"): {"body": silence, "id": "silence"},
    ("DELETE", "/v1/silences/{id}"): {"id": "silence"},
    ("GET", "/v1/maintenance"): {"get": [""]},
    ("POST", "/v1/maintenance"): {"body": silence},
    ("GET", "/v1/maintenance/{id}"): {"get": [""], "id": "maintenance"},
    ("PUT", "/v1/maintenance/{id}"): {"body": silence, "id": "maintenance"},
    ("DELETE", "/v1/maintenance/{id}"): {"id": "maintenance"},
    ("GET", "/api/v2/silences"): {"get": [""]},
    ("POST", "/api/v2/silences"): {"body": am_silence},
    ("GET", "/api/v2/silence/{id}"): {"get": [""], "id": "silence"},
    ("DELETE", "/api/v2/silence/{id}"): {"id": "silence"},
    ("GET", "/api/v2/dead-letters"): {"get": ["", "?recipient=subscriber/{needle}&from=1970-01-01T00:00:00Z"]},
    ("DELETE", "/api/v2/dead-letters"): {"drop": "?recipient=subscriber/{needle}"},
    ("POST", "/api/v2/dead-letters/replay"): {"drop": "?recipient=subscriber/{needle}"},
    ("GET", "/api/v2/dead-letters/{id}"): {"get": [""], "id": "letter"},
    ("DELETE", "/api/v2/dead-letters/{id}"): {"id": "letter"},
    ("POST", "/api/v2/dead-letters/{id}/replay"): {"id": "letter"},
    ("POST", "/v1/alarms/actions"): {"body": lambda n: {
        "action": "comment", "ids": [NOBODY], "comment": n}},
    ("POST", "/v1/alarms/{id}/ack"): {"body": lambda n: {"comment": n}, "id": "alarm"},
    ("POST", "/v1/alarms/{id}/unack"): {"body": lambda n: {}, "id": "alarm"},
    ("POST", "/v1/alarms/{id}/assign"): {"body": lambda n: {"owner": n}, "id": "alarm"},
    ("POST", "/v1/alarms/{id}/comment"): {"body": lambda n: {"comment": n}, "id": "alarm"},
    ("POST", "/v1/alarms/{id}/shelve"): {"body": lambda n: {"comment": n}, "id": "alarm"},
    ("POST", "/v1/alarms/{id}/unshelve"): {"body": lambda n: {}, "id": "alarm"},
    ("GET", "/v1/alarm-log"): {"get": ["", "?after=0", "?alarm_id={alarm}"]},
    ("GET", "/v1/journal"): {"get": ["", "?after=0-0", "?alarm_id={alarm}"]},
    ("GET", "/v1/journal/chain"): {"get": ["", "?after=0-1&limit=1"]},
    ("GET", "/v1/runs"): {"get": ["", "?policy=p.{needle}", "?state=proposed&limit=1", "?alarm={alarm}"]},
    ("GET", "/v1/runs/{id}"): {"get": [""], "id": "run"},
    ("POST", "/v1/runs/{id}/approve"): {"body": lambda n: {"comment": n}, "id": "run"},
    ("POST", "/v1/runs/{id}/reject"): {"body": lambda n: {"comment": n}, "id": "run"},
    ("POST", "/v1/runs/{id}/acknowledge"): {"body": lambda n: {"comment": n}, "id": "run"},
    ("POST", "/v1/runs/{id}/abort"): {"body": lambda n: {"comment": n}, "id": "run"},
    # Policies and their switches are the house's: test_runs_api.py says who may.
    ("GET", "/v1/switches"): {"get": [""]},
    ("GET", "/v1/policies"): {"get": [""]},
    **{("GET", "/v1/switches/" + s): {} for s in ("all", "site/{id}", "policy/{id}")},
    **{("PUT", "/v1/switches/" + s): {"body": lambda n: {}} for s in ("all", "site/{id}", "policy/{id}")},
    **{("DELETE", "/v1/switches/" + s): {} for s in ("all", "site/{id}", "policy/{id}")},
    ("POST", "/v1/policies/{id}/unlatch"): {},
    ("GET", "/v1/alarms/{id}"): {"get": [""], "id": "alarm"},
    ("GET", "/v1/alarms/{id}/why"): {"get": [""], "id": "alarm"},
    ("GET", "/v1/alarm-definitions/{id}/why"): {"get": ["", "?group=host:{needle}"], "id": "definition"},
    ("GET", "/v1/status"): {"get": [""]},
    ("GET", "/v1/topology"): {"get": ["", "?name={needle}", "?ref=vm/{needle}&type=vm",
                                      "?source=nova&state=up"]},
    ("POST", "/v1/topology"): {"body": lambda n: {"put": [{"type": "vm", "id": n}]}},
    ("POST", "/v1/topology/check"): {"body": lambda n: {"delete": ["vm/" + n]}, "reads": True},
    ("GET", "/v1/topology/sources"): {"get": [""]},
    ("GET", "/v1/topology/dependents"): {"get": ["?ref=host/{needle}"]},
    ("GET", "/v1/topology/supports"): {"get": ["?ref=vm/{needle}"]},
    ("GET", "/v1/topology/{id}/{id}"): {"get": [""], "id": "entity", "path": "/v1/topology/{id}"},
    # Makes what is not there: test_topology_api.py has it with two tenants.
    ("PUT", "/v1/topology/{id}/{id}"): {"body": lambda n: {"colour": n},
                                        "path": "/v1/topology/vm/{id}"},
    ("PATCH", "/v1/topology/{id}/{id}"): {"body": lambda n: {"name": n}, "id": "entity",
                                          "path": "/v1/topology/{id}"},
    ("DELETE", "/v1/topology/{id}/{id}"): {"id": "entity", "path": "/v1/topology/{id}"},
    ("GET", "/v1/topology/{id}/{id}/dependents"): {"get": [""], "id": "entity",
                                                   "path": "/v1/topology/{id}/dependents"},
    ("GET", "/v1/topology/{id}/{id}/supports"): {"get": [""], "id": "entity",
                                                 "path": "/v1/topology/{id}/supports"},
    ("GET", "/v1/series"): {"get": ["", "?name=m.{needle}", "?dimensions=host:{needle}"]},
    ("DELETE", "/v1/series"): {"drop": "?name=m.{needle}"},
    ("GET", "/v1/live"): {"wait": True},
    ("POST", "/v2.0/metrics"): {"body": metric, "feed": True},
    ("POST", "/api/v1/write"): {"body": remote_write, "feed": True, "headers": {
        "Content-Type": "application/x-protobuf", "Content-Encoding": "snappy",
        "X-Prometheus-Remote-Write-Version": "0.1.0"}},
    ("POST", "/v1/metrics"): {"body": otlp, "feed": True},
    ("POST", "/otlp/v1/metrics"): {"body": otlp, "feed": True},
    ("POST", "/write"): {"body": lambda n: f"influx,host={n} value=1 {now_ms() * 1000000}\n".encode(),
                         "feed": True},
    ("POST", "/api/v2/write"): {"body": lambda n: f"influx2,host={n} v=1 {now_ms() * 1000000}\n".encode(),
                                "feed": True},
    ("POST", "/collectd"): {"body": collectd, "feed": True},
    ("POST", "/v1/events"): {"body": event}, ("PUT", "/v1/events"): {"body": event},
    ("POST", "/events"): {"body": event}, ("PUT", "/events"): {"body": event},
    ("POST", "/v1/event"): {"body": event},
    ("POST", "/api/v2/alerts"): {"body": alert, "event": True},
    ("POST", "/eventListener/v7"): {"body": lambda n: {"event": ves(n)}, "event": True},
    ("POST", "/eventListener/v7/eventBatch"): {"body": lambda n: {"eventList": [ves(n)]}, "event": True},
    ("GET", "/api/v2/alerts"): {"get": [""]}, ("GET", "/api/v2/status"): {"get": [""]},
    ("GET", "/query"): {"get": ["?q=SHOW+DATABASES"]},
    ("POST", "/query"): {"body": lambda n: b"q=SHOW+DATABASES", "headers": FORM},
    ("GET", "/api/v1/query"): {"get": ["?query={{host=\"{needle}\"}}", "?query=count({{host!=\"\"}})"]},
    ("POST", "/api/v1/query"): {"body": lambda n: b'query=count({host!=""})', "headers": FORM,
                                "reads": True},
    ("GET", "/api/v1/query_range"): {"get": [
        "?query=count({{host!=\"\"}})&start={time}&end={time}&step=60"]},
    ("POST", "/api/v1/query_range"): {
        "body": lambda n: b'query=count({host!=""})&start=%d&end=%d&step=60' % ((after_now(),) * 2),
        "headers": FORM, "reads": True},
    ("GET", "/api/v1/series"): {"get": ["?match[]={{host!=\"\"}}", "?match[]={{host=\"{needle}\"}}"]},
    ("POST", "/api/v1/series"): {"body": lambda n: b'match[]={host!=""}', "headers": FORM,
                                 "reads": True},
    ("GET", "/api/v1/labels"): {"get": ["", "?match[]={{host=\"{needle}\"}}"]},
    ("POST", "/api/v1/labels"): {"body": lambda n: b"", "headers": FORM, "reads": True},
    ("GET", "/api/v1/label/{id}/values"): {"get": [""], "id": "label"},
    ("GET", "/api/v1/metadata"): {"get": [""]},
    ("GET", "/api/v1/status/buildinfo"): {"get": [""]},
    ("GET", "/api/v1/buildinfo"): {"get": [""]},
    ("GET", "/"): {}, ("GET", "/v2.0"): {}, ("GET", "/healthcheck"): {}, ("GET", "/healthz"): {},
    ("GET", "/metrics"): {}, ("GET", "/ping"): {},
}
ID = {"letter": NOBODY, "method": NOBODY, "definition": NOBODY, "alarm": NOBODY, "label": "host", "entity": "vm/" + NOBODY,
      "run": NOBODY, "session": NOBODY, "constraint": NOBODY}


def test_every_route_has_a_case():
    assert {r for r, _ in routes()} == set(CASES), "add a case to CASES of this file"


# --- a house with two tenants -------------------------------------------------------------------------
class World:
    def __init__(self, stack):
        self.stack, self.rows, self.text = stack, [], {}
        for tenant in (A, B):
            for role in EVERY_ROLE:
                self.add(role, tenant)
        self.add("delegate,operator", B)
        self.add("operator", A, "expired", expires="2020-01-01T00:00:00Z")
        file = stack.dir / "isolation.yaml"
        file.write_text(to_yaml({"tokens": self.rows}))
        secret = stack.dir / "notification.secret"
        secret.write_text(secrets.token_hex(32))
        stack.start("collector", {"tokens_file": str(file), "notification_secret_file": str(secret)})
        self.correlator = Correlator(stack.redis)
        self.correlator.serve()

    def add(self, roles, tenant, name=None, **more):
        text = secrets.token_hex(16)
        self.text[(name or roles, tenant)] = text
        self.rows.append(dict({"name": f"{name or roles}-{tenant}".replace(",", "-"), "tenant": tenant,
                               "roles": roles.split(","),
                               "sha256": hashlib.sha256(text.encode()).hexdigest()}, **more))

    def call(self, key, who=("operator", B), query="", ids=ID, needle=NEEDLE[A], token=None):
        method, path = key
        case = CASES[key]
        body = case["body"](needle) if "body" in case else None
        path = case.get("path", path).replace("{id}", ids.get(case.get("id"), NOBODY)) + query
        return self.stack.http(method, path.replace(" ", "%20").replace('"', "%22"), body,
                               token=token if token is not None else (self.text[who] if who else None),
                               role=None, headers=dict(case.get("headers", {})))

    def fill(self, tenant):
        """Something of every kind for the tenant; its ids by kind."""
        n = NEEDLE[tenant]
        who = ("operator", tenant)
        for key, case in CASES.items():
            if case.get("feed") or case.get("event") or key[1].endswith("/events"):
                a = self.call(key, who, needle=n)
                assert a.status in (200, 202, 204), (key, a)
        d = self.call(("POST", "/v2.0/alarm-definitions"), who, needle=n)
        m = self.call(("POST", "/v2.0/notification-methods"), who, needle=n)
        s = self.call(("POST", "/v1/silences"), who, needle=n)
        w = self.call(("POST", "/v1/maintenance"), who, needle=n)
        e = self.call(("POST", "/v2/alarms"), who, needle=n)
        r = self.call(("POST", "/v2/{id}/servers/{id}/alarms"), who, needle=n)
        assert {x.status for x in (d, m, s, w, e, r)} == {201}, (d, m, s, w, e, r)
        alarm = self.correlator.alarm("ALARM", tenant, name=n, host=n, definition_id=d.json["id"],
                                      group={"host": n}, metrics=[
                                          {"name": "cpu", "dimensions": {"host": n}}])
        self.correlator.transition(alarm["id"], "OK")
        self.correlator.transition(alarm["id"], "ALARM")
        self.correlator.journal(alarm["id"], tenant, n)
        run = str(uuid.uuid4())
        self.stack.redis.cmd("HSET", "hale:{m}:runs", run, json.dumps(
            {"v": 1, "id": run, "tenant": tenant, "policy": "p." + n, "target": n, "alarm_id": alarm["id"],
             "state": "proposed", "held": True, "outcome": "", "born_us": 1, "plan": [], "expires_us": 0}))
        self.add_entity(tenant, "host", n)
        self.add_entity(tenant, "vm", n, hosted_by=["host/" + n])
        self.stack.redis.cmd("HSET", "hale:{m}:entities", f"{tenant}\0\0{n}", json.dumps({"source": n}))
        self.stack.redis.cmd("XADD", "hale:{m}:entitylog", "*", "j", f"{tenant}\0\0{n}")
        letter = self.add_letter(tenant, n)
        ids = {"letter": letter, "definition": d.json["id"], "method": m.json["id"], "silence": s.json["id"],
               "maintenance": w.json["id"], "alarm": alarm["id"], "aodh": e.json["alarm_id"], "label": "host",
               "entity": "vm/" + n, "run": run, "notifier": r.json["alarm_id"],
               "session": self.add_session(tenant, n), "constraint": str(uuid.uuid4())}
        for kind in ("instance", "group"):
            self.stack.redis.cmd("HSET", "hale:{m}:upkeep:limits", f"{kind}/{tenant}/{ids['constraint']}",
                                 json.dumps({"v": 1, kind + "_name": n}))
        wait_for(lambda: self.sees_all(tenant, ids), 20, f"all of {tenant}")
        return ids

    def add_letter(self, tenant, n):
        """As the actuator writes it."""
        ident, redis = str(uuid.uuid4()), self.stack.redis
        redis.cmd("HSET", "hale:{m}:deadletters", ident, json.dumps({
            "v": 1, "id": ident, "recipient": "subscriber/" + n, "name": n, "reason": "refused",
            "detail": n, "tenant": tenant, "alarm_id": NOBODY, "alarm_name": n, "state": "ALARM",
            "severity": "LOW", "seq": 1, "logged_ms": 1, "died_ms": 1, "tries": 1}), ident + ":r", "{}")
        redis.cmd("ZADD", "hale:{m}:dead:subscriber/" + n, "1", ident)
        return ident

    def add_session(self, tenant, n):
        """As the actuator writes it."""
        ident = str(uuid.uuid4())
        self.stack.redis.cmd("HSET", "hale:{m}:upkeep", ident, json.dumps({
            "v": 1, "id": ident, "tenant": tenant, "by": n, "state": "PLANNED_MAINTENANCE", "phase": "empty",
            "reason": n, "projects": [tenant], "hosts": [{"name": n, "state": "emptying"}],
            "instances": [{"id": "vm-1", "project": tenant, "host": n, "name": n, "state": "asked"}], "acts": [],
            "questions": [{"n": 1, "state": "PLANNED_MAINTENANCE", "project": tenant, "instance": "vm-1",
                           "ids": ["vm-1"], "answer": ""}]}))
        return ident

    def add_entity(self, tenant, kind, n, **more):
        """As the correlator writes it."""
        row = f"{tenant}\0{kind}\0{n}"
        self.stack.redis.cmd("HSET", "hale:{m}:entities", row, json.dumps(
            dict(type=kind, id=n, name=n, source="nova", **more)))
        self.stack.redis.cmd("XADD", "hale:{m}:entitylog", "*", "j", row)

    def queries(self, key, ids, needle):
        return [q.format(needle=needle, time=after_now(), **ids) for q in CASES[key].get("get", [])]

    def reads(self, who, ids, needle):
        """Every answer of every reading route, by route and query."""
        out = {}
        for key, case in CASES.items():
            for query in case.get("get", []):
                q = query.format(needle=needle, time=after_now(), **ids)
                out[key + (query,)] = self.call(key, who, q, ids)
            if case.get("reads"):
                out[key + ("",)] = self.call(key, who, "", ids)
        return out

    def sees_all(self, tenant, ids):
        """The tenant's own things are there: otherwise the tests below would prove nothing."""
        n = NEEDLE[tenant]
        kinds = (("/v2.0/metrics", ""), ("/v2.0/metrics/dimensions/names/values", "?dimension_name=host"),
                 ("/v2.0/alarm-definitions", ""), ("/v2.0/notification-methods", ""),
                 ("/v2.0/alarms", ""), ("/v2.0/alarms/state-history", ""), ("/v1/alarm-log", ""),
                 ("/v1/journal", ""), ("/v1/runs", ""), ("/v1/topology", ""), ("/api/v2/dead-letters", ""),
                 ("/api/v1/label/{id}/values", ""),
                 ("/v2.0/metrics/measurements", f"?name=m.{n}&{TIME}&merge_metrics=true"))
        return all(n in str(self.call(("GET", p), ("operator", tenant), q, ids).body)
                   for p, q in kinds)

    def finish(self):
        self.correlator.stop()


@pytest.fixture
def world(stack):
    w = World(stack)
    yield w
    w.finish()


def after_now():
    """The next whole second: an evaluation there sees what was sent until now."""
    return now_ms() // 1000 + 1


def plain(answer, ids=()):
    """What an answer says, without what changes by itself and the ids that were asked for."""
    text = answer.body.decode(errors="replace")
    for i in ids:
        text = text.replace(i, "ID")
    text = re.sub(r'"(time_ms|used_memory_bytes|idle_s)":\d+', r'"\1":0', text)
    text = re.sub(r"1[0-9]{9}(\.[0-9]+)?,", "TIME,", text)
    text = re.sub(r'"(start|end|time)=?[0-9.]+"', "TIME", text)
    text = re.sub(r"(start|end)=\d+", r"\1=T", text)
    text = re.sub(r'"daemons":\{.*\},"redis"', '"redis"', text)
    return answer.status, text


# --- who may call ----------------------------------------------------------------------------------------
def test_roles_of_every_route(world):
    for key, allowed in routes():
        def refused(a, title, key=key):
            e = a.json.get("error", a.json) if isinstance(a.json, dict) else {}
            assert a.status == 401 and e.get("title") == title, (key, title, a)
        if not allowed:
            assert world.call(key, who=None).status in (200, 204), key
            continue
        refused(world.call(key, who=None), "Unauthorized")
        refused(world.call(key, token="nonsense"), "Unauthorized")
        refused(world.call(key, ("expired", A)), "Unauthorized")
        refused(world.call(key, token=hashlib.sha256(world.text["operator", A].encode()).hexdigest()),
                "Unauthorized")  # the file's hash is no token
        for role in EVERY_ROLE - allowed:
            refused(world.call(key, (role, A)), "Forbidden")
        for role in allowed:
            if CASES[key].get("wait"):
                continue
            q = (world.queries(key, ID, NEEDLE[A]) or [""])[0]
            assert world.call(key, (role, A), q).status != 401, (key, role)


def test_paths_that_are_not_there_tell_nothing(world):
    for path in ("/v2.0/nothing", "/v1/nothing", "/api/v1/nothing", "/v2.0/alarms/x/y/z"):
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
            a = world.stack.http(method, path, b"", role=None)
            assert a.status == 401, (method, path, a)
            assert world.stack.http(method, path, b"", token=world.text["operator", A]).status == 404
    # A method that a path does not have is told to those who may use the path's kind.
    assert world.stack.http("PUT", "/v2.0/metrics", b"", role=None).status == 401
    a = world.stack.http("PUT", "/v2.0/metrics", b"", token=world.text["operator", A])
    assert a.status == 405 and "GET" in a.headers["allow"]


# --- what others see ---------------------------------------------------------------------------------------
def test_nothing_is_seen_counted_or_told_apart(world):
    before = world.reads(("operator", B), ID, NEEDLE[A])
    ids = world.fill(A)
    after = world.reads(("operator", B), ids, NEEDLE[A])
    own = world.reads(("operator", A), ids, NEEDLE[A])
    assert set(before) == set(after) and len(after) > 50
    for key, answer in after.items():
        # B asks for A's things by their names and ids and gets what it got before they existed.
        assert plain(answer, ids.values()) == plain(before[key], ID.values()), key
        assert answer.status < 500, (key, answer)
        echoed = re.sub(r'"href":"[^"]*"', "", answer.body.decode())  # self links repeat the question
        assert NEEDLE[A] not in echoed, key
        if "{id}" in key[1] and CASES[key[:2]].get("id", "label") != "label":
            assert answer.status == 404 and own[key].status == 200, (key, answer)
    assert sum(NEEDLE[A] in a.body.decode() for a in own.values()) > 30
    # With ?tenant_id= nobody but a delegate gets further, and that only for metrics.
    allowed = dict(routes())
    for who in (("operator", B), ("read-only", B)):
        for key, query, a in [(k[:2], k[2], a) for k, a in after.items()]:
            q = query.format(needle=NEEDLE[A], time=after_now(), **ids)
            q += ("&" if "?" in q else "?") + "tenant_id=" + A
            if key[0] == "GET" and who[0] in allowed[key]:
                again = world.call(key, who, q, ids)
                text = re.sub(r'"href":"[^"]*"', "", again.body.decode())
                assert again.status == a.status and NEEDLE[A] not in text, (key, who)
    for key in [k for k in CASES if k[0] == "GET" and "get" in CASES[k]]:
        for query in world.queries(key, ids, NEEDLE[A]):
            q = query + ("&" if "?" in query else "?") + "tenant_id=" + A
            a = world.call(key, ("delegate,operator", B), q, ids)
            text = re.sub(r'"href":"[^"]*"', "", a.body.decode())
            if not key[1].startswith("/v2.0/metrics"):
                assert NEEDLE[A] not in text, (key, a)
    a = world.call(("GET", "/v2.0/metrics/names"), ("delegate,operator", B), "?tenant_id=" + A)
    assert NEEDLE[A] in a.body.decode()


def test_nothing_is_changed(world):
    ids = world.fill(A)
    others = world.fill(B)
    before = {k: plain(a) for k, a in world.reads(("operator", A), ids, NEEDLE[A]).items()}
    for key in CASES:
        kind = CASES[key].get("id")
        if key[0] == "GET" or kind is None:
            continue
        for who in (("operator", B), ("delegate,operator", B)):
            for query in ("", "?tenant_id=" + A):
                a = world.call(key, who, query, ids, NEEDLE[B])
                none = world.call(key, who, query, ID, NEEDLE[B])
                assert a.status == none.status == 404, (key, a, none)
                assert plain(a, ids.values()) == plain(none, ID.values()), key
    # What is named by a query is looked for among the caller's own.
    for key in [k for k in CASES if "drop" in CASES[k]]:
        for more in ("", "&tenant_id=" + A):
            q = CASES[key]["drop"] + more
            a, none = (world.call(key, ("delegate,operator", B), q.format(needle=n))
                       for n in (NEEDLE[A], "nobodys"))
            assert plain(a, [NEEDLE[A]]) == plain(none, ["nobodys"]), (key, a, none)
    mine, none = (world.stack.http("POST", "/v1/alarms/actions",
                                   {"action": "ack", "ids": [i]}, token=world.text["operator", B])
                  for i in (ids["alarm"], NOBODY))
    assert mine.json["elements"][0]["status"] == none.json["elements"][0]["status"] == 404
    # The same names in another tenant are no conflict, nor does it tell that they are taken.
    for key in (("POST", "/v2.0/alarm-definitions"), ("POST", "/v2.0/notification-methods")):
        a = world.call(key, ("operator", B), needle=NEEDLE[A])
        assert a.status == 201, a
        assert world.call(key, ("operator", B), needle=NEEDLE[A]).status == 409
        world.stack.http("DELETE", key[1] + "/" + a.json["id"], token=world.text["operator", B])
    # A definition may not refer to another's notification method.
    d = dict(definition("x"), alarm_actions=[ids["method"]])
    mine = world.stack.http("POST", "/v2.0/alarm-definitions", d, token=world.text["operator", B])
    none = world.stack.http("POST", "/v2.0/alarm-definitions", dict(d, alarm_actions=[NOBODY]),
                            token=world.text["operator", B])
    assert mine.status == none.status and mine.status >= 400, (mine, none)
    assert plain(mine, [ids["method"]]) == plain(none, [NOBODY])
    # Samples and events of B, and those with somebody else's tenant_id, are B's.
    for key, case in CASES.items():
        if case.get("feed"):
            assert world.call(key, ("agent", B), "?tenant_id=" + A, needle=NEEDLE[B]).status in (200, 204)
    wait_for(lambda: world.sees_all(B, others), 20, "B's own things")
    after = world.reads(("operator", A), ids, NEEDLE[A])
    for key, answer in after.items():
        assert plain(answer) == before[key], key
        assert NEEDLE[B] not in answer.body.decode(), key


def test_live_updates_are_the_tenants_own(world):
    host, port = world.stack.address
    c = http.client.HTTPConnection(host, port, timeout=20)
    c.request("GET", f"/v1/live?last_event_id=0.0-0&tenant_id={A}",
              headers={"X-Auth-Token": world.text["delegate,operator", B]})
    r = c.getresponse()
    assert r.status == 200
    world.fill(A)
    world.fill(B)
    seen, actions = "", 0
    while "event: action" not in seen or NEEDLE[B] not in seen.split("event: action")[-1]:
        line = r.readline().decode()
        assert line, seen
        seen += line
        actions += line.startswith("event: action")
    assert NEEDLE[A] not in seen and seen.count("event: alarm") == 3 and actions == 1
    records = [json.loads(x[6:]) for x in seen.split("\n") if x.startswith("data: ")]
    assert all(x.get("tenant", x.get("alarm", {}).get("tenant", B)) == B for x in records)
    r.close()
    c.close()


def test_order_of_checks(world):
    """Token, then content type, then role, then the body: docs/formats/http.md."""
    post = world.stack.http
    reader, agent = world.text["read-only", A], world.text["agent", A]
    for path in ("/v2.0/metrics", "/v2.0/notification-methods"):
        for headers in ({}, {"Content-Type": "text/plain"}):
            assert post("POST", path, b"null", role=None, headers=headers).status == 401
        for token, headers in ((reader, headers), (world.text["operator", A], {})):
            a = post("POST", path, b"null", token=token, headers=headers)
            assert a.status == 400 and a.json["description"] == "Bad content type. Must be application/json"
        for headers in (JSON, {}):
            a = post("POST", path, b"null", token=reader, headers=headers)
            assert a.status == 401 and a.json["title"] == "Forbidden"
    a = post("POST", "/v2.0/metrics", b"{", token=agent, headers=JSON)
    assert a.status == 400 and a.json["description"].startswith("Request body is not valid JSON")
    a = post("POST", "/v2.0/metrics", metric("x"), token=agent,
             headers={"Content-Type": "application/json; charset=utf-8"})
    assert a.status == 204


def test_a_delegates_tenant_must_be_one(world):
    for bad in ("a/b", "x" * 65, "a%20b", "%C3%A4"):
        a = world.call(("GET", "/v2.0/metrics"), ("delegate,operator", B), "?tenant_id=" + bad)
        assert a.status == 422, a
        assert world.call(("GET", "/v2.0/metrics"), ("operator", B), "?tenant_id=" + bad).status == 200
        a = world.call(("POST", "/v2.0/metrics"), ("delegate,operator", B), "?tenant_id=" + bad)
        assert a.status == 422, a
