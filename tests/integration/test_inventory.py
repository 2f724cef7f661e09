# SPDX-License-Identifier: Apache-2.0
"""The actuator fetches what clouds and VNFMs have: pages, several services, a source that fails.

A stand-in answers as the documented APIs do; tests/integration/test_vim_nova.py has the real Nova.
"""
from urllib.parse import parse_qs, urlparse

import pytest
from conftest import wait_for
from service_kit import Service
from test_actuator import metric

PAGE = 2  # of the stand-in, whatever limit says


class Cloud(Service):
    """Keystone's token, Nova, Neutron, Heat and a VNFM in one server."""

    def __init__(self):
        self.servers = [self.server_of(i, "compute-%d" % (i % 2)) for i in range(5)]
        self.services = [{"binary": "nova-compute", "host": f"compute-{i}", "state": "up", "status": "enabled",
                          "forced_down": False} for i in range(2)]
        self.ports = [{"id": "%08x-0000-0000-0000-00000000000b" % i, "name": "", "device_id": s["id"],
                       "device_owner": "compute:nova", "binding:host_id": "compute-0", "status": "ACTIVE"}
                      for i, s in enumerate(self.servers)]
        self.vnfs = [{"id": f"vnf-{i}", "vnfInstanceName": f"dns-{i}", "instantiationState": "INSTANTIATED",
                      "instantiatedVnfInfo": {"vnfcResourceInfo": [
                          {"id": f"vnfc-{i}", "computeResource": {"resourceId": self.servers[i]["id"]}}]}}
                     for i in range(3)]
        self.broken, self.asked = set(), []
        super().__init__()

    def token(self):
        endpoints = {"compute": "/nova", "network": "/neutron", "orchestration": "/heat"}
        return 201, {"token": {
            "expires_at": "2099-01-01T00:00:00.000000Z", "methods": ["password"], "catalog": [
                {"type": t, "endpoints": [{"interface": "public", "region": "R", "region_id": "R",
                                           "url": self.url + p}]} for t, p in endpoints.items()]}}, {
            "X-Subject-Token": "tok"}

    def answer(self, call):
        if call.method == "POST":
            return self.token()
        where = urlparse(call.path)
        self.asked.append(call.path)
        if any(b in call.path for b in self.broken):
            return 500, {}
        if where.path != "/vnfm/vnf_instances" and call.headers["X-Auth-Token"] != "tok":
            return 401, {}
        return self.found(where.path, parse_qs(where.query, keep_blank_values=True))

    @staticmethod
    def server_of(i, host):
        return {"id": "%08x-0000-0000-0000-00000000000a" % i, "name": f"vm-{i}", "status": "ACTIVE",
                "tenant_id": "p1", "OS-EXT-SRV-ATTR:host": host}

    def page(self, name, rows, query):
        ids = [r["id"] for r in rows]
        first = ids.index(query["marker"][0]) + 1 if "marker" in query else 0
        answer = {name: rows[first:first + PAGE]}
        if first + PAGE < len(rows):
            answer[name + "_links"] = [{"rel": "next", "href": "x"}]
        return answer

    def found(self, path, query):
        if path == "/nova/servers/detail":
            assert query["all_tenants"] == ["1"]
            return 200, self.page("servers", self.servers, query)
        if path == "/nova/os-services":
            return 200, {"services": self.services}
        if path == "/neutron/v2.0/ports":
            return 200, self.page("ports", self.ports, query)
        if path == "/heat/stacks":
            return 200, {"stacks": [{"id": "s1", "stack_name": "web", "stack_status": "X"}]}
        if path == "/heat/stacks/web/s1/resources":
            return 200, {"resources": [{
                "resource_name": "a", "resource_type": "OS::Nova::Server",
                "physical_resource_id": self.servers[0]["id"],
                "links": [{"rel": "self", "href": self.url + "/heat/stacks/web/s1/resources/a"},
                          {"rel": "stack", "href": self.url + "/heat/stacks/web/s1"}]}]}
        assert path == "/vnfm/vnf_instances", path
        n = int(query.get("page", ["0"])[0])
        more = {"Link": f'</vnfm/vnf_instances?page={n + 1}>; rel="next"'} if n + 1 < len(self.vnfs) else {}
        return 200, self.vnfs[n:n + 1], more


@pytest.fixture
def cloud():
    c = Cloud()
    yield c
    c.stop()


def start(stack, cloud, **more):
    secret = stack.dir / "secret"
    secret.write_text("x\n")
    stack.start("collector")
    stack.start("correlator")
    return stack.start("actuator", {
        "clouds": {"c1": {"auth_url": cloud.url + "/v3", "username": "u", "password_file": str(secret),
                          "project": "p", "region": "R"}},
        "inventory": {"tenant": "default", "every": "1s",
                      "vnfms": [{"name": "tacker", "url": cloud.url + "/vnfm"}], **more}})


def entities(stack, kind=None):
    rows = stack.http("GET", "/v1/topology?limit=1000").json["elements"]
    return {f"{e['type']}/{e['id']}": e for e in rows if kind in (None, e["type"])}


def test_everything_that_there_is_and_no_more(stack, cloud):
    start(stack, cloud)
    wanted = ({"host/compute-0", "host/compute-1", "stack/s1"}
              | {"vm/" + s["id"] for s in cloud.servers} | {"port/" + p["id"] for p in cloud.ports}
              | {f"vnf/vnf-{i}" for i in range(3)} | {f"vnfc/vnfc-{i}" for i in range(3)})
    wait_for(lambda: set(entities(stack)) == wanted, 30, f"all, there are {sorted(entities(stack))}")
    vm = entities(stack)["vm/" + cloud.servers[3]["id"]]
    assert vm["hosted_by"] == ["host/compute-1"] and vm["attributes"]["project_id"] == "p1"
    assert vm["source"] == "nova:c1"
    assert entities(stack)["vnfc/vnfc-1"]["hosted_by"] == ["vm/" + cloud.servers[1]["id"]]
    # One is gone, one has moved; the service of a host was forced down.
    cloud.servers = cloud.servers[:4]
    cloud.servers[0]["OS-EXT-SRV-ATTR:host"] = "compute-1"
    cloud.services[0]["forced_down"] = True
    wait_for(lambda: len(entities(stack, "vm")) == 4 and entities(stack)["host/compute-0"].get("state") == "down"
             and entities(stack)["vm/" + cloud.servers[0]["id"]]["hosted_by"] == ["host/compute-1"], 30, "changes")
    assert "tok" not in stack.daemons["actuator"].log()


def test_a_page_that_fails_deletes_nothing(stack, cloud):
    start(stack, cloud, fetch=["nova"])
    wait_for(lambda: len(entities(stack, "vm")) == 5, 30, "servers")
    cloud.broken.add("marker=")  # the second page
    cloud.servers.pop()
    before = metric(stack, "hale_actuator_inventory_failures_total") or 0
    wait_for(lambda: (metric(stack, "hale_actuator_inventory_failures_total") or 0) >= before + 2, 30, "two failures")
    assert len(entities(stack, "vm")) == 5
    assert stack.daemons["actuator"].log().count("event=inventory_failed source=nova:c1") == 1
    cloud.broken.clear()
    wait_for(lambda: len(entities(stack, "vm")) == 4, 30, "the change")
    assert not any("neutron" in path or "heat" in path for path in cloud.asked)
    stack.stop("actuator")


def test_a_vnfm_does_not_choose_who_is_asked(stack, cloud):
    """The next page is on the same server: elsewhere nobody gets a question, or our token."""
    other, usual = Cloud(), cloud.found
    cloud.found = lambda path, query: usual(path, query) if "vnfm" not in path else (
        200, [], {"Link": f'<{other.url}/vnfm/vnf_instances?page=1>; rel="next"'})
    try:
        d = start(stack, cloud)
        wait_for(lambda: other.asked or "source=sol003:tacker" in d.log(), 30, "an end of the round")
        assert other.asked == []
        assert "on another server" in d.log()
    finally:
        other.stop()


@pytest.mark.parametrize("inventory, words", [
    ({"every": "1s"}, "tenant"), ({"tenant": "t", "clouds": ["nowhere"]}, "'clouds' has no 'nowhere'"),
    ({"tenant": "t", "fetch": ["cinder"]}, "nova, neutron or heat"),
    ({"tenant": "t", "vnfms": [{"name": "a", "url": "ftp://x"}]}, "url must be"),
    ({"tenant": "t", "vnfms": [{"name": "a", "url": "http://x", "credentials": "c"}]}, "no credentials")])
def test_configuration_is_checked(stack, inventory, words):
    d = stack.start("actuator", {"inventory": inventory}, wait=False)
    d.expected_end = True
    wait_for(lambda: not d.alive(), 20, "its end")
    assert words in d.log()
