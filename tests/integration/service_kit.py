# SPDX-License-Identifier: Apache-2.0
"""HTTP services that tests put before the daemons: a server on a free port, and the receiver of webhooks."""
import collections
import http.server
import json
import threading
import time

import pytest

Call = collections.namedtuple("Call", "method path headers body")


class Service:
    """Serves until stop(). A subclass has answer(call) -> status, or (status, body), or (status, body, headers);
    a body that is not bytes is sent as JSON. Calls are answered side by side."""

    def __init__(self):
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_call(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                answer = service.answer(Call(self.command, self.path, self.headers, body))
                answer = answer if isinstance(answer, tuple) else (answer,)
                status, data, headers = answer + (b"", {})[len(answer) - 1:]
                data = data if isinstance(data, bytes) else json.dumps(data).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(data)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_call

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *args):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def answer(self, call):
        raise NotImplementedError

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Receiver(Service):
    """A webhook receiver; status is what it answers, hold delays every answer until it is set."""

    def __init__(self, status=200):
        self.got, self.status, self.hold = [], status, None  # got: (microseconds, headers, body)
        super().__init__()
        self.url += "/hook"

    def answer(self, call):
        self.got.append((time.time_ns() // 1000, dict(call.headers), call.body))
        if self.hold:
            self.hold.wait(30)
        return self.status

    def bodies(self):
        return [json.loads(body) for _, _, body in list(self.got)]

    def stop(self):
        if self.hold:
            self.hold.set()
        super().stop()


@pytest.fixture
def receiver():
    made = []

    def make(*args):
        made.append(Receiver(*args))
        return made[-1]
    yield make
    for one in made:
        one.stop()
