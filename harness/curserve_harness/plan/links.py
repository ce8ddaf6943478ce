"""From options to links: `--rtt`, `--tier` and `--last-mile` become named Links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from curserve_harness.console.exits import BadInput
from curserve_netem import tiers
from curserve_netem.link import Link, parse_duration_ns

DEFAULT_RTT = "150ms"


def declare(rtts: Sequence[str], names: Sequence[str], last_mile: str | None) -> dict[str, Link]:
    """Return the links by name, in the order given; raises LinkError or BadInput."""
    if rtts and names:
        raise BadInput("--rtt and --tier: give one or the other; a tier is a named --rtt")
    links: dict[str, Link] = {}
    if names:
        for name in tiers.load() if "all" in names else names:
            links[name] = tiers.tier(name)
    for text in rtts or (() if names else (DEFAULT_RTT,)):
        ns = parse_duration_ns(text)
        links[f"{ns / 1e6:g}ms"] = Link(rtt_ns=ns)
    if last_mile is None:
        return links
    extra = parse_duration_ns(last_mile)
    return {f"{n}+{extra / 1e6:g}ms": replace(link, rtt_ns=link.rtt_ns + extra) for n, link in links.items()}
