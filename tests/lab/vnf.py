# SPDX-License-Identifier: Apache-2.0
"""The network function: dnsmasq processes that really answer DNS queries.

Children carry PR_SET_PDEATHSIG, so that none outlives the lab even when it is killed. The kernel
sends that signal when the *thread* that forked ends; therefore only the main thread starts
processes: others hand it a job and wait (Vnf.run_job).
"""
import ctypes
import getpass
import os
import signal
import socket
import struct
import subprocess
import threading
import time

VNF_ID = "dns-vnf"
NAME = "service.lab.hale"
ADDRESS = "192.0.2.53"
ANSWER_TIMEOUT_S = 5.0

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1


def dns_query(number):
    """A DNS query for NAME, type A, with the id `number`."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in NAME.split("."))
    return struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"


def dns_answer_ok(packet, number=None):
    """True when packet is a successful answer that carries ADDRESS."""
    if len(packet) < 12:
        return False
    ident, flags, _, answers = struct.unpack(">HHHH", packet[:8])
    good = flags & 0x8000 and not flags & 0x000F and answers >= 1
    return bool(good) and (number is None or ident == number) and socket.inet_aton(ADDRESS) in packet


def _die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Vnfc:
    """One DNS server. Its fields are written under the VNF's lock."""

    def __init__(self, index, port):
        self.index, self.port = index, port
        self.id = "dns-%d" % index
        self.process, self.starts, self.ended_ms = None, 0, None

    def running(self):
        return self.process is not None and self.process.returncode is None

    def answers(self, timeout=0.2):
        """Asks one question over UDP; True when the right answer comes."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(timeout)
            try:
                sock.connect(("127.0.0.1", self.port))
                sock.send(dns_query(4711))
                return dns_answer_ok(sock.recv(1500), 4711)
            except OSError:
                return False


class Vnf:
    def __init__(self, state, jobs, maximum):
        self.dir = os.path.join(state, "lab")
        os.makedirs(self.dir, exist_ok=True)
        for name in os.listdir(self.dir):  # a killed lab's leftovers would look like dead VNFCs
            if name.endswith(".pid"):
                os.unlink(os.path.join(self.dir, name))
        self.jobs, self.maximum, self.first_port = jobs, maximum, 0
        self.lock = threading.RLock()
        self.vnfcs = {}  # id -> Vnfc, what the VNF should have, running or not

    # --- for any thread -----------------------------------------------------------------------
    def members(self):
        with self.lock:
            return sorted(self.vnfcs.values(), key=lambda vnfc: vnfc.index)

    def get(self, vnfc_id):
        with self.lock:
            return self.vnfcs.get(vnfc_id)

    def run_job(self, function, *args):
        """Runs function in the main thread and returns (or raises) what it did."""
        done, box = threading.Event(), {}

        def job():
            try:
                box["value"] = function(*args)
            except Exception as error:  # handed to the waiting thread
                box["error"] = error
            done.set()

        self.jobs.put(job)
        done.wait()
        if "error" in box:
            raise box["error"]
        return box.get("value")

    def kill(self, vnfc_id=None):
        """Kills a VNFC with SIGKILL (None: the first that runs). Returns (id, wall ms) or None."""
        with self.lock:
            for vnfc in self.members():
                if vnfc.running() and vnfc_id in (None, vnfc.id):
                    at_ms = time.time_ns() // 1_000_000
                    vnfc.process.send_signal(signal.SIGKILL)
                    return vnfc.id, at_ms
        return None

    def restart(self, vnfc_id):
        self.run_job(self.restart_now, vnfc_id)
        self.await_answer(self.get(vnfc_id))

    def add(self):
        """One more VNFC; it becomes a member, and gets traffic, once it answers."""
        vnfc = self.run_job(self.start_new_now)
        try:
            self.await_answer(vnfc)
        except RuntimeError:
            self.run_job(self.discard_now, vnfc)
            raise
        with self.lock:
            self.vnfcs[vnfc.id] = vnfc

    def remove_last(self):
        return self.run_job(self.remove_now)

    @staticmethod
    def await_answer(vnfc):
        """Waits until the VNFC answers DNS. RuntimeError when it does not."""
        end = time.monotonic() + ANSWER_TIMEOUT_S
        while time.monotonic() < end:
            if vnfc.answers():
                return
            if not vnfc.running():
                break
            time.sleep(0.005)
        raise RuntimeError("VNFC %s does not answer DNS queries" % vnfc.id)

    # --- main thread only -----------------------------------------------------------------------
    def start_now(self, vnfc):
        command = [
            "dnsmasq", "--keep-in-foreground", "--user=" + getpass.getuser(), "--group=",
            "--conf-file=/dev/null", "--pid-file=", "--no-resolv", "--no-hosts", "--no-poll",
            "--port=%d" % vnfc.port, "--listen-address=127.0.0.1", "--bind-interfaces",
            "--log-facility=-", "--host-record=%s,%s" % (NAME, ADDRESS),
        ]
        vnfc.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, close_fds=True,
                                        preexec_fn=_die_with_parent)
        vnfc.starts += 1
        path = os.path.join(self.dir, vnfc.id + ".pid")
        with open(path + ".new", "w", encoding="ascii") as file:
            file.write("%d\n" % vnfc.process.pid)
        os.rename(path + ".new", path)

    def stop_now(self, vnfc):
        if not vnfc.running():
            return
        vnfc.process.terminate()
        try:
            vnfc.process.wait(2)
        except subprocess.TimeoutExpired:
            vnfc.process.kill()
            vnfc.process.wait()

    def restart_now(self, vnfc_id):
        with self.lock:
            vnfc = self.vnfcs[vnfc_id]
            self.stop_now(vnfc)
            self.start_now(vnfc)

    def start_new_now(self):
        with self.lock:
            index = next(i for i in range(1, self.maximum + 1) if "dns-%d" % i not in self.vnfcs)
            vnfc = Vnfc(index, self.first_port + index - 1)
            self.start_now(vnfc)
            return vnfc

    def discard_now(self, vnfc):
        os.unlink(os.path.join(self.dir, vnfc.id + ".pid"))
        self.stop_now(vnfc)

    def add_now(self):
        """At the start of the lab: without waiting for an answer."""
        vnfc = self.start_new_now()
        with self.lock:
            self.vnfcs[vnfc.id] = vnfc

    def remove_now(self):
        with self.lock:
            vnfc = self.members()[-1]
            del self.vnfcs[vnfc.id]  # no more traffic, and not looked for, before it goes
            self.discard_now(vnfc)
            return vnfc.id

    def reap(self):
        """Collects children that ended: a zombie would look alive to whoever watches the pid."""
        with self.lock:
            for vnfc in self.vnfcs.values():
                if vnfc.running() and vnfc.process.poll() is not None:
                    vnfc.ended_ms = time.time_ns() // 1_000_000

    def stop_all(self):
        with self.lock:
            for vnfc in self.members():
                self.discard_now(vnfc)
