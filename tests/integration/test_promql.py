# SPDX-License-Identifier: Apache-2.0
"""Prometheus' query interface: against a real Prometheus with the same samples, as Grafana and
promtool call it, its limits, and who may see what."""
import json
import os
import subprocess
import time
import urllib.parse

import pytest

from collector_kit import archived_until, counter, now_ms, only_the_archive, sample
from conftest import Redis, Stack, wait_for
from promql_kit import (Api, FORM, Generator, Prometheus, difference, hale_api, make_samples, now_s,
                        post_samples, rows_of)

QUERIES = int(os.environ.get("HALE_PROMQL_QUERIES", "350"))
SEED = int(os.environ.get("HALE_PROMQL_SEED", "20261121"))


class House:
    """A collector with samples of the last hour, and (for who asks) a Prometheus with the same."""

    def __init__(self, directory):
        self.dir = directory
        self.redis = Redis(directory / "r").start()
        self.stack = Stack(directory, self.redis)
        self.stack.start("collector", {"archive": False, "hot_retention": "6h"})
        self.end = now_s() // 60 * 60 - 120
        self.start = self.end - 3600
        self.series = make_samples(self.start * 1000)
        post_samples(self.stack, self.series)
        n = sum(len(p) for p in self.series.values())
        wait_for(lambda: counter(self.stack, "hale_collector_stored_samples_total") >= n, 20,
                 "all samples")
        self.api = hale_api(self.stack)
        self.prometheus = None

    def finish(self):
        if self.prometheus:
            self.prometheus.stop()
        faults = self.stack.finish()
        self.redis.stop()
        assert not faults, "\n".join(faults)


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    h = House(tmp_path_factory.mktemp("q"))
    yield h
    h.finish()


@pytest.fixture(scope="module")
def prometheus(house, tmp_path_factory):
    house.prometheus = Prometheus(tmp_path_factory.mktemp("p"), house.series)
    return Api("127.0.0.1", house.prometheus.port)


def test_random_queries_like_prometheus(house, prometheus):
    g = Generator(SEED, house.end)
    wrong, answered = [], 0
    for i in range(QUERIES):
        text = g.vector(3) if i % 10 else g.scalar(3)
        at = house.end - g.r.randrange(-300, 3500) - g.r.choice([0, 0.5, 0.123])
        pairs = [(house.api.query(text, at), prometheus.query(text, at), f"at {at:.3f}")]
        step = g.r.choice([15, 60, 37, 300])
        start, end = at - g.r.randrange(30, 2400), at
        pairs.append((house.api.range(text, start, end, step),
                      prometheus.range(text, start, end, step), f"{start}..{end} by {step}"))
        for ours, theirs, when in pairs:
            answered += theirs[0] == 200 and bool(theirs[1]["data"]["result"])
            d = difference(ours, theirs)
            if d is not None:
                wrong.append(f"{text}   {when}: {d}")
    assert not wrong, f"{len(wrong)} differ, first:\n" + "\n".join(wrong[:20])
    assert answered > QUERIES # most have something to compare


FIXED = [
    "load % 2", "sin(load)", "cos(load)", "tan(load)", "exp(load)", "acos(load / 10)", "load % -1.5", "2 % load", "timestamp(load)", "timestamp(load offset 2m)",
    "timestamp(sum(load))", "sum(load)", "avg without (host) (load)", "time()", "vector(time())",
    "histogram_quantile(0.9, sum by (le) (rate(latency_bucket[5m])))",
    "100 * sum by (host) (rate(requests_total{code=~\"5..\"}[5m]))"
    " / sum by (host) (rate(requests_total[5m]))",
    "sum by (host) (rate(requests_total[5m])) / on(host) group_left(zone) load",
    "load > bool 2 or on() vector(0)", "max_over_time(rate(requests_total[1m])[10m:30s])",
    "avg_over_time(load[5m] offset 10m) - avg_over_time(load[5m])", "absent(nothing{host=\"x\"})",
    "absent_over_time(nothing{host=\"x\",zone=~\"y\"}[5m])", "absent(load)", "-load", "+load",
    "count(count by (code) (requests_total))", "{__name__=~\"lo.*|limit\"}", "\"text\"", "pi() * 2",
    "load[2m]", "rate(load[2m])[4m:1m]", "load{host=~\"h1|h2|h9\"}", "1e-7 * limit", "limit * 1e25",
    "sum({__name__=~\".+\",host=\"h1\"})", "limit == limit", "limit != bool limit", "nothing + load",
    "increase(requests_total[1m:10s])", "0 / (limit - limit)", "-1 / (limit - limit)",
    "scalar(limit) + 1", "load @ start()", "sum_over_time(load[1m] @ end())", "limit ^ limit ^ 0.5",
    "label_replace(load)", "load{", "sum(", "foo(load)", "rate(load)", "1 > 2", "load and 1",
    "load[5m] + 1", "{}", "load{host=~\"(\"}", "abs({host=\"h1\"})", "load * on() load",
]


def test_chosen_queries_like_prometheus(house, prometheus):
    wrong = []
    for text in FIXED:
        ours, theirs = house.api.query(text, house.end), prometheus.query(text, house.end)
        d = difference(ours, theirs)
        if d is None and ours[0] == 200 and theirs[1]["data"]["resultType"] != "scalar":
            d = difference(house.api.range(text, house.start, house.end, 61),
                           prometheus.range(text, house.start, house.end, 61))
        wrong += [f"{text}: {d}"] if d else []
    assert not wrong, "\n".join(wrong)


def test_numbers_are_written_like_prometheus(house, prometheus):
    for text in ["1e20", "1e21", "123456789012345680", "1e-6", "1e-7", "0.1+0.2", "1/3", "-0", "Inf",
                 "-Inf", "NaN", "5e-324", "1.7976931348623157e308", "2^53+1", "100", "1e15", "1e16"]:
        text = f"vector({text})"
        ours, theirs = house.api.query(text, 1.25), prometheus.query(text, 1.25)
        assert ours[1] == theirs[1], text


def test_lists_like_prometheus(house, prometheus):
    span = {"start": house.start, "end": house.end}
    for path, params in [
            ("/api/v1/series", {"match[]": "load"}),
            ("/api/v1/series", {"match[]": ['load{host="h1"}', 'requests_total{host="h1"}']}),
            ("/api/v1/series", {"match[]": "nothing"}),
            ("/api/v1/labels", {}), ("/api/v1/labels", {"match[]": "load"}),
            ("/api/v1/labels", {"match[]": ["limit", "latency_bucket"]}),
            ("/api/v1/label/__name__/values", {}), ("/api/v1/label/host/values", {}),
            ("/api/v1/label/nothing/values", {}),
            ("/api/v1/label/code/values", {"match[]": 'requests_total{code!="200"}'}),
            ("/api/v1/label/__name__/values", {"match[]": '{zone="east"}'})]:
        method = "GET" if "/label/" in path else "POST"
        ours = house.api.call(path, method, **span, **params)
        theirs = prometheus.call(path, method, **span, **params)
        order = (lambda rows: sorted(json.dumps(r, sort_keys=True) for r in rows))
        assert ours[0] == theirs[0] == 200
        assert order(ours[1]["data"]) == order(theirs[1]["data"]), (path, params)


# --- the interface ------------------------------------------------------------------------------

def test_errors_have_prometheus_shape(house):
    end = house.end
    for path, params, error in [
            ("query", {"query": "1 + label_join(x)"},
             'invalid parameter "query": 1:5: parse error: \'label_join\' is not supported'),
            ("query", {}, 'invalid parameter "query": 1:1: parse error: no expression found in input'),
            ("query", {"query": "1", "time": "soon"},
             'invalid parameter "time": cannot parse "soon" to a valid timestamp'),
            ("query", {"query": "1", "timeout": "x"},
             'invalid parameter "timeout": cannot parse "x" to a valid duration'),
            ("query_range", {"query": "x[5m]", "start": 0, "end": 1, "step": 1},
             'invalid parameter "query": invalid expression type "range vector" for range query, '
             'must be Scalar or instant Vector'),
            ("query_range", {"query": "1", "start": 2, "end": 1, "step": 1},
             'invalid parameter "end": end timestamp must not be before start time'),
            ("query_range", {"query": "1", "start": 0, "end": 1},
             'invalid parameter "step": cannot parse "" to a valid duration'),
            ("query_range", {"query": "1", "start": 0, "end": 1, "step": 0},
             'invalid parameter "step": zero or negative query resolution step widths are not '
             'accepted. Try a positive integer'),
            ("query_range", {"query": "1", "start": 0, "end": 11001, "step": 1},
             "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query "
             "resolution (?step=XX)"),
            ("series", {}, "no match[] parameter provided"),
            ("series", {"match[]": "rate(x[5m])"},
             'invalid parameter "match[]": 1:1: parse error: a series selector is expected, without '
             'range and modifiers'),
            ("labels", {"start": 5, "end": 4},
             'invalid parameter "end": end timestamp must not be before start time')]:
        for method in ("GET", "POST"):
            status, body = house.api.call("/api/v1/" + path, method, **params)
            assert (status, body) == (400, {"status": "error", "errorType": "bad_data",
                                            "error": error})
    assert house.api.range("limit", end - 10999, end, 1)[0] == 200
    a = house.stack.http("POST", "/api/v1/query", {"query": "1"}, role="read-only")
    assert (a.status, a.json["errorType"]) == (400, "bad_data") # JSON is no form
    a = house.stack.http("PUT", "/api/v1/query")
    assert (a.status, a.headers["allow"]) == (405, "GET, POST")


def test_times_and_parameters_in_all_forms(house):
    want = house.api.query("sum(limit)", house.end)[1]["data"]["result"]
    iso = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(house.end))
    assert want[0]["value"] == [house.end, "3"]
    for params in ({"time": f"{house.end}.000"}, {"time": iso}, {"time": house.end, "timeout": "5s"},
                   {"time": house.end + 360, "lookback_delta": "10m"}):
        for method in ("GET", "POST"):
            status, body = house.api.call("/api/v1/query", method, query="sum(limit)", **params)
            assert status == 200 and body["data"]["result"][0]["value"][1] == "3", params
    assert house.api.query("limit", house.end + 400)[1]["data"]["result"] == []
    a = house.stack.http("POST", "/api/v1/query?query=1", b"query=2&time=1", headers=FORM)
    assert a.json["data"]["result"] == [1, "2"] # the body comes first
    a = house.api.range("vector(1)", house.start, house.start + 120, "1m")
    assert [t for t, _ in a[1]["data"]["result"][0]["values"]] == [house.start + i * 60
                                                                   for i in range(3)]


def test_as_grafana_asks(house):
    """The calls of Grafana's Prometheus data source: its test button, variables, the query builder
    and a panel."""
    api, end, start = house.api, house.end, house.start
    status, body = api.call("/api/v1/query", query="1+1", time=end)
    assert (status, body["data"]) == (200, {"resultType": "scalar", "result": [end, "2"]})
    for path in ("/api/v1/status/buildinfo", "/api/v1/buildinfo"):
        status, body = api.call(path, "GET")
        assert status == 200 and body["data"]["version"] == "2.42.0"
    status, body = api.call("/api/v1/label/__name__/values", "GET", start=start, end=end)
    assert "load" in body["data"]
    status, body = api.call("/api/v1/labels", start=start, end=end,
                            **{"match[]": '{__name__="load"}'})
    assert body["data"] == ["__name__", "host", "zone"]
    status, body = api.call("/api/v1/label/host/values", "GET", start=start, end=end,
                            **{"match[]": 'load{zone="east"}'})
    assert body["data"] == ["h2", "h4"]
    status, body = api.call("/api/v1/series", start=start, end=end, **{"match[]": "load"})
    assert {"__name__": "load", "host": "h1", "zone": "west"} in body["data"]
    status, body = api.call("/api/v1/metadata", "GET", limit=1000)
    assert body["data"]["load"] == [{"type": "unknown", "help": "", "unit": ""}]
    status, body = api.call("/api/v1/metadata", "GET", metric="load")
    assert list(body["data"]) == ["load"]
    status, body = api.range('sum by (zone) (rate(load{host=~"h1|h2"}[1m0s]))', start, end, 15)
    assert body["data"]["resultType"] == "matrix"
    assert [r["metric"] for r in body["data"]["result"]] == [{"zone": "east"}, {"zone": "west"}]
    for path in ("/api/v1/rules", "/api/v1/query_exemplars"): # Grafana does without
        assert house.stack.http("GET", path).status == 404
    a = house.stack.http("GET", "/api/v1/query?query=1", role=None,
                         headers={"Authorization": "Bearer " + house.stack.token("read-only")})
    assert a.status == 200


def promtool(*words):
    """promtool 2.42 knows no bearer tokens: the token is the password in the URL."""
    return subprocess.run(["promtool", "query", *words], capture_output=True, text=True, timeout=30)


def test_promtool_reads_it(house):
    url = house.stack.url.replace("//", f"//promtool:{house.stack.token('read-only')}@")
    end = str(house.end)
    r = promtool("instant", f"--time={end}", url, "sum by (host) (limit) + 1")
    assert (r.returncode, r.stdout.strip()) == (0, f"{{}} => 4 @[{end}]"), r.stderr
    r = promtool("range", f"--start={house.end - 60}", f"--end={end}", "--step=30s", url,
                 "limit")
    assert r.returncode == 0 and r.stdout.count("3 @") == 3, r.stderr
    r = promtool("series", "--match=load", url)
    assert r.returncode == 0 and '{__name__="load", host="h1", zone="west"}' in r.stdout, r.stderr
    r = promtool("labels", url, "zone")
    assert (r.returncode, r.stdout.split()) == (0, ["east", "west"]), r.stderr
    r = promtool("instant", url, "count_values(1)")
    assert r.returncode != 0 and "'count_values' is not supported" in r.stderr


def test_odd_names(house):
    now = now_ms()
    a = house.stack.http("POST", "/v2.0/metrics", [
        {"name": "cpu.idle-perc", "dimensions": {"odd label": "a|b", "k.2": "v x"},
         "timestamp": now, "value": 7.5}])
    assert a.status == 204
    want = [{"metric": {"__name__": "cpu.idle-perc", "odd label": "a|b", "k.2": "v x"}}]

    def there():
        return house.api.query('{"cpu.idle-perc"}', now / 1000)[1]["data"]["result"]
    got = wait_for(there, 10, "the sample")
    assert [dict(metric=r["metric"]) for r in got] == want
    for text in ['{__name__="cpu.idle-perc"}', '{"cpu.idle-perc", "odd label"="a|b"}',
                 '{"odd label"=~"a\\\\|b"}', '{"odd label"=~"a.b", "k.2"="v x"}']:
        assert len(house.api.query(text, now / 1000)[1]["data"]["result"]) == 1, text
    assert house.api.query('{"cpu.idle-perc", "odd label"="a"}', now / 1000)[1]["data"]["result"] == []
    r = house.api.query('sum by ("odd label") ({"cpu.idle-perc"})', now / 1000)[1]["data"]["result"]
    assert [x["metric"] for x in r] == [{"odd label": "a|b"}]
    for name in ("odd label", "U__odd_20_label"):
        path = f"/api/v1/label/{urllib.parse.quote(name)}/values"
        assert house.api.call(path, "GET")[1]["data"] == ["a|b"]


def test_roles_and_tenants(house):
    stack = house.stack
    a = stack.http("POST", "/v2.0/metrics", [sample("secret_load", "their-host", 1.0)], tenant="other")
    assert a.status == 204
    theirs = hale_api(stack, tenant="other")
    now = time.time() + 1
    wait_for(lambda: theirs.query("secret_load", now)[1]["data"]["result"], 10, "their sample")
    paths = ["/api/v1/query?query=secret_load", "/api/v1/query?query={hostname=%22their-host%22}",
             f"/api/v1/query_range?query=secret_load&start={now - 60}&end={now}&step=10",
             "/api/v1/series?match[]={__name__=~%22.%2b%22}", "/api/v1/labels",
             "/api/v1/labels?match[]={__name__=~%22.%2b%22}", "/api/v1/label/hostname/values",
             "/api/v1/label/hostname/values?match[]={__name__=~%22.%2b%22}",
             "/api/v1/label/__name__/values", "/api/v1/metadata", "/api/v1/metadata?metric=secret_load",
             "/api/v1/query?query={__name__=~%22.*load%22}"]
    for path in paths:
        a = stack.http("GET", path + ("&" if "?" in path else "?") + "tenant_id=other",
                       role="read-only,delegate")
        assert a.status == 200, (path, a)
        assert b"their-host" not in a.body and b"secret" not in a.body, path
        assert stack.http("GET", path, role=None).status == 401
        assert stack.http("GET", path, role="agent").status == 401
        assert stack.http("GET", path, role="operator").status == 200
    a = stack.http("GET", "/api/v1/label/__name__/values", tenant="other", role="read-only")
    assert a.json["data"] == ["secret_load"] # and they see nothing of ours
    assert stack.http("POST", "/api/v1/query", b"query=1", role="agent", headers=FORM).status == 401


# --- limits -------------------------------------------------------------------------------------

def test_limits(stack):
    stack.start("collector", {"archive": False, "promql_max_samples": 1000, "promql_timeout": "2s"})
    batch = [sample("cpu", f"h{i}", float(i), dimensions={"host": f"h{i}", "a": "a" * 200})
             for i in range(200)]
    assert stack.http("POST", "/v2.0/metrics", batch).status == 204
    api, now = hale_api(stack), int(time.time()) + 1
    wait_for(lambda: len(api.query("cpu", now)[1]["data"]["result"]) == 200, 10, "the samples")
    status, body = api.range("cpu", now - 60, now, 1)
    assert (status, body["errorType"]) == (422, "execution")
    assert "promql_max_samples is 1000" in body["error"]
    status, body = api.query("sum(cpu[100y:1ms])", now)
    assert (status, body["errorType"]) == (400, "bad_data")
    status, body = api.query("sum_over_time(cpu[100y:1ms])", now)
    assert (status, body["errorType"]) == (422, "execution")
    # A pattern that would run for years: an error, and soon.
    began = time.monotonic()
    for path, params in (("query", {"query": 'cpu{a=~"(a+)+[bc]"}'}),
                         ("series", {"match[]": 'cpu{a=~"(a|a)*[bc]"}'})):
        status, body = api.call("/api/v1/" + path, **params)
        assert (status, body["errorType"]) == (422, "execution")
        assert "takes too much work" in body["error"]
    assert time.monotonic() - began < 10
    status, body = api.query("cpu", now, timeout="0")
    assert (status, body["errorType"]) == (503, "timeout")
    for _ in range(3): # nesting that multiplies steps ends at a limit
        status, body = api.query("max_over_time(" * 5 + "cpu" + "[5m:1s])" * 5, now)
        assert status == 422
    assert counter(stack, "hale_collector_promql_failed_total") >= 6


def test_redis_away_is_said(stack, redis):
    stack.start("collector", {"archive": False, "redis_timeout": "500ms"})
    assert stack.http("POST", "/v2.0/metrics", [sample("cpu")]).status == 204
    api, now = hale_api(stack), time.time() + 1
    wait_for(lambda: api.query("cpu", now)[1]["data"]["result"], 10, "the sample")
    redis.kill9()
    status, body = api.query("cpu", now)
    assert (status, body["errorType"]) == (503, "unavailable")
    assert api.query("1 + 1", now)[0] == 200 # needs no store
    redis.start()


def test_over_the_archive(stack):
    """Rows of the archive count as the samples they were made of, and coarse ones are told of."""
    conf = {"hot_flush": "200ms", "archive_delay": "1s",
            "archive_tiers": [{"match": "fine", "tiers": ["10s:1d"]},
                              {"match": "*", "tiers": ["1m:7d"]}]}
    stack.start("collector", conf)
    start = (now_ms() // 600000 - 7) * 600000 # more than an hour ago
    body = [sample(name, "h", float(i), start + 5000 * i + 2500)
            for i in range(240) for name in ("fine", "coarse")]
    assert stack.http("POST", "/v2.0/metrics", body).status == 204
    wait_for(lambda: archived_until(stack) >= start + 1200000, 40, "archive")
    only_the_archive(stack, archive_tiers=conf["archive_tiers"])
    api, end = hale_api(stack), start // 1000 + 600

    def value(text, t=end - 0.001):
        status, body = api.query(text, t)
        assert status == 200, body
        return ([float(r["value"][1]) for r in body["data"]["result"]], body.get("warnings", []))
    for name, warned in (("fine", 0), ("coarse", 1)):
        for text, want in (("count_over_time", 120), ("sum_over_time", sum(range(120))),
                           ("avg_over_time", 59.5), ("min_over_time", 0), ("max_over_time", 119)):
            got, warnings = value(f"{text}({name}[599999ms])")
            assert got == [want], (name, text)
            assert len(warnings) == warned, warnings
    assert value("fine") == ([118.5], []) # the last row of 10 s
    got, warnings = value("coarse")
    assert got == [113.5] and warnings == [
        "resolution reduced: the archive answered with averages over up to 60 s"]
    # A lookback shorter than the rows: seen for two of them all the same.
    status, body = api.range("coarse", start / 1000, end - 1, 10, lookback_delta="15s")
    assert len(body["data"]["result"][0]["values"]) == 60 and len(body["warnings"]) == 1
    status, body = api.range("coarse", start / 1000, end - 1, 120)
    assert len(body["data"]["result"][0]["values"]) == 5 and "warnings" not in body
