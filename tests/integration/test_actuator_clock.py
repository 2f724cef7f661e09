# SPDX-License-Identifier: Apache-2.0
"""The wall clock is set back under a running actuator (libfaketime): what waits goes on, nothing is done twice."""
import pathlib
import platform

import pytest
from conftest import wait_for
from test_actuator import log, receiver  # noqa: F401 (fixtures)

FAKETIME = pathlib.Path(f"/usr/lib/{platform.machine()}-linux-gnu/faketime/libfaketime.so.1")


@pytest.fixture
def clock(tmp_path, monkeypatch):
    """Call it with how far the clocks of daemons that are started from now on are ahead."""
    if not FAKETIME.exists():
        pytest.skip("libfaketime is not installed")
    path = tmp_path / "clock"

    def ahead(seconds):
        path.with_suffix(".new").write_text(f"+{seconds}\n")
        path.with_suffix(".new").rename(path)

    ahead(3600)
    monkeypatch.setenv("LD_PRELOAD", str(FAKETIME))
    monkeypatch.setenv("FAKETIME_TIMESTAMP_FILE", str(path))
    monkeypatch.setenv("FAKETIME_NO_CACHE", "1")
    monkeypatch.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    monkeypatch.setenv("ASAN_OPTIONS", "detect_leaks=1:verify_asan_link_order=0")
    return ahead


def test_clock_set_back_under_a_run(stack, log, receiver, tmp_path, clock):  # noqa: F811 (fixtures)
    hook = receiver(503)
    path = tmp_path / "policies.yaml"
    path.write_text("""
policies:
- name: heal
  mode: auto
  alarm: {definition: dns-vnfc-down}
  target: vnf/${vnfc_id}
  steps: [{webhook: {url: "%s", retries: 20}}]
""" % hook.url)
    d = stack.start("actuator", {"policies": str(path), "allow": ["127.0.0.1"]})
    log.write()
    wait_for(lambda: len(hook.got) > 1, 30, "calls by a clock that is ahead")
    clock(0)
    wait_for(lambda: "event=clock_set_back" in d.log(), 30, "the step back to be seen")
    n = len(hook.got)
    wait_for(lambda: len(hook.got) > n, 30, "the run to go on")
    hook.status = 200
    log.await_row("verifying", seconds=30)
    assert len({headers["Idempotency-Key"] for _, headers, _ in hook.got}) == 1
