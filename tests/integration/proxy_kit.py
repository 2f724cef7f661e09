# SPDX-License-Identifier: Apache-2.0
"""A proxy between a daemon and Redis: what else would come about by chance is done at a known moment."""
import pathlib
import socket
import threading


class Proxy:
    """Between a daemon and Redis. While held, the answers of connections that read streams, but never
    samples, wait. on_answer: called once before the answer to a request with these bytes goes on.
    said: what the daemon said, in pieces."""

    def __init__(self, directory, redis):
        self.path, self.target = str(pathlib.Path(directory) / "proxy.sock"), redis.socket
        self.free = threading.Event()
        self.free.set()
        self.kept = threading.Event()
        self.on_answer = (None, None)
        self.said = []
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(self.path)
        self.server.listen()
        self.ends = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"unix:{self.path}"

    def hold(self):
        self.kept.clear()
        self.free.clear()

    def close(self):
        self.free.set()
        for s in [self.server, *self.ends]:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()

    def _accept(self):
        try:
            while True:
                near, _ = self.server.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(self.target)
                self.ends += [near, far]
                seen = {"samples": False, "streams": False, "hook": None}
                for pump in (self._requests, self._answers):
                    threading.Thread(target=pump, args=(near, far, seen), daemon=True).start()
        except OSError:
            pass

    def _requests(self, near, far, seen):
        try:
            while data := near.recv(1 << 16):
                seen["streams"] |= b"XREAD\r\n" in data
                seen["samples"] |= b"XREAD\r\n" in data and b":samples\r\n" in data
                self.said.append(data)
                words, hook = self.on_answer
                if words is not None and words in data:
                    self.on_answer, seen["hook"] = (None, None), hook
                far.sendall(data)
            far.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def _answers(self, near, far, seen):
        try:
            while data := far.recv(1 << 16):
                hook, seen["hook"] = seen["hook"], None
                if hook is not None:
                    hook()
                if seen["streams"] and not seen["samples"] and not self.free.is_set():
                    self.kept.set()
                    self.free.wait()
                near.sendall(data)
            near.shutdown(socket.SHUT_WR)
        except OSError:
            pass
