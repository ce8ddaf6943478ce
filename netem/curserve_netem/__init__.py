"""The link: two hosts, each in namespaces of its own, joined by a network that is declared and measured.

with hosts(Link(rtt_ns=150_000_000)) as pair:
    before = calibrate(pair)
    pair.server.popen([...])
"""

from __future__ import annotations

from curserve_netem.calibrate import Calibration, calibrate
from curserve_netem.errors import BackendUnavailable, CalibrationVoid, HostsError
from curserve_netem.hosts import Host, Pair, hosts
from curserve_netem.link import Bursts, Direction, Link, LinkError, Tcp

__all__ = [
    "BackendUnavailable",
    "Bursts",
    "Calibration",
    "CalibrationVoid",
    "Direction",
    "Host",
    "HostsError",
    "Link",
    "LinkError",
    "Pair",
    "Tcp",
    "calibrate",
    "hosts",
]
