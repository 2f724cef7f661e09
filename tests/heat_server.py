# SPDX-License-Identifier: Apache-2.0
"""Stands in for Heat where the question is only what a stack says of itself: GET stacks/NAME (302 to its id), the
stack, its resources with the members of groups; PATCH of a parameter, which is there at once and makes or removes members
of the group `servers`. The real Heat is in tests/integration/test_vim_*.py.

    with Heat() as heat:                # heat.url for the catalogue (type `orchestration`)
        heat.parameters["count"]        # of the only stack, `web`
        heat.members                    # resource_status of each member of the group `servers`
        heat.patches                    # parameters of the PATCHes, in order
"""
import http.server
import json
import threading
import time
import urllib.parse

ID = "3095aefc-09fb-4bc7-b1f0-f21a304e864c"


class Heat:
    def __init__(self, count=2):
        self.parameters = {"count": str(count), "OS::stack_id": ID, "flavor": "m1.small"}
        self.members, self.patches, self.status, self.updated = ["CREATE_COMPLETE"] * count, [], 200, 0
        self.asked = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def say(self, status, body, **headers):
                text = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

            def handle_call(self):
                raw = self.rfile.read(int(self.headers["Content-Length"] or 0))
                url = urllib.parse.urlsplit(self.path)
                if not self.headers["X-Auth-Token"]:
                    self.say(401, {"message": "Authentication required"})
                elif outer.status != 200:
                    self.say(outer.status, {"error": {"message": "out of order"}})
                elif url.path == "/v1/p/stacks/web":
                    self.say(302, {}, Location=f"http://elsewhere.invalid/v1/p/stacks/web/{ID}")
                elif url.path == f"/v1/p/stacks/web/{ID}" and self.command == "PATCH":
                    outer.patch(json.loads(raw)["parameters"])
                    self.say(202, {})
                elif url.path == f"/v1/p/stacks/web/{ID}":
                    outer.asked += 1
                    self.say(200, {"stack": {"id": ID, "stack_name": "web", "stack_status": "UPDATE_COMPLETE",
                                             "parameters": outer.parameters, "updated_time": str(outer.updated)}})
                elif url.path == f"/v1/p/stacks/web/{ID}/resources" and url.query == "nested_depth=1":
                    outer.asked += 1
                    self.say(200, {"resources": outer.resources()})
                else:
                    self.say(404, {"code": 404, "error": {"message": "The Stack could not be found."}})
            do_GET = do_PATCH = handle_call

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/p"

    def patch(self, parameters):
        self.patches.append(parameters)
        self.parameters |= parameters
        self.updated = time.time_ns()
        wanted = int(self.parameters["count"])
        self.members = (self.members + ["CREATE_COMPLETE"] * wanted)[:wanted]

    def resources(self):
        links = [{"rel": "self", "href": "x"}, {"rel": "stack", "href": "x"}]
        return [{"resource_name": "servers", "resource_type": "OS::Heat::ResourceGroup",
                 "resource_status": "UPDATE_COMPLETE", "links": [*links, {"rel": "nested", "href": "x"}]},
                {"resource_name": "net", "resource_type": "OS::Neutron::Net", "resource_status": "CREATE_COMPLETE",
                 "links": links}] + [
            {"resource_name": str(i), "resource_type": "OS::Nova::Server", "parent_resource": "servers",
             "resource_status": status, "links": links} for i, status in enumerate(self.members)]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *what):
        self.server.shutdown()
        self.server.server_close()
