"""Whether a load's tools and clients had a processor when they wanted one, and what of a turn was the harness's.

Client and server share this machine, so tools on the client could lose by artefact: threads that wait for a core.
`client_wait_ns` (Linux: the second number of /proc/PID/schedstat) counts the time in which a thread was ready to
run and did not. What a cell loses by it is at most that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curserve_results.schema import CONTROLS
from curserve_results.store import scan

if TYPE_CHECKING:
    from curserve_results.load.latencies import Latencies

MOST_WAITED = 0.05
"""Of the time in tool calls on the client."""

MOST_HARNESS = 0.10
"""Of a turn."""


def waited(found: Latencies) -> float | None:
    """Return of client-placed tools the share of their time that they waited for a processor, if it is known."""
    import polars as pl

    client = found.sessions.filter((pl.col("placement") == "client") & pl.col("client_wait_ns").is_not_null())
    tools = found.calls.join(client.select("block", "cell"), on=["block", "cell"], how="semi")["tool"].sum()
    return float(client["client_wait_ns"].sum()) / float(tools) if tools else None


def void_reason(engine: str, rows: Sequence[Mapping[str, Any]]) -> str | None:
    """Return why a cell of a load is void, from the rows of its sessions; None where it is not, or a control."""
    client = {row["cell"] for row in rows if row["kind"] == "cell" and row.get("placement") == "client"}
    if engine in CONTROLS or not client:
        return None
    waited = sum(row.get("client_wait_ns") or 0 for row in rows if row["kind"] == "cell")
    tools = sum(
        row["done_ns"] - row["started_ns"] for row in rows if row["kind"] == "call" and row["cell"] in client
    )
    if waited <= MOST_WAITED * tools:
        return None
    return (
        f"tools on the client waited for a processor for {waited / tools if tools else 1:.1%} of their time "
        f"(at most {MOST_WAITED:.0%}): the cores of this machine decided; take fewer sessions or more cores"
    )


def all_void(folder: Path) -> str | None:
    """Return why no session of a load counts, where all of them are void; None where some are measured."""
    why, void, sessions = _void(folder)
    return why if void == sessions else None


def any_void(folder: Path) -> str | None:
    """Return why some session of a load is void; None where none is, or the run is no load."""
    return _void(folder)[0]


def _void(folder: Path) -> tuple[str | None, int, int]:
    """Return why sessions are void, if any are, how many, and of how many."""
    import polars as pl

    cells = scan(folder).filter(pl.col("kind") == "cell").select("phase", "reason").collect()
    void = cells.filter(phase="void")
    return str(void["reason"][0]) if void.height else None, void.height, cells.height


def harness_share(floor: Mapping[str, object] | None) -> float | None:
    """Return the harness's share of a turn, as the controls of a load showed it."""
    share = (floor or {}).get("share")
    return float(share) if isinstance(share, int | float) else None
