#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""hale-lab: a small VNFM over a network function made of real DNS servers, with real traffic.

The VNFM speaks ETSI SOL003 VNF lifecycle management (vnflcm v2). Its one VNF, `dns-vnf`, consists
of dnsmasq processes (VNFCs dns-1, dns-2, ...). A traffic source asks them over UDP and, when given
a collector, publishes what it measures as Monasca metrics. Everything is on 127.0.0.1.
Nothing is restarted unless somebody calls the VNFM. README.md describes the endpoints.
"""
import argparse
import queue
import signal
import sys
import threading

from sol003 import Server, Vnfm
from traffic import Publisher, Traffic
from vnf import Vnf


def arguments():
    parser = argparse.ArgumentParser(prog="hale-lab", description=__doc__.splitlines()[0])
    parser.add_argument("--state", required=True, help="directory; pid files go to STATE/lab")
    parser.add_argument("--port", type=int, required=True, help="HTTP port (0: any, printed)")
    parser.add_argument("--dns-port", type=int, default=0,
                        help="first UDP port of the DNS servers (default: HTTP port + 5)")
    parser.add_argument("--vnfcs", type=int, default=2, help="DNS servers at start (default 2)")
    parser.add_argument("--max-vnfcs", type=int, default=4, help="ceiling for scale (default 4)")
    parser.add_argument("--qps", type=float, default=40, help="queries per second (default 40)")
    parser.add_argument("--collector", help="URL of the collector: publish measurements there")
    parser.add_argument("--token-file", help="file with the collector's token")
    options = parser.parse_args()
    if not 1 <= options.vnfcs <= options.max_vnfcs <= 16:
        parser.error("--vnfcs must be 1..--max-vnfcs, and that at most 16")
    if options.collector and not options.token_file:
        parser.error("--collector needs --token-file")
    return options


def main():
    options = arguments()
    jobs = queue.SimpleQueue()  # work for this thread, which alone starts processes (see vnf.py)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: jobs.put(None))
    signal.signal(signal.SIGCHLD, lambda *_: jobs.put(lambda: vnf.reap()))

    vnf = Vnf(options.state, jobs, options.max_vnfcs)
    traffic = Traffic(vnf, options.qps)
    vnfm = Vnfm(vnf)
    server = Server(options.port, vnfm, traffic)
    vnf.first_port = options.dns_port or server.server_port + 5
    try:
        for _ in range(options.vnfcs):
            vnf.add_now()
        publisher = None
        if options.collector:
            publisher = Publisher(options.collector, options.token_file, traffic)
            publisher.start()
        traffic.start()
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05},
                         daemon=True).start()
        print("hale-lab ready port=%d" % server.server_port, flush=True)
        while True:
            job = jobs.get()
            if job is None:
                break
            job()
    finally:
        vnf.stop_all()
    return 0


if __name__ == "__main__":
    sys.exit(main())
