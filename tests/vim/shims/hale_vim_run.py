# SPDX-License-Identifier: Apache-2.0
"""Entry points of OpenStack programs: python3 hale_vim_run.py MODULE:FUNCTION PROGRAM [ARG...].

Two of Debian 12's packages do not work together: oslo.messaging 14.0.3 makes contexts smaller before
it notifies; Heat's stored contexts cannot be made smaller ("Authorization failed" on every stack), and
Masakari's lose `read_deleted` (its API answers 500). Both are mended here, in memory only."""
import importlib
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


def main():
    target, name = sys.argv[1:3]
    sys.argv = [name] + sys.argv[3:]
    if name == "heat-engine":
        mend_heat()
    elif name.startswith("masakari"):
        mend_masakari()
    module, function = target.split(":")
    return getattr(importlib.import_module(module), function)()


if __name__ == "__main__":
    sys.path.pop(0)  # this directory is no place to look for modules
    sys.exit(main())
