# SPDX-License-Identifier: Apache-2.0
"""The real Aodh, without its queues: /usr/bin/python3 aodh_program.py with {"alarm": ..., "event": ...} on stdin.
Its evaluator looks at the alarm (as its API gives it) for the event, and its notifier tells the alarm's actions."""
import datetime
import json
import sys
import types

from aodh import notifier, queue
from aodh.evaluator import event
from aodh.notifier import rest
from aodh.storage import models

CONF = types.SimpleNamespace(event_alarm_cache_ttl=0, record_history=False, rest_notifier_max_retries=0)


class Store:
    def __init__(self, alarm):
        self.alarm = alarm

    def get_alarms(self, **_):
        return [self.alarm]

    def update_alarm(self, alarm):
        pass


class Bus:
    """Between the evaluator and the notifier."""

    def sample(self, _context, _type, payload):
        rest_notifier = types.SimpleNamespace(obj=rest.RestAlarmNotifier(CONF))
        notifier.AlarmEndpoint._process_alarm({"http": rest_notifier}, json.loads(json.dumps(payload)))


class Evaluator(event.EventAlarmEvaluator):
    def __init__(self, alarm):
        self.conf, self.caches, self.storage_conn = CONF, {}, Store(alarm)
        self.notifier = queue.AlarmNotifier.__new__(queue.AlarmNotifier)
        self.notifier.notifier = Bus()


def main():
    given = json.load(sys.stdin)
    alarm = given["alarm"]
    alarm["rule"] = alarm.pop("event_rule")
    for key in ("timestamp", "state_timestamp", "evaluate_timestamp"):
        alarm[key] = datetime.datetime.utcnow()
    Evaluator(models.Alarm(**alarm)).evaluate_events([given["event"]])


if __name__ == "__main__":
    main()
