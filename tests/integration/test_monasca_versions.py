# SPDX-License-Identifier: Apache-2.0
"""Monasca's versions and healthcheck, and the rules that all its resources share."""
import re

import pytest
from conftest import http_call, wait_for

VERSION = {"id": "v2.0", "status": "CURRENT", "updated": "2013-03-06T00:00:00.000Z"}
LISTS = ("/v2.0/metrics", "/v2.0/metrics/names", "/v2.0/metrics/dimensions/names",
         "/v2.0/notification-methods", "/v2.0/notification-methods/types",
         "/v2.0/alarm-definitions", "/v2.0/alarms", "/v2.0/alarms/state-history")
REQUEST_ID = re.compile(r"^req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


@pytest.fixture
def api(stack):
    stack.start("collector")
    return stack


def test_versions(api):
    own = {**VERSION, "links": [{"rel": "self", "href": api.url + "/v2.0"}]}
    for role in ("operator", "agent", None):
        answer = api.http("GET", "/", role=role)
        assert answer.status == 200 and answer.headers["content-type"] == "application/json"
        assert answer.json == {"links": [{"rel": "self", "href": api.url + "/"}], "elements": [own]}
        for path in ("/v2.0", "/v2.0/"):
            answer = api.http("GET", path, role=role)
            assert answer.status == 200 and answer.json == own
    for unknown in ("v3", "v2.1", "v3.0/"):
        answer = api.http("GET", "/" + unknown, role=None)
        assert answer.status == 422 and answer.json["title"] == "Invalid version"
        assert answer.json["description"] == "No versions found matching " + unknown.rstrip("/")
    assert api.http("GET", "/v", role=None).status == 404


def test_healthcheck(api):
    head = api.http("HEAD", "/healthcheck", role=None)
    assert head.status == 204 and head.body == b""
    assert head.headers["cache-control"] == "must-revalidate,no-cache,no-store"
    good = api.http("GET", "/healthcheck", role=None)
    assert good.status == 200 and good.json == {"redis": "OK"}
    assert good.headers["cache-control"] == "must-revalidate,no-cache,no-store"
    api.redis.kill9()
    bad = wait_for(lambda: [a for a in [api.http("GET", "/healthcheck", role=None)]
                            if a.status == 503], 20, "503")[0]
    assert bad.json["redis"] != "OK"
    api.redis.start()
    wait_for(lambda: api.http("GET", "/healthcheck", role=None).status == 200, 20, "health")


def test_lists_share_their_envelope(api):
    for path in LISTS:
        for variant in (path, path + "/", path + "?unknown=1&empty=&bare"):
            answer = api.http("GET", variant)
            assert answer.status == 200, (variant, answer)
            assert set(answer.json) == {"links", "elements"}
            assert answer.json["links"] == [{"rel": "self", "href": api.url + variant}]
            assert answer.headers["content-type"] == "application/json"
            assert REQUEST_ID.match(answer.headers["x-openstack-request-id"])
    ids = {api.http("GET", "/v2.0/alarms").headers["x-openstack-request-id"] for _ in range(20)}
    assert len(ids) == 20


def test_limits_are_checked_everywhere(api):
    for path in LISTS:
        if path.endswith("types"):
            continue
        for bad in ("-1", "x", "1.5", "0"):
            answer = api.http("GET", f"{path}?limit={bad}")
            assert answer.status == 422 and answer.json["title"] == "Invalid limit", (path, bad, answer)
        assert api.http("GET", f"{path}?limit=99999999999999999999").status == 200
        assert api.http("GET", f"{path}?limit=1&limit=x").status == 200  # the first one counts


@pytest.mark.parametrize("method, path, allow", [
    ("DELETE", "/v2.0/alarms", "GET"), ("POST", "/v2.0/alarms", "GET"),
    ("PUT", "/v2.0/metrics", "POST, GET"), ("POST", "/v2.0/alarms/x", "GET, PUT, PATCH, DELETE"),
    ("PATCH", "/v2.0/notification-methods", "GET, POST"),
    ("DELETE", "/v2.0/notification-methods/types", "GET"), ("PUT", "/v2.0/alarms/count", "GET"),
    ("PATCH", "/v2.0", "GET"), ("DELETE", "/healthcheck", "GET")])
def test_wrong_method(api, method, path, allow):
    answer = api.http(method, path)
    assert answer.status == 405, answer
    assert answer.json == {"title": "405 Method Not Allowed", "code": 405,
                           "message": "405 Method Not Allowed"}
    assert answer.headers["allow"] == allow
    assert answer.headers["content-type"] == "application/json"


def test_unknown_path(api):
    for path in ("/v2.0/nothing", "/v2.0/alarms/a/b", "/v2.0/metrics/x/y"):
        answer = api.http("GET", path)
        assert answer.status == 404 and answer.json == {
            "title": "404 Not Found", "code": 404, "message": "404 Not Found"}
        assert api.http("GET", path, role=None).status == 401  # nothing to learn without a token


def test_who_is_not_authorised_learns_nothing(api):
    unknown = api.http("GET", "/v2.0/alarms", token="nonsense")
    assert unknown.status == 401 and unknown.headers["www-authenticate"]
    missing = api.http("POST", "/v2.0/alarm-definitions", b"{", role="read-only")
    assert missing.status == 401 and missing.json["title"] == "Forbidden"
    assert missing.json["description"] == "The request does not have access to this service"
    assert missing.headers["www-authenticate"] == "Token"
    for header in ("X-Tenant-Id", "X-Project-Id", "X-Roles"):  # what the sender claims counts nothing
        assert api.http("GET", "/v2.0/alarms", role=None,
                        headers={header: "default"}).status == 401


def test_links_of_a_proxy(stack):
    stack.start("collector", {"trust_forwarded": True})
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "monitoring.example.org"}
    answer = stack.http("GET", "/v2.0/alarms?limit=5", headers=headers)
    assert answer.json["links"][0]["href"] == "https://monitoring.example.org/v2.0/alarms?limit=5"
    bad = stack.http("GET", "/v2.0/alarms", headers={**headers, "X-Forwarded-Host": "a/b?c"})
    assert bad.json["links"][0]["href"].startswith("https://127.0.0.1:")
    stack.stop("collector")
    stack.daemons["collector"].config["trust_forwarded"] = False
    stack.restart("collector")
    answer = http_call(*stack.address, "GET", "/v2.0/alarms",
                       headers={**headers, "X-Auth-Token": stack.token()})
    assert answer.json["links"][0]["href"] == stack.url + "/v2.0/alarms"
