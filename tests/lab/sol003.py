# SPDX-License-Identifier: Apache-2.0
"""The VNFM: ETSI SOL003 vnflcm v2 over the lab's VNF, and the lab's control endpoints."""
import http.server
import json
import re
import socket
import struct
import threading
import time
import traceback
import urllib.parse
import uuid

from vnf import VNF_ID

API_VERSION = "2.0.0"
BASE = "/vnflcm/v2"
OPEN_STATES = ("STARTING", "PROCESSING", "ROLLING_BACK", "FAILED_TEMP")
BEHAVIOURS = ("normal", "refuse", "timeout", "timeout_before", "conflict", "unavailable", "error",
              "garbage", "no_location", "huge", "bad_poll", "fail_temp", "slow")


def iso(seconds):
    whole = int(seconds)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + ".%03dZ" % int((seconds - whole) * 1000)


class Problem(Exception):
    def __init__(self, status, detail, headers=()):
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, dict(headers)


class Operation:
    def __init__(self, kind, params):
        self.id, self.kind, self.params = str(uuid.uuid4()), kind, params
        self.start = self.entered = time.time()
        self.state, self.error = "STARTING", None

    def enter(self, state, error=None):
        self.state, self.entered, self.error = state, time.time(), error

    def resource(self, root, full=True):
        link = "%s%s/vnf_lcm_op_occs/%s" % (root, BASE, self.id)
        out = {"id": self.id, "operationState": self.state, "stateEnteredTime": iso(self.entered),
               "startTime": iso(self.start), "vnfInstanceId": VNF_ID, "operation": self.kind,
               "isAutomaticInvocation": False, "isCancelPending": False,
               "_links": {"self": {"href": link},
                          "vnfInstance": {"href": "%s%s/vnf_instances/%s" % (root, BASE, VNF_ID)}}}
        if self.state == "FAILED_TEMP":
            for word in ("retry", "rollback", "fail"):
                out["_links"][word] = {"href": link + "/" + word}
        if full:
            out["operationParams"] = self.params
            if self.error:
                out["error"] = {"status": 500, "title": "Operation failed", "detail": self.error}
        return out


def matches(resource, text):
    """SOL013 attribute filter: (op,attr,value,...) joined by ';'. Problem 400 on bad syntax."""
    for part in text.split(";"):
        found = re.fullmatch(r"\((eq|neq|in|nin|gt|gte|lt|lte|cont|ncont),([^,()]+),([^()]*)\)", part)
        if not found:
            raise Problem(400, "bad filter: " + part)
        word, values = found[1], [value.strip("'") for value in found[3].split(",")]
        if word not in ("in", "nin", "cont", "ncont") and len(values) != 1:
            raise Problem(400, "one value expected: " + part)
        node = resource
        for key in found[2].split("/"):
            node = node.get(key) if isinstance(node, dict) else None
        if node is None:
            return False
        have = str(node).lower() if isinstance(node, bool) else str(node)
        holds = {"eq": have == values[0], "neq": have != values[0], "in": have in values,
                 "nin": have not in values, "gt": have > values[0], "gte": have >= values[0],
                 "lt": have < values[0], "lte": have <= values[0],
                 "cont": any(value in have for value in values),
                 "ncont": not any(value in have for value in values)}[word]
        if not holds:
            return False
    return True


class Vnfm:
    """Operations on the one VNF. One at a time: a second is refused with 409."""

    def __init__(self, vnf):
        self.vnf, self.lock = vnf, threading.Lock()
        self.operations, self.requests = [], []
        self.mode, self.count, self.slow_ms = "normal", 0, 0

    def behave(self, wanted):
        mode = wanted.get("mode", "normal")
        if mode not in BEHAVIOURS:
            raise Problem(400, "mode must be one of " + ", ".join(BEHAVIOURS))
        with self.lock:
            self.mode, self.count = mode, int(wanted.get("count", 1))
            self.slow_ms = int(wanted.get("ms", 500))

    def take_behaviour(self):
        with self.lock:
            mode = self.mode
            if mode != "normal" and self.count > 0:
                self.count -= 1
                if self.count == 0:
                    self.mode = "normal"
            return mode

    def instance(self, root, full):
        out = {"id": VNF_ID, "vnfInstanceName": VNF_ID, "vnfdId": "lab-dns", "vnfProvider": "Hale",
               "vnfProductName": "DNS lab", "vnfSoftwareVersion": "1", "vnfdVersion": "1",
               "instantiationState": "INSTANTIATED",
               "_links": {"self": {"href": "%s%s/vnf_instances/%s" % (root, BASE, VNF_ID)}}}
        if full:
            members = self.vnf.members()
            out["instantiatedVnfInfo"] = {
                "flavourId": "default", "vnfState": "STARTED",
                "scaleStatus": [{"aspectId": "dns", "scaleLevel": len(members)}],
                "maxScaleLevels": [{"aspectId": "dns", "scaleLevel": self.vnf.maximum}],
                "vnfcResourceInfo": [
                    {"id": "res-" + vnfc.id, "vduId": "dns", "metadata": {"port": str(vnfc.port)},
                     "computeResource": {"resourceId": str(vnfc.process.pid)}} for vnfc in members],
                "vnfcInfo": [
                    {"id": vnfc.id, "vduId": "dns", "vnfcResourceInfoId": "res-" + vnfc.id,
                     "vnfcState": "STARTED" if vnfc.running() else "STOPPED"} for vnfc in members]}
        return out

    def start(self, kind, body, fail):
        check = self.check_heal if kind == "HEAL" else self.check_scale
        with self.lock:
            for operation in self.operations:
                if operation.state in OPEN_STATES:
                    raise Problem(409, "operation %s (%s) is %s" % (
                        operation.id, operation.kind, operation.state))
            work = check(body)
            operation = Operation(kind, body)
            self.operations.append(operation)
            del self.operations[:-500]
        threading.Thread(target=self.work, args=(operation, work, fail), daemon=True).start()
        return operation

    def check_heal(self, body):
        named = body.get("vnfcInstanceId")
        if named is not None and (not isinstance(named, list) or not all(isinstance(v, str) for v in named)):
            raise Problem(400, "vnfcInstanceId must be a list of strings")
        ids = named or [vnfc.id for vnfc in self.vnf.members()]
        for vnfc_id in ids:
            if not self.vnf.get(vnfc_id):
                raise Problem(400, "no VNFC " + vnfc_id)
        return lambda: [self.vnf.restart(vnfc_id) for vnfc_id in ids]

    def check_scale(self, body):
        kind, steps = body.get("type"), body.get("numberOfSteps", 1)
        if kind not in ("SCALE_OUT", "SCALE_IN") or body.get("aspectId") != "dns":
            raise Problem(400, "type must be SCALE_OUT or SCALE_IN, aspectId must be dns")
        if not isinstance(steps, int) or steps < 1:
            raise Problem(400, "numberOfSteps must be an integer from 1")
        level = len(self.vnf.members()) + (steps if kind == "SCALE_OUT" else -steps)
        if not 1 <= level <= self.vnf.maximum:
            raise Problem(400, "scale level %d is outside 1..%d" % (level, self.vnf.maximum))
        one = self.vnf.add if kind == "SCALE_OUT" else self.vnf.remove_last
        return lambda: [one() for _ in range(steps)]

    def work(self, operation, work, fail):
        operation.enter("PROCESSING")
        try:
            if fail:
                raise RuntimeError("the lab was told to fail this operation")
            work()
            operation.enter("COMPLETED")
        except Exception as error:  # whatever it is, the operation has to end
            operation.enter("FAILED_TEMP", str(error))

    def find(self, op_id):
        for operation in self.operations:
            if operation.id == op_id:
                return operation
        raise Problem(404, "no operation occurrence " + op_id)

    def settle(self, op_id, word):
        """POST fail | rollback | retry on an operation in FAILED_TEMP."""
        operation = self.find(op_id)
        with self.lock:
            if operation.state != "FAILED_TEMP":
                raise Problem(409, "operation is %s, not FAILED_TEMP" % operation.state)
            if word == "fail":
                operation.enter("FAILED", operation.error)
            elif word == "rollback":
                operation.enter("ROLLED_BACK", operation.error)
            else:
                check = self.check_heal if operation.kind == "HEAL" else self.check_scale
                work = check(operation.params)
                operation.enter("PROCESSING")
                threading.Thread(target=self.work, args=(operation, work, False), daemon=True).start()
        return operation

    def note(self, kind, body, status, op_id, at_us):
        with self.lock:
            self.requests.append({"kind": kind, "at_us": at_us, "body": body, "status": status,
                                  "op_occ": op_id})
            del self.requests[:-2000]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version, disable_nagle_algorithm, wbufsize = "HTTP/1.1", True, 1 << 16
    server_version = "hale-lab"

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.answer()

    def do_POST(self):
        self.answer()

    def answer(self):
        self.at_us = time.time_ns() // 1000
        try:
            length = int(self.headers.get("Content-Length") or 0)
            self.raw = self.rfile.read(min(length, 1 << 20))
            parts = urllib.parse.urlsplit(self.path)
            self.query = urllib.parse.parse_qs(parts.query, keep_blank_values=True)
            self.root = "http://127.0.0.1:%d" % self.server.server_port
            if parts.path.startswith("/lab/"):
                self.lab(parts.path)
            else:
                self.sol(parts.path)
        except Problem as problem:
            self.reply(problem.status, {"status": problem.status, "detail": problem.detail},
                       problem.headers, "application/problem+json")
        except (ConnectionError, TimeoutError):
            self.close_connection = True
        except Exception as error:
            traceback.print_exc()
            self.reply(500, {"status": 500, "detail": str(error)}, {}, "application/problem+json")

    def reply(self, status, body=None, headers=None, kind="application/json"):
        data = b"" if body is None else (body if isinstance(body, bytes) else json.dumps(body).encode())
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if self.path.startswith(BASE):
            self.send_header("Version", API_VERSION)
        if data:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    def body(self):
        try:
            value = json.loads(self.raw or b"{}")
        except ValueError:
            raise Problem(400, "the body is not JSON") from None
        if not isinstance(value, dict):
            raise Problem(400, "the body is not an object")
        return value

    # --- SOL003 -----------------------------------------------------------------------------------
    def sol(self, path):
        version = self.headers.get("Version")
        if not path.startswith(BASE + "/"):
            raise Problem(404, "no such path")
        if version is None or not re.fullmatch(r"\d+\.\d+\.\d+(-.*)?", version):
            raise Problem(400, "header Version is missing or malformed")
        if version.split("-")[0] != API_VERSION:
            raise Problem(406, "version %s is not supported, %s is" % (version, API_VERSION))
        words = [urllib.parse.unquote(word) for word in path[len(BASE) + 1:].split("/")]
        vnfm = self.server.vnfm
        if vnfm.mode == "refuse":
            vnfm.take_behaviour()
            return self.reset()
        if words[0] == "vnf_instances":
            if len(words) >= 2 and words[1] != VNF_ID:
                raise Problem(404, "no VNF instance " + words[1])
            if len(words) == 3:
                return self.task(words[2])
            self.only("GET")
            if len(words) == 1:
                return self.reply(200, [vnfm.instance(self.root, "all_fields" in self.query)])
            return self.reply(200, vnfm.instance(self.root, True))
        if words[0] == "vnf_lcm_op_occs":
            return self.operations(words[1:])
        raise Problem(404, "no such path")

    def only(self, method):
        if self.command != method:
            raise Problem(405, "use " + method, {"Allow": method})

    def task(self, word):
        if word not in ("heal", "scale"):
            raise Problem(404, "the lab has no task " + word)
        self.only("POST")
        if self.headers.get_content_type() != "application/json":
            raise Problem(415, "Content-Type must be application/json")
        vnfm, body = self.server.vnfm, self.body()
        mode = vnfm.take_behaviour()
        try:
            if mode == "conflict":
                raise Problem(409, "another operation is under way (told so)")
            if mode == "unavailable":
                raise Problem(503, "come back later (told so)", {"Retry-After": "1"})
            if mode == "error":
                raise Problem(500, "internal error (told so)")
            operation = None
            if mode not in ("timeout_before", "garbage", "huge"):
                operation = vnfm.start(word.upper(), body, mode == "fail_temp")
        except Problem as problem:
            vnfm.note(word, body, problem.status, None, self.at_us)
            raise
        vnfm.note(word, body, 202 if operation else 0, operation and operation.id, self.at_us)
        if mode in ("timeout", "timeout_before"):
            return self.hang()
        if mode == "slow":
            time.sleep(vnfm.slow_ms / 1000)
        if mode == "garbage":
            return self.reply(200, b"<html>welcome</html>", {}, "text/html")
        if mode == "huge":
            return self.reply(200, b"[" + b"0," * (4 << 20) + b"0]")
        location = "%s%s/vnf_lcm_op_occs/%s" % (self.root, BASE, operation.id)
        operation.bad_poll = mode == "bad_poll"
        return self.reply(202, None, {} if mode == "no_location" else {"Location": location})

    def operations(self, words):
        vnfm = self.server.vnfm
        if not words:
            self.only("GET")
            full = "all_fields" in self.query
            wanted = self.query.get("filter", [""])[0]
            found = [op.resource(self.root) for op in list(vnfm.operations)]
            found = [one for one in found if not wanted or matches(one, wanted)]
            if not full:
                for one in found:
                    one.pop("operationParams", None), one.pop("error", None)
            return self.reply(200, found)
        if len(words) == 1:
            self.only("GET")
            operation = vnfm.find(words[0])
            if getattr(operation, "bad_poll", False):
                return self.reply(200, b"}{ not JSON")
            return self.reply(200, operation.resource(self.root))
        if len(words) == 2 and words[1] in ("fail", "rollback", "retry"):
            self.only("POST")
            operation = vnfm.settle(words[0], words[1])
            vnfm.note(words[1], {}, 200, operation.id, self.at_us)
            if words[1] == "fail":
                return self.reply(200, operation.resource(self.root))
            return self.reply(202)
        raise Problem(404, "no such path")

    def hang(self):
        """No answer until the client goes (or half a minute)."""
        self.connection.settimeout(30)
        try:
            self.connection.recv(1)
        except OSError:
            pass
        self.close_connection = True

    def reset(self):
        """Cuts the connection with RST, without an answer."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True
        raise ConnectionResetError

    # --- control ----------------------------------------------------------------------------------
    def lab(self, path):
        vnfm, vnf, traffic = self.server.vnfm, self.server.vnfm.vnf, self.server.traffic
        if path == "/lab/state":
            self.only("GET")
            return self.reply(200, self.state())
        self.only("POST")
        body = self.body()
        if path == "/lab/fault":
            if body.get("kind", "kill") != "kill":
                raise Problem(400, "kind must be kill")
            hit = vnf.kill(body.get("vnfc_id"))
            if not hit:
                raise Problem(404, "no such VNFC is running")
            return self.reply(200, {"vnfc_id": hit[0], "at_ms": hit[1]})
        if path == "/lab/load":
            qps = body.get("qps")
            if not isinstance(qps, (int, float)) or not 0 <= qps <= 5000:
                raise Problem(400, "qps must be 0..5000")
            traffic.qps = float(qps)
            return self.reply(200, {"qps": traffic.qps})
        if path == "/lab/behave":
            vnfm.behave(body)
            return self.reply(200, {"mode": vnfm.mode, "count": vnfm.count})
        raise Problem(404, "no such path")

    def state(self):
        vnfm, measured = self.server.vnfm, self.server.traffic.state()
        with vnfm.lock:
            requests = list(vnfm.requests)
        counts = {}
        for request in requests:
            counts[request["kind"]] = counts.get(request["kind"], 0) + 1
        return {"vnf_id": VNF_ID, "qps": self.server.traffic.qps, "mode": vnfm.mode,
                "vnfcs": [{"id": vnfc.id, "pid": vnfc.process.pid, "port": vnfc.port,
                           "running": vnfc.running(), "starts": vnfc.starts,
                           "serving": vnfc.running() and vnfc.answers(),
                           "traffic": measured.get(vnfc.id)} for vnfc in vnfm.vnf.members()],
                "counts": counts, "requests": requests,
                "operations": [op.resource(self.root) for op in list(vnfm.operations)]}


class Server(http.server.ThreadingHTTPServer):
    daemon_threads, request_queue_size, allow_reuse_address = True, 128, True

    def __init__(self, port, vnfm, traffic):
        super().__init__(("127.0.0.1", port), Handler)
        self.vnfm, self.traffic = vnfm, traffic

    def handle_error(self, request, client_address):
        pass  # a client that went away is not an error of the lab's
