#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Benchmarks of the whole house on this machine: prints tables of figures, judges nothing.

  whole.py faults    kill -9 of a VNFC: to the heal request at the VNFM, to the alarm cleared (30 faults
                     seen by a 1 s check and the traffic source, 30 seen through a fault event)
  whole.py events    a fault event's POST to the subscriber's and to the VNFM's socket

Uses build/release (cmake --preset release && cmake --build --preset release) or $HALE_BUILD_DIR.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
os.environ.setdefault("HALE_BUILD_DIR", str(ROOT / "build" / "release"))
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from conftest import BUILD, Redis, Stack, free_port, wait_for  # noqa: E402
from house import House, live  # noqa: E402

EVENT_POLICY = """
policies:
- name: heal-by-event
  mode: auto
  alarm: {definition: vnfc.down, source: event}
  target: vnf/${vnf_id}/${vnfc_id}
  cooldown: 10ms
  frequency: {max: 1000, per: 1s}
  steps:
  - vnflcm: {url: "@LAB_URL@", operation: heal, vnf_instance_id: "${vnf_id}",
             vnfc_instance_id: ["${vnfc_id}"], timeout: 20s, poll: 10ms}
  verify: {alarm: cleared, within: 15s}
"""
BENCH_POLICY = EVENT_POLICY.replace("vnfc.down", "bench.down").replace("@LAB_URL@",
                                                                      "http://127.0.0.1:@PORT@")
TICK = os.sysconf("SC_CLK_TCK")

# One alarm comes and goes far more often than in life.
QUICK = {"flap_window": "0s", "storm_rate": 0}


def percentile(values, p):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * p / 100))]


def row(name, values):
    print("%-44s n %3d  min %8.1f  p50 %8.1f  p99 %8.1f  max %8.1f ms"
          % (name, len(values), min(values), statistics.median(values), percentile(values, 99),
             max(values)), flush=True)


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(f) for f in fields[11:15]) / TICK  # with children that ended (Redis rewriting)


def rss_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def counter(stack, daemon, name):
    """Value of a counter of a daemon's /metrics, 0 when absent."""
    import urllib.request
    text = urllib.request.urlopen("http://%s/metrics" % stack.daemons[daemon].listen).read().decode()
    total = 0.0
    for line in text.splitlines():
        if line.startswith(name + " ") or line.startswith(name + "{"):
            total += float(line.rsplit(" ", 1)[1])
    return total


def one_fault(house, stream, by_event):
    """Kills a VNFC; returns ms from the kill to the heal request and to the cleared alarm."""
    fault = house.kill()
    vnfc, at_ms = fault["vnfc_id"], fault["at_ms"]
    event = {"type": "vnfc.down", "severity": "CRITICAL",
             "dimensions": {"vnf_id": "dns-vnf", "vnfc_id": vnfc}}
    if by_event:
        house.stack.http("POST", "/v1/events", event, role="agent")
        wait_for(lambda: [v for v in house.lab_state()["vnfcs"]
                          if v["id"] == vnfc and v["serving"]], 30, "serving", 0.002)
        house.stack.http("POST", "/v1/events", dict(event, status="clear"), role="agent")
    cleared = None
    for name, _, data in stream:
        if (name == "alarm" and data["kind"] == "transition" and data["alarm"]["state"] == "OK"
                and data["alarm"]["group"].get("vnfc_id") == vnfc):
            cleared = data["time_ms"] - at_ms
        if name == "action" and data["kind"] in ("verified", "failed") and vnfc in data["target"]:
            assert data["kind"] == "verified", data
            break
    heal = [r for r in house.requests("heal") if vnfc in str(r)][-1]
    return heal["at_us"] / 1000 - at_ms, cleared


def faults(stack, options):
    for by_event in (False, True):
        if by_event:
            stack = fresh()
        # The lab's policies without their limits: here faults come far more often than in life.
        lab = (ROOT / "tests" / "lab" / "policies.yaml").read_text()
        lab = lab.replace("cooldown: 3s", "cooldown: 1s").replace("max: 20, per: 10m",
                                                                  "max: 1000, per: 10m")
        house = House(stack, policies=EVENT_POLICY if by_event else lab, agent=not by_event,
                      daemons={"correlator": QUICK})
        try:
            if not by_event:
                house.wait_quiet()
            stream = live(stack, 600)
            next(stream)
            healed, cleared = [], []
            for i in range(options.n):
                wait_for(lambda: all(v["serving"] for v in house.lab_state()["vnfcs"]), 30, "serving")
                target = time.time() + 1.2 + (i * 0.137) % 1  # random phase to the checks' second
                wait_for(lambda t=target: time.time() >= t, 10, "the next fault", 0.005)
                heal, clear = one_fault(house, stream, by_event)
                healed.append(heal)
                cleared.append(clear)
            kind = "fault event" if by_event else "1 s check + traffic source"
            row(f"{kind}: kill -9 to heal request", healed)
            row(f"{kind}: kill -9 to alarm cleared", cleared)
            print("heal requests: %d for %d faults" % (len(house.requests("heal")), options.n))
        finally:
            house.stop()
            finish(stack)


def events(stack, options):
    sub, vnfm = free_port(), free_port()
    policies = stack.dir / "policies.yaml"
    policies.write_text(BENCH_POLICY.replace("@PORT@", str(vnfm)))
    for name in ("collector", "thresholds", "correlator"):
        stack.start(name, QUICK if name == "correlator" else None)
    stack.start("actuator", {"policies": str(policies), "subscribers": [
        {"name": "bench", "url": "http://127.0.0.1:%d/" % sub}]})
    out = subprocess.run([str(BUILD / "tests" / "bench" / "bench_event"), "--port",
                          str(stack.address[1]), "--token", stack.token("operator"),
                          "--subscriber-port", str(sub), "--vnfm-port", str(vnfm), "--n",
                          str(options.n * 10)], capture_output=True, text=True, timeout=600)
    print(out.stdout or out.stderr)
    finish(stack)


def fresh():
    directory = pathlib.Path(tempfile.mkdtemp(prefix="hale-bench-"))
    return Stack(directory, Redis(directory / "r").start())


def finish(stack):
    problems = stack.finish()
    stack.redis.stop()
    for problem in problems:
        print(problem, file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["faults", "events"])
    parser.add_argument("--n", type=int, default=30, help="faults (default 30), events / 10")
    options = parser.parse_args()
    {"faults": faults, "events": events}[options.what](fresh(), options)


if __name__ == "__main__":
    main()
