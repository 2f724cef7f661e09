# SPDX-License-Identifier: Apache-2.0
"""The collector's front door: codings, credentials, formats and limits; real senders at the end."""
import base64
import gzip
import json
import re
import zlib

import pytest

from collector_kit import counter, measurements, now_ms, q, sample


def rejected(stack, form, reason):
    text = stack.http("GET", "/metrics", role=None).body.decode()
    row = f'hale_collector_rejected_samples_total{{form="{form}",reason="{reason}"}} '
    return int(re.search("^" + re.escape(row) + r"(\d+)$", text, re.M).group(1))


@pytest.fixture
def door(stack):
    """A collector alone, with a small body ceiling."""
    stack.start("collector", {"max_body": "64k"})
    return stack


def test_codings(door):
    t0 = now_ms() - 60000
    body = json.dumps([sample("coded", ts=t0 + i, value=float(i)) for i in range(50)])
    plain = body.encode()
    json_type = {"Content-Type": "application/json"}
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    for coding, coded in (("gzip", gzip.compress(plain)), ("x-gzip", gzip.compress(plain)),
                          ("GZIP", gzip.compress(plain[:99]) + gzip.compress(plain[99:])),
                          ("deflate", zlib.compress(plain)),
                          ("deflate", raw.compress(plain) + raw.flush()),
                          ("identity", plain), ("", plain)):
        a = door.http("POST", "/v2.0/metrics", body=coded,
                      headers={"Content-Encoding": coding, **json_type})
        assert a.status == 204, (coding, a)
    assert len(measurements(door, 50, name="coded")[0]["measurements"]) == 50
    assert counter(door, "hale_collector_inflated_bytes_total") == 5 * len(plain)

    def refused(coding, coded):
        a = door.http("POST", "/v2.0/metrics", body=coded,
                      headers={"Content-Encoding": coding, **json_type})
        return a.status, a.json["description"]
    whole = gzip.compress(plain)
    assert refused("gzip", whole[:-9])[0] == 400
    assert refused("gzip", plain)[0] == 400
    assert refused("gzip", whole + b"x")[0] == 400
    status, text = refused("br", whole)
    assert status == 415 and "gzip" in text
    status, text = refused("gzip", gzip.compress(b" " * 64 * 1024 * 1024))
    assert status == 413 and "65536" in text
    status, _ = refused("gzip", gzip.compress(plain + b" " * (65537 - len(plain))))
    assert status == 413
    a = door.http("POST", "/v2.0/metrics", headers={"Content-Encoding": "gzip", **json_type},
                  body=gzip.compress(plain + b" " * (65536 - len(plain))))
    assert a.status == 204


def test_events_may_be_compressed(door):
    body = gzip.compress(json.dumps({"type": "vnfc.down", "dimensions": {"vnf": "a"}}).encode())
    a = door.http("POST", "/v1/events", body=body,
                  headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})
    assert a.status == 200 and a.json == {"accepted": 1}


def test_credentials(door):
    token = door.token("agent")
    basic = base64.b64encode(f"telegraf:{token}".encode()).decode()

    def post(headers, path="/v2.0/metrics"):
        return door.http("POST", path, body=sample("auth"), role=None,
                         headers={"Content-Type": "application/json", **headers}).status
    assert post({"X-Auth-Token": token}) == 204
    for value in (f"Token {token}", f"Bearer {token}", f"token {token}", f"Basic {basic}"):
        assert post({"Authorization": value}) == 204, value
    for value in ("Token x", f"Basic {token}", f"Digest {token}", token, "Basic", ""):
        assert post({"Authorization": value}) == 401, value
    assert post({}) == 401
    # the first header counts, and a token in the address only where Influx's clients put it
    assert post({"X-Auth-Token": "wrong", "Authorization": f"Token {token}"}) == 401
    assert post({}, q("/v2.0/metrics", p=token)) == 401
