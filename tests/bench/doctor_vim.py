#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""OPNFV Doctor's whole chain with a real Nova (tests/vim: Debian's packages, fake hypervisor):

  doctor_vim.py [--rounds 10] [--vms 1,10] [--state DIRECTORY]

Stands up a cloud of two hosts (a minute, 3 GB of memory), or uses that of --state (tests/vim/up --computes 2), boots the VMs on
one host and lets it fail: event, consumers told, force-down, states reset, acknowledgement, fencing, evacuation; then the host comes
back and the other one, where the VMs are now, is the next to fail. Printed are p50 and p99 in ms: from before the event's PUT to the
last consumer told, to the host down in Nova, and to all VMs in ERROR there; from before the acknowledgement to all VMs ACTIVE on the
other host; from before the event of the return to the host un-forced. What is seen in Nova is asked for all the time, in turn, by
the same machine: that is part of the figures, and so is Nova's own time for each call.
"""
import argparse
import os
import tempfile

from whole import finish, fresh, percentile
import cloud as vim_cloud
from chain_kit import Chain
from test_actuator import Receiver
from vim_kit import boot, delete

COLUMNS = ("told", "forced", "reset", "evacuated", "unforced")


def measure(cloud, n, rounds):
    stack, consumer, fence = fresh(), Receiver(), Receiver()
    hosts, times = ["compute-1", "compute-2"], []
    servers = boot(cloud, hosts[0], n, net=False)
    try:
        chain = Chain(stack, cloud, consumer, fence)
        chain.follow(servers, hosts[0])
        for _ in range(rounds + 1):
            took = chain.down(hosts[0], servers)
            took.update(chain.back(hosts[0], servers))
            times.append(took)
            hosts.reverse()
    finally:
        delete(cloud, servers)
        finish(stack)
        consumer.stop()
        fence.stop()
    del times[0]  # connections, tokens and Nova's own first times
    return times


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rounds", type=int, default=10)
    p.add_argument("--vms", default="1,10")
    p.add_argument("--state", help="of a cloud that is up")
    o = p.parse_args()
    if o.state:
        cloud = vim_cloud.Cloud(o.state, keep=True)
    else:
        cloud = vim_cloud.Cloud(tempfile.mkdtemp(prefix="hale-bench-cloud-"), parts=[], computes=2).start()
    try:
        print(f"{'VMs':>4}" + "".join(f" {c + ' p50':>14} {'p99':>7}" for c in COLUMNS) + f" {'load':>6}")
        for n in [int(word) for word in o.vms.split(",")]:
            times = measure(cloud, n, o.rounds)
            texts = [percentile([t[c] / 1000 for t in times], q) for c in COLUMNS for q in (50, 99)]
            print(f"{n:>4}" + "".join(f" {t:>14.0f}" if i % 2 == 0 else f" {t:>7.0f}" for i, t in enumerate(texts)) +
                  f" {os.getloadavg()[0]:>6.1f}", flush=True)
    finally:
        if not o.state:
            cloud.stop()


if __name__ == "__main__":
    main()
