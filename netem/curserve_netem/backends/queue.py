"""The `queue` backend: a packet queue of our own between the hosts, for kernels without sch_netem.

The link's namespace holds one end of each host's veth pair; the Rust core moves frames between the two, each at
its own absolute deadline. A link that does nothing to packets is a plain veth pair instead: nothing is thinner.
"""

from __future__ import annotations

import socket
from typing import Any

from curserve_netem import devices
from curserve_netem.backends.seam import Spaces
from curserve_netem.errors import BackendUnavailable
from curserve_netem.link import Link


class Wired:
    """A plain veth pair between the hosts."""

    def __init__(self, notes: list[str]) -> None:
        self._notes = notes

    def set_delays(self, up_ns: int, down_ns: int) -> None:
        """Do nothing: there is no delay to take the path's cost from."""

    def counters(self) -> dict[str, Any]:
        """Return nothing: the kernel moves the packets."""
        return {}

    def facts(self) -> dict[str, Any]:
        """Return the path."""
        return {"path": "veth", "notes": self._notes}

    def close(self) -> None:
        """Leave it to the namespaces' end."""


class Queued:
    """Two devices, one for each host, and the queue between them."""

    def __init__(self, queue: Any, path: str, notes: list[str]) -> None:
        self._queue = queue
        self._path = path
        self._notes = notes

    def set_delays(self, up_ns: int, down_ns: int) -> None:
        """Change the delays of packets that arrive from now on."""
        self._queue.set_delays(up_ns, down_ns)

    def counters(self) -> dict[str, Any]:
        """Return the counters of both directions."""
        counters: dict[str, Any] = self._queue.counters()
        return counters

    def facts(self) -> dict[str, Any]:
        """Return the path and the scheduling class of its threads."""
        priority = self._queue.counters()["up"]["priority"]
        return {"path": self._path, "priority": priority, "notes": self._notes}

    def close(self) -> None:
        """Stop both threads."""
        self._queue.stop()


def start(spaces: Spaces, link: Link, addresses: dict[str, str], *, path: str | None = None) -> Wired | Queued:
    """Join the hosts; in the keeper, whose namespace is the link's."""
    path = path or _best_path(link)
    running: Wired | Queued
    if path == "veth":
        running = Wired(devices.join_directly(spaces, link.tcp, addresses))
    else:
        queue = (_over_packets if path == "packet" else _over_taps)(spaces, link)
        running = Queued(queue, path, devices.configure_hosts(spaces, link.tcp, addresses))
    devices.wait_for_carrier((spaces.client, spaces.server))
    return running


def _best_path(link: Link) -> str:
    """Choose a plain pair for a link that does nothing, else packet sockets, else TAP devices."""
    if link.is_transparent:
        return "veth"
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()
    except OSError:
        return "tun"
    return "packet"


def _over_packets(spaces: Spaces, link: Link) -> Any:
    from curserve_core.link import LinkQueue

    for role, fd in ((devices.CLIENT_SIDE, spaces.client), (devices.SERVER_SIDE, spaces.server)):
        devices.make_pair(role, devices.HOST_DEVICE, fd)
        devices.raise_device(role, link.tcp.mtu)
    ends = (devices.CLIENT_SIDE, devices.SERVER_SIDE)
    try:
        return LinkQueue.over_packets(*ends, link.tcp.mtu, link.up.to_json(), link.down.to_json())
    except OSError as error:
        raise BackendUnavailable(
            f"queue: AF_PACKET socket refused ({error.strerror}); the kernel needs CONFIG_PACKET, or use relay"
        ) from None


def _over_taps(spaces: Spaces, link: Link) -> Any:
    from curserve_core.link import LinkQueue

    client, server = devices.open_tap(spaces.client), devices.open_tap(spaces.server)
    return LinkQueue.over_taps(client, server, link.tcp.mtu, link.up.to_json(), link.down.to_json())
