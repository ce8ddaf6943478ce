"""Loads with known truth: sessions whose every latency is given, as a run folder. Main name: `write_load`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curserve_results.manifest import LinkRecord, Machine, Manifest, ModelRecord
from curserve_results.store import RunWriter

MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Session:
    """One session: when it was meant to start and began, its turns as (ttft, whole turn, tool) in ms."""

    start_ms: float
    turns: Sequence[tuple[float, float, float]]
    began_ms: float | None = None
    finished: bool = True
    phase: str = "measured"
    more: Mapping[str, Any] = field(default_factory=dict)


def rows_of(session: Session, number: int, block: int, engine: str, run: str, order: int) -> list[dict[str, Any]]:
    """Return the rows of a session in one engine; tokens come every 2 ms, the link takes no time."""
    constant = {
        "run": run, "block": block, "cell": order * 10_000 + number, "trace": "t", "repetition": block,
        "engine": engine, "placement": "client" if "client" in engine else "server", "model": "m", "api": "chat",
        "link": "0ms", "backend": "made", "rtt_ns": 0, "order": order,
    }  # fmt: skip
    at = round(session.start_ms * MS)
    rows: list[dict[str, Any]] = []
    for turn, (ttft, whole, tool) in enumerate(session.turns):
        first, ready, tools = at + round(ttft * MS), at + round(whole * MS), at + round((whole - tool) * MS)
        rows.append({
            **constant, "kind": "turn", "turn": turn, "intended_ns": at, "sent_ns": at, "prompt_read_ns": at,
            "first_token_ns": first, "first_byte_ns": first, "last_token_ns": tools, "received_ns": tools,
            "tools_started_ns": tools, "tools_done_ns": ready, "ttft_ns": first - at, "decode_ns": tools - first,
            "output_tokens": (tools - first) // (2 * MS) + 1, "prompt_tokens": 100,
        })  # fmt: skip
        rows.append({
            **constant, "kind": "call", "turn": turn, "call": 0, "started_ns": tools, "done_ns": ready,
            "wall_ns": ready - tools, "label": "executed", "answer": "identical", "right": True,
            "workspace": "known",
        })  # fmt: skip
        at = ready
    began = session.start_ms if session.began_ms is None else session.began_ms
    cell = {
        **constant, "kind": "cell", "started_ns": round(session.start_ms * MS), "began_ns": round(began * MS),
        "done_ns": at if session.finished else None, "session": number, "phase": session.phase, **session.more,
    }  # fmt: skip
    return [cell, *rows]


def write_load(
    folder: Path,
    make: Callable[[str, int], Sequence[Session]],
    *,
    engines: Sequence[str] = ("client-subprocess", "daemon"),
    repetitions: int = 1,
    slo: str | None = None,
    **manifest: Any,
) -> Path:
    """Write a run of `make(engine, repetition)` sessions; the plan is one link, one model."""
    writer = RunWriter(folder)
    run = str(manifest.pop("run", "made"))
    writer.write_manifest(
        Manifest(
            run=run, seed=1, suite="made", planned_blocks=repetitions,
            machine=Machine("6.1.0", "x86_64", "made", 2), engines=dict.fromkeys(engines, "made"),
            links=(LinkRecord("0ms", "made"),), models={"m": ModelRecord(2 * MS)}, traces={"t": "sha256:0"},
            extra={"load": {"title": "made load", "slo": slo}},
        ).with_changes(**manifest)
    )  # fmt: skip
    for block in range(repetitions):
        rows = [
            row
            for order, engine in enumerate(engines)
            for number, session in enumerate(make(engine, block))
            for row in rows_of(session, number, block, engine, run, order)
        ]
        writer.write_block(block, sorted(rows, key=lambda row: (row["cell"], row["kind"])))
    return folder
