# SPDX-License-Identifier: Apache-2.0
"""What the actuator does when Redis answers late or wrongly at the worst moment: nothing on old news, nothing
beside another actuator that has taken over meanwhile."""
import json
import os
import signal
import socket
import threading

import pytest
from conftest import wait_for
from test_actuator import lab, log, policies, receiver, start  # noqa: F401 (fixtures)
from test_actuator_pair import part


class Proxy:
    """In front of Redis. hold(bytes): the answer to the next command that has them waits, until the event that
    is returned is set; its `seen` says that the command has come."""

    def __init__(self, directory, to):
        self.path, self.to = str(directory / "proxy.sock"), to
        self.url, self.rules = "unix:" + self.path, []
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(self.path)
        self.server.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def hold(self, what):
        free = threading.Event()
        free.seen = threading.Event()
        self.rules.append((what, free))
        return free

    def accept(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            redis = socket.socket(socket.AF_UNIX)
            redis.connect(self.to)
            waits = []
            for a, b, questions in ((client, redis, True), (redis, client, False)):
                threading.Thread(target=self.pump, args=(a, b, waits, questions), daemon=True).start()

    def pump(self, a, b, waits, questions):
        try:
            while data := a.recv(1 << 20):
                for rule in [r for r in self.rules if questions and r[0] in data]:
                    self.rules.remove(rule)
                    waits.append(rule[1])
                    rule[1].seen.set()
                while not questions and waits:
                    waits[0].wait(30)
                    waits.pop(0)
                b.sendall(data)
        except OSError:
            pass
        for end in (a, b):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def stop(self):
        for _, free in self.rules:
            free.set()
        self.server.close()


@pytest.fixture
def proxy(stack, tmp_path):
    p = Proxy(tmp_path, stack.redis.socket)
    yield p
    p.stop()


def test_what_cannot_be_checked_is_not_acted_upon(stack, lab, log):
    """Whether an old record still holds is asked for; no answer does not mean that it does."""
    d = start(stack, policies(lab.url))
    d.process.send_signal(signal.SIGSTOP)
    log.write(age_ms=60000)
    log.write(state="OK", age_ms=50000)
    rows = log.redis.cmd("HGETALL", "hale:{m}:alarms")
    log.redis.cmd("DEL", "hale:{m}:alarms")
    log.redis.cmd("SET", "hale:{m}:alarms", "not a hash")
    os.kill(d.process.pid, signal.SIGCONT)
    wait_for(lambda: "what=alarm " in d.log() or log.rows(), 20, "the question about the alarm")
    assert log.rows() == [] and lab.heals() == []
    log.redis.cmd("DEL", "hale:{m}:alarms")
    log.redis.cmd("HSET", "hale:{m}:alarms", *rows)
    row = log.await_row("suppressed", seconds=20)[0]
    assert row["detail"]["guard"] == "superseded" and lab.heals() == []


def test_one_that_was_held_up_does_not_call_beside_its_successor(stack, log, receiver, proxy):
    """Its commit is through, then a question to Redis takes longer than its lease: the other one goes on with
    the run meanwhile, and the request must not leave twice."""
    target = receiver()
    path = stack.dir / "policies.yaml"
    path.write_text(json.dumps({"policies": [{
        "name": "heal", "mode": "auto", "alarm": {"definition": "dns-vnfc-down"}, "target": "${vnfc_id}",
        "steps": [{"webhook": {"url": target.url}}], "verify": {"within": "60s"}}]}))
    stack.start("actuator", {"policies": str(path), "redis": proxy.url})
    wait_for(lambda: part(stack, "actuator") == "acts and tells", 20, "the first has it all")
    stack.start("actuator", {"policies": str(path)}, known_as="actuator-2")
    wait_for(lambda: part(stack, "actuator") == "acts" and part(stack, "actuator-2") == "tells", 20, "each its part")
    commit = proxy.hold(b"$5\r\nbirth\r\n")
    question = proxy.hold(b"HGET\r\n$15\r\nhale:{m}:alarms\r\n")
    log.write()
    assert commit.seen.wait(10)
    log.write(name="other", vnfc="dns-2", age_ms=60000)  # about this one Redis is asked
    assert question.seen.wait(10)
    commit.set()
    wait_for(lambda: len(target.got) == 1, 20, "the successor's call", 0.002)
    question.set()
    log.await_row("verifying", seconds=30)
    wait_for(lambda: "event=role_left role=act" in stack.daemons["actuator"].log(), 20, "the first one's insight")
    assert len(target.got) == 1, [h["X-Hale-Fencing-Token"] for _, h, _ in target.got]
