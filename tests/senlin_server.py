# SPDX-License-Identifier: Apache-2.0
"""Stands in for Senlin (retired; its service cannot run in tests): POST clusters/X/actions, GET actions/X and
the list, as its API reference has them, with the errors and delays a test asks for.

    with Senlin() as senlin:            # senlin.url for the catalogue (type `clustering`)
        senlin.behave = ["busy", "unavailable", "deaf"]     # of the next POSTs, in order
        senlin.actions                  # what was accepted
        senlin.capacity, senlin.nodes   # what the cluster has: a resize sets both, nodes are statuses
"""
import http.server
import json
import threading
import time
import uuid

CLUSTER = {"id": "7d85f602-a948-4a30-afd4-e84f47471c15", "name": "web", "status": "ACTIVE"}


class Senlin:
    def __init__(self):
        self.actions, self.behave, self.polls, self.fail = [], [], {}, None
        self.capacity, self.nodes = 2, ["ACTIVE", "ACTIVE"]
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def say(self, status, body):
                text = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def problem(self, status, message):
                self.say(status, {"error": {"code": status, "message": message, "type": "E"}, "code": status})

            def do_GET(self):
                path = self.path.split("?")[0]
                if not self.headers["X-Auth-Token"]:
                    self.problem(401, "Authentication required")
                elif path == "/v1/clusters/" + CLUSTER["name"]:
                    self.say(200, {"cluster": CLUSTER | {"desired_capacity": outer.capacity}})
                elif path == "/v1/nodes" and f"cluster_id={CLUSTER['id']}&status=ACTIVE" in self.path:
                    self.say(200, {"nodes": [{"id": str(i), "status": s} for i, s in enumerate(outer.nodes)
                                             if s == "ACTIVE"]})
                elif path == "/v1/actions":
                    self.say(200, {"actions": [outer.shown(a) for a in reversed(outer.actions)]})
                elif path.startswith("/v1/actions/"):
                    found = [a for a in outer.actions if path.endswith(a["id"])]
                    if found:
                        self.say(200, {"action": outer.shown(found[0], polled=True)})
                    else:
                        self.problem(404, "The action could not be found.")
                else:
                    self.problem(404, "The cluster could not be found.")

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                how = outer.behave.pop(0) if outer.behave else "good"
                if how == "busy":
                    self.problem(409, "The cluster is locked by another action.")
                    return
                if how == "unavailable":
                    self.problem(503, "Service unavailable")
                    return
                (verb, arguments), = body.items()
                if verb == "resize":
                    outer.capacity = arguments["number"]
                    outer.nodes = (outer.nodes + ["ACTIVE"] * outer.capacity)[:outer.capacity]
                outer.actions.append({"id": str(uuid.uuid4()), "target": CLUSTER["id"], "body": body,
                                      "action": "CLUSTER_" + verb.upper(), "created_at": time.strftime(
                                          "%Y-%m-%dT%H:%M:%SZ", time.gmtime())})
                if how == "deaf":  # it has begun, but nobody hears of it
                    self.close_connection = True
                    return
                self.say(202, {"action": outer.actions[-1]["id"]})

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def shown(self, action, polled=False):
        """RUNNING twice, then at its end."""
        if polled:
            self.polls[action["id"]] = self.polls.get(action["id"], 0) + 1
        over = self.polls.get(action["id"], 0) > 2
        status = "RUNNING" if not over else "FAILED" if self.fail else "SUCCEEDED"
        return {k: action[k] for k in ("id", "target", "action", "created_at")} | {
            "status": status, "status_reason": self.fail or "Cluster action completed."}

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *what):
        self.server.shutdown()
        self.server.server_close()
