# SPDX-License-Identifier: Apache-2.0
"""The actuator against the real cloud: what the tests test_vim_*.py share.

    vim = Vim(stack, log, cloud)
    vim.start([{"nova": {"action": "force-down", "host": "${hostname}"}}])   # one policy, auto
    vim.alarm("compute-1")              # raises it (the alarm log is written by hand)
    vim.done("compute-1")               # waits for the run to have done all its steps; clears the alarm
"""
import json
import os
import time
import uuid

from conftest import http_call, wait_for

LOG = "hale:{m}:alarmlog"
STEPS = {"poll": "100ms", "timeout": "10m"}


class Vim:
    def __init__(self, stack, cloud, password=None):
        self.stack, self.cloud, self.redis = stack, cloud, stack.redis
        self.secret = stack.dir / "healer.password"
        self.secret.write_text((password or cloud.secret) + "\n")
        self.seq, self.ids = 0, {}

    def config(self, policies, **more):
        path = self.stack.dir / "policies.yaml"
        path.write_text(json.dumps({"policies": policies}))
        return {"policies": str(path), "allow": ["127.0.0.1"], "clouds": {"lab": {
            "auth_url": self.cloud.url("keystone"), "region": "RegionOne", "username": "healer",
            "password_file": str(self.secret), "project": "admin"}}, **more}

    def policy(self, steps, name="heal", **more):
        full = []
        for step in steps:
            (kind, keys), = step.items()
            full.append({kind: keys if kind in ("webhook", "vnflcm") else {"cloud": "lab", **STEPS, **keys}})
        return {"name": name, "mode": "auto", "alarm": {"definition": name}, "target": "host/${hostname}",
                "cooldown": "1ms", "steps": full, "verify": {"alarm": "cleared", "within": "10m"}, **more}

    def start(self, steps, **more):
        self.stack.start("actuator", self.config([self.policy(steps)], **more))
        return self

    def alarm(self, host, state="ALARM", name="heal", **dimensions):
        """One record of the alarm log, as the correlator writes it."""
        self.seq += 1
        now = time.time_ns() // 1000
        group = {"hostname": host, **dimensions}
        alarm_id = self.ids.setdefault((name, host), str(uuid.uuid4()))
        alarm = {"v": 1, "id": alarm_id, "tenant": "default", "source": "metric", "definition_id": "d1",
                 "definition_name": name, "description": "", "severity": "CRITICAL",
                 "actions_enabled": True, "group": group, "metrics": [{"name": "host.alive", "dimensions": group}],
                 "state": state, "reason": f"{host} is {state}", "sub_alarms": [], "lifecycle_state": None,
                 "link": None, "created_ms": now // 1000, "updated_ms": now // 1000,
                 "state_updated_ms": now // 1000, "seq": self.seq}
        record = {"v": 1, "seq": self.seq, "kind": "transition", "time_ms": now // 1000,
                  "old_state": "OK" if state == "ALARM" else "ALARM", "alarm": alarm, "evidence": {},
                  "accepted_us": now, "decided_us": now, "logged_us": now}
        self.redis.cmd("HSET", "hale:{m}:alarms", alarm_id, json.dumps(alarm))
        self.redis.cmd("XADD", LOG, f"{self.seq}-0", "j", json.dumps(record))
        return self

    def rows(self, *kinds):
        rows = [json.loads(fields[1]) for _, fields in self.redis.cmd("XRANGE", "hale:{m}:journal", "-", "+")]
        return [r for r in rows if r["kind"] in kinds or (not kinds and r["run_id"])]

    def calls(self, part=""):
        return [r for r in self.rows("call") if part in r["text"]]

    def story(self):
        return [(r["kind"], r["text"]) for r in self.rows()]

    def row(self, kind, n=1, seconds=600):
        """The n-th row of a kind; a failed run is a failure at once unless it is what is waited for."""
        def found():
            rows = self.rows()
            mine = [r for r in rows if r["kind"] == kind]
            if len(mine) >= n:
                return mine[n - 1]
            assert kind == "failed" or not [r for r in rows if r["kind"] == "failed"], self.story()
            return None
        try:
            return wait_for(found, seconds, f"row {kind}", 0.05)
        except BaseException:
            print(self.story())
            raise

    def done(self, host, n=1, name="heal", **dimensions):
        self.row("verifying", n)
        self.alarm(host, "OK", name=name, **dimensions)
        return self.row("verified", n)

    def failed(self, n=1):
        return self.row("failed", n)["text"]

    def run(self):
        """The record of the newest run."""
        records = [json.loads(v) for v in self.redis.cmd("HGETALL", "hale:{m}:runs")[1::2]]
        return max(records, key=lambda r: r["born_us"]) if records else None

    def metric(self, name):
        host, port = self.stack.daemons["actuator"].listen.rsplit(":", 1)
        text = http_call(host, int(port), "GET", "/metrics").body.decode()
        return float(next(line.split()[1] for line in text.splitlines() if line.startswith(name + " ")))

    def secrets_kept(self):
        """Neither a password nor a token is in the journal, in the runs or in the log."""
        secret = self.secret.read_text().strip()
        text = json.dumps(self.rows()) + json.dumps(self.run())
        text += "".join(p.read_text(errors="replace") for p in self.stack.dir.glob("*.log"))
        assert secret not in text and "gAAAA" not in text  # fernet's first bytes


def begin_anew(cloud, host):
    """Another nova-compute on that host."""
    number = int(host.rsplit("-", 1)[1])
    cloud.kill(f"compute-{number}")
    wait_for(lambda: cloud._reap(f"compute-{number}"), 120, "the end of nova-compute")
    (cloud.run / f"compute-{number}").unlink()
    cloud.start_compute(number)


def bring_up(cloud, host):
    """The host takes part again: un-forced, enabled. nova-compute is begun anew if Nova insists."""
    def up():
        service = cloud.services(host)[0]
        body = {"forced_down": False, "status": "enabled"}
        status = cloud.nova("PUT", f"/os-services/{service['id']}", body, ok=False)[0]
        if status == 400 and not up.restarted:
            begin_anew(cloud, host)
            up.restarted = True
        return status == 200 and cloud.services(host)[0]["state"] == "up"
    up.restarted = False
    wait_for(up, 600, f"{host} up", 0.2)


def boot(cloud, host, n, net=True):
    """n servers on the host, ACTIVE; their ids."""
    ids = [cloud.boot(f"vm-{os.urandom(3).hex()}", host, net) for _ in range(n)]
    for server in ids:
        cloud.await_active(server)
    return ids


def delete(cloud, ids):
    for server in ids:
        cloud.nova("DELETE", f"/servers/{server}", ok=False)
