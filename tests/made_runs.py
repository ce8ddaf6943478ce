"""Runs with known truth, which statistics, gate and figures are checked against. Main type: Truth.

Noise as it is on real machines: 10 % from block to block that a block's engines share, 3 % of each cell's own,
a drift through the run, a second mode (a slow spell of a turn), and long tails within a cell. The controls run in
the first repetition only, as they do in real runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curserve_results.manifest import LinkRecord, Machine, Manifest, ModelRecord
from curserve_results.schema import COLUMNS, CONTROLS, polars_schema
from curserve_results.store import RunWriter

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

ENGINES: Mapping[str, tuple[str, float]] = {
    # engine: placement, tool time a call in ms
    "recorded-client": ("client", 0.01),
    "recorded-server": ("server", 0.01),
    "client-subprocess": ("client", 6.0),
    "server-subprocess": ("server", 6.0),
    "daemon": ("server", 0.4),
}

MODELS: Mapping[str, float] = {
    "GPT-5 Codex": 23.3,
    "Claude Sonnet 4.5": 14.5,
    "Claude Haiku 4.5": 7.0,
    "SWE-grep": 1.5,
    "SWE-grep-mini": 0.35,
}


@dataclass(frozen=True, slots=True)
class Noise:
    """Standard deviations of logarithms, but `bimodal` (share of slow turns) and `slow` (their factor)."""

    block: float = 0.10
    cell: float = 0.03
    turn: float = 0.15
    drift: float = 0.05
    trace: float = 0.30
    bimodal: float = 0.05
    slow: float = 2.0


@dataclass(frozen=True, slots=True)
class Truth:
    """What a simulated run is made of; `factor` slows the tool time and dispatch of an engine."""

    traces: int = 3
    repetitions: int = 4
    turns: int = 20
    links: Mapping[str, float] = field(default_factory=lambda: {"us-asia": 150.0})
    models: Mapping[str, float] = field(default_factory=lambda: {"SWE-grep": 1.5})
    engines: Mapping[str, tuple[str, float]] = field(default_factory=lambda: dict(ENGINES))
    factor: Mapping[str, float] = field(default_factory=dict)
    noise: Noise = field(default_factory=Noise)
    names: tuple[str, ...] = ()

    def trace(self, place: int) -> str:
        """Return the name of a trace."""
        return self.names[place] if place < len(self.names) else f"trace-{place:02d}"

    def blocks(self) -> int:
        """Return how many blocks the run has."""
        return self.traces * self.repetitions * len(self.links) * len(self.models)


def write_run(folder: Path, truth: Truth | None = None, *, seed: int = 1, **manifest: Any) -> Path:
    """Simulate a run and write it as a run folder; the same seed gives the same samples."""
    import numpy as np

    truth = truth or Truth()
    writer = RunWriter(folder)
    record = manifest_of(truth, seed).with_changes(**manifest)
    writer.write_manifest(record)
    random = np.random.default_rng(seed)
    trace_effects = random.normal(0, truth.noise.trace, truth.traces)
    block = 0
    for repetition in range(truth.repetitions):
        for link, rtt in truth.links.items():
            for model, tpot in truth.models.items():
                for trace in range(truth.traces):
                    place = Place(record.run, block, trace, repetition, link, rtt, model, tpot)
                    writer.write_frame(block, block_frame(truth, place, float(trace_effects[trace]), random))
                    block += 1
    return Path(folder)


def manifest_of(truth: Truth, seed: int) -> Manifest:
    """Return a manifest that goes with the simulated samples."""
    return Manifest(
        run=f"simulated-{seed}",
        seed=seed,
        suite="simulated",
        command=("curserve-bench", "simulate", "--seed", str(seed)),
        started_at="2026-11-20T00:00:00Z",
        planned_blocks=truth.blocks(),
        machine=Machine("6.1.0", "x86_64", "simulated", 2, 8 << 30),
        versions={"curserve-bench": "0.1.0"},
        engines=dict.fromkeys(truth.engines, "simulated"),
        links=tuple(
            LinkRecord(
                name,
                "simulated",
                round(rtt * 1e6),
                round(rtt * 1e6 + 120_000),
                round(rtt * 1e6 + 130_000),
                {"congestion": "cubic", "idle_restart": True, "mtu": 1500},
            )
            for name, rtt in truth.links.items()
        ),
        models={
            name: ModelRecord(round(tpot * 1e6), 50_000_000, 10_000.0, ("TTFT", "prefill rate"))
            for name, tpot in truth.models.items()
        },
        traces={truth.trace(place): f"sha256:{place:064d}" for place in range(truth.traces)},
        floor={"p50_ns": 410_000, "p90_ns": 620_000},
    )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a block stands in the plan."""

    run: str
    block: int
    trace: int
    repetition: int
    link: str
    rtt_ms: float
    model: str
    tpot_ms: float


def block_frame(truth: Truth, at: Place, trace_effect: float, random: np.random.Generator) -> pl.DataFrame:
    """Simulate the samples of one block: for each engine that runs in it one cell, its turns and its calls."""
    import numpy as np
    import polars as pl

    noise, turns = truth.noise, truth.turns
    drift = noise.drift * at.block / max(1, truth.blocks())
    shared = random.normal(0, noise.block) + drift
    shuffled = random.permutation(len(truth.engines))
    controls = {place for place, engine in enumerate(truth.engines) if engine in CONTROLS}
    absent = controls if at.repetition and len(controls) < len(truth.engines) else set()
    order = [int(place) for place in shuffled if place not in absent]
    tokens_shape = np.random.default_rng(at.trace)  # a recording: the same in every engine and block
    tokens = np.maximum(20, tokens_shape.lognormal(np.log(100) + trace_effect, 0.6, turns)).astype(np.int64)
    output = np.maximum(1, tokens_shape.lognormal(np.log(900), 1.2, turns)).astype(np.int64)
    prompt = 2000 + np.cumsum(tokens + output // 4)
    clock = 10**15 + at.block * 10**12
    frames = []
    for place, (engine, (placement, tool_ms)) in enumerate(truth.engines.items()):
        own = random.normal(0, noise.cell)
        spread = random.normal(0, noise.turn, turns) + np.where(
            random.random(turns) < noise.bimodal, np.log(noise.slow), 0
        )
        if place in absent:
            continue
        factor = truth.factor.get(engine, 1.0) * np.exp(shared + own)
        tool = tool_ms * factor * np.exp(spread)
        control = engine.startswith("recorded")
        service = np.full(turns, None) if control else (tool * 0.8e6).astype(np.int64)
        dispatch = 0.15 * factor * np.exp(spread * 0.3)
        rtt = at.rtt_ms if placement == "client" else 0.0
        upload = 0.02 * rtt * np.sqrt(prompt / 2000.0) if rtt else np.zeros(turns)
        up, down = rtt / 2 + upload, rtt / 2
        ttft = 50.0 + (tokens + output / 4) / 10.0
        decode = tokens * at.tpot_ms
        ms = np.stack(
            [np.full(turns, 0.05), up + 0.1, ttft, decode, np.full(turns, down), dispatch, tool, dispatch]
        )
        ends = clock + (np.cumsum(ms.T.ravel()) * 1e6).astype(np.int64).reshape(turns, 8)
        base = {
            "run": at.run,
            "block": at.block,
            "cell": at.block * len(truth.engines) + place,
            "trace": truth.trace(at.trace),
            "repetition": at.repetition,
            "engine": engine,
            "placement": placement,
            "model": at.model,
            "api": "chat",
            "link": at.link,
            "backend": "simulated",
            "rtt_ns": round(at.rtt_ms * 1e6),
            "order": order.index(place),
        }
        start = int(ends[0, 0]) - 50_000
        last = np.arange(turns) == turns - 1  # the last turn calls no tool
        number = np.arange(turns)
        turn = {
            "turn": number,
            "intended_ns": ends[:, 0] - 50_000,
            "sent_ns": ends[:, 0],
            "prompt_read_ns": ends[:, 1],
            "first_token_ns": ends[:, 2],
            "last_token_ns": ends[:, 3],
            "first_byte_ns": ends[:, 2] + round(down * 1e6),
            "received_ns": ends[:, 4],
            "tools_started_ns": np.where(last, -1, ends[:, 5]),
            "tools_done_ns": np.where(last, -1, ends[:, 6]),
            "ttft_ns": (ttft * 1e6).astype(np.int64),
            "decode_ns": (decode * 1e6).astype(np.int64),
            "prompt_tokens": prompt,
            "output_tokens": tokens,
            "bytes_up": prompt * 4,
            "bytes_down": tokens * 60,
        }
        frames.append(_frame(base, "cell", {"started_ns": [start], "done_ns": [int(ends[-1, 4])]}))
        frames.append(
            _frame(base, "turn", turn).with_columns(pl.col("tools_started_ns", "tools_done_ns").replace(-1, None))
        )
        calls = _frame(base, "call", _calls(engine, ends, output, service))
        frames.append(calls.with_columns(pl.col("recorded_ns").replace(-1, None)))
    return pl.concat(frames)


def _calls(engine: str, ends: np.ndarray, output: np.ndarray, service: np.ndarray) -> dict[str, Any]:
    """Simulate one call for each turn but the last, with answers as a good engine gives them."""
    import numpy as np

    count = len(output) - 1
    number = np.arange(count)
    recorded = number % 10 == 9
    refused = (number % 12 == 7) & (engine == "daemon")
    reordered = number % 9 == 4
    label = np.where(
        recorded | engine.startswith("recorded"), "recorded", np.where(refused, "refused", "executed")
    )
    answer = np.where(label == "recorded", "unchecked", np.where(reordered, "reordered", "identical"))
    programs = np.array(["grep", "sed", "cat", "find", "ls", "rg"])
    return {
        "turn": number,
        "call": np.zeros(count, dtype=np.int64),
        "started_ns": ends[:-1, 5],
        "done_ns": ends[:-1, 6],
        "wall_ns": ends[:-1, 6] - ends[:-1, 5],
        "service_ns": service[:-1].tolist(),
        "recorded_ns": np.where(recorded, 400_000_000, -1),
        "tool": ["bash"] * count,
        "program": programs[number % 6].tolist(),
        "exit_code": np.zeros(count, dtype=np.int64),
        "output_bytes": output[:-1],
        "answer": answer.tolist(),
        "right": [None if kind == "recorded" else True for kind in label.tolist()],
        "label": label.tolist(),
        "refusal": ["unknown-option" if kind == "refused" else None for kind in label.tolist()],
        "reason": [_reason(a, lab) for a, lab in zip(answer.tolist(), label.tolist(), strict=True)],
        "workspace": ["known"] * count,
    }


def _reason(answer: str, label: str) -> str | None:
    """Return why an answer is reordered or a call refused."""
    if answer == "reordered":
        return "order undefined: parallel rg"
    return "not understood: -P" if label == "refused" else None


def _frame(base: Mapping[str, Any], kind: str, columns: Mapping[str, Any]) -> pl.DataFrame:
    """Return rows of one kind as a frame of the schema."""
    import polars as pl

    schema = polars_schema()
    values = pl.DataFrame(columns)
    constant = {**base, "kind": kind}
    return values.select(
        (pl.col(name) if name in columns else pl.lit(constant.get(name))).cast(schema[name]).alias(name)
        for name in COLUMNS
    )
