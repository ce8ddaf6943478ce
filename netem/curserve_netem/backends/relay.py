"""The `relay` backend: no namespace at all, bytes delayed between two loopback connections.

Degraded, and labelled so: no packets, hence no congestion window, no loss; never in one table with the others. The
client reaches the server's port through `Pair.reach`, which opens a listener for it.
"""

from __future__ import annotations

from typing import Any

from curserve_netem.backends.seam import Spaces
from curserve_netem.errors import BackendUnavailable
from curserve_netem.link import Link

_NOTES = ["degraded: bytes are delayed, not packets; no congestion window, loss or reordering; TCP policy unused"]


class Relayed:
    """Listeners on the client's address, each joined to a port of the server's."""

    def __init__(self, link: Link, addresses: dict[str, str]) -> None:
        from curserve_core.link import LinkRelay

        self._relay = LinkRelay(link.tcp.mtu, link.up.to_json(), link.down.to_json())
        self._addresses = addresses
        self._ports: dict[int, int] = {}

    def set_delays(self, up_ns: int, down_ns: int) -> None:
        """Change the delays of bytes that arrive from now on."""
        self._relay.set_delays(up_ns, down_ns)

    def counters(self) -> dict[str, Any]:
        """Return nothing: no packet is seen here."""
        return {}

    def reach(self, port: int) -> int:
        """Return the port of the client's address that leads to `port` of the server's."""
        if port not in self._ports:
            try:
                self._ports[port] = self._relay.listen(self._addresses["client"], self._addresses["server"], port)
            except OSError as error:
                raise BackendUnavailable(f"relay: cannot listen for port {port} ({error.strerror})") from None
        return self._ports[port]

    def facts(self) -> dict[str, Any]:
        """Return the path."""
        return {"path": "relay", "notes": _NOTES}

    def close(self) -> None:
        """Leave it to the end of the keeper: its threads end with it."""


def start(_spaces: Spaces | None, link: Link, addresses: dict[str, str]) -> Relayed:
    """Start a relay without listeners; in the keeper."""
    return Relayed(link, addresses)
