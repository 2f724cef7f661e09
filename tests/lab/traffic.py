# SPDX-License-Identifier: Apache-2.0
"""The traffic source: asks every VNFC DNS questions over UDP at a set rate and measures.

It is a client like any other: it knows the list of servers, not whether they live. Measurements go
out every second, and at once when a server's answers stop or return.
"""
import collections
import http.client
import json
import select
import socket
import sys
import threading
import time
import urllib.parse

from vnf import VNF_ID, dns_answer_ok, dns_query

TIMEOUT_S = 1.0  # a refusal tells of a dead server at once; silence is believed after this
STALL_S = 0.1    # a source that was itself held up this long judges no silence in that turn
FAILURES_DOWN = 2  # failures in a row that count as "answers stopped"


class Server:
    """What the source knows about one VNFC."""

    def __init__(self, vnfc):
        self.id, self.port = vnfc.id, vnfc.port
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setblocking(False)
        self.sock.connect(("127.0.0.1", vnfc.port))
        self.open = collections.OrderedDict()  # query id -> time sent
        self.serving, self.failures = True, 0
        self.asked_total = self.answered_total = 0
        self.fresh()

    def fresh(self):
        self.asked = self.answered = 0
        self.latency_s = 0.0
        self.since = time.monotonic()


class Traffic(threading.Thread):
    def __init__(self, vnf, qps):
        super().__init__(daemon=True)
        self.vnf, self.qps = vnf, qps
        self.lock = threading.Lock()
        self.servers = {}
        self.changed = threading.Event()
        self.number = 0
        self.listened = time.monotonic()
        self.asked, self.since = 0, time.monotonic()  # all servers, since the last measurement

    def run(self):
        turn, due = 0, time.monotonic()
        while True:
            self.follow_members()
            now = time.monotonic()
            while due <= now:
                ids = sorted(self.servers)
                if ids and self.qps > 0:
                    self.ask(self.servers[ids[turn % len(ids)]])
                    turn += 1
                due = max(due, now - 1.0) + 1.0 / max(self.qps, 1.0)
            self.listen(min(due - time.monotonic(), 0.05))

    def follow_members(self):
        members = {vnfc.id: vnfc for vnfc in self.vnf.members()}
        with self.lock:
            for vnfc_id in list(self.servers):
                if vnfc_id not in members:
                    self.servers.pop(vnfc_id).sock.close()
            for vnfc_id, vnfc in members.items():
                if vnfc_id not in self.servers:
                    self.servers[vnfc_id] = Server(vnfc)

    def ask(self, server):
        self.number = self.number % 65535 + 1
        with self.lock:
            self.asked += 1
            server.asked_total += 1
            server.open[self.number] = time.monotonic()
        try:
            server.sock.send(dns_query(self.number))
        except ConnectionRefusedError:  # the kernel tells about an earlier question
            self.fail_open(server)
        except OSError:
            self.finish(server, self.number, False)

    def listen(self, wait_s):
        sockets = {server.sock: server for server in self.servers.values()}
        select.select(list(sockets), [], [], max(wait_s, 0))
        for sock, server in sockets.items():
            self.drain(sock, server)
        now = time.monotonic()
        held_up, self.listened = now - self.listened > STALL_S, now
        for server in sockets.values():
            while not held_up and server.open and next(iter(server.open.values())) < now - TIMEOUT_S:
                self.finish(server, next(iter(server.open)), False)

    def drain(self, sock, server):
        """Takes every answer that has come: what waits in the socket is not late."""
        while True:
            try:
                packet = sock.recv(1500)
                self.finish(server, int.from_bytes(packet[:2], "big"), dns_answer_ok(packet))
            except ConnectionRefusedError:
                self.fail_open(server)
            except OSError:  # nothing more
                return

    def fail_open(self, server):
        for number in list(server.open):
            self.finish(server, number, False)

    def finish(self, server, number, good):
        with self.lock:
            sent = server.open.pop(number, None)
            if sent is None:
                return
            server.failures = 0 if good else server.failures + 1
            serving = good or (server.serving and server.failures < FAILURES_DOWN)
            if serving != server.serving:
                server.serving = serving
                server.fresh()  # the measurement speaks of the new condition only
                self.changed.set()
            server.asked += 1
            if good:
                server.answered += 1
                server.answered_total += 1
                server.latency_s += time.monotonic() - sent

    def measure(self, all_servers):
        """Metrics since the last measurement; of all servers, or of the changed ones only."""
        now_ms, host, out = time.time_ns() // 1_000_000, socket.gethostname(), []

        def add(name, value, **dimensions):
            out.append({"name": name, "timestamp": now_ms, "value": value, "dimensions": dict(
                dimensions, service="dns", vnf_id=VNF_ID, hostname=host)})

        with self.lock:
            for server in self.servers.values():
                elapsed = time.monotonic() - server.since
                if server.asked == 0 or (not all_servers and elapsed > 0.5):
                    continue
                add("dns.success_perc", 100.0 * server.answered / server.asked, vnfc_id=server.id)
                if server.answered:
                    add("dns.latency_ms", 1000.0 * server.latency_s / server.answered,
                        vnfc_id=server.id)
                if all_servers and elapsed > 0.9:
                    add("dns.queries_sec", server.asked / elapsed, vnfc_id=server.id)
                if all_servers:
                    server.fresh()
            running = sum(vnfc.running() for vnfc in self.vnf.members())
            elapsed = time.monotonic() - self.since
            if all_servers and elapsed > 0.4:
                if self.asked and running:
                    add("dns.load", self.asked / elapsed / running)
                self.asked, self.since = 0, time.monotonic()
        return out

    def state(self):
        with self.lock:
            return {server.id: {"serving": server.serving, "asked": server.asked_total,
                                "answered": server.answered_total}
                    for server in self.servers.values()}


class Publisher(threading.Thread):
    """Sends measurements to the collector; what cannot be sent is dropped (they are samples)."""

    def __init__(self, url, token_file, traffic):
        super().__init__(daemon=True)
        parts = urllib.parse.urlsplit(url)
        self.address = (parts.hostname, parts.port or 80)
        with open(token_file, encoding="ascii") as file:
            self.token = file.read().strip()
        self.traffic, self.connection, self.quiet = traffic, None, False

    def run(self):
        due = time.monotonic() + 1.0
        while True:
            changed = self.traffic.changed.wait(max(due - time.monotonic(), 0))
            self.traffic.changed.clear()
            everything = time.monotonic() >= due
            if everything:
                due = max(due + 1.0, time.monotonic() + 0.5)
            if everything or changed:
                self.send(self.traffic.measure(everything))

    def send(self, metrics):
        if not metrics:
            return
        headers = {"X-Auth-Token": self.token, "Content-Type": "application/json"}
        body = json.dumps(metrics)
        for fresh in (False, True):  # a kept connection may have been closed meanwhile
            try:
                if self.connection is None or fresh:
                    self.connection = http.client.HTTPConnection(*self.address, timeout=3)
                    self.connection.connect()
                    self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connection.request("POST", "/v2.0/metrics", body, headers)
                answer = self.connection.getresponse()
                answer.read()
                if answer.status != 204:
                    raise OSError("HTTP status %d" % answer.status)
                self.quiet = False
                return
            except (OSError, http.client.HTTPException) as error:
                self.connection, problem = None, error
        if not self.quiet:
            print("lab event=publish_failed detail=\"%s\"" % problem, file=sys.stderr, flush=True)
        self.quiet = True
