# SPDX-License-Identifier: Apache-2.0
"""How long a scaling decision takes to leave the house: from the decision (the run's birth, which is written before
anything leaves) to the call's arrival at the thing scaled, and from the sample that asks for it. One collector, one
actuator, one Redis with appendfsync always; CPU time of the actuator for looks that decide nothing.

    HALE_BUILD_DIR=build/release python3 tests/bench/scaling.py [--rounds 50] [--policies 100]
"""
import argparse
import json
import os
import pathlib
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
import conftest  # noqa: E402
import test_actuator_scaling as kit  # noqa: E402


def cpu_s(pid):
    fields = open(f"/proc/{pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def quantiles(values):
    values = sorted(values)
    return f"p50 {statistics.median(values):.2f} ms, p99 {values[min(len(values) - 1, int(len(values) * 0.99))]:.2f} ms"


def latency(stack, farm, rounds):
    """Load up and down by turns; each change is one decision, one call."""
    kit.start(stack, kit.policies(farm, stabilise={"up": "0s", "down": "0s"}))
    decided, sampled = [], []
    for i in range(rounds):
        n = len(farm.calls)
        farm.load = 60.0 * (4 if i % 2 == 0 else 2)
        told = time.time_ns() // 1000
        conftest.wait_for(lambda: len(farm.calls) > n, 20, "a call", every=0.002)
        at, key, _ = farm.calls[n]
        record = json.loads(stack.redis.cmd("HGET", "hale:{m}:runs", key.rsplit("-", 1)[0]))
        decided.append((at - record["born_us"]) / 1000)
        sampled.append((at - told) / 1000)
        conftest.wait_for(lambda: len(kit.rows(stack, "verified")) > i, 20, "the end", every=0.005)
    print(f"decision to call: {quantiles(decided)} ({rounds} decisions)")
    print(f"load to call, looking every 100 ms: {quantiles(sampled)}")


def looks(stack, farm, policies, seconds=10):
    """Policies that are looked at every second and find nothing to do."""
    one = json.loads(kit.policies(farm, every="1s"))["scaling"][0]
    stack.stop("actuator")
    kit.start(stack, json.dumps({"scaling": [dict(one, name=f"p{i}", target=f"t/{i}") for i in range(policies)]}))
    farm.load = 60.0 * farm.size
    pid = stack.daemons["actuator"].process.pid
    conftest.wait_for(lambda: kit.looks(stack)["looks_total"] >= policies, 30, "a first round")
    n, cpu, end = kit.looks(stack)["looks_total"], cpu_s(pid), time.monotonic() + seconds
    conftest.wait_for(lambda: time.monotonic() > end, seconds + 5, "the time")
    n, cpu = kit.looks(stack)["looks_total"] - n, cpu_s(pid) - cpu
    print(f"{policies} policies: {n / seconds:.0f} looks/s, {cpu / n * 1e6:.0f} us of CPU for each")


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--rounds", type=int, default=50)
    args.add_argument("--policies", type=int, default=100)
    o = args.parse_args()
    with tempfile.TemporaryDirectory() as d:
        path = pathlib.Path(d)
        redis = conftest.Redis(path).start()
        stack = conftest.Stack(path, redis)
        try:
            stack.start("collector")
            farm = kit.Farm(stack)
            try:
                latency(stack, farm, o.rounds)
                looks(stack, farm, o.policies)
            finally:
                farm.stop()
        finally:
            stack.finish()
            redis.stop()


main()
