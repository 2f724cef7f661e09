# SPDX-License-Identifier: Apache-2.0
"""hale against a real collector: every command, what it prints, and its exit code."""
import json
import os
import subprocess

import pytest
from collector_kit import iso, now_ms, sample
from conftest import binary, free_port, wait_for

OK, FAILED, USAGE = 0, 1, 2

DEFINITIONS = """\
alarm_definitions:
- name: cpu-high
  description: too little idle
  expression: avg(cpu.idle_perc{service=dns}) < 5 times 3
  match_by: [hostname]
  severity: HIGH
- name: disk-full
  expression: max(disk.space_used_perc) > 90
"""


class Hale:
    def __init__(self, stack):
        self.stack = stack

    def __call__(self, *args, code=OK, url=None, token=None, env=None):
        """Runs hale with HALE_URL and HALE_TOKEN; the standard output (stderr when code is not 0)."""
        environ = {**os.environ, "HALE_URL": self.stack.url if url is None else url,
                   "HALE_TOKEN": self.stack.token("operator") if token is None else token,
                   **(env or {})}
        done = subprocess.run([str(binary("cli")), *args], capture_output=True, text=True,
                              timeout=60, env=environ)
        assert done.returncode == code, f"{done.returncode}: {done.stdout}{done.stderr}"
        self.out, self.err = done.stdout, done.stderr
        return done.stdout if code == OK else done.stderr


@pytest.fixture
def hale(stack):
    stack.start("collector")
    return Hale(stack)


def post(stack, *samples):
    assert stack.http("POST", "/v2.0/metrics", list(samples)).status == 204


# --- arguments ---------------------------------------------------------------------------------

@pytest.mark.parametrize("args", [
    [], ["nothing"], ["alarm"], ["alarm", "show"], ["metric", "query"], ["metric", "query", "a", "b"],
    ["check"], ["check", "a", "b"], ["apply"], ["status", "now"], ["status", "--zebra"],
    ["status", "--timeout", "0"], ["alarm", "list", "--limit", "many"],
    ["alarm", "list", "--dim", "=x"], ["metric", "query", "cpu", "--since", "10"],
    ["apply", "-f", "/nonexistent.yaml"], ["check", "/nonexistent.yaml"],
    ["status", "--token-file", "/nonexistent"], ["query"], ["query", "1", "2"],
    ["query", "1", "--range", "10"], ["query", "1", "--range", "1h", "--step", "x"]])
def test_wrong_arguments(args):
    done = subprocess.run([str(binary("cli")), *args], capture_output=True, text=True, timeout=20)
    assert done.returncode == USAGE, done.stdout + done.stderr
    assert done.stderr and not done.stdout


def test_help_and_version():
    for args, word in ((["--help"], "usage: hale COMMAND"), (["--version"], "hale ")):
        done = subprocess.run([str(binary("cli")), *args], capture_output=True, text=True)
        assert done.returncode == OK and done.stdout.startswith(word)


def test_full_output_is_a_failure(tmp_path):
    with open("/dev/full", "w") as full:
        path = tmp_path / "d.yaml"
        path.write_text(DEFINITIONS)
        done = subprocess.run([str(binary("cli")), "check", str(path)], stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=20)
    assert done.returncode == FAILED and "standard output" in done.stderr


# --- getting through -----------------------------------------------------------------------------

def test_no_way_through(hale, tmp_path):
    for args in (["status"], ["alarm", "list"], ["metric", "list"], ["metric", "query", "x"],
                 ["alarm", "show", "x"]):
        assert "refused the token" in hale(*args, token="", code=FAILED)
        assert "refused the token" in hale(*args, token="wrong", code=FAILED)
        assert "is the collector running?" in hale(*args, url=f"http://127.0.0.1:{free_port()}",
                                                   code=FAILED)
        hale(*args, url="not a url", code=FAILED)
        assert not hale.out
    assert "longer than" in hale("status", token="x" * 9000, code=FAILED)
    # A reader may look but not apply.
    path = tmp_path / "d.yaml"
    path.write_text(DEFINITIONS)
    reader = hale.stack.token("read-only")
    hale("metric", "list", token=reader)
    assert "refused the token" in hale("apply", "-f", str(path), token=reader, code=FAILED)


def test_ways_to_say_who_and_where(hale, tmp_path):
    token = tmp_path / "token"
    token.write_text(hale.stack.token("operator") + "\n")
    nobody = {"url": "http://127.0.0.1:1", "token": "wrong"}
    hale("metric", "list", "--url", hale.stack.url + "/", "--token-file", str(token), **nobody)
    hale("metric", "list", "--url", hale.stack.url, "--token", token.read_text().strip(), **nobody)


# --- status --------------------------------------------------------------------------------------

def test_status(hale):
    stack = hale.stack
    # The rest of the house is not there: said, and exit 1.
    hale("status", code=FAILED)
    rows = {line.split()[0]: line.split() for line in hale.out.splitlines() if line}
    assert rows["thresholds"][1] == "absent"
    assert json.loads(hale_json(hale, "status", code=FAILED))["redis"]["ok"] is True
    for name in ("thresholds", "correlator"):
        stack.start(name)
    (stack.dir / "policies.yaml").write_text("policies: []\n")
    stack.start("actuator", {"policies": str(stack.dir / "policies.yaml")})

    def all_well():
        try:
            hale("status")
            return True
        except AssertionError:
            return False
    wait_for(all_well, 20, "hale status to be content", 0.2)
    rows = {line.split()[0]: line.split() for line in hale.out.splitlines() if line}
    for name in ("collector", "thresholds", "correlator", "actuator"):
        assert rows[name][1] == "ok", hale.out
    assert "ALARM 0" in hale.out


def hale_json(hale, *args, code=OK):
    hale(*args, "--json", code=code)
    return hale.out


# --- metrics -------------------------------------------------------------------------------------

def test_metric_list(hale):
    post(hale.stack, sample("cpu", "h1"), sample("cpu", "h2"), sample("mem", "h1"))
    wait_for(lambda: hale("metric", "list").count("\n") == 4, 10, "three series")
    assert hale.out.split()[:3] == ["NAME", "DIMENSIONS", "ID"]
    assert hale("metric", "list", "--name", "cpu").count("\n") == 3
    assert "hostname=h2" in hale("metric", "list", "--name", "cpu", "--dim", "hostname=h2")
    assert hale.out.count("\n") == 2
    assert hale("metric", "list", "--dim", "hostname").count("\n") == 4
    assert hale("metric", "list", "--limit", "2").count("\n") == 3
    listed = json.loads(hale_json(hale, "metric", "list", "--name", "mem"))
    assert [m["dimensions"] for m in listed] == [{"hostname": "h1"}]


def test_metric_query(hale):
    t0 = (now_ms() - 120000) // 60000 * 60000
    post(hale.stack, *[sample("cpu", host, v, t0 + 1000 * i)
                       for host in ("h1", "h2") for i, v in enumerate((1, 2, 6))])

    def both():
        hale("metric", "query", "cpu")
        return hale.out.count("# cpu") == 2 and hale.out.count("\n") == 10
    wait_for(both, 15, "two series of three samples")
    assert iso(t0) in hale.out
    queried = json.loads(hale_json(hale, "metric", "query", "cpu", "--dim", "hostname=h2"))
    assert len(queried) == 1 and queried[0]["dimensions"] == {"hostname": "h2"}
    assert [r[1] for r in queried[0]["measurements"]] == [1, 2, 6]
    # Statistics in buckets.
    hale("metric", "query", "cpu", "--dim", "hostname=h1", "--stat", "avg,max,count", "--period", "60",
         "--since", "10m")
    lines = hale.out.splitlines()
    assert lines[1].split() == ["timestamp", "avg", "max", "count"], hale.out
    assert lines[2].split()[1:] == ["3", "6", "3"], hale.out
    # All in one.
    merged = json.loads(hale_json(hale, "metric", "query", "cpu", "--merge", "--stat", "sum"))
    assert len(merged) == 1 and merged[0]["statistics"][0][1] == 18
    # The limit is of rows; a small one does not cut the question short.
    rows = json.loads(hale_json(hale, "metric", "query", "cpu", "--limit", "4"))
    assert sum(len(e["measurements"]) for e in rows) == 4
    # Nothing there, and a mistake.
    hale("metric", "query", "nothing")
    assert "no samples of nothing" in hale.err and not hale.out
    assert "HTTP 4" in hale("metric", "query", "cpu", "--stat", "median", code=FAILED)


def test_metric_query_goes_over_pages(hale):
    """More rows than one answer of the collector has."""
    t0 = now_ms() - 500000
    for k in range(0, 12000, 4000):
        post(hale.stack, *[sample("many", "h1", i, t0 + 10 * i) for i in range(k, k + 4000)])

    def rows():
        queried = json.loads(hale_json(hale, "metric", "query", "many", "--limit", "11500"))
        return queried if sum(len(e["measurements"]) for e in queried) == 11500 else None
    queried = wait_for(rows, 20, "11500 rows", 0.5)
    assert len(queried) == 1, "a series cut by a page is one series"
    assert [r[1] for r in queried[0]["measurements"]] == list(range(11500))


# --- definitions -----------------------------------------------------------------------------------

def server_definitions(stack):
    return {d["name"]: d for d in stack.http("GET", "/v2.0/alarm-definitions").json["elements"]}


def test_apply(hale, tmp_path):
    stack, path = hale.stack, tmp_path / "d.yaml"
    path.write_text(DEFINITIONS)
    assert hale("apply", "-f", str(path), "--dry-run").split() == [
        "would", "create", "cpu-high", "would", "create", "disk-full"]
    assert server_definitions(stack) == {}
    assert hale("apply", "-f", str(path)).split() == ["created", "cpu-high", "created", "disk-full"]
    there = server_definitions(stack)
    assert there["cpu-high"]["severity"] == "HIGH" and there["cpu-high"]["match_by"] == ["hostname"]
    assert hale("apply", "-f", str(path)).split() == ["unchanged", "cpu-high", "unchanged",
                                                      "disk-full"]
    assert server_definitions(stack) == there, "an unchanged definition was touched"
    # What was changed by hand, or left out since, is made equal to the file again.
    a = stack.http("PATCH", "/v2.0/alarm-definitions/" + there["disk-full"]["id"],
                   {"severity": "CRITICAL", "description": "by hand"})
    assert a.status == 200, a
    path.write_text(DEFINITIONS.replace("< 5", "< 7").replace("  description: too little idle\n", ""))
    assert hale("apply", "-f", str(path), "--dry-run").split() == [
        "would", "change", "cpu-high", "would", "change", "disk-full"]
    assert hale("apply", "-f", str(path)).split() == ["changed", "cpu-high", "changed", "disk-full"]
    now = server_definitions(stack)
    assert "< 7" in now["cpu-high"]["expression"] and now["cpu-high"]["description"] == ""
    assert now["disk-full"]["severity"] == "LOW" and now["disk-full"]["description"] == ""
    assert now["cpu-high"]["id"] == there["cpu-high"]["id"]
    # One that is no longer in the file stays.
    path.write_text("alarm_definitions: []\n")
    assert hale("apply", "-f", str(path)) == ""
    assert set(server_definitions(stack)) == {"cpu-high", "disk-full"}


def test_apply_sends_nothing_of_a_bad_file(hale, tmp_path):
    path = tmp_path / "d.yaml"
    path.write_text(DEFINITIONS + "- name: bad\n  expression: avg(x) >\n")
    assert f"{path}:10: " in hale("apply", "-f", str(path), code=USAGE)
    assert server_definitions(hale.stack) == {}


def test_apply_goes_on_after_one_refusal(hale, tmp_path):
    """What the server refuses (match_by may not change) is told; the others are applied."""
    path = tmp_path / "d.yaml"
    path.write_text(DEFINITIONS)
    hale("apply", "-f", str(path))
    path.write_text(DEFINITIONS.replace("match_by: [hostname]", "match_by: [device]")
                    .replace("> 90", "> 95"))
    err = hale("apply", "-f", str(path), code=FAILED)
    assert err.startswith("hale: cpu-high: ") and "match_by" in err
    assert hale.out.split() == ["changed", "disk-full"]


def test_check(tmp_path):
    def check(name, text, code):
        path = tmp_path / name
        path.write_text(text)
        done = subprocess.run([str(binary("cli")), "check", str(path)], capture_output=True, text=True,
                              timeout=20)
        assert done.returncode == code, done.stdout + done.stderr
        return (done.stdout if code == OK else done.stderr).replace(str(path), "FILE")

    assert check("d.yaml", DEFINITIONS, OK) == "FILE: 2 alarm definitions, all valid\n"
    assert "FILE:3: unknown key 'expresion' - did you mean 'expression'?" in check(
        "d.yaml", "alarm_definitions:\n- name: a\n  expresion: avg(x) > 1\n", USAGE)
    policies = ("policies:\n- name: p\n  alarm: {definition: d}\n  target: t\n  steps:\n"
                "  - webhook: {url: http://127.0.0.1:1/}\n")
    assert check("p.yaml", policies, OK) == "FILE: 1 policy, all valid\n"
    assert "FILE:6: " in check("p.yaml", policies.replace("webhook:", "webhok:"), USAGE)
    tokens = ("tokens:\n- name: a\n  sha256: \"" + "0" * 64 + "\"\n  tenant: default\n"
              "  roles: [operator]\n")
    assert check("t.yaml", tokens, OK) == "FILE: 1 token, all valid\n"
    assert "FILE:5: " in check("t.yaml", tokens.replace("operator", "boss"), USAGE)
    assert "none of alarm_definitions, policies, rules and tokens" in check("x.yaml", "a: 1\n", USAGE)
    assert "FILE:" in check("y.yaml", "a: [1\n", USAGE)


# --- alarms ----------------------------------------------------------------------------------------

def test_alarms_of_a_real_house(stack, tmp_path):
    """From apply over samples to an alarm and its evidence, with the daemons that make it."""
    for name in ("collector", "thresholds", "correlator"):
        stack.start(name)
    hale, path = Hale(stack), tmp_path / "d.yaml"
    path.write_text("alarm_definitions:\n- name: up\n  expression: last(app.up) < 1\n"
                    "  match_by: [hostname]\n  severity: HIGH\n"
                    "- name: slow\n  expression: last(app.wait) > 10\n  match_by: [hostname]\n")
    hale("apply", "-f", str(path))
    assert hale("alarm", "list").split() == ["STATE", "SEVERITY", "DEFINITION", "OF", "SINCE", "ID"]

    def alarms():
        post(stack, sample("app.up", "h1", 0), sample("app.up", "h2", 1),
             sample("app.wait", "h3", 1))
        hale("alarm", "list")
        return [line.split()[:3] for line in hale.out.splitlines()[1:]]
    rows = wait_for(lambda: r if sorted((r := alarms())) == [
        ["ALARM", "HIGH", "up"], ["OK", "HIGH", "up"], ["OK", "LOW", "slow"]] else None, 20,
        "three alarms", 0.2)
    assert rows[0] == ["ALARM", "HIGH", "up"], "what needs a person comes first"
    line = hale.out.splitlines()[1].split()
    assert "hostname=h1" in line
    alarm_id = line[-1]
    assert hale("alarm", "list", "--state", "ALARM").count("\n") == 2
    assert hale("alarm", "list", "--severity", "LOW").count("\n") == 2
    assert hale("alarm", "list", "--dim", "hostname=h2").count("\n") == 2
    assert hale("alarm", "list", "--limit", "1").count("\n") == 2
    assert [a["id"] for a in json.loads(hale_json(hale, "alarm", "list", "--state", "ALARM"))] == [
        alarm_id]
    shown = hale("alarm", "show", alarm_id)
    for word in ("definition   up", "state        ALARM", "severity     HIGH", "hostname=h1",
                 "last(app.up) < 1", "values [0", "actions", "none"):
        assert word in shown, shown
    assert json.loads(hale_json(hale, "alarm", "show", alarm_id))["alarm"]["id"] == alarm_id
    assert "there is no alarm nothing" in hale("alarm", "show", "nothing", code=FAILED)


# --- series --------------------------------------------------------------------------------------

def test_series(hale):
    stack, t = hale.stack, now_ms()
    for i in range(3):
        assert stack.http("POST", "/v2.0/metrics", {
            "name": "cpu", "dimensions": {"hostname": f"h{i}"}, "timestamp": t - i * 7200000,
            "value": 1}).status == 204
    wait_for(lambda: all(e["last_ms"] for e in json.loads(hale_json(hale, "series", "list"))), 10,
             "times")
    hale("series", "list")
    lines = hale.out.splitlines()
    assert lines[0].split() == ["NAME", "LAST", "SAMPLE", "IDLE", "DIMENSIONS", "ID"]
    assert len(lines) == 4 and any("4h0m" in x and "hostname=h2" in x for x in lines)
    hale("series", "list", "--limit", "2")
    assert len(hale.out.splitlines()) == 3
    hale("series", "list", "--idle", "1h", "--name", "cpu")
    assert len(hale.out.splitlines()) == 3
    # Nothing is deleted without saying what, or with a wrong word.
    hale("series", "delete", code=USAGE)
    hale("series", "delete", "--idle", "1h", code=USAGE)
    hale("series", "delete", "--name", "cpu", "--idle", "soon", code=USAGE)
    hale("series", "delete", "--name", "a b", code=FAILED)
    hale("series", "delete", "--name", "cpu", token=stack.token("read-only"), code=FAILED)
    hale("series", "delete", "--name", "cpu", "--dry-run")
    assert hale.out == "3 series would be deleted\n"
    hale("series", "delete", "--dim", "hostname=h1", "--dim", "hostname", "--idle", "1h")
    assert hale.out == "1 series deleted\n"
    assert json.loads(hale_json(hale, "series", "delete", "--name", "cpu")) == {
        "matching": 2, "deleted": 2}
    assert json.loads(hale_json(hale, "series", "list")) == []


# --- query -------------------------------------------------------------------------------------

def test_query_now_and_over_time(hale, stack):
    post(stack, sample("cpu.idle_perc", "h1", 42.5), sample("cpu.idle_perc", "h2\x1b[31m", 1.0))
    wait_for(lambda: "42.5" in hale("query", "cpu.idle_perc"), 10, "the samples")
    lines = hale("query", "cpu.idle_perc").splitlines()
    assert lines[0].split() == ["VALUE", "SERIES"]
    assert lines[1].split() == ["42.5", 'cpu.idle_perc{hostname="h1"}']
    assert "\x1b" not in "".join(lines)
    assert hale("query", "1 + 1").splitlines()[1].split()[1] == "2"
    out = hale("query", "vector(7)", "--range", "2m", "--step", "30s").splitlines()
    assert out[0] == "# {}" and [line.split()[1] for line in out[2:]] == ["7"] * 5
    assert json.loads(hale("query", "sum(cpu.idle_perc)", "--json"))["data"]["result"]
    assert hale("query", "nothing") == "" and "no series" in hale.err
    err = hale("query", "1 + label_join(x)", code=FAILED)
    assert "1:5: parse error: 'label_join' is not supported" in err
