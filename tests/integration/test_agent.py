# SPDX-License-Identifier: Apache-2.0
"""The agent against a real collector and Redis: names, spool, crashes, reload, punctuality."""
import re
import signal
import subprocess
import time

from collector_kit import ISO0, iso, q
from conftest import binary, free_port, http_call, wait_for


def start_agent(stack, checks, **config):
    """Starts hale-agent for the collector of stack; host name h1."""
    token_file = stack.dir / "agent.token"
    token_file.write_text(stack.token("agent") + "\n")
    spool = stack.dir / "spool"
    collector = config.pop("collector", None) or stack.url
    wait = config.pop("wait", True)
    d = stack.start("agent", {"redis": None, "collector": collector, "hostname": "h1",
                              "token_file": str(token_file), "spool_dir": str(spool),
                              "checks": checks, **config}, wait=False)
    if wait:
        wait_for(lambda: up(stack), 20, "the agent's own metrics")
    return d


def up(stack):
    d = stack.daemons["agent"]
    assert d.alive(), d.log()
    return d.health() is not None


def counter(stack, name):
    """Value of one of the agent's own counters; None while it does not answer."""
    host, port = stack.daemons["agent"].listen.rsplit(":", 1)
    try:
        text = http_call(host, int(port), "GET", "/metrics", timeout=5).body.decode()
    except OSError:
        return None
    found = re.search(rf"^hale_agent_{name} ([0-9.e+]+)$", text, re.M)
    assert found, f"no hale_agent_{name} in {text}"
    return int(float(found.group(1)))


def series(stack, name):
    """[(ms since 1970, value)] of the only series of a metric, oldest first."""
    rows, params = [], {"name": name, "start_time": ISO0}
    while True:
        a = stack.http("GET", q("/v2.0/metrics/measurements", **params))
        assert a.status == 200, a
        assert len(a.json["elements"]) <= 1, "more than one series"
        for e in a.json["elements"]:
            rows += [(m[0], m[1]) for m in e["measurements"]]
        link = [l["href"] for l in a.json["links"] if l["rel"] == "next"]
        if not link or not a.json["elements"]:
            return rows
        params["offset"] = re.search(r"offset=([^&]+)", link[0]).group(1)


def spooled(stack):
    return sum(f.stat().st_size for f in (stack.dir / "spool").glob("*.spool"))


def wait_sent(stack, name, at_least=1):
    """Until every sample taken is acknowledged, the spool is empty, and so many are stored. Stops the
    agent, so that the sums stand still; returns the rows of the metric."""
    def drained():
        return counter(stack, "spool_bytes") == 0 and counter(stack, "samples_sent_total") >= at_least
    wait_for(drained, 40, "an empty spool")
    stack.stop("agent")
    assert spooled(stack) == 0

    # The collector's hot store is written in intervals.
    def settled():
        rows = series(stack, name)
        return rows if len(rows) >= at_least else None
    return wait_for(settled, 20, f"{at_least} samples of {name}")


LOAD = {"type": "load", "interval": "1s"}


def test_every_host_check_arrives_with_monascas_names(stack):
    collector = stack.start("collector")
    pid_file = stack.dir / "collector.pid"
    pid_file.write_text(f"{collector.process.pid}\n")
    start_agent(stack, [{"type": t, "interval": "1s"} for t in
                        ("cpu", "load", "memory", "disk", "net")] +
                [{"type": "process", "interval": "1s", "pid_file": str(pid_file)},
                 {"type": "tcp", "interval": "1s", "host": "127.0.0.1", "port": stack.address[1]},
                 {"type": "http", "interval": "1s", "url": stack.url + "/healthz"}],
                dimensions={"rack": "r7"})
    wanted = {"cpu.idle_perc", "cpu.wait_perc", "cpu.user_perc", "cpu.system_perc", "cpu.stolen_perc",
              "cpu.percent", "cpu.total_logical_cores", "load.avg_1_min", "load.avg_5_min",
              "load.avg_15_min", "mem.total_mb", "mem.free_mb", "mem.usable_mb", "mem.usable_perc",
              "mem.swap_total_mb", "disk.total_space_mb", "disk.total_used_space_mb",
              "process.pid_count", "process.cpu_perc", "process.mem.rss_mbytes",
              "process.thread_count", "network.tcp.status", "network.tcp.response_time",
              "http_status", "http_response_time"}

    def names():
        a = stack.http("GET", "/v2.0/metrics/names")
        return wanted <= {e["name"] for e in a.json["elements"]}
    wait_for(names, 20, "all metrics of the agent")
    for e in stack.http("GET", "/v2.0/metrics").json["elements"]:
        assert e["dimensions"]["hostname"] == "h1" and e["dimensions"]["rack"] == "r7", e
    wait_for(lambda: series(stack, "http_status"), 10, "stored samples")
    assert {v for _, v in series(stack, "http_status")} == {0.0}
    assert {v for _, v in series(stack, "process.pid_count")} == {1.0}
    h = stack.daemons["agent"].health()
    assert h.status == 200 and h.json["components"]["collector"]["ok"], h


def test_collector_away_then_every_sample_in_order(stack):
    stack.start("collector")
    start_agent(stack, [LOAD])
    wait_for(lambda: counter(stack, "samples_sent_total") >= 3, 10, "the first samples")
    stack.stop("collector")
    taken = counter(stack, "samples_total")
    wait_for(lambda: counter(stack, "samples_total") >= taken + 9 and spooled(stack) > 0, 20,
             "three more rounds in the spool")
    h = stack.daemons["agent"].health()
    assert h.status == 503 and not h.json["components"]["collector"]["ok"], h
    stack.restart("collector")
    wait_for(lambda: counter(stack, "spool_bytes") == 0, 30, "an empty spool")
    taken = counter(stack, "samples_total")
    rows = wait_sent(stack, "load.avg_1_min", taken // 3)
    assert taken // 3 <= len(rows) <= taken // 3 + 2
    times = [t for t, _ in rows]
    assert times == sorted(set(times)), "a sample twice or out of order"
    # One sample each second, none missing: no gap of two intervals.
    seconds = [int(time.mktime(time.strptime(t[:19], "%Y-%m-%dT%H:%M:%S"))) for t in times]
    assert all(b - a <= 2 for a, b in zip(seconds, seconds[1:])), times


def test_redis_killed(stack):
    stack.start("collector")
    start_agent(stack, [LOAD])
    wait_for(lambda: counter(stack, "samples_sent_total") >= 3, 10, "the first samples")
    stack.redis.kill9()
    wait_for(lambda: spooled(stack) > 0, 20, "a spool")
    assert "503" in stack.daemons["agent"].health().json["components"]["collector"]["detail"]
    taken = counter(stack, "samples_total")
    wait_for(lambda: counter(stack, "samples_total") >= taken + 6, 20, "two more rounds")
    stack.redis.start()
    wait_for(lambda: counter(stack, "spool_bytes") == 0, 60, "an empty spool")
    taken = counter(stack, "samples_total")
    rows = wait_sent(stack, "load.avg_1_min", taken // 3)
    times = [t for t, _ in rows]
    assert times == sorted(set(times))
    assert taken // 3 <= len(rows) <= taken // 3 + 2


def test_agent_killed_with_a_spool(stack):
    stack.start("collector")
    url = stack.url
    stack.stop("collector")
    start_agent(stack, [LOAD], collector=url)
    wait_for(lambda: spooled(stack) > 0 and counter(stack, "samples_total") >= 9, 20, "a spool")
    on_disk = re.findall(rb'"name":"load.avg_1_min".*?"timestamp":([0-9]+)',
                         b"".join(f.read_bytes() for f in
                                  sorted((stack.dir / "spool").glob("*.spool"))))
    assert len(on_disk) >= 2
    stack.kill9("agent")
    stack.restart("collector")
    stack.restart("agent", wait=False)
    wait_for(lambda: counter(stack, "spool_bytes") == 0, 30, "an empty spool")
    rows = wait_sent(stack, "load.avg_1_min", len(on_disk))
    assert [t for t, _ in rows][:len(on_disk)] == [iso(int(ms)) for ms in on_disk]


def test_stop_keeps_what_was_not_sent(stack):
    """SIGTERM while nobody answers: all that was taken is on disk, and sent by the next life."""
    stack.start("collector")
    url = stack.url
    stack.stop("collector")
    start_agent(stack, [LOAD], collector=url)
    wait_for(lambda: (counter(stack, "samples_total") or 0) >= 6, 20, "samples")
    taken = counter(stack, "samples_total")
    stack.stop("agent")
    text = b"".join(f.read_bytes() for f in (stack.dir / "spool").glob("*.spool"))
    assert text.count(b'"name"') >= taken
    stack.restart("collector")
    stack.restart("agent", wait=False)
    wait_for(lambda: counter(stack, "spool_bytes") == 0, 30, "an empty spool")
    wait_sent(stack, "load.avg_1_min", taken // 3)


def test_spool_cap(stack):
    """The oldest go first, counted, and the spool never grows beyond its cap."""
    cap = 2 * 1024 * 1024
    stack.start("collector")
    url = stack.url
    stack.stop("collector")
    pid_files = stack.dir / "pids"
    pid_files.mkdir()
    for i in range(2000):
        (pid_files / f"{i:04}-{'x' * 100}.pid").write_text("1\n")
    start_agent(stack, [{"type": "process", "interval": "1s", "pid_files": f"{pid_files}/*",
                         "detailed": False}], collector=url, spool_max="2m")
    largest = 0

    def dropped():
        nonlocal largest
        largest = max(largest, spooled(stack))
        return (counter(stack, "spool_dropped_batches_total") or 0) > 0
    wait_for(dropped, 60, "a full spool")
    assert largest <= cap, f"{largest} bytes in a spool of at most {cap}"
    assert counter(stack, "spool_bytes") <= cap
    assert "event=spool_full" in stack.daemons["agent"].log()


def test_bad_configuration_names_the_line(stack):
    token = stack.dir / "t"
    token.write_text("secret\n")
    conf = stack.dir / "bad.yaml"
    conf.write_text(f"collector: http://127.0.0.1:1\ntoken_file: {token}\nchecks:\n- type: cpu\n"
                    "- type: tcp\n  host: h\n  prot: 1\n")
    for more in ([], ["--check-config"]):
        done = subprocess.run([str(binary("agent")), "--config", str(conf), *more],
                              capture_output=True, text=True, timeout=20)
        assert done.returncode == 2
        assert f"{conf}:7: unknown key 'prot' - did you mean 'port'?" in done.stderr + done.stdout
    conf.write_text(conf.read_text().replace("prot", "port"))
    done = subprocess.run([str(binary("agent")), "--config", str(conf), "--check-config"],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr


def test_two_agents_never_share_a_spool(stack):
    stack.start("collector")
    start_agent(stack, [LOAD])
    first = stack.daemons["agent"]
    conf = stack.dir / "second.yaml"
    conf.write_text(first.conf_path.read_text().replace(first.listen, f"127.0.0.1:{free_port()}"))
    done = subprocess.run([str(binary("agent")), "--config", str(conf)], capture_output=True,
                          text=True, timeout=20)
    assert done.returncode == 1
    assert "another hale-agent uses the spool directory" in done.stderr + done.stdout
    assert first.alive()


def names(stack):
    return {e["name"] for e in stack.http("GET", "/v2.0/metrics/names").json["elements"]}


def test_reload(stack):
    stack.start("collector")
    d = start_agent(stack, [LOAD])
    wait_for(lambda: "load.avg_1_min" in names(stack), 20, "load")

    def reload(config):
        d.config = config
        d.write_config()
        d.process.send_signal(signal.SIGHUP)
    good = d.config
    # A mistake: refused whole, the old checks go on.
    reload({**good, "checks": [LOAD, {"type": "memroy"}]})
    wait_for(lambda: "did you mean 'memory'" in d.log(), 10, "the refusal")
    # A spool that cannot be had is found out before anything is given up.
    (stack.dir / "file").write_text("")
    reload({**good, "spool_dir": str(stack.dir / "file" / "spool")})
    wait_for(lambda: d.log().count("event=reload_refused") >= 2, 10, "the second refusal")
    taken = counter(stack, "samples_total")
    wait_for(lambda: counter(stack, "samples_total") > taken, 10, "old checks")
    # A good one.
    reload({**good, "checks": [LOAD, {"type": "memory", "interval": "1s"}]})
    wait_for(lambda: "mem.total_mb" in names(stack), 20, "the new check")
    assert counter(stack, "checks") == 2
    wait_for(lambda: counter(stack, "spool_bytes") == 0, 20, "an empty spool")


def test_one_second_is_one_second(stack):
    """Eight checks every second for a while: each round starts on time, in one batch."""
    stack.start("collector")
    start_agent(stack, [{"type": "load", "interval": "1s", "dimensions": {"n": str(i)}}
                        for i in range(8)])
    rounds = 8

    def count():
        host, port = stack.daemons["agent"].listen.rsplit(":", 1)
        text = http_call(host, int(port), "GET", "/metrics").body.decode()
        return text, int(re.search(r"^hale_agent_check_lateness_seconds_count ([0-9]+)$", text,
                                   re.M).group(1))
    began, first = time.monotonic(), count()[1]
    wait_for(lambda: count()[1] >= first + 8 * rounds, 30, "rounds of checks")
    took = time.monotonic() - began
    text, n = count()
    assert rounds - 1.5 <= took <= rounds + 2.5, f"{rounds} rounds took {took} s"
    buckets = [(float(le), int(v)) for le, v in
               re.findall(r'^hale_agent_check_lateness_seconds_bucket\{le="([0-9.e+-]+)"\} ([0-9]+)$',
                          text, re.M)]
    def within(seconds):
        return max(v for le, v in buckets if le <= seconds)
    # Whatever else this machine does meanwhile: most begin at once, none misses its turn.
    assert within(0.05) >= n * 0.6, f"only {within(0.05)} of {n} checks began within 50 ms"
    assert within(1) == n, f"{n - within(1)} of {n} checks began a second late"
    assert counter(stack, "check_overruns_total") == 0
    assert counter(stack, "posts_total") <= n / 8 + 4, "checks of one round share a batch"


STATSD_CLIENT = """
import sys
import monascastatsd
port = int(sys.argv[1])
client = monascastatsd.Client("shop", port=port, dimensions={"service": "web", "note": "it's"})
counter = client.get_counter("orders")
for _ in range(60):
    counter.increment(2)
counter.increment(0.5, sample_rate=1, dimensions={"page": "a b"})
client.get_gauge("depth", dimensions={"queue": "q1"}).send("jobs", 17.25)
with client.get_timer("spent").time("query"):
    pass
"""


def test_monascas_statsd_client(stack):
    """Debian's python3-monasca-statsd, unchanged, through the agent into the collector."""
    stack.start("collector")
    port = free_port()
    start_agent(stack, [{"type": "statsd", "interval": "1s", "port": port,
                         "dimensions": {"app": "shop"}}])
    subprocess.run(["/usr/bin/python3", "-c", STATSD_CLIENT, str(port)], check=True, timeout=30)

    def found(name, **dims):
        elements = stack.http("GET", q("/v2.0/metrics", name=name)).json["elements"]
        return [e["dimensions"] for e in elements if dims.items() <= e["dimensions"].items()]
    wait_for(lambda: counter(stack, "statsd_lines_total") >= 63, 20, "every line")
    wait_for(lambda: found("shop.spent.query"), 20, "the timer")
    assert found("shop.depth.jobs") == [{"hostname": "h1", "app": "shop", "service": "web",
                                         "note": "it's", "queue": "q1"}]
    assert found("shop.orders", page="a b")
    assert counter(stack, "statsd_refused_lines_total") == 0

    def total():
        a = stack.http("GET", q("/v2.0/metrics/statistics", name="shop.orders", start_time=ISO0,
                                statistics="sum", period=100000000,
                                dimensions="service:web", group_by="page"))
        sums = {e["dimensions"]["page"]: e["statistics"][0][1] for e in a.json["elements"]}
        return sums if sums.get("") == 120 else None
    assert wait_for(total, 20, "the sum of all counts")["a b"] in (0, 1)  # 0.5 rounded
