# SPDX-License-Identifier: Apache-2.0
"""Clusters whose address and credentials are in a kubeconfig, against an API server with TLS that asks for certificates."""
import base64
import json
import signal
import ssl
import subprocess

import pytest
from conftest import binary, wait_for
from kubernetes_server import Kubernetes
from pki import Authority
from test_actuator_kubernetes import Vim, web


def inline(path):
    with open(path, "rb") as f:
        return base64.b64encode(f.read()).decode()


class Site:
    """The server's certificate and those of its clients are one authority's; kubeconfig() writes the file as kubectl has it."""

    def __init__(self, directory, k8s):
        self.dir, self.k8s, self.ca = directory, k8s, Authority(directory / "ca")
        self.client = self.ca.issue("hale", usage="clientAuth")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.ca.issue("api"))
        context.load_verify_locations(self.ca.cert)
        context.verify_mode = ssl.CERT_OPTIONAL
        k8s.server.socket = context.wrap_socket(k8s.server.socket, server_side=True, do_handshake_on_connect=False)
        k8s.url = k8s.url.replace("http:", "https:")
        self.path = directory / "kube.conf"

    def kubeconfig(self, user, cluster=None):
        cluster = {"server": self.k8s.url, **(cluster or {"certificate-authority-data": inline(self.ca.cert)})}
        self.path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "preferences": {}, "current-context": "lab",
            "clusters": [{"name": "c", "cluster": cluster}], "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "lab", "context": {"cluster": "c", "user": "u", "namespace": "core"}},
                         {"name": "bare", "context": {"cluster": "c", "user": "u"}}]}))
        return {"lab": {"kubeconfig": str(self.path)}}


@pytest.fixture
def k8s():
    with Kubernetes() as server:
        server.workload("web", replicas=2, space="core")
        yield server


@pytest.fixture
def site(stack, k8s):
    return Site(stack.dir, k8s)


@pytest.fixture
def vim(stack, k8s):
    return Vim(stack, k8s)


def scale(vim, clusters, n, **step):
    vim.start([{"action": "scale", "name": "web", "replicas": str(n), **step}], clusters=clusters).alarm("h")


def test_certificate_and_key_in_the_file(vim, site, k8s):
    k8s.token = None
    cert, key = site.client
    k8s.needs_certificate = True
    scale(vim, site.kubeconfig({"client-certificate-data": inline(cert), "client-key-data": inline(key)}), 3)
    vim.done("h")
    assert web(k8s)["spec"]["replicas"] == 3


def test_files_and_a_token_beside_it(vim, site, k8s):
    (site.dir / "tok").write_text(k8s.token + "\n")
    scale(vim, site.kubeconfig({"tokenFile": "tok"}, {"certificate-authority": "ca/ca.pem"}), 4)
    vim.done("h")
    assert web(k8s)["spec"]["replicas"] == 4


def test_a_token_in_the_file_and_a_reload(vim, site, k8s):
    """A wrong token is refused; the right one is taken over with SIGHUP."""
    scale(vim, site.kubeconfig({"token": "not-" + k8s.token}), 5)
    assert "refused with 401" in vim.failed()
    site.kubeconfig({"token": k8s.token})
    daemon = vim.stack.daemons["actuator"]
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "event=reloaded" in daemon.log_path.read_text(), 20, "the reload")
    vim.alarm("h", "OK").alarm("h")
    wait_for(lambda: web(k8s)["spec"]["replicas"] == 5, 30, "the scaling")
    vim.secret.write_text(k8s.token)
    vim.secrets_kept()


def test_another_authority_is_not_trusted(vim, site, k8s):
    other = Authority(site.dir / "other", "other CA")
    scale(vim, site.kubeconfig({"token": k8s.token}, {"certificate-authority-data": inline(other.cert)}), 6,
          retries=0, timeout="5s")
    vim.failed()
    assert k8s.changes == []


def test_plugins_are_refused_at_the_start(vim, site, stack):
    clusters = site.kubeconfig({"exec": {"command": "aws"}})
    path = stack.dir / "wrong.yaml"
    path.write_text(json.dumps({**stack.defaults("actuator"), "clusters": clusters}))
    done = subprocess.run([str(binary("actuator")), "--config", str(path), "--check-config"], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 2 and f"{site.path}:1: exec: Hale runs no executable" in done.stdout + done.stderr, done
