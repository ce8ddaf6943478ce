"""Tiers: named links from the region table, each with its range and source. Main type: `Tier`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from curserve_netem.errors import LinkError
from curserve_netem.link import Link, Tcp


@dataclass(frozen=True, slots=True)
class Tier:
    """A row of the region table; milliseconds of round-trip time."""

    name: str
    rtt_ms: float
    range_ms: tuple[float, float]
    meaning: str
    source: str
    assumed: bool

    def link(self, tcp: Tcp | None = None) -> Link:
        """Return the tier as a link at its point value."""
        return Link(rtt_ns=round(self.rtt_ms * 1e6), name=self.name, tcp=tcp or Tcp())


@cache
def _table() -> dict[str, Any]:
    import tomllib

    return tomllib.loads((files("curserve_netem") / "regions.toml").read_text())


def load() -> dict[str, Tier]:
    """Return the tiers by name, from near to far."""
    return {name: _tier(name, row) for name, row in _table()["tier"].items()}


def last_mile() -> Tier:
    """Return the client's own access line, which comes on top of a tier."""
    return _tier("last-mile", _table()["last_mile"])


def _tier(name: str, row: dict[str, Any]) -> Tier:
    low, high = row["range_ms"]
    return Tier(name, row["rtt_ms"], (low, high), row["meaning"], row["source"], row["assumed"])


def tier(name: str, *, with_last_mile: bool = False, tcp: Tcp | None = None) -> Link:
    """Return the link of a tier by its name, with the last mile on top where wanted; LinkError if unknown."""
    tiers = load()
    if name not in tiers:
        raise LinkError(f"unknown tier {name!r}: expected one of {', '.join(tiers)}, or all")
    link = tiers[name].link(tcp)
    return link.with_last_mile(last_mile().link()) if with_last_mile else link
