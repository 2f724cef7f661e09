# SPDX-License-Identifier: Apache-2.0
"""The whole house for tests and benchmarks: every daemon, the lab, and words to ask them.

House(stack) starts the collector, thresholds, correlator, the lab (a VNFM over real DNS servers), the
actuator with the lab's policies, an agent that watches the lab, and applies the lab's definitions.
"""
import json
import pathlib
import random
import socket
import subprocess
import sys
import threading
import time
import urllib.request

from conftest import ROOT, binary, free_port, http_call, wait_for

LAB = ROOT / "tests" / "lab"
ORDER = ["collector", "thresholds", "correlator", "actuator", "agent"]


def free_ports(n):
    """First of n consecutive UDP ports of 127.0.0.1 that were free a moment ago."""
    while True:
        first = random.randrange(20000, 30000 - n)
        taken = []
        try:
            for port in range(first, first + n):
                taken.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                taken[-1].bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
        finally:
            for s in taken:
                s.close()


class House:
    def __init__(self, stack, lab_args=(), policies=None, actuator=None, agent=True, daemons=None):
        self.stack = stack
        self.dir = stack.dir
        self.lab_port = free_port()
        self.lab = None
        try:
            self.build(lab_args, policies, actuator, agent, daemons or {})
        except BaseException:
            self.stop()
            raise

    def build(self, lab_args, policies, actuator, agent, daemons):
        stack = self.stack
        secret = self.dir / "secrets"
        secret.mkdir(exist_ok=True)
        self.agent_token = stack.token("agent")
        (secret / "agent.token").write_text(self.agent_token + "\n")
        stack.start("collector", daemons.get("collector"))
        stack.start("thresholds", daemons.get("thresholds"))
        stack.start("correlator", daemons.get("correlator"))
        self.start_lab(lab_args)
        text = policies if policies is not None else (LAB / "policies.yaml").read_text()
        self.policies = self.dir / "policies.yaml"
        self.policies.write_text(text.replace("@LAB_URL@", self.lab_url))
        stack.start("actuator", {"policies": str(self.policies), **(actuator or {})})
        self.apply(LAB / "definitions.yaml")
        if agent:
            self.start_agent()

    # --- parts ----------------------------------------------------------------------------
    @property
    def lab_url(self):
        return "http://127.0.0.1:%d" % self.lab_port

    def start_lab(self, args=()):
        log = open(self.dir / "lab.log", "ab")
        self.lab = subprocess.Popen(
            [sys.executable, str(LAB / "lab.py"), "--state", str(self.dir), "--port",
             str(self.lab_port), "--dns-port", str(free_ports(16)), "--collector", self.stack.url, "--token-file",
             str(self.dir / "secrets" / "agent.token"), *args], stdout=log, stderr=log)

        def up():
            assert self.lab.poll() is None, (self.dir / "lab.log").read_text()
            try:
                return all(v["serving"] for v in self.lab_state()["vnfcs"])
            except OSError:
                return False
        wait_for(up, 30, "the lab")

    def start_agent(self):
        text = (LAB / "agent.yaml").read_text()
        port = free_port()
        for word, value in (("@LISTEN@", "127.0.0.1:%d" % port), ("@COLLECTOR@", self.stack.url),
                            ("@TOKEN_FILE@", str(self.dir / "secrets" / "agent.token")),
                            ("@STATE@", str(self.dir))):
            text = text.replace(word, value)
        import yaml
        self.stack.start("agent", {"listen": "127.0.0.1:%d" % port, "redis": None,
                                   **yaml.safe_load(text)})

    def apply(self, path):
        self.hale("apply", "-f", str(path))

    def hale(self, *args, code=0):
        done = subprocess.run([str(binary("cli")), *args, "--url", self.stack.url, "--token",
                               self.stack.token("operator")], capture_output=True, text=True,
                              timeout=60)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def stop(self):
        if self.lab and self.lab.poll() is None:
            self.lab.terminate()
            self.lab.wait(20)

    # --- the lab --------------------------------------------------------------------------
    def lab_call(self, method, path, body=None):
        answer = http_call("127.0.0.1", self.lab_port, method, path, body)
        assert answer.status < 300, answer
        return answer.json

    def lab_state(self):
        return self.lab_call("GET", "/lab/state")

    def kill(self, vnfc=None):
        return self.lab_call("POST", "/lab/fault", {"vnfc_id": vnfc} if vnfc else {})

    def requests(self, operation):
        """heal or scale requests that reached the VNFM."""
        return [r for r in self.lab_state()["requests"] if r["kind"] == operation]

    # --- alarms ---------------------------------------------------------------------------
    def get(self, path):
        answer = self.stack.http("GET", path)
        assert answer.status == 200, answer
        return answer.json

    def alarms(self, definition=None):
        rows = self.get("/v2.0/alarms")["elements"]
        return [a for a in rows if definition in (None, a["alarm_definition"]["name"])]

    def states(self, definition):
        """{vnfc_id (or vnf_id): state} of the alarms of a definition."""
        out = {}
        for a in self.alarms(definition):
            dims = a["metrics"][0]["dimensions"]
            out[dims.get("vnfc_id", dims.get("vnf_id"))] = a["state"]
        return out

    def log(self):
        return self.get("/v1/alarm-log?limit=1000")["elements"]

    def journal(self):
        return self.get("/v1/journal?limit=1000")["elements"]

    def wait_quiet(self, vnfcs=2, seconds=40):
        """Every VNFC has an alarm and all of them are OK."""
        def quiet():
            states = self.states("dns-vnfc-down")
            return len(states) >= vnfcs and set(states.values()) == {"OK"}
        wait_for(quiet, seconds, "all VNFC alarms OK", 0.05)

    def wait_verified(self, vnfc, n=1, seconds=40):
        """The n-th verified run for that VNFC; returns its row."""
        def rows():
            found = [r for r in self.journal() if r["kind"] == "verified" and vnfc in r["target"]]
            return found[n - 1] if len(found) >= n else None
        return wait_for(rows, seconds, f"run {n} for {vnfc} verified; journal "
                        f"{[(r['kind'], r['target'], r['text']) for r in self.journal()][-12:]}", 0.02)


class Poster(threading.Thread):
    """Posts samples without pause, one series per thread, and remembers what was acknowledged."""

    def __init__(self, stack, name, batch=50):
        super().__init__(daemon=True)
        self.stack, self.name_, self.batch = stack, name, batch
        self.token = stack.token("agent")
        self.acked, self.refused, self.bad = [], 0, []
        self.halt = threading.Event()
        self.next_ms = int(time.time() * 1000) - 60000

    def run(self):
        host, port = self.stack.address
        while not self.halt.is_set():
            times = [self.next_ms + i for i in range(self.batch)]
            self.next_ms += self.batch
            body = json.dumps([{"name": self.name_, "dimensions": {"p": "1"}, "timestamp": t,
                                "value": t % 1000} for t in times]).encode()
            while not self.halt.is_set():
                try:
                    answer = http_call(host, port, "POST", "/v2.0/metrics", body,
                                       {"X-Auth-Token": self.token,
                                        "Content-Type": "application/json"}, timeout=30)
                except OSError:
                    self.halt.wait(0.02)
                    continue
                if answer.status == 204:
                    self.acked.extend(times)
                    break
                if answer.status == 503 and "retry-after" in answer.headers:
                    self.refused += 1
                    self.halt.wait(0.02)
                    continue
                self.bad.append(answer)
                return

    def finish(self):
        self.halt.set()
        self.join(60)
        assert not self.is_alive()
        assert not self.bad, self.bad

    def check_all_found(self):
        """Every acknowledged sample is found by query, with its value."""
        def found():
            out, start = {}, time.gmtime((min(self.acked) - 1000) / 1000)
            path = ("/v2.0/metrics/measurements?name=%s&start_time=%s&limit=10000"
                    % (self.name_, time.strftime("%Y-%m-%dT%H:%M:%SZ", start)))
            while path:
                page = self.stack.http("GET", path).json
                for element in page["elements"]:
                    for stamp, value, _ in element["measurements"]:
                        out[to_ms(stamp)] = value
                nxt = [l["href"] for l in page["links"] if l["rel"] == "next"]
                path = None
                if nxt and page["elements"]:
                    path = "/" + nxt[0].split("://", 1)[1].split("/", 1)[1]
            return out
        # 2xx says that a sample is on disk; it is read some milliseconds later.
        got, end = found(), time.monotonic() + 30
        while any(t not in got for t in self.acked) and time.monotonic() < end:
            got = found()
        missing = [t for t in self.acked if t not in got]
        assert not missing, f"{len(missing)} of {len(self.acked)} acknowledged samples lost"
        wrong = [t for t in self.acked if got[t] != t % 1000]
        assert not wrong


def to_ms(stamp):
    import calendar
    seconds = calendar.timegm(time.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S"))
    return seconds * 1000 + int(stamp[20:23])


def live(stack, deadline=60):
    """Generator of (event, id, data) of GET /v1/live."""
    request = urllib.request.Request(stack.url + "/v1/live",
                                     headers={"X-Auth-Token": stack.token("operator")})
    with urllib.request.urlopen(request, timeout=deadline) as stream:
        name = ident = None
        for raw in stream:
            line = raw.decode().rstrip("\n")
            if line.startswith("id: "):
                ident = line[4:]
            elif line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                yield name, ident, json.loads(line[6:])


__all__ = ["House", "Poster", "live", "to_ms", "pathlib"]
