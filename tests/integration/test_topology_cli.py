# SPDX-License-Identifier: Apache-2.0
"""hale topology: a file, inventories and back, against a real collector and correlator."""
import json

import pytest

from conftest import ROOT
from test_cli import FAILED, USAGE, Hale

EXAMPLE = ROOT / "packaging" / "examples" / "topology.yaml"
SERVERS = {"servers": [
    {"id": f"s{n}", "name": f"web-{n}", "status": "ACTIVE", "OS-EXT-SRV-ATTR:host": "compute-1"}
    for n in range(3)]}


@pytest.fixture
def hale(stack):
    stack.start("correlator")
    stack.start("collector")
    return Hale(stack)


def rows(text):
    return [line.split() for line in text.splitlines()[1:]]


def test_a_file_and_back(hale, tmp_path):
    plan = hale("topology", "apply", str(EXAMPLE), "--dry-run")
    assert "+ host/compute-1" in plan and "9 added, 0 changed, 0 deleted, 0 unchanged" in plan
    assert rows(hale("topology", "list")) == []
    assert hale("topology", "apply", str(EXAMPLE)) == "9 entities of datacentre\n"
    listed = rows(hale("topology", "list", "--type", "switch"))
    assert [r[0] for r in listed] == ["switch/s1", "switch/s2"]
    assert listed[1][-3:] == ["maintenance", "datacentre", "site/fra"]
    assert [r[0] for r in rows(hale("topology", "list", "--state", "maintenance"))] == ["switch/s2"]
    shown = hale("topology", "show", "host/compute-1")
    assert '"uplinks": {any: ["switch/s1","switch/s2"]}' in shown
    assert "stands on      " in shown and " pdu/p1  up\n" in shown and "link/s1-compute-1" in shown
    below = rows(hale("topology", "affected", "pdu/p1"))
    assert [r[:2] for r in below[:2]] == [["1", "host/compute-1"], ["2", "link/s1-compute-1"]]
    assert len(below) == 5 and below[-1][:2] == ["3", "service/dns"]
    whole = json.loads(hale("topology", "list", "--json"))
    exported = tmp_path / "export.yaml"
    exported.write_text(hale("topology", "export", "--source", "datacentre"))
    assert "0 added, 0 changed, 0 deleted, 9 unchanged" in hale(
        "topology", "apply", str(exported), "--sync", "datacentre", "--dry-run")
    # The file without one entity, as the whole of the source: that one goes.
    text = exported.read_text()
    cut = text[:text.index('  - type: "vm"')]
    exported.write_text(cut)
    assert "- vm/3f0c9d1e" in hale("topology", "apply", str(exported), "--sync", "datacentre", "--dry-run")
    assert "all it has" in hale("topology", "apply", str(exported), "--sync", "datacentre")
    left = json.loads(hale("topology", "list", "--json"))
    assert left == [e for e in whole if e["type"] != "vm"] and len(left) == 7
    assert "? named, but not there: vm/" in hale("topology", "apply", str(exported), "--dry-run")


def test_what_is_wrong(hale, tmp_path):
    path = tmp_path / "t.yaml"
    path.write_text("entities:\n  - type: vm\n    id: a\n    depends_on:\n      g: {ani: [vm/b]}\n")
    err = hale("topology", "apply", str(path), code=USAGE)
    assert f"{path}:5" in err and "did you mean 'any'?" in err
    path.write_text("entities: []\n")
    assert "nothing to do" in hale("topology", "apply", str(path))
    assert "not found" in hale("topology", "show", "vm/none", code=FAILED).lower()
    assert "type/id" in hale("topology", "show", "none", code=FAILED)
    for args in (["topology"], ["topology", "zebra"], ["topology", "show"], ["topology", "apply"],
                 ["topology", "import"], ["topology", "import", "nova"],
                 ["topology", "import", "nvoa", "x"], ["topology", "import", "nova", "/nonexistent"],
                 ["topology", "apply", "/nonexistent"]):
        hale(*args, code=USAGE)
    path.write_text('{"servers": [{"id": 7}]}')
    err = hale("topology", "import", "nova", str(path), code=USAGE)
    assert str(path) in err and "servers[0].id" in err


def test_inventories(hale, tmp_path):
    servers, hosts = tmp_path / "servers.json", tmp_path / "hypervisors.json"
    servers.write_text(json.dumps(SERVERS))
    hosts.write_text(json.dumps({"hypervisors": [
        {"hypervisor_hostname": "compute-1", "state": "up", "status": "enabled"}]}))
    body = json.loads(hale("topology", "import", "nova", str(servers), str(hosts)))
    assert body["source"] == "nova" and body["sync"] is True and len(body["patch"]) == 4
    assert "4 added" in hale("topology", "import", "nova", str(servers), str(hosts), "--dry-run")
    assert "4 entities of nova, all it has" in hale(
        "topology", "import", "nova", str(servers), str(hosts), "--apply")
    assert len(rows(hale("topology", "affected", "host/compute-1"))) == 3
    # What people added stays; what the inventory no longer has goes.
    extra = tmp_path / "extra.yaml"
    extra.write_text("source: people\nentities:\n  - {type: service, id: web, depends_on: "
                     "{servers: {any: [vm/s0, vm/s1, vm/s2]}}}\n")
    hale("topology", "apply", str(extra))
    hale.stack.http("PATCH", "/v1/topology/vm/s1", {"match": [{"hostname": "web-one"}]})
    SERVERS_LEFT = {"servers": SERVERS["servers"][1:]}
    servers.write_text(json.dumps(SERVERS_LEFT))
    hale("topology", "import", "nova", str(servers), str(hosts), "--apply")
    left = {e["id"]: e for e in json.loads(hale("topology", "list", "--json"))}
    assert set(left) == {"compute-1", "s1", "s2", "web"}
    assert left["s1"]["match"] == [{"hostname": "web-one"}] and left["s1"]["source"] == "nova"


def test_more_than_one_call(hale, tmp_path):
    servers = tmp_path / "servers.json"
    servers.write_text(json.dumps({"servers": [
        {"id": f"s{n}", "status": "ACTIVE", "OS-EXT-SRV-ATTR:host": "c"} for n in range(12000)]}))
    assert "12000 entities of nova, all it has" in hale(
        "topology", "import", "nova", str(servers), "--apply", "--timeout", "60")
    assert len(json.loads(hale("topology", "list", "--json", "--limit", "100000"))) == 12000
    servers.write_text('{"servers": []}')
    hale("topology", "import", "nova", str(servers), "--apply")
    assert rows(hale("topology", "list")) == []
