"""The keeper: the process that the two hosts and their link belong to.

It makes the namespaces, hands them to its parent as descriptors, runs the backend, and waits. When its parent says
so, or has died (SIGKILL closes the control socket), it kills what still runs in the hosts and exits; namespaces
and devices vanish with their last process and descriptor. Started by `hosts`, never by hand.

Control messages are JSON objects, one a packet: `{"do": "delays", "up_ns": …, "down_ns": …}`,
`{"do": "counters"}`,
`{"do": "stop"}`; each is answered with an object.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from typing import Any

from curserve_netem import namespaces, sweep
from curserve_netem.backends import needs_namespaces, start_backend
from curserve_netem.backends.seam import Spaces
from curserve_netem.errors import HostsError
from curserve_netem.link import Link, LinkError

MESSAGE = 1 << 20


def make_spaces() -> tuple[Spaces, dict[str, int]]:
    """Make the hosts' namespaces; afterwards this process is in a network namespace of its own, the link's."""
    user = -1
    if not namespaces.is_administrator():
        namespaces.become_root_in_user_namespace()
        user = namespaces.open_own("user")
    fds: dict[str, int] = {}
    try:
        for role in ("client", "server"):
            namespaces.separate_mounts()
            namespaces.unshare(namespaces.NEWNET)
            fds[f"{role}_mnt"] = namespaces.open_own("mnt")
            fds[f"{role}_net"] = namespaces.open_own("net")
        namespaces.unshare(namespaces.NEWNET)
    except OSError as error:
        from curserve_netem.errors import BackendUnavailable

        raise BackendUnavailable(
            f"network namespaces: the kernel refused ({error.strerror}); run as root or use backend relay"
        ) from None
    if user >= 0:
        fds["user"] = user
    return Spaces(client=fds["client_net"], server=fds["server_net"]), fds


def serve(control: socket.socket) -> None:
    """Set up as the first message says, then obey until told to stop or left alone."""
    order = json.loads(control.recv(MESSAGE))
    try:
        spaces, fds = make_spaces() if needs_namespaces(order["backend"]) else (None, {})
        running = start_backend(order["backend"], spaces, Link.from_json(order["link"]), order["addresses"])
    except (HostsError, LinkError) as error:
        control.send(json.dumps({"error": str(error), "kind": type(error).__name__}).encode())
        return
    except Exception as error:  # the one place that must not lose an error: the parent only sees this message
        detail = f"{order['backend']}: set-up failed: {type(error).__name__}: {error}"
        control.send(json.dumps({"error": detail, "kind": "HostsError"}).encode())
        return
    ours = [os.fstat(fd).st_ino for fd in (spaces.client, spaces.server)] if spaces else []
    try:
        ready = {"ready": list(fds), "facts": running.facts()}
        socket.send_fds(control, [json.dumps(ready).encode()], list(fds.values()))
        while message := control.recv(MESSAGE):
            order = json.loads(message)
            if order["do"] == "stop":
                break
            control.send(json.dumps(obey(running, order)).encode())
    except ConnectionError:
        pass  # the parent is gone; so must its processes be
    finally:
        sweep.kill_processes(ours, os.environ[sweep.MARK])
        running.close()
    control.close()


def obey(running: Any, order: dict[str, Any]) -> dict[str, Any]:
    """Carry out one order on the running backend; an error goes back to who asked."""
    try:
        return _obey(running, order)
    except HostsError as error:
        return {"error": str(error), "kind": type(error).__name__}
    except Exception as error:  # as above: whoever asked gets it, and the hosts go on
        return {"error": f"{order['do']}: {type(error).__name__}: {error}", "kind": "HostsError"}


def _obey(running: Any, order: dict[str, Any]) -> dict[str, Any]:
    if order["do"] == "delays":
        running.set_delays(order["up_ns"], order["down_ns"])
        return {}
    if order["do"] == "reach":
        return {"port": running.reach(order["port"])}
    counters: dict[str, Any] = running.counters()
    return counters


def main() -> None:
    """Run as `python -m curserve_netem.keeper FD`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is for the parent, which then stops us
    with socket.socket(fileno=int(sys.argv[1])) as control:
        serve(control)


if __name__ == "__main__":
    main()
