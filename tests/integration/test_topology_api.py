# SPDX-License-Identifier: Apache-2.0
"""/v1/topology with the real collector and correlator: what is written is read back, wrong input is
refused whole and with its place, and no tenant sees another's."""
import json

import pytest
from conftest import wait_for

from test_topology_rows import ENTITIES, TOPOLOGY, wait_processed

NET = [
    {"type": "site", "id": "fra"},
    {"type": "host", "id": "c1", "name": "compute-1", "depends_on": [
        {"group": "uplinks", "mode": "any", "on": ["switch/s1", "switch/s2"]}],
     "hosted_by": ["site/fra"]},
    {"type": "switch", "id": "s1", "state": "maintenance"},
    {"type": "vm", "id": "v1", "hosted_by": ["host/c1"], "match": [{"hostname": "v1"}]},
    {"type": "vm", "id": "v2", "hosted_by": ["host/c1"]},
    {"type": "service", "id": "dns/eu", "depends_on": [
        {"group": "servers", "mode": "any", "on": ["vm/v1", "vm/v2"]}]},
]


@pytest.fixture
def api(stack, redis):
    stack.start("correlator", {"max_entities_per_tenant": 3000})
    stack.start("collector")
    return stack


def post(api, body, query="?wait=true", **more):
    return api.http("POST", "/v1/topology" + query, body, **more)


def refs(answer):
    assert answer.status == 200, answer
    return [e["type"] + "/" + e["id"] for e in answer.json["elements"]]


def test_written_and_read_back(api, redis):
    a = post(api, {"source": "file", "put": NET})
    assert a.status == 200, a
    assert (a.json["put"], a.json["entries"], a.json["applied"], a.json["refused"]) == (6, 1, True, 0)
    every = api.http("GET", "/v1/topology")
    assert every.json["elements"] == sorted(({**e, "source": "file"} for e in NET),
                                            key=lambda e: e["type"] + "/" + e["id"])
    assert refs(api.http("GET", "/v1/topology?type=vm")) == ["vm/v1", "vm/v2"]
    assert refs(api.http("GET", "/v1/topology?state=maintenance")) == ["switch/s1"]
    assert refs(api.http("GET", "/v1/topology?name=compute-1&source=file")) == ["host/c1"]
    assert refs(api.http("GET", "/v1/topology?source=nova")) == []
    page = api.http("GET", "/v1/topology?limit=4")
    assert refs(page) == ["host/c1", "service/dns/eu", "site/fra", "switch/s1"]
    href = next(link["href"] for link in page.json["links"] if link["rel"] == "next")
    assert refs(api.http("GET", href[href.index("/v1"):])) == ["vm/v1", "vm/v2"]
    one = api.http("GET", "/v1/topology/host/c1").json
    assert one == api.http("GET", "/v1/topology?ref=host/c1").json
    assert one["entity"]["name"] == "compute-1"
    assert [n["ref"] for n in one["supports"]] == ["site/fra", "switch/s1", "switch/s2"]
    assert one["supports"][2]["entity"] is None  # named, not there
    assert [n["ref"] for n in one["dependents"]] == ["vm/v1", "vm/v2"]
    below = api.http("GET", "/v1/topology/host/c1/dependents").json
    assert [(s["element"]["ref"], s["depth"], s["via"]) for s in below["elements"]] == [
        ("vm/v1", 1, "host/c1"), ("vm/v2", 1, "host/c1"), ("service/dns/eu", 2, "vm/v1")]
    assert below["complete"] is True
    above = api.http("GET", "/v1/topology/supports?ref=service/dns/eu&limit=3").json
    assert [s["element"]["ref"] for s in above["elements"]] == ["vm/v1", "vm/v2", "host/c1"]
    assert above["complete"] is False
    update = json.loads(redis.cmd("XRANGE", TOPOLOGY, "-", "+")[-1][1][1])
    assert update["by"] and update["source"] == "file"


def test_what_follows_from_the_alarms(api, redis):
    """An entity's answer says its state, because of what and by which way, and which alarms are about it."""
    assert post(api, {"source": "file", "put": NET}).status == 200

    def deduced(ref):
        a = api.http("GET", "/v1/topology?ref=" + ref)
        assert a.status == 200 and a.json["deduced"]["complete"] is True, a
        return a.json["deduced"]

    def event(type_, status, severity="CRITICAL", **dims):
        body = {"type": type_, "severity": severity, "status": status, "dimensions": dims}
        assert api.http("POST", "/v1/events", body).status in (200, 202, 204)
    assert deduced("vm/v1") == {"state": "up", "because": [], "affected": 0, "alarms": [], "complete": True}
    assert deduced("switch/s1")["state"] == "maintenance"
    event("host.down", "raise", hostname="c1")
    wait_for(lambda: deduced("host/c1")["state"] == "down", 20, "the host to be down")
    host = deduced("host/c1")
    assert host["affected"] == 3  # two VMs and the service
    assert [(a["name"], a["impact"], a["suppressed"]) for a in host["alarms"]] == [("host.down", "down", False)]
    service = deduced("service/dns/eu")
    assert service["state"] == "unreachable"
    assert service["because"] == [{"ref": "host/c1", "path": ["service/dns/eu", "vm/v1", "host/c1"]}]
    event("vm.slow", "raise", severity="HIGH", hostname="v1")
    wait_for(lambda: deduced("vm/v1")["alarms"], 20, "the symptom")
    assert deduced("vm/v1")["alarms"][0]["suppressed"] is True
    event("host.down", "clear", hostname="c1")
    wait_for(lambda: deduced("service/dns/eu")["state"] == "up", 20, "all to be well again")
    body = {"type": "fan", "severity": "LOW", "status": "raise", "dimensions": {"hostname": "c1"},
            "details": {"impact": "degraded"}}
    api.http("POST", "/v1/events", body)
    wait_for(lambda: deduced("host/c1")["state"] == "degraded", 20, "the host to be degraded")


def test_one_entity(api):
    assert api.http("GET", "/v1/topology/vm/a").status == 404
    assert api.http("PATCH", "/v1/topology/vm/a", {"name": "x"}).status == 404
    assert api.http("DELETE", "/v1/topology/vm/a").status == 404
    a = api.http("PUT", "/v1/topology/vm/a", {"name": "n", "hosted_by": ["host/h"]})
    assert (a.status, a.json["entity"]) == (200, {
        "type": "vm", "id": "a", "name": "n", "source": "api", "hosted_by": ["host/h"]})
    a = api.http("PATCH", "/v1/topology/vm/a", {"state": "down", "source": "ops"})
    assert a.json["entity"] == {"type": "vm", "id": "a", "name": "n", "state": "down",
                                "source": "api", "hosted_by": ["host/h"]}
    a = api.http("PUT", "/v1/topology/vm/a", {"type": "host"})
    assert a.status == 422 and "type and id are those of the path" in a.body.decode()
    assert api.http("DELETE", "/v1/topology/vm/a").status == 204
    assert refs(api.http("GET", "/v1/topology")) == []


def test_wrong_bodies_change_nothing(api, redis):
    good = {"type": "vm", "id": "a"}
    for body, says in [
            ([], "put: must be in an object"),
            ({}, "nothing is there"),
            ({"puts": []}, 'did you mean \\"put\\"?'),
            ({"put": {}}, "put: must be a list"),
            ({"put": [good, {"type": "vm"}]}, "put[1].id: must be a text"),
            ({"put": [good, good]}, "put[1].id: vm/a is there twice"),
            ({"patch": [good, {"type": "vm", "id": "b", "depends_on": [{"group": "g", "on": ["vm/a"]}]}]},
             "patch[1].depends_on[0].mode: must be"),
            ({"put": [good], "delete": ["x"]}, "delete[0]: must be a reference"),
            ({"put": [good], "source": "a b"}, "source: must be a word"),
            ({"put": [dict(good, source="other")]}, "put[0].source: is not that of the body"),
            ({"put": [good], "sync": 1}, "sync: must be true"),
            ({"put": [good], "sync": {"id": "x", "edn": True}}, 'sync.edn: unknown key - did you mean'),
            ({"put": [dict(good, hosted_by=["host/" + "x" * 240 + str(n) for n in range(400)])]},
             "put[0].id: the entity has more than 65536 bytes")]:
        for path in ("/v1/topology", "/v1/topology/check"):
            a = api.http("POST", path, body)
            assert a.status == 422 and says in a.body.decode(), (body, a)
    assert api.http("POST", "/v1/topology", b"{").status == 400
    for query in ("type=Vm", "state=dead", "limit=x", "ref=nothing"):
        assert api.http("GET", "/v1/topology?" + query).status == 422, query
    assert redis.cmd("XLEN", TOPOLOGY) == 0


def test_a_sync_in_one_body_and_in_parts(api, redis):
    old = [{"type": "vm", "id": f"old-{n}"} for n in range(3)]
    post(api, {"source": "nova", "put": old + [{"type": "vm", "id": "kept"}]})
    post(api, {"source": "heat", "put": [{"type": "stack", "id": "s"}]})
    new = [{"type": "vm", "id": f"new-{n}", "attributes": {"text": "x" * 200}} for n in range(2500)]
    body = {"source": "nova", "put": new, "patch": [{"type": "vm", "id": "kept"}], "sync": True}
    plan = api.http("POST", "/v1/topology/check", body).json
    assert (plan["added"]["count"], plan["unchanged"]) == (2500, 1)
    assert len(plan["added"]["elements"]) == 1000
    assert plan["deleted"] == {"count": 3, "elements": ["vm/old-0", "vm/old-1", "vm/old-2"]}
    a = post(api, body)
    assert a.status == 200 and a.json["entries"] > 3, a
    assert len(api.http("GET", "/v1/topology?source=nova").json["elements"]) == 2501
    assert refs(api.http("GET", "/v1/topology?source=heat")) == ["stack/s"]
    for i, part in enumerate((new[:1000], new[1000:2000])):
        post(api, {"source": "nova", "put": part, "sync": {"id": "n1", "begin": i == 0}}, "")
    assert post(api, {"source": "nova", "sync": {"id": "n1", "end": True}}).status == 200
    assert len(api.http("GET", "/v1/topology?source=nova").json["elements"]) == 2000
    sources = api.http("GET", "/v1/topology/sources").json["elements"]
    assert [(s["source"], s["named"]) for s in sources] == [("nova", 2000)]
    # Nothing named any more: nothing left.
    assert post(api, {"source": "nova", "sync": True}).status == 200
    assert refs(api.http("GET", "/v1/topology")) == ["stack/s"]
    a = post(api, {"put": [{"type": "vm", "id": str(n)} for n in range(3001)]})
    assert a.status == 200 and a.json["refused"] == 2, a  # the ceiling of a tenant


def test_check_finds_cycles_and_dangling_references(api, redis):
    post(api, {"put": [{"type": "vm", "id": "a", "hosted_by": ["host/h"]}]})
    body = {"put": [{"type": "host", "id": "h", "depends_on": [
        {"group": "g", "mode": "all", "on": ["switch/s", "site/none"]}]}],
        "patch": [{"type": "switch", "id": "s", "hosted_by": ["vm/a"]},
                  {"type": "vm", "id": "a", "name": "n"}]}
    plan = api.http("POST", "/v1/topology/check", body).json
    assert plan["added"]["elements"] == ["host/h", "switch/s"]
    assert plan["changed"]["elements"] == ["vm/a"]
    assert plan["dangling"]["elements"] == ["site/none"]
    assert plan["cycles"]["elements"] == [["host/h", "switch/s", "vm/a"]]
    assert redis.cmd("XLEN", TOPOLOGY) == 1


def test_tenants(api, redis):
    post(api, {"put": NET}, tenant="one")
    post(api, {"put": [{"type": "vm", "id": "v1", "name": "mine"}]}, tenant="two")
    assert refs(api.http("GET", "/v1/topology", tenant="two")) == ["vm/v1"]
    assert api.http("PUT", "/v1/topology/host/c1", {"name": "two's"}, tenant="two").status == 200
    assert api.http("DELETE", "/v1/topology/vm/v1", tenant="two").status == 204
    assert api.http("GET", "/v1/topology/vm/v1", tenant="one").json["entity"]["match"]
    assert api.http("GET", "/v1/topology/host/c1", tenant="one").json["entity"]["name"] == "compute-1"
    post(api, {"put": [], "sync": True}, tenant="two")
    assert len(refs(api.http("GET", "/v1/topology", tenant="one"))) == 6


def test_the_copy_follows(api, redis):
    """The collector's copy after many changes, after a lost log, and after a lost Redis."""
    post(api, {"put": [{"type": "vm", "id": "a"}]})
    assert refs(api.http("GET", "/v1/topology")) == ["vm/a"]
    post(api, {"put": [{"type": "vm", "id": str(n)} for n in range(2000)]})
    assert len(refs(api.http("GET", "/v1/topology"))) == 2001
    redis.cmd("XTRIM", "hale:{m}:entitylog", "MAXLEN", "0")
    post(api, {"delete": ["vm/a"] + ["vm/%d" % n for n in range(1, 2000)]})
    assert refs(api.http("GET", "/v1/topology")) == ["vm/0"]
    api.stop("correlator")
    redis.cmd("DEL", ENTITIES, "hale:{m}:entitylog", TOPOLOGY)
    assert refs(api.http("GET", "/v1/topology")) == []


def test_without_a_correlator(api, redis):
    api.stop("correlator")
    a = post(api, {"put": [{"type": "vm", "id": "a"}]}, "")
    assert (a.status, a.json["applied"]) == (202, False)
    api.restart("correlator")
    wait_processed(redis)
    assert refs(api.http("GET", "/v1/topology")) == ["vm/a"]
