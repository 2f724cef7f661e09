# SPDX-License-Identifier: Apache-2.0
"""https of the collector: versions, client certificates, exchange of certificates while it runs."""
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time

import pytest

from collector_kit import measurements, sample
from conftest import binary, wait_for
from pki import Authority


class Https:
    """A collector with TLS and calls to it."""

    def __init__(self, stack, tmp_path, **keys):
        self.stack, self.dir = stack, tmp_path
        self.ca = Authority(tmp_path / "ca")
        self.files = {"cert_file": str(tmp_path / "tls.pem"), "key_file": str(tmp_path / "tls.key")}
        self.install(*self.ca.issue("collector"))
        stack.token("operator")
        self.daemon = stack.start("collector", {"tls": dict(self.files, **keys)}, wait=False)
        self.client = self.context()

    def install(self, cert, key):
        shutil.copy(cert, self.files["cert_file"])
        shutil.copy(key, self.files["key_file"])

    def context(self, cert=None, key=None, ca=None):
        c = ssl.create_default_context(cafile=ca or self.ca.cert)
        if cert:
            c.load_cert_chain(cert, key)
        return c

    def connect(self, context=None):
        host, port = self.stack.address
        c = http.client.HTTPSConnection(host, port, timeout=15, context=context or self.client)
        c.connect()
        return c

    def call(self, method, path, body=None, connection=None, context=None):
        c = connection or self.connect(context)
        try:
            c.request(method, path, body=None if body is None else json.dumps(body),
                      headers={"X-Auth-Token": self.stack.token("operator"),
                               "Content-Type": "application/json"})
            r = c.getresponse()
            data = r.read()
            return r.status, json.loads(data) if data[:1] in b"{[" and data else data
        finally:
            if connection is None:
                c.close()

    def ready(self, context=None):
        def up():
            assert self.daemon.alive(), self.daemon.log()
            try:
                return self.call("GET", "/healthz", context=context)[0] == 200
            except OSError:
                return False
        wait_for(up, 20, "health over https")
        return self

    def serial(self, connection):
        return ssl.DER_cert_to_PEM_cert(connection.sock.getpeercert(True))

    def hup(self, event):
        n = self.daemon.log().count(event)
        self.daemon.process.send_signal(signal.SIGHUP)
        wait_for(lambda: self.daemon.log().count(event) > n, 10, event)


def test_https(stack, tmp_path):
    s = Https(stack, tmp_path).ready()
    big = [sample("tls.cpu", f"h{i}", i) for i in range(20000)]  # many records
    assert s.call("POST", "/v2.0/metrics", big)[0] == 204
    status, body = s.call("GET", "/v2.0/metrics?name=tls.cpu&limit=3")
    assert status == 200 and len(body["elements"]) == 3
    assert body["links"][0]["href"].startswith("https://")
    c = s.connect()
    for _ in range(5):  # kept alive
        assert s.call("GET", "/v1/status", connection=c)[0] == 200
    # Plain text gets no answer, an unknown authority no trust, TLS 1.1 no handshake.
    with pytest.raises((http.client.BadStatusLine, OSError)):
        stack.http("GET", "/v1/status", timeout=5)
    with pytest.raises(ssl.SSLCertVerificationError):
        s.call("GET", "/v1/status", context=ssl.create_default_context())
    for version, good in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True),
                          (ssl.TLSVersion.TLSv1_3, True)):
        context = s.context()
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
        if good:
            assert s.call("GET", "/v1/status", context=context)[0] == 200
        else:
            with pytest.raises((ssl.SSLError, OSError)):
                s.call("GET", "/v1/status", context=context)
    # The command line and an agent through it.
    env = dict(os.environ, HALE_URL="https://127.0.0.1:%d" % stack.address[1],
               HALE_TOKEN=stack.token("operator"), HALE_CA_FILE=s.ca.cert)
    r = subprocess.run([str(binary("cli")), "metric", "list", "--limit", "1"], env=env,
                       capture_output=True, text=True, timeout=30)
    assert r.returncode == 0 and "tls.cpu" in r.stdout, r.stderr


def test_only_1_3(stack, tmp_path):
    s = Https(stack, tmp_path, min_version="1.3").ready()
    context = s.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(OSError):
        s.call("GET", "/v1/status", context=context)


def test_certificate_exchange(stack, tmp_path):
    s = Https(stack, tmp_path).ready()
    old = s.connect()
    assert s.call("GET", "/v1/status", connection=old)[0] == 200
    before = s.serial(old)
    s.install(*s.ca.issue("collector", days=20))
    s.hup("event=certificate_loaded")
    c = s.connect()
    assert s.serial(c) != before
    assert s.call("GET", "/v1/status", connection=c)[0] == 200
    # The connection that was there goes on, with what it began with.
    assert s.serial(old) == before and s.call("GET", "/v1/status", connection=old)[0] == 200
    text = s.call("GET", "/metrics")[1].decode()
    ends = int(text.split("\nhale_collector_tls_certificate_expires_seconds ")[1].split()[0])
    assert 19 * 86400 < ends - time.time() <= 20 * 86400
    # What is not good is refused, and the good one stays.
    good = s.serial(c)
    for cert, key, word in ((s.ca.issue("x")[0], s.files["key_file"], "key_file"),
                            ("/dev/null", s.files["key_file"], "PEM"),
                            (s.files["cert_file"], "/dev/null", "PEM"),
                            (s.files["cert_file"], None, "tls.key")):
        keep = (tmp_path / "keep.pem", tmp_path / "keep.key")
        shutil.copy(s.files["cert_file"], keep[0])
        shutil.copy(s.files["key_file"], keep[1])
        if cert != s.files["cert_file"]:
            shutil.copy(cert, s.files["cert_file"])
        if key is None:
            os.unlink(s.files["key_file"])
        elif key != s.files["key_file"]:
            shutil.copy(key, s.files["key_file"])
        s.hup("event=reload_refused")
        assert word in s.daemon.log().split("event=reload_refused")[-1]
        assert s.serial(s.connect()) == good
        s.install(*map(str, keep))
    # Bad tokens refuse the certificate too: all or nothing.
    s.install(*s.ca.issue("collector"))
    tokens = stack.tokens_file.read_text()
    stack.tokens_file.write_text("tokens: 1\n")
    s.hup("event=reload_refused")
    assert s.serial(s.connect()) == good
    stack.tokens_file.write_text(tokens)
    s.hup("event=reloaded")
    assert s.serial(s.connect()) != good
    old.close()


@pytest.mark.parametrize("mode", ["optional", "required"])
def test_client_certificates(stack, tmp_path, mode):
    other = Authority(tmp_path / "other", "stranger")
    clients = Authority(tmp_path / "clients", "clients")
    s = Https(stack, tmp_path, client_certificates=mode, client_ca_file=clients.cert)
    known = s.context(*clients.issue("agent", usage="clientAuth"))
    s.ready(known)
    assert s.call("POST", "/v2.0/metrics", [sample("tls.client")], context=known)[0] == 204
    if mode == "optional":
        assert s.call("GET", "/v1/status")[0] == 200
    else:
        with pytest.raises(OSError):
            s.call("GET", "/v1/status")
    bad = {"stranger's": other.issue("agent", usage="clientAuth"),
           "a server's": clients.issue("agent", usage="serverAuth"),
           "an old one": clients.issue("agent", usage="clientAuth", days=-1)}
    for what, files in bad.items():
        try:
            status = s.call("GET", "/v1/status", context=s.context(*files))[0]
        except OSError:
            continue
        pytest.fail(f"{what} certificate was taken: {status}")
    # A certificate is no identity: without a token it may nothing.
    c = s.connect(known)
    c.request("GET", "/v2.0/metrics")
    assert c.getresponse().status == 401
    c.close()


def test_agent_with_a_certificate(stack, tmp_path):
    s = Https(stack, tmp_path, client_certificates="required",
              client_ca_file=str(tmp_path / "ca" / "ca.pem"))
    cert, key = s.ca.issue("agent", usage="clientAuth")
    s.ready(s.context(cert, key))
    s.client = s.context(cert, key)
    # The token's file is written before: the fixture would ask over http whether it is known.
    (tmp_path / "agent.token").write_text(stack.token("operator"))
    stack.start("agent", {
        "redis": None, "collector": "https://127.0.0.1:%d" % stack.address[1],
        "token_file": str(tmp_path / "agent.token"), "spool_dir": str(tmp_path / "spool"),
        "ca_file": s.ca.cert, "cert_file": cert, "key_file": key,
        "checks": [{"type": "load", "interval": "1s"}]})
    wait_for(lambda: s.call("GET", "/v2.0/metrics?name=load.avg_1_min")[1]["elements"], 20,
             "the agent's metric")


def test_garbage_and_slow_handshakes(stack, tmp_path):
    s = Https(stack, tmp_path).ready()
    host, port = stack.address
    idle = [socket.create_connection((host, port)) for _ in range(20)]  # never speak
    for text in (b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\r\n\r\n", os.urandom(5000), b"\x00" * 3000):
        with socket.create_connection((host, port), timeout=5) as c:
            c.sendall(text)
            c.shutdown(socket.SHUT_WR)
            try:
                while c.recv(4096):
                    pass
            except OSError:
                pass
    assert s.call("GET", "/v1/status")[0] == 200
    for c in idle:
        c.close()


def test_configuration(stack, tmp_path):
    ca = Authority(tmp_path / "ca")
    cert, key = ca.issue("collector")
    for tls, word in (({"cert_file": cert}, "key_file"),
                      ({"cert_file": cert, "key_file": key, "client_certificates": "required"},
                       "belong together"),
                      ({"cert_file": cert, "key_file": key, "client_ca_file": ca.cert},
                       "belong together"),
                      ({"cert_file": cert, "key_file": key, "min_version": "1.1"}, "1.2"),
                      ({"cert_file": cert, "key_file": ca.key}, "belongs to it"),
                      ({"cert_file": key, "key_file": key}, "PEM")):
        d = stack.start("collector", {"tls": tls}, wait=False)
        d.expected_end = True
        assert d.process.wait(20) == 2 and word in d.log(), (tls, d.log())
        d.log_path.unlink()


def test_not_switched_by_reload(stack, tmp_path):
    stack.start("collector")
    d = stack.daemons["collector"]
    ca = Authority(tmp_path / "ca")
    cert, key = ca.issue("collector")
    d.config["tls"] = {"cert_file": cert, "key_file": key}
    d.write_config()
    d.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "restart it" in d.log(), 10, "the refusal")
    assert stack.http("POST", "/v2.0/metrics", [sample("plain")]).status == 204
    assert measurements(stack, 1, name="plain")
