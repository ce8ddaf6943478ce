"""What a tool call costs a real vLLM server: `overheads` (idle) and `load_in_gap`, in every mode.

Modes are interleaved, so that what the machine does to one it does to the next.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from curserve_engines import registry
from curserve_engines.protocol import World
from curserve_harness.llm.vllm import VllmServer
from curserve_harness.llm.vllm_probe import CellCost, cell_spec, play_client, play_inside
from curserve_harness.llm.vllm_traces import load, make_trace, words

MODES = ("session", "request", "responses", "client", "client-150ms")
_numbers = itertools.count(1_000_000)


@dataclass(frozen=True, slots=True)
class Cost:
    """One turn that followed a tool call. `held` KV blocks were the session's own during the call; times in ns."""

    mode: str
    context: int
    load: int
    repetition: int
    ttft_ns: int
    overhead_ns: int
    prefilled: int
    reused: int
    held: int


def play_mode(
    server: VllmServer, mode: str, trace: Path, root: Path, *, tools: str = "server-subprocess"
) -> CellCost:
    """Play a trace in one of MODES (`client-Nms`: the tools N milliseconds away)."""
    number = next(_numbers)
    if mode.startswith("client"):
        rtt_s = int(mode.removeprefix("client").strip("-ms") or 0) / 1000
        spec = cell_spec(number, trace, "client", root, engine="client-subprocess")
        with registry.load("client-subprocess").open(World(root)) as session:
            return play_client(server, spec, session, rtt_s=rtt_s)
    return play_inside(
        server, cell_spec(number, trace, "serving-process", root, engine_options={"mode": mode, "tools": tools})
    )


def overheads(
    server: VllmServer,
    root: Path,
    folder: Path,
    *,
    modes: Sequence[str] = MODES,
    contexts: Sequence[int] = (1000, 4000),
    calls: int = 10,
    repetitions: int = 3,
) -> Iterator[Cost]:
    """Yield the cost of every tool call of small reads, with nothing else to serve; the first turns warm up."""
    (root / "notes").write_text("".join(f"line {n}: {words(20, n)}\n" for n in range(200)))
    commands = [f"sed -n '{n + 1},{n + 5}p' notes" for n in range(calls)]
    for repetition, context in itertools.product(range(repetitions), contexts):
        trace = make_trace(folder, f"idle-{context}-{repetition}", commands, opening=words(context, repetition))
        for mode in modes:
            cell = _checked(play_mode(server, mode, trace, root), mode)
            for turn in cell.turns[2:]:
                assert turn.overhead_ns is not None
                held = server.state()["block_size"] if mode == "session" else 0
                blocks = -(-turn.prompt // held) if held else 0
                yield Cost(
                    mode,
                    context,
                    0,
                    repetition,
                    turn.ttft_ns,
                    turn.overhead_ns,
                    turn.prefilled,
                    turn.reused,
                    blocks,
                )


def load_in_gap(
    server: VllmServer,
    root: Path,
    folder: Path,
    *,
    modes: Sequence[str] = ("session", "request", "client"),
    contexts: Sequence[int] = (1000, 4000),
    loads: Sequence[int] = (0, 24000),
    repetitions: int = 3,
) -> Iterator[Cost]:
    """Yield the cost of the turn after a tool call during which others prefilled `loads` tokens."""
    for repetition, context, tokens in itertools.product(range(repetitions), contexts, loads):
        for mode in modes:
            seed = next(_numbers)
            commands = ["touch started; while [ ! -e go ]; do sleep 0.02; done; echo done"]
            trace = make_trace(folder, f"gap-{seed}", commands, opening=words(context, seed))
            cell, held = _with_load(server, mode, trace, root, tokens, seed)
            turn = cell.turns[1]
            assert turn.overhead_ns is not None
            yield Cost(
                mode,
                context,
                tokens,
                repetition,
                turn.ttft_ns,
                turn.overhead_ns,
                turn.prefilled,
                turn.reused,
                held,
            )


def _with_load(
    server: VllmServer, mode: str, trace: Path, root: Path, tokens: int, seed: int
) -> tuple[CellCost, int]:
    """Play a trace whose one call waits until others are done; return also the blocks held meanwhile."""
    for name in ("started", "go"):
        (root / name).unlink(missing_ok=True)
    cells: list[CellCost] = []
    playing = threading.Thread(target=lambda: cells.append(play_mode(server, mode, trace, root)))
    playing.start()
    try:
        await_true(lambda: (root / "started").exists() or not playing.is_alive())
        held = server.state()["blocks_held"]
        load(server, prompts=tokens // 4000, tokens=4000, seed=seed)
    finally:
        (root / "go").touch()
        playing.join()
    return _checked(cells[0], mode), held


def _checked(cell: CellCost, mode: str) -> CellCost:
    if cell.error is not None or not (cell.exact or mode.startswith("client") or mode == "responses"):
        raise RuntimeError(f"vllm: a cell in mode {mode} went wrong: {cell.error or 'not the forced tokens'}")
    return cell


def await_true(done: Callable[[], bool], seconds: float = 120) -> None:
    """Wait until `done`; raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError("vllm: what was waited for did not happen")
        time.sleep(0.02)
