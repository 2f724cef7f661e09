# SPDX-License-Identifier: Apache-2.0
"""Notices of Aodh's form that no consumer took are dead letters: seen, sent again and dropped as the others."""
import json
import subprocess

from conftest import binary, wait_for
from test_doctor import doctor, got  # noqa: F401 (fixture)

M = "hale:{m}:"
PATH = "/api/v2/dead-letters"


def letters(d, n, tenant="default"):
    token = d.stack.token("operator", tenant)
    found = []

    def there():
        found[:] = d.stack.http("GET", PATH, token=token).json["elements"]
        return len(found) == n
    wait_for(there, 30, f"{n} letters")
    return list(found)


def replay(d, ident):
    assert d.stack.http("POST", f"{PATH}/{ident}/replay").status == 202


def test_what_is_refused_is_kept_and_sent_again_in_order(doctor):  # noqa: F811
    d = doctor()
    bad, good = d.receiver(422), d.receiver()
    vm = d.vms["compute-1"][0]
    ident = d.alarm(vm, bad.url, alarm_actions=[bad.url, good.url], ok_actions=[bad.url])
    d.event("compute-1")
    d.event("compute-1", "up")
    assert [b["current"] for b in got(good, 1)] == ["alarm"]   # the other address is told all the same
    first, second = letters(d, 2)
    assert {k: first[k] for k in ("recipient", "name", "reason", "detail", "state", "severity", "alarm_id",
                                  "alarm_name", "tenant")} == {
        "recipient": "aodh/default", "name": bad.url, "reason": "refused", "detail": "answered 422",
        "state": "ALARM", "severity": "MEDIUM", "alarm_id": ident, "alarm_name": "doctor_alarm0",
        "tenant": "default"}
    assert second["state"] == "OK" and second["seq"] > first["seq"] > 0
    assert letters(d, 0, "other") == []
    replay(d, second["id"])                                    # refused again: it stays
    wait_for(lambda: len(bad.got) == 3 and d.stack.redis.cmd("HLEN", M + "replays") == 0, 30, "the try")
    assert len(letters(d, 2)) == 2
    bad.status = 200
    done = subprocess.run([str(binary("cli")), "dead-letter", "replay", "--recipient", "aodh/default",
                           "--url", d.stack.url, "--token", d.stack.token("operator")],
                          capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "2 letters\n"), done
    letters(d, 0)
    assert [b["current"] for b in bad.bodies()[3:]] == ["alarm", "ok"]
    assert bad.got[3][2] == bad.got[0][2]                       # the same bytes
    assert len(good.got) == 1


def test_what_may_not_be_called_and_what_is_too_old(doctor):  # noqa: F811
    d = doctor(notification_methods={"reach": "remote"})
    consumer = d.receiver()
    vm = d.vms["compute-1"][0]
    ident = d.alarm(vm, consumer.url)
    d.event("compute-1")
    denied, = letters(d, 1)
    assert denied["reason"] == "denied" and "loopback" in denied["detail"]
    assert not consumer.got
    d.stack.stop("actuator")
    row = json.loads(d.stack.redis.cmd("HGET", M + "act:aodh", ident))
    row["queue"] = [{"to": "alarm", "action": 0, "seq": 1, "time_ms": 1, "body": "{}"}]
    d.stack.redis.cmd("HSET", M + "act:aodh", ident, json.dumps(row))
    d.config["notification_methods"] = {"allow": ["127.0.0.1"]}
    d.stack.start("actuator", d.config)
    expired = [x for x in letters(d, 2) if x["reason"] == "expired"]
    assert [x["alarm_id"] for x in expired] == [ident] and not consumer.got
    d.stack.kill9("actuator")                                   # a wish outlives a crash
    replay(d, denied["id"])
    d.stack.restart("actuator")
    assert got(consumer, 1)[0]["current"] == "alarm"
    assert letters(d, 1)[0]["reason"] == "expired"
    assert d.stack.http("DELETE", f"{PATH}/{expired[0]['id']}").status == 204
    letters(d, 0)
