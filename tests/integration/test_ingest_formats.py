# SPDX-License-Identifier: Apache-2.0
"""The collector's front door: codings, credentials, formats and limits; real senders at the end."""
import base64
import gzip
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import zlib

import pytest

from collector_kit import counter, iso, measurements, now_ms, q, sample
from conftest import wait_for


def rejected(stack, form, reason):
    text = stack.http("GET", "/metrics", role=None).body.decode()
    row = f'hale_collector_rejected_samples_total{{form="{form}",reason="{reason}"}} '
    return int(re.search("^" + re.escape(row) + r"(\d+)$", text, re.M).group(1))


@pytest.fixture
def door(stack):
    """A collector alone, with a small body ceiling."""
    stack.start("collector", {"max_body": "64k"})
    return stack


def test_codings(door):
    t0 = now_ms() - 60000
    body = json.dumps([sample("coded", ts=t0 + i, value=float(i)) for i in range(50)])
    plain = body.encode()
    json_type = {"Content-Type": "application/json"}
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    for coding, coded in (("gzip", gzip.compress(plain)), ("x-gzip", gzip.compress(plain)),
                          ("GZIP", gzip.compress(plain[:99]) + gzip.compress(plain[99:])),
                          ("deflate", zlib.compress(plain)),
                          ("deflate", raw.compress(plain) + raw.flush()),
                          ("identity", plain), ("", plain)):
        a = door.http("POST", "/v2.0/metrics", body=coded,
                      headers={"Content-Encoding": coding, **json_type})
        assert a.status == 204, (coding, a)
    assert len(measurements(door, 50, name="coded")[0]["measurements"]) == 50
    assert counter(door, "hale_collector_inflated_bytes_total") == 5 * len(plain)

    def refused(coding, coded):
        a = door.http("POST", "/v2.0/metrics", body=coded,
                      headers={"Content-Encoding": coding, **json_type})
        return a.status, a.json["description"]
    whole = gzip.compress(plain)
    assert refused("gzip", whole[:-9])[0] == 400
    assert refused("gzip", plain)[0] == 400
    assert refused("gzip", whole + b"x")[0] == 400
    status, text = refused("br", whole)
    assert status == 415 and "gzip" in text
    status, text = refused("gzip", gzip.compress(b" " * 64 * 1024 * 1024))
    assert status == 413 and "65536" in text
    status, _ = refused("gzip", gzip.compress(plain + b" " * (65537 - len(plain))))
    assert status == 413
    a = door.http("POST", "/v2.0/metrics", headers={"Content-Encoding": "gzip", **json_type},
                  body=gzip.compress(plain + b" " * (65536 - len(plain))))
    assert a.status == 204


def test_events_may_be_compressed(door):
    body = gzip.compress(json.dumps({"type": "vnfc.down", "dimensions": {"vnf": "a"}}).encode())
    a = door.http("POST", "/v1/events", body=body,
                  headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})
    assert a.status == 200 and a.json == {"accepted": 1}


def test_credentials(door):
    token = door.token("agent")
    basic = base64.b64encode(f"telegraf:{token}".encode()).decode()

    def post(headers, path="/v2.0/metrics"):
        return door.http("POST", path, body=sample("auth"), role=None,
                         headers={"Content-Type": "application/json", **headers}).status
    assert post({"X-Auth-Token": token}) == 204
    for value in (f"Token {token}", f"Bearer {token}", f"token {token}", f"Basic {basic}"):
        assert post({"Authorization": value}) == 204, value
    for value in ("Token x", f"Basic {token}", f"Digest {token}", token, "Basic", ""):
        assert post({"Authorization": value}) == 401, value
    assert post({}) == 401
    # the first header counts, and a token in the address only where Influx's clients put it
    assert post({"X-Auth-Token": "wrong", "Authorization": f"Token {token}"}) == 401
    assert post({}, q("/v2.0/metrics", p=token)) == 401


# --- Influx line protocol --------------------------------------------------------------------

def influx(stack, body, path="/write", role="agent", **params):
    if isinstance(body, str):
        body = body.encode()
    return stack.http("POST", q(path, **params) if params else path, body=body, role=role,
                      headers={"Content-Type": "text/plain; charset=utf-8"})


def series_of(stack, n, **params):
    """{(name, dimensions...): [(time, value)]} once they hold n measurements."""
    return {(e["name"],) + tuple(sorted(e["dimensions"].items())):
            [(m[0], m[1]) for m in e["measurements"]]
            for e in measurements(stack, n, merge_metrics="false", group_by="*", **params)}


def test_influx_lines(door):
    t = now_ms() // 1000 * 1000 - 60000
    lines = (f"weather,location=us\\ midwest,sensor=s1 temperature=82.5,humidity=40i,ok=t,"
             f"state=\"fine, \\\"dry\\\"\" {t}123456\n"
             f"# a comment\n\n"
             f"weather,sensor=s1,location=us\\ midwest temperature=83 {t + 1000}999999\r\n"
             f"load value=0.25,load5=0.5 {t}000000")
    a = influx(door, lines)
    assert (a.status, a.body) == (204, b"")
    got = series_of(door, 2, name="weather.temperature")
    assert got == {("weather.temperature", ("location", "us midwest"), ("sensor", "s1")):
                   [(iso(t), 82.5), (iso(t + 1000), 83.0)]}
    assert series_of(door, 1, name="weather.humidity") == {
        ("weather.humidity", ("location", "us midwest"), ("sensor", "s1")): [(iso(t), 40.0)]}
    assert series_of(door, 1, name="weather.ok")
    assert series_of(door, 1, name="load") == {("load",): [(iso(t), 0.25)]}
    assert series_of(door, 1, name="load.load5") == {("load.load5",): [(iso(t), 0.5)]}
    names = [e["name"] for e in door.http("GET", "/v2.0/metrics/names").json["elements"]]
    assert "weather.state" not in names
    assert rejected(door, "influx", "type") == 1


def test_influx_units_and_now(door):
    before = now_ms()
    t = before - 60000
    for n, (unit, text) in enumerate([("ns", f"{t}000000"), ("n", f"{t}000000"),
                                      ("us", f"{t}000"), ("u", f"{t}000"), ("ms", f"{t}")]):
        assert influx(door, f"unit,n={n} value={n} {text}", precision=unit).status == 204
        assert influx(door, f"unit2,n={n} value={n} {text}", "/api/v2/write", precision=unit,
                      bucket="b", org="o").status == 204
    assert influx(door, f"unit,n=9 value=9 {t // 1000}", precision="s").status == 204
    got = series_of(door, 6, name="unit")
    assert {k[1][1]: v for k, v in got.items()} == {
        **{str(n): [(iso(t), float(n))] for n in range(5)}, "9": [(iso(t // 1000 * 1000), 9.0)]}
    assert influx(door, "unit3 value=1", db="telegraf", rp="x", consistency="all").status == 204
    (at, value), = series_of(door, 1, name="unit3")[("unit3",)]
    assert value == 1.0 and iso(before) <= at <= iso(now_ms())
    a = influx(door, "unit value=1", precision="fortnight")
    assert a.status == 400 and "precision" in a.json["error"]


def test_influx_faults_are_told_and_the_rest_is_stored(door):
    t = now_ms() - 60000
    a = influx(door, f"good value=1 {t}\nbad value= {t}\nbad,host=a;b value=1 {t}\n"
                     f"bad,_x=1 a=1,b=2 {t}\nbad v=1 x\nbad v=1e999\ngood value=2 {t + 1}",
               precision="ms")
    assert a.status == 400
    assert re.fullmatch(r"partial write: unable to parse 'bad value= \d+': missing field value "
                        r"dropped=6", a.json["error"])
    assert a.json["code"] == "invalid" and a.json["message"] == a.json["error"]
    assert series_of(door, 2, name="good")[("good",)] == [(iso(t), 1.0), (iso(t + 1), 2.0)]
    assert rejected(door, "influx", "syntax") == 1
    assert rejected(door, "influx", "series") == 3
    assert rejected(door, "influx", "time") == 1
    assert rejected(door, "influx", "value") == 1
    assert "event=samples_rejected form=influx tenant=default rejected=6 taken=2" in \
        door.daemons["collector"].log()
    for nothing in ("", "\n# x\n", 'only strings="a",too="b"'):
        assert influx(door, nothing).status == 204
    a = influx(door, "nothing good")
    assert a.status == 400 and a.json["error"].endswith("dropped=1")
    # again, now that the good spellings are known and the bad ones still are not
    a = influx(door, f"good value=3 {t + 2}\nbad,_x=1 a=1,b=2 {t}\n", precision="ms")
    assert a.status == 400 and "_x" in a.json["error"] and "dropped=2" in a.json["error"]
    assert len(series_of(door, 3, name="good")[("good",)]) == 3


def test_influx_roles_tenants_and_credentials(door):
    t = now_ms() - 60000
    assert influx(door, "a value=1", role="read-only").status == 401
    assert influx(door, "a value=1", role=None).status == 401
    assert influx(door, "a value=1", "/api/v2/write", role=None).status == 401
    token = door.token("agent")
    assert influx(door, f"mine value=1 {t}", role=None, u="x", p=token, precision="ms").status == 204
    assert influx(door, "a value=1", "/api/v2/write", role=None, p=token).status == 401
    assert series_of(door, 1, name="mine")
    # a delegate writes for others; anybody else's tenant_id is ignored
    door.token("operator", "other")
    assert influx(door, f"theirs value=1 {t}", role="agent,delegate", tenant_id="other",
                  precision="ms").status == 204
    assert influx(door, f"ours value=1 {t}", tenant_id="other", precision="ms").status == 204
    assert series_of(door, 1, name="ours")

    def names(tenant):
        a = door.http("GET", "/v2.0/metrics/names", tenant=tenant)
        return [e["name"] for e in a.json["elements"]]
    wait_for(lambda: names("other") == ["theirs"], 10, "the delegate's metric")
    assert "theirs" not in names("default")


def test_influx_same_series_from_all_formats(door):
    """A spelling is of one format, a series of all."""
    t = now_ms() - 60000
    assert influx(door, f"both.x,hostname=h1 value=1 {t}\nboth,hostname=h1 x=2 {t + 1}",
                  precision="ms").status == 204
    a = door.http("POST", "/v2.0/metrics", body=sample("both.x", ts=t + 2, value=3.0))
    assert a.status == 204
    assert series_of(door, 3, name="both.x") == {("both.x", ("hostname", "h1")): [
        (iso(t), 1.0), (iso(t + 1), 2.0), (iso(t + 2), 3.0)]}


def test_influx_ping_and_query(door):
    for method in ("GET", "HEAD"):
        a = door.http(method, "/ping", role=None)
        assert a.status == 204 and a.headers["x-influxdb-version"].startswith("1.8")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for body in (b"q=CREATE+DATABASE+%22telegraf%22", b"db=x&q=create%20%20database%20x"):
        a = door.http("POST", "/query", body=body, headers=form, role="agent")
        assert a.status == 200 and a.json == {"results": [{"statement_id": 0}]}
    a = door.http("GET", q("/query", q="SHOW DATABASES"), role="agent")
    assert a.json["results"][0]["series"][0]["values"] == [["hale"]]
    for params in ({"q": "SELECT * FROM cpu"}, {"q": "DROP DATABASE x"}, {"q": "createdatabase x"},
                   {}, {"q": "CREATE DATABASE " + "x" * 2000}):
        a = door.http("GET", q("/query", **params) if params else "/query", role="agent")
        assert a.status == 400 and a.json["error"], params
    a = door.http("POST", "/query", body=b"q=%zz", headers=form, role="agent")
    assert a.status == 400
    assert door.http("GET", q("/query", q="SHOW DATABASES"), role=None).status == 401


# --- collectd's write_http -------------------------------------------------------------------

def value_list(**more):
    v = {"values": [1.5], "dstypes": ["gauge"], "dsnames": ["value"], "time": now_ms() / 1000 - 60,
         "interval": 10.0, "host": "h1", "plugin": "cpu", "plugin_instance": "0", "type": "percent",
         "type_instance": "idle", "meta": {"network:received": True}}
    v.update(more)
    return v


def test_collectd_json(door):
    t = (now_ms() - 60000) / 1000
    body = [value_list(time=t, values=[98.25]),
            value_list(time=t, plugin="interface", plugin_instance="eth0", type="if_octets",
                       type_instance="", dsnames=["rx", "tx"], values=[10.5, None],
                       dstypes=["derive", "derive"])]
    a = door.http("POST", "/collectd", body=body, role="agent")
    assert (a.status, a.body) == (204, b"")
    at = iso(round(t * 1000))
    assert series_of(door, 1, name="cpu.percent") == {
        ("cpu.percent", ("hostname", "h1"), ("plugin_instance", "0"), ("type_instance", "idle")):
            [(at, 98.25)]}
    assert series_of(door, 1, name="interface.if_octets.rx") == {
        ("interface.if_octets.rx", ("hostname", "h1"), ("plugin_instance", "eth0")): [(at, 10.5)]}
    assert rejected(door, "collectd", "stale") == 1
    assert door.http("POST", "/collectd", body=[], role="agent").status == 204
    assert door.http("POST", "/collectd", body=value_list(), role="agent").status == 204


def test_collectd_faults(door):
    a = door.http("POST", "/collectd", role="agent", body=[
        value_list(values=[7.0], plugin="good"), value_list(values=["x"]), value_list(host=""),
        value_list(type_instance="a;b"), {"labels": {}, "annotations": {}}])
    assert a.status == 422
    assert a.json["description"] == ("4 of 5 values were not taken: values must be numbers and "
                                     "dsnames texts: for metric cpu.percent")
    assert series_of(door, 1, name="good.percent")
    assert (rejected(door, "collectd", "value"), rejected(door, "collectd", "syntax"),
            rejected(door, "collectd", "series")) == (1, 2, 1)
    assert door.http("POST", "/collectd", body=b"[{]", role="agent").status == 400
    assert door.http("POST", "/collectd", body=[], role="read-only").status == 401


# --- limits per tenant -----------------------------------------------------------------------

def limited(stack):
    stack.start("collector", {"limits": {
        "samples_per_second": 1, "samples_burst": 20, "max_body": "8k", "max_series": 3,
        "tenants": [{"tenant": "big", "samples_per_second": 0, "max_body": 0, "max_series": 0}]}})
    return stack


def test_rate_per_tenant(stack):
    door = limited(stack)
    t = now_ms() - 60000
    lines = "\n".join(f"rate value={i} {t + i}" for i in range(20))
    assert influx(door, lines, precision="ms").status == 204
    for path, body in (("/write", lines.encode()),
                       ("/v2.0/metrics", [sample("rate", ts=t + 50 + i) for i in range(10)])):
        a = door.http("POST", path, body=body)
        assert a.status == 429 and 1 <= int(a.headers["retry-after"]) <= 20, a
    # all or nothing: none of the refused request is there; others are not concerned
    assert len(series_of(door, 20, name="rate")[("rate",)]) == 20
    a = influx(door, "\n".join(f"rate value={i} {t + i}" for i in range(21)), precision="ms")
    assert a.status == 413 and "samples_burst" in a.json["description"]
    big = door.token("operator", "big")
    for _ in range(5):
        assert door.http("POST", "/write", body=lines.encode(), role=None,
                         headers={"X-Auth-Token": big}).status == 204
    assert counter(door, "hale_collector_limited_requests_total") == 3


def test_body_per_tenant(stack):
    door = limited(stack)
    body = b"# " + b"x" * 9000 + b"\nsize value=1"
    assert influx(door, body).status == 413
    zipped = {"Content-Encoding": "gzip"}
    assert door.http("POST", "/write", body=gzip.compress(body), headers=zipped).status == 413
    assert influx(door, b"# " + b"x" * 8000 + b"\nsize value=1").status == 204
    big = {"X-Auth-Token": door.token("operator", "big")}
    for headers, sent in ((big, body), ({**big, **zipped}, gzip.compress(body))):
        assert door.http("POST", "/write", body=sent, role=None, headers=headers).status == 204


def test_series_per_tenant(stack):
    door = limited(stack)
    assert influx(door, "s,n=1 value=1\ns,n=2 value=1").status == 204
    measurements(door, 2, name="s", merge_metrics="false", group_by="*")
    # two samples of one new series and one of another: the first one still has room
    a = influx(door, "s,n=3 value=1\ns,n=3 value=2 1\ns,n=4 value=1\ns,n=1 value=2")
    assert a.status == 400 and "dropped=1" in a.json["error"] and "3 series" in a.json["error"]
    assert rejected(door, "influx", "series-limit") == 1
    measurements(door, 4, name="s", merge_metrics="false", group_by="*")
    known = {"name": "s", "dimensions": {"n": "1"}, "timestamp": now_ms(), "value": 3.0}
    assert door.http("POST", "/v2.0/metrics", body=known).status == 204
    a = door.http("POST", "/v2.0/metrics", body=[known, sample("new")])
    assert a.status == 422 and "max_series" in a.json["description"]
    names = [e["name"] for e in door.http("GET", "/v2.0/metrics/names").json["elements"]]
    assert names == ["s"]
    big = {"X-Auth-Token": door.token("operator", "big")}
    many = "\n".join(f"s,n={i} value=1" for i in range(15)).encode()
    assert door.http("POST", "/write", body=many, role=None, headers=big).status == 204


def test_limits_are_taken_over_at_sighup(stack):
    door = limited(stack)
    d = door.daemons["collector"]
    body = "a value=1\n" * 21
    assert influx(door, body).status == 413
    del d.config["limits"]["samples_per_second"], d.config["limits"]["samples_burst"]
    d.write_config()
    d.process.send_signal(signal.SIGHUP)
    wait_for(lambda: influx(door, body).status == 204, 10, "the new limits")
    d.config["limits"]["samples_burst"] = 5
    d.write_config()
    d.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "samples_burst without samples_per_second" in d.log(), 10, "the refusal")
    assert influx(door, body).status == 204


# --- real senders ----------------------------------------------------------------------------

def need(program):
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")
    if path is None:
        if os.environ.get("HALE_SKIPS_FAIL"):
            pytest.fail(f"{program} is not installed")
        pytest.skip(f"{program} is not installed")
    return path


COLLECTD = """
Hostname "collectd.example"
FQDNLookup false
BaseDir "{dir}"
PIDFile "{dir}/pid"
TypesDB "/usr/share/collectd/types.db"
Interval 0.5
LoadPlugin logfile
<Plugin logfile>
  LogLevel info
  File "{dir}/log"
</Plugin>
LoadPlugin load
LoadPlugin memory
LoadPlugin table
<Plugin table>
  <Table "{dir}/values">
    Instance "probe"
    Separator " "
    <Result>
      Type gauge
      InstancesFrom 0
      ValuesFrom 1
    </Result>
    <Result>
      Type if_octets
      InstancesFrom 0
      ValuesFrom 2 3
    </Result>
  </Table>
</Plugin>
LoadPlugin csv
<Plugin csv>
  DataDir "{dir}/csv"
  StoreRates true
</Plugin>
LoadPlugin write_http
<Plugin write_http>
  <Node "hale">
    URL "{url}/collectd"
    Header "X-Auth-Token: {token}"
    Format "JSON"
    StoreRates true
    BufferSize 4096
  </Node>
</Plugin>
"""


def run_collectd(directory, url, token, done):
    """collectd from a configuration of ours until done(); it delivers what is left at its end."""
    program = need("collectd")
    directory.mkdir()
    (directory / "values").write_text("first 1.25 1000 2000\nsecond -3e-3 5 6\n")
    (directory / "conf").write_text(COLLECTD.format(dir=directory, url=url, token=token))
    with open(directory / "stderr", "wb") as log:
        p = subprocess.Popen([program, "-f", "-C", str(directory / "conf")], stdout=log, stderr=log)
    try:
        wait_for(lambda: p.poll() is not None or done(), 30, "collectd's values")
        assert p.poll() is None, (directory / "stderr").read_text()
        p.terminate()
        assert p.wait(20) == 0
    finally:
        p.kill()
        p.wait()
    return (directory / "log").read_text()


def csv_rows(directory, plugin, file):
    """[(time in ms, values...)] that collectd's csv plugin wrote."""
    rows = []
    for path in sorted((directory / "csv" / "collectd.example" / plugin).glob(file + "-20*")):
        for line in path.read_text().splitlines():
            if line[0].isdigit():
                at, *values = line.split(",")
                rows.append((round(float(at) * 1000), *[float(v) for v in values]))
    return rows


def test_collectd_delivers(door, tmp_path):
    d = tmp_path / "collectd"
    host, port = door.address
    log = run_collectd(d, f"http://{host}:{port}", door.token("agent"),
                       lambda: len(csv_rows(d, "table-probe", "gauge-first")) >= 4
                       and len(csv_rows(d, "load", "load")) >= 4)
    assert "write_http" not in log.replace("write_http loaded", "").replace(
        'plugin_load: plugin "write_http" successfully loaded', ""), log
    # values that we made, exactly
    rows = csv_rows(d, "table-probe", "gauge-first")
    # What waited in collectd's queue at its end is lost for all its writers alike: a row may have
    # its first value only.
    second = csv_rows(d, "table-probe", "gauge-second")
    got = series_of(door, len(rows) + len(second), name="table.gauge")
    here = (("hostname", "collectd.example"), ("plugin_instance", "probe"))
    assert got == {("table.gauge", *here, ("type_instance", "first")):
                   [(iso(r[0]), 1.25) for r in rows],
                   ("table.gauge", *here, ("type_instance", "second")):
                   [(iso(r[0]), -3e-3) for r in second]}
    # a rate exists from the second reading on; before, collectd says null
    rows = csv_rows(d, "table-probe", "if_octets-first")
    second = csv_rows(d, "table-probe", "if_octets-second")
    for source in ("rx", "tx"):
        got = series_of(door, len(rows) - 1 + max(0, len(second) - 1),
                        name=f"table.if_octets.{source}")
        assert [v for _, v in got[(f"table.if_octets.{source}", *here,
                                   ("type_instance", "first"))]] == [0.0] * (len(rows) - 1)
    assert rejected(door, "collectd", "stale") >= 4
    # values of the machine, as its other writer wrote them (6 decimals)
    rows = csv_rows(d, "load", "load")
    for i, source in enumerate(("shortterm", "midterm", "longterm")):
        got = series_of(door, len(rows), name=f"load.load.{source}")
        assert got == {(f"load.load.{source}", ("hostname", "collectd.example")):
                       [(iso(r[0]), pytest.approx(r[i + 1], abs=1e-6)) for r in rows]}
    rows = csv_rows(d, "memory", "memory-free")
    got = series_of(door, len(csv_rows(d, "memory", "memory-*")), name="memory.memory")
    assert got[("memory.memory", ("hostname", "collectd.example"), ("type_instance", "free"))] == \
        [(iso(r[0]), r[1]) for r in rows]


def test_collectd_is_refused_without_a_token(door, tmp_path):
    host, port = door.address
    before = counter(door, "hale_collector_unauthorized_total")
    run_collectd(tmp_path / "collectd", f"http://{host}:{port}", "wrong",
                 lambda: counter(door, "hale_collector_unauthorized_total") > before)
    assert door.http("GET", "/v2.0/metrics").json["elements"] == []


def test_python_influxdb_client(door):
    if importlib.util.find_spec("influxdb") is None:
        need("python3-influxdb")
    import influxdb
    from influxdb.exceptions import InfluxDBClientError
    host, port = door.address
    c = influxdb.InfluxDBClient(host, port, "anybody", door.token("agent"), "telegraf", gzip=True)
    assert c.ping().startswith("1.8")
    c.create_database("telegraf")
    assert c.get_list_database() == [{"name": "hale"}]
    t = now_ms() - 60000
    points = [{"measurement": "py disk", "time": t + i,
               "tags": {"path": "/a b", "host": "h=1,x", "no": None},
               "fields": {"used": 2 ** 40 + i, "free ratio": i / 7, "on": i % 2 == 0,
                          "text": 'a "quoted", text\\'}} for i in range(3)]
    with pytest.raises(InfluxDBClientError) as e:
        c.write_points(points, time_precision="ms")
    assert e.value.code == 400 and "partial write" in str(e.value) and "dropped=9" in str(e.value)
    for p in points:  # what Monasca's rules do not allow in a name or a value
        p["measurement"], p["tags"]["host"] = "py.disk", "h 1/x"
        p["fields"]["free_ratio"] = p["fields"].pop("free ratio")
    assert c.write_points(points, time_precision="ms")
    dims = (("host", "h 1/x"), ("path", "/a b"))
    for field, values in (("used", [float(2 ** 40 + i) for i in range(3)]),
                          ("free_ratio", [i / 7 for i in range(3)]), ("on", [1.0, 0.0, 1.0])):
        assert series_of(door, 3, name=f"py.disk.{field}") == {
            (f"py.disk.{field}", *dims): [(iso(t + i), v) for i, v in enumerate(values)]}
    with pytest.raises(InfluxDBClientError) as e:
        c.query("SELECT * FROM cpu")
    assert e.value.code == 400 and "InfluxQL" in str(e.value)
    with pytest.raises(InfluxDBClientError) as e:
        influxdb.InfluxDBClient(host, port, "anybody", "wrong").write_points(points)
    assert e.value.code == 401


def test_influx_import(door, tmp_path):
    program = need("influx")
    host, port = door.address
    t = now_ms() - 60000
    lines = "".join(f"imported,n={i % 5} value={i}.5 {t + i}000000\n" for i in range(500))
    (tmp_path / "dump").write_text("# DDL\nCREATE DATABASE test\n# DML\n"
                                   "# CONTEXT-DATABASE: test\n# CONTEXT-RETENTION-POLICY: a\n"
                                   + lines)
    p = subprocess.run([program, "-host", host, "-port", str(port), "-username", "anybody",
                        "-password", door.token("agent"), "-import", "-path",
                        str(tmp_path / "dump")], capture_output=True, text=True, timeout=60,
                       env={**os.environ, "HOME": str(tmp_path)})
    assert p.returncode == 0 and "Processed 500 inserts" in p.stdout + p.stderr, p
    assert "Failed 0 inserts" in p.stdout + p.stderr, p
    got = series_of(door, 500, name="imported")
    assert got == {("imported", ("n", str(n))): [(iso(t + i), i + 0.5) for i in range(n, 500, 5)]
                   for n in range(5)}
