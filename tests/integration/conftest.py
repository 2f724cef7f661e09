# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the integration tests: real servers on loopback, nothing outside it.

redis    a private redis-server on a unix socket in a temporary directory, append-only file with
         appendfsync always; .cmd("GET", "k"), .kill9(), .start(), .flush().
stack    any Hale daemons against that Redis: stack.start("collector", {"hot_flush": "1s"}),
         stack.url (the collector's), stack.token(role, tenant), stack.kill9(name),
         stack.restart(name), stack.http(...), stack.redis.
         Binaries come from $HALE_BUILD_DIR (default build/dev). After each test every daemon is
         stopped; one that ended by itself or with an unexpected code, or whose log has a
         sanitizer report, fails the test.
keystone a real Keystone for the whole run: tests/keystone_server.py says how to use it.
cloud    a real OpenStack for the whole run: tests/vim/cloud.py. HALE_VIM_STATE: use the one that
         tests/vim/up has stood up in that directory.
No test sleeps to wait for something: use wait_for(condition, seconds, what).
"""
import hashlib
import http.client
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "vim")]
import cloud as vim_cloud  # noqa: E402
import keystone_server  # noqa: E402
BUILD = pathlib.Path(os.environ.get("HALE_BUILD_DIR", ROOT / "build" / "dev"))
SANITIZER = re.compile(r"(AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|"
                       r"hale_assert|assertion failed)", re.I)


def wait_for(condition, seconds=10.0, what="the condition", every=0.02):
    """Polls condition() until it is true; returns its value. Fails the test at the deadline."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            pytest.fail(f"{what} did not come true within {seconds} s")
        time.sleep(every)


def free_port():
    """A TCP port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def binary(name):
    """Path of a Hale program: collector, thresholds, correlator, actuator, agent or cli."""
    program = "hale" if name == "cli" else f"hale-{name}"
    for path in (BUILD / "bin" / program, BUILD / name / program):
        if path.exists():
            return path
    if os.environ.get("HALE_SKIPS_FAIL"):
        pytest.fail(f"{program} is not built in {BUILD}")
    pytest.skip(f"{program} is not built in {BUILD}")


def to_yaml(value, indent=0):
    """Block-style YAML of dicts, lists, strings, numbers and booleans."""
    pad = "  " * indent
    if isinstance(value, dict):
        out = []
        for k, v in value.items():
            if isinstance(v, (dict, list)) and v:
                out.append(f"{pad}{k}:\n{to_yaml(v, indent + 1)}")
            else:
                out.append(f"{pad}{k}: {to_yaml(v)}\n")
        return "".join(out)
    if isinstance(value, list):
        if not value:
            return "[]"
        out = []
        for v in value:
            if isinstance(v, (dict, list)) and v:
                body = to_yaml(v, indent + 1)
                out.append(pad + "- " + body[2 * (indent + 1):])
            else:
                out.append(f"{pad}- {to_yaml(v)}\n")
        return "".join(out)
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    text = str(value)
    if re.fullmatch(r"[A-Za-z/][A-Za-z0-9_./-]*|[0-9]+[a-z]+", text):
        return text
    return json.dumps(text, ensure_ascii=False)


class Redis:
    """A private redis-server. cmd() speaks RESP2 over its socket; bytes in replies."""

    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.socket = str(self.dir / "redis.sock")
        self.url = f"unix:{self.socket}"
        self.process = None
        self.conn = None

    def start(self):
        if shutil.which("redis-server") is None:
            pytest.skip("redis-server is not installed")
        self.log = open(self.dir / "redis.log", "ab")
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.socket, "--dir",
             str(self.dir), "--save", "", "--appendonly", "yes", "--appendfsync", "always",
             "--rdbcompression", "no", "--auto-aof-rewrite-min-size", "256mb",
             "--daemonize", "no"], stdout=self.log, stderr=self.log)

        def up():
            assert self.process.poll() is None, "redis-server ended at its start"
            try:
                return self.cmd("PING") == b"PONG"
            except (OSError, RuntimeError):
                self.disconnect()
                return False
        wait_for(up, 20, "redis-server")
        return self

    def disconnect(self):
        if self.conn:
            self.conn[0].close()
        self.conn = None

    def kill9(self):
        self.disconnect()
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.disconnect()
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def _read(self, f):
        line = f.readline()
        if not line.endswith(b"\r\n"):
            raise OSError("connection closed")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        if kind == b"-":
            raise RuntimeError(rest.decode())
        n = int(rest)
        if n < 0:
            return None
        if kind == b"$":
            data = f.read(n + 2)
            if len(data) != n + 2:
                raise OSError("connection closed")
            return data[:-2]
        return [self._read(f) for _ in range(n)]

    def cmd(self, *args):
        """One command; a status or bulk reply as bytes, an error reply raises RuntimeError."""
        if self.conn is None:
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(20)
            s.connect(self.socket)
            self.conn = (s, s.makefile("rb"))
        out = [b"*%d\r\n" % len(args)]
        for a in args:
            a = a if isinstance(a, bytes) else str(a).encode()
            out.append(b"$%d\r\n%s\r\n" % (len(a), a))
        self.conn[0].sendall(b"".join(out))
        return self._read(self.conn[1])

    def flush(self):
        self.cmd("FLUSHALL")


class Answer:
    """status, headers (dict, lower-case names), body (bytes), json (parsed or None)."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body
        try:
            self.json = json.loads(body) if body else None
        except ValueError:
            self.json = None

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


def http_call(host, port, method, path, body=None, headers=None, timeout=20):
    """One HTTP call to loopback. body: bytes, or anything else as JSON."""
    h = dict(headers or {})
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
        h.setdefault("Content-Type", "application/json")
    c = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        c.request(method, path, body=body, headers=h)
        r = c.getresponse()
        return Answer(r.status, {k.lower(): v for k, v in r.getheaders()}, r.read())
    finally:
        c.close()


class Daemon:
    def __init__(self, name, directory, config, extra_files, program=None):
        self.name, self.dir, self.config = name, directory, config
        self.program = program or name
        self.listen = config.get("listen")
        self.process = None
        self.expected_end = False
        self.conf_path = directory / f"{name}.yaml"
        self.log_path = directory / f"{name}.log"
        for file, text in extra_files.items():
            (directory / file).write_text(text)

    def write_config(self):
        self.conf_path.write_text(to_yaml(self.config))

    def start(self):
        self.write_config()
        env = dict(os.environ)
        env.setdefault("ASAN_OPTIONS", "detect_leaks=1:strict_string_checks=1")
        env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1")
        self.expected_end = False
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [str(binary(self.program)), "--config", str(self.conf_path)],
                stdout=log, stderr=log, cwd=self.dir, env=env)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def health(self):
        host, port = self.listen.rsplit(":", 1)
        try:
            return http_call(host, int(port), "GET", "/healthz", timeout=5)
        except OSError:
            return None

    def wait_healthy(self, seconds=20):
        def up():
            if not self.alive():
                pytest.fail(f"hale-{self.name} ended at its start "
                            f"(code {self.process.returncode}):\n{self.log()[-4000:]}")
            h = self.health()
            return h is not None and h.status == 200
        wait_for(up, seconds, f"health of hale-{self.name}; log:\n{self.log()[-2000:]}\nhealth", 0.05)


class Stack:
    """Hale daemons against one Redis. See the module's text."""

    def __init__(self, directory, redis):
        self.dir, self.redis = directory, redis
        self.daemons = {}
        self.tokens = {}
        self.state = directory / "state"
        self.state.mkdir(exist_ok=True)
        self.tokens_file = directory / "tokens.yaml"
        self.dashboards = directory / "dashboards"
        self.dashboards.mkdir(exist_ok=True)
        (self.dashboards / "index.html").write_text("<!doctype html><title>hale</title>\n")
        self._write_tokens()

    # --- tokens ---------------------------------------------------------------------------
    def _write_tokens(self):
        rows = [{"name": f"{role.replace(',', '-')}-{tenant}", "tenant": tenant,
                 "sha256": hashlib.sha256(text.encode()).hexdigest(),
                 "roles": role.split(",")}
                for (role, tenant), text in self.tokens.items()]
        if not rows:
            rows = [{"name": "nobody", "tenant": "none", "roles": ["read-only"],
                     "sha256": hashlib.sha256(secrets.token_bytes(8)).hexdigest()}]
        self.tokens_file.write_text(to_yaml({"tokens": rows}))

    def token(self, role="operator", tenant="default"):
        """Token text of a role (or "role,role") of a tenant; made at the first call. A running
        collector is told by SIGHUP and the call returns once it takes the token."""
        key = (role, tenant)
        if key not in self.tokens:
            self.tokens[key] = secrets.token_hex(16)
            self._write_tokens()
            d = self.daemons.get("collector")
            if d and d.alive():
                d.process.send_signal(signal.SIGHUP)

                # 401 with this title: the token is unknown; anything else: it is taken.
                def taken():
                    a = self.http("GET", "/v1/status", token=self.tokens[key])
                    e = a.json.get("error", a.json) if a.json else {}
                    return not (a.status == 401 and e.get("title") == "Unauthorized")
                wait_for(taken, 10, "the new token")
        return self.tokens[key]

    # --- daemons --------------------------------------------------------------------------
    def defaults(self, name):
        base = {"listen": f"127.0.0.1:{free_port()}", "redis": self.redis.url}
        if name == "collector":
            base.update({"tokens_file": str(self.tokens_file), "state_dir": str(self.state),
                         "dashboards_dir": str(self.dashboards), "hot_flush": "1s"})
        return base

    def start(self, name, config=None, files=None, wait=True, known_as=None):
        """Starts hale-<name>. config overrides the generated keys (None removes one); files: name ->
        text, written beside the configuration. known_as: its name in daemons, where there are
        several of one kind. Returns the Daemon."""
        merged = self.defaults(name)
        for k, v in (config or {}).items():
            if v is None:
                merged.pop(k, None)
            else:
                merged[k] = v
        if name == "collector":
            self.token("operator", "default")
        known_as = known_as or name
        d = Daemon(known_as, self.dir, merged, files or {}, name)
        self.daemons[known_as] = d
        d.start()
        if wait and d.listen:
            d.wait_healthy()
        return d

    def kill9(self, name):
        d = self.daemons[name]
        d.expected_end = True
        d.process.kill()
        d.process.wait()

    def stop(self, name, seconds=30):
        """SIGTERM; the daemon must end with code 0."""
        d = self.daemons[name]
        if d.alive():
            d.expected_end = True
            d.process.send_signal(signal.SIGTERM)
            try:
                code = d.process.wait(seconds)
            except subprocess.TimeoutExpired:
                d.process.kill()
                d.process.wait()
                pytest.fail(f"hale-{name} did not end within {seconds} s of SIGTERM:\n"
                            f"{d.log()[-3000:]}")
            assert code == 0, f"hale-{name} ended with {code}:\n{d.log()[-3000:]}"

    def restart(self, name, wait=True):
        """Starts a killed or stopped daemon again with the same configuration."""
        d = self.daemons[name]
        assert not d.alive(), f"hale-{name} still runs"
        d.start()
        if wait and d.listen:
            d.wait_healthy()
        return d

    def finish(self):
        """Stops everything (consumers first) and checks how each ended."""
        faults = []
        order = ["agent", "actuator", "correlator", "thresholds", "collector"]
        for name in sorted(self.daemons, key=lambda n: order.index(n) if n in order else -1):
            d = self.daemons[name]
            if d.alive():
                d.process.send_signal(signal.SIGTERM)
                try:
                    d.process.wait(30)
                except subprocess.TimeoutExpired:
                    d.process.kill()
                    d.process.wait()
                    faults.append(f"hale-{name} did not end within 30 s of SIGTERM")
                    continue
                if d.process.returncode != 0:
                    faults.append(f"hale-{name} ended with {d.process.returncode}")
            elif not d.expected_end:
                faults.append(f"hale-{name} ended by itself with {d.process.returncode}")
            if SANITIZER.search(d.log()):
                faults.append(f"hale-{name} logged a sanitizer report or an assertion")
            if faults:
                faults.append(d.log()[-6000:])
        return faults

    # --- calls ----------------------------------------------------------------------------
    @property
    def address(self):
        host, port = self.daemons["collector"].listen.rsplit(":", 1)
        return host, int(port)

    @property
    def url(self):
        return "http://%s:%d" % self.address

    def http(self, method, path, body=None, token=None, role="operator", tenant="default",
             headers=None, timeout=20):
        """A call to the collector with the token of (role, tenant); role None: without a token."""
        h = dict(headers or {})
        if token is None and role is not None:
            token = self.token(role, tenant)
        if token is not None:
            h["X-Auth-Token"] = token
        host, port = self.address
        return http_call(host, port, method, path, body, h, timeout)


@pytest.fixture
def redis(tmp_path_factory):
    # A short path: a unix socket's name has at most 107 bytes.
    server = Redis(tmp_path_factory.mktemp("r")).start()
    yield server
    server.stop()


@pytest.fixture
def stack(tmp_path, redis):
    s = Stack(tmp_path, redis)
    yield s
    faults = s.finish()
    if faults:
        pytest.fail("\n".join(faults))


@pytest.fixture(scope="session")
def keystone(tmp_path_factory):
    if not keystone_server.ensure_installed():
        if os.environ.get("HALE_SKIPS_FAIL"):
            pytest.fail("python3-keystone cannot be installed")
        pytest.skip("python3-keystone cannot be installed")
    server = keystone_server.Keystone(tmp_path_factory.mktemp("keystone"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def cloud(tmp_path_factory):
    if not vim_cloud.ensure_installed():
        if os.environ.get("HALE_SKIPS_FAIL"):
            pytest.fail("OpenStack's packages cannot be installed")
        pytest.skip("OpenStack's packages cannot be installed")
    if "HALE_VIM_STATE" in os.environ:
        yield vim_cloud.Cloud(os.environ["HALE_VIM_STATE"], keep=True)
        return
    server = vim_cloud.Cloud(tmp_path_factory.mktemp("cloud"))
    try:
        yield server.start()
    finally:
        server.stop()
