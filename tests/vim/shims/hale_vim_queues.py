# SPDX-License-Identifier: Apache-2.0
"""Waits until somebody reads from each queue: python3 hale_vim_queues.py HOST PORT SECONDS QUEUE...; the
password on stdin. A message to a service that does not listen yet would be lost, or waited for in vain.
Exit 1 names the queues that nobody reads from."""
import sys
import time

import amqp


def consumers(connection, queue):
    try:
        with connection.channel() as channel:
            return channel.queue_declare(queue, passive=True).consumer_count
    except amqp.exceptions.NotFound:
        return 0


def main():
    host, port, seconds = sys.argv[1:4]
    missing, end = sys.argv[4:], time.monotonic() + float(seconds)
    secret = sys.stdin.readline().strip()
    with amqp.Connection(f"{host}:{port}", userid="vim", password=secret, connect_timeout=60) as connection:
        while missing and time.monotonic() < end:
            missing = [q for q in missing if not consumers(connection, q)]
            if missing:
                time.sleep(0.3)
    if missing:
        sys.exit("nobody reads from " + " ".join(missing))


if __name__ == "__main__":
    main()
