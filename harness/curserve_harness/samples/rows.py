"""Rows of samples: how roles make them, and how the runner joins the two halves of a cell.

The client knows when bytes were sent and received, the server when tokens were written. Both halves carry the
key (cell, turn, call); `join_rows` lays them over each other and adds the columns that are the same in every row.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from curserve_engines import registry
from curserve_engines.cell.spec import CellSpec

Row = dict[str, Any]
EXTRA = ("digest", "lines_digest")
"""Keys of a call row beside the schema: compare them with the reference, then drop them."""


def join_rows(cell: CellSpec, client: Iterable[Row], server: Iterable[Row]) -> list[Row]:
    """Return the samples of a cell in the order cell, turns, calls.

    Where both halves have a value, they must agree: a conflict is a defect of ours, and raises ValueError. In
    `virtual` pace the model time, which nobody waited for, is added to the times.
    """
    joined: dict[tuple[str, int | None, int | None], Row] = {}
    for row in (*client, *server):
        if row["cell"] != cell.cell:
            raise ValueError(f"cell {cell.cell}: a row of cell {row['cell']} among its rows")
        key = (row["kind"], row.get("turn"), row.get("call"))
        target = joined.setdefault(key, {})
        for name, value in row.items():
            if value is None:
                continue
            if target.setdefault(name, value) != value:
                raise ValueError(f"cell {cell.cell}, {key}: {name} is {target[name]!r} and {value!r}")
    constant = constant_columns(cell)
    kinds = {"cell": 0, "turn": 1, "call": 2}
    keys = sorted(joined, key=lambda k: (kinds[k[0]], -1 if k[1] is None else k[1], -1 if k[2] is None else k[2]))
    rows = [{**constant, **joined[key]} for key in keys]
    return add_model_time(rows) if cell.pace == "virtual" else rows


def add_model_time(rows: list[Row]) -> list[Row]:
    """Return the rows of one cell with model time added to what comes after it.

    This leaves out what waiting would have done: the congestion window that an idle connection loses, uploads and
    deltas that run while the model thinks, caches and cores that cool down.
    """
    turns = [row for row in rows if row["kind"] == "turn"]
    thought, at = 0, {}  # at: turn → model time before it, until its first token, until its last
    for row in turns:
        ttft, decode = row.get("ttft_ns") or 0, row.get("decode_ns") or 0
        at[row["turn"]] = (thought, thought + ttft, thought + ttft + decode)
        thought += ttft + decode
    moved = []
    for row in rows:
        before, first, last = at.get(row.get("turn"), (0, 0, thought))
        shift = {
            **dict.fromkeys(("intended_ns", "sent_ns", "prompt_read_ns"), before),
            **dict.fromkeys(("first_token_ns", "first_byte_ns"), first),
            **dict.fromkeys(("last_token_ns", "received_ns", "tools_started_ns", "tools_done_ns"), last),
            **({"started_ns": last} if row["kind"] == "call" else {}),
            "done_ns": last,
        }
        moved.append({k: v + shift[k] if k in shift and v is not None else v for k, v in row.items()})
    return moved


def constant_columns(cell: CellSpec) -> Row:
    """Return the columns that are the same in every row of a cell."""
    return {
        "run": cell.run,
        "block": cell.block,
        "cell": cell.cell,
        "trace": cell.trace_id,
        "repetition": cell.repetition,
        "engine": registry.title(cell.engine),
        "placement": cell.placement,
        "model": cell.model.name,
        "api": cell.api,
        "link": cell.link,
        "backend": cell.backend,
        "rtt_ns": cell.rtt_ns,
        "order": cell.order,
    }
