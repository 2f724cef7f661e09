# SPDX-License-Identifier: Apache-2.0
"""Functions side by side."""
import threading


class Parallel:
    """Runs functions side by side; leaving the block waits for all and raises the first failure."""

    def __init__(self):
        self.threads, self.errors = [], []

    def add(self, function, *args, **more):
        def work():
            try:
                function(*args, **more)
            except BaseException as e:  # handed to the caller's thread
                self.errors.append(e)
        self.threads.append(threading.Thread(target=work))
        self.threads[-1].start()

    def __enter__(self):
        return self

    def __exit__(self, *what):
        for t in self.threads:
            t.join()
        if self.errors and what[0] is None:
            raise self.errors[0]
