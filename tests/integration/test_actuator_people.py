# SPDX-License-Identifier: Apache-2.0
"""Subscribers that are people: letters, and alarms in groups; with a real mail server of the test."""
import email
import email.policy
import signal
import subprocess

import pytest
from conftest import binary, to_yaml, wait_for
from test_actuator import receiver  # noqa: F401 (fixture)
from test_actuator_deadletters import dead  # noqa: F401 (fixture)
from test_actuator_methods import Letters, smtp  # noqa: F401

M = "hale:{m}:"
SMTP = {"from": "hale@example.org"}
QUICK = {"group_wait": "1500ms", "group_interval": "2s", "repeat_interval": "1h"}


def letters_of(server):
    return [email.message_from_bytes(text, policy=email.policy.default)
            for _, _, text, _, _ in list(server.got)]


def test_letters_to_several_people(dead, smtp):  # noqa: F811
    server = smtp()
    server.fail = 1
    to = ["anna@example.org", "bert@example.org"]
    dead.subscribers({"name": "noc", "profile": "email", "to": to}, smtp=dict(SMTP, url=server.url))
    name = "Überlast 公\r\nBcc: evil@example.org"
    alarm = dead.log.write(name=name)["alarm"]
    dead.log.write(name=name, state="OK")
    wait_for(lambda: len(server.got) == 2, 20, "two letters")
    assert [got[1] for got in server.got] == [to, to]
    first, second = letters_of(server)
    assert [a.addr_spec for a in first["To"].addresses] == to and first["Bcc"] is None
    assert str(first["Subject"]).startswith('ALARM CRITICAL "Überlast 公')
    assert first["References"] == second["References"] == f"<{alarm['id']}@thread.hale>"
    assert first["Message-ID"] != second["Message-ID"]
    assert all(len(line) <= 78 for got in server.got for line in got[2].split(b"\r\n"))


def test_a_letter_that_is_refused_is_kept(dead, smtp):  # noqa: F811
    server = smtp()

    async def handle_RCPT(srv, session, envelope, address, options):
        if server.refuse:
            return "550 no such person"
        envelope.rcpt_tos.append(address)
        return "250 OK"
    server.refuse, server.handle_RCPT = True, handle_RCPT
    dead.subscribers({"name": "noc", "profile": "email", "to": "anna@example.org"},
                     smtp=dict(SMTP, url=server.url))
    dead.log.write()
    letter = dead.await_letters(1)[0]
    assert letter["reason"] == "refused" and "550" in letter["detail"]
    server.refuse = False
    dead.api("POST", f"/{letter['id']}/replay", status=202)
    dead.await_letters(0)
    assert letters_of(server)[0]["Message-ID"] == f"<{letter['id']}@hale>"


def test_groups_in_one_letter(dead, smtp):  # noqa: F811
    server = smtp()
    dead.subscribers(dict(QUICK, name="noc", profile="email", to="anna@example.org",
                          group_by=["vnf_id", "alertname"]), smtp=dict(SMTP, url=server.url))
    for vnfc in "abc":
        dead.log.write(vnfc=vnfc)
    dead.log.write(vnfc="gone")                              # over before anybody is told
    dead.log.write(vnfc="gone", state="OK")
    wait_for(lambda: server.got, 20, "a letter")
    first = letters_of(server)[0]
    assert str(first["Subject"]) == "[ALARM:3] vnf_id=dns-vnf alertname=dns-vnfc-down"
    text = first.get_content()
    assert text.count("alarm_id: ") == 3 and "3 raised, 0 ended" in text
    dead.log.write(vnfc="a", state="OK")
    dead.log.write(vnfc="d")
    wait_for(lambda: len(server.got) == 2, 20, "the changes")
    second = letters_of(server)[1]
    assert str(second["Subject"]) == "[ALARM:3 OK:1] vnf_id=dns-vnf alertname=dns-vnfc-down"
    assert second["References"] == first["References"]
    dead.stack.kill9("actuator")                             # neither lost nor told twice
    dead.log.write(vnfc="e")
    dead.stack.restart("actuator")
    wait_for(lambda: len(server.got) == 3, 20, "what came meanwhile")
    assert str(letters_of(server)[2]["Subject"]).startswith("[ALARM:4]")
    for vnfc in "bcde":
        dead.log.write(vnfc=vnfc, state="OK")
    wait_for(lambda: len(server.got) == 4, 20, "the end")
    assert str(letters_of(server)[3]["Subject"]).startswith("[OK:4]")
    wait_for(lambda: dead.redis.cmd("HLEN", M + "groups") == 0, 20, "nothing to be kept")
    assert len({m["Message-ID"] for m in letters_of(server)}) == 4


@pytest.mark.parametrize("how", ["reload", "restart"])
def test_groups_that_are_turned_off(dead, smtp, how):  # noqa: F811
    """What waits in them is told at once, then each alarm alone; nothing is kept."""
    server = smtp()
    person = {"name": "noc", "profile": "email", "to": "anna@example.org"}
    dead.subscribers(dict(person, group_by=["vnf_id"], group_wait="1h"), smtp=dict(SMTP, url=server.url))
    dead.log.write(vnfc="a")
    dead.log.write(vnfc="b")
    wait_for(lambda: dead.redis.cmd("HLEN", M + "groups") == 3, 20, "a group of two")
    daemon = dead.stack.daemons["actuator"]
    daemon.config["subscribers"] = [person]
    if how == "restart":
        dead.stack.kill9("actuator")
        dead.stack.restart("actuator")
    else:
        daemon.write_config()
        daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: server.got, 20, "what waited")
    assert str(letters_of(server)[0]["Subject"]) == "[ALARM:2] vnf_id=dns-vnf"
    wait_for(lambda: dead.redis.cmd("HLEN", M + "groups") == 0, 20, "nothing to be kept")
    dead.log.write(vnfc="a", state="OK")
    dead.log.write(vnfc="c")
    wait_for(lambda: len(server.got) == 3, 20, "each by itself")
    assert [str(m["Subject"]).split()[0] for m in letters_of(server)[1:]] == ["OK", "ALARM"]


def test_groups_of_slack_and_pagerduty(dead, receiver, tmp_path):
    slack, duty = receiver(), receiver(202)
    (tmp_path / "key").write_text("the key\n")
    dead.subscribers(dict(QUICK, name="chat", profile="slack", url=slack.url, group_by=[]),
                     dict(QUICK, name="duty", profile="pagerduty", url=duty.url, group_by=["vnf_id"],
                          secret_file=str(tmp_path / "key")))
    dead.log.write(vnfc="a", severity="LOW")
    dead.log.write(vnfc="b<c>")
    wait_for(lambda: slack.got and duty.got, 20, "both")
    body = slack.bodies()[0]
    assert body["text"].startswith("[ALARM:2]") and "&lt;c&gt;" in body["attachments"][0]["text"]
    incident = duty.bodies()[0]
    assert (incident["routing_key"], incident["event_action"]) == ("the key", "trigger")
    assert incident["payload"]["severity"] == "critical"
    assert len(incident["payload"]["custom_details"]["alarms"]) == 2
    dead.log.write(vnfc="a", state="OK")
    dead.log.write(vnfc="b<c>", state="OK")
    wait_for(lambda: duty.bodies()[-1]["event_action"] == "resolve", 20, "the end")
    assert duty.bodies()[-1]["dedup_key"] == incident["dedup_key"]


def test_a_group_that_is_refused_is_kept_and_sent_again(dead, receiver):
    hook = receiver(400)
    dead.subscribers(dict(QUICK, name="chat", profile="slack", url=hook.url, group_by=["vnf_id"]))
    dead.log.write(vnfc="a")
    letter = dead.await_letters(1)[0]
    assert letter["reason"] == "refused" and letter["group"]["raised"] == 1
    dead.log.write(vnfc="a", state="OK")                     # not told: nobody knows of it
    hook.status = 200
    dead.api("POST", f"/{letter['id']}/replay", status=202)
    dead.await_letters(0)
    assert [b["text"] for b in hook.bodies()] == ["[ALARM:1] vnf_id=dns-vnf"] * 2
    assert len({h["X-Hale-Notification"] for _, h, _ in hook.got}) == 1


@pytest.mark.parametrize("subscriber, words", [
    ({"profile": "hale", "url": "http://x/", "group_wait": "30s"}, "machines are told everything"),
    ({"profile": "ves", "url": "http://x/", "group_by": ["a"]}, "machines are told everything"),
    ({"profile": "email", "to": "a@b\r\nBcc: c@d"}, "is not an address"),
    ({"profile": "email", "url": "http://x/", "to": "a@b"}, "has no url"),
    ({"profile": "email"}, "needs to"),
    ({"profile": "slack", "url": "http://x/", "to": "a@b"}, "to is for profile email"),
    ({"profile": "slack", "url": "http://x/", "group_by": [], "states": ["ALARM"]}, "ALARM and OK"),
])
def test_wrong_configurations_say_why(tmp_path, subscriber, words):
    path = tmp_path / "actuator.yaml"
    path.write_text(to_yaml({"redis": "127.0.0.1:1", "smtp": {"url": "smtp://m", "from": "a@b"},
                             "subscribers": [dict(subscriber, name="x")]}))
    done = subprocess.run([str(binary("actuator")), "--check-config", "--config", str(path)],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode != 0 and words in done.stderr + done.stdout, done
