# SPDX-License-Identifier: Apache-2.0
"""Notification methods of people, whose alarms come in groups; with a real mail server of the test."""
import email
import email.policy
import signal

import pytest
from conftest import wait_for
from test_actuator import receiver  # noqa: F401 (fixture)
from test_actuator_deadletters import dead  # noqa: F401 (fixture)
from test_actuator_methods import smtp  # noqa: F401 (fixture)

M = "hale:{m}:"
QUICK = {"group_wait": "1500ms", "group_interval": "2s", "repeat_interval": "1h"}
BY_VNF = dict(QUICK, group_by=["vnf_id"])


def subjects(server, to=None):
    return [str(email.message_from_bytes(got[2], policy=email.policy.default)["Subject"])
            for got in list(server.got) if to is None or got[1] == [to]]


def start(house, server, grouping=BY_VNF, **config):
    return house.start(smtp={"url": server.url, "from": "hale@example.org"},
                       methods={"email": grouping} if grouping else {}, **config)


def ids_of(server):
    return [email.message_from_bytes(got[2], policy=email.policy.default)["Message-ID"]
            for got in list(server.got)]


def test_letters_in_groups_also_over_a_crash(dead, smtp):  # noqa: F811
    server = smtp()
    both, begins = (dead.method(f"{who}@example.org", "EMAIL") for who in ("both", "begins"))
    dead.definition(alarm=[both, begins], ok=[both])
    start(dead, server)
    for vnfc in "abc":
        dead.log.write(vnfc=vnfc)
    dead.log.write(vnfc="gone")                              # over before anybody is told
    dead.log.write(vnfc="gone", state="OK")
    wait_for(lambda: len(server.got) == 2, 20, "a letter each")
    assert set(subjects(server)) == {"[ALARM:3] vnf_id=dns-vnf"}
    dead.log.write(vnfc="a", state="OK")
    dead.stack.kill9("actuator")                             # neither lost nor told twice
    dead.log.write(vnfc="d")
    dead.stack.restart("actuator")
    wait_for(lambda: len(server.got) == 4, 20, "what came meanwhile")
    assert subjects(server, "both@example.org")[1] == "[ALARM:3 OK:1] vnf_id=dns-vnf"
    assert subjects(server, "begins@example.org")[1] == "[ALARM:3] vnf_id=dns-vnf"
    assert len(set(ids_of(server))) == 4
    for vnfc in "bcd":
        dead.log.write(vnfc=vnfc, state="OK")
    wait_for(lambda: len(server.got) == 5, 20, "the end")
    assert subjects(server, "both@example.org")[2] == "[OK:3] vnf_id=dns-vnf"
    wait_for(lambda: dead.redis.cmd("HLEN", M + "groups") == 0, 20, "nothing to be kept")


def test_what_is_no_part_of_a_group_goes_at_once(dead, smtp):  # noqa: F811
    server = smtp()
    slow = dict(BY_VNF, group_wait="1h")
    ident, ends = (dead.method(f"{who}@example.org", "EMAIL") for who in ("all", "ends"))
    dead.definition(alarm=[ident], ok=[ends], undetermined=[ident])
    start(dead, server, slow)
    dead.log.write(vnfc="a", state="UNDETERMINED")
    dead.log.write(vnfc="b")
    dead.log.write(vnfc="b", state="OK")
    wait_for(lambda: len(server.got) == 2, 20, "two letters")
    assert sorted(s.split()[0] for s in subjects(server)) == ["OK", "UNDETERMINED"]
    wait_for(lambda: dead.redis.cmd("HGET", M + "act:meta", "alarmlog") == b"3", 20, "the position")
    assert len(server.got) == 2


@pytest.mark.parametrize("how", ["restart", "reload"])
def test_changes_of_what_is_named_and_of_the_configuration(dead, smtp, how):  # noqa: F811
    server = smtp()
    slow = dict(BY_VNF, group_wait="1h")
    ident = dead.method("anna@example.org", "EMAIL")
    dead.definition(alarm=[ident], ok=[ident])
    dead.definition(alarm=[ident], ok=[ident], ident="d2")
    daemon = start(dead, server, slow)
    dead.log.write(vnfc="a")
    dead.log.write(vnfc="b", definition="d2")
    wait_for(lambda: dead.redis.cmd("HLEN", M + "groups") == 3, 20, "a group of two")
    dead.definition(ident="d2")                              # it names nobody any more
    wait_for(lambda: dead.redis.cmd("HLEN", M + "groups") == 2, 20, "a group of one")
    daemon.config["notification_methods"].pop("email")       # without groups what waits goes at once
    if how == "restart":
        dead.stack.kill9("actuator")
        dead.stack.restart("actuator")
    else:
        daemon.write_config()
        daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: subjects(server) == ["[ALARM:1] vnf_id=dns-vnf"], 20, "what waited")
    wait_for(lambda: dead.redis.cmd("HLEN", M + "groups") == 0, 20, "nothing to be kept")
    dead.log.write(vnfc="a", state="OK")
    wait_for(lambda: len(server.got) == 2, 20, "the end")
    assert subjects(server)[1].startswith('OK CRITICAL "dns-vnfc-down"')
    dead.drop(ident)


def test_a_dropped_method_leaves_nothing(dead, smtp):  # noqa: F811
    server = smtp()
    ident = dead.method("anna@example.org", "EMAIL")
    dead.definition(alarm=[ident])
    start(dead, server, dict(BY_VNF, group_wait="1h"))
    dead.log.write(vnfc="a")
    wait_for(lambda: dead.redis.cmd("HLEN", M + "groups") == 2, 20, "a group")
    dead.drop(ident)
    wait_for(lambda: dead.redis.cmd("HLEN", M + "groups") == 0, 20, "nothing to be kept")
    assert server.got == []


def test_tenants_and_methods_are_never_mixed(dead, smtp):  # noqa: F811
    server = smtp()
    ours, theirs = dead.method("ours@example.org", "EMAIL"), dead.method(
        "theirs@example.org", "EMAIL", tenant="other")
    dead.definition(alarm=[ours, theirs])
    start(dead, server, dict(QUICK, group_by=[]))
    dead.log.write(vnfc="a")
    dead.log.write(vnfc="b", tenant="other")
    dead.log.write(vnfc="c")
    wait_for(lambda: len(server.got) == 2, 20, "a letter each")
    text = {got[1][0]: email.message_from_bytes(
        got[2], policy=email.policy.default).get_content() for got in server.got}
    assert "2 raised, 0 ended, tenant default" in text["ours@example.org"]
    assert "1 raised, 0 ended, tenant other" in text["theirs@example.org"]


def test_pagerduty_has_one_incident_a_group(dead, receiver):  # noqa: F811
    duty = receiver(400)
    ident = dead.method("the key", "PAGERDUTY")
    dead.definition(alarm=[ident], ok=[ident])
    dead.start(methods={"pagerduty_url": duty.url, "pagerduty": BY_VNF})
    dead.log.write(vnfc="a")
    letter = dead.await_letters(1)[0]                        # refused, and sent again
    assert (letter["recipient"], letter["reason"]) == (f"method/{ident}", "refused")
    assert letter["group"]["raised"] == 1 and letter["seq"] == 0
    duty.status = 200
    dead.api("POST", f"/{letter['id']}/replay", status=202)
    dead.await_letters(0)
    dead.log.write(vnfc="b")
    wait_for(lambda: len(duty.got) == 3, 20, "the next message")
    again, both = duty.bodies()[1:]
    assert again == duty.bodies()[0]
    assert len({h["X-Hale-Notification"] for _, h, _ in duty.got[:2]}) == 1
    assert (both["service_key"], both["event_type"]) == ("the key", "trigger")
    assert both["description"] == "[ALARM:2] vnf_id=dns-vnf"
    assert both["incident_key"] == again["incident_key"] and len(both["details"]["alarms"]) == 2
    for vnfc in "ab":
        dead.log.write(vnfc=vnfc, state="OK")
    wait_for(lambda: duty.bodies()[-1]["event_type"] == "resolve", 20, "the end")
    assert duty.bodies()[-1]["incident_key"] == both["incident_key"]


@pytest.mark.parametrize("key", ["email", "pagerduty"])
def test_wrong_groups_say_why(dead, key):  # noqa: F811
    daemon = dead.stack.start("actuator", {"notification_methods": {key: {"group_wait": "2d"}}},
                              wait=False)
    daemon.expected_end = True
    assert daemon.process.wait(10) != 0 and "group_wait" in daemon.log()
