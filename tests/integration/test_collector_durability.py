# SPDX-License-Identifier: Apache-2.0
"""What the collector has acknowledged is never lost: crashes, a full Redis, the archive."""
import http.client
import threading
import urllib.parse

from collector_kit import (Live, counter, iso, measurements, now_ms, q, sample)
from conftest import Stack, wait_for

# --- nothing acknowledged is lost -----------------------------------------------------------------

class Load:
    """Posts numbered samples from several threads; keeps what was acknowledged."""

    def __init__(self, stack, threads=4, per_post=20):
        self.stack, self.per_post = stack, per_post
        self.base = now_ms() - 300000
        self.acked, self.refused = [], []
        self.lock, self.stopping, self.next = threading.Lock(), False, 0
        stack.token("agent", "default")
        self.threads = [threading.Thread(target=self.run) for _ in range(threads)]
        for th in self.threads:
            th.start()

    def run(self):
        while not self.stopping:
            with self.lock:
                first = self.next
                self.next += self.per_post
            body = [sample("load", f"h{n % 5}", n, self.base + n)
                    for n in range(first, first + self.per_post)]
            try:
                a = self.stack.http("POST", "/v2.0/metrics", body, role="agent", timeout=20)
            except (OSError, http.client.HTTPException):
                continue  # unknown: must not be counted as acknowledged
            with self.lock:
                if a.status == 204:
                    self.acked.append(first)
                else:
                    self.refused.append(a)

    def stop(self):
        self.stopping = True
        for th in self.threads:
            th.join()

    def check(self):
        want = {n for first in self.acked for n in range(first, first + self.per_post)}
        have = set()

        def all_there():
            have.clear()
            offset = None
            while True:
                p = dict(name="load", start_time=iso(self.base - 1), group_by="*")
                if offset:
                    p["offset"] = offset
                page = self.stack.http("GET", q("/v2.0/metrics/measurements", **p)).json
                for e in page["elements"]:
                    for m in e["measurements"]:
                        have.add(int(m[1]))
                        assert m[0] == iso(self.base + int(m[1]))
                nxt = [l["href"] for l in page["links"] if l["rel"] == "next"]
                if not nxt:
                    break
                offset = urllib.parse.parse_qs(urllib.parse.urlparse(nxt[0]).query)["offset"][0]
            return want <= have
        wait_for(all_there, 20, "every acknowledged sample", every=0.3)


def test_kill_9_loses_nothing_acknowledged(stack):
    stack.start("collector", {"hot_flush": "200ms"})
    load = Load(stack)
    for _ in range(4):
        before = len(load.acked)
        wait_for(lambda: len(load.acked) > before + 60, 20, "load")
        stack.kill9("collector")
        stack.restart("collector")
    load.stop()
    assert len(load.acked) > 200
    load.check()
    stack.kill9("collector")  # and from the chunks alone
    stack.restart("collector")
    load.check()


def test_redis_restart_loses_nothing_acknowledged(stack):
    d = stack.start("collector", {"hot_flush": "200ms"})
    load = Load(stack)
    for _ in range(2):
        before = len(load.acked)
        wait_for(lambda: len(load.acked) > before + 60, 20, "load")
        stack.redis.kill9()
        before = len(load.refused)
        wait_for(lambda: len(load.refused) > before + 5, 20, "503")
        assert d.alive()
        wait_for(lambda: stack.http("GET", "/healthz", role=None).status == 503, 10, "bad health")
        stack.redis.start()
        wait_for(lambda: stack.http("GET", "/healthz", role=None).status == 200, 20, "health")
    before = len(load.acked)
    wait_for(lambda: len(load.acked) > before + 20, 20, "load again")
    load.stop()
    assert all(a.status == 503 and int(a.headers["retry-after"]) >= 1 for a in load.refused)
    load.check()


def test_full_redis_refuses(stack):
    stack.start("collector", {"redis_memory_max": "8m"})
    assert stack.http("POST", "/v2.0/metrics", sample()).status == 204
    stack.redis.cmd("SET", "ballast", b"x" * (12 << 20))

    def refused():
        a = stack.http("POST", "/v2.0/metrics", sample())
        return a if a.status == 503 else None
    a = wait_for(refused, 10, "503")
    assert int(a.headers["retry-after"]) >= 1
    assert stack.http("GET", "/v2.0/metrics").status == 200
    stack.redis.cmd("DEL", "ballast")
    wait_for(lambda: stack.http("POST", "/v2.0/metrics", sample()).status == 204, 10, "room")


def test_trim_follows_all_consumers(stack):
    stack.start("collector", {"hot_flush": "200ms", "archive": False})
    for i in range(5):
        assert stack.http("POST", "/v2.0/metrics", sample(value=i)).status == 204
    wait_for(lambda: stack.redis.cmd("GET", "hale:{s0}:cp:hot"), 10, "checkpoint")
    assert stack.redis.cmd("XLEN", "hale:{s0}:samples") == 5  # thresholds may still want them
    entries = stack.redis.cmd("XRANGE", "hale:{s0}:samples", "-", "+")
    stack.redis.cmd("HSET", "hale:{s0}:thr:meta", "snapshot", entries[2][0])
    stack.redis.cmd("CONFIG", "SET", "stream-node-max-entries", 1)
    wait_for(lambda: stack.redis.cmd("XINFO", "STREAM", "hale:{s0}:samples"), 5, "stream")
    assert stack.redis.cmd("XRANGE", "hale:{s0}:samples", entries[2][0], "+") == entries[2:]


def test_stop_is_clean(stack):
    stack.start("collector")
    live = Live(stack)
    live.next()
    assert stack.http("POST", "/v2.0/metrics", sample(value=7)).status == 204
    stack.stop("collector")
    live.close()
    stack.restart("collector")
    assert measurements(stack, 1, name="cpu")[0]["measurements"][0][1] == 7.0


def test_max_series(stack):
    stack.start("collector", {"max_series": 3})
    for i in range(3):
        assert stack.http("POST", "/v2.0/metrics", sample(host=f"h{i}")).status == 204
    a = stack.http("POST", "/v2.0/metrics", sample(host="h3"))
    assert a.status == 503 and a.headers["retry-after"]
    assert stack.http("POST", "/v2.0/metrics", sample(host="h1", value=2)).status == 204


def test_two_collectors_share_one_redis(stack, tmp_path_factory):
    stack.start("collector")
    assert stack.http("POST", "/v2.0/metrics", sample(host="h1", value=1)).status == 204
    second = Stack(tmp_path_factory.mktemp("second"), stack.redis)
    try:
        second.start("collector", {"shards": 1})
        # Series and samples of either are found at both, also those of the time before.
        assert second.http("POST", "/v2.0/metrics", sample(host="h2", value=2)).status == 204
        assert second.http("POST", "/v2.0/metrics", sample(host="h1", value=3)).status == 204
        for s in (stack, second):
            e = measurements(s, 3, name="cpu", group_by="*")
            assert sorted(m[1] for x in e for m in x["measurements"]) == [1.0, 2.0, 3.0]
    finally:
        faults = second.finish()
    assert not faults, faults


# --- archive --------------------------------------------------------------------------------------

def test_archive_answers_for_what_is_no_longer_hot(stack):
    conf = {"hot_retention": "10m", "hot_flush": "200ms", "archive_interval": "10s"}
    stack.start("collector", conf)
    start = (now_ms() // 600000 - 18) * 600000  # three hours ago
    body = [sample("old", f"h{h}", h * 100 + i, start + 10000 * i + 5000)
            for i in range(120) for h in range(3)]
    body += [sample("old", f"h{h}", h, now_ms()) for h in range(3)]  # closes the last step
    assert stack.http("POST", "/v2.0/metrics", body).status == 204
    wait_for(lambda: counter(stack, "hale_collector_archive_points_total") >= 360, 40, "archive")
    assert len(list(stack.state.glob("rrd/0/*/*.rrd"))) == 3

    def raw(n):
        return measurements(stack, n, name="old", dimensions="hostname:h1", start_time=iso(start),
                            end_time=iso(start + 3600000))[0]["measurements"]
    assert [m[1] for m in raw(120)] == [100.0 + i for i in range(120)]
    # The raw samples expire; the same range now comes from the files.
    wait_for(lambda: stack.redis.cmd("GET", "hale:{s0}:cp:hot"), 10, "flush")
    for key in stack.redis.cmd("KEYS", "hale:{s0}:hot:*"):
        stack.redis.cmd("DEL", key)
    rows = raw(100)
    assert rows[0] == [iso(start), 100.0, {}] and rows[-1][1] == 219.0 and len(rows) == 120
    e = stack.http("GET", q("/v2.0/metrics/statistics", name="old", start_time=iso(start),
                            end_time=iso(start + 1200000), statistics="avg,min,max,count", period=60,
                            dimensions="hostname:h1")).json["elements"]
    assert len(e[0]["statistics"]) == 20
    assert e[0]["statistics"][0] == [iso(start)[:-5] + "Z", 102.5, 100.0, 105.0, 6]
    e = stack.http("GET", q("/v2.0/metrics/statistics", name="old", start_time=iso(start),
                            end_time=iso(start + 1200000), statistics="avg", period=600,
                            merge_metrics="true")).json["elements"]
    assert abs(e[0]["statistics"][0][1] - 129.5) < 1e-6
    # A crash and a replay change nothing.
    stack.kill9("collector")
    stack.restart("collector")
    assert raw(100) == rows
