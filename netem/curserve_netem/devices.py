"""The devices between the hosts: veth pairs, addresses, routes and neighbours, by netlink, inside our namespaces.

The root namespace's interfaces are never touched: every socket here is opened inside a namespace that we made.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from curserve_netem.backends.seam import Spaces
from curserve_netem.errors import BackendUnavailable, HostsError
from curserve_netem.link import Tcp
from curserve_netem.namespaces import inside

HOST_DEVICE = "link0"  # the device of each host
CLIENT_SIDE, SERVER_SIDE = "client", "server"  # the other ends, in the link's own namespace
MACS = {"client": "02:63:75:72:76:01", "server": "02:63:75:72:76:02"}

_SIOCETHTOOL = 0x8946
_TUNSETIFF, _IFF_TAP, _IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
# ETHTOOL_S…: receive and transmit checksums, scatter-gather, TSO, GSO, GRO
_OFFLOADS = {"rx": 0x15, "tx": 0x17, "sg": 0x19, "tso": 0x1F, "gso": 0x24, "gro": 0x2C}


def netlink() -> Any:
    """Open a netlink socket in the current network namespace; the library is heavy, so it loads here."""
    from pyroute2 import IPRoute

    return IPRoute()


def offloads_off(device: str) -> None:
    """Switch segmentation and checksum offloads off, so that a packet is a packet of at most the MTU."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for command in _OFFLOADS.values():
            value = bytearray(struct.pack("II", command, 0))
            pointer = _address_of(value)
            request = struct.pack("16sP", device.encode(), pointer)
            with suppress(OSError):  # a device without that offload has nothing to switch off
                fcntl.ioctl(control, _SIOCETHTOOL, request)


def _address_of(buffer: bytearray) -> int:
    import ctypes

    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))


def make_pair(here: str, there: str, there_fd: int) -> None:
    """Make a veth pair: `here` in the current namespace, `there` in the namespace `there_fd`."""
    try:
        with netlink() as ip:
            ip.link("add", ifname=here, kind="veth", peer={"ifname": there, "net_ns_fd": there_fd})
    except Exception as error:
        raise BackendUnavailable(
            f"veth: the kernel did not make a device pair ({error}); load the module veth, or use backend relay"
        ) from None


def open_tap(fd: int) -> int:
    """Make the host's device a TAP device in the namespace `fd`; returns its descriptor."""
    path = "/dev/net/tun"
    with inside(fd):
        try:
            tap = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise BackendUnavailable(
                f"tun: {path}: {error.strerror}; load the module tun, run as root, or use backend queue/packet"
            ) from None
        try:
            fcntl.ioctl(tap, _TUNSETIFF, struct.pack("16sH22x", HOST_DEVICE.encode(), _IFF_TAP | _IFF_NO_PI))
        except OSError as error:
            os.close(tap)
            raise BackendUnavailable(
                f"tun: making a TAP device failed ({error.strerror}); run as root, or use backend queue/packet"
            ) from None
        with netlink() as ip:
            # The device's own queue takes a burst of a whole window without dropping.
            ip.link("set", index=ip.link_lookup(ifname=HOST_DEVICE)[0], txqlen=10_000)
    return tap


def raise_device(device: str, mtu: int) -> None:
    """Set the MTU, switch offloads off, and bring a device up without IPv6's own chatter."""
    quiet = Path(f"/proc/sys/net/ipv6/conf/{device}/disable_ipv6")
    with suppress(OSError):
        quiet.write_text("1")
    offloads_off(device)
    with netlink() as ip:
        index = ip.link_lookup(ifname=device)[0]
        ip.link("set", index=index, mtu=mtu, state="up")


def configure_host(role: str, fd: int, address: str, peer_role: str, peer: str, tcp: Tcp) -> list[str]:
    """Give a host its loopback, address, route and neighbour, and TCP policy; returns what was not possible."""
    with inside(fd):
        with netlink() as ip:
            index = ip.link_lookup(ifname=HOST_DEVICE)[0]
            ip.link("set", index=ip.link_lookup(ifname="lo")[0], state="up")
            ip.link("set", index=index, address=MACS[role])
        raise_device(HOST_DEVICE, tcp.mtu)
        with netlink() as ip:
            # No prefix route of the kernel's: ours carries the congestion control, for every program on this host.
            ip.addr("add", index=index, address=address, prefixlen=32)
            ip.neigh("replace", ifindex=index, dst=peer, lladdr=MACS[peer_role], state=0x80)
            route = {"dst": f"{peer}/32", "oif": index, "scope": "link", "prefsrc": address}
            notes = []
            try:
                ip.route("add", metrics={"cc_algo": tcp.congestion}, **route)
            except Exception as error:  # netlink's error
                _demand_algorithm(tcp.congestion)
                notes.append(f"congestion control {tcp.congestion} not set for the host ({error})")
                ip.route("add", **route)
        return notes + _apply(tcp)


def _demand_algorithm(name: str) -> None:
    available = Path("/proc/sys/net/ipv4/tcp_available_congestion_control").read_text().split()
    if name not in available:
        raise HostsError(
            f"congestion control {name!r}: this kernel has {', '.join(available)}; load the module tcp_{name}, "
            "or choose one of these"
        )


def join_directly(spaces: Spaces, tcp: Tcp, addresses: dict[str, str]) -> list[str]:
    """Join the hosts by one veth pair; returns what of the TCP policy was not possible."""
    with inside(spaces.client):
        make_pair(HOST_DEVICE, HOST_DEVICE, spaces.server)
    return configure_hosts(spaces, tcp, addresses)


def take_single_segments(fd: int) -> None:
    """Let TCP hand the device of the host `fd` one segment at a time.

    It hands a device's queueing discipline up to 64 kB at once, whatever offloads the device has: the kernel cuts
    them behind the discipline, which would lose and delay them whole. One segment at most keeps a packet a packet.
    """
    with inside(fd), netlink() as ip:
        ip.link("set", index=ip.link_lookup(ifname=HOST_DEVICE)[0], gso_max_segs=1)


def configure_hosts(spaces: Spaces, tcp: Tcp, addresses: dict[str, str]) -> list[str]:
    """Configure both hosts' devices; returns what of the TCP policy was not possible."""
    client, server = addresses["client"], addresses["server"]
    notes = configure_host("client", spaces.client, client, "server", server, tcp)
    return notes + configure_host("server", spaces.server, server, "client", client, tcp)


def wait_for_carrier(fds: Iterable[int]) -> None:
    """Wait until the hosts' devices pass packets: until the kernel has noticed the carrier, they drop them."""
    deadline = time.monotonic() + 5
    for fd in fds:
        with inside(fd), netlink() as ip:
            index = ip.link_lookup(ifname=HOST_DEVICE)[0]
            while not _passes_packets(ip.get_links(index)[0]):
                if time.monotonic() > deadline:
                    raise BackendUnavailable("veth: no carrier after 5 s; use backend relay")
                time.sleep(0.005)


def _passes_packets(device: Any) -> bool:
    # A TAP device has no carrier to notice: its state stays UNKNOWN, and it passes packets once it is up.
    return device["state"] == "up" and device.get_attr("IFLA_OPERSTATE") in ("UP", "UNKNOWN")


def _apply(tcp: Tcp) -> list[str]:
    settings = {
        "tcp_slow_start_after_idle": str(int(tcp.idle_restart)),
        # Each connection starts afresh: what an earlier one learnt of this path must not help the next.
        "tcp_no_metrics_save": "1",
        "tcp_rmem": _buffer("tcp_rmem", tcp.receive_max),
        "tcp_wmem": _buffer("tcp_wmem", tcp.send_max),
    }
    refused = []
    for name, value in settings.items():
        path = Path("/proc/sys/net/ipv4", name)
        try:
            if path.read_text().split() != value.split():
                path.write_text(value)
        except OSError as error:
            refused.append(f"net.ipv4.{name}={value} not set ({error.strerror})")
    return refused


def _buffer(name: str, largest: int) -> str:
    """Write a kernel triple of buffer sizes: Linux's smallest, the first, and the largest as declared.

    A receiver begins with Linux's own size, which is what it announces. A sender begins with 1 MB, not 16 kB: it
    holds what the window does not let out yet, which a server otherwise holds itself, and a tool must not wait
    for a client to acknowledge the tokens before it.
    """
    smallest, first = 4096, {"tcp_rmem": 131_072, "tcp_wmem": 1 << 20}[name]
    return f"{smallest} {min(first, largest)} {largest}"
