# SPDX-License-Identifier: Apache-2.0
"""/v1/series and what removes series: nothing of them is seen again, nothing acknowledged after it
is lost, whatever is killed when."""
import random
import threading

from collector_kit import ISO0, counter, measurements, now_ms, q, sample
from conftest import wait_for

SERIES = "/v1/series"
M = "/v2.0/metrics"


def post(stack, *samples, **kw):
    a = stack.http("POST", M, list(samples), **kw)
    assert a.status == 204, a


def get(stack, path, status=200, **params):
    role = params.pop("role", "operator")
    a = stack.http("GET", q(path, **params) if params else path, role=role)
    assert a.status == status, a
    return a.json


def delete(stack, status=200, **params):
    role = params.pop("role", "operator")
    a = stack.http("DELETE", q(SERIES, **params) if params else SERIES, role=role, timeout=60)
    assert a.status == status, a
    return a.json


def hosts(stack, **params):
    return sorted(e["dimensions"]["hostname"] for e in get(stack, SERIES, **params)["elements"])


def rows(stack, shard=0):
    return stack.redis.cmd("HLEN", f"hale:{{s{shard}}}:series")


def test_list(stack):
    stack.start("collector")
    t = now_ms()
    post(stack, sample("cpu", "h1", 1, t - 7200000), sample("cpu", "h1", 1, t - 3700000),
         sample("cpu", "h2", 1, t - 1000), sample("mem", "h3", 1, t + 600000))
    post(stack, sample("cpu", "theirs"), tenant="other")
    wait_for(lambda: all(e["last_ms"] for e in get(stack, SERIES)["elements"]), 10, "times")
    all_ = get(stack, SERIES)["elements"]
    assert sorted((e["name"], e["dimensions"]["hostname"]) for e in all_) == [
        ("cpu", "h1"), ("cpu", "h2"), ("mem", "h3")]
    one = [e for e in all_ if e["dimensions"]["hostname"] == "h1"][0]
    assert set(one) == {"id", "name", "dimensions", "first_ms", "last_ms", "idle_s"}
    assert (one["first_ms"], one["last_ms"]) == (t - 7200000, t - 3700000)
    assert 3700 <= one["idle_s"] < 3800
    assert [e["idle_s"] for e in all_ if e["name"] == "mem"] == [0]
    assert hosts(stack, idle="1h") == ["h1"] and hosts(stack, idle="2h") == []
    assert hosts(stack, name="cpu") == ["h1", "h2"]
    assert hosts(stack, dimensions="hostname:h2|h3") == ["h2", "h3"]
    ids = []
    path = SERIES + "?limit=2"
    while path:
        page = stack.http("GET", path, role="read-only").json
        ids.append([e["id"] for e in page["elements"]])
        path = next((x["href"] for x in page["links"] if x["rel"] == "next"), None)
        path = path and "/" + path.split("/", 3)[3]
    assert ids == [[e["id"] for e in all_[:2]], [all_[2]["id"]]]
    for wrong in ({"idle": "x"}, {"idle": "0s"}, {"idle": "-1h"}, {"limit": "0"}, {"offset": "x"},
                  {"name": "a b"}, {"dimensions": "a=b"}):
        get(stack, SERIES, 422, **wrong)
    get(stack, SERIES, 401, role="agent")


def test_delete(stack):
    stack.start("collector", {"hot_flush": "100ms"})
    t = now_ms()
    post(stack, *[sample("cpu", f"h{i}", i, t) for i in range(5)], sample("mem", "h1", 1, t),
         {"name": "cpu", "dimensions": {"hostname": "h1", "dev": "a"}, "timestamp": t, "value": 7})
    post(stack, sample("cpu", "h1", 5, t), tenant="other")
    for _ in range(2):                             # the cache knows it as stored
        post(stack, sample("cpu", "h2", 2, t))
    measurements(stack, 6, name="cpu", group_by="*")
    wait_for(lambda: len(stack.redis.cmd("KEYS", "hale:{s0}:hot:*")) == 8, 10, "chunks")
    # Who may, and what must be said.
    delete(stack, 401, name="cpu", role="read-only")
    delete(stack, 401, name="cpu", role="agent")
    delete(stack, 422)
    delete(stack, 422, idle="1h")
    delete(stack, 422, name="a b")
    delete(stack, 422, id="x")
    assert delete(stack, name="cpu", dry_run="true") == {"matching": 6, "deleted": 0}
    assert delete(stack, name="cpu", idle="1h") == {"matching": 0, "deleted": 0}
    assert delete(stack, name="nothing") == {"matching": 0, "deleted": 0}
    assert rows(stack) == 8
    # One of two that a selection cannot tell apart.
    bare = [e for e in get(stack, SERIES, name="cpu", dimensions="hostname:h1")["elements"]
            if len(e["dimensions"]) == 1]
    assert delete(stack, id=bare[0]["id"], name="cpu") == {"matching": 1, "deleted": 1}
    assert delete(stack, id=bare[0]["id"]) == {"matching": 0, "deleted": 0}
    assert len(get(stack, SERIES, dimensions="hostname:h1")["elements"]) == 2
    # Invisible at once in every listing; all of it is gone from Redis.
    assert delete(stack, dimensions="hostname:h1|h2") == {"matching": 3, "deleted": 3}
    for params in ({}, {"name": "cpu"}):
        assert hosts(stack, **params) == ["h0", "h3", "h4"]
        assert len(get(stack, M, **params)["elements"]) == 3
    assert [e["name"] for e in get(stack, M + "/names")["elements"]] == ["cpu"]
    assert get(stack, M + "/dimensions/names")["elements"] == [{"dimension_name": "hostname"}]
    values = get(stack, M + "/dimensions/names/values", dimension_name="hostname")["elements"]
    assert [v["dimension_value"] for v in values] == ["h0", "h3", "h4"]
    got = get(stack, M + "/measurements", name="cpu", start_time=ISO0, group_by="*")
    assert len(got["elements"]) == 3
    assert get(stack, M + "/measurements", name="cpu", dimensions="hostname:h2",
               start_time=ISO0)["elements"] == []
    assert rows(stack) == 4 and stack.redis.cmd("HLEN", "hale:{s0}:forgotten") == 0
    assert len(stack.redis.cmd("KEYS", "hale:{s0}:hot:*")) == 4
    assert stack.http("GET", M, tenant="other").json["elements"] != []
    assert counter(stack, "hale_collector_series_forgotten_total") == 4
    # It reports again, in the spelling that the cache knows: back, and new.
    post(stack, sample("cpu", "h2", 99, t + 1))
    e = measurements(stack, 1, name="cpu", dimensions="hostname:h2")
    assert [m[1] for m in e[0]["measurements"]] == [99.0]
    back = get(stack, SERIES, dimensions="hostname:h2")["elements"]
    assert (back[0]["first_ms"], back[0]["last_ms"]) == (t + 1, t + 1)
    assert rows(stack) == 5
    # The same after a crash.
    stack.kill9("collector")
    stack.restart("collector")
    assert hosts(stack) == ["h0", "h2", "h3", "h4"]
    e = measurements(stack, 1, name="cpu", dimensions="hostname:h2")
    assert [m[1] for m in e[0]["measurements"]] == [99.0]


class Sender:
    """Posts to all series, over and over; remembers what was acknowledged, and since when."""

    def __init__(self, stack, n, number):
        self.stack, self.n, self.stop = stack, n, False
        self.acked = []                                     # (host, ts)
        self.number, self.marks = number, 0
        self.fresh = []                                     # those sent after mark()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        t = now_ms() - 300000 * (1 + self.number)
        i = 0
        while not self.stop:
            i += 1
            mark = self.marks
            batch = [sample("load", f"h{h}", i, t + i) for h in range(self.n)]
            try:
                a = self.stack.http("POST", M, batch)
            except OSError:
                continue
            if a.status == 204:
                sent = [(f"h{h}", t + i, float(i)) for h in range(self.n)]
                self.acked += sent
                if mark:
                    self.fresh += sent

    def join(self):
        self.stop = True
        self.thread.join()


def all_points(stack, host):
    out, path = [], q(M + "/measurements", name="load", dimensions=f"hostname:{host}",
                      start_time=ISO0)
    while path:
        page = stack.http("GET", path).json
        for e in page["elements"]:
            out += [m[0] for m in e["measurements"]]
        path = next((x["href"] for x in page["links"] if x["rel"] == "next"), None)
        path = path and "/" + path.split("/", 3)[3]
    return out


def iso_ms(text):
    import calendar
    import time
    return calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) * 1000 + int(text[20:23])


def test_delete_while_they_report(stack):
    """Samples acknowledged after a deletion are there, also after kill -9."""
    stack.start("collector", {"hot_flush": "200ms"})
    senders = [Sender(stack, 20, i) for i in range(3)]
    try:
        wait_for(lambda: all(len(s.acked) > 100 for s in senders), 20, "load")
        for _ in range(15):
            wait_for(lambda: hosts(stack), 10, "their return")
            assert 0 < delete(stack, name="load")["deleted"] <= 20
        assert counter(stack, "hale_collector_series_forgotten_total") > 20
        for s in senders:
            s.marks = 1
        wait_for(lambda: all(len(s.fresh) > 200 for s in senders), 20, "load after it")
    finally:
        for s in senders:
            s.join()
    stack.kill9("collector")
    stack.restart("collector")
    assert hosts(stack) == sorted(f"h{i}" for i in range(20))
    for h in random.sample(range(20), 5):
        want = {ts for s in senders for (host, ts, _) in s.fresh if host == f"h{h}"}
        wait_for(lambda h=h, want=want: want <= {iso_ms(x) for x in all_points(stack, f"h{h}")},
                 15, f"samples of h{h}")
    assert counter(stack, "hale_collector_store_orphan_samples_total") == 0


def test_accepted_before_written_after(stack):
    """A request that knew its series to be stored and is written behind the deletion brings it back."""
    stack.start("collector", {"hot_flush": "100ms"})
    t = now_ms() // 600000 * 600000                # all in one chunk
    for i in range(3):                             # from the second on the cache knows it as stored
        post(stack, sample("cpu", "h1", i, t + i))
    measurements(stack, 3, name="cpu")
    last = stack.redis.cmd("XREVRANGE", "hale:{s0}:samples", "+", "-", "COUNT", 1)[0][0]
    wait_for(lambda: stack.redis.cmd("GET", "hale:{s0}:cp:hot") == last, 10, "the checkpoint")
    hits = counter(stack, "hale_collector_spelling_hits_total")
    answers = []
    stack.redis.cmd("CLIENT", "PAUSE", 4000, "WRITE")
    threads = [threading.Thread(target=lambda: answers.append(delete(stack, name="cpu"))),
               threading.Thread(target=lambda: post(stack, sample("cpu", "h1", 99, t + 99)))]
    threads[0].start()
    wait_for(lambda: b"cmd=hdel" in stack.redis.cmd("CLIENT", "LIST"), 3, "the deletion under way")
    threads[1].start()
    wait_for(lambda: counter(stack, "hale_collector_spelling_hits_total") == hits + 1, 3,
             "the request accepted")
    assert answers == []
    stack.redis.cmd("CLIENT", "UNPAUSE")
    for thread in threads:
        thread.join()
    assert answers == [{"matching": 1, "deleted": 1}]
    for _ in range(2):
        assert hosts(stack) == ["h1"] and rows(stack) == 1
        e = measurements(stack, 1, name="cpu")
        assert [m[1] for m in e[0]["measurements"]] == [99.0]
        stack.kill9("collector")
        stack.restart("collector")


def test_killed_while_deleting(stack):
    """Either the series with its text or nothing; what was begun is completed."""
    stack.start("collector", {"hot_flush": "100ms"})
    n = 1500
    t = now_ms()
    post(stack, *[sample("cpu", f"h{i}", i, t) for i in range(n)])
    wait_for(lambda: len(stack.redis.cmd("KEYS", "hale:{s0}:hot:*")) == n, 20, "chunks")
    answer = []
    thread = threading.Thread(target=lambda: answer.append(quietly(stack)))
    thread.start()
    wait_for(lambda: rows(stack) < n, 20, "the first slice", every=0.001)
    stack.kill9("collector")
    thread.join()
    left = rows(stack)
    assert 0 < left < n, "killed too early or too late"
    stack.restart("collector")
    wait_for(lambda: stack.redis.cmd("HLEN", "hale:{s0}:forgotten") == 0, 20, "the rest")
    wait_for(lambda: len(stack.redis.cmd("KEYS", "hale:{s0}:hot:*")) == left, 20, "chunks of the rest")
    assert len(get(stack, SERIES)["elements"]) == left == rows(stack)
    # A note whose series has come back meanwhile takes nothing from it.
    text = stack.redis.cmd("HGETALL", "hale:{s0}:series")
    stack.kill9("collector")
    stack.redis.cmd("HSET", "hale:{s0}:forgotten", text[0], text[1])
    stack.restart("collector")
    wait_for(lambda: stack.redis.cmd("HLEN", "hale:{s0}:forgotten") == 0, 20, "the note")
    assert rows(stack) == left and len(stack.redis.cmd("KEYS", "hale:{s0}:hot:*")) == left


def quietly(stack):
    try:
        return stack.http("DELETE", SERIES + "?name=cpu", timeout=60)
    except OSError:
        return None


def test_expiry(stack):
    stack.start("collector", {"series_expire": "4s"})
    t = now_ms()
    post(stack, sample("cpu", "gone", 1, t), sample("cpu", "stays", 1, t + 3600000))
    measurements(stack, 2, name="cpu", group_by="*")
    wait_for(lambda: hosts(stack) == ["stays"], 20, "expiry")
    assert rows(stack) == 1
    wait_for(lambda: counter(stack, "hale_collector_series_forgotten_total") == 1, 10, "the count")
    post(stack, sample("cpu", "gone", 2, now_ms()))
    assert hosts(stack) == ["gone", "stays"]


def test_never_expires(stack):
    stack.start("collector", {"series_expire": "0s"})
    post(stack, sample("cpu", "old", 1, now_ms() - 3650 * 86400000))
    assert hosts(stack) == ["old"]
