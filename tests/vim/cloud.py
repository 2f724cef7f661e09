# SPDX-License-Identifier: Apache-2.0
"""A real OpenStack on loopback from Debian's packages (Zed): Keystone, Placement, Glance, Neutron, Nova
with hosts compute-1.. whose hypervisor is Nova's fake one, Heat, Masakari and Mistral over MariaDB and
RabbitMQ. No daemon of the system is used or touched: every file is below one directory, every port is
a free one, every process is ours. tests/README.md says how to use it by hand (`up`, `down`).

    cloud = Cloud(directory, parts=ALL).start()     # about a minute; then
    cloud.nova("GET", "/servers/detail?all_tenants=1")["servers"]
    cloud.server("vm", "compute-1")                 # boots one, waits until it is ACTIVE
    cloud.stop()
"""
import ctypes
import http.client
import json
import os
import pathlib
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import configs
from parallel import Parallel

HERE = pathlib.Path(__file__).resolve().parent
PYTHON = "/usr/bin/python3"
PARTS = ("heat", "masakari", "mistral")
MODULES = ("keystone", "placement", "glance", "neutron", "nova", "heat", "masakari", "mistral", "pymysql")
DATABASES = ("keystone", "placement", "glance", "neutron", "nova_api", "nova", "nova_cell0") + PARTS
PORTS = ("keystone", "placement", "glance", "neutron", "nova", "mysql", "rabbit", "dist", "epmd") + PARTS
ENV = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1",
       "NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
NOVA = {"OpenStack-API-Version": "compute 2.90"}


class Failed(RuntimeError):
    pass


def until(what, condition, seconds=600, every=0.2):
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {seconds} s")
        time.sleep(every)


def born(pid):
    """When the process began: tells ours from a later one with its number."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        return None


def bound():
    """In a child: it ends with its parent. A killed test leaves nothing behind."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def free_ports(n):
    """Below those that connections get by themselves: a service may begin to listen a minute later."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
        top = int(f.read().split()[0])
    found = []
    for port in random.sample(range(max(1024, top - 12000), top), min(4000, top - 1024)):
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                continue
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == n:
            return found
    raise Failed("no free ports")


class Cloud:
    ip = "127.0.0.1"

    def __init__(self, state, parts=PARTS, computes=3, token_seconds=3600, keep=False):
        self.state = pathlib.Path(state).resolve()
        self.etc, self.run, self.logs = (self.state / d for d in ("etc", "run", "log"))
        self.computes, self.token_seconds, self.keep = computes, token_seconds, keep
        self.tokens = {}
        facts = self.state / "facts.json"
        if facts.exists():
            kept = json.loads(facts.read_text())
            self.port, self.secret, self.parts = kept["port"], kept["secret"], kept["parts"]
            self.computes = kept["computes"]
            return
        for d in (self.etc, self.run, self.logs, self.state / "lock", self.state / "done"):
            d.mkdir(parents=True, exist_ok=True)
        self.parts, self.secret = list(parts), secrets.token_hex(16)
        self.port = dict(zip(PORTS, free_ports(len(PORTS))))
        part = self.state / "facts.part"
        part.touch(mode=0o600)
        part.write_text(json.dumps({"port": self.port, "secret": self.secret, "parts": self.parts,
                                    "computes": computes}))
        part.rename(facts)

    def url(self, name):
        tail = {"keystone": "/v3", "nova": "/v2.1", "heat": "/v1/$(project_id)s",
                "masakari": "/v1/$(project_id)s", "mistral": "/v2"}.get(name, "")
        return f"http://{self.ip}:{self.port[name]}{tail}"

    def db(self, name):
        return f"mysql+pymysql://vim:{self.secret}@{self.ip}:{self.port['mysql']}/{name}?charset=utf8"

    @property
    def mq(self):
        return f"rabbit://vim:{self.secret}@{self.ip}:{self.port['rabbit']}/"

    # --- processes ------------------------------------------------------------------------
    def pid(self, name):
        try:
            pid, start = (self.run / name).read_text().split()
        except (OSError, ValueError):
            return None
        return int(pid) if born(pid) == start else None

    def spawn(self, name, *words, **env):
        if self.pid(name):
            return
        with open(self.logs / f"{name}.log", "ab") as log:
            p = subprocess.Popen([str(w) for w in words], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                 env={**ENV, **env}, cwd=self.state, start_new_session=True,
                                 preexec_fn=None if self.keep else bound)
        self.children[name] = p
        (self.run / name).write_text(f"{p.pid} {born(p.pid)}")

    children = {}

    def tail(self, name):
        file = self.logs / f"{name}.log"
        return file.read_text(errors="replace")[-3000:] if file.exists() else ""

    def ready(self, name, condition, seconds=600):
        def look():
            p = self.children.get(name)
            if (p is not None and p.poll() is not None) or not self.pid(name):
                raise Failed(f"{name} ended at its start:\n{self.tail(name)}")
            return condition()
        try:
            until(name, look, seconds)
        except Failed as e:
            raise Failed(f"{e}\n{self.tail(name)}") from None

    def listening(self, name):
        with socket.socket() as s:
            s.settimeout(5)
            return s.connect_ex((self.ip, self.port[name])) == 0

    def kill(self, name, sig=signal.SIGKILL):
        pid = self.pid(name)
        if pid:
            os.killpg(pid, sig)
        return pid

    def once(self, mark, *words, **env):
        """Runs a command to its end, only the first time."""
        done = self.state / "done" / mark
        if not done.exists():
            self._setup(mark, *words, **env)
            done.touch()

    def _setup(self, mark, *words, **env):
        with open(self.logs / f"setup-{mark}.log", "ab") as log:
            code = subprocess.run([str(w) for w in words], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                  env={**ENV, **env}, cwd=self.state, check=False, timeout=1200,
                                  preexec_fn=bound).returncode
        if code != 0:
            raise Failed(f"step {mark} ended with {code}:\n{self.tail('setup-' + mark)}")

    def program(self, target, name, conf, *words):
        return (PYTHON, HERE / "shims/hale_vim_run.py", target, name, "--config-file", self.etc / conf, *words)

    def manage(self, target, name, conf, commands):
        """Commands of one program that are not done yet, {mark: words}, in one process."""
        words = []
        for mark, arguments in commands.items():
            done = self.state / "done" / mark
            if not done.exists():
                words += ["--once", done, "--config-file", self.etc / conf, *arguments]
        if words:
            self._setup(name, PYTHON, HERE / "shims/hale_vim_run.py", target, name, *words)

    # --- life -----------------------------------------------------------------------------
    def start(self):
        try:
            self._start()
        except BaseException:
            if not self.keep:
                self.stop()
            raise
        return self

    def stop(self):
        """Everything ends: services first, then what they lean on."""
        names = [f.name for f in self.run.iterdir()] if self.run.exists() else []
        base = ["rabbit", "mysql", "epmd"]
        for group in ([n for n in names if n not in base], [n for n in base if n in names]):
            for name in group:
                self.kill(name)  # nothing here is worth a slow farewell
            for name in group:
                until(f"the end of {name}", lambda n=name: self._reap(n), 60)
                (self.run / name).unlink(missing_ok=True)

    def _reap(self, name):
        p = self.children.get(name)
        if p is not None:
            return p.poll() is not None
        pid = self.pid(name)
        if pid is None:
            return True
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "Z"

    def _start(self):
        self.children = dict(self.children)
        for text in [configs.keystone, configs.placement, configs.glance, configs.neutron, configs.nova] + [
                getattr(configs, p) for p in self.parts]:
            for path, content in text(self).items():
                file = self.etc / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(content)
                file.chmod(0o600)
        for path in ("glance/images", "glance/staging", "glance/tasks", "heat/environment.d", "heat/templates",
                     "masakari/flows", "keystone/fernet", "keystone/credential", "neutron"):
            (self.state / path).mkdir(parents=True, exist_ok=True, mode=0o700)
        self._infrastructure()
        with Parallel() as jobs:
            jobs.add(self._make_nova)
            for name, words in (
                    ("neutron", self.program("neutron.db.migration.cli:main", "neutron-db-manage",
                                             "neutron/neutron.conf", "upgrade", "head")),
                    ("placement", self.program("placement.cmd.manage:main", "placement-manage",
                                               "placement/placement.conf", "db", "sync")),
                    ("glance", self.program("glance.cmd.manage:main", "glance-manage",
                                            "glance/glance-api.conf", "db_sync")),
                    ("heat", self.program("heat.cmd.manage:main", "heat-manage", "heat/heat.conf",
                                          "db_sync")),
                    ("masakari", self.program("masakari.cmd.manage:main", "masakari-manage",
                                              "masakari/masakari.conf", "db", "sync"))):
                if name in self.parts or name not in PARTS:
                    jobs.add(self.once, name, *words, PYTHONPATH=str(HERE / "shims"))
            if "mistral" in self.parts:
                jobs.add(self._make_mistral)
            jobs.add(self._make_rabbit)
            self._identity()  # in this thread: what a thread has started is killed at the thread's end
        self._services()
        self._things()

    def _infrastructure(self):
        data = self.state / "mysql"
        me = "root" if os.getuid() == 0 else None
        user = [f"--user={me}"] if me else []
        self.once("mysql", "mariadb-install-db", "--no-defaults", *user, f"--datadir={data}", "--skip-test-db",
                  "--auth-root-authentication-method=normal")
        # nothing here outlives the test: durability is given away for speed
        self.spawn("mysql", "/usr/sbin/mariadbd", "--no-defaults", *user, f"--datadir={data}",
                   "--socket=sock", f"--port={self.port['mysql']}", f"--bind-address={self.ip}",
                   f"--pid-file={data}/pid", "--skip-name-resolve", "--max-connections=1000",
                   "--character-set-server=utf8mb3", "--collation-server=utf8mb3_general_ci",
                   "--performance-schema=OFF", "--innodb-buffer-pool-size=128M",
                   "--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync",
                   "--innodb-doublewrite=0", "--innodb-stats-persistent=0")
        rabbit = self.state / "rabbit"
        rabbit.mkdir(exist_ok=True, mode=0o700)
        (rabbit / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = {self.ip}:{self.port['rabbit']}\nloopback_users = none\n"
            f"default_user = vim\ndefault_pass = {self.secret}\nlog.console = true\nlog.file = false\n")
        (rabbit / "env.conf").touch()
        (rabbit / "plugins").write_text("[].")
        cookie = rabbit / ".erlang.cookie"
        if not cookie.exists():
            cookie.touch(mode=0o600)
            cookie.write_text(secrets.token_hex(16))
            cookie.chmod(0o400)
        inet = "-kernel inet_dist_use_interface {127,0,0,1}"
        self.rabbit = {"HOME": str(rabbit), "ERL_EPMD_ADDRESS": self.ip,
                       "ERL_EPMD_PORT": str(self.port["epmd"]), "RABBITMQ_CONF_ENV_FILE": f"{rabbit}/env.conf",
                       "RABBITMQ_CONFIG_FILE": f"{rabbit}/rabbitmq.conf",
                       "RABBITMQ_ENABLED_PLUGINS_FILE": f"{rabbit}/plugins",
                       "RABBITMQ_NODENAME": f"hale{self.port['dist']}@localhost",
                       "RABBITMQ_MNESIA_BASE": str(rabbit), "RABBITMQ_LOG_BASE": str(rabbit),
                       "RABBITMQ_LOGS": "-", "RUNNING_UNDER_SYSTEMD": "1", "RABBITMQ_PID_FILE": f"{rabbit}/pid",
                       "RABBITMQ_DIST_PORT": str(self.port["dist"]),
                       "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": inet, "RABBITMQ_CTL_ERL_ARGS": inet}
        self.spawn("epmd", "/usr/bin/epmd", **self.rabbit)
        self.ready("epmd", lambda: self.listening("epmd"))
        self.spawn("rabbit", "/usr/lib/rabbitmq/bin/rabbitmq-server", **self.rabbit)
        self.ready("mysql", lambda: self._sql("SELECT 1"))
        if not (self.state / "done/schemas").exists():
            self._sql(f"CREATE USER 'vim'@'{self.ip}' IDENTIFIED BY '{self.secret}';"
                      f"GRANT ALL ON *.* TO 'vim'@'{self.ip}';" +
                      "".join(f"CREATE DATABASE {d} CHARACTER SET utf8mb3;" for d in DATABASES), check=True)
            (self.state / "done/schemas").touch()

    def _sql(self, text, check=False):
        p = subprocess.run(["mariadb", "--no-defaults", "--socket=sock", "-u", "root", "-e", text], env=ENV,
                           cwd=self.state / "mysql", stdin=subprocess.DEVNULL, capture_output=True, check=False,
                           timeout=60)
        if check and p.returncode != 0:
            raise Failed(p.stderr.decode(errors="replace"))
        return p.returncode == 0

    def _make_rabbit(self):
        self.ready("rabbit", lambda: self.listening("rabbit"))

    def _make_nova(self):
        self.manage("nova.cmd.manage:main", "nova-manage", "nova/nova.conf", {
            "nova-api": ("api_db", "sync"),
            "nova-cell0": ("cell_v2", "map_cell0", "--database_connection", self.db("nova_cell0")),
            "nova-db": ("db", "sync"), "nova-cell1": ("cell_v2", "create_cell", "--name", "cell1")})

    def _make_mistral(self):
        self.manage("mistral.db.sqlalchemy.migration.cli:main", "mistral-db-manage", "mistral/mistral.conf",
                    {"mistral": ("upgrade", "head"), "mistral-populate": ("populate",)})

    def _web(self, name, code, **env):
        """A WSGI program in one process, a few threads."""
        (self.run.parent / f"{name}.wsgi").write_text(code)
        self.spawn(name, "/usr/bin/uwsgi-core", "--plugin", "python3", "--http-socket",
                   f"{self.ip}:{self.port[name]}", "--wsgi-file", self.run.parent / f"{name}.wsgi",
                   "--threads", 6, "--enable-threads", "--need-app", "--die-on-term", "--listen", 100,
                   "--buffer-size", 65535, "--post-buffering", 65536, "--disable-logging", "--add-header",
                   "Connection: close", "--socket-timeout", 300, **env)  # 4 s is little on a busy machine

    def _identity(self):
        import grp
        import pwd
        who = ("--keystone-user", pwd.getpwuid(os.getuid()).pw_name,
               "--keystone-group", grp.getgrgid(os.getgid()).gr_name)
        url = self.url("keystone")
        self.manage("keystone.cmd.manage:main", "keystone-manage", "keystone/keystone.conf", {
            "keystone": ("db_sync",), "keystone-fernet": ("fernet_setup", *who),
            "keystone-credential": ("credential_setup", *who),
            "keystone-bootstrap": ("bootstrap", "--bootstrap-password", self.secret, "--bootstrap-region-id",
                                   "RegionOne", "--bootstrap-public-url", url, "--bootstrap-internal-url", url)})
        self._web("keystone", "from keystone.server.wsgi import initialize_public_application\n"
                              "application = initialize_public_application()\n",
                  OS_KEYSTONE_CONFIG_DIR=str(self.etc / "keystone"))
        self.ready("keystone", self._keystone_answers)
        self._catalogue()

    def _keystone_lives(self):
        if not self.pid("keystone"):
            raise Failed(f"keystone has ended:\n{self.tail('keystone')}")
        return True

    def _keystone_answers(self):
        try:
            return OPENER.open(self.url("keystone"), timeout=10).status == 200
        except OSError:
            return False

    def _services(self):
        def run(name, target, program, conf, *words):
            self.spawn(name, *self.program(target, program, conf, *words), PYTHONPATH=str(HERE / "shims"))
        self._web("placement", "from placement.wsgi import init_application\napplication = init_application()\n",
                  OS_PLACEMENT_CONFIG_DIR=str(self.etc / "placement"))
        run("nova", "nova.cmd.api_os_compute:main", "nova-api-os-compute", "nova/nova.conf")
        run("conductor", "nova.cmd.conductor:main", "nova-conductor", "nova/nova.conf")
        run("neutron", "neutron.cmd.eventlet.server:main", "neutron-server", "neutron/neutron.conf")
        run("glance", "glance.cmd.api:main", "glance-api", "glance/glance-api.conf")
        run("scheduler", "nova.cmd.scheduler:main", "nova-scheduler", "nova/nova.conf")
        if "heat" in self.parts:
            run("heat-engine", "heat.cmd.engine:main", "heat-engine", "heat/heat.conf")
            run("heat", "heat.cmd.api:main", "heat-api", "heat/heat.conf")
        if "masakari" in self.parts:
            run("masakari", "masakari.cmd.api:main", "masakari-api", "masakari/masakari.conf")
            run("masakari-engine", "masakari.cmd.engine:main", "masakari-engine", "masakari/masakari.conf")
        if "mistral" in self.parts:
            run("mistral", "mistral.cmd.launch:main", "mistral-server", "mistral/mistral.conf", "--server",
                "api,engine,executor")
        for i in range(1, self.computes + 1):
            self.start_compute(i)
        for name in ["placement", "nova", "neutron", "glance"] + self.parts:
            self.ready(name, lambda n=name: self._keystone_lives() and self._answers(n))
        self._listeners()

    def _answers(self, name):
        """The service answers a question with a token: it has asked Keystone whether that is good."""
        path = {"placement": "/resource_providers", "nova": "/flavors", "neutron": "/v2.0/networks",
                "glance": "/v2/images", "heat": "/stacks", "masakari": "/segments", "mistral": "/workflows"}[name]
        return self.listening(name) and self.call(name, "GET", path, ok=False, patience=0)[0] == 200

    def _listeners(self):
        """Those behind the queues listen."""
        queues = ["conductor", "scheduler"] + [f"compute.compute-{i}" for i in range(1, self.computes + 1)]
        for part, names in (("heat", ["engine"]), ("masakari", ["ha_engine"]),
                            ("mistral", ["mistral_engine", "mistral_executor"])):
            queues += names if part in self.parts else []
        p = subprocess.run([PYTHON, str(HERE / "shims/hale_vim_queues.py"), self.ip, str(self.port["rabbit"]),
                            "600", *queues], env=ENV, input=self.secret.encode(), capture_output=True,
                           check=False, timeout=900)
        if p.returncode != 0:
            raise Failed(p.stderr.decode(errors="replace")[-2000:])

    def start_compute(self, i):
        (self.state / f"nova/compute-{i}/instances").mkdir(parents=True, exist_ok=True)
        self.spawn(f"compute-{i}", *self.program("nova.cmd.compute:main", "nova-compute",
                                                 f"nova/compute-{i}.conf"))

    # --- REST -----------------------------------------------------------------------------
    def token(self, project="admin"):
        if project not in self.tokens:
            status, headers, body = self.http("POST", self.url("keystone") + "/auth/tokens", {"auth": {
                "identity": {"methods": ["password"], "password": {"user": {
                    "name": "admin", "domain": {"id": "default"}, "password": self.secret}}},
                "scope": {"project": {"name": project, "domain": {"id": "default"}}}}}, token="")
            if status != 201:
                raise Failed(f"no token: {status} {body}")
            self.tokens[project] = (headers["X-Subject-Token"], body["token"]["project"]["id"])
        return self.tokens[project][0]

    def http(self, method, url, body=None, token=None, headers=None, raw=None, patience=180):
        """(status, headers, body). What may be asked again is, for `patience` seconds: a service that cannot
        be reached, or says 503, as all of them do while they cannot ask Keystone."""
        h = {"X-Auth-Token": self.token() if token is None else token, "Content-Type": "application/json"}
        h.update(headers or {})
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        end = time.monotonic() + patience
        while True:
            status, got, text = self._http(method, url, data, h)
            again = status == 503 or (status in (0, 502, 504) and method != "POST")
            if not again or time.monotonic() > end:
                break
            time.sleep(0.5)
        try:
            return status, got, json.loads(text) if text else {}
        except ValueError:
            return status, got, text.decode(errors="replace")

    @staticmethod
    def _http(method, url, data, headers):
        request = urllib.request.Request(url, method=method, headers=headers, data=data)
        try:
            with OPENER.open(request, timeout=300) as r:
                return r.status, r.headers, r.read()
        except urllib.error.HTTPError as e:
            return e.code, e.headers, e.read()
        except (OSError, http.client.HTTPException) as e:  # nobody there, or it hung up
            return 0, {}, repr(e).encode()

    def call(self, service, method, path, body=None, project="admin", ok=True, **more):
        token = self.token(project)
        base = self.url(service).replace("$(project_id)s", self.tokens[project][1])
        status, headers, answer = self.http(method, base + path, body, token=token, **more)
        if ok and not 200 <= status < 300:
            raise Failed(f"{service} {method} {path}: {status} {answer}")
        return answer if ok else (status, headers, answer)

    def nova(self, method, path, body=None, **more):
        more.setdefault("headers", NOVA)
        return self.call("nova", method, path, body, **more)

    # --- things in the cloud --------------------------------------------------------------
    def _first(self, plural, query=""):
        rows = self.call("keystone", "GET", f"/{plural}{query}")[plural]
        return rows[0]["id"] if rows else None

    def _make(self, kind, plural, body, query):
        return self._first(plural, query) or self.call("keystone", "POST", f"/{plural}", {kind: body})[kind]["id"]

    def _catalogue(self):
        if (self.state / "done/catalogue").exists():
            return
        service = self._make("project", "projects", {"name": "service", "domain_id": "default"}, "?name=service")
        admin = self._first("projects", "?name=admin&domain_id=default")
        roles = {r: self._make("role", "roles", {"name": r}, f"?name={r}")
                 for r in ("admin", "service", "heat_stack_owner", "heat_stack_user")}

        def user(name, project, *granted, domain="default"):
            uid = self._make("user", "users", {"name": name, "password": self.secret, "domain_id": domain},
                             f"?name={name}&domain_id={domain}")
            for r in granted:
                where = f"projects/{project}" if project else f"domains/{domain}"
                self.call("keystone", "PUT", f"/{where}/users/{uid}/roles/{roles[r]}")
        for name in ["nova", "placement", "glance", "neutron"] + self.parts:
            user(name, service, "admin", "service")
        user("healer", admin, "admin", "heat_stack_owner")
        user("admin", admin, "heat_stack_owner")
        kinds = {"nova": "compute", "placement": "placement", "glance": "image", "neutron": "network",
                 "heat": "orchestration", "masakari": "instance-ha", "mistral": "workflowv2"}
        for name in ["nova", "placement", "glance", "neutron"] + self.parts:
            sid = self.call("keystone", "POST", "/services", {"service": {
                "name": name, "type": kinds[name]}})["service"]["id"]
            for interface in ("public", "internal"):
                self.call("keystone", "POST", "/endpoints", {"endpoint": {
                    "service_id": sid, "interface": interface, "url": self.url(name),
                    "region_id": "RegionOne"}})
        if "heat" in self.parts:
            domain = self._make("domain", "domains", {"name": "heat"}, "?name=heat")
            user("heat_domain_admin", None, "admin", domain=domain)
        (self.state / "done/catalogue").touch()

    def _things(self):
        if (self.state / "done/things").exists():
            return
        tiny = {"flavor": {"name": "tiny", "id": "1", "ram": 64, "vcpus": 1, "disk": 1}}
        self.nova("POST", "/flavors", tiny)
        image = self.call("glance", "POST", "/v2/images", {
            "name": "tiny", "disk_format": "raw", "container_format": "bare", "visibility": "public",
            "min_disk": 0, "min_ram": 0})["id"]
        self.call("glance", "PUT", f"/v2/images/{image}/file", raw=b"\0" * 512,
                  headers={"Content-Type": "application/octet-stream"})
        net = self.call("neutron", "POST", "/v2.0/networks", {"network": {"name": "lab"}})["network"]["id"]
        self.call("neutron", "POST", "/v2.0/subnets", {"subnet": {
            "network_id": net, "ip_version": 4, "cidr": "10.20.0.0/22", "enable_dhcp": False}})
        names = {f"compute-{i}" for i in range(1, self.computes + 1)}

        def up():
            for name in names:
                if not self.pid(name):
                    raise Failed(f"{name} ended:\n{self.tail(name)}")
            return {s["host"] for s in self.services() if s["state"] == "up"} >= names
        until("the hosts", up)  # then the scheduler finds them
        until("the hypervisors", lambda: len(self.nova("GET", "/os-hypervisors")["hypervisors"]) >= len(names))
        (self.state / "done/things").touch()

    def services(self, host=""):
        return self.nova("GET", f"/os-services?binary=nova-compute&host={host}")["services"]

    def servers(self, host=None):
        rows = self.nova("GET", "/servers/detail?all_tenants=1")["servers"]
        return [s for s in rows if host in (None, s["OS-EXT-SRV-ATTR:host"])]

    def boot(self, name, host, net=True):
        """Begins a server; its id."""
        image = self.call("glance", "GET", "/v2/images?name=tiny")["images"][0]["id"]
        nets = "none"
        if net:
            nets = [{"uuid": self.call("neutron", "GET", "/v2.0/networks?name=lab")["networks"][0]["id"]}]
        return self.nova("POST", "/servers", {"server": {
            "name": name, "flavorRef": "1", "imageRef": image, "networks": nets, "host": host}})["server"]["id"]

    def server(self, name, host, net=True):
        return self.await_active(self.boot(name, host, net))

    def await_active(self, server):
        def active():
            s = self.nova("GET", f"/servers/{server}")["server"]
            if s["status"] == "ERROR":
                raise Failed(f"server {s['name']}: {s.get('fault')}")
            return s["status"] == "ACTIVE"
        until(f"server {server}", active)
        return server

    def actions(self, server, action=None):
        """What Nova was told to do with a server, the newest first."""
        rows = self.nova("GET", f"/servers/{server}/os-instance-actions")["instanceActions"]
        return [r for r in rows if action in (None, r["action"])]

    def environment(self):
        return {"OS_AUTH_URL": self.url("keystone"), "OS_IDENTITY_API_VERSION": "3", "OS_USERNAME": "admin",
                "OS_PASSWORD": self.secret, "OS_PROJECT_NAME": "admin", "OS_USER_DOMAIN_NAME": "Default",
                "OS_PROJECT_DOMAIN_NAME": "Default", "OS_REGION_NAME": "RegionOne",
                "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


def installed():
    probe = "import " + ", ".join(MODULES)
    return all(shutil.which(p, path=ENV["PATH"]) for p in ("mariadbd", "epmd", "uwsgi-core")) and os.path.exists(
        "/usr/lib/rabbitmq/bin/rabbitmq-server") and subprocess.run(
        [PYTHON, "-c", probe], env=ENV, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        check=False).returncode == 0


def ensure_installed():
    """Installs Debian's packages when they are missing. False: they cannot be had here."""
    if not installed():
        subprocess.run([str(HERE.parents[1] / "scripts/install-packages.sh"), "vim"], check=False,
                       stdin=subprocess.DEVNULL, stdout=sys.stderr)
    return installed()
