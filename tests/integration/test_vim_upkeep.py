# SPDX-License-Identifier: Apache-2.0
"""A maintenance session with a real Keystone and Nova (tests/vim): a host is emptied with its project's consent, worked on
and given back. What can go wrong is in test_actuator_upkeep.py."""
import pytest
from conftest import wait_for
from upkeep_kit import Site
from vim_kit import boot, bring_up, delete

HOST = "compute-1"


@pytest.fixture
def servers(cloud):
    ids = boot(cloud, HOST, 2, net=False)
    yield ids
    delete(cloud, ids)
    if cloud.services(HOST)[0]["status"] == "disabled":
        bring_up(cloud, HOST)


def test_a_host_is_emptied_worked_on_and_given_back(stack, cloud, servers):
    secret = stack.dir / "healer.password"
    secret.write_text(cloud.secret + "\n")
    s = Site(stack, lab={"auth_url": cloud.url("keystone"), "region": "RegionOne", "username": "healer",
                         "password_file": str(secret), "project": "admin"}, reply="10m", action="10m")
    cold, live = servers
    owner = s.project(cloud.nova("GET", f"/servers/{cold}")["server"]["tenant_id"], actions={live: "LIVE_MIGRATE"})
    try:
        ident = s.begin([HOST])
        assert s.waits_for_work(ident, seconds=600) == HOST
        service = cloud.services(HOST)[0]
        assert service["status"] == "disabled" and ident in service["disabled_reason"]
        assert cloud.servers(HOST) == []
        assert [len(cloud.actions(cold, "migrate")), len(cloud.actions(cold, "confirmResize"))] == [1, 1]
        assert len(cloud.actions(live, "live-migration")) == 1 and not cloud.actions(live, "migrate")
        assert {cloud.nova("GET", f"/servers/{i}")["server"]["status"] for i in servers} == {"ACTIVE"}
        s.worked(ident, HOST)
        s.ends(ident, "MAINTENANCE_DONE", seconds=600)
        assert cloud.services(HOST)[0]["status"] == "enabled"
        wait_for(lambda: owner.states()[-1:] == ["MAINTENANCE_COMPLETE"], 60, "the last word")
        assert not owner.errors
        assert owner.states() == ["MAINTENANCE", "PREPARE_MAINTENANCE", "INSTANCE_ACTION_DONE", "INSTANCE_ACTION_DONE",
                                  "MAINTENANCE_COMPLETE"]
        assert owner.got[0]["ids"] == sorted(servers)
    finally:
        s.stop()
