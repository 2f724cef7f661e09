# SPDX-License-Identifier: Apache-2.0
"""Entry points of OpenStack programs: python3 hale_vim_run.py MODULE:FUNCTION PROGRAM [ARG...], or
... PROGRAM --once MARK [ARG...] [--once MARK [ARG...]]...: several commands in order after one import,
which takes longer than they do; the file MARK says that one is done.

Two of Debian 12's packages do not work together: oslo.messaging 14.0.3 makes contexts smaller before
it notifies; Heat's stored contexts cannot be made smaller ("Authorization failed" on every stack), and
Masakari's lose `read_deleted` (its API answers 500). Both are mended here, in memory only."""
import ctypes
import importlib
import os
import pathlib
import signal
import sys


def mend_heat():
    from heat.engine import notification
    notification.notify = lambda *args: None  # nobody listens here


def mend_masakari():
    from masakari import context
    plain = context.RequestContext.from_dict.__func__

    def from_dict(cls, values, **more):
        return plain(cls, dict({"read_deleted": "no"}, **values), **more)
    context.RequestContext.from_dict = classmethod(from_dict)


def in_child(function, words):
    """A command in a process of its own: its options and connections are global there."""
    pid = os.fork()
    if pid == 0:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # not without us
        code = 1
        try:
            sys.argv = words
            code = function() or 0
        except SystemExit as e:
            code = e.code if isinstance(e.code, int) else 1 if e.code else 0
        except Exception:
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main():
    target, name = sys.argv[1:3]
    words = sys.argv[3:]
    sys.argv = [name] + words
    if name == "heat-engine":
        mend_heat()
    elif name.startswith("masakari"):
        mend_masakari()
    module, function = target.split(":")
    run = getattr(importlib.import_module(module), function)
    if "--once" not in words:
        return run()
    commands = []
    for word in words:
        if word == "--once":
            commands.append([])
        else:
            commands[-1].append(word)
    for mark, *rest in commands:
        code = in_child(run, [name] + rest)
        if code != 0:
            print(f"{name} {' '.join(rest)}: {code}", file=sys.stderr)
            return 1
        pathlib.Path(mark).touch()
    return 0


if __name__ == "__main__":
    sys.path.pop(0)  # this directory is no place to look for modules
    sys.exit(main())
