# SPDX-License-Identifier: Apache-2.0
"""Identities of a real Keystone; then of one with faults that the real one cannot be made to have."""
import datetime
import http.client
import signal
import threading
import time

import pytest

from collector_kit import counter, sample
from conftest import http_call, wait_for
from keystone_fault import Fault, token_body

UNAUTHORIZED = {"error": {"code": 401, "title": "Unauthorized",
                          "message": "The request you have made requires authentication."}}
READS = ("/v2.0/metrics", "/v2.0/alarms", "/v2.0/alarm-definitions", "/v1/status", "/v1/alarm-log")


def start(stack, url, **keys):
    keystone = {"url": url}
    keystone.update(keys)
    stack.start("collector", {"keystone": keystone})


def refused(a, url):
    assert a.status == 401 and a.json == UNAUTHORIZED, a
    assert a.headers["www-authenticate"] == f'Keystone uri="{url}"'
    assert a.headers["content-type"] == "application/json"
    return True


def forbidden(a):
    assert a.status == 401 and a.json["title"] == "Forbidden", a
    assert a.json["description"] == "The request does not have access to this service"
    return True


# --- the real one ------------------------------------------------------------------------------
@pytest.mark.parametrize("own", ["self", "password", "application credential"])
def test_roles(stack, keystone, tmp_path, own):
    keys = {}
    if own == "password":
        (tmp_path / "secret").write_text("validator-pw\n")
        keys = {"user": "validator", "password_file": str(tmp_path / "secret")}
    elif own == "application credential":
        credential = keystone.app_credential("validator")
        (tmp_path / "secret").write_text(credential["secret"])
        keys = {"application_credential_id": credential["id"],
                "secret_file": str(tmp_path / "secret")}
    start(stack, keystone.url, **keys)
    token = {u: keystone.token(u) for u in ("operator", "agent", "reader", "nobody", "other")}

    post = [sample("k.cpu", "h1", 7.0)]
    for user, status in (("operator", 204), ("agent", 204)):
        assert stack.http("POST", "/v2.0/metrics", post, token=token[user]).status == status
    for user in ("reader", "nobody"):
        forbidden(stack.http("POST", "/v2.0/metrics", post, token=token[user]))
        # The role comes before the body, which is not looked at.
        forbidden(stack.http("POST", "/v2.0/metrics", b"null", token=token[user],
                             headers={"Content-Type": "application/json"}))
    for path in READS:
        for user in ("operator", "reader"):
            assert stack.http("GET", path, token=token[user]).status == 200
        for user in ("agent", "nobody"):
            forbidden(stack.http("GET", path, token=token[user]))
        refused(stack.http("GET", path, role=None), keystone.url)
        refused(stack.http("GET", path, token="nonsense"), keystone.url)
    definition = {"name": "k", "expression": "max(k.cpu) > 1"}
    for user in ("agent", "reader"):
        forbidden(stack.http("POST", "/v2.0/alarm-definitions", definition, token=token[user]))
    # The tenant is the token's project.
    status = stack.http("GET", "/v1/status", token=token["operator"]).json
    assert status["tenant"] == keystone.projects["tenant-a"] and status["roles"] == ["operator"]

    def seen(user):
        a = stack.http("GET", "/v2.0/metrics?name=k.cpu", token=token[user])
        return a.status == 200 and a.json["elements"]
    wait_for(lambda: seen("operator"), 60, "the sample")
    assert not seen("other")
    # Local tokens go on beside Keystone's, and need no Keystone.
    assert stack.http("GET", "/v1/status").json["tenant"] == "default"
    assert counter(stack, "hale_collector_keystone_up") == 1
    assert counter(stack, "hale_collector_keystone_logins_total") == (0 if own == "self" else 1)


def test_headers_of_the_client_are_not_believed(stack, keystone):
    start(stack, keystone.url)
    forged = {"X-Roles": "admin,monasca-user", "X-Tenant-Id": "x", "X-Project-Id": "x",
              "X-User-Id": "x", "X-Identity-Status": "Confirmed", "X-Service-Token": "x"}
    forbidden(stack.http("GET", "/v2.0/metrics", token=keystone.token("nobody"), headers=forged))
    refused(stack.http("GET", "/v2.0/metrics", role=None, headers=forged), keystone.url)
    a = stack.http("GET", "/v1/status", token=keystone.token("operator"), headers=forged)
    assert a.json["tenant"] == keystone.projects["tenant-a"] and a.json["roles"] == ["operator"]


def test_delegate(stack, keystone):
    start(stack, keystone.url)
    other = keystone.projects["tenant-b"]
    delegate, operator = keystone.token("delegate"), keystone.token("operator")
    theirs = keystone.token("other")
    path = f"/v2.0/metrics?tenant_id={other}"
    assert stack.http("POST", path, [sample("k.by")], token=delegate).status == 204
    assert stack.http("POST", path, [sample("k.own")], token=operator).status == 204  # ignored

    def names(token, tenant=None):
        more = f"?tenant_id={tenant}" if tenant else ""
        return [e["name"] for e in
                stack.http("GET", "/v2.0/metrics/names" + more, token=token).json["elements"]]
    wait_for(lambda: names(theirs) == ["k.by"] and names(operator) == ["k.own"], 60, "the names")
    assert names(delegate, other) == ["k.by"] and names(delegate) == ["k.own"]
    assert names(operator, other) == ["k.own"]


def test_tokens_without_a_project_or_dead(stack, keystone):
    start(stack, keystone.url, cache_time="1s", negative_cache_time="1s")
    refused(stack.http("GET", "/v2.0/metrics", token=keystone.token("operator", None)), keystone.url)
    t = keystone.token("operator")
    assert stack.http("GET", "/v2.0/metrics", token=t).status == 200
    keystone.revoke(t)
    wait_for(lambda: stack.http("GET", "/v2.0/metrics", token=t).status == 401, 30, "the revocation")
    refused(stack.http("GET", "/v2.0/metrics", token=t), keystone.url)


def test_forget_at_sighup(stack, keystone):
    start(stack, keystone.url)
    t = keystone.token("operator")
    assert stack.http("GET", "/v2.0/metrics", token=t).status == 200
    keystone.revoke(t)
    hits = counter(stack, "hale_collector_keystone_hits_total")
    assert stack.http("GET", "/v2.0/metrics", token=t).status == 200  # within cache_time
    assert counter(stack, "hale_collector_keystone_hits_total") == hits + 1
    stack.daemons["collector"].process.send_signal(signal.SIGHUP)
    wait_for(lambda: stack.http("GET", "/v2.0/metrics", token=t).status == 401, 30, "the revocation")


def test_access_rules(stack, keystone):
    start(stack, keystone.url)
    credential = keystone.app_credential("operator", rules=[
        {"method": "GET", "path": "/v2.0/metrics/**", "service": "monitoring"},
        {"method": "GET", "path": "/v2.0/alarms/*/state-history", "service": "monitoring"},
        {"method": "POST", "path": "/v2.0/metrics", "service": "compute"}])
    t = keystone.app_token(credential)
    get = lambda path: stack.http("GET", path, token=t)  # noqa: E731
    for _ in range(2):  # asked, then out of the cache
        assert get("/v2.0/metrics/names").status == 200
        assert get("/v2.0/metrics/dimensions/names?metric_name=x").status == 200
        assert get("/v2.0/alarms/00000000-0000-0000-0000-000000000000/state-history").status != 401
        refused(get("/v2.0/metrics"), keystone.url)
        refused(get("/v2.0/alarms"), keystone.url)
        refused(get("/v1/status"), keystone.url)
        refused(stack.http("POST", "/v2.0/metrics", [sample()], token=t), keystone.url)
    # Without rules the credential may what its roles may.
    free = keystone.app_token(keystone.app_credential("operator"))
    assert stack.http("POST", "/v2.0/metrics", [sample()], token=free).status == 204


def test_keystone_stops_and_comes_back(stack, keystone):
    start(stack, keystone.url)
    known, new = keystone.token("operator"), keystone.token("reader")
    assert stack.http("GET", "/v2.0/metrics", token=known).status == 200
    keystone.stop()
    try:
        a = stack.http("GET", "/v2.0/metrics", token=new)
        assert a.status == 503 and int(a.headers["retry-after"]) > 0, a
        assert a.json["description"] == "The Keystone service is temporarily unavailable."
        assert stack.http("POST", "/v2.0/metrics", [sample("k.down")], token=known).status == 204
        assert stack.http("GET", "/v1/status").status == 200  # a local token
        health = http_call(*stack.address, "GET", "/healthz")
        assert health.status == 503 and not health.json["components"]["keystone"]["ok"]
        assert counter(stack, "hale_collector_keystone_up") == 0
    finally:
        keystone.start()
    assert stack.http("GET", "/v2.0/metrics", token=new).status == 200
    assert http_call(*stack.address, "GET", "/healthz").status == 200


# --- one with faults -----------------------------------------------------------------------------
@pytest.fixture
def fault():
    f = Fault()
    yield f
    f.stop()


def test_one_question_for_many_requests(stack, fault):
    start(stack, fault.url)
    fault.gate.clear()
    answers = []
    body = [sample("k.many", f"h{i}") for i in range(2000)]  # more than a socket's buffer

    def ask():
        answers.append(stack.http("POST", "/v2.0/metrics", body, token="same").status)
    threads = [threading.Thread(target=ask) for _ in range(30)]
    for t in threads:
        t.start()
    wait_for(lambda: counter(stack, "hale_collector_keystone_waiting_requests") == 30, 20,
             "30 waiting requests")
    assert stack.http("GET", "/v1/status").status == 200  # nobody else waits
    fault.gate.set()
    for t in threads:
        t.join()
    assert answers == [204] * 30
    assert [s for s, _ in fault.calls] == ["same"]
    assert fault.headers[0]["OpenStack-Identity-Access-Rules"] == "1.0"
    assert counter(stack, "hale_collector_keystone_waiting_requests") == 0


def test_too_many_wait(stack, fault):
    start(stack, fault.url, max_waiting=3)
    fault.gate.clear()
    results = []
    threads = [threading.Thread(target=lambda n=n: results.append(
        stack.http("GET", "/v2.0/metrics", token=f"t{n}").status)) for n in range(3)]
    for t in threads:
        t.start()
    wait_for(lambda: counter(stack, "hale_collector_keystone_waiting_requests") == 3, 10, "three")
    a = stack.http("GET", "/v2.0/metrics", token="one-more")
    assert a.status == 503 and a.headers["retry-after"] == "1", a
    fault.gate.set()
    for t in threads:
        t.join()
    assert results == [200] * 3


def test_slow(stack, fault):
    start(stack, fault.url, timeout="200ms")
    fault.gate.clear()
    a = stack.http("GET", "/v2.0/metrics", token="t")
    assert a.status == 503 and a.headers["retry-after"] == "5"
    assert counter(stack, "hale_collector_keystone_up") == 0
    fault.gate.set()
    wait_for(lambda: counter(stack, "hale_collector_keystone_up") == 1, 10, "the probe")
    assert stack.http("GET", "/v2.0/metrics", token="t").status == 200


NONSENSE = [
    (200, b""), (200, b"{"), (200, b"[]"), (200, b'{"token":[]}'), (200, b'{"token":{}}'),
    (200, b'{"token":{"expires_at":"soon"}}'), (200, b"\x00" * 100), (200, b"[" * 100000),
    (200, {"token": dict(token_body()["token"], expires_at=None)}),
    (200, {"token": dict(token_body()["token"], project={"name": "no id"})}),
    (200, b'{"token":"' + b"x" * (2 << 20) + b'"}'), (204, b""), (300, b"{}"), (302, b""),
    (400, b"{}"), (429, b"{}"), (500, b"oops"), (503, b""), (0, b"")]


@pytest.mark.parametrize("case", range(len(NONSENSE)))
def test_nonsense_lets_nobody_in(stack, fault, case):
    status, body = NONSENSE[case]
    fault.judge = lambda subject, auth: (status, body)
    start(stack, fault.url)
    a = stack.http("GET", "/v2.0/metrics", token="t")
    assert a.status == 503 and "retry-after" in a.headers, a
    fault.judge = lambda subject, auth: (200, token_body())
    assert stack.http("GET", "/v2.0/metrics", token="t").status == 200


USELESS = [
    token_body(None), token_body(life_s=-1), token_body("not/a/tenant"), token_body("x" * 65),
    token_body(None, system={"all": True}), token_body(None, domain={"id": "default"}),
    token_body(application_credential={"id": "a", "access_rules": []}),
    token_body(application_credential={"id": "a", "access_rules": [{}]})]


@pytest.mark.parametrize("case", range(len(USELESS)))
def test_good_tokens_of_no_use(stack, fault, case):
    fault.judge = lambda subject, auth: (200, USELESS[case])
    start(stack, fault.url)
    for _ in range(2):
        refused(stack.http("GET", "/v2.0/metrics", token="t"), fault.url)


def test_expiry_counts_within_the_cache(stack, fault):
    body = token_body(life_s=1.5)
    fault.judge = lambda subject, auth: (200, body)
    start(stack, fault.url)
    end = datetime.datetime.strptime(body["token"]["expires_at"], "%Y-%m-%dT%H:%M:%S.%f%z")
    seen = set()

    def over():
        before = time.time()
        status = stack.http("GET", "/v2.0/metrics", token="t").status
        seen.add(status)
        if before >= end.timestamp():
            assert status == 401
        return status == 401
    wait_for(over, 10, "the expiry")
    assert time.time() >= end.timestamp() and len(fault.calls) == 1 and seen <= {200, 401}


def test_negative_cache_and_ceilings(stack, fault):
    fault.judge = lambda subject, auth: (200, token_body()) if subject == "good" else (401, b"{}")
    start(stack, fault.url, cache_max=5, negative_cache_time="10m")
    assert stack.http("GET", "/v2.0/metrics", token="good").status == 200
    for _ in range(3):
        refused(stack.http("GET", "/v2.0/metrics", token="bad"), fault.url)
    assert [s for s, _ in fault.calls] == ["good", "bad"]
    for i in range(20):
        refused(stack.http("GET", "/v2.0/metrics", token=f"bad{i}"), fault.url)
    assert counter(stack, "hale_collector_keystone_cached_tokens") == 6
    # The flood has pushed out bad tokens only.
    assert stack.http("GET", "/v2.0/metrics", token="good").status == 200
    assert [s for s, _ in fault.calls].count("good") == 1
    # What cannot be a token is not asked about.
    n = len(fault.calls)
    for t in ("x" * 9000, "a b", "t\xe4", " "):
        refused(stack.http("GET", "/v2.0/metrics", token=t), fault.url)
    assert len(fault.calls) == n


def test_no_cache(stack, fault):
    start(stack, fault.url, cache_time="0s", negative_cache_time="0s")
    for _ in range(3):
        assert stack.http("GET", "/v2.0/metrics", token="t").status == 200
    assert len(fault.calls) == 3


def own(stack, fault, tmp_path, **keys):
    (tmp_path / "secret").write_text("pw\n")
    start(stack, fault.url, user="hale", password_file=str(tmp_path / "secret"),
          user_domain="D1", project="P1", project_domain="D2", **keys)


def test_own_token_is_got_anew_once(stack, fault, tmp_path):
    tokens = []

    def login(body):
        tokens.append(f"own-{len(tokens)}")
        return 201, tokens[-1], token_body("service", ["service"])
    fault.login = login
    fault.judge = lambda subject, auth: (200, token_body()) if auth == tokens[-1] else (401, b"{}")
    own(stack, fault, tmp_path)
    assert stack.http("GET", "/v2.0/metrics", token="t").status == 200
    assert fault.logins == [{"auth": {
        "identity": {"methods": ["password"], "password": {"user": {
            "name": "hale", "domain": {"name": "D1"}, "password": "pw"}}},
        "scope": {"project": {"name": "P1", "domain": {"name": "D2"}}}}}]
    tokens.append("revoked")  # Keystone has forgotten ours
    assert stack.http("GET", "/v2.0/metrics", token="u").status == 200
    assert len(fault.logins) == 2
    # It refuses what it has just given: 503, and no storm of logins.
    fault.judge = lambda subject, auth: (401, b"{}")
    for i in range(10):
        assert stack.http("GET", "/v2.0/metrics", token=f"v{i}").status == 503
    assert len(fault.logins) == 3
    assert not http_call(*stack.address, "GET", "/healthz").json["components"]["keystone"]["ok"]
    assert stack.http("GET", "/v2.0/metrics", token="t").status == 200  # cached
    assert "pw" not in stack.daemons["collector"].log()


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_own_credentials_are_bad(stack, fault, tmp_path, status):
    fault.login = lambda body: (status, None, {"error": {"code": status}})
    (tmp_path / "secret").write_text("pw")
    stack.start("collector", {"keystone": {
        "url": fault.url, "user": "hale", "password_file": str(tmp_path / "secret")}}, wait=False)

    def failing():
        try:
            h = http_call(*stack.address, "GET", "/healthz")
        except OSError:
            return None
        return h.status == 503 and h.json["components"].get("keystone")
    part = wait_for(failing, 20, "the component keystone")
    assert not part["ok"] and "refuses the collector's credentials" in part["detail"]
    for i in range(5):
        assert stack.http("GET", "/v2.0/metrics", token=f"t{i}").status == 503
    assert len(fault.logins) == 1 and not fault.calls
    assert stack.http("GET", "/v1/status").status == 200


def test_own_user_may_not_validate(stack, fault, tmp_path):
    fault.judge = lambda subject, auth: (403, b"{}")
    own(stack, fault, tmp_path)
    assert stack.http("GET", "/v2.0/metrics", token="t").status == 503
    part = http_call(*stack.address, "GET", "/healthz").json["components"]["keystone"]
    assert not part["ok"] and "role service" in part["detail"]
    assert len(fault.logins) == 1


def test_own_token_is_renewed_before_it_ends(stack, fault, tmp_path):
    tokens = []

    def login(body):
        tokens.append(f"own-{len(tokens)}")
        return 201, tokens[-1], token_body("service", ["service"], life_s=2)
    fault.login = login
    fault.judge = lambda subject, auth: (200, token_body()) if auth in tokens[-2:] else (401, b"{}")
    own(stack, fault, tmp_path, cache_time="0s")
    for _ in range(3):
        n = len(tokens)
        wait_for(lambda: len(tokens) > n, 10, "the renewal")
        assert stack.http("GET", "/v2.0/metrics", token="t").status == 200
    assert all(auth in tokens for _, auth in fault.calls)
    assert counter(stack, "hale_collector_overload_total") == 0


def test_stopping_while_requests_wait(stack, fault):
    start(stack, fault.url)
    fault.gate.clear()
    host, port = stack.address
    c = http.client.HTTPConnection(host, port, timeout=15)
    c.request("GET", "/v2.0/metrics", headers={"X-Auth-Token": "t"})
    wait_for(lambda: counter(stack, "hale_collector_keystone_waiting_requests") == 1, 10, "it")
    stack.daemons["collector"].process.send_signal(signal.SIGTERM)
    stack.daemons["collector"].expected_end = True
    assert c.getresponse().status == 503
    c.close()
    assert stack.daemons["collector"].process.wait(30) == 0


def test_configuration(tmp_path, stack):
    import subprocess
    from conftest import binary, to_yaml
    for section, word in (
            ({}, "url"), ({"url": "http://h:5000"}, "version 3"), ({"url": "ftp://h/v3"}, "version 3"),
            ({"url": "http://h/v3", "user": "u"}, "belong together"),
            ({"url": "http://h/v3", "secret_file": "f"}, "belong together"),
            ({"url": "http://h/v3", "user": "u", "password_file": "f",
              "application_credential_id": "i", "secret_file": "f"}, "not both"),
            ({"url": "http://h/v3", "insecure": True, "ca_file": "f"}, "exclude"),
            ({"url": "http://h/v3", "agent_roles": "x"}, "list of roles"),
            ({"url": "http://h/v3", "agent_roles": [""]}, "role's name"),
            ({"url": "http://h/v3", "cache_tme": "1s"}, "cache_time")):
        conf = tmp_path / "c.yaml"
        conf.write_text(to_yaml({"keystone": section}) if section else "keystone:\n  insecure: true\n")
        r = subprocess.run([str(binary("collector")), "--config", str(conf), "--check-config"],
                           capture_output=True, text=True, timeout=20)
        assert r.returncode == 2 and word in r.stderr, (section, r.stderr)
    conf.write_text('tokens_file: ""\n')
    r = subprocess.run([str(binary("collector")), "--config", str(conf), "--check-config"],
                       capture_output=True, text=True, timeout=20)
    assert r.returncode == 2 and "nobody could use" in r.stderr


def test_keystone_alone(stack, fault):
    stack.start("collector", {"tokens_file": "", "keystone": {"url": fault.url}})
    assert stack.http("POST", "/v2.0/metrics", [sample("k.alone")], token="t").status == 204
