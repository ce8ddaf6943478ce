"""Backends: ways to make a Link real. Each is a module with `start(spaces, link, addresses) -> Running`."""

from __future__ import annotations

import importlib

from curserve_netem.backends.seam import Running, Spaces
from curserve_netem.errors import HostsError
from curserve_netem.link import Link

NAMES = ("netem", "queue", "relay")  # in the order of `auto`: the kernel's own, ours, degraded
PATHS = ("queue/packet", "queue/tun", "queue/veth")  # one way of a backend, for tests and experts


def needs_namespaces(name: str) -> bool:
    """Whether a backend joins two network namespaces."""
    return name != "relay"


def start_backend(name: str, spaces: Spaces | None, link: Link, addresses: dict[str, str]) -> Running:
    """Start a backend by its name, in the keeper."""
    name, _, path = name.partition("/")
    module = importlib.import_module(f"curserve_netem.backends.{name}")
    running: Running = module.start(spaces, link, addresses, **({"path": path} if path else {}))
    return running


def candidates(wanted: str) -> tuple[str, ...]:
    """Return the backends to try, in order; HostsError if the name is unknown."""
    if wanted == "auto":
        return NAMES
    if wanted not in (*NAMES, *PATHS):
        raise HostsError(f"unknown backend {wanted!r}: expected one of {', '.join((*NAMES, 'auto'))}")
    return (wanted,)
