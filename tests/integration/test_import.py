# SPDX-License-Identifier: Apache-2.0
"""Imported rules beside Prometheus' own promtool: the same samples, the same onsets."""
import json
import re
import shutil
import subprocess

import pytest
import yaml

from conftest import BUILD, ROOT

HALE = f"{BUILD}/bin/hale"
MINUTES = 60
promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="SKIP: promtool is missing")

# (rule, series, minutes of difference that are right). Prometheus evaluates once a minute; a window of
# ours ends at the minute and waits for late samples.
CASES = {
    "last": ({"expr": "temp > 50"},
             {"temp{instance='a'}": "10x9 60x9 10x39", "temp{instance='b'}": "10x30 60x28"}, 0),
    "for": ({"expr": "temp > 50", "for": "5m"},
            {"temp{instance='a'}": "10x9 60x3 10x5 60x39", "temp{instance='b'}": "60x2 10x55"}, 0),
    "down": ({"expr": "up == 0", "for": "2m"},
             {"up{instance='a'}": "1x20 0x9 1x28", "up{instance='b'}": "1x58"}, 0),
    "gap": ({"expr": "temp > 50"},
            {"temp{instance='a'}": "60x9 _x20 60x28", "temp{instance='b'}": "10x58"}, 1),
    "avg": ({"expr": "avg_over_time(temp[10m]) > 50"},
            {"temp{instance='a'}": "0x19 100x39", "temp{instance='b'}": "0x58"}, 2),
    "max": ({"expr": "max by (instance) (max_over_time(temp[5m])) > 50"},
            {"temp{instance='a',disk='x'}": "0x19 100 0x38", "temp{instance='a',disk='y'}": "0x58",
             "temp{instance='b',disk='x'}": "0x58"}, 2),
    "rate": ({"expr": "sum by (instance) (rate(bytes[5m])) > 10"},
             {"bytes{instance='a',if='0'}": "0+60x19 1200+1800x38",
              "bytes{instance='a',if='1'}": "0+60x58", "bytes{instance='b',if='0'}": "0+60x58"}, 3),
    "and": ({"expr": "temp > 50 and load > 5", "for": "3m"},
            {"temp{instance='a'}": "10x9 60x29 10x18", "load{instance='a'}": "1x19 9x38"}, 0),
    "ratio": ({"expr": "used / total * 100 > 90"},
              {"used{instance='a'}": "10+2x58", "total{instance='a'}": "100x59",
               "used{instance='b'}": "10x58", "total{instance='b'}": "100x59"}, 0),
}


def fired_by_promtool(tmp_path, rule, series):
    """{instance: sorted minutes at which it fires}."""
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(
        {"groups": [{"name": "g", "interval": "1m", "rules": [rule]}]}))
    (tmp_path / "test.yaml").write_text(yaml.safe_dump({
        "rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [{
            "interval": "1m",
            "input_series": [{"series": s.replace("'", '"'), "values": v} for s, v in series.items()],
            "alert_rule_test": [{"eval_time": f"{m}m", "alertname": "Rule", "exp_alerts": []}
                                for m in range(MINUTES)]}]}))
    out = subprocess.run(["promtool", "test", "rules", "test.yaml"], cwd=tmp_path, timeout=60,
                         capture_output=True, text=True)
    fired, text = {}, out.stdout + out.stderr
    for block in re.split(r"(?=alertname: ?Rule)", text):
        when = re.search(r"time: ?(\d+h)?(\d+m)?", block)
        if not block.startswith("alertname") or when is None:
            continue
        minute = 60 * int((when[1] or "0h")[:-1]) + int((when[2] or "0m")[:-1])
        for instance in set(re.findall(r'instance="(\w+)"', block.split("got:")[-1])):
            fired.setdefault(instance, []).append(minute)
    assert fired or "SUCCESS" in text, text
    return {k: sorted(v) for k, v in fired.items()}


def onsets(minutes):
    return [m for m in minutes if m - 1 not in minutes]


def fired_by_hale(tmp_path, series):
    """{instance: [minute (a fraction) of each onset]}."""
    imported = subprocess.run([HALE, "import", "prometheus", "--match-by", "instance", "rules.yaml"],
                              cwd=tmp_path, timeout=60, capture_output=True, text=True)
    assert imported.returncode == 0, imported.stderr
    (tmp_path / "definitions.yaml").write_text(imported.stdout)
    lines = []
    for name, values in series.items():
        metric, labels = re.match(r"(\w+)\{(.*)\}", name).groups()
        dims = dict(part.replace("'", "").split("=") for part in labels.split(","))
        lines.append({"metric": metric, "dimensions": dims, "interval": "1m", "values": values})
    (tmp_path / "scenario.yaml").write_text(yaml.safe_dump(
        {"definitions": "definitions.yaml", "series": lines, "length": f"{MINUTES}m",
         "correlator": {"flap_window": "0s"}}))
    out = subprocess.run([HALE, "test", "-v", "scenario.yaml"], cwd=tmp_path, timeout=60,
                         capture_output=True, text=True)
    assert out.returncode == 0, out.stdout + out.stderr
    found = {}
    for at, instance, to in re.findall(
            r"^  (\S+) +transition +\S+\{instance=(\w+)\}  \w+ -> (\w+)", out.stdout, re.M):
        parts = {unit: int(n) for n, unit in re.findall(r"(\d+)(h|ms|m|s)", at)}
        if to == "ALARM":
            found.setdefault(instance, []).append(
                60 * parts.get("h", 0) + parts.get("m", 0) + parts.get("s", 0) / 60)
    return found


@promtool
@pytest.mark.parametrize("name", CASES)
def test_same_onsets_as_promtool(tmp_path, name):
    rule, series, tolerance = CASES[name]
    theirs = fired_by_promtool(tmp_path, {"alert": "Rule", **rule}, series)
    ours = fired_by_hale(tmp_path, series)
    assert theirs and any(theirs.values()), "the case says nothing"
    assert set(ours) == set(theirs)
    for instance, minutes in theirs.items():
        starts = onsets(minutes)
        assert len(ours[instance]) == len(starts), (ours, theirs)
        for mine, start in zip(ours[instance], starts):
            assert abs(mine - start) <= tolerance, (ours, theirs)


def test_what_is_left_out_is_named(tmp_path):
    out = subprocess.run([HALE, "import", "prometheus", f"{ROOT}/tests/vectors/import/node.rules.yaml"],
                         timeout=60, capture_output=True, text=True)
    assert out.returncode == 1
    rules = sum(len(g["rules"]) for g in yaml.safe_load(
        open(f"{ROOT}/tests/vectors/import/node.rules.yaml", encoding="utf-8"))["groups"])
    definitions = yaml.safe_load(out.stdout)["alarm_definitions"]
    assert len(definitions) + out.stderr.count(": left out: ") == rules
    path = tmp_path / "d.yaml"
    path.write_text(out.stdout)
    assert subprocess.run([HALE, "check", path], timeout=60).returncode == 0


def test_monasca(tmp_path):
    out = subprocess.run([HALE, "import", "monasca", f"{ROOT}/tests/vectors/import/monasca.json"],
                         timeout=60, capture_output=True, text=True)
    assert out.returncode == 1 and "definition 2 'bad': left out" in out.stderr
    assert yaml.safe_load(out.stdout)["alarm_definitions"][0]["match_by"] == ["hostname"]
    for args in (["import", "nagios", "x"], ["import", "monasca"], ["import", "monasca", tmp_path / "no"]):
        assert subprocess.run([HALE, *args], timeout=60, capture_output=True).returncode == 2


def test_onap(tmp_path):
    out = subprocess.run([HALE, "import", "onap", f"{ROOT}/tests/vectors/import/onap.yaml"],
                         timeout=60, capture_output=True, text=True)
    assert out.returncode == 1, out.stderr
    restart, scale = yaml.safe_load(out.stdout)["policies"]
    assert restart["mode"] == "observe" and restart["alarm"] == {"definition": "ControlLoop-vCPE"}
    assert restart["frequency"] == [{"max": 5, "per": "600s"}]
    assert restart["guards"]["blackout"]["targets"] == ["*/vserver.one", "*/vserver.two", "*/*golden*"]
    first, second = restart["steps"]
    assert (first["name"], first["on_ok"], first["on_fail"], first["on_timeout"]) == (
        "restart-vm", "done", "rebuild-vm", "rebuild-vm")
    assert first["nova"] == {"cloud": "openstack", "action": "reboot", "server": "${resource_id}",
                             "timeout": "60s", "retries": 2}
    assert second["name"] == "rebuild-vm" and second["on_guard"] == "fail"
    assert scale["steps"][0]["vnflcm"]["aspect_id"] == "vdns-scaling"
    for reason in ("policy operational.sdnr: left out: operation modify: nothing here does",
                   "policy operational.circle: left out: operation a comes again after itself",
                   "policy onap.policies.Monitoring.tca: left out: it is neither",
                   "guard guard.nobody: left out: it guards none",
                   "guard guard.minmax: a policy on an alarm does not know a size",
                   "a filter on generic-vnf.vnf-type has no counterpart"):
        assert reason in out.stderr, (reason, out.stderr)
    assert out.stderr.strip().endswith("2 policies written, 6 left out")
    path = tmp_path / "policies.yaml"
    path.write_text(out.stdout)
    assert subprocess.run([HALE, "check", path], timeout=60).returncode == 0
    tosca = yaml.safe_load(open(f"{ROOT}/tests/vectors/import/onap.yaml", encoding="utf-8"))
    path.write_text(json.dumps(tosca))  # as ONAP's API gives it
    again = subprocess.run([HALE, "import", "onap", path], timeout=60, capture_output=True, text=True)
    assert again.stdout == out.stdout
    for text in ("a: b\n", "topology_template: {policies: {}}\n", "["):
        path.write_text(text)
        assert subprocess.run([HALE, "import", "onap", path], timeout=60, capture_output=True).returncode == 2


def test_vitrage(tmp_path):
    out = subprocess.run([HALE, "import", "vitrage", f"{ROOT}/tests/vectors/import/vitrage.yaml"],
                         timeout=60, capture_output=True, text=True)
    assert out.returncode == 1 and "vitrage.yaml:26: calls are made by a policy" in out.stderr, out.stderr
    rules = yaml.safe_load(out.stdout)["rules"]
    assert [r["name"] for r in rules] == ["host-uplink-and-its-instances-1", "host-uplink-and-its-instances-2"]
    assert rules[0]["do"][0]["raise"]["name"] == "instance network problem"
    path = tmp_path / "rules.yaml"
    path.write_text(out.stdout)
    assert subprocess.run([HALE, "check", path], timeout=60).returncode == 0
    path.write_text("metadata: {version: 2}\nscenarios: []\n")
    out = subprocess.run([HALE, "import", "vitrage", path], timeout=60, capture_output=True, text=True)
    assert out.returncode == 2 and "not a Vitrage template of version 3" in out.stderr
