# SPDX-License-Identifier: Apache-2.0
"""Subscribers that are SNMP managers: informs and traps to a real snmptrapd, which has HALE-MIB loaded."""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess

import pytest
from conftest import ROOT, binary, wait_for
from test_actuator import receiver  # noqa: F401 (fixture)
from test_actuator_deadletters import dead  # noqa: F401 (fixture)

MIB = ROOT / "packaging/mibs/HALE-MIB.txt"
AUTH, PRIV = "correct horse battery", "staple under the moon"
ENGINE = "0x80001f88046e6f63"


def ietf():
    """Where the modules are that HALE-MIB imports."""
    found = sorted(pathlib.Path("/usr/lib/erlang/lib").glob("snmp-*/mibs/SNMPv2-SMI.mib"))
    assert found, "no SNMPv2-SMI: install erlang-snmp"
    return str(found[-1].parent)


def unused_port(family, host, kind):
    with socket.socket(family, kind) as s:
        s.bind((host, 0))
        return s.getsockname()[1]


class Manager:
    """snmptrapd, which can end and come back at the same address. got: one dictionary a notification."""

    def __init__(self, directory, config, transport="udp", host="127.0.0.1"):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.directory, self.transport = directory, transport
        directory.mkdir()
        (directory / "snmptrapd.conf").write_text(config)
        self.out = directory / "out"
        self.out.write_text("")
        kind = socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM
        self.port = unused_port(family, host, kind)
        self.at = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        self.url = f"{transport}://{self.at}"
        self.process = None

    def start(self):
        prefix = self.transport + ("6" if "[" in self.at else "")
        env = dict(os.environ, SNMP_PERSISTENT_DIR=str(self.directory), SNMPCONFPATH=str(self.directory))
        self.process = subprocess.Popen(
            [shutil.which("snmptrapd") or "/usr/sbin/snmptrapd", "-f", "-C", "-c",
             str(self.directory / "snmptrapd.conf"), "-Lf", str(self.out), "-M",
             f"{ietf()}:{MIB.parent}", "-m", "HALE-MIB:SNMPv2-MIB", "-OQ", "-F", "GOT %v\n", f"{prefix}:{self.at}"],
            env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self.listens, 20, "snmptrapd")
        return self

    def listens(self):
        assert self.process.poll() is None, self.out.read_text()
        return "NET-SNMP version" in self.out.read_text()

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
            self.out.rename(self.out.with_suffix(f".{len(list(self.directory.glob('out*')))}"))
            self.out.write_text("")

    @property
    def got(self):
        files = sorted(self.directory.glob("out.*")) + [self.out]
        lines = [line for f in files for line in f.read_text(errors="replace").split("\n")
                 if line.startswith("GOT ")]
        return [dict(pair.split(" = ", 1) for pair in line[4:].split("\t") if " = " in pair) for line in lines]

    def told(self):
        """(vnfc, notification) of each, repeats left out."""
        return list(dict.fromkeys(
            (re.search(r'"vnfc_id":"([^"]*)"', g["HALE-MIB::haleAlarmDimensions.0"]).group(1),
             g["SNMPv2-MIB::snmpTrapOID.0"].removeprefix("HALE-MIB::haleAlarm")) for g in self.got))


@pytest.fixture
def manager(tmp_path):
    made = []

    def make(config="authCommunity log public\n", start=True, **more):
        made.append(Manager(tmp_path / f"manager{len(made)}", config, **more))
        return made[-1].start() if start else made[-1]
    yield make
    for one in made:
        one.stop()


@pytest.fixture
def secret(tmp_path):
    def make(text):
        path = tmp_path / f"secret-{abs(hash(text))}"
        path.write_text(text + "\n")
        return str(path)
    return make


def nms(manager, name="nms", **snmp):
    return {"name": name, "profile": "snmp", "url": manager.url, "timeout": "1s", "snmp": snmp}


def test_inform_v2c_has_all_that_a_manager_wants(dead, manager, secret):  # noqa: F811
    m = manager()
    dead.subscribers(nms(m, community_file=secret("public")))
    record = dead.log.write(vnfc="a", name='nic.down "公\n\t"')
    dead.log.write(vnfc="a", name='nic.down "公\n\t"', state="OK")
    wait_for(lambda: len(m.got) == 2, 20, f"two notifications, got {m.got}")
    first, second = m.got
    got = {k.removeprefix("HALE-MIB::").removesuffix(".0"): v for k, v in first.items()}
    assert got.pop("haleNotificationId") != second["HALE-MIB::haleNotificationId.0"]
    assert re.match(r"2\d\d\d-", got.pop("haleAlarmTime")) and got.pop("haleAlarmCreated")
    assert re.match(r"0:0:\d+:\d+\.\d+", got.pop("DISMAN-EVENT-MIB::sysUpTimeInstance", None) or
                    got.pop("SNMPv2-MIB::sysUpTime", "0:0:0:0.0"))
    assert {k: v.strip('"') for k, v in got.items()} == {
        "SNMPv2-MIB::snmpTrapOID": "HALE-MIB::haleAlarmRaised", "haleAlarmSequence": "1",
        "haleAlarmId": record["alarm"]["id"], "haleAlarmDefinitionId": "d1",
        "haleAlarmName": 'nic.down "公  ', "haleAlarmDescription": "", "haleAlarmTenant": "default",
        "haleAlarmPerceivedSeverity": "critical", "haleAlarmSeverity": "critical",
        "haleAlarmEventType": "communicationsAlarm",
        "haleAlarmProbableCause": "communicationsSubsystemFailure", "haleAlarmSource": "a",
        "haleAlarmDimensions": '{"vnf_id":"dns-vnf","vnfc_id":"a"}', "haleAlarmState": "alarm",
        "haleAlarmOldState": "ok", "haleAlarmReason": got["haleAlarmReason"].strip('"')}
    assert "is" in got["haleAlarmReason"] and "公" in got["haleAlarmReason"]
    assert second["SNMPv2-MIB::snmpTrapOID.0"] == "HALE-MIB::haleAlarmCleared"
    assert second["HALE-MIB::haleAlarmPerceivedSeverity.0"] == "cleared"
    assert dead.letters() == [] and dead.metric("hale_actuator_notifications_total") == 2


USERS = (f'createUser one SHA-1 "{AUTH}"\nauthUser log one auth\n'
         f'createUser two SHA-256 "{AUTH}" AES "{PRIV}"\nauthUser log two priv\n'
         f'createUser three SHA-512 "{AUTH}" AES-256 "{PRIV}"\nauthUser log three priv\n'
         f'createUser four SHA-224 "{AUTH}" AES-192-C "{PRIV}"\nauthUser log four priv\n')


@pytest.mark.parametrize("transport, host", [("udp", "127.0.0.1"), ("tcp", "127.0.0.1"), ("udp", "::1")])
def test_inform_v3(dead, manager, secret, transport, host):  # noqa: F811
    m = manager(USERS, transport=transport, host=host)
    v3 = dict(version=3, auth_file=secret(AUTH))
    priv = dict(v3, priv_file=secret(PRIV))
    subscribers = [nms(m, "one", user="one", auth="SHA-1", **v3), nms(m, "two", user="two", **priv),
                   nms(m, "three", user="three", auth="SHA-512", priv="AES-256", **priv),
                   nms(m, "four", user="four", auth="SHA-224", priv="AES-192-C", **priv)]
    subscribers[1]["url"] = m.url.replace("127.0.0.1", "localhost")   # a name
    dead.subscribers(*subscribers)
    dead.log.write(vnfc="a")
    dead.log.write(vnfc="a", state="OK")
    wait_for(lambda: len(m.got) == 8, 20, f"two from each, got {m.got}")
    assert m.told() == [("a", "Raised"), ("a", "Cleared")]
    assert len({g["HALE-MIB::haleNotificationId.0"] for g in m.got}) == 8
    m.stop()                                                 # the manager boots: its clock begins anew
    m.start()
    dead.log.write(vnfc="b")
    wait_for(lambda: ("b", "Raised") in m.told() and len(m.got) >= 12, 20, f"after its boot: {m.got}")
    log = dead.stack.daemons["actuator"].log()
    assert AUTH not in log and PRIV not in log and dead.letters() == []


def test_traps(dead, manager, secret):  # noqa: F811
    m = manager(f'authCommunity log public\ncreateUser -e {ENGINE} noc SHA-512 "{AUTH}" AES-256 "{PRIV}"\n'
                'authUser log noc priv\n')
    dead.subscribers(nms(m, "v2", kind="trap", community_file=secret("public"), oid="1.3.6.1.4.1.99999.7"),
                     nms(m, "v3", kind="trap", version=3, user="noc", auth="SHA-512", priv="AES-256",
                         auth_file=secret(AUTH), priv_file=secret(PRIV), engine_id=ENGINE))
    dead.log.write(vnfc="a")
    wait_for(lambda: len(m.got) == 2, 20, f"two traps, got {m.got}")
    other = [g for g in m.got if "99999.7.0.1" in g["SNMPv2-MIB::snmpTrapOID.0"]]
    assert len(other) == 1 and any(k.endswith("99999.7.1.3.0") for k in other[0])
    dead.stack.kill9("actuator")                             # its engine's clock goes on
    dead.stack.restart("actuator")
    dead.log.write(vnfc="a", state="OK")
    wait_for(lambda: [g["HALE-MIB::haleAlarmState.0"] for g in m.got if "HALE-MIB::haleAlarmState.0" in g]
             == ["alarm", "ok"], 20, f"the end by the trap of version 3, got {m.got}")
    assert dead.letters() == []                              # nobody can know of those that are lost


def test_down_then_up(dead, manager, receiver, secret):  # noqa: F811
    m, hook = manager(start=False), receiver()
    dead.subscribers(nms(m, community_file=secret("public")), {"name": "hook", "url": hook.url})
    order = []
    for i in range(6):
        dead.log.write(vnfc=f"v{i}")
        dead.log.write(vnfc=f"v{i}", state="OK")
        order += [(f"v{i}", "Raised"), (f"v{i}", "Cleared")]
    wait_for(lambda: len(hook.got) == 12, 20, "the hook, which does not wait for the dead manager")
    wait_for(lambda: "subscriber_failing subscriber=nms" in dead.stack.daemons["actuator"].log(), 20, "a try")
    m.start()
    wait_for(lambda: m.told() == order, 30, f"all, in order; got {m.told()}")
    m.stop()
    dead.log.write(vnfc="later")
    m.start()
    wait_for(lambda: m.told()[12:] == [("later", "Raised")], 30, f"what came meanwhile; got {m.told()}")
    assert dead.letters() == []


def test_wrong_secrets_are_dead_letters_with_the_reason(dead, manager, secret):  # noqa: F811
    m = manager("authCommunity log public\n" + USERS)
    v3 = dict(version=3, auth_file=secret(AUTH), priv_file=secret(PRIV))
    wrong = secret("tentative")
    subscribers = [
        nms(m, "community", community_file=secret("private")), nms(m, "nobody", user="nobody", **v3),
        nms(m, "auth", user="two", **dict(v3, auth_file=wrong)),
        nms(m, "level", user="one", auth="SHA-1", **v3),
        nms(m, "right", community_file=secret("public"))]
    dead.subscribers(*subscribers, notify_max_age="2s")
    dead.log.write(vnfc="a")
    letters = {x["name"]: x for x in dead.await_letters(4)}
    assert {x["reason"] for x in letters.values()} == {"expired"} and "right" not in letters
    assert all(x["tries"] >= 2 for x in letters.values())
    assert "the community is not accepted" in letters["community"]["detail"]
    assert "usmStatsUnknownUserNames" in letters["nobody"]["detail"]
    assert "usmStatsWrongDigests" in letters["auth"]["detail"]
    assert "usmStatsUnsupportedSecLevels" in letters["level"]["detail"]
    assert m.told() == [("a", "Raised")]

    # With the right passphrase it goes, with the id it had.
    with open(wrong, "w") as f:
        f.write(AUTH)
    actuator = dead.stack.daemons["actuator"]
    actuator.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "event=reloaded" in actuator.log(), 20, "the reload")
    dead.api("POST", f"/{letters['auth']['id']}/replay", status=202)
    dead.await_letters(3)
    assert letters["auth"]["id"] in [g["HALE-MIB::haleNotificationId.0"].strip('"') for g in m.got]
    for word in ("private", "tentative", AUTH, PRIV):
        assert word not in actuator.log()


def test_kill9_loses_nothing_and_repeats_are_recognised(dead, manager, secret):  # noqa: F811
    m = manager(USERS)
    dead.subscribers(nms(m, version=3, user="two", auth_file=secret(AUTH), priv_file=secret(PRIV)))
    for n in range(3):
        for i in range(8):
            dead.log.write(vnfc=f"v{n}-{i}")
        wait_for(lambda: len(m.told()) >= 8 * n + 3, 20, f"some of the {n + 1}th eight")
        dead.stack.kill9("actuator")
        dead.stack.restart("actuator")
    order = [(f"v{n}-{i}", "Raised") for n in range(3) for i in range(8)]
    wait_for(lambda: m.told() == order, 30, f"all, in order; got {m.told()}")
    ids = {}
    for g in m.got:
        ids.setdefault(g["HALE-MIB::haleAlarmSequence.0"], set()).add(g["HALE-MIB::haleNotificationId.0"])
    assert len(ids) == 24 and all(len(v) == 1 for v in ids.values())
    assert len(m.got) < 2 * 24  # a kill repeats at most what was told since the last mark


def test_the_mib_is_clean(tmp_path):
    """smilint may complain of the modules that are imported, not of ours."""
    env = dict(os.environ, SMIPATH=ietf())

    def lint(path):
        done = subprocess.run(["smilint", "-l", "3", str(path)], capture_output=True, text=True, env=env, timeout=60)
        return [line for line in (done.stdout + done.stderr).splitlines() if "SNMPv2-SMI.mib" not in line]
    assert lint(MIB) == []
    broken = tmp_path / "HALE-MIB.txt"
    broken.write_text(MIB.read_text().replace("haleAlarmRaised,\n", "haleAlarmRaisen,\n"))
    assert lint(broken)
    names = [line.split()[0] for line in MIB.read_text().splitlines() if "OBJECT-TYPE" in line and "IMPORTS" not in line
             and line[0] != " "]
    assert len(names) == 26
