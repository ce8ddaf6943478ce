"""Addresses of the two hosts: a network of four addresses that the machine itself does not use.

The hosts cannot reach the machine's networks, nor be reached from them. A clash would still mislead whoever reads
an address in a log, so one that was asked for is refused, and of our own the first without a clash is taken.
"""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

from curserve_netem.errors import HostsError, LinkError

# RFC 2544 (benchmarks) first, then two corners of private space.
OWN = ("198.18.0.0/30", "198.19.255.252/30", "10.213.83.0/30", "172.31.213.80/30")
LOOPBACK = {"client": "127.83.0.1", "server": "127.83.0.2"}  # for the relay: no namespace, no other device


def machine_networks() -> dict[IPv4Network, str]:
    """Return the networks that the machine routes to, except by default, and the device of each."""
    found = {}
    try:
        rows = Path("/proc/net/route").read_text().splitlines()[1:]
    except OSError:
        return {}
    for row in rows:
        device, destination, _, _, _, _, _, mask = row.split()[:8]
        address = ".".join(str(byte) for byte in bytes.fromhex(destination)[::-1])
        bits = int(mask, 16).bit_count()
        if bits:
            found[IPv4Network((address, bits), strict=False)] = device
    return found


def choose(network: str | None = None) -> dict[str, str]:
    """Return the hosts' addresses, in `network` or in the first of ours without a clash."""
    taken = machine_networks()
    for candidate in (network,) if network else OWN:
        ours = _parse(candidate)
        clash = next((f"{device} ({other})" for other, device in taken.items() if other.overlaps(ours)), None)
        if clash is None:
            return {"client": str(ours[1]), "server": str(ours[2])}
        if network:
            raise HostsError(f"network {ours} clashes with the machine's {clash}; give another with --network")
    raise HostsError(
        "all networks for the hosts clash with the machine's; give a free one with --network 10.1.2.0/30"
    )


def _parse(text: str) -> IPv4Network:
    try:
        network = IPv4Network(text)
    except ValueError as error:
        raise LinkError(f"network {text!r}: {error}; expected such as 198.18.0.0/30") from None
    if network.num_addresses < 4:
        raise LinkError(f"network {text!r}: too small for two hosts; expected such as 198.18.0.0/30")
    return network
