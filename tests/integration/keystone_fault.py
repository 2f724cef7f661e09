# SPDX-License-Identifier: Apache-2.0
"""A stand-in for Keystone with the faults that the real one cannot be made to have: it answers what a
test tells it, late, wrongly, or as a Keystone that has stopped believing in its own tokens."""
import datetime
import http.server
import json
import threading


def token_body(project="p1", roles=("monasca-user",), life_s=3600, **more):
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=life_s)
    token = {"methods": ["password"], "user": {"id": "u1", "name": "somebody",
                                               "domain": {"id": "default", "name": "Default"}},
             "expires_at": end.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "audit_ids": ["a"],
             "roles": [{"id": r, "name": r} for r in roles]}
    if project:
        token["project"] = {"id": project, "name": project, "domain": {"id": "default"}}
    token.update(more)
    return {"token": token}


class Fault:
    """judge(subject, auth) -> (status, body or bytes); login(body) -> (status, token or None, body).
    calls, logins: what came. gate: while it is not set, validations wait for it."""

    def __init__(self):
        self.calls, self.logins, self.headers = [], [], []
        self.lock = threading.Lock()
        self.gate = threading.Event()
        self.gate.set()
        self.judge = lambda subject, auth: (200, token_body())
        self.login = lambda body: (201, "own-1", token_body("service", ["service"]))
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def answer(self, status, body, headers=()):
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self):
                if not self.path.startswith("/v3/auth/tokens"):
                    self.answer(200, {"version": {"id": "v3"}})
                    return
                subject = self.headers["X-Subject-Token"]
                with outer.lock:
                    outer.calls.append((subject, self.headers["X-Auth-Token"]))
                    outer.headers.append(dict(self.headers))
                outer.gate.wait(20)
                status, body = outer.judge(subject, self.headers["X-Auth-Token"])
                if status == 0:  # hang up
                    self.close_connection = True
                    return
                try:
                    self.answer(status, body)
                except OSError:
                    pass  # the collector has not waited

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with outer.lock:
                    outer.logins.append(body)
                status, token, answer = outer.login(body)
                self.answer(status, answer, [("X-Subject-Token", token)] if token else [])

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, request, client_address):
                pass
        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v3"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def stop(self):
        self.gate.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
