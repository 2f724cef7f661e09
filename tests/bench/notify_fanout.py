#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Notifications to 100 subscribers, one of them dead:

  notify_fanout.py [--rate 10000] [--seconds 20] [--subscribers 100] [--profile hale]

Alarm log records are written as the correlator writes them, so many that --rate notifications a second are due; the
receiver (bench_receiver.c, one thread) takes them for all subscribers but the last, which takes connections and never
answers. Printed: notifications a second that were taken, whether the writer kept its pace, CPU of the actuator, of Redis
and of the receiver per notification, and p50/p99 from the record's stamp to the receiver's socket.
"""
import argparse
import json
import subprocess
import time
import uuid

from whole import BUILD, counter, cpu_seconds, finish, fresh, wait_for

LOG, BATCH_S = "hale:{m}:alarmlog", 0.02


def record(seq, now_us):
    group = {"vnf_id": "dns-vnf", "vnfc_id": f"dns-{seq % 500}"}
    alarm = {"v": 1, "id": str(uuid.UUID(int=seq % 500)), "tenant": "default", "source": "metric",
             "definition_id": "d1", "definition_name": "dns-vnfc-down", "description": "", "severity": "CRITICAL",
             "actions_enabled": True, "group": group,
             "metrics": [{"name": "process.pid_count", "dimensions": dict(group, service="dns")}],
             "state": "ALARM", "reason": "process.pid_count is 0", "sub_alarms": [], "lifecycle_state": None,
             "link": None, "created_ms": now_us // 1000, "updated_ms": now_us // 1000,
             "state_updated_ms": now_us // 1000, "seq": seq}
    return json.dumps({"v": 1, "seq": seq, "kind": "transition", "time_ms": now_us // 1000, "old_state": "OK",
                       "alarm": alarm, "evidence": {}, "accepted_us": now_us, "decided_us": now_us,
                       "logged_us": now_us})


def write(redis, per_second, seconds):
    """Records at an even pace; returns how many, and the seconds it took."""
    start, seq = time.monotonic(), 0
    while time.monotonic() - start < seconds:
        due = int((time.monotonic() - start) * per_second)
        while seq < due:
            seq += 1
            redis.cmd("XADD", LOG, f"{seq}-0", "j", record(seq, time.time_ns() // 1000))
        time.sleep(BATCH_S / 4)
    return seq, time.monotonic() - start


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rate", type=int, default=10000)
    p.add_argument("--seconds", type=int, default=20)
    p.add_argument("--subscribers", type=int, default=100)
    p.add_argument("--profile", default="hale")
    o = p.parse_args()
    receiver = subprocess.Popen([str(BUILD / "tests/bench/bench_receiver"), str(o.subscribers - 1)],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    ports = receiver.stdout.readline().split()
    stack = fresh()
    try:
        stack.start("actuator", {"subscribers": [
            {"name": f"s{i}", "url": f"http://127.0.0.1:{port}/hook", "profile": o.profile}
            for i, port in enumerate(ports)]})
        pid, store = stack.daemons["actuator"].process.pid, stack.redis.process.pid
        before, store_before = cpu_seconds(pid), cpu_seconds(store)
        n, took = write(stack.redis, o.rate / o.subscribers, o.seconds)
        want = n * (o.subscribers - 1)
        start = time.monotonic()
        wait_for(lambda: counter(stack, "actuator", "hale_actuator_notifications_total") >= want, 120,
                 f"{want} notifications", 0.05)
        late = time.monotonic() - start
        cpu, store_cpu = cpu_seconds(pid) - before, cpu_seconds(store) - store_before
        receiver.stdin.close()
        got, p50, p99, own = receiver.stdout.read().split()
        print(f"{n} records in {took:.1f} s to {o.subscribers} subscribers, one dead, profile {o.profile}: {got} taken, "
              f"{int(got) / (took + late):.0f} a second; the last {late:.2f} s after its record")
        print(f"CPU a notification: actuator {cpu / int(got) * 1e6:.1f} us, Redis {store_cpu / int(got) * 1e6:.1f} us, "
              f"receiver {float(own) / int(got) * 1e6:.1f} us; "
              f"stamp to socket p50 {int(p50) / 1000:.2f} ms, p99 {int(p99) / 1000:.2f} ms")
    finally:
        finish(stack)
        receiver.kill()


if __name__ == "__main__":
    main()
