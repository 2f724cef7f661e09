# SPDX-License-Identifier: Apache-2.0
"""Stands in for a Kubernetes API server (kubelets and controllers included), as its API reference has it:
deployments, statefulsets and daemonsets with `scale`, pods with `eviction`, nodes. Merge patches, resourceVersion
(409 Conflict), metadata.generation, preconditions by uid, disruption budgets (429 with Retry-After), field selectors,
Status objects, bearer tokens.

    with Kubernetes() as k:                     # k.url; k.token is what it takes
        k.workload("web", replicas=2)           # k.workloads[("deployments", "default", "web")]
        k.pod("web-1", node="n1", owner="ReplicaSet")
        k.budget = 2                            # so many evictions are refused with 429
        k.behave = ["conflict", "unavailable", "deaf", "lost"]   # of the next calls that change something
        k.changes                               # (method, path, body) that took effect, in order
"""
import copy
import http.server
import json
import threading
import time
import urllib.parse
import uuid

REASONS = {400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict",
           415: "UnsupportedMediaType", 422: "Invalid", 429: "TooManyRequests", 500: "InternalError",
           503: "ServiceUnavailable"}


def merge(into, patch):
    """RFC 7396."""
    for key, value in patch.items():
        if value is None:
            into.pop(key, None)
        elif isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = copy.deepcopy(value)


class Problem(Exception):
    def __init__(self, code, message, **headers):
        super().__init__(message)
        self.code, self.message, self.headers = code, message, headers


class Kubernetes:
    token = "kube-token-eyJhbGciOi"

    def __init__(self):
        self.lock = threading.RLock()
        self.version, self.budget, self.behave, self.changes, self.refused = 100, 0, [], [], []
        self.workloads, self.pods, self.nodes = {}, {}, {}
        self.needs_certificate = False  # of the client's (with TLS); token None: none is asked for
        self.settle, self.asked = 2, {}  # GETs until a change has come through
        self.then = lambda: None  # after a call that nobody answers
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def say(self, status, body, headers=()):
                text = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                for name, value in dict(headers).items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(text)

            def handle_call(self):
                raw = self.rfile.read(int(self.headers["Content-Length"] or 0))
                try:
                    if outer.token is not None and self.headers["Authorization"] != "Bearer " + outer.token:
                        raise Problem(401, "Unauthorized")
                    if outer.needs_certificate and not self.connection.getpeercert():
                        raise Problem(401, "Unauthorized")
                    how = outer.behave.pop(0) if self.command != "GET" and outer.behave else "good"
                    if how == "lost":  # the connection ends before anything is done
                        self.close_connection = True
                        return
                    if how == "conflict":
                        raise Problem(409, "the object has been modified; please apply your changes to the "
                                           "latest version and try again")
                    if how == "unavailable":
                        raise Problem(503, "etcdserver: leader changed")
                    body = json.loads(raw) if raw else {}
                    with outer.lock:
                        status, answer = outer.serve(self.command, self.path, body, self.headers["Content-Type"])
                    if how == "deaf":  # it is done, but nobody hears of it
                        outer.then()
                        self.close_connection = True
                        return
                    self.say(status, answer)
                except Problem as p:
                    self.say(p.code, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                                      "message": p.message, "reason": REASONS[p.code], "code": p.code}, p.headers)
            do_GET = do_POST = do_PATCH = do_DELETE = handle_call

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *args):
                pass  # a client that went away is no error here
        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    # --- objects ----------------------------------------------------------------------------
    def touch(self, o, spec=False):
        self.version += 1
        o["metadata"]["resourceVersion"] = str(self.version)
        o["metadata"]["generation"] = o["metadata"].get("generation", 0) + (1 if spec else 0)
        return o

    def workload(self, name, kind="deployments", space="default", replicas=1):
        o = {"metadata": {"name": name, "namespace": space, "uid": str(uuid.uuid4())},
             "spec": {"replicas": replicas, "template": {"metadata": {}}}, "status": {}}
        self.workloads[(kind, space, name)] = self.touch(o, True)
        self.come_through(o)
        return o

    @staticmethod
    def come_through(o):
        n = o["spec"]["replicas"]
        o["status"] = {"observedGeneration": o["metadata"]["generation"], "replicas": n, "readyReplicas": n,
                       "updatedReplicas": n, "numberReady": n, "desiredNumberScheduled": n,
                       "updatedNumberScheduled": n}

    def pod(self, name, node="n1", owner="ReplicaSet", space="default", phase="Running", mirror=False):
        meta = {"name": name, "namespace": space, "uid": str(uuid.uuid4()), "annotations": {}}
        if owner:
            meta["ownerReferences"] = [{"kind": owner, "name": "x", "controller": True}]
        if mirror:
            meta["annotations"]["kubernetes.io/config.mirror"] = "x"
        self.pods[(space, name)] = self.touch({"metadata": meta, "spec": {"nodeName": node},
                                               "status": {"phase": phase}})
        return meta["uid"]

    def node(self, name):
        self.nodes[name] = self.touch({"metadata": {"name": name}, "spec": {}, "status": {}})
        return self.nodes[name]

    # --- the API ------------------------------------------------------------------------------
    def find(self, table, key, what):
        if key not in table:
            raise Problem(404, f'{what} "{key if isinstance(key, str) else key[-1]}" not found')
        return table[key]

    def serve(self, method, target, body, form):
        url = urllib.parse.urlsplit(target)
        path = [urllib.parse.unquote(p) for p in url.path.split("/")[1:]]
        query = dict(urllib.parse.parse_qsl(url.query))
        if method == "PATCH" and form != "application/merge-patch+json":
            raise Problem(415, "the body of the request was in an unknown format")
        if path[:3] == ["apis", "apps", "v1"] and path[3] == "namespaces":
            return self.of_workload(method, path[4:], body)
        if path[:3] == ["api", "v1", "nodes"]:
            node = self.find(self.nodes, path[3], "nodes")
            if method == "PATCH":
                merge(node, body)
                self.touch(node)
                self.changes.append((method, url.path, body))
            return 200, node
        if path[:3] == ["api", "v1", "pods"]:
            name, value = query["fieldSelector"].split("=")
            assert name == "spec.nodeName"
            return 200, {"kind": "PodList", "metadata": {}, "items": [
                p for p in self.pods.values() if p["spec"]["nodeName"] == value]}
        if path[:3] == ["api", "v1", "namespaces"] and path[4] == "pods":
            return self.of_pod(method, path[3], path[5:], body)
        raise Problem(404, "the server could not find the requested resource")

    def of_workload(self, method, path, body):
        space, kind, name = path[:3]
        o = self.find(self.workloads, (kind, space, name), kind + ".apps")
        if method == "GET":
            if o["status"].get("observedGeneration") != o["metadata"]["generation"]:
                self.asked[name] = self.asked.get(name, 0) + 1
                if self.asked[name] > self.settle:
                    self.come_through(o)
                    self.touch(o)
                    self.asked[name] = 0
            return 200, o
        wanted = body.get("metadata", {}).pop("resourceVersion", None)
        if wanted not in (None, o["metadata"]["resourceVersion"]):
            raise Problem(409, f'Operation cannot be fulfilled on {kind}.apps "{name}": the object has been modified')
        if path[3:] == ["scale"]:
            body = {"spec": {"replicas": body["spec"]["replicas"]}}
        before = copy.deepcopy(o["spec"])
        merge(o, body)
        if o["spec"] != before:  # a patch that changes nothing makes no new generation
            self.touch(o, True)
            self.changes.append((method, "/".join(path), body))
        return 200, o

    def of_pod(self, method, space, path, body):
        key = (space, path[0])
        pod = self.find(self.pods, key, "pods")
        if method == "GET":
            if "deletionTimestamp" in pod["metadata"]:
                self.asked[key] = self.asked.get(key, 0) + 1
                if self.asked[key] > self.settle:
                    del self.pods[key]
            return 200, pod
        evict = path[1:] == ["eviction"]
        options = body.get("deleteOptions", {}) if evict else body
        if options.get("preconditions", {}).get("uid", pod["metadata"]["uid"]) != pod["metadata"]["uid"]:
            raise Problem(409, "Precondition failed: UID in precondition")
        if evict and self.budget > 0:
            self.budget -= 1
            self.refused.append(path[0])
            raise Problem(429, "Cannot evict pod as it would violate the pod's disruption budget.", Retry_After="1")
        if "deletionTimestamp" not in pod["metadata"]:
            pod["metadata"]["deletionTimestamp"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            self.touch(pod)
            self.changes.append((method, "/".join([space, *path]), body))
        return 201 if evict else 200, {"kind": "Status", "status": "Success", "code": 201 if evict else 200}

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *what):
        self.server.shutdown()
        self.server.server_close()
