# SPDX-License-Identifier: Apache-2.0
"""Descriptors of OSM and Tacker become definitions and policies; what does not map is named with its reason."""
import subprocess

import pytest
import yaml
from conftest import binary

OSM = """
vnfd:
  id: web-vnf
  vdu:
  - id: web
    monitoring-parameter:
    - {id: web-cpu, name: web-cpu, performance-metric: cpu_utilization}
    - {id: web-mem, name: web-mem, performance-metric: average_memory_utilization}
    alarm:
    - {alarm-id: mem, vnf-monitoring-param-ref: web-mem, value: 90, operation: GE, severity: MODERATE, statistic: MAXIMUM,
       actions: {alarm: [{url: "http://10.0.0.1:8080/a"}], ok: [{url: "http://10.0.0.1:8080/b"}]}}
    - {alarm-id: eq, vnf-monitoring-param-ref: web-mem, value: 90, operation: EQ, severity: LOW, statistic: AVERAGE}
  df:
  - id: default-df
    scaling-aspect:
    - id: web-scale
      max-scale-level: 5
      scaling-policy:
      - name: load
        scaling-type: automatic
        enabled: true
        threshold-time: 60
        cooldown-time: 120
        scaling-criteria:
        - {name: cpu, scale-in-threshold: 20, scale-in-relational-operation: LT, scale-out-threshold: 80,
           scale-out-relational-operation: GT, vnf-monitoring-param-ref: web-cpu}
        - {name: mem, scale-out-threshold: 70.5, scale-out-relational-operation: GE, vnf-monitoring-param-ref: web-mem}
      - {name: by-hand, scaling-type: manual, enabled: true}
      - {name: off, scaling-type: automatic, enabled: false}
    - {id: fixed, max-scale-level: 2}
    healing-aspect:
    - id: heal
      healing-policy:
      - {vdu-id: web, event-name: heal-alarm, recovery-type: automatic, action-on-recovery: REDEPLOY_ONLY,
         cooldown-time: 180, day1: true}
      - {vdu-id: web, event-name: heal-alarm, recovery-type: manual}
"""
OLD = """
vnfd:vnfd-catalog:
  vnfd:
  - id: old
    monitoring-param:
    - {id: cpu, name: cpu, aggregation-type: AVERAGE,
       vdu-monitoring-param: {vdu-ref: v, vdu-monitoring-param-ref: v-cpu}}
    vdu:
    - {id: v, monitoring-param: [{id: v-cpu, nfvi-metric: cpu_utilization}]}
    scaling-group-descriptor:
    - name: group
      scaling-policy:
      - {name: p, scaling-type: automatic, threshold-time: 0, cooldown-time: 60, scaling-criteria: [
          {name: c, scale-out-threshold: 60, scale-out-relational-operation: GT, vnf-monitoring-param-ref: cpu}]}
      - {name: q, scaling-type: automatic, scaling-criteria: [
          {name: c, scale-out-threshold: 60, scale-out-relational-operation: GT, vnf-monitoring-param-ref: none}]}
"""
TACKER = """
topology_template:
  node_templates:
    VDU1:
      type: tosca.nodes.nfv.VDU.Tacker
      properties:
        monitoring_policy: {name: ping, parameters: {monitoring_delay: 45, count: 3, interval: 1, timeout: 2},
                            actions: {failure: respawn}}
    VDU2:
      type: tosca.nodes.nfv.VDU.Tacker
      properties:
        monitoring_policy: {name: http_ping, parameters: {retry: 5, timeout: 10, port: 8000}, actions: {failure: vdu_autoheal}}
        app_monitoring_policy: {name: zabbix}
    VDU3:
      type: tosca.nodes.nfv.VDU.Tacker
      properties: {monitoring_policy: {name: ping, actions: {failure: log_and_kill}}}
  policies:
  - SP1: {type: tosca.policies.tacker.Scaling, targets: [VDU1],
          properties: {increment: 2, cooldown: 120, min_instances: 1, max_instances: 3, default_instances: 2}}
  - alarm1:
      type: tosca.policies.tacker.Alarming
      triggers:
        high:
          event_type: {type: tosca.events.resource.utilization, implementation: ceilometer}
          metric: cpu_util
          condition: {threshold: 50, granularity: 300, evaluations: 2, aggregation_method: mean, resource_type: instance,
                      comparison_operator: gt}
          action: [SP1]
        low:
          metric: cpu_util
          condition: {threshold: 10, comparison_operator: lt}
          action: [SP1]
        gone:
          metric: cpu_util
          condition: {threshold: 10, comparison_operator: lt}
          action: [notify]
        percentile:
          metric: cpu_util
          condition: {threshold: 10, comparison_operator: lt, aggregation_method: cardinality}
          action: [respawn]
  - indicators:
      type: tosca.policies.nfv.VnfIndicator
      triggers:
        out: {condition: [{calls: [{greater_or_equal: 60.8}]}],
              action: [{call_operation: {operation: Vnflcm.scale, inputs: {type: scale_out, aspect_id: web}}}]}
        heal: {condition: [{utilization: [{less_or_equal: 1}]}], action: [{call_operation: {operation: vnflcm.heal}}]}
        odd: {condition: [{a: [{equal: 1}]}], action: [{call_operation: {operation: vnflcm.heal}}]}
  - aspects: {type: tosca.policies.nfv.ScalingAspects, properties: {aspects: {web: {max_scale_level: 2}}}}
"""


def run(tmp_path, kind, text, name="tmpl.yaml"):
    source, policies = tmp_path / name, tmp_path / "policies.yaml"
    source.write_text(text)
    done = subprocess.run([str(binary("cli")), "import", kind, str(source), "--policies", str(policies)],
                          capture_output=True, text=True, timeout=60)
    if done.returncode == 2:
        return done, {}, {}
    (tmp_path / "definitions.yaml").write_text(done.stdout)
    for file in (policies, tmp_path / "definitions.yaml"):
        checked = subprocess.run([str(binary("cli")), "check", str(file)], capture_output=True, text=True, timeout=60)
        assert checked.returncode == 0, checked.stderr
    return (done, {d["name"]: d for d in yaml.safe_load(done.stdout)["alarm_definitions"]},
            {p["name"]: p for p in yaml.safe_load(policies.read_text())["policies"]})


def expressions(definitions):
    return {name: d["expression"] for name, d in definitions.items()}


def test_osm(tmp_path):
    done, definitions, policies = run(tmp_path, "osm", OSM)
    assert expressions(definitions) == {
        "web-vnf-mem": "max(average_memory_utilization) >= 90",
        "web-vnf-web-scale-load-out": "avg(cpu_utilization) > 80 for 60s or avg(average_memory_utilization) >= 70.5 for 60s",
        "web-vnf-web-scale-load-in": "avg(cpu_utilization) < 20 for 60s",
        "web-vnf-web-down": "last(vm_status_extended{vdu_name=web}) < 1 for 3m"}
    assert definitions["web-vnf-mem"]["severity"] == "MEDIUM"
    out = policies["web-vnf-web-scale-load-out"]
    step = out["steps"][0]["nslcm"]
    assert (out["mode"], out["cooldown"], step["dialect"], step["scale_vnf"]) == (
        "observe", "120s", "osm", {"vnf_instance_id": "${vnf_member_index}", "type": "SCALE_OUT", "aspect_id": "web-scale"})
    assert policies["web-vnf-web-scale-load-in"]["steps"][0]["nslcm"]["scale_vnf"]["type"] == "SCALE_IN"
    assert policies["web-vnf-web-down"]["steps"][0]["nslcm"]["heal_vnf"]["run_day1"] is True
    assert policies["web-vnf-mem-alarm"]["steps"][0]["webhook"]["url"] == "http://10.0.0.1:8080/a"
    assert policies["web-vnf-mem-ok"]["alarm"]["state"] == "OK"
    assert done.returncode == 1 and "4 left out" in done.stderr
    for words in ("alarm eq: left out: its comparison is none of", "scaling policy by-hand: left out: scaling-type is not",
                  "scaling policy off: left out: it is not enabled", "recovery-type is not automatic",
                  "scaling aspect fixed: it says what can be scaled, not when", "tokens come from POST"):
        assert words in done.stderr, done.stderr


def test_older_osm(tmp_path):
    done, definitions, policies = run(tmp_path, "osm", OLD)
    assert expressions(definitions) == {"old-group-p-out": "avg(cpu_utilization) > 60"}
    assert list(policies) == ["old-group-p-out"]
    assert "scaling policy q: left out: the metric of its monitoring parameter is not named" in done.stderr


def test_tacker(tmp_path):
    done, definitions, policies = run(tmp_path, "tacker", TACKER)
    assert expressions(definitions) == {
        "tmpl-VDU1-unreachable": "last(host_alive_status{vdu_id=VDU1}) > 0 for 30s",
        "tmpl-VDU2-unreachable": "last(http_status{vdu_id=VDU2}) > 0 for 50s",
        "tmpl-high": "avg(cpu_util, 300) > 50 times 2", "tmpl-low": "avg(cpu_util, 60) < 10",
        "tmpl-out": "last(calls) >= 60.8", "tmpl-heal": "last(utilization) <= 1"}
    assert policies["tmpl-VDU1-unreachable"]["steps"][0]["vnflcm"]["operation"] == "heal"
    high, low = (policies[n]["steps"][0]["vnflcm"] for n in ("tmpl-high", "tmpl-low"))
    assert (high["type"], high["number_of_steps"], high["aspect_id"], low["type"]) == ("SCALE_OUT", 2, "SP1", "SCALE_IN")
    assert policies["tmpl-high"]["cooldown"] == "120s" and high["look_first"] is True
    assert policies["tmpl-out"]["steps"][0]["vnflcm"]["aspect_id"] == "web"
    assert "5 left out" in done.stderr
    for words in ("log_and_kill destroys what it should heal", "Zabbix watches it", "action 'notify': neither respawn",
                  "its aggregation_method is none of", "odd: left out: its condition is not one comparison",
                  "policy aspects: of type tosca.policies.nfv.ScalingAspects: it says what can be done"):
        assert words in done.stderr, done.stderr


@pytest.mark.parametrize("kind,words", [("osm", "'vnfd:' or"), ("tacker", "'topology_template:' is wanted")])
def test_other_files_are_refused(tmp_path, kind, words):
    done, _, _ = run(tmp_path, kind, "a: 1\n")
    assert done.returncode == 2 and words in done.stderr


def test_policies_that_are_not_written_are_counted(tmp_path):
    (tmp_path / "t.yaml").write_text(OLD)
    done = subprocess.run([str(binary("cli")), "import", "osm", str(tmp_path / "t.yaml")],
                          capture_output=True, text=True, timeout=60)
    assert "--policies FILE writes the 1 policies" in done.stderr
