# SPDX-License-Identifier: Apache-2.0
"""OPNFV Doctor's whole chain against a real Keystone and Nova with three hosts (tests/vim/cloud.py): the inventory is
fetched, a monitor's event is sent, the consumer is told and acknowledges, the host is fenced, Nova has it down and the
servers elsewhere, and the host comes back. tests/bench/doctor_vim.py takes its figures."""
import pytest
from chain_kit import Chain
from test_actuator import Receiver
from vim_kit import boot, bring_up, delete


@pytest.fixture
def receiver():
    made = []

    def make():
        made.append(Receiver())
        return made[-1]
    yield make
    for r in made:
        r.stop()


@pytest.fixture
def servers(cloud):
    made = []

    def make(host, n):
        made.extend(boot(cloud, host, n, False))
        return made[-n:]
    yield make
    delete(cloud, made)
    for service in cloud.services():
        if service["forced_down"] or service["status"] == "disabled":
            bring_up(cloud, service["host"])


def test_doctors_chain(stack, cloud, receiver, servers, capsys):
    ids, other = servers("compute-1", 4), servers("compute-2", 1)
    chain = Chain(stack, cloud, receiver(), receiver())
    chain.follow(ids, "compute-1")
    times = chain.down("compute-1", ids)
    times.update(chain.back("compute-1", ids))
    assert not cloud.actions(other[0], "evacuate")
    chain.vim.secrets_kept()
    with capsys.disabled():
        print("\nDoctor, 4 VMs, ms: told %.0f, forced down %.0f, all states reset %.0f; since the acknowledgement fenced "
              "%.0f, all evacuated %.0f; un-forced %.0f after the return" % tuple(t / 1000 for t in times.values()))
