#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Ingest of Hale and of its peers, one after the other on the same data by the same sender:

  ingest.py [--series 10000] [--rate 0] [--seconds 20] [--only hale-json,hale-influx,...]

Rows: hale-json, hale-influx, hale-remote-write (every daemon on, 20 definitions over all series, archive
on), influxdb (Debian's 1.6, line protocol), prometheus (Debian's, remote write receiver); both with their
defaults. Printed per row: samples/s acknowledged, CPU seconds per million samples of all its processes
together (with 5 s of settling after the last sample), resident memory, batch latency. Hale's samples are
counted again where they belong, in the collector's store and in thresholds: none may be missing.
The sender's own CPU is printed apart. Debian: influxdb, prometheus."""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from whole import BUILD, counter, cpu_seconds, fresh, finish, rss_mb, wait_for
from conftest import free_port, http_call

FORMATS = {"hale-json": "json", "hale-influx": "influx", "hale-remote-write": "remote-write",
           "influxdb": "influx", "prometheus": "remote-write"}


def load(port, row, options, seconds, rate, token):
    command = [str(BUILD / "tests" / "bench" / "bench_load"), "--port", str(port), "--token", token,
               "--format", FORMATS[row], "--series", str(options.series), "--batch", "1000",
               "--connections", str(options.connections), "--rate", str(rate),
               "--seconds", str(seconds)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure(row, port, pids, options, token="none", arrived=None):
    """arrived(n): waits until n samples are where they belong."""
    # Every series is known, at a sample a second, and its alarms have settled if warm is long enough.
    acked = load(port, row, options, options.warm, options.series, token)["acked"]
    if arrived is not None:
        arrived(acked)
    before = {n: cpu_seconds(p) for n, p in pids.items()}
    out = load(port, row, options, options.seconds, options.rate, token)
    if arrived is not None:
        arrived(acked + out["acked"])
    settle = time.monotonic() + 5
    wait_for(lambda: time.monotonic() > settle, 20, "settled", 0.2)
    million = out["acked"] / 1e6
    parts = {n: (cpu_seconds(p) - before[n]) / million for n, p in pids.items()}
    print("%-18s %9.0f samples/s  %6.3f CPU-s/M  %7.0f MB  p50 %7.2f ms  p99 %8.2f ms  refused %d  "
          "sender %.3f CPU-s/M   %s"
          % (row, out["samples_per_second"], sum(parts.values()),
             sum(rss_mb(p) for p in pids.values()), out["p50_ms"], out["p99_ms"], out["refused"],
             out["cpu_seconds"] / million,
             " ".join("%s %.3f" % (n, v) for n, v in parts.items()) if len(parts) > 1 else ""),
          flush=True)


def hale(row, options):
    stack = fresh()
    policies = stack.dir / "policies.yaml"
    policies.write_text("policies: []\n")
    stack.start("collector", {"redis_memory_max": "8g", "hot_flush": "60s"})  # its default
    for name in ("thresholds", "correlator"):
        stack.start(name)
    stack.start("actuator", {"policies": str(policies)})
    for i in range(20):
        answer = stack.http("POST", "/v2.0/alarm-definitions", {
            "name": f"bench-{i}", "expression": f"avg(bench.metric_{i:02d}) > 2000",
            "match_by": ["hostname"]})
        assert answer.status == 201, answer
    pids = {n: d.process.pid for n, d in stack.daemons.items()}
    pids["redis"] = stack.redis.process.pid

    def arrived(n):
        for daemon, name in (("collector", "hale_collector_stored_samples_total"),
                             ("thresholds", "hale_thresholds_samples_total")):
            wait_for(lambda: counter(stack, daemon, name) >= n, 120, f"{n} samples in {daemon}", 0.2)
        alarms = options.series // 100 * 20  # one for each definition and host, made once
        wait_for(lambda: counter(stack, "collector", "hale_collector_alarms") >= alarms, 120,
                 "all alarms", 0.2)
    measure(row, stack.address[1], pids, options, stack.token("agent"), arrived)
    finish(stack)


def peer(row, command, port, ready, options):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(ready, 60, row + " is up", 0.2)
        measure(row, port, {row: process.pid}, options)
    finally:
        process.terminate()
        process.wait(60)


def answers(port, method, path):
    try:
        return http_call("127.0.0.1", port, method, path, timeout=5).status < 300
    except OSError:
        return False


def influxdb(row, options, directory):
    port, rpc = free_port(), free_port()
    conf = directory / "influxdb.conf"
    conf.write_text(f"""bind-address = "127.0.0.1:{rpc}"
reporting-disabled = true
[meta]
dir = "{directory}/meta"
[data]
dir = "{directory}/data"
wal-dir = "{directory}/wal"
max-series-per-database = 0
max-values-per-tag = 0
[http]
bind-address = "127.0.0.1:{port}"
log-enabled = false
""")
    peer(row, ["influxd", "-config", str(conf)], port,
         lambda: answers(port, "POST", "/query?q=CREATE%20DATABASE%20bench"), options)


def prometheus(row, options, directory):
    port = free_port()
    (directory / "prometheus.yml").write_text("scrape_configs: []\n")
    peer(row, ["prometheus", f"--config.file={directory}/prometheus.yml",
               f"--storage.tsdb.path={directory}/data", f"--web.listen-address=127.0.0.1:{port}",
               "--web.enable-remote-write-receiver"], port,
         lambda: answers(port, "GET", "/-/ready"), options)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--series", type=int, default=10000)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--rate", type=int, default=0, help="samples/s; 0 = as fast as taken")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--warm", type=int, default=5, help="seconds of light load before; 100 lets the alarms settle")
    parser.add_argument("--only", default=",".join(FORMATS))
    options = parser.parse_args()
    print("%d series, %s samples/s offered, %d connections, %d s"
          % (options.series, options.rate or "as many as taken", options.connections, options.seconds))
    for row in options.only.split(","):
        if row.startswith("hale"):
            hale(row, options)
            continue
        if shutil.which("influxd" if row == "influxdb" else row) is None:
            print("%-18s not installed" % row)
            continue
        with tempfile.TemporaryDirectory(prefix="hale-peer-") as directory:
            {"influxdb": influxdb, "prometheus": prometheus}[row](row, options, pathlib.Path(directory))


if __name__ == "__main__":
    os.environ.setdefault("GOMAXPROCS", "2")
    sys.exit(main())
