"""The TCP policy on a socket: besides what the host's route and settings already do for every program."""

from __future__ import annotations

import socket

from curserve_netem.errors import HostsError
from curserve_netem.link import Tcp


def configure(sock: socket.socket, tcp: Tcp) -> None:
    """Set congestion control and TCP_NODELAY on a socket, connected or listening (connections it accepts inherit).

    Call it on both ends, inside the host: there the process may choose any algorithm that the kernel has.
    """
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, tcp.congestion.encode())
    except PermissionError:
        pass  # without the right to choose: the host's route has chosen already, or there are no hosts (relay)
    except OSError as error:
        raise HostsError(
            f"congestion control {tcp.congestion!r} on a socket: {error.strerror}; "
            f"load the module tcp_{tcp.congestion}, "
            "or choose one of /proc/sys/net/ipv4/tcp_available_congestion_control"
        ) from None
