"""What a tool call costs a real vLLM server, in every mode: `overheads` (idle), `load_in_gap`, `busy_server`.

Modes are interleaved, so that what the machine does to one it does to the next.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from curserve_engines import registry
from curserve_engines.cell.spec import TurnPolicy
from curserve_engines.protocol import World
from curserve_harness.vllm.process import VllmServer
from vllm_costs.made_traces import load, make_trace, words
from vllm_costs.probe import CellCost, cell_spec, play_client, play_inside

MODES = ("session", "request", "responses", "client", "client-150ms")
_numbers = itertools.count(1_000_000)


@dataclass(frozen=True, slots=True)
class Cost:
    """One turn that followed a tool call; times in ns, None where the mode does not tell.

    `load` tokens were prefilled for others in the gap, `held` KV blocks were the session's own meanwhile, and
    `lost` blocks of the turn before were not found again.
    """

    mode: str
    context: int
    load: int
    repetition: int
    ttft_ns: int | None
    queued_ns: int | None
    overhead_ns: int
    prefilled: int
    reused: int
    held: int
    lost: int


def _costs(
    cell: CellCost, mode: str, context: int, load: int, repetition: int, block: int, *, held: int | None, skip: int
) -> Iterator[Cost]:
    """Yield the turns of a cell but the first `skip`; `held` None: what a session holds by its prompt."""
    for before, turn in itertools.pairwise(cell.turns):
        if turn.turn < skip:
            continue
        assert turn.overhead_ns is not None
        own = -(-turn.prompt // block) if mode == "session" else 0
        yield Cost(
            mode=mode,
            context=context,
            load=load,
            repetition=repetition,
            ttft_ns=turn.ttft_ns,
            queued_ns=turn.queued_ns,
            overhead_ns=turn.overhead_ns,
            prefilled=turn.prefilled,
            reused=turn.reused,
            held=own if held is None else held,
            lost=max(0, before.prompt // block - -(-turn.reused // block)),
        )


def play_mode(
    server: VllmServer,
    mode: str,
    trace: Path,
    root: Path,
    *,
    tools: str = "in-process",
    turns: tuple[TurnPolicy, ...] = (),
) -> CellCost:
    """Play a trace in one of MODES (`client-Nms`: the tools N milliseconds away); `turns` say what is executed."""
    number = next(_numbers)
    if mode.startswith("client"):
        rtt_s = int(mode.removeprefix("client").strip("-ms") or 0) / 1000
        spec = cell_spec(number, trace, "client", root, engine="client-subprocess", turns=turns)
        with registry.load("client-subprocess").open(World(root)) as session:
            return play_client(server, spec, session, rtt_s=rtt_s)
    options = {"mode": mode, "tools": tools}
    return play_inside(
        server, cell_spec(number, trace, "serving-process", root, engine_options=options, turns=turns)
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
    commands, block = _reads(root, calls), server.state()["block_size"]
    for repetition, context in itertools.product(range(repetitions), contexts):
        trace = make_trace(folder, f"idle-{context}-{repetition}", commands, opening=words(context, repetition))
        for mode in modes:
            cell = _checked(play_mode(server, mode, trace, root), mode)
            yield from _costs(cell, mode, context, 0, repetition, block, held=None, skip=2)


def busy_server(
    server: VllmServer,
    root: Path,
    folder: Path,
    *,
    gaps_ms: Sequence[int] = (0, 150, 300, 600),
    context: int = 4000,
    tokens: int = 2000,
    calls: int = 6,
    repetitions: int = 2,
) -> Iterator[Cost]:
    """Yield the cost of tool calls while others prefill `tokens` at a time without end.

    The longer the way to the tools, the more of them pass in each gap.
    """
    commands, block = _reads(root, calls), server.state()["block_size"]
    modes = ("session", "request", *(f"client-{gap}ms" for gap in gaps_ms))
    for repetition in range(repetitions):
        for mode in modes:
            seed = next(_numbers)
            trace = make_trace(folder, f"busy-{seed}", commands, opening=words(context, seed))
            with _others(server, tokens, seed):
                cell = _checked(play_mode(server, mode, trace, root), mode)
            yield from _costs(cell, mode, context, tokens, repetition, block, held=None, skip=2)


@contextmanager
def _others(server: VllmServer, tokens: int, seed: int) -> Iterator[None]:
    """Have others prefill `tokens` at a time, one prompt after another, until the end of the block."""
    done = threading.Event()

    def work() -> None:
        for number in itertools.count():
            if done.is_set():
                return
            load(server, prompts=1, tokens=tokens, seed=1000 * seed + number)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _reads(root: Path, calls: int) -> list[str]:
    """Write a file and return commands that read parts of it."""
    (root / "notes").write_text("".join(f"line {n}: {words(20, n)}\n" for n in range(200)))
    return [f"sed -n '{n + 1},{n + 5}p' notes" for n in range(calls)]


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
    block = server.state()["block_size"]
    for repetition, context, tokens in itertools.product(range(repetitions), contexts, loads):
        for mode in modes:
            seed = next(_numbers)
            commands = ["touch started; while [ ! -e go ]; do sleep 0.02; done; echo done"]
            trace = make_trace(folder, f"gap-{seed}", commands, opening=words(context, seed))
            cell, held = _with_load(server, mode, trace, root, tokens, seed)
            yield from _costs(cell, mode, context, tokens, repetition, block, held=held, skip=1)


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
