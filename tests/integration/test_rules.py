# SPDX-License-Identifier: Apache-2.0
"""Rules of the correlator with real daemons: an imported Vitrage template raises and clears, across kill -9 and a
change of the file."""
import json
import signal
import subprocess
import time

from conftest import ROOT, binary, wait_for


def alarms(stack):
    answer = stack.http("GET", "/v2.0/alarms")
    assert answer.status == 200, answer
    return {(a["alarm_definition"]["name"], tuple(sorted(a["metrics"][0]["dimensions"].values()))): a["state"]
            for a in answer.json["elements"]}


def test_vitrage_template_at_work(stack):
    rules = stack.dir / "rules.yaml"
    made = subprocess.run([str(binary("cli")), "import", "vitrage", f"{ROOT}/tests/vectors/import/vitrage.yaml"],
                          capture_output=True, text=True, timeout=60)
    rules.write_text(made.stdout)
    stack.start("collector")
    stack.start("correlator", {"rules": str(rules)})
    stack.redis.cmd("XADD", "hale:{m}:topology", "*", "j", json.dumps({
        "v": 1, "tenant": "default", "source": "test", "at_ms": 1, "put": [
            {"type": "host", "id": "h1"},
            {"type": "vm", "id": "v1", "hosted_by": ["host/h1"], "match": [{"vm": "v1"}]},
            {"type": "vm", "id": "v2", "hosted_by": ["host/h1"], "match": [{"vm": "v2"}]}]}))
    wait_for(lambda: stack.redis.cmd("HLEN", "hale:{m}:entities") == 3, 20, "the topology")

    def event(status):
        a = stack.http("POST", "/v1/events", {"type": "eth0.down", "severity": "CRITICAL", "status": status,
                                              "dimensions": {"hostname": "h1"}, "time_ms": int(time.time() * 1000)})
        assert a.status in (200, 202, 204), a

    deduced = [("instance network problem", (v,)) for v in ("v1", "v2")]
    event("raise")
    wait_for(lambda: all(alarms(stack).get(k) == "ALARM" for k in deduced), 20, "the deduced alarms")
    assert alarms(stack)["hale.state.degraded", ("v1",)] == "ALARM"
    stack.kill9("correlator")
    event("clear")
    stack.restart("correlator")
    wait_for(lambda: all(alarms(stack).get(k) == "OK" for k in deduced), 20, "their end")
    event("raise")
    wait_for(lambda: all(alarms(stack).get(k) == "ALARM" for k in deduced), 20, "the deduced alarms again")
    # A file with a mistake changes nothing; one without rules clears what is left of them.
    correlator = stack.daemons["correlator"]
    rules.write_text("rules:\n- name: x\n  wen: y\n")
    correlator.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "rules.yaml:" in correlator.log(), 20, "the complaint")
    rules.write_text("rules: []\n")
    correlator.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "event=reloaded" in correlator.log(), 20, "the reload")
    event("raise")
    wait_for(lambda: all(alarms(stack).get(k) == "OK" for k in deduced), 20, "the end without rules")
    assert alarms(stack)["eth0.down", ("h1",)] == "ALARM"
