# SPDX-License-Identifier: Apache-2.0
"""Monasca's metrics family as its clients and its conformance suite see it: lists, measurements,
statistics, paging, times, errors. One statement of the API per assertion."""
import json
import urllib.parse

import pytest
from collector_kit import ISO0, iso, measurements, now_ms, q, sample
from conftest import wait_for

# A minute boundary some ten minutes ago: everything is in the hot store, buckets are known.
T0 = (now_ms() // 3600000) * 3600000 - 3600000
METRICS = "/v2.0/metrics"
NAMES = METRICS + "/names"
KEYS = METRICS + "/dimensions/names"
VALUES = METRICS + "/dimensions/names/values"
MEASUREMENTS = METRICS + "/measurements"
STATISTICS = METRICS + "/statistics"


def metric(name, dims, ts, value, meta=None):
    m = {"name": name, "dimensions": dims, "timestamp": ts, "value": value}
    if meta is not None:
        m["value_meta"] = meta
    return m


def post(stack, *samples, **kw):
    a = stack.http("POST", METRICS, list(samples), **kw)
    assert a.status == 204 and a.body == b"", a


def get(stack, path, status=200, **params):
    path = q(path, **params) if params else path
    a = stack.http("GET", path)
    assert a.status == status, (path, a)
    assert a.headers["content-type"].startswith("application/json"), a.headers
    assert a.headers["x-openstack-request-id"].startswith("req-")
    if status == 200:
        assert set(a.json) == {"links", "elements"}, a
        link = a.json["links"][0]
        assert set(link) == {"rel", "href"} and link["rel"] == "self"
        assert link["href"].endswith(path), link
        assert [x["rel"] for x in a.json["links"][1:]] in ([], ["next"])
    else:
        assert {"title", "description", "code", "message"} <= set(a.json), a
        assert a.json["code"] == status and a.json["message"] == a.json["description"]
    return a.json


def next_path(answer):
    for link in answer["links"]:
        if link["rel"] == "next":
            u = urllib.parse.urlsplit(link["href"])
            return u.path + "?" + u.query
    return None


def pages(stack, path, **params):
    """All pages, following `next`."""
    out = [get(stack, path, **params)]
    while next_path(out[-1]):
        assert len(out) < 100
        out.append(get(stack, next_path(out[-1])))
    return out


def offset_of(answer):
    return urllib.parse.parse_qs(urllib.parse.urlsplit(next_path(answer)).query)["offset"][0]


def settled(stack, n, **params):
    """Waits until n measurements can be read."""
    return measurements(stack, n, start_time=ISO0, **params)


# --- §4.2: the list of metrics -------------------------------------------------------------------

def test_list_of_metrics(stack):
    stack.start("collector")
    assert get(stack, METRICS)["elements"] == []
    post(stack, metric("cpu", {"host": "h1", "dev": "a"}, T0, 1),
         metric("cpu", {"host": "h2"}, T0, 1), metric("cpu", {"host": "h3", "dev": "b"}, T0, 1),
         metric("mem", {"host": "h1"}, T0 + 60000, 1),
         {"name": "bare", "timestamp": T0 + 0.5, "value": 1, "value_meta": None},
         metric("nä:me|/'", {"schlüssel (1)": "wert: ü|x y"}, T0, 1))
    for name in ("cpu", "mem", "bare", "nä:me|/'"):
        settled(stack, 1, name=name, group_by="*")
    all_ = get(stack, METRICS)["elements"]
    assert len(all_) == 6
    for e in all_:
        assert set(e) == {"id", "name", "dimensions"}
        assert isinstance(e["id"], str) and not e["id"].isdigit() and "_" not in e["id"]
    assert {"name": "bare", "dimensions": {}} in [
        {"name": e["name"], "dimensions": e["dimensions"]} for e in all_]
    odd = [e for e in all_ if e["name"] == "nä:me|/'"]
    assert odd[0]["dimensions"] == {"schlüssel (1)": "wert: ü|x y"}

    def hosts(**params):
        return sorted(e["dimensions"].get("host", "-")
                      for e in get(stack, METRICS, **params)["elements"])
    assert hosts(name="cpu") == ["h1", "h2", "h3"]
    assert hosts(name="unknown") == []
    assert hosts(dimensions="host:h1") == ["h1", "h1"]
    assert hosts(dimensions="host:h1,dev:a") == ["h1"]
    assert hosts(dimensions="dev") == ["h1", "h3"]
    assert hosts(dimensions="host:h1|h3,dev") == ["h1", "h3"]
    assert hosts(name="cpu", dimensions="host:h1|h2") == ["h1", "h2"]
    assert hosts(dimensions="host:h9") == [] and hosts(dimensions="nokey") == []
    # Only the first colon splits; an alternative is a whole value.
    assert get(stack, METRICS, dimensions="schlüssel (1):wert: ü|x y")["elements"] == []
    # A comma is one whether it is encoded or not; so is a plus a space.
    raw = stack.http("GET", METRICS + "?dimensions=host:h1,dev:a")
    enc = stack.http("GET", METRICS + "?dimensions=host%3Ah1%2Cdev%3Aa")
    assert raw.json["elements"] == enc.json["elements"] != []
    # A trailing slash, unknown parameters, parameters without a value.
    for path in (METRICS + "/", METRICS + "?alias=x&foo", METRICS + "?name=", METRICS + "?name",
                 METRICS + "?dimensions="):
        a = stack.http("GET", path)
        assert a.status == 200 and len(a.json["elements"]) == 6, (path, a)
        assert a.json["links"][0]["href"].endswith(path)
    # The first of a repeated parameter counts.
    a = stack.http("GET", METRICS + "?name=mem&name=cpu")
    assert [e["name"] for e in a.json["elements"]] == ["mem"]
    # Times: [start, end), each of them alone too.
    assert hosts(name="mem", start_time=iso(T0 + 60000)) == ["h1"]
    assert hosts(name="mem", start_time=iso(T0 + 60001)) == []
    assert hosts(name="mem", end_time=iso(T0 + 60000)) == []
    assert hosts(name="mem", end_time=iso(T0 + 60001)) == ["h1"]
    assert hosts(start_time=iso(T0 - 5), end_time=iso(T0)) == []
    get(stack, METRICS, 400, start_time=iso(T0), end_time=iso(T0))
    # Paging: exclusive, stable ids and order, next only while there is more.
    for limit in (1, 2, 4, 5, 6, 7):
        got = pages(stack, METRICS, limit=limit)
        assert [e for p in got for e in p["elements"]] == all_
        assert len(got) == -(-6 // limit)
        assert all(len(p["elements"]) == limit for p in got[:-1])
        assert all(offset_of(p) == p["elements"][-1]["id"] for p in got[:-1])
    second = get(stack, METRICS, offset=all_[1]["id"], limit=2, name="cpu")
    assert next_path(second) is None or "name=cpu" in next_path(second)
    assert get(stack, METRICS, offset=all_[-1]["id"])["elements"] == []


REFUSED = [
    (METRICS, {"name": "x" * 256}), (METRICS, {"name": "a b"}), (METRICS, {"name": "a<b"}),
    (METRICS, {"dimensions": "_a:b"}), (METRICS, {"dimensions": "a:b<c"}),
    (METRICS, {"dimensions": "a" * 256 + ":b"}), (METRICS, {"dimensions": "a:" + "b" * 256}),
    (METRICS, {"dimensions": "a:b,,c:d"}), (METRICS, {"dimensions": ":b"}),
    (METRICS, {"start_time": "yesterday"}), (METRICS, {"end_time": "2015-13-01T00:00:00Z"}),
    (METRICS, {"limit": "0"}), (METRICS, {"limit": "-1"}), (METRICS, {"limit": "x"}),
    (METRICS, {"limit": "1.5"}), (METRICS, {"offset": "nonsense"}),
    (NAMES, {"limit": "0"}), (NAMES, {"dimensions": "a=b"}),
    (KEYS, {"limit": "0"}), (KEYS, {"metric_name": "x" * 256}), (KEYS, {"start_time": "x"}),
    (VALUES, {}), (VALUES, {"metric_name": "cpu"}),
    (VALUES, {"dimension_name": "host", "limit": "0"}),
    (VALUES, {"dimension_name": "host", "metric_name": "x" * 256}),
    (MEASUREMENTS, {"start_time": ISO0}), (MEASUREMENTS, {"name": "cpu"}),
    (MEASUREMENTS, {"name": "x" * 256, "start_time": ISO0}),
    (MEASUREMENTS, {"name": "cpu", "start_time": "x"}),
    (MEASUREMENTS, {"name": "cpu", "start_time": ISO0, "end_time": "x"}),
    (MEASUREMENTS, {"name": "cpu", "start_time": ISO0, "limit": "0"}),
    (MEASUREMENTS, {"name": "cpu", "start_time": ISO0, "limit": "ten"}),
    (MEASUREMENTS, {"name": "cpu", "start_time": ISO0, "offset": "nonsense"}),
    (MEASUREMENTS, {"name": "cpu", "start_time": ISO0, "group_by": "a,,b"}),
    (STATISTICS, {"name": "cpu", "start_time": ISO0}),
    (STATISTICS, {"name": "cpu", "start_time": ISO0, "statistics": "median"}),
    (STATISTICS, {"name": "cpu", "start_time": ISO0, "statistics": "avg,foo"}),
    (STATISTICS, {"start_time": ISO0, "statistics": "avg"}),
    (STATISTICS, {"name": "cpu", "statistics": "avg"}),
    (STATISTICS, {"name": "cpu", "start_time": ISO0, "statistics": "avg", "period": "-1"}),
    (STATISTICS, {"name": "cpu", "start_time": ISO0, "statistics": "avg", "period": "1.5"}),
    (STATISTICS, {"name": "cpu", "start_time": ISO0, "statistics": "avg", "period": "foo"}),
    (STATISTICS, {"name": "x" * 256, "start_time": ISO0, "statistics": "avg"}),
]


def test_wrong_parameters_are_422(stack):
    stack.start("collector")
    post(stack, sample())
    for path, params in REFUSED:
        j = get(stack, path, 422, **params)
        if "limit" in params:
            assert j["title"] == "Invalid limit", j
    for path, params in ((MEASUREMENTS, {}), (STATISTICS, {"statistics": "avg"}), (METRICS, {}),
                         (KEYS, {}), (VALUES, {"dimension_name": "host"})):
        if path in (MEASUREMENTS, STATISTICS):
            params = dict(params, name="cpu")
        for end in (T0, T0 - 1):
            j = get(stack, path, 400, start_time=iso(T0), end_time=iso(end), **params)
            assert j["description"] == "start_time must be before end_time"
    # The role comes before everything else.
    for path, params in REFUSED:
        path = q(path, **params) if params else path
        assert stack.http("GET", path, role="agent").status == 401
        assert stack.http("GET", path, role=None).status == 401


# --- §4.3: names, dimension names, dimension values -----------------------------------------------

def test_names_and_dimensions(stack):
    stack.start("collector")
    for path, params in ((NAMES, {}), (KEYS, {}), (VALUES, {"dimension_name": "host"})):
        assert get(stack, path, **params)["elements"] == []
    post(stack, metric("beta", {"host": "h1", "Zone": "z"}, T0, 1),
         metric("Beta", {"host": "H1"}, T0, 1), metric("alpha", {"host": "h10", "dev": "x"}, T0, 1),
         metric("alpha", {"host": "h2"}, T0 + 60000, 1), metric("gamma", {}, T0, 1),
         metric("alpha", {"host": "é"}, T0, 1))
    wait_for(lambda: len(get(stack, METRICS, end_time=iso(T0 + 61000))["elements"]) == 6 and
             get(stack, METRICS, end_time=iso(T0))["elements"] == [], 10, "times known")

    def words(path, key, **params):
        got = get(stack, path, **params)["elements"]
        assert all(list(e) == [key] for e in got)
        return [e[key] for e in got]

    names = ["Beta", "alpha", "beta", "gamma"]   # ascending by bytes
    keys = ["Zone", "dev", "host"]
    hosts = ["H1", "h1", "h10", "h2", "é"]
    assert words(NAMES, "name") == names
    assert words(KEYS, "dimension_name") == keys
    assert words(VALUES, "dimension_value", dimension_name="host") == hosts
    assert words(NAMES, "name", dimensions="host:h1") == ["beta"]
    assert words(NAMES, "name", dimensions="host") == ["Beta", "alpha", "beta"]
    assert words(NAMES, "name", dimensions="host:h1|h2,host") == ["alpha", "beta"]
    assert words(NAMES, "name", dimensions="host:nobody") == []
    assert words(KEYS, "dimension_name", metric_name="alpha") == ["dev", "host"]
    assert words(KEYS, "dimension_name", metric_name="gamma") == []
    assert words(KEYS, "dimension_name", metric_name="unknown") == []
    v = {"dimension_name": "host"}
    assert words(VALUES, "dimension_value", metric_name="alpha", **v) == ["h10", "h2", "é"]
    assert words(VALUES, "dimension_value", metric_name="unknown", **v) == []
    assert words(VALUES, "dimension_value", dimension_name="unknown") == []
    # Times: those with a measurement in [start, end).
    late = {"start_time": iso(T0 + 1)}
    early = {"end_time": iso(T0 + 1)}
    assert words(VALUES, "dimension_value", **v, **late) == ["h2"]
    assert words(VALUES, "dimension_value", **v, **early) == ["H1", "h1", "h10", "é"]
    assert words(VALUES, "dimension_value", metric_name="alpha", **v, **early) == ["h10", "é"]
    assert words(KEYS, "dimension_name", **late) == ["host"]
    assert words(KEYS, "dimension_name", metric_name="alpha", **late) == ["host"]
    assert words(KEYS, "dimension_name", start_time=iso(T0 + 60001)) == []
    # Paging: offset is the last value shown, exclusive, whatever its case; one that is not in
    # the list goes on with the next greater one.
    for path, key, all_, params in ((NAMES, "name", names, {}), (KEYS, "dimension_name", keys, {}),
                                    (VALUES, "dimension_value", hosts, v),
                                    (VALUES, "dimension_value", ["h10", "h2", "é"],
                                     dict(v, metric_name="alpha")),
                                    (VALUES, "dimension_value", hosts,
                                     dict(v, start_time=iso(T0)))):
        for limit in (1, 2, 3, len(all_), 10001):
            got = pages(stack, path, limit=limit, **params)
            assert [e[key] for p in got for e in p["elements"]] == all_
            assert len(got) == -(-len(all_) // limit)
            assert all(offset_of(p) == p["elements"][-1][key] for p in got[:-1])
    assert words(NAMES, "name", offset="C") == ["alpha", "beta", "gamma"]
    assert words(NAMES, "name", offset="alphaa", limit=1) == ["beta"]
    assert words(NAMES, "name", offset="zzz") == []
    # New ones show at once, in their place.
    post(stack, metric("aaa", {"host": "h11", "aa": "1"}, T0, 1))
    assert words(NAMES, "name") == ["Beta", "aaa", "alpha", "beta", "gamma"]
    assert words(KEYS, "dimension_name") == ["Zone", "aa", "dev", "host"]
    assert words(VALUES, "dimension_value", **v) == ["H1", "h1", "h10", "h11", "h2", "é"]


def test_tenant_id_is_for_delegates(stack):
    stack.start("collector")
    post(stack, metric("theirs", {"k": "v"}, T0, 5), tenant="other")
    wait_for(lambda: stack.http("GET", q(MEASUREMENTS, name="theirs", start_time=ISO0),
                                tenant="other").json["elements"], 10, "the measurement")
    calls = [(METRICS, {}), (NAMES, {}), (KEYS, {}), (VALUES, {"dimension_name": "k"}),
             (MEASUREMENTS, {"name": "theirs", "start_time": ISO0}),
             (STATISTICS, {"name": "theirs", "start_time": ISO0, "statistics": "avg"})]
    for path, params in calls:
        path = q(path, tenant_id="other", **params)
        mine = stack.http("GET", path, role="operator")
        theirs = stack.http("GET", path, role="operator,delegate")
        assert mine.status == theirs.status == 200
        assert mine.json["elements"] == [] and len(theirs.json["elements"]) == 1, path


# --- §4.4: measurements ---------------------------------------------------------------------------

def test_measurements(stack):
    stack.start("collector")
    post(stack, metric("m", {"host": "h1", "z": "a"}, T0 + 1202, 8.54),
         metric("m", {"host": "h1", "z": "a"}, T0 + 1543, 8.42, {"rc": "1", "msg": "größer"}),
         metric("m", {"host": "h1", "z": "a"}, T0 + 1000, 3),
         metric("m", {"host": "h1", "z": "a"}, T0 + 1000.7, 4))        # same ms: the last wins
    e = settled(stack, 3, name="m")
    assert len(e) == 1
    assert set(e[0]) == {"id", "name", "dimensions", "columns", "measurements"}
    assert e[0]["name"] == "m" and e[0]["dimensions"] == {"host": "h1", "z": "a"}
    assert e[0]["columns"] == ["timestamp", "value", "value_meta"]
    assert e[0]["measurements"] == [
        [iso(T0 + 1000), 4.0, {}], [iso(T0 + 1202), 8.54, {}],
        [iso(T0 + 1543), 8.42, {"rc": "1", "msg": "größer"}]]
    assert e[0]["measurements"][0][0].endswith(":01.000Z")
    # [start, end)
    for start, end, n in ((1000, 1543, 2), (1001, 1544, 2), (1544, 9999, 0), (0, 1000, 0)):
        got = get(stack, MEASUREMENTS, name="m", start_time=iso(T0 + start), end_time=iso(T0 + end))
        assert sum(len(x["measurements"]) for x in got["elements"]) == n, (start, end)
        assert bool(got["elements"]) == (n > 0)
    # Times in other forms.
    z = iso(T0 + 1000)
    for text in (z[:-1], z[:-1] + "+00:00", z[:-1] + "+0000", z[:-5] + "Z", z[:19] + ".000000Z"):
        got = get(stack, MEASUREMENTS, name="m", start_time=text)
        assert len(got["elements"][0]["measurements"]) == 3, text
    plus = stack.http("GET", f"{MEASUREMENTS}?name=m&start_time={z[:-1]}+00:00")  # '+' is a blank
    assert len(plus.json["elements"][0]["measurements"]) == 3
    east = iso(T0 + 1202 + 2 * 3600000)[:-1] + "+02:00"
    got = get(stack, MEASUREMENTS, name="m", start_time=east)
    assert len(got["elements"][0]["measurements"]) == 2
    # Nothing known.
    assert get(stack, MEASUREMENTS, name="unknown", start_time=ISO0)["elements"] == []
    assert get(stack, MEASUREMENTS, name="m", dimensions="host:h2", start_time=ISO0)["elements"] == []


TEXT_409 = ("Found multiple metrics matching metric name and dimensions. Please refine your search "
            "criteria using a unique metric name or additional dimensions. Alternatively, you may "
            "specify 'merge_metrics=True' as a query parameter to combine all metrics matching "
            "search criteria into a single series.")


def several(stack):
    """Three series: h1 with 3 points, h2 with 2, h3 with one long before."""
    post(stack, *[metric("s", {"host": "h1", "dev": "a"}, T0 + i * 1000, i) for i in range(3)],
         *[metric("s", {"host": "h2", "dev": "a"}, T0 + 500 + i * 1000, 10 + i) for i in range(2)],
         metric("s", {"host": "h3"}, T0 - 600000, 99))
    settled(stack, 6, name="s", merge_metrics="true")


def test_several_series(stack):
    stack.start("collector")
    several(stack)
    start = iso(T0)
    # 409 is judged on the series that exist, not on those with data in the range.
    for path, more in ((MEASUREMENTS, {}), (STATISTICS, {"statistics": "avg"})):
        for params in ({"start_time": start}, {"start_time": start, "dimensions": "host:h1|h3"},
                       {"start_time": iso(T0 + 100000)}, {"start_time": start, "dimensions": "dev"}):
            j = get(stack, path, 409, name="s", **params, **more)
            assert j["title"] == "MultipleMetrics" and j["description"] == TEXT_409
        one = get(stack, path, name="s", start_time=start, dimensions="host:h1", **more)
        assert one["elements"][0]["dimensions"] == {"host": "h1", "dev": "a"}
    # merge_metrics
    for text in ("true", "True", "1", "yes"):
        e = get(stack, MEASUREMENTS, name="s", start_time=start, merge_metrics=text)["elements"]
        assert len(e) == 1 and e[0]["dimensions"] == {}
        assert [m[1] for m in e[0]["measurements"]] == [0.0, 10.0, 1.0, 11.0, 2.0]
    e = get(stack, MEASUREMENTS, name="s", start_time=start, merge_metrics="true",
            dimensions="dev:a")["elements"]
    assert e[0]["dimensions"] == {"dev": "a"}
    a = stack.http("GET", q(MEASUREMENTS, name="s", start_time=start, merge_metrics="true") +
                   "&merge_metrics=false")
    assert a.status == 200
    a = stack.http("GET", q(MEASUREMENTS, name="s", start_time=start, merge_metrics="false") +
                   "&merge_metrics=true")
    assert a.status == 409
    # group_by: one element per tuple of values, those keys only, a missing one is "".
    e = get(stack, MEASUREMENTS, name="s", start_time=ISO0, group_by="host")["elements"]
    assert sorted((x["dimensions"]["host"], len(x["measurements"])) for x in e) == [
        ("h1", 3), ("h2", 2), ("h3", 1)]
    assert all(set(x["dimensions"]) == {"host"} for x in e)
    e = get(stack, MEASUREMENTS, name="s", start_time=ISO0, group_by="dev")["elements"]
    assert sorted((x["dimensions"]["dev"], len(x["measurements"])) for x in e) == [("", 1), ("a", 5)]
    e = get(stack, MEASUREMENTS, name="s", start_time=ISO0, group_by="dev,host")["elements"]
    assert sorted(tuple(x["dimensions"].values()) for x in e) == [("", "h3"), ("a", "h1"), ("a", "h2")]
    # '*': one per series, full dimensions; it wins over merge_metrics; empty ones are left out.
    e = get(stack, MEASUREMENTS, name="s", start_time=start, group_by="*",
            merge_metrics="true")["elements"]
    assert sorted(x["dimensions"]["host"] for x in e) == ["h1", "h2"]
    assert all(x["dimensions"]["dev"] == "a" for x in e)
    e = get(stack, MEASUREMENTS, name="s", start_time=start, group_by="dev",
            merge_metrics="true")["elements"]
    assert [x["dimensions"] for x in e] == [{"dev": "a"}]
    # Grafana sends group_by= without a value, and alias=.
    a = stack.http("GET", q(MEASUREMENTS, name="s", start_time=start, merge_metrics="true") +
                   "&group_by=&alias=x")
    assert a.status == 200 and len(a.json["elements"]) == 1
    for e in get(stack, MEASUREMENTS, name="s", start_time=ISO0, group_by="*")["elements"]:
        assert not e["id"].isdigit() and "_" not in e["id"]


def walk(stack, path, column, **params):
    """{id: rows} over all pages; checks that each page is full but the last, and its cursor."""
    limit = params["limit"]
    rows, order = {}, []
    for page in pages(stack, path, **params):
        n = 0
        for e in page["elements"]:
            assert e[column], "an empty element"
            rows.setdefault(e["id"], []).extend(e[column])
            if not order or order[-1] != e["id"]:
                order.append(e["id"])
            n += len(e[column])
        assert n <= limit
        if next_path(page):
            assert n == limit
            last = page["elements"][-1]
            assert offset_of(page) == f"{last['id']}_{last[column][-1][0]}"
    assert len(order) == len(set(order)), "an element came again"
    return rows


def test_measurements_paging(stack):
    stack.start("collector")
    several(stack)
    for params in ({"group_by": "*"}, {"group_by": "host"}, {"group_by": "dev"},
                   {"merge_metrics": "true"}, {"dimensions": "host:h1"}):
        params.update(name="s", start_time=ISO0)
        want = {e["id"]: e["measurements"]
                for e in get(stack, MEASUREMENTS, **params)["elements"]}
        for limit in (1, 2, 3, 5, 6, 7):
            assert walk(stack, MEASUREMENTS, "measurements", limit=limit, **params) == want
    # A bare time or Unix milliseconds are cursors too; strictly after them.
    base = dict(name="s", start_time=ISO0, dimensions="host:h1")
    for offset in (iso(T0 + 1000), str(T0 + 1000), f"0_{iso(T0 + 1000)}"):
        e = get(stack, MEASUREMENTS, offset=offset, **base)["elements"]
        assert [m[1] for m in e[0]["measurements"]] == [2.0], offset
    assert get(stack, MEASUREMENTS, offset=iso(T0 + 2000), **base)["elements"] == []
    # No next when nothing follows within the only element.
    assert next_path(get(stack, MEASUREMENTS, limit=3, **base)) is None
    assert next_path(get(stack, MEASUREMENTS, limit=2, **base)) is not None


def test_limit_is_clamped(stack):
    stack.start("collector")
    post(stack, *[metric("many", {"i": "x"}, T0 + i, i) for i in range(10050)])
    settled(stack, 10000, name="many")
    wait_for(lambda: len(pages(stack, MEASUREMENTS, name="many", start_time=ISO0)) == 2, 10, "all")
    for params in ({}, {"limit": "10001"}, {"limit": "99999999999999999999"}):
        got = pages(stack, MEASUREMENTS, name="many", start_time=ISO0, **params)
        assert [len(p["elements"][0]["measurements"]) for p in got] == [10000, 50]


# --- §4.5: statistics -----------------------------------------------------------------------------

def test_statistics(stack):
    stack.start("collector")
    # Minute T0: 1, 2, 3; the next has none; the one after it: 10.
    post(stack, *[metric("m", {"host": "h"}, T0 + 10000 * i, i) for i in (1, 2, 3)],
         metric("m", {"host": "h"}, T0 + 120000, 10))
    settled(stack, 4, name="m")
    base = {"name": "m", "start_time": iso(T0)}
    e = get(stack, STATISTICS, statistics="avg,min,max,count,sum", period=60, **base)["elements"]
    assert len(e) == 1
    assert set(e[0]) == {"id", "name", "dimensions", "columns", "statistics"}
    assert e[0]["dimensions"] == {"host": "h"} and e[0]["name"] == "m"
    assert e[0]["columns"] == ["timestamp", "avg", "min", "max", "count", "sum"]
    t = iso(T0)[:19] + "Z"
    t2 = iso(T0 + 120000)[:19] + "Z"
    assert e[0]["statistics"] == [[t, 2.0, 1.0, 3.0, 3, 6.0], [t2, 10.0, 10.0, 10.0, 1, 10.0]]
    # The average is a JSON float though it is integral.
    raw = stack.http("GET", q(STATISTICS, statistics="avg", period=60, **base)).body.decode()
    assert f'["{t}",2.0]' in raw.replace(" ", "")
    # Columns in the order asked for, any case, the comma encoded or not.
    a = stack.http("GET", q(STATISTICS, period=60, **base) + "&statistics=SUM,Avg,count")
    assert a.json["elements"][0]["columns"] == ["timestamp", "sum", "avg", "count"]
    assert a.json["elements"][0]["statistics"][0] == [t, 6.0, 2.0, 3]
    assert get(stack, STATISTICS, statistics="SUM,Avg,count", period=60,
               **base)["elements"] == a.json["elements"]
    # Buckets begin at multiples of the period since the epoch, the first one perhaps before start.
    late = dict(base, start_time=iso(T0 + 15000))
    e = get(stack, STATISTICS, statistics="count", period=60, **late)["elements"]
    assert e[0]["statistics"] == [[t, 2], [t2, 1]]
    e = get(stack, STATISTICS, statistics="count", period=1, **base)["elements"]
    assert [r[1] for r in e[0]["statistics"]] == [1, 1, 1, 1]
    big = (T0 // 100000000) * 100000000
    e = get(stack, STATISTICS, statistics="count", period=100000, **base)["elements"]
    assert e[0]["statistics"][0][0] == iso(big)[:19] + "Z"
    # The default period is 300, and 0 means it.
    for params in ({}, {"period": "0"}, {"period": "300"}):
        e = get(stack, STATISTICS, statistics="count", **params, **base)["elements"]
        assert e[0]["statistics"] == [[t, 4]]
    # end_time cuts by measurement.
    e = get(stack, STATISTICS, statistics="count", end_time=iso(T0 + 20000), **base)["elements"]
    assert e[0]["statistics"] == [[t, 1]]
    # Nothing.
    for params in ({"name": "unknown", "start_time": ISO0},
                   {"name": "m", "start_time": iso(T0 + 130000)},
                   {"name": "m", "start_time": ISO0, "dimensions": "host:x"}):
        assert get(stack, STATISTICS, statistics="avg", **params)["elements"] == []


def test_statistics_of_several_series(stack):
    stack.start("collector")
    several(stack)
    base = {"name": "s", "start_time": iso(T0), "statistics": "count,sum", "period": "1"}
    e = get(stack, STATISTICS, merge_metrics="true", **base)["elements"]
    assert len(e) == 1 and e[0]["dimensions"] == {}
    assert [r[1:] for r in e[0]["statistics"]] == [[2, 10.0], [2, 12.0], [1, 2.0]]
    e = get(stack, STATISTICS, merge_metrics="true", group_by="*", **base)["elements"]
    assert sorted((x["dimensions"]["host"], len(x["statistics"])) for x in e) == [("h1", 3), ("h2", 2)]
    e = get(stack, STATISTICS, group_by="dev", **base)["elements"]
    assert [(x["dimensions"], len(x["statistics"])) for x in e] == [({"dev": "a"}, 3)]
    # Paging inside and over elements; the next page starts at the following bucket.
    for params in ({"group_by": "*"}, {"group_by": "dev"}, {"merge_metrics": "true"},
                   {"dimensions": "host:h2"}):
        params.update(base, start_time=ISO0)
        want = {x["id"]: x["statistics"] for x in get(stack, STATISTICS, **params)["elements"]}
        for limit in (1, 2, 3, 10):
            assert walk(stack, STATISTICS, "statistics", limit=limit, **params) == want
    one = dict(base, dimensions="host:h1")
    for offset in (iso(T0)[:19] + "Z", str(T0), f"x_{iso(T0)[:19]}Z"):
        e = get(stack, STATISTICS, offset=offset, **one)["elements"]
        assert [r[0] for r in e[0]["statistics"]] == [iso(T0 + 1000)[:19] + "Z",
                                                      iso(T0 + 2000)[:19] + "Z"], offset
    assert next_path(get(stack, STATISTICS, limit=3, **one)) is None


# --- §4.1: what POST takes ------------------------------------------------------------------------

@pytest.mark.parametrize("body,dims,value", [
    ({"name": "p", "timestamp": T0, "value": 1}, {}, 1.0),
    ({"name": "p", "dimensions": {}, "timestamp": float(T0) + 0.9, "value": True}, {}, 1.0),
    ({"name": "p", "dimensions": {"a b": "c (d): e|f"}, "timestamp": T0, "value": -1.5e-3,
      "value_meta": None, "extra": [1]}, {"a b": "c (d): e|f"}, -0.0015),
    ({"name": "日本語", "dimensions": {"ключ": "значение"}, "timestamp": T0, "value": 0,
      "value_meta": {"k": "日本"}}, {"ключ": "значение"}, 0.0),
])
def test_post_and_read_back(stack, body, dims, value):
    stack.start("collector")
    assert stack.http("POST", METRICS, body).status == 204
    e = settled(stack, 1, name=body["name"])
    assert e[0]["dimensions"] == dims
    assert e[0]["measurements"] == [[iso(T0), value, body.get("value_meta") or {}]]
    assert json.dumps(e[0]["measurements"][0][1]) == json.dumps(value)
