#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Cost of live evaluation: many definitions over series that each report once a second.

  live_eval.py [--definitions 10000] [--series 100000] [--seconds 60] [--expression avg] [--prometheus]
  live_eval.py --quick                       1,000 definitions over 10,000 series for 10 s

bench_load sends each series a sample a second. Every series is of exactly one definition: there are
definitions x 100 / series of them for each host, each of a metric of five devices, or of the or of two or more
metrics if there are fewer. --expression avg: avg(x, 1) > 2000, decided each second as Prometheus does at 1 s;
last: decided at each sample (10,000 samples a second touch no definition less). Nothing breaches.

Printed: CPU-seconds per second of thresholds and of each other daemon over the same seconds, per million samples, and what
was missed: samples acknowledged and not evaluated, refused as late or for the future, and windows (sub-alarms
x seconds) that were not closed. All of them must be 0. Beside it stand the figures of others, measured on a
machine of the kind in README.md. --prometheus runs Debian's Prometheus on the same series and as many rules
in the same run: 1 s scrape, 1 s evaluation, and again without rules; the difference are its rules."""
import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

from ingest import answers
from whole import BUILD, counter, cpu_seconds, finish, fresh, rss_mb, wait_for
from conftest import free_port, http_call

METRICS, DEVICES, LIMIT = 20, 5, 2000  # load_body.h: series of a host; values stay below 1000
PEERS = """Others, 100,000 series each second, figures of November 2026 on 2 vCPU (not of this run):
  Prometheus 2.42, 10,000 rules of 5 series at 1 s      0.83 cores for the rules, 0.604 s a round
  vmalert 1.90 and VictoriaMetrics, the same rules      0.47 + 0.81 cores, 3.05 s a round: cannot keep up
  Kapacitor 1.5, one rule, every series grouped         8.36 CPU-s per million samples"""


def host_name(host):
    return "compute-%06d.example.net" % host


def metrics_of(options):
    """Per definition of a host: its metrics, so that all series are of one definition."""
    per_host = max(1, min(METRICS, options.definitions * METRICS * DEVICES // options.series))
    return [list(range(k, METRICS, per_host)) for k in range(per_host)]


def definitions(options):
    """(name, host, metrics) of each."""
    for host in range(options.series // (METRICS * DEVICES)):
        for k, metrics in enumerate(metrics_of(options)):
            yield "h%06d-%02d" % (host, k), host_name(host), metrics


def expression(options, host, metrics):
    f = "avg(bench.metric_%02d{hostname=%s}, 1)" if options.expression == "avg" else \
        "last(bench.metric_%02d{hostname=%s})"
    return " or ".join("%s > %d" % (f % (m, host), LIMIT) for m in metrics)


class Sender:
    """bench_load at a sample a second and series, until it has sent for so long."""

    def __init__(self, port, token, options, seconds, form="json"):
        self.process = subprocess.Popen(
            [str(BUILD / "tests" / "bench" / "bench_load"), "--port", str(port), "--token", token,
             "--format", form, "--series", str(options.series), "--rate", str(options.series),
             "--batch", "1000", "--connections", "4", "--seconds", str(seconds)],
            stdout=subprocess.PIPE, text=True)

    def result(self):
        out = self.process.communicate(timeout=600)[0]
        if self.process.returncode != 0:
            sys.exit("bench_load ended with %d" % self.process.returncode)
        return json.loads(out)


def define(stack, options):
    began = time.monotonic()
    n = subs = 0
    for name, host, metrics in definitions(options):
        a = stack.http("POST", "/v2.0/alarm-definitions", {
            "name": name, "expression": expression(options, host, metrics)})
        assert a.status == 201, a
        n, subs = n + 1, subs + len(metrics)
    print("%d definitions with %d comparisons made in %.0f s" % (n, subs, time.monotonic() - began),
          flush=True)
    return n, subs


def phase(offset):
    """The next moment so far behind a full second; windows of 1 s close half a second behind it."""
    due = int(time.time()) + 1 + offset
    wait_for(lambda: time.time() >= due, 5, "the phase", 0.002)
    return int(due)


def refused(stack):
    return counter(stack, "thresholds", "hale_thresholds_samples_refused_total")


def hale(options):
    stack = fresh()
    try:
        return hale_on(stack, options)
    finally:
        finish(stack)


def hale_on(stack, options):
    (stack.dir / "policies.yaml").write_text("policies: []\n")
    stack.start("collector", {"redis_memory_max": "8g", "hot_flush": "60s"})
    for name in ("thresholds", "correlator"):
        stack.start(name)
    stack.start("actuator", {"policies": str(stack.dir / "policies.yaml")})
    n, subs = define(stack, options)
    pids = {name: d.process.pid for name, d in stack.daemons.items()}
    pids["redis"] = stack.redis.process.pid
    token = stack.token("agent")
    evaluations = "hale_thresholds_evaluations_total"

    def settled(acked):
        wait_for(lambda: counter(stack, "thresholds", "hale_thresholds_samples_total") >= acked, 300,
                 "all samples in thresholds", 0.2)
    # One sender for all: a pause between two would make the alarms UNDETERMINED and OK again.
    sender = Sender(stack.address[1], token, options, 2 * options.warm + options.seconds + 5)
    warm = time.monotonic() + options.warm
    wait_for(lambda: time.monotonic() >= warm and counter(
        stack, "correlator", 'hale_correlator_alarms{state="OK"}') >= n, 300, "all alarms OK", 0.5)
    late = refused(stack)
    began = phase(0.3)
    closed, before = counter(stack, "thresholds", evaluations), {k: cpu_seconds(p) for k, p in pids.items()}
    mono, samples = time.monotonic(), counter(stack, "thresholds", "hale_thresholds_samples_total")
    wait_for(lambda: time.monotonic() >= mono + options.seconds - 0.5, options.seconds + 60, "the end", 0.05)
    ended = phase(0.3)
    took = time.monotonic() - mono
    cpu = {k: (cpu_seconds(p) - before[k]) / took for k, p in pids.items()}
    samples = counter(stack, "thresholds", "hale_thresholds_samples_total") - samples
    closed = counter(stack, "thresholds", evaluations) - closed
    memory = {k: rss_mb(p) for k, p in pids.items()}
    if sender.process.poll() is not None:
        sys.exit("the alarms were not made within 2 x --warm %d: give it more" % options.warm)
    out = sender.result()
    settled(out["acked"])
    total = counter(stack, "thresholds", "hale_thresholds_samples_total")
    due = subs * (ended - began) if options.expression == "avg" else 0
    print("%d series, %.0f samples/s, %d definitions, %s; %.0f s, sender's p99 %.1f ms, refused %d"
          % (options.series, samples / took, n, options.expression, took, out["p99_ms"], out["refused"]))
    print("%-12s %10s %14s %8s" % ("", "cores", "CPU-s/M", "MB"))
    for k in sorted(cpu, key=cpu.get, reverse=True):
        print("%-12s %10.3f %14.3f %8.0f" % (k, cpu[k], cpu[k] * took * 1e6 / samples, memory[k]))
    print("%-12s %10.3f %14.3f %8.0f" % ("all", sum(cpu.values()), sum(cpu.values()) * took * 1e6 / samples,
                                        sum(memory.values())))
    print("missed: samples not evaluated %d, refused by windows %d, windows not closed %d of %d"
          % (out["acked"] - total, refused(stack) - late, max(0, due - closed), due))
    return cpu["thresholds"]


# --- Prometheus -------------------------------------------------------------------------------------------

class Exporter:
    """One page with every series, as load_body.h has them; rendered once."""

    def __init__(self, series):
        lines = []
        for s in range(series):
            host = s // (METRICS * DEVICES)
            lines.append('bench_metric_%02d{device="dev%d",hostname="%s",region="RegionOne",service="compute",'
                         'tenant="tenant-%02d"} 500\n' % (s % METRICS, s // METRICS % DEVICES,
                                                          host_name(host), host % 7))
        text = "".join(lines).encode()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *args):
                pass
        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.port = self.server.server_port


def scraped(port, name):
    text = http_call("127.0.0.1", port, "GET", "/metrics").body.decode()
    return sum(float(v) for v in re.findall(r"^%s(?:\{[^}]*\})? (\S+)$" % name, text, re.M))


def one_prometheus(options, exporter, rules):
    """(cores, seconds a round, rounds missed)"""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="hale-peer-") as directory:
        d = pathlib.Path(directory)
        (d / "rules.yml").write_text("groups:\n- name: bench\n  interval: 1s\n  rules:\n" + "".join(
            "  - {alert: %s, expr: '%s'}\n" % (name, " or ".join(
                'bench_metric_%02d{hostname="%s"} > %d' % (m, host, LIMIT) for m in metrics))
            for name, host, metrics in definitions(options)) if rules else "groups: []\n")
        (d / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n"
            f"rule_files: ['{d}/rules.yml']\nscrape_configs:\n- {{job_name: bench, static_configs: "
            f"[{{targets: ['127.0.0.1:{exporter.port}']}}]}}\n")
        p = subprocess.Popen(["prometheus", f"--config.file={d}/prometheus.yml",
                              f"--storage.tsdb.path={d}/data", f"--web.listen-address=127.0.0.1:{port}"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda: answers(port, "GET", "/-/ready"), 60, "Prometheus is up", 0.2)
            wait_for(lambda: scraped(port, "prometheus_tsdb_head_series") >= options.series, 120, "its series", 0.5)
            wait_for(lambda at=time.monotonic() + options.warm: time.monotonic() >= at, 600, "warm", 0.2)
            before, mono = cpu_seconds(p.pid), time.monotonic()
            missed = scraped(port, "prometheus_rule_group_iterations_missed_total")
            wait_for(lambda: time.monotonic() >= mono + options.seconds, options.seconds + 60, "the end", 0.2)
            took = time.monotonic() - mono
            return ((cpu_seconds(p.pid) - before) / took,
                    scraped(port, "prometheus_rule_group_last_duration_seconds"),
                    scraped(port, "prometheus_rule_group_iterations_missed_total") - missed)
        finally:
            p.terminate()
            p.wait(60)


def prometheus(options, ours):
    if shutil.which("prometheus") is None:
        sys.exit("prometheus is not installed")
    exporter = Exporter(options.series)
    rules, seconds, missed = one_prometheus(options, exporter, True)
    bare = one_prometheus(options, exporter, False)[0]
    print("Prometheus, the same rules and series: %.3f cores, %.3f without rules: rules %.3f cores; "
          "%.3f s a round, rounds missed %d" % (rules, bare, rules - bare, seconds, missed))
    print("its rules / thresholds: %.1f" % ((rules - bare) / max(ours, 1e-3)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--definitions", type=int, default=10000)
    parser.add_argument("--series", type=int, default=100000, help="a multiple of 100, at most 100 x definitions")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--warm", type=int, default=60, help="seconds of the same load before, at most twice that if alarms are late")
    parser.add_argument("--expression", choices=["avg", "last"], default="avg")
    parser.add_argument("--prometheus", action="store_true")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.quick:
        options.definitions, options.series, options.seconds, options.warm = 1000, 10000, 10, 5
    if options.series % 100 or options.definitions * 100 % options.series:
        parser.error("definitions x 100 / series must be whole, and series a multiple of 100")
    ours = hale(options)
    print(PEERS)
    if options.prometheus:
        prometheus(options, ours)


if __name__ == "__main__":
    main()
