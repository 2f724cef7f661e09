# SPDX-License-Identifier: Apache-2.0
"""What the tests of remote write and OTLP share: protoc's messages, and what the collector has."""
import calendar
import importlib
import pathlib
import re
import shutil
import subprocess
import sys
import time

import pytest
from collector_kit import ISO0, q

PROTO = pathlib.Path(__file__).with_name("proto")


@pytest.fixture(scope="module")
def messages(tmp_path_factory):
    """The modules protoc makes of tests/integration/proto: (remote_write_pb2, otlp_metrics_pb2)."""
    if shutil.which("protoc") is None:
        pytest.skip("protoc is not installed")
    pytest.importorskip("google.protobuf")
    out = tmp_path_factory.mktemp("pb")
    subprocess.run(["protoc", f"--python_out={out}", f"--proto_path={PROTO}",
                    "remote_write.proto", "otlp_metrics.proto"], check=True, timeout=60)
    sys.path.insert(0, str(out))
    try:
        yield importlib.import_module("remote_write_pb2"), importlib.import_module("otlp_metrics_pb2")
    finally:
        sys.path.remove(str(out))


def rejected(stack, form, reason=None):
    text = stack.http("GET", "/metrics", role=None).body.decode()
    rows = re.findall(r'^hale_collector_rejected_samples_total{form="%s",reason="(\w+)"} (\d+)' % form,
                      text, re.M)
    return sum(int(n) for r, n in rows if reason in (None, r))


def to_ms(iso):
    whole, ms = iso.rstrip("Z").split(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) * 1000 + int(ms)


def names(stack, tenant="default"):
    return [e["name"] for e in stack.http("GET", "/v2.0/metrics/names", tenant=tenant).json["elements"]]


def series_of(stack, name):
    """{sorted dimensions as a tuple: {time_ms: value}} of a metric."""
    a = stack.http("GET", q("/v2.0/metrics/measurements", name=name, start_time=ISO0,
                            group_by="*", limit=10000))
    assert a.status == 200, a
    return {tuple(sorted(e["dimensions"].items())): {to_ms(m[0]): m[1] for m in e["measurements"]}
            for e in a.json["elements"]}
