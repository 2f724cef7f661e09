# SPDX-License-Identifier: Apache-2.0
"""What the collector has acknowledged is never lost: crashes, a full Redis, the archive."""
import http.client
import threading
import urllib.parse

from collector_kit import (Live, archived_until, counter, iso, measurements, now_ms,
                           only_the_archive, q, sample)
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

def statistics(stack, start, end, stats, period, **more):
    a = stack.http("GET", q("/v2.0/metrics/statistics", start_time=iso(start), end_time=iso(end),
                            statistics=stats, period=period, **more))
    assert a.status == 200, a
    return a


def test_archive_answers_for_what_is_no_longer_hot(stack):
    stack.start("collector", {"hot_flush": "200ms", "archive_delay": "1s"})
    start = (now_ms() // 600000 - 7) * 600000  # more than an hour ago
    body = [sample("old", f"h{h}", h * 100 + i, start + 5000 * i + 2500)
            for i in range(240) for h in range(3)]
    assert stack.http("POST", "/v2.0/metrics", body).status == 204
    wait_for(lambda: archived_until(stack) >= start + 1200000, 40, "archive")
    assert counter(stack, "hale_collector_archive_samples_total") == 720
    assert len(list(stack.state.glob("archive/0/0/0/*.rrd"))) == 3  # one group of three series

    def get():
        return stack.http("GET", q("/v2.0/metrics/measurements", name="old", start_time=iso(start),
                                   dimensions="hostname:h1", end_time=iso(start + 1200000)))
    a = get()
    assert [m[1] for m in a.json["elements"][0]["measurements"]] == [100.0 + i for i in range(240)]
    assert "x-hale-resolution" not in a.headers
    only_the_archive(stack)
    a = get()
    rows = a.json["elements"][0]["measurements"]
    assert len(rows) == 120 and rows[0] == [iso(start), 100.5, {}] and rows[-1][1] == 338.5
    assert a.headers["x-hale-resolution"] == "10"
    assert a.headers["x-hale-resolution-until"] == iso(start + 1200000)
    a = statistics(stack, start, start + 1200000, "avg,min,max,count,sum", 60, name="old",
                   dimensions="hostname:h1")
    assert a.headers["x-hale-resolution"] == "60"
    e = a.json["elements"][0]["statistics"]
    assert len(e) == 20 and e[0] == [iso(start)[:-5] + "Z", 105.5, 100.0, 111.0, 12, 1266.0]
    a = statistics(stack, start, start + 1200000, "avg,count", 600, name="old", merge_metrics="true")
    assert a.json["elements"][0]["statistics"][0][1:] == [159.5, 360]
    stack.kill9("collector")
    stack.restart("collector")
    assert get().json["elements"][0]["measurements"] == rows


def test_kill_9_while_archiving_loses_and_doubles_nothing(stack):
    conf = {"hot_flush": "200ms", "archive_delay": "1s"}
    stack.start("collector", conf)
    first = (now_ms() // 600000 - 9) * 600000
    posted = 0
    for c in range(6):  # 1600 series, 100 groups, six chunks
        body = [sample(f"k{h % 4}", f"h{h}", c + 1, first + c * 600000 + 7000 * (h % 80))
                for h in range(1600)]
        assert stack.http("POST", "/v2.0/metrics", body).status == 204
        posted += len(body)
    end = first + 6 * 600000
    for turn in range(6):  # killed with the first group, the second, ... of what is left
        wait_for(lambda: counter(stack, "hale_collector_archive_group_writes_total") > turn
                 or archived_until(stack) >= end, 40, "archiving", every=0.001)
        stack.kill9("collector")
        stack.restart("collector")
    wait_for(lambda: archived_until(stack) >= end, 60, "archive")
    only_the_archive(stack)
    count, total = 0, 0
    for n in range(4):
        a = statistics(stack, first, first + 6 * 600000, "count,sum", 600, name=f"k{n}",
                       merge_metrics="true")
        for row in a.json["elements"][0]["statistics"]:
            count, total = count + row[1], total + row[2]
    assert count == posted and abs(total - 1600 * 21) < 1e-6


def test_archive_tiers_are_checked(stack):
    for tiers, why in (("10s", "archive_tiers is a list"), ([{"match": "a"}], "tiers"),
                       ([{"match": "a", "tiers": ["10s"]}], "step:span"),
                       ([{"match": "a", "tiers": ["7s:70000s"]}], "ten minutes"),
                       ([{"match": "a", "tiers": ["10s:1h"]}], "hot_retention"),
                       ([{"match": "a", "tiers": ["10s:1d"], "x": 1}], "unknown key")):
        d = stack.start("collector", {"archive_tiers": tiers}, wait=False)
        d.expected_end = True
        assert d.process.wait(20) == 2
        assert why in d.log() and "collector.yaml:" in d.log(), d.log()
