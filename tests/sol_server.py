# SPDX-License-Identifier: Apache-2.0
"""Stands in for a VNFM (SOL 003 vnflcm) or an NFVO (SOL 005 nslcm), as their specifications and Tacker have them:
version header, 202 with Location, one operation at a time on an instance (409), operation occurrences with their
states, times and links, FAILED_TEMP with retry, rollback and fail, cancel in both modes, Tacker's alerts and fault notifications, a
token endpoint. Operations advance as they are looked at, so that nothing depends on the clock.

    with Sol("vnflcm") as vnfm:              # vnfm.url is the root
        vnfm.behave = ["conflict", "deaf"]   # of the next calls, in order
        vnfm.failures = 1                    # so many executions end in FAILED_TEMP
        vnfm.hold = True                     # operations stay PROCESSING until it is False
        vnfm.ops                             # what was accepted; vnfm.done(): what was carried out
        vnfm.vnfs["v1"] = {"eyes": 1}        # scale levels by aspect, moved by SCALE; the VDU of an aspect's name
                                             # has one instance more than the level
"""
import base64
import datetime
import http.server
import json
import re
import socket
import ssl
import struct
import threading
import urllib.parse
import uuid

APIS = {"vnflcm": ("vnf_instances", "vnf_lcm_op_occs", "vnfInstanceId", "operation", "stateEnteredTime",
                   {"v1": "1.3.0", "v2": "2.0.0"}),
        "nslcm": ("ns_instances", "ns_lcm_op_occs", "nsInstanceId", "lcmOperationType", "statusEnteredTime",
                  {"v1": "1.4.0", "v2": "2.1.0"})}
TASKS = {"vnflcm": ("heal", "scale", "scale_to_level", "operate"), "nslcm": ("heal", "scale")}
OPEN = ("STARTING", "PROCESSING", "ROLLING_BACK", "FAILED_TEMP")


class Problem(Exception):
    def __init__(self, status, detail, **headers):
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat().replace("+00:00", "Z")


class Sol:
    def __init__(self, api="vnflcm", certificate=None, client_ca=None):
        (self.instances, self.occs, self.instance_key, self.kind_key, self.entered_key, self.versions) = APIS[api]
        self.api, self.lock = api, threading.RLock()
        self.ops, self.said, self.calls, self.behave, self.alerts = [], [], [], [], []
        self.failures, self.hold, self.looks = 0, False, 2
        self.refuses = ()          # words an operation in FAILED_TEMP refuses
        self.rollback_fails = False
        self.too_late = False      # a graceful cancel finds it done
        self.takes_second = False  # as Tacker since 12: the second operation stays STARTING for ever
        self.deaf_words = 0        # so many words are heard, but not answered
        self.lag = 3               # looks at the list before an alert becomes an operation
        self.life = 300            # of a token, in seconds
        self.vnfs = {}
        self.client, self.user, self.tokens, self.token_calls = None, None, [], []
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.sol = self
        scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            if client_ca:
                context.load_verify_locations(client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                     do_handshake_on_connect=False)
            scheme = "https"
        self.url = f"{scheme}://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *what):
        self.server.shutdown()
        self.server.server_close()

    # --- operations -------------------------------------------------------------------------------
    def begin(self, kind, instance, params, automatic=False):
        busy = [op for op in self.ops if op["instance"] == instance and op["state"] in OPEN]
        if busy and (not self.takes_second or busy[0]["state"] == "FAILED_TEMP"):
            raise Problem(409, f"operation {busy[0]['id']} is {busy[0]['state']}")
        op = {"id": str(uuid.uuid4()), "kind": kind.upper(), "instance": instance, "params": params,
              "start": now(), "looks": 0, "runs": 1, "automatic": automatic, "stuck": bool(busy), "error": None}
        self.enter(op, "STARTING" if self.api == "vnflcm" else "PROCESSING")
        self.ops.append(op)
        return op

    @staticmethod
    def enter(op, state):
        op["state"], op["entered"], op["looks"] = state, now(), 0

    def done(self):
        return [op for op in self.ops if op["state"] == "COMPLETED"]

    def step(self, op):
        """One look at the operation."""
        op["looks"] += 1
        if op.get("cancel") and op["looks"] >= self.looks:
            del op["cancel"]
            if self.too_late:
                op["error"] = None
            self.enter(op, "COMPLETED" if self.too_late else "FAILED_TEMP")
            return
        if op["stuck"] or (self.hold and op["state"] == "PROCESSING"):
            return
        if op["state"] == "STARTING":
            self.enter(op, "PROCESSING")
        elif op["state"] == "PROCESSING" and op["looks"] >= self.looks:
            op["error"] = None
            if self.failures > 0:
                self.failures -= 1
                op["error"] = "told to fail"
                self.enter(op, "FAILED_TEMP")
            else:
                self.enter(op, "COMPLETED")
                self.scaled(op)
        elif op["state"] == "ROLLING_BACK" and op["looks"] >= self.looks:
            self.enter(op, "FAILED_TEMP" if self.rollback_fails else "ROLLED_BACK")

    def scaled(self, op):
        levels, aspect = self.vnfs.get(op["instance"], {}), op["params"].get("aspectId")
        if op["kind"] == "SCALE" and aspect in levels:
            by = int(op["params"].get("numberOfSteps", 1))
            levels[aspect] += by if op["params"]["type"] == "SCALE_OUT" else -by

    def vnf(self, instance):
        if instance not in self.vnfs:
            raise Problem(404, f"no instance {instance}")
        levels = self.vnfs[instance]
        return {"id": instance, "instantiationState": "INSTANTIATED", "instantiatedVnfInfo": {
            "flavourId": "simple", "vnfState": "STARTED",
            "scaleStatus": [{"aspectId": a, "scaleLevel": n} for a, n in levels.items()],
            "vnfcResourceInfo": [{"id": f"{a}-{i}", "vduId": a} for a, n in levels.items() for i in range(n + 1)]}}

    def cancel(self, op, mode):
        """STARTING is rolled back; PROCESSING fails for now, at once or (graceful) when it is looked at next."""
        if "cancel" in self.refuses:
            raise Problem(404, "no task cancel")
        if mode not in ("GRACEFUL", "FORCEFUL"):
            raise Problem(400, "cancelMode is GRACEFUL or FORCEFUL")
        if op["state"] not in ("STARTING", "PROCESSING"):
            raise Problem(409, f"operation is {op['state']}")
        self.said.append("cancel " + mode)
        op["error"] = "cancelled"
        if op["state"] == "STARTING":
            self.enter(op, "ROLLED_BACK")
        elif mode == "FORCEFUL":
            self.enter(op, "FAILED_TEMP")
        else:
            op["cancel"], op["looks"] = mode, 0
        return op

    def tell(self, op_id, word, body=None):
        op = self.find(op_id)
        if word == "cancel":
            return self.cancel(op, (body or {}).get("cancelMode"))
        if op["state"] != "FAILED_TEMP":
            raise Problem(409, f"operation is {op['state']}, not FAILED_TEMP")
        if word in self.refuses:
            raise Problem(404, f"no task {word}")
        self.said.append(word)
        if word == "retry":
            op["runs"] += 1
        self.enter(op, {"retry": "PROCESSING", "rollback": "ROLLING_BACK", "fail": "FAILED"}[word])
        return op

    def find(self, op_id):
        for op in self.ops:
            if op["id"] == op_id:
                return op
        raise Problem(404, f"no operation occurrence {op_id}")

    def resource(self, op, full=True):
        href = f"{self.url}/{self.api}/v2/{self.occs}/{op['id']}"
        out = {"id": op["id"], "operationState": op["state"], self.entered_key: op["entered"],
               "startTime": op["start"], self.instance_key: op["instance"], self.kind_key: op["kind"],
               "isAutomaticInvocation": op["automatic"], "isCancelPending": bool(op.get("cancel")),
               "_links": {"self": {"href": href}}}
        if op["state"] == "FAILED_TEMP":
            out["_links"].update({word: {"href": f"{href}/{word}"} for word in ("retry", "rollback", "fail")
                                  if word not in self.refuses})
        if full:
            out["operationParams"] = op["params"]
        if full and op["error"]:
            out["error"] = {"status": 500, "detail": op["error"]}
        return out

    # --- Tacker's other ways ----------------------------------------------------------------------
    def alert(self, kind, instance, params):
        """Heals of one VNF are gathered, as Tacker's timer does it."""
        for pending in self.alerts:
            if kind == "HEAL" and pending["kind"] == "HEAL" and pending["instance"] == instance:
                pending["params"]["vnfcInstanceId"] += [v for v in params["vnfcInstanceId"]
                                                        if v not in pending["params"]["vnfcInstanceId"]]
                return
        self.alerts.append({"kind": kind, "instance": instance, "params": params, "looks": 0})

    def list_looked_at(self):
        for pending in list(self.alerts):
            pending["looks"] += 1
            if pending["looks"] >= self.lag:
                self.alerts.remove(pending)
                self.begin(pending["kind"], pending["instance"], pending["params"], True)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads, request_queue_size = True, 128

    def handle_error(self, request, client_address):
        pass  # a client that went away is no error here


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version, disable_nagle_algorithm, wbufsize = "HTTP/1.1", True, 1 << 16

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.answer()

    def do_POST(self):
        self.answer()

    def answer(self):
        sol = self.server.sol
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urllib.parse.urlsplit(self.path)
        words = [urllib.parse.unquote(word) for word in url.path.strip("/").split("/")]
        try:
            with sol.lock:
                self.serve(sol, words, urllib.parse.parse_qs(url.query, keep_blank_values=True), raw)
        except Problem as p:
            self.say(p.status, {"type": "about:blank", "title": "Problem", "status": p.status, "detail": p.detail},
                     kind="application/problem+json", **p.headers)
        except ConnectionError:
            self.close_connection = True

    def say(self, status, body=None, kind="application/json", **headers):
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        if data:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    def cut(self):
        """RST, without an answer."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        raise ConnectionResetError

    def serve(self, sol, words, query, raw):
        if words == ["token"]:
            return self.token(sol, raw)
        if words[0] in ("alert", "server_notification"):
            return self.tacker(sol, words, json.loads(raw))
        if words[0] != sol.api or len(words) < 3 or words[1] not in sol.versions:
            raise Problem(404, "no such path")
        self.check_caller(sol)
        version = self.headers.get("Version")
        if version is None or not re.fullmatch(r"\d+\.\d+\.\d+(-.*)?", version):
            raise Problem(400, "header Version is missing or malformed")
        if version.split("-")[0] != sol.versions[words[1]]:
            raise Problem(406, f"version {version} is not supported")
        if words[2] == sol.instances and len(words) == 5 and self.command == "POST":
            return self.task(sol, words[3], words[4], json.loads(raw))
        if words[2] == sol.instances and len(words) == 4 and self.command == "GET":
            return self.say(200, sol.vnf(words[3]))
        if words[2] == sol.occs:
            return self.occurrences(sol, words[3:], query, json.loads(raw or "null"))
        raise Problem(404, "no such path")

    def check_caller(self, sol):
        given = self.headers.get("Authorization", "")
        if sol.client and given not in ["Bearer " + token for token in sol.tokens]:
            raise Problem(401, "a token is wanted", WWW_Authenticate="Bearer")
        if sol.user and given != "Basic " + base64.b64encode(":".join(sol.user).encode()).decode():
            raise Problem(401, "user and password are wanted", WWW_Authenticate="Basic")

    def token(self, sol, raw):
        form = dict(urllib.parse.parse_qsl(raw.decode()))
        sol.token_calls.append({"form": form, "authorization": self.headers.get("Authorization")})
        pair = (form.get("client_id"), form.get("client_secret"))
        if self.headers.get("Authorization", "").startswith("Basic "):
            pair = tuple(base64.b64decode(self.headers["Authorization"][6:]).decode().split(":"))
        if form.get("grant_type") != "client_credentials" or pair != sol.client:
            return self.say(401, {"error": "invalid_client"})
        sol.tokens.append("tok-" + uuid.uuid4().hex)
        return self.say(200, {"access_token": sol.tokens[-1], "token_type": "Bearer", "expires_in": sol.life})

    def task(self, sol, instance, word, body):
        if word not in TASKS[sol.api]:
            raise Problem(404, f"no task {word}")
        if self.headers.get_content_type() != "application/json":
            raise Problem(415, "Content-Type must be application/json")
        how = sol.behave.pop(0) if sol.behave else "good"
        sol.calls.append({"word": word, "instance": instance, "body": body, "how": how,
                          "version": self.headers["Version"]})
        if how == "conflict":
            raise Problem(409, "another operation is under way (told so)")
        if how == "unavailable":
            raise Problem(503, "come back later", Retry_After=1)
        if how == "bad":
            raise Problem(400, "this VNF cannot do that")
        if how == "deaf_before":
            self.cut()
        op = sol.begin(word, instance, body)
        if how == "deaf":
            self.cut()
        if how == "error":
            raise Problem(500, "internal error after all")
        self.say(202, None, Location=f"{sol.url}/{sol.api}/v2/{sol.occs}/{op['id']}")

    def occurrences(self, sol, words, query, body=None):
        if len(words) == 2 and self.command == "POST":
            op = sol.tell(*words, body)
            if sol.deaf_words > 0:
                sol.deaf_words -= 1
                self.cut()
            if words[1] == "fail":
                return self.say(200, sol.resource(op))
            return self.say(202)
        if len(words) == 1:
            op = sol.find(words[0])
            shown = sol.resource(op)
            sol.step(op)
            return self.say(200, shown)
        sol.list_looked_at()
        wanted = re.findall(r"\((eq|in),([^,]+),([^)]*)\)", query.get("filter", [""])[0])
        shown = [sol.resource(op, "all_fields" in query) for op in sol.ops]
        self.say(200, [one for one in shown
                       if all(str(one.get(key)) in values.split(",") for _, key, values in wanted)])

    def tacker(self, sol, words, body):
        sol.calls.append({"word": "/".join(words), "body": body})
        if words[0] == "server_notification":  # .../vnf_instances/V/servers/S/notify
            sol.alert("HEAL", words[2], {"vnfcInstanceId": ["vnfc-of-" + words[4]]})
            return self.say(204)
        for alert in body["alerts"]:
            labels = alert["labels"]
            if labels["function_type"] == "auto_heal":
                sol.alert("HEAL", labels["vnf_instance_id"], {"vnfcInstanceId": [labels["vnfc_info_id"]]})
            else:
                sol.alert("SCALE", labels["vnf_instance_id"],
                          {"type": labels["auto_scale_type"], "aspectId": labels["aspect_id"], "numberOfSteps": 1})
        self.say(204)
