# SPDX-License-Identifier: Apache-2.0
"""Where notifications may go, and what an answer may do: names below a pattern, redirects, huge and slow answers."""
import socket
import threading

import pytest
from conftest import wait_for
from test_actuator import Receiver
from test_actuator_methods import House, seqs


@pytest.fixture
def house(stack):
    return House(stack)


@pytest.fixture
def receiver():
    made = []

    def make(*args):
        made.append(Receiver(*args))
        return made[-1]
    yield make
    for one in made:
        one.stop()


class Raw:
    """Answers every connection's first request with these bytes, then closes."""

    def __init__(self, answer):
        self.answer, self.requests = answer, 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/hook"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                c, _ = self.socket.accept()
            except OSError:
                return
            with c:
                try:
                    c.recv(65536)
                    self.requests += 1
                    c.sendall(self.answer)
                except OSError:
                    pass

    def stop(self):
        self.socket.close()


@pytest.fixture
def raw():
    made = []

    def make(answer):
        made.append(Raw(answer))
        return made[-1]
    yield make
    for one in made:
        one.stop()


def test_a_name_below_a_pattern_is_checked_by_its_address(house, receiver):
    """*.localhost is the operator's word; where x.localhost leads to is not."""
    hook = receiver()
    port = hook.server.server_port
    below = house.method(f"http://x.localhost:{port}/hook")
    exact = house.method(f"http://y.localhost:{port}/hook")
    house.definition(alarm=[below, exact])
    house.start(allow=["*.localhost", "y.localhost"])
    house.log.write()
    house.wait_done(below, 1)
    house.wait_done(exact, 1)
    assert len(hook.got) == 1 and hook.got[0][1]["Host"].startswith("y.localhost")
    assert house.metric("hale_actuator_method_denied_total") == 1


def test_redirects_are_not_followed(house, receiver, raw):
    hook = receiver()
    away = raw(f"HTTP/1.1 307 T\r\nLocation: {hook.url}\r\nContent-Length: 0\r\n\r\n".encode())
    ident = house.method(away.url)
    house.definition(alarm=[ident])
    house.start()
    house.log.write()
    wait_for(lambda: away.requests >= 2, 20, "a second try")
    assert hook.got == [] and house.mark(ident).startswith("p")


def test_huge_answers_are_cut_off_and_slow_ones_end(house, receiver, raw):
    good = receiver()
    huge = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n" + b"x" * 2000000)
    head = raw(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 500000)
    slow = receiver()
    slow.hold = threading.Event()
    ids = [house.method(h.url) for h in (good, huge, head, slow)]
    house.definition(alarm=ids)
    house.start(methods={"timeout": "500ms"})
    for i in range(3):
        house.log.write(vnfc=f"v{i}")
    house.wait_done(ids[0], 3)
    house.wait_done(ids[1], 3)                               # taken: the status came first
    assert huge.requests == 3 and seqs(good) == ["v0", "v1", "v2"]
    wait_for(lambda: len(slow.got) >= 2, 20, "another try of the slow one")
    assert set(seqs(slow)) == {"v0"}
