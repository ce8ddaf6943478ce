"""How a role's process ends: with its runner, on SIGTERM, and never with a thread or a child left behind."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import threading
from typing import NoReturn

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Get SIGTERM when the thread that started this process ends, and end at once if it already has."""
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def leave_on_sigterm() -> None:
    """Turn SIGTERM and SIGINT into SystemExit, so that open sessions are closed on the way out."""

    def leave(number: int, frame: object) -> NoReturn:  # noqa: ARG001 - signal's signature
        signal.signal(number, signal.SIG_IGN)
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)


def watch_input(descriptor: int) -> None:
    """Send this process SIGTERM when the other end of `descriptor` is closed, also in the middle of a cell."""

    def watch() -> None:
        poll = select.poll()
        poll.register(descriptor, 0)  # POLLHUP and POLLERR are always reported
        poll.poll()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="watch-input", daemon=True).start()


def private_stdout() -> int:
    """Return a descriptor of standard output for the control channel; whatever else prints goes to stderr."""
    sys.stdout.flush()
    channel = os.dup(1)
    os.set_inheritable(channel, False)
    os.dup2(2, 1)
    return channel
