#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes one lab fault happen and follows its healing on the terminal.

Kills one DNS server of the lab's network function with SIGKILL, then prints what Hale logs about
it (alarm, decision, call, answer, verification) with the time since the kill. Exit code 0: the
alarm cleared, the run was verified and the DNS server answers again. 1: not healed in time.
"""
import argparse
import json
import sys
import time
import urllib.error
import urllib.request


def call(url, token=None, body=None, timeout=10):
    request = urllib.request.Request(url, method="POST" if body is not None else "GET")
    if token:
        request.add_header("X-Auth-Token", token)
    data = None
    if body is not None:
        data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, data, timeout=timeout) as answer:
        return json.loads(answer.read() or b"null")


def events(stream, deadline):
    """Yields (event name, data) of a server-sent event stream until the deadline."""
    name, data = "message", []
    for raw in stream:
        line = raw.decode("utf-8").rstrip("\r\n")
        if line.startswith("event:"):
            name = line[6:].strip()
        elif line.startswith("data:"):
            data.append(line[5:].strip())
        elif not line:
            if data:
                yield name, json.loads("\n".join(data))
            name, data = "message", []
        if time.time() > deadline:
            return


def describe(name, data):
    """(event time in ms, words) of one live event, or None when it is not worth a line."""
    if name == "alarm":
        alarm = data["alarm"]
        if data["kind"] != "transition":
            return None
        word = {"ALARM": "raised", "OK": "cleared"}.get(alarm["state"], alarm["state"].lower())
        return data["time_ms"], "%-10s %s %s" % (word, alarm["definition_name"], alarm["reason"])
    if name == "action":
        return data["time_ms"], "%-10s %s: %s" % (data["kind"], data["policy"], data["text"])
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--collector", required=True, help="URL of the collector")
    parser.add_argument("--lab", required=True, help="URL of the lab's VNFM")
    parser.add_argument("--token-file", required=True, help="an operator's token")
    parser.add_argument("--vnfc", help="which DNS server to kill (default: the lab chooses)")
    parser.add_argument("--timeout", type=float, default=60, help="seconds (default 60)")
    options = parser.parse_args()
    with open(options.token_file, encoding="ascii") as file:
        token = file.read().strip()

    deadline = time.time() + options.timeout
    request = urllib.request.Request(options.collector + "/v1/live")
    request.add_header("X-Auth-Token", token)
    stream = urllib.request.urlopen(request, timeout=options.timeout)
    follow = events(stream, deadline)
    for name, _ in follow:  # the greeting: from here on nothing is missed
        if name == "hello":
            break

    fault = call(options.lab + "/lab/fault", body={"vnfc_id": options.vnfc} if options.vnfc else {})
    vnfc, start_ms = fault["vnfc_id"], fault["at_ms"]
    print("   0.000 s  killed     VNFC %s (SIGKILL)" % vnfc, flush=True)

    runs, healed, cleared = set(), False, False
    for name, data in follow:
        about = json.dumps(data)
        if vnfc not in about and data.get("run_id") not in runs:
            continue
        if name == "action":
            runs.add(data["run_id"])
        line = describe(name, data)
        if line:
            print("%8.3f s  %s" % ((line[0] - start_ms) / 1000, line[1]), flush=True)
        if name == "alarm" and data["kind"] == "transition" and data["alarm"]["state"] == "OK":
            cleared = True
        if name == "action" and data["kind"] == "failed":
            break
        if name == "action" and data["kind"] == "verified":
            healed = True
            break

    serving = [v for v in call(options.lab + "/lab/state")["vnfcs"] if v["id"] == vnfc and v["serving"]]
    if healed and serving:
        print("healed: the alarm cleared and VNFC %s answers DNS queries again" % vnfc)
        return 0
    print("not healed: alarm cleared: %s, run verified: %s, VNFC serving: %s"
          % (cleared, healed, bool(serving)), file=sys.stderr)
    return 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (urllib.error.URLError, OSError, KeyError, ValueError) as error:
        print("error: %s" % error, file=sys.stderr)
        sys.exit(1)
