# SPDX-License-Identifier: Apache-2.0
"""Stands in for Nova (and for Keystone's tokens): compute services, hypervisors, servers and what moves them, as the API
reference has them, for tests that must say what Nova does, and when. The real Nova: test_vim_*.py.

    with Nova({"compute-1": [("vm-a", "p1")], "compute-2": []}) as nova:     # host: [(server id, project)]
        nova.url                        # auth_url and endpoint
        nova.where("vm-a")              # its host
        nova.fail["vm-a"] = "no valid host"     # its live migrations, cold ones with fail_cold
        nova.slow = True                # nothing that is moving arrives
        nova.log                        # [("disable", "compute-1"), ("migrate", "vm-a"), ...]
"""
import http.server
import json
import re
import threading
import time
import uuid

ACTIONS = {"migrate": "migrate", "os-migrateLive": "live-migration", "confirmResize": "confirmResize"}


class Nova:
    def __init__(self, hosts, vcpus=8):
        self.lock, self.log, self.fail, self.fail_cold, self.slow, self.down = threading.RLock(), [], {}, {}, False, set()
        self.vcpus, self.disabled, self.reasons, self.servers = vcpus, set(), {}, {}
        self.hosts = {h: str(uuid.uuid5(uuid.NAMESPACE_URL, h)) for h in hosts}
        for host, servers in hosts.items():
            for ident, project in servers:
                self.boot(ident, project, host)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def say(self, status, body, headers=()):
                text = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def serve(self):
                n = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(n)) if n else None
                if self.path.startswith("/v3/auth/tokens"):
                    self.say(201, outer.token(), [("X-Subject-Token", "t" * 32)])
                    return
                if not self.headers["X-Auth-Token"]:
                    self.say(401, {"error": {"message": "no token"}})
                    return
                with outer.lock:
                    status, answer = outer.answer(self.command, self.path, body)
                self.say(status, answer)

            do_GET = do_POST = do_PUT = serve

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def boot(self, ident, project, host):
        self.servers[ident] = {"id": ident, "name": "name-" + ident, "tenant_id": project, "host": host,
                               "vm_state": "active", "task": None, "actions": [], "to": None}

    def delete(self, ident):
        with self.lock:
            del self.servers[ident]

    def where(self, ident):
        return self.servers[ident]["host"]

    def on(self, host):
        return sorted(s["id"] for s in self.servers.values() if s["host"] == host)

    def token(self):
        return {"token": {"expires_at": "2199-01-01T00:00:00.000000Z", "issued_at": "2026-01-01T00:00:00.000000Z",
                          "roles": [{"id": "r", "name": "admin"}], "project": {"id": "admin", "name": "admin"},
                          "catalog": [{"type": "compute", "name": "nova", "id": "c", "endpoints": [
                              {"interface": i, "region": "RegionOne", "region_id": "RegionOne", "id": i,
                               "url": self.url + "/v2.1"} for i in ("public", "internal", "admin")]}]}}

    def service(self, host):
        return {"id": self.hosts[host], "binary": "nova-compute", "host": host, "zone": "nova",
                "status": "disabled" if host in self.disabled else "enabled", "forced_down": False,
                "state": "down" if host in self.down else "up", "disabled_reason": self.reasons.get(host)}

    def shown(self, s):
        if s["task"] and not self.slow:  # arrives at the next look
            self.arrive(s)
        return {"id": s["id"], "name": s["name"], "tenant_id": s["tenant_id"], "status": s["vm_state"].upper(),
                "OS-EXT-SRV-ATTR:host": s["host"], "OS-EXT-STS:vm_state": s["vm_state"],
                "OS-EXT-STS:task_state": s["task"], "image": {"id": "i"}}

    def arrive(self, s):
        task, s["task"] = s["task"], None
        to, s["to"] = s["to"], None
        if to is not None:
            s["host"] = to
            s["vm_state"] = "resized" if task == "resize_migrating" else "active"

    def target(self, s):
        """As the scheduler: an enabled host that is up, the emptiest."""
        fine = [h for h in self.hosts if h != s["host"] and h not in self.disabled | self.down]
        return min(fine, key=lambda h: len(self.on(h))) if fine else None

    def move(self, s, action):
        cold = action == "migrate"
        self.log.append((action if cold else "live-migrate", s["id"]))
        s["actions"].append({"action": ACTIONS["migrate" if cold else "os-migrateLive"],
                             "start_time": time.strftime("%Y-%m-%dT%H:%M:%S.000000", time.gmtime())})
        to = self.target(s)
        if to is None or s["id"] in (self.fail_cold if cold else self.fail):
            if to is None:
                return 400, {"badRequest": {"code": 400, "message": "No valid host was found."}}
            s["task"], s["to"] = "migrating", None  # comes to nothing
        else:
            s["task"], s["to"] = "resize_migrating" if cold else "migrating", to
        return 202, {}

    def act(self, s, body):
        (verb, _), = body.items()
        if s["task"]:
            return 409, {"conflictingRequest": {"code": 409, "message": "task_state " + s["task"]}}
        if verb == "confirmResize":
            s["vm_state"] = "active"
            return 204, {}
        return self.move(s, "migrate" if verb == "migrate" else "live-migrate")

    def answer(self, method, path, body):
        path, _, query = path.removeprefix("/v2.1").partition("?")
        host = re.search(r"(?:^|&)host=([^&]*)", query)
        if path == "/os-services" and method == "GET":
            return 200, {"services": [self.service(h) for h in self.hosts if not host or host[1] == h]}
        if path.startswith("/os-services/"):
            name, = [h for h, i in self.hosts.items() if path.endswith(i)]
            on = body["status"] == "enabled"
            self.log.append(("enable" if on else "disable", name))
            (self.disabled.discard if on else self.disabled.add)(name)
            self.reasons[name] = body.get("disabled_reason")
            return 200, {"service": self.service(name)}
        if path == "/os-hypervisors/detail":
            return 200, {"hypervisors": [{"service": {"host": h}, "vcpus": self.vcpus, "memory_mb": 4096,
                                          "vcpus_used": len(self.on(h)), "memory_mb_used": 64 * len(self.on(h))}
                                         for h in self.hosts]}
        if path == "/servers/detail":
            found = [self.shown(s) for s in self.servers.values()]
            return 200, {"servers": [s for s in found if not host or s["OS-EXT-SRV-ATTR:host"] == host[1]]}
        s = self.servers.get(path.split("/")[2])
        if s is None:
            return 404, {"itemNotFound": {"code": 404, "message": "no such server"}}
        if path.endswith("/action"):
            return self.act(s, body)
        if path.endswith("/os-instance-actions"):
            return 200, {"instanceActions": s["actions"]}
        return 200, {"server": self.shown(s)}

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *what):
        self.server.shutdown()
        self.server.server_close()
