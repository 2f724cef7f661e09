# SPDX-License-Identifier: Apache-2.0
"""The journal is tamper-evident: rows are chained by the actuator, whatever is killed meanwhile, and whoever checks
the chain, by `hale audit verify` or by himself, finds the first row that is not as it was written."""
import hashlib
import json
import threading
import uuid

import pytest
from collector_kit import now_ms
from conftest import wait_for
from test_actuator import start
from test_cli import FAILED, Hale, OK

JOURNAL, CHAIN, HEADS = "hale:{m}:journal", "hale:{m}:chain", "hale:{m}:chain:heads"
NO_POLICIES = "policies: []\n"


def row(tenant="default", kind="observed", text="x", **more):
    return dict({"v": 1, "time_ms": now_ms(), "kind": kind, "run_id": str(uuid.uuid4()), "policy": "p",
                 "mode": "observe", "tenant": tenant, "alarm_id": "a", "alarm_name": "d", "alarm_seq": 1,
                 "target": "t", "step": -1, "step_type": "", "attempt": 0, "text": text, "detail": {}}, **more)


class House:
    def __init__(self, stack, **config):
        self.stack, self.redis, self.config = stack, stack.redis, config
        stack.start("collector")
        start(stack, NO_POLICIES, **config)
        self.hale = Hale(stack)

    def write(self, n=1, redis=None, ids=None, **more):
        """n rows as the actuator writes them; ids: first of theirs, 10 ms apart."""
        return [(redis or self.redis).cmd("XADD", JOURNAL, f"{ids + 10 * i}-0" if ids else "*", "j",
                                          json.dumps(row(text=f"row {i}", **more))) for i in range(n)]

    def entries(self, key):
        return [(i.decode(), f[1]) for i, f in self.redis.cmd("XRANGE", key, "-", "+")]

    def sealed(self):
        """Waits until every row has its link."""
        def all_there():
            last = self.redis.cmd("XREVRANGE", JOURNAL, "+", "-", "COUNT", 1)
            return last and self.redis.cmd("HGET", HEADS, "*") == last[0][0]
        wait_for(all_there, 60, "the chain")

    def check(self):
        """The chain as docs/formats/journal.md says it, without Hale."""
        rows, links, heads = self.entries(JOURNAL), self.entries(CHAIN), {}
        assert [i for i, _ in rows] == [i for i, _ in links]
        for (i, text), (_, link) in zip(rows, links):
            n, prev, digest, tenant = link.decode().split(" ", 3)
            assert tenant == json.loads(text)["tenant"]
            before = heads.get(tenant, (0, "0" * 64))
            assert int(n) == before[0] + 1 and prev == before[1]
            data = bytes.fromhex(prev) + f"{tenant}\n{n}\n{i}\n".encode() + text
            assert digest == hashlib.sha256(data).hexdigest()
            heads[tenant] = (int(n), digest, i)
        for tenant, (n, digest, i) in heads.items():
            assert self.redis.cmd("HGET", HEADS, tenant).decode() == f"{n} {digest} {i}"
        return rows

    def verify(self, *args, code=OK):
        out = self.hale("audit", "verify", *args, code=code)
        return out

    def replace(self, key, change):
        """Writes the stream anew as somebody would who can write to Redis; change gets [(id, bytes)]."""
        entries = change(self.entries(key))
        self.redis.cmd("DEL", key)
        for i, value in entries:
            self.redis.cmd("XADD", key, i, "j" if key == JOURNAL else "c", value)


@pytest.fixture
def house(stack):
    return House(stack)


def test_rows_are_chained_by_tenant(house):
    house.write(3)
    house.write(300, tenant="other")
    assert house.stack.http("PUT", "/v1/switches/policy/p", {"reason": "x"}).status == 200
    house.write(2)
    house.sealed()
    rows = house.check()
    assert len(rows) == 307 and json.loads(rows[0][1])["kind"] == "configured"
    assert "intact: 7 rows" in house.verify()  # its own and the house's
    page = house.stack.http("GET", "/v1/journal/chain?limit=2").json
    assert len(page["elements"]) == 2 and page["whole"] is True and page["next"] == page["elements"][1]["id"]
    assert "row" not in json.dumps([e for e in page["elements"] if e["tenant"] == "other"])
    texts = json.dumps(house.stack.http("GET", "/v1/journal/chain").json)
    assert "other" not in texts and "switched" in texts
    shown = house.hale("audit", "show", "--kind", "switched,observed")
    assert shown.count("observed") == 5 and "switched" in shown
    assert house.hale("audit", "show", "--policy", "nobody").count("\n") <= 1


TAMPER = {
    "changed": (lambda e: [(i, v.replace(b"row 5", b"row X")) for i, v in e], "was changed"),
    "deleted": (lambda e: e[:6] + e[7:], "is gone"),
    "deleted at the beginning": (lambda e: e[3:], "is gone"),
    "deleted at the end": (lambda e: e[:-2], "is gone"),
    "inserted": (lambda e: e[:6] + [(e[5][0].split("-")[0] + "-99", e[5][1])] + e[6:], "was inserted"),
    "reordered": (lambda e: e[:5] + [(e[5][0], e[6][1]), (e[6][0], e[5][1])] + e[7:], "was changed"),
    "given to another": (lambda e: e[:5] + [(e[5][0], e[5][1].replace(b'"default"', b'"other"'))] + e[6:],
                         "was changed"),
    "no row at all": (lambda e: e[:5] + [(e[5][0], b"{")] + e[6:], "was changed"),
}


def test_what_was_tampered_with_is_found(house):
    house.write(12, ids=now_ms() + 1000)
    house.sealed()
    good = house.check()
    assert "intact" in house.verify()
    house.stack.stop("actuator")  # the sealer, which would go on
    for name, (change, words) in TAMPER.items():
        house.replace(JOURNAL, change)
        out = house.verify(code=FAILED)
        assert words in out, (name, out)
        house.replace(JOURNAL, lambda e: good)
        assert "intact" in house.verify(), name
    first = next(i for i, v in good if b"row 5" in v)
    house.replace(JOURNAL, TAMPER["changed"][0])
    assert first in house.verify(code=FAILED)  # the first broken row is named
    house.verify("--json", code=FAILED)
    answer = json.loads(house.hale.out)
    assert answer["intact"] is False and first in answer["error"]


def test_a_chain_that_was_tampered_with_is_found(house):
    house.write(12)
    house.sealed()
    links = house.entries(CHAIN)
    house.stack.stop("actuator")
    for name, change, words in (
            ("link out", lambda e: e[:6] + e[7:], "inserted"),
            ("tail out", lambda e: e[:-2], "ends before row"),
            ("hash", lambda e: e[:6] + [(e[6][0], e[6][1].replace(b" ", b" 0", 1)[:-1])] + e[7:], "")):
        house.replace(CHAIN, change)
        out = house.verify(code=FAILED)
        assert words in out, (name, out)
        house.replace(CHAIN, lambda e: links)
    assert "intact" in house.verify()


def test_a_chain_written_anew_is_found_by_its_noted_head(stack):
    noted = stack.dir / "heads"
    house = House(stack, audit_head_file=str(noted), audit_every="1s")
    house.write(6)
    house.sealed()

    def there():
        lines = [json.loads(x) for x in noted.read_text().splitlines()] if noted.exists() else []
        return {x["tenant"]: x["n"] for x in lines}.get("default") == 6
    wait_for(there, 20, "the noted head")
    keep = stack.dir / "keep"
    keep.write_text(noted.read_text())
    assert "intact" in house.verify("--heads", str(keep))
    stack.stop("actuator")
    house.replace(JOURNAL, TAMPER["changed"][0])
    house.redis.cmd("DEL", CHAIN, HEADS)
    start(stack, NO_POLICIES)  # seals all of it anew, in good faith
    house.sealed()
    assert "intact" in house.verify()
    assert "written anew" in house.verify("--heads", str(keep), code=FAILED)
    house.replace(JOURNAL, lambda e: e[:3])
    house.redis.cmd("DEL", CHAIN, HEADS)
    stack.stop("actuator")
    stack.restart("actuator")
    house.sealed()
    assert "intact" in house.verify()
    assert "ends before row 6" in house.verify("--heads", str(keep), code=FAILED)


def test_kill_9_under_load_forks_nothing(house):
    stop, written = threading.Event(), []

    def write():
        own = type(house.redis)(house.redis.dir)
        while not stop.is_set():
            if own.cmd("XLEN", JOURNAL) - own.cmd("XLEN", CHAIN) > 400:  # no more than it can seal
                stop.wait(0.02)
                continue
            written.extend(house.write(20, redis=own, tenant=("default", "other")[len(written) % 40 // 20]))
    threads = [threading.Thread(target=write) for _ in range(2)]
    for t in threads:
        t.start()
    try:
        for _ in range(4):
            n = house.redis.cmd("XLEN", CHAIN)
            wait_for(lambda n=n: house.redis.cmd("XLEN", CHAIN) > n, 20, "more links")
            house.stack.kill9("actuator")
            house.stack.restart("actuator")
    finally:
        stop.set()
        for t in threads:
            t.join()
    house.sealed()
    rows = house.check()
    assert len(rows) == len(written) + 1
    assert "intact" in house.verify()


def test_a_position_set_back_gives_no_row_a_second_link(house):
    house.write(5)
    house.sealed()
    house.stack.stop("actuator")
    house.redis.cmd("HSET", HEADS, "*", "1-1")
    house.stack.restart("actuator")
    house.write(5)
    house.sealed()
    house.check()
    assert "audit_chain_changed" in house.stack.daemons["actuator"].log()


def test_exports_are_checked_offline(house):
    house.write(6)
    house.sealed()
    text = house.hale("audit", "export")
    lines = text.splitlines()
    assert json.loads(lines[0])["whole"] is True and len(lines) == 8
    assert json.loads(json.loads(lines[-1])["text"])["text"] == "row 5"
    house.stack.stop("collector")
    path = house.stack.dir / "export"
    for change, words in ((lambda x: x, "intact: 7 rows"), (lambda x: x[:-1], "ends before row 6"),
                          (lambda x: x[:4] + x[5:], "are gone"),
                          (lambda x: x[:4] + [x[4].replace("row", "raw")] + x[5:], "was changed"),
                          (lambda x: x[:4] + [x[5], x[4]] + x[6:], "another order"),
                          (lambda x: x[1:], "not an export"), (lambda x: [], "is empty"),
                          (lambda x: x[:3] + ["{"], "not JSON")):
        path.write_text("\n".join(change(lines)))
        good = words.startswith("intact")
        assert words in house.verify(str(path), code=OK if good else FAILED), words


def again(stack):
    stack.stop("actuator")
    stack.restart("actuator")


def test_a_changed_file_of_policies_is_journalled_once(house):
    def configured():
        return [json.loads(v) for _, v in house.entries(JOURNAL) if b'"configured"' in v]
    assert [r["detail"]["sha256"] for r in configured()] == [hashlib.sha256(NO_POLICIES.encode()).hexdigest()]
    assert configured()[0]["tenant"] == ""
    again(house.stack)
    policy = json.dumps({"policies": [{"name": "new", "alarm": {}, "target": "t", "mode": "auto", "steps": [
        {"webhook": {"url": "http://127.0.0.1:9/x", "headers": {"k": "s3cr3t"}}}]}]})
    (house.stack.dir / "policies.yaml").write_text(policy)
    again(house.stack)
    wait_for(lambda: len(configured()) == 2, 20, "the new row")
    assert configured()[1]["detail"]["sha256"] == hashlib.sha256(policy.encode()).hexdigest()
    got = house.stack.http("GET", "/v1/policies")
    assert got.json["elements"][0] == {"name": "new", "mode": "auto", "target": "t", "steps": [{"type": "webhook"}],
                                       "switch": None, "latch": None, "runs": {}}
    assert b"s3cr3t" not in got.body
