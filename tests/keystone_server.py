#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A real Keystone for tests: Debian's python3-keystone on loopback, SQLite and fernet in a temporary
directory, few hash rounds, ready in seconds.

By hand, until Ctrl-C, with `export OS_...` lines to copy:
    tests/keystone_server.py [--state DIR] [--port N] [--monitoring URL]
    (--monitoring: registers that URL, http://127.0.0.1:8070/v2.0, as the service `monitoring`)

In a pytest, the session-wide fixture `keystone` of tests/integration/conftest.py:
    def test_x(stack, keystone):
        stack.start("collector", {"keystone": {"url": keystone.url}})
        keystone.register(stack.url + "/v2.0")                # service type monitoring, for clients
        t = keystone.token("operator")                        # a project-scoped token
        stack.http("GET", "/v2.0/metrics", token=t)
        env = keystone.env("operator")                        # OS_* for the monasca command
Users (password = name + "-pw"), all in project `tenant-a`; `tenant-b` has `other`:
    operator monasca-user · agent monasca-agent · reader monasca-read-only-user
    delegate monasca-user, admin · nobody member · other monasca-user (in tenant-b)
    validator service (in project `service`, for collectors with credentials of their own)
    admin admin (in project `admin`; Keystone's own administrator)
More of them: keystone.project(name), .user(name, project, roles), .token(user, project=...),
.app_credential(...). keystone.stop() and .start() keep data, port and keys.
"""
import argparse
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

PYTHON = "/usr/bin/python3"  # Debian's, which has Debian's Keystone
ROLES = ("monasca-user", "monasca-agent", "monasca-read-only-user", "service")
USERS = (("operator", "tenant-a", ("monasca-user",)), ("agent", "tenant-a", ("monasca-agent",)),
         ("reader", "tenant-a", ("monasca-read-only-user",)),
         ("delegate", "tenant-a", ("monasca-user", "admin")), ("nobody", "tenant-a", ("member",)),
         ("other", "tenant-b", ("monasca-user",)), ("validator", "service", ("service",)))
CONF = """[DEFAULT]
use_stderr = true
default_log_levels = keystone=WARNING,sqlalchemy=WARNING
[database]
connection = sqlite:///{state}/keystone.db
[token]
provider = fernet
expiration = {expiration}
[fernet_tokens]
key_repository = {state}/fernet
[credential]
key_repository = {state}/credential
[identity]
password_hash_rounds = 4
[cache]
enabled = false
[oslo_messaging_notifications]
driver = noop
"""


# --- the server's own process ---------------------------------------------------------------
def in_child(work):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except SystemExit as e:
            code = e.code or 0
        finally:
            sys.stderr.flush()
            os._exit(code)
    if os.waitpid(pid, 0)[1] != 0:
        sys.exit("keystone-manage failed")


def make(state):
    """Data base, keys and the administrator, as `keystone-manage db_sync, fernet_setup, credential_setup,
    bootstrap` do, after one import: their start-up would be most of the time."""
    import grp
    import pwd
    import sqlite3
    from keystone.cmd import manage
    me = (pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name)
    keys = ["--keystone-user", me[0], "--keystone-group", me[1]]
    root = "http://127.0.0.1:0/v3"  # corrected once the port is known
    with sqlite3.connect(state / "keystone.db") as db:
        db.execute("PRAGMA journal_mode=WAL")  # readers do not lock writers out
    for name in ("fernet", "credential"):
        (state / name).mkdir(mode=0o700)
    for words in (["db_sync"], ["fernet_setup"] + keys, ["credential_setup"] + keys,
                  ["bootstrap", "--bootstrap-password", "admin-pw", "--bootstrap-region-id",
                   "RegionOne", "--bootstrap-public-url", root]):
        sys.argv = ["keystone-manage", "--config-file", str(state / "keystone.conf")] + words
        in_child(manage.main)  # its options are global: each command wants a fresh process


def serve(state, port):
    """Keystone's WSGI application, a thread per connection."""
    import ctypes
    import socketserver
    import wsgiref.simple_server as simple
    ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL: a killed test leaves nothing behind
    if not (state / "made").exists():
        in_child(lambda: make(state))
        (state / "made").touch()
    os.environ["OS_KEYSTONE_CONFIG_DIR"] = str(state)
    sys.argv = sys.argv[:1]
    from keystone.server import wsgi
    application = wsgi.initialize_public_application()

    class Server(socketserver.ThreadingMixIn, simple.WSGIServer):
        daemon_threads = True
        request_queue_size = 128

    class Handler(simple.WSGIRequestHandler):
        def log_message(self, *args):
            pass

        def address_string(self):
            return self.client_address[0]
    with simple.make_server("127.0.0.1", port, application, Server, Handler) as server:
        (state / "port").write_text(str(server.server_port))
        server.serve_forever()


# --- the caller's side ----------------------------------------------------------------------
class Keystone:
    """See the module's text. url: "http://127.0.0.1:PORT/v3". ids: names of projects, users -> ids."""

    def __init__(self, state, port=0, expiration=3600):
        self.state, self.port, self.process = pathlib.Path(state), port, None
        self.state.mkdir(parents=True, exist_ok=True)
        self.projects, self.users, self.roles = {}, {}, {}
        (self.state / "keystone.conf").write_text(
            CONF.format(state=self.state, expiration=expiration))

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/v3"

    # --- life -----------------------------------------------------------------------------
    def start(self, seconds=120):
        file = self.state / "port"
        file.unlink(missing_ok=True)
        self.log = open(self.state / "keystone.log", "ab")
        self.process = subprocess.Popen(
            [PYTHON, os.path.abspath(__file__), "--serve", str(self.state), "--port",
             str(self.port)], stdout=self.log, stderr=self.log, start_new_session=True)
        end = time.monotonic() + seconds
        while not (file.exists() and file.read_text()):
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                text = (self.state / "keystone.log").read_text(errors="replace")
                raise RuntimeError("Keystone did not start:\n" + text[-3000:])
            time.sleep(0.02)
        self.port = int(file.read_text())
        if not self.projects:
            self._provision()
        return self

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    # --- calls ----------------------------------------------------------------------------
    def call(self, method, path, body=None, token=None, headers=None, ok=True):
        """(status, headers, JSON). token None: the administrator's. ok: other statuses raise."""
        h = {"X-Auth-Token": token or self.admin, "Content-Type": "application/json"}
        h.update(headers or {})
        request = urllib.request.Request(
            self.url + path, method=method, headers=h,
            data=None if body is None else json.dumps(body).encode())
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as r:
                text = r.read()
                return r.status, r.headers, json.loads(text) if text else None
        except urllib.error.HTTPError as e:
            text = e.read()
            if ok:
                raise RuntimeError(f"{method} {path}: {e.code} {text[:400]!r}") from None
            return e.code, e.headers, None

    def authenticate(self, identity, scope=None):
        auth = {"identity": identity}
        if scope is not None:
            auth["scope"] = scope
        return self.call("POST", "/auth/tokens?nocatalog", {"auth": auth},
                         token="none")[1]["X-Subject-Token"]

    def token(self, user, project="", password=None):
        """A token of user; project: its own, another name, or None for an unscoped one."""
        if project == "":
            project = next((p for u, p, _ in USERS if u == user), None) or "admin"
        who = {"name": user, "domain": {"id": "default"}, "password": password or user + "-pw"}
        scope = "unscoped"
        if project is not None:
            scope = {"project": {"name": project, "domain": {"id": "default"}}}
        return self.authenticate({"methods": ["password"], "password": {"user": who}}, scope)

    def revoke(self, token):
        self.call("DELETE", "/auth/tokens", headers={"X-Subject-Token": token})

    def project(self, name):
        """Makes the project if it is not there; its id."""
        if name not in self.projects:
            r = self.call("POST", "/projects", {"project": {"name": name, "domain_id": "default"}})
            self.projects[name] = r[2]["project"]["id"]
        return self.projects[name]

    def user(self, name, project, roles):
        """Makes the user if it is not there and grants the roles in project; its id."""
        if name not in self.users:
            r = self.call("POST", "/users", {"user": {
                "name": name, "password": name + "-pw", "domain_id": "default"}})
            self.users[name] = r[2]["user"]["id"]
        for role in roles:
            self.call("PUT", f"/projects/{self.project(project)}/users/{self.users[name]}"
                             f"/roles/{self.roles[role]}")
        return self.users[name]

    def app_credential(self, user, project="", rules=None, name=None):
        """{"id", "secret", ...} of a new application credential; rules: list of {method,path,service}."""
        body = {"name": name or f"{user}-{time.monotonic_ns()}"}
        if rules is not None:
            body["access_rules"] = rules
        return self.call("POST", f"/users/{self.users[user]}/application_credentials",
                         {"application_credential": body},
                         token=self.token(user, project))[2]["application_credential"]

    def app_token(self, credential):
        return self.authenticate({"methods": ["application_credential"], "application_credential": {
            "id": credential["id"], "secret": credential["secret"]}})

    def register(self, url, kind="monitoring"):
        """The catalogue's endpoint of a service type, all interfaces; replaces an earlier one."""
        for s in self.call("GET", f"/services?type={kind}")[2]["services"]:
            self.call("DELETE", f"/services/{s['id']}")
        s = self.call("POST", "/services", {"service": {"type": kind, "name": kind}})[2]["service"]
        for interface in ("public", "internal", "admin"):
            self.call("POST", "/endpoints", {"endpoint": {
                "service_id": s["id"], "interface": interface, "region_id": "RegionOne",
                "url": url}})

    def env(self, user, project=""):
        """OS_* of the environment for the monasca and openstack commands."""
        if project == "":
            project = next((p for u, p, _ in USERS if u == user), "admin")
        return {"OS_AUTH_URL": self.url, "OS_IDENTITY_API_VERSION": "3", "OS_USERNAME": user,
                "OS_PASSWORD": user + "-pw", "OS_PROJECT_NAME": project,
                "OS_USER_DOMAIN_NAME": "Default", "OS_PROJECT_DOMAIN_NAME": "Default",
                "OS_REGION_NAME": "RegionOne", "OS_INTERFACE": "public",
                "NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}

    def _provision(self):
        self.admin = self.token("admin", "admin")
        for kind in ("projects", "users", "roles"):
            for row in self.call("GET", "/" + kind)[2][kind]:
                getattr(self, kind)[row["name"]] = row["id"]
        for role in ROLES:
            if role not in self.roles:
                r = self.call("POST", "/roles", {"role": {"name": role}})
                self.roles[role] = r[2]["role"]["id"]
        for user, project, roles in USERS:
            self.user(user, project, roles)
        self.register(self.url, "identity")


def installed():
    return os.path.exists(PYTHON) and subprocess.run(
        [PYTHON, "-c", "import keystone.server.wsgi"], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL).returncode == 0


def ensure_installed():
    """Installs Debian's package when it is missing. False: it cannot be had here."""
    if installed():
        return True
    script = pathlib.Path(__file__).resolve().parents[1] / "scripts" / "install-packages.sh"
    subprocess.run([str(script), "test"], check=False, stdin=subprocess.DEVNULL)
    return installed()


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--state", help="directory that keeps the data (default: a temporary one)")
    p.add_argument("--port", type=int, default=0, help="default: any")
    p.add_argument("--monitoring", help="URL of the collector's /v2.0 for the catalogue")
    p.add_argument("--serve", help=argparse.SUPPRESS)
    o = p.parse_args()
    if o.serve:
        serve(pathlib.Path(o.serve), o.port)
        return
    if not ensure_installed():
        sys.exit("python3-keystone is missing: scripts/install-packages.sh test")
    state = o.state or tempfile.mkdtemp(prefix="keystone-")
    k = Keystone(os.path.abspath(state), o.port)
    try:
        k.start()
        if o.monitoring:
            k.register(o.monitoring)
        for name, value in k.env("delegate").items():
            print(f"export {name}={value}")
        print(f"# Keystone: {k.url}   users: " + " ".join(u for u, _, _ in USERS) +
              "   password: NAME-pw   Ctrl-C ends it", flush=True)
        k.process.wait()
    except KeyboardInterrupt:
        pass
    finally:
        k.stop()
        if not o.state:
            shutil.rmtree(state, ignore_errors=True)


if __name__ == "__main__":
    main()
