"""The seam between the keeper and a backend: what is there when one starts, and what it must be able to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Spaces:
    """The hosts' network namespaces as open descriptors; the current namespace is the link's own."""

    client: int
    server: int


class Running(Protocol):
    """A link at work; `close` takes everything down that does not vanish with the namespaces."""

    def set_delays(self, up_ns: int, down_ns: int) -> None:
        """Change the one-way delays (calibration)."""

    def counters(self) -> dict[str, Any]:
        """Return what each direction has done so far."""

    def facts(self) -> dict[str, Any]:
        """Return what the manifest must know: path, settings read back, `notes` on what was not possible."""

    def close(self) -> None:
        """Stop."""
