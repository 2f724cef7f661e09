# SPDX-License-Identifier: Apache-2.0
"""What the collector's tests share: samples, queries, a stand-in correlator, a live client."""
import http.client
import json
import re
import threading
import time
import urllib.parse
import uuid

from conftest import wait_for

ISO0 = "2020-01-01T00:00:00Z"
DEFINITION_KEYS = {"id", "links", "name", "description", "expression", "deterministic", "match_by",
                   "severity", "actions_enabled", "ok_actions", "alarm_actions",
                   "undetermined_actions"}
ALARM_KEYS = {"id", "links", "alarm_definition", "metrics", "state", "lifecycle_state", "link",
              "state_updated_timestamp", "updated_timestamp", "created_timestamp"}


def now_ms():
    return int(time.time() * 1000)


def iso(ms):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms // 1000)) + ".%03dZ" % (ms % 1000)


def sample(name="cpu", host="h1", value=1.0, ts=None, **more):
    m = {"name": name, "dimensions": {"hostname": host},
         "timestamp": now_ms() if ts is None else ts, "value": value}
    m.update(more)
    return m


def q(path, **params):
    return path + "?" + urllib.parse.urlencode(params)


def measurements(stack, n, **params):
    """The call's elements once they hold n measurements in all."""
    params.setdefault("start_time", ISO0)

    def there():
        a = stack.http("GET", q("/v2.0/metrics/measurements", **params))
        assert a.status == 200, a
        if sum(len(e["measurements"]) for e in a.json["elements"]) >= n:
            return a.json["elements"]
        return None
    return wait_for(there, 15, f"{n} measurements of {params}")


def counter(stack, name):
    text = stack.http("GET", "/metrics", role=None).body.decode()
    return sum(float(v) for v in re.findall(rf"^{name}(?:{{[^}}]*}})? ([0-9.e+]+)$", text, re.M))


def chunk_keys(stack):
    return stack.redis.cmd("KEYS", "hale:{s0}:hot:*") + stack.redis.cmd("KEYS", "hale:{s0}:late:*")


def archived_until(stack):
    """End of what is archived, ms."""
    at = stack.redis.cmd("GET", "hale:{s0}:cp:archive")
    return (int(at.split()[1]) + 1) * 600000 if at else 0


def only_the_archive(stack, **config):
    """Restarts the collector with a short hot window; the raw samples before it are gone."""
    stack.stop("collector")
    for key in chunk_keys(stack):
        if (int(key.rsplit(b":", 1)[1]) + 1) * 600000 <= now_ms() - 600000:
            stack.redis.cmd("DEL", key)
    stack.start("collector", {"hot_retention": "10m", "archive_delay": "1s", **config})


class Correlator:
    """Writes alarms and their log as docs/formats/alarm.md says."""

    def __init__(self, redis):
        self.redis, self.seq, self.alarms = redis, 0, {}

    def alarm(self, state="OK", tenant="default", severity="LOW", name="d", host="h1", **more):
        t = now_ms()
        a = {"v": 1, "id": str(uuid.uuid4()), "tenant": tenant, "source": "metric",
             "definition_id": "def-" + name, "definition_name": name, "description": "",
             "severity": severity, "actions_enabled": True, "group": {"hostname": host},
             "metrics": [{"name": "cpu", "dimensions": {"hostname": host}}], "state": state,
             "reason": "because", "sub_alarms": [], "lifecycle_state": None, "link": None,
             "created_ms": t, "updated_ms": t, "state_updated_ms": t, "seq": 0}
        a.update(more)
        self.write(a, "created", a["state"])
        return a

    def write(self, a, kind, old, t=None):
        self.seq += 1
        t = t or now_ms()
        a = dict(a, seq=self.seq, updated_ms=t)
        record = {"v": 1, "seq": self.seq, "kind": kind, "time_ms": t, "old_state": old, "alarm": a,
                  "evidence": {"definition_version": 1, "expression": "max(cpu) > 1", "subs": []},
                  "accepted_us": 0, "decided_us": 0, "logged_us": t * 1000}
        if kind == "deleted":
            self.alarms.pop(a["id"], None)
            self.redis.cmd("HDEL", "hale:{m}:alarms", a["id"])
        else:
            self.alarms[a["id"]] = a
            self.redis.cmd("HSET", "hale:{m}:alarms", a["id"], json.dumps(a))
        self.redis.cmd("XADD", "hale:{m}:alarmlog", f"{self.seq}-0", "j", json.dumps(record))
        return a

    def transition(self, alarm_id, state, t=None):
        a = self.alarms[alarm_id]
        t = t or now_ms()
        return self.write(dict(a, state=state, state_updated_ms=t), "transition", a["state"], t)

    def journal(self, alarm_id, tenant="default", text="x"):
        row = {"v": 1, "time_ms": now_ms(), "kind": "observed", "run_id": str(uuid.uuid4()),
               "policy": "p", "mode": "observe", "tenant": tenant, "alarm_id": alarm_id,
               "alarm_name": "d", "alarm_seq": 1, "target": "t", "step": -1, "step_type": "",
               "attempt": 0, "text": text, "detail": {}}
        return self.redis.cmd("XADD", "hale:{m}:journal", "*", "j", json.dumps(row)).decode()

    def serve(self, seconds=20):
        """Obeys control records about alarms until stop()."""
        self.last, self.stopping = "0-0", False

        def run():
            while not self.stopping:
                got = own.cmd("XREAD", "COUNT", 10, "BLOCK", 50, "STREAMS", "hale:{m}:control",
                              self.last)
                for entry in (got[0][1] if got else []):
                    self.last = entry[0].decode()
                    r = json.loads(entry[1][1])
                    if r["op"] == "alarm-delete" and r["id"] in self.alarms:
                        self.write(self.alarms[r["id"]], "deleted", "OK")
                    if r["op"] == "alarm-patch" and r["id"] in self.alarms:
                        a = self.alarms[r["id"]]
                        new = dict(a)
                        for k in ("state", "lifecycle_state", "link"):
                            if r.get(k) is not None:
                                new[k] = r[k]
                        self.write(new, "transition" if new["state"] != a["state"] else "updated",
                                   a["state"])
                    if r["op"] == "alarm-op" and r["id"] in self.alarms:
                        a = self.alarms[r["id"]]
                        life = dict(a.get("life", {}))
                        word = {"by": r["by"], "at_ms": r["at_ms"], "text": r.get("text", "")}
                        if r["action"] == "assign":
                            life["owner"] = r["owner"]
                        elif r["action"] == "comment":
                            life["comments"] = life.get("comments", []) + [word]
                        elif r["action"].startswith("un"):
                            life.pop({"unack": "ack", "unshelve": "shelved"}[r["action"]], None)
                        else:
                            life[{"ack": "ack", "shelve": "shelved"}[r["action"]]] = word
                        self.write(dict(a, life=life), "updated", a["state"])
        own = type(self.redis)(self.redis.dir)
        self.redis = type(self.redis)(self.redis.dir)
        self.thread = threading.Thread(target=run)
        self.thread.start()

    def stop(self):
        self.stopping = True
        self.thread.join()


class Live:
    """An SSE client; events are (id, event, data) with hello first."""

    def __init__(self, stack, last=None, header=True, tenant="default"):
        host, port = stack.address
        self.c = http.client.HTTPConnection(host, port, timeout=15)
        h = {"X-Auth-Token": stack.token("operator", tenant)}
        path = "/v1/live"
        if last and header:
            h["Last-Event-ID"] = last
        elif last:
            path += "?last_event_id=" + last
        self.c.request("GET", path, headers=h)
        self.r = self.c.getresponse()
        assert self.r.status == 200
        assert self.r.getheader("Content-Type").startswith("text/event-stream")

    def next(self):
        event = {}
        while True:
            line = self.r.readline().decode()
            assert line, "the stream ended"
            line = line.rstrip("\n")
            if not line:
                if event:
                    return event
                continue
            if line.startswith(":"):
                continue
            k, v = line.split(": ", 1)
            event.setdefault("first", k)
            event[k] = v

    def close(self):
        self.r.close()
        self.c.close()
