# SPDX-License-Identifier: Apache-2.0
"""Maintenance sessions: the administrator's side (Site) and projects that answer as Doctor's sample manager does."""
import http.server
import json
import threading
import time
import urllib.request

from conftest import wait_for

ADMIN = "delegate,operator"


def utc(seconds=0):
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + seconds))


class Project:
    """Doctor's sample_app_manager: parses traits, fetches instance ids, answers with PUT. `says`: what it answers to a
    state, instead of ACK_<state>; None: nothing."""

    def __init__(self, site, name, says=None, actions=None):
        self.site, self.name, self.says, self.actions = site, name, says or {}, actions or {}
        self.got, self.answers, self.errors, outer = [], [], [], self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                payload = outer.hear(body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()
                threading.Thread(target=outer.think, args=(payload,), daemon=True).start()

            def log_message(self, *args):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.token = site.stack.token("operator", name)
        answer = site.stack.http("POST", "/v2/alarms", {
            "name": "maintenance", "type": "event", "enabled": True, "repeat_actions": True, "severity": "moderate",
            "alarm_actions": [f"http://127.0.0.1:{self.server.server_port}/maintenance"],
            "event_rule": {"event_type": "maintenance.scheduled", "query": [
                {"field": "traits.project_id", "type": "string", "op": "eq", "value": name}]}}, tenant=name)
        assert answer.status == 201, answer

    def hear(self, body):
        """In the order in which they come."""
        event = body["reason_data"]["event"]
        assert event["event_type"] == "maintenance.scheduled"
        self.got.append({t[0]: (json.loads(t[2]) if t[2][:1] in "[{" else t[2]) for t in event["traits"]})
        return self.got[-1]

    def think(self, payload):
        try:
            self.answer(payload)
        except Exception as e:  # pylint: disable=broad-except
            self.errors.append(repr(e))

    def call(self, method, url, body=None):
        request = urllib.request.Request(url, method=method, data=json.dumps(body).encode() if body else None,
                                         headers={"X-Auth-Token": self.token, "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def answer(self, payload):
        state = payload["state"]
        if state == "INSTANCE_ACTION_DONE" or payload.get("session_state") == "MAINTENANCE_FAILED":
            return
        said = self.says.get(state, "ACK_" + state)
        if said is None:
            return
        reply = {"session_id": payload["session_id"], "state": said}
        ids = payload["instance_ids"]
        if isinstance(ids, str):
            ids = self.call("GET", ids)["instance_ids"]
        payload["ids"] = sorted(ids)
        if payload["allowed_actions"]:
            actions = {i: self.actions.get(i, "MIGRATE") for i in ids}
            if payload["reply_url"].endswith("/" + ids[0]):
                reply["instance_action"] = actions[ids[0]]
            else:
                reply["instance_actions"] = actions
            for i, action in actions.items():
                if action == "OWN_ACTION":
                    self.site.nova.delete(i)
        self.answers.append(self.call("PUT", payload["reply_url"], reply))

    def states(self):
        return [p["state"] for p in self.got]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Site:
    """nova: the stand-in of nova_server.py; or lab: a real cloud, as `clouds` of actuator.yaml has it."""

    def __init__(self, stack, nova=None, lab=None, **more):
        self.stack, self.nova, self.projects = stack, nova, []
        stack.start("collector")
        secret, path = stack.dir / "pw", stack.dir / "upkeep.yaml"
        secret.write_text("pw\n")
        self.rules = {"cloud": "lab", "url": stack.url + "/", "reply": "60s", "poll": "200ms", "action": "60s", **more}
        path.write_text(json.dumps({"policies": [], "maintenance": self.rules}))
        self.actuator = {"policies": str(path), "allow": ["127.0.0.1"],
                         "notification_methods": {"allow": ["127.0.0.1"]},
                         "clouds": {"lab": lab or {"auth_url": nova.url + "/v3", "region": "RegionOne", "username": "u",
                                                   "password_file": str(secret), "project": "admin"}}}
        stack.start("actuator", self.actuator)

    def project(self, name, **how):
        self.projects.append(Project(self, name, **how))
        return self.projects[-1]

    def admin(self, method, path, body=None):
        return self.stack.http(method, path, body, role=ADMIN)

    def begin(self, hosts, **more):
        answer = self.admin("POST", "/fenix/v1/maintenance", {
            "state": "MAINTENANCE", "maintenance_at": utc(), "metadata": {"openstack_version": "Zed"},
            "workflow": "default", "hosts": hosts, **more})
        assert answer.status == 200, answer
        assert answer.json["state"] == "ACK_MAINTENANCE"
        return answer.json["session_id"]

    def get(self, ident):
        answer = self.admin("GET", "/fenix/v1/maintenance/" + ident)
        assert answer.status == 200, answer
        return answer.json

    def waits_for_work(self, ident, host=None, seconds=60):
        def found():
            s = self.get(ident)
            assert s["state"] != "MAINTENANCE_FAILED", s
            return [w for w in s["waiting_for"] if w.get("state") == "IN_MAINTENANCE" and host in (None, w["host"])]
        return wait_for(found, seconds, "a host to be worked on", 0.05)[0]["host"]

    def worked(self, ident, host, state="MAINTENANCE_COMPLETE"):
        assert self.admin("PUT", "/fenix/v1/maintenance/" + ident, {"state": state, "host": host}).status == 200

    def ends(self, ident, state, seconds=60):
        wait_for(lambda: self.get(ident)["state"] == state and not self.get(ident)["rolling_back"],
                 seconds, state, 0.05)
        return self.get(ident)

    def rows(self):
        rows = [json.loads(f[1]) for _, f in self.stack.redis.cmd("XRANGE", "hale:{m}:journal", "-", "+")]
        return [r for r in rows if r["kind"] == "maintenance"]

    def windows(self):
        found = self.stack.redis.cmd("HVALS", "hale:{m}:maintenance")
        return [json.loads(w) for w in found]

    def stop(self):
        for p in self.projects:
            p.stop()
