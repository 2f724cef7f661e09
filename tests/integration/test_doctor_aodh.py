# SPDX-License-Identifier: Apache-2.0
"""Hale's notice of a failed VM beside what the real Aodh (Debian's python3-aodh) says of the same alarm and event."""
import json
import os
import subprocess

import pytest
from conftest import ROOT
from test_doctor import Doctor, got

PYTHON = "/usr/bin/python3"


def installed():
    return subprocess.run([PYTHON, "-c", "import aodh.evaluator.event"], check=False, capture_output=True,
                          timeout=120).returncode == 0


@pytest.fixture
def doctor(stack):
    if not installed():
        if os.environ.get("HALE_SKIPS_FAIL"):
            pytest.fail("python3-aodh is missing")
        pytest.skip("python3-aodh is missing (scripts/install-packages.sh test)")
    made = Doctor(stack)
    yield made
    made.stop()


def shape(value):
    """Keys in their order and types, all the way down."""
    if isinstance(value, dict):
        return [(k, shape(v)) for k, v in value.items()]
    return [shape(v) for v in value] if isinstance(value, list) else type(value)


TYPED = [{"field": "traits.host", "type": "string", "op": "ne", "value": "compute-0 \"x\""},
         {"field": "traits.state", "type": "", "op": "eq", "value": "error"},
         {"field": "traits.instance_id", "type": "string", "op": "gt", "value": "0"}]


@pytest.mark.parametrize("query", [None, TYPED], ids=["one", "typed"])
def test_the_body_is_aodhs(doctor, query):
    consumer, theirs = doctor.receiver(), doctor.receiver()
    ident = doctor.alarm(doctor.vms["compute-1"][0], consumer.url, query=query)
    alarm = doctor.aodh.alarm.get(ident)
    doctor.event("compute-1")
    body = got(consumer, 1)[0]
    alarm["alarm_actions"] = [theirs.url]
    said = subprocess.run([PYTHON, str(ROOT / "tests" / "aodh_program.py")], text=True, capture_output=True, timeout=120,
                          input=json.dumps({"alarm": alarm, "event": body["reason_data"]["event"]}), check=False)
    assert said.returncode == 0, said.stderr
    assert theirs.got, said.stderr
    aodhs, = theirs.bodies()
    assert shape(body) == shape(aodhs)
    assert body == aodhs
    ours, real = ({k.lower(): v for k, v in r.got[0][1].items()} for r in (consumer, theirs))
    assert ours["content-type"] == real["content-type"]
    assert len(ours["x-openstack-request-id"]) == len(real["x-openstack-request-id"])
