# SPDX-License-Identifier: Apache-2.0
"""The first sample after a new definition finds it: hale-thresholds through a proxy that keeps back what
Redis answers on other connections than that of the samples, so that no order comes about by chance."""
import json
import signal

import pytest

from conftest import wait_for
from proxy_kit import Proxy
from test_thresholds import Feed, now_ms, pytestmark  # noqa: F401

ABSENT = 600    # definitions that are not stored: more control records than one reply has room for


@pytest.fixture
def feed(redis):
    return Feed(redis)


@pytest.fixture
def proxy(tmp_path, redis):
    p = Proxy(tmp_path, redis)
    yield p
    p.close()


def start(stack, proxy, **config):
    return stack.start("thresholds", {"redis": proxy.url, "checkpoint_interval": "100ms", **config})


def test_sample_right_after_its_definition(stack, feed, proxy):
    start(stack, proxy)
    feed.define("last(other) > 1")
    feed.applied()
    s = feed.series("cpu", hostname="h1")
    proxy.hold()
    feed.redis.cmd("XADD", "hale:{m}:ask", "*", "j", "{}")
    wait_for(proxy.kept.is_set, 20, "an answer that is kept back")
    d = feed.define("last(cpu) > 10", ["hostname"])
    feed.processed(feed.post([(s, now_ms(), 20.0)]))
    assert feed.states(d) == ["ALARM"]


def test_sample_after_more_control_records_than_one_reply(stack, feed, proxy):
    daemon = start(stack, proxy)
    feed.define("last(other) > 1")
    feed.applied()
    s = feed.series("cpu", hostname="h1")
    daemon.process.send_signal(signal.SIGSTOP)
    for i in range(ABSENT):
        feed.control({"v": 1, "op": "definition", "id": "00000000-0000-4000-8000-%012d" % i})
    d = feed.define("last(cpu) > 10", ["hostname"])
    entry = feed.post([(s, now_ms(), 20.0)])
    daemon.process.send_signal(signal.SIGCONT)
    feed.processed(entry)
    assert feed.states(d) == ["ALARM"]
    feed.applied()


def test_definition_made_when_a_replay_ends(stack, feed, proxy):
    """It is not among those that are compared then, and its first sample comes right after it."""
    start(stack, proxy, checkpoint_interval="10m")
    feed.define("last(other) > 1")
    feed.applied()
    other, s = feed.series("other"), feed.series("cpu", hostname="h1")
    entry = feed.post([(other, now_ms(), 20.0)])
    wait_for(lambda: feed.states() == ["ALARM"], 20, "a record after the snapshot")
    stack.kill9("thresholds")
    # As if a tick after the last entry had said something: the replay ends when the stream is read up.
    feed.redis.cmd("HSET", feed.key("thr:meta"), "output", f"{entry.decode()} {now_ms()} 1")
    made = []

    def make():
        other_feed = Feed(proxy_redis)
        made.append(other_feed.define("last(cpu) > 10", ["hostname"]))
        other_feed.post([(s, now_ms(), 20.0)])
    proxy_redis = type(feed.redis)(feed.redis.dir)   # a connection of its own: the hook runs in a thread
    proxy.on_answer = (b"HGETALL\r\n$20\r\nhale:{m}:definitions", make)
    stack.restart("thresholds")
    wait_for(lambda: made and feed.states(made[0]) == ["ALARM"], 20, "the new definition's alarm")
    proxy_redis.disconnect()
    assert json.loads(feed.redis.cmd("GET", "hale:{m}:health:hale-thresholds"))["daemon"] == "hale-thresholds"
