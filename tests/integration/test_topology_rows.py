# SPDX-License-Identifier: Apache-2.0
"""The topology in hale-correlator: the test plays the collector by writing updates to the stream, and
reads the rows. What is proved: every update has its effect exactly once and a sync reconciles with what
it named, also when the daemon is killed in the middle of it."""
import json
import random

from conftest import wait_for
from test_correlator import Feeder, counter, log

TOPOLOGY, ENTITIES = "hale:{m}:topology", "hale:{m}:entities"
ENTITY_LOG, META = "hale:{m}:entitylog", "hale:{m}:cor:meta"


class Source:
    """One source of one tenant."""

    def __init__(self, redis, name="nova", tenant="default"):
        self.redis = redis
        self.name, self.tenant = name, tenant

    def update(self, **parts):
        u = {"v": 1, "tenant": self.tenant, "source": self.name, "at_ms": 1}
        u.update({k.rstrip("_"): v for k, v in parts.items()})
        self.redis.cmd("XADD", TOPOLOGY, "*", "j", json.dumps(u))

    def sync(self, sync_id, entities, part):
        for i in range(0, len(entities), part):
            s = {"id": sync_id}
            if i == 0:
                s["begin"] = True
            if i + part >= len(entities):
                s["end"] = True
            yield {"put": entities[i:i + part], "sync": s}


def vm(n, host=0, **more):
    return {"type": "vm", "id": f"vm-{n}", "name": f"server {n}",
            "attributes": {"az": "nova"}, "hosted_by": [f"host/h{host}"], **more}


def rows(redis):
    """(tenant, type, id) -> entity or source row"""
    flat = redis.cmd("HGETALL", ENTITIES)
    return {tuple(flat[i].decode().split("\0")): json.loads(flat[i + 1])
            for i in range(0, len(flat), 2)}


def processed(redis):
    last = redis.cmd("XREVRANGE", TOPOLOGY, "+", "-", "COUNT", "1")
    return not last or redis.cmd("HGET", META, "pos:topology") == last[0][0]


def wait_processed(redis, seconds=60):
    wait_for(lambda: processed(redis), seconds, "the topology to be applied")


def test_updates_become_rows(stack, redis):
    stack.start("correlator", {"max_entities_per_tenant": 4})
    a, b = Source(redis), Source(redis, "file", "other")
    a.update(put=[vm(1), vm(2)])
    b.update(put=[vm(1)], patch=[{"type": "host", "id": "h0", "state": "maintenance"}])
    a.update(patch=[{"type": "vm", "id": "vm-2", "name": "changed"}], delete_=["vm/vm-1"])
    a.update(put=[{"type": "vm", "id": "bad/ref", "hosted_by": ["nothing"]}])
    wait_processed(redis)
    assert rows(redis) == {
        ("default", "vm", "vm-2"): {**vm(2), "name": "changed", "source": "nova"},
        ("other", "vm", "vm-1"): {**vm(1), "source": "file"},
        ("other", "host", "h0"): {"type": "host", "id": "h0", "state": "maintenance",
                                  "source": "file"}}
    assert counter(stack, "hale_correlator_topology_entities") == 3
    assert counter(stack, "hale_correlator_poison_records_total") == 1
    a.update(put=[vm(n) for n in range(10, 15)])
    wait_processed(redis)
    assert len(rows(redis)) == 6
    wait_for(lambda: counter(stack, 'hale_correlator_topology_changes_total{what="refused"}') == 2)
    # Whoever keeps a copy is told which rows to read again.
    told = [line for _, fields in redis.cmd("XRANGE", ENTITY_LOG, "-", "+")
            for line in fields[1].decode().split("\n")]
    assert {tuple(line.split("\0")) for line in told} == set(rows(redis)) | {
        ("default", "vm", "vm-1")}


def test_kill9_in_a_large_sync_changes_nothing(stack, redis):
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rng = random.Random(seed)
    source, other = Source(redis), Source(redis, "heat")
    old = [vm(n) for n in range(4000)]
    new = [vm(n, host=n % 3) for n in range(2000, 9000)]
    rng.shuffle(new)
    stack.start("correlator")
    kept = {"type": "stack", "id": "s", "depends_on": [
        {"group": "servers", "mode": "any", "on": ["vm/vm-1", "vm/vm-2"]}]}
    other.update(put=[kept])
    for u in source.sync("first", old, 500):
        source.update(**u)
    wait_processed(redis)
    parts = list(source.sync("second", new, 200))
    kills = set(rng.sample(range(1, len(parts)), 6)) | {len(parts) - 1}
    for n, u in enumerate(parts):
        source.update(**u)
        if n in kills:
            # Somewhere between what it has read, applied and written.
            stack.kill9("correlator")
            stack.restart("correlator", wait=False)
    # The stream still has what a restart needs: the sync's updates from its beginning.
    wait_processed(redis)
    found = rows(redis)
    synced = found.pop(("default", "", "nova"))
    assert synced["named"] == 7000 and "open" not in synced
    want = {("default", "vm", e["id"]): {**e, "source": "nova"} for e in new}
    want[("default", "stack", "s")] = {**kept, "source": "heat"}
    assert found == want
    stack.daemons["correlator"].wait_healthy()
    assert counter(stack, "hale_correlator_topology_entities") == len(want)


def test_an_unfinished_sync_goes_on_after_a_restart(stack, redis):
    source = Source(redis)
    stack.start("correlator")
    source.update(put=[vm(1), vm(2)])
    source.update(put=[vm(3)], sync={"id": "s", "begin": True})
    wait_processed(redis)
    stack.kill9("correlator")
    stack.restart("correlator")
    source.update(patch=[{"type": "vm", "id": "vm-1"}], sync={"id": "s"})
    wait_processed(redis)
    stack.stop("correlator")
    stack.restart("correlator")
    source.update(sync={"id": "s", "end": True})
    wait_processed(redis)
    assert {k[2] for k in rows(redis) if k[1]} == {"vm-1", "vm-3"}


def test_a_large_update_does_not_hold_up_alarms(stack, redis):
    """Updates are taken in portions, and what came meanwhile goes between them."""
    source = Source(redis)
    stack.start("correlator")
    stack.stop("correlator")
    for u in source.sync("s", [vm(n) for n in range(20000)], 500):
        source.update(**u)
    Feeder(redis).event({"n": "1"})
    stack.restart("correlator")
    positions = []

    def seen():
        positions.append(redis.cmd("HGET", META, "pos:topology"))
        return len(log(redis)) == 2
    wait_for(seen, 20, "the alarm", every=0)
    wait_processed(redis)
    assert positions[-1] != redis.cmd("HGET", META, "pos:topology")
    assert len(rows(redis)) == 20001
