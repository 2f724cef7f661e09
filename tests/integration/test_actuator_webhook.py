# SPDX-License-Identifier: Apache-2.0
"""The step `webhook` with a server that begins jobs: which statuses count, what the answer must hold, and polling to the
end, also when the actuator is killed at any time."""
import http.server
import json
import threading

import pytest
from conftest import wait_for
from lcm_kit import failed, log, start, story  # noqa: F401 (fixtures)


class Jobs:
    """POST /jobs begins one for each Idempotency-Key; GET /jobs/<n> is asked `looks` times before it is over."""

    def __init__(self):
        self.keys, self.posts, self.asked, self.looks, self.end = [], [], [], 3, "DONE"
        self.status, self.result, self.location, self.hold = 202, "ok", "/jobs/{n}", False
        self.lock = threading.Lock()
        jobs = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def say(self, status, body, **headers):
                data = json.dumps(body).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(data)), **headers}.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(data)

            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                key = self.headers["Idempotency-Key"]
                with jobs.lock:
                    jobs.posts.append(key)
                    if key not in jobs.keys:
                        jobs.keys.append(key)
                    n = jobs.keys.index(key) + 1
                self.say(jobs.status, {"job": {"id": n}, "result": jobs.result}, Location=jobs.location.format(n=n))

            def do_GET(self):
                with jobs.lock:
                    jobs.asked.append((self.path, dict(self.headers)))
                    over = len(jobs.asked) >= jobs.looks and not jobs.hold
                self.say(200, {"status": jobs.end if over else "RUNNING"})

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


@pytest.fixture
def jobs():
    server = Jobs()
    yield server
    server.server.shutdown()
    server.server.server_close()


UNTIL = {"every": "20ms", "within": "60s", "expect": {"/status": "DONE"}, "fail": {"/status": ["ERROR", "FAIL*"]}}


def policy(jobs, **step):
    return {"name": "job", "mode": "auto", "alarm": {"dimensions": {"vnf_id": "*"}}, "target": "${vnfc_id}",
            "steps": [{"webhook": {"url": jobs.url + "/jobs", "timeout": "20s", **step}}], "verify": {"within": "60s"}}


@pytest.mark.parametrize("url", [None, "/jobs/${answer:/job/id}?vnf=${vnf_id}"])
def test_what_was_begun_is_followed_to_its_end(stack, log, jobs, url):
    start(stack, policy(jobs, success=[200, "201-202"], expect={"/result": "o*", "/job/id": 1},
                        headers={"X-Team": "noc"}, until={**UNTIL, **({"url": jobs.url + url} if url else {})}))
    log.write()
    log.await_row("verifying", seconds=40)
    assert len(jobs.posts) == 1 and len(jobs.asked) == 3, story(log)
    assert {path for path, _ in jobs.asked} == {"/jobs/1" + ("?vnf=dns-vnf" if url else "")}
    assert all(h["X-Team"] == "noc" and "Idempotency-Key" not in h for _, h in jobs.asked)
    assert [r["text"] for r in log.rows("answer")] == [
        f"answered 202: following {jobs.url}/jobs/1", "it is done: answered 200"]


def test_what_fails_there_fails_here(stack, log, jobs):
    jobs.end = "FAILED"
    start(stack, policy(jobs, until=UNTIL))
    log.write()
    assert 'it has failed: /status is "FAILED"' in failed(log)
    assert len(jobs.posts) == 1


def test_what_takes_too_long_has_timed_out(stack, log, jobs):
    jobs.hold = True
    start(stack, {**policy(jobs, until={**UNTIL, "within": "500ms"}), "steps": [
        {"webhook": {"url": jobs.url + "/jobs", "until": {**UNTIL, "within": "500ms"}}, "on_timeout": "done"}]})
    log.write()
    log.await_row("verifying", seconds=40)
    row, = log.rows("step")
    assert row["detail"]["end"] == "timeout" and 'last: /status is "RUNNING", not "DONE"' in row["text"]


def test_answers_that_do_not_hold_it_are_failed_tries(stack, log, jobs):
    jobs.status, jobs.result = 200, "try again"
    start(stack, policy(jobs, expect={"/result": "ok"}, retries=20))
    log.write()
    wait_for(lambda: len(jobs.posts) >= 2, 30, "another try")
    jobs.result = "ok"
    log.await_row("verifying", seconds=40)
    assert len(set(jobs.posts)) == 1, story(log)
    assert log.rows("answer")[0]["text"] == 'answered 200, but /result is "try again", not "ok"'


def test_a_location_elsewhere_is_not_followed(stack, log, jobs):
    jobs.location = "http://127.0.0.2/jobs/{n}"
    start(stack, policy(jobs, until=UNTIL))
    log.write()
    assert "without a Location on the same host" in failed(log)
    assert jobs.asked == []


def test_kill9_at_any_time_leaves_one_job(stack, log, jobs):
    """Killed after each thing that is written, called or asked; once its answer is written the call is not repeated."""
    start(stack, policy(jobs, until={**UNTIL, "within": "10m"}, retries=20))
    log.write()
    seen, settled = -1, None

    def moved():
        return len(log.rows()) + len(jobs.posts) + min(len(jobs.asked), 3)

    for _ in range(10):
        wait_for(lambda: moved() > seen, 30, "news", 0.001)
        if log.rows("verifying"):
            break
        if settled is None and any("following" in r["text"] for r in log.rows("answer")):
            settled = len(jobs.posts)
        stack.kill9("actuator")
        seen = moved()
        stack.restart("actuator", wait=False)
    log.await_row("verifying", seconds=60)
    assert len(jobs.keys) == 1 and settled in (None, len(jobs.posts)), story(log)
    assert len({r["run_id"] for r in log.rows()}) == 1
