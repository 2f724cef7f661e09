# SPDX-License-Identifier: Apache-2.0
"""Notifications that are given up are kept, seen, sent again and dropped; who was told of a begin is told
of its end. Alarm log records are written as the correlator writes them."""
import json
import subprocess

import pytest
from conftest import binary, wait_for
from test_actuator import Log, metric, receiver  # noqa: F401 (fixture)
from test_actuator_methods import House

M = "hale:{m}:"


class Dead(House):
    """A house with the API in front of it."""

    def api(self, method, path, body=None, tenant="default", status=None):
        token = self.stack.token("operator", tenant)
        answer = self.stack.http(method, "/api/v2/dead-letters" + path, body, token=token)
        assert status is None or answer.status == status, answer
        return answer

    def letters(self, query="", tenant="default"):
        return self.api("GET", query, tenant=tenant, status=200).json["elements"]

    def await_letters(self, n, query=""):
        found = []

        def there():
            found[:] = self.letters(query)
            return len(found) == n
        wait_for(there, 20, f"{n} letters; at first there are {self.letters(query)}")
        return list(found)

    def subscribers(self, *subscribers, **config):
        return self.start(subscribers=list(subscribers), **config)

    def replays_over(self):
        wait_for(lambda: self.redis.cmd("HLEN", M + "replays") == 0, 20, "no replay left")

    def cli(self, *args, code=0):
        done = subprocess.run([str(binary("cli")), "dead-letter", *args, "--url", self.stack.url,
                               "--token", self.stack.token("operator")],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def dead(stack):
    stack.start("collector")
    return Dead(stack)


def told(receiver):
    """(vnfc, state) of each notification that came whole (a sender that is killed leaves pieces)."""
    bodies = [json.loads(body) for _, head, body in list(receiver.got)
              if len(body) == int(head["Content-Length"])]
    return [(b["metrics"][0]["dimensions"]["vnfc_id"], b["state"]) for b in bodies]


def test_refused_is_kept_and_sent_again(dead, receiver):
    hook, good = receiver(422), receiver()
    dead.subscribers({"name": "noc", "url": hook.url}, {"name": "good", "url": good.url})
    raised = dead.log.write(vnfc="a")
    letter = dead.await_letters(1)[0]
    assert {k: letter[k] for k in ("recipient", "name", "reason", "state", "severity", "seq",
                                   "alarm_id", "alarm_name", "tenant", "tries")} == {
        "recipient": "subscriber/noc", "name": "noc", "reason": "refused", "state": "ALARM",
        "severity": "CRITICAL", "seq": 1, "alarm_id": raised["alarm"]["id"],
        "alarm_name": "dns-vnfc-down", "tenant": "default", "tries": 1}
    assert "422" in letter["detail"]
    first = hook.got[0][1]["X-Hale-Notification"]
    assert letter["id"] == first
    one = dead.api("GET", "/" + letter["id"], status=200).json
    assert one["record"]["alarm"]["id"] == raised["alarm"]["id"]

    # Its end is not told: the receiver does not know of the alarm. It waits beside the begin.
    dead.log.write(vnfc="a", state="OK")
    reasons = {x["state"]: x["reason"] for x in dead.await_letters(2)}
    assert reasons == {"ALARM": "refused", "OK": "unraised"}
    assert told(good) == [("a", "ALARM"), ("a", "OK")] and len(hook.got) == 1

    # Sent again, the begin brings its end with it: same id, same bytes, in order.
    hook.status = 200
    dead.api("POST", f"/{letter['id']}/replay", status=202)
    dead.await_letters(0)
    dead.replays_over()
    assert told(hook)[1:] == [("a", "ALARM"), ("a", "OK")]
    assert hook.got[1][1]["X-Hale-Notification"] == first and hook.got[1][2] == hook.got[0][2]
    assert dead.redis.cmd("HLEN", M + "told") == 0
    assert dead.metric("hale_actuator_dead_letters_total") == 2
    assert dead.metric("hale_actuator_dead_letters_replayed_total") == 2
    dead.log.write(vnfc="a")                                 # and goes on as if nothing had been
    dead.log.write(vnfc="a", state="OK")
    wait_for(lambda: told(hook)[3:] == [("a", "ALARM"), ("a", "OK")], 10, "the next ones")


def test_whoever_got_the_raise_gets_the_clear(dead, receiver):
    hook = receiver()
    dead.subscribers({"name": "noc", "url": hook.url, "severity": ["CRITICAL"]})
    dead.log.write(vnfc="a")
    wait_for(lambda: told(hook) == [("a", "ALARM")], 10, "the raise")
    wait_for(lambda: dead.redis.cmd("HLEN", M + "told") == 1, 10, "that is remembered")
    dead.stack.kill9("actuator")
    dead.stack.restart("actuator")
    dead.log.write(vnfc="b", severity="LOW")                 # does not concern it, nor does its end
    dead.log.write(vnfc="b", severity="LOW", state="OK")
    dead.log.write(vnfc="a", severity="LOW", state="OK")     # less severe by now
    dead.log.write(vnfc="c")
    wait_for(lambda: told(hook) == [("a", "ALARM"), ("a", "OK"), ("c", "ALARM")], 10, "the end")
    hook.status = 410                                        # the raise is the last that gets through
    dead.log.write(vnfc="c", state="OK")
    letter = dead.await_letters(1)[0]
    assert (letter["state"], letter["reason"]) == ("OK", "refused")
    hook.status = 200
    dead.api("POST", "/replay?recipient=subscriber/noc", status=202)
    wait_for(lambda: told(hook)[-1] == ("c", "OK") and not dead.letters(), 10, "the end of c")


def test_whoever_hears_of_no_end_costs_no_memory(dead, receiver):
    """What is kept of a begin is kept for its end."""
    hook, bad = receiver(), receiver(422)
    dead.subscribers(*[{"name": name, "url": to.url, "severity": ["CRITICAL"], "states": ["ALARM"]}
                       for name, to in (("noc", hook), ("bad", bad))])
    for vnfc in "abc":
        dead.log.write(vnfc=vnfc)
    dead.await_letters(3)
    for name in ("noc", "bad"):
        wait_for(lambda: dead.redis.cmd("GET", M + "cursor:" + name) == b"3", 20, "the cursor of " + name)
    assert dead.redis.cmd("HGETALL", M + "told") == []


def test_expired_filters_and_drops(dead, receiver):
    hook = receiver(503)
    ident = dead.method(hook.url)
    dead.definition(alarm=[ident], ok=[ident])
    dead.subscribers({"name": "noc", "url": hook.url}, notify_max_age="1h")
    for i in range(3):
        dead.log.write(vnfc=f"v{i}", age_ms=7200000)
    letters = dead.await_letters(6)
    assert {(x["recipient"], x["reason"]) for x in letters} == {
        ("subscriber/noc", "expired"), ("method/" + ident, "expired")}
    assert hook.got == []
    mine = dead.letters(f"?recipient=method/{ident}")
    assert [x["seq"] for x in mine] == [1, 2, 3]
    assert dead.letters("?to=2020-01-01T00:00:00Z") == []
    assert len(dead.letters("?from=2020-01-01T00:00:00Z&limit=4")) == 4
    assert dead.letters(tenant="other") == []
    assert dead.api("GET", "/" + mine[0]["id"], tenant="other").status == 404
    assert dead.api("POST", f"/{mine[0]['id']}/replay", tenant="other").status == 404
    assert dead.api("DELETE", "/" + mine[0]["id"], tenant="other").status == 404
    assert dead.api("DELETE", f"?recipient=method/{ident}", tenant="other").json == {"letters": 0}
    assert dead.api("POST", "/replay").status == 422

    text = dead.cli("list", "--recipient", f"method/{ident}")
    assert text.count("expired") == 3 and "dns-vnfc-down" in text
    dead.cli("drop", mine[0]["id"])
    dead.cli("drop", "no-such-letter", code=1)
    assert [x["seq"] for x in dead.letters(f"?recipient=method/{ident}")] == [2, 3]
    hook.status = 200
    dead.cli("replay", "--recipient", f"method/{ident}")
    wait_for(lambda: not dead.letters(f"?recipient=method/{ident}"), 20, "the method's letters")
    assert told(hook) == [("v1", "ALARM"), ("v2", "ALARM")]
    dead.cli("drop", "--recipient", "subscriber/noc")
    assert dead.letters() == []
    assert dead.redis.cmd("HLEN", M + "deadletters") == 0


def test_replays_survive_kill9(dead, receiver):
    """None is lost; what was under way in a crash, or not yet written down as taken, comes with the same id."""
    hook = receiver(400)
    dead.subscribers({"name": "noc", "url": hook.url})
    for i in range(20):
        dead.log.write(vnfc=f"v{i}")
    dead.await_letters(20)
    hook.got.clear()
    dead.stack.kill9("actuator")
    hook.status = 200
    dead.api("POST", "/replay?recipient=subscriber/noc", status=202)   # nobody is there to do it
    assert all(x["replay"]["by"] for x in dead.letters())
    for n in (1, 8, 15):
        dead.stack.restart("actuator")
        wait_for(lambda: len(hook.got) >= n, 20, f"{n} letters")
        dead.stack.kill9("actuator")
    dead.stack.restart("actuator")
    dead.await_letters(0)
    dead.replays_over()
    ids = [h["X-Hale-Notification"] for _, h, _ in hook.got]
    assert len(set(ids)) == 20 and len(ids) <= 35, ids       # three crashes
    assert max(ids.count(i) for i in ids) <= 4
    order = list(dict.fromkeys(v for v, _ in told(hook)))
    assert order == [f"v{i}" for i in range(20)]


def test_ceiling_of_a_recipient(dead, receiver):
    hook = receiver(400)
    dead.subscribers({"name": "noc", "url": hook.url})
    for i in range(1010):
        dead.log.write(vnfc=f"v{i}")
    wait_for(lambda: dead.metric("hale_actuator_dead_letters_dropped_total") == 10, 30, "ten to go")
    letters = dead.letters("?recipient=subscriber/noc")
    assert len(letters) == 1000 and min(x["seq"] for x in letters) == 11
    assert dead.redis.cmd("HLEN", M + "deadletters") == 2000   # with their records
