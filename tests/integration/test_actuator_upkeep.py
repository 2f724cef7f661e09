# SPDX-License-Identifier: Apache-2.0
"""Maintenance sessions as OPNFV Doctor's tool and Fenix lead them, with collector and actuator, a stand-in for Nova, and
projects that answer as Doctor's sample manager does. With the real Nova: test_vim_upkeep.py. What the correlator would do
with windows is in test_doctor.py."""
import http.server
import json
import threading

import pytest
from conftest import wait_for
from nova_server import Nova
from upkeep_kit import ADMIN, Site, utc


@pytest.fixture
def site(stack):
    made = []

    def make(hosts, vcpus=8, **more):
        nova = Nova(hosts, vcpus).__enter__()
        made.extend([nova, Site(stack, nova, **more)])
        return made[-1]
    yield make
    for one in made:
        one.stop() if isinstance(one, Site) else one.__exit__()


def test_a_whole_session(site):
    """No host is empty: one is emptied first, then all are maintained in turn; each instance moves to where it may stay."""
    s = site({"c1": [("a1", "p1"), ("b1", "p2")], "c2": [("a2", "p1")], "c3": [("a3", "p1"), ("b3", "p2"), ("b4", "p2")]})
    p1, p2 = s.project("p1"), s.project("p2", actions={"b3": "LIVE_MIGRATE"})
    ident = s.begin(["c1", "c2", "c3"])
    order = []
    for _ in range(3):
        host = s.waits_for_work(ident)
        shown = s.get(ident)
        assert s.nova.on(host) == [] and host in s.nova.disabled and ident in s.nova.reasons[host]
        assert {h["host"]: h["state"] for h in shown["hosts"]}[host] == "work"
        window, = [w for w in s.windows() if w["entity"] == "host/" + host]
        assert window["tenant"] == "default" and window["duration_s"] == 86400
        order.append((host, shown["percent_done"]))
        s.worked(ident, host)
        wait_for(lambda h=host: h not in s.nova.disabled, 30, host + " enabled", 0.05)
    done = s.ends(ident, "MAINTENANCE_DONE")
    assert done["percent_done"] == 100 and not s.nova.disabled
    assert order[0][0] == "c2" and sorted(p for _, p in order) == [p for _, p in order]
    assert sorted(h for h, _ in order) == ["c1", "c2", "c3"]
    wait_for(lambda: p1.states()[-1:] == ["MAINTENANCE_COMPLETE"], 20, "the last word")
    assert not p1.errors and not p2.errors
    assert p1.states()[:3] == ["MAINTENANCE", "PREPARE_MAINTENANCE", "INSTANCE_ACTION_DONE"]
    assert p2.states()[0] == "MAINTENANCE" and "PREPARE_MAINTENANCE" not in p2.states()
    assert p2.states().count("PLANNED_MAINTENANCE") == 2 and p2.states().count("INSTANCE_ACTION_DONE") == 3
    first = p1.got[0]
    assert first["allowed_actions"] == [] and first["metadata"] == {"openstack_version": "Zed"}
    assert first["reply_url"] == first["instance_ids"] == f"{s.stack.url}/fenix/v1/maintenance/{ident}/p1"
    assert set(first) >= {"project_id", "session_id", "actions_at", "reply_at", "state"} and first["ids"] == ["a1", "a2", "a3"]
    assert p1.got[1]["allowed_actions"] == ["MIGRATE", "LIVE_MIGRATE", "OWN_ACTION"] and p1.got[1]["ids"] == ["a2"]
    done = [p for p in p2.got if p["state"] == "INSTANCE_ACTION_DONE"]
    assert sorted(p["instance_ids"][0] for p in done) == ["b1", "b3", "b4"]
    # Behind the first host nothing moved twice, and only to hosts that were maintained.
    moved = [what for what in s.nova.log if what[0] in ("migrate", "live-migrate")]
    assert ("live-migrate", "b3") in moved
    assert all(moved.count(what) == 1 or what[1] == "a2" for what in moved), moved
    assert all(w["ends_ms"] for w in s.windows())
    texts = [r["text"] for r in s.rows()]
    assert any("ACK_MAINTENANCE by" in t and "p2" in t for t in texts) and texts[-1] == "the session is done"
    # It is over: deleted, it is forgotten.
    assert s.admin("DELETE", "/maintenance/" + ident).status == 200
    wait_for(lambda: s.admin("GET", "/maintenance/" + ident).status == 404, 20, "forgotten")


TWO = {"c1": [("a1", "p1")], "c2": [], "c3": []}


@pytest.mark.parametrize("state,says,rules,words", [
    ("PLANNED_MAINTENANCE", "NACK_PLANNED_MAINTENANCE", {}, "NACK_PLANNED_MAINTENANCE by"),
    ("MAINTENANCE", None, {"reply": "1s"}, "project p1 has not answered MAINTENANCE in time")])
def test_a_project_that_does_not_agree(site, state, says, rules, words):
    """Everything is as it was before, and everybody has heard of it."""
    s = site(TWO, **rules)
    p1 = s.project("p1", says={state: says})
    ident = s.begin(["c1", "c2"])
    if says is not None:
        s.worked(ident, s.waits_for_work(ident, "c2"))
    ended = s.ends(ident, "MAINTENANCE_FAILED")
    assert words in ended["reason"] and not s.nova.disabled and s.nova.on("c1") == ["a1"]
    assert all(w["ends_ms"] for w in s.windows())
    wait_for(lambda: p1.states()[-1] == "MAINTENANCE_COMPLETE", 20, "that it is over")
    assert p1.got[-1]["session_state"] == "MAINTENANCE_FAILED" and not p1.errors
    late = s.stack.http("PUT", f"/fenix/v1/maintenance/{ident}/p1", {"state": "ACK_PLANNED_MAINTENANCE"}, tenant="p1")
    assert late.status == 409


def test_killed_in_the_middle(site):
    """Actuator and collector are killed while an instance moves, and while a host is worked on."""
    s = site(TWO)
    p1 = s.project("p1", actions={"a1": "LIVE_MIGRATE"})
    ident = s.begin(["c1", "c2"])
    s.worked(ident, s.waits_for_work(ident, "c2"))
    s.nova.slow = True
    wait_for(lambda: ("live-migrate", "a1") in s.nova.log, 60, "the migration", 0.001)
    for name in ("actuator", "collector"):
        s.stack.kill9(name)
        s.stack.restart(name)
    s.nova.slow = False
    assert s.waits_for_work(ident, "c1") == "c1"
    s.stack.kill9("actuator")
    s.worked(ident, "c1")
    s.stack.restart("actuator")
    s.ends(ident, "MAINTENANCE_DONE")
    assert [what for what, _ in s.nova.log].count("live-migrate") == 1 and not s.nova.disabled
    wait_for(lambda: p1.states()[-1] == "MAINTENANCE_COMPLETE", 20, "the last word")
    assert p1.states() == ["MAINTENANCE", "PLANNED_MAINTENANCE", "INSTANCE_ACTION_DONE", "MAINTENANCE_COMPLETE"]


def test_hook_own_action_and_fallback(site):
    """The work is a step; one project moves its instance itself; a live migration that fails is tried otherwise."""
    worked = []

    class Work(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            worked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Work)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    s = site({"c1": [("a1", "p1"), ("b1", "p2")], "c2": []}, fallback="migrate", hook=[{"webhook": {
        "url": f"http://127.0.0.1:{server.server_port}/", "body": '{"host":"${host}","session":"${session}"}'}}])
    s.nova.fail["b1"] = "no"
    s.project("p1", actions={"a1": "OWN_ACTION"})
    p2 = s.project("p2", actions={"b1": "LIVE_MIGRATE"})
    ident = s.begin(["c1", "c2"])
    s.ends(ident, "MAINTENANCE_DONE")
    assert worked == [{"host": h, "session": ident} for h in ("c2", "c1")]
    assert [w for w in s.nova.log if w[1] == "b1"] == [("live-migrate", "b1"), ("migrate", "b1")]
    assert "a1" not in s.nova.servers and s.nova.where("b1") == "c2"
    assert p2.states().count("INSTANCE_ACTION_DONE") == 1
    server.shutdown()
    server.server_close()


def test_each_instance_by_itself_with_constraints(site):
    """Workflow vnf: one message per instance, as many at once as the group bears; an answer without an action takes
    the constraint's."""
    s = site({"c1": [("a1", "p1"), ("a2", "p1")], "c2": []})
    p1 = s.project("p1")

    def put(path, **body):
        return s.stack.http("PUT", "/fenix/v1/" + path, body, tenant="p1")
    group = {"group_id": "g", "project_id": "p1", "group_name": "n", "anti_affinity_group": False,
             "max_instances_per_host": 0, "max_impacted_members": 1, "recovery_time": 1, "resource_mitigation": True}
    assert put("instance_group/g", **group).status == 200
    for i in ("a1", "a2"):
        assert put("instance/" + i, instance_id=i, project_id="p1", group_id="g", instance_name=i, lead_time=40,
                   max_interruption_time=120, migration_type="LIVE_MIGRATE", resource_mitigation=True).status == 200
    assert put("instance/a1", instance_id="a1", project_id="p2").status == 400
    assert put("instance/a1", instance_id="other", project_id="p1").status == 400
    assert s.stack.http("GET", "/fenix/v1/instance_group/g", tenant="p1").json == group
    assert s.stack.http("GET", "/fenix/v1/instance_group/g", tenant="p2").status == 404
    p1.actions = {}
    ident = s.begin(["c1", "c2"], workflow="vnf")
    s.worked(ident, s.waits_for_work(ident, "c2"))
    s.worked(ident, s.waits_for_work(ident, "c1"))
    s.ends(ident, "MAINTENANCE_DONE")
    asked = [p for p in p1.got if p["state"] == "PLANNED_MAINTENANCE"]
    assert sorted(p["instance_ids"] for p in asked) == [["a1"], ["a2"]]
    assert all(p["reply_url"].endswith("/p1/" + p["instance_ids"][0]) for p in asked) and not p1.errors
    order = [p["state"] for p in p1.got if p["state"] in ("PLANNED_MAINTENANCE", "INSTANCE_ACTION_DONE")]
    assert order == ["PLANNED_MAINTENANCE", "INSTANCE_ACTION_DONE"] * 2
    # A project sees its own part, others nothing; nobody but the owner sees the session.
    path = f"/fenix/v1/maintenance/{ident}"
    seen = {who: [s.stack.http("GET", path + p, tenant=who).status for p in ("", "/p1", "/p2")]
            for who in ("p1", "p2", "default")}
    assert seen == {"p1": [404, 200, 404], "p2": [404, 404, 404], "default": [200, 200, 404]}


def test_what_cannot_begin(site):
    s = site(TWO)

    def post(role=ADMIN, **more):
        body = {"state": "MAINTENANCE", "maintenance_at": utc(60), "workflow": "default", "hosts": ["c1"], **more}
        return s.stack.http("POST", "/maintenance", {k: v for k, v in body.items() if v is not None}, role=role)
    assert post(role="operator").status == 403
    for wrong, words in (({"hosts": ["c1", "c1"]}, "twice"), ({"hosts": "c1"}, "list"), ({"workflow": "x"}, "vnf"),
                         ({"maintenance_at": "soon"}, "2026-11-22 06:00:00"), ({"state": "X"}, "MAINTENANCE"),
                         ({"metadata": {"a": "x" * 300}}, "255"), ({"actions": [{"plugin": "p"}]}, "hook"),
                         ({"color": 1}, "unknown key 'color'")):
        answer = post(**wrong)
        assert answer.status == 400 and words in answer.body.decode(), (wrong, answer)
    s.nova.disabled.add("c2")
    for hosts, words in ((["nowhere"], "not known to Nova"), (["c2"], "disabled already")):
        ident = post(hosts=hosts).json["session_id"]
        assert words in s.ends(ident, "MAINTENANCE_FAILED")["reason"]
    first = post(hosts=["c1"]).json["session_id"]  # nobody listens in p1: it waits until maintenance_at
    wait_for(lambda: s.get(first)["waiting_for"], 30, "the question")
    second = post(hosts=["c1", "c3"]).json["session_id"]
    assert f"host c1 is in session {first} already" in s.ends(second, "MAINTENANCE_FAILED")["reason"]
    listed = s.admin("GET", "/fenix/v1/maintenance").json
    assert set(listed["session_id"]) >= {first, second}
    assert s.admin("DELETE", "/fenix/v1/maintenance/" + first).status == 200
    assert "cancelled by" in s.ends(first, "MAINTENANCE_FAILED")["reason"]
    assert s.nova.disabled == {"c2"} and not [w for w in s.nova.log]
