"""The cells that this vLLM server plays: Cells opens them, runs their loops, and gives back their rows.

A cell whose tools are on the client has no loop here: its turns are ordinary chat completions, whose tokens are
forced from files, and which `edge` stamps.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from curserve_engines.cell.prompts import tool_definitions
from curserve_engines.cell.spec import BadMessage, CellSpec, cell_from_json
from curserve_engines.cell.tools import world_of
from curserve_engines.protocol import EngineError, Session
from curserve_engines.vllm.agent import AgentLoop
from curserve_engines.vllm.chat import Chat, Tokenizer
from curserve_engines.vllm.engine import TOOLS, open_tools
from curserve_engines.vllm.execution import LoopTools
from curserve_engines.vllm.generation import make_turns
from curserve_engines.vllm.ledger import KvLedger
from curserve_engines.vllm.parsing import CallParser
from curserve_engines.vllm.responses_loop import ResponsesLoop
from curserve_engines.vllm.stamps import read_turns
from curserve_traces import codec
from curserve_traces.model import Trace

PREFIX = "curserve"
LOG = logging.getLogger(__name__)


class CellRefused(Exception):
    """Raised when a cell cannot be opened; says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Serving:
    """What the plug-in knows of the server that it runs in.

    A session that waits longer than `idle_s` for a tool gives up its KV blocks, and prefills again afterwards; a
    cell that nobody plays or closes for `unplayed_s` is closed.
    """

    engine: Any
    tokenizer: Any
    plain: Tokenizer
    template: str | None
    tool_parser: str | None
    model: str
    longest: int
    ledger: KvLedger
    trace_replay: bool = False
    max_cells: int = 256
    idle_s: float = 120.0
    unplayed_s: float = 900.0
    forced: Path | None = None
    stamps: Path | None = None


@dataclass(slots=True)
class VllmCell:
    """One open cell. `loop` is None where the client has the tools; `playing` requests of it are being served."""

    number: int
    loop: AgentLoop | None
    tools: LoopTools | None
    stamps_at: int
    turns: dict[int, dict[str, Any]] = field(default_factory=dict)
    error: str | None = None
    task: asyncio.Task[None] | None = None
    files: tuple[Path, ...] = ()
    playing: int = 0
    used_s: float = field(default_factory=time.monotonic)
    responses: ResponsesLoop | None = None

    @contextmanager
    def used(self) -> Iterator[None]:
        """Say that a request of this cell is being served."""
        self.playing += 1
        try:
            yield
        finally:
            self.playing -= 1
            self.used_s = time.monotonic()


class Cells:
    """The open cells of one server."""

    def __init__(self, serving: Serving) -> None:
        self.serving = serving
        self.open_cells: dict[int, VllmCell] = {}
        self.responses: dict[int, ResponsesLoop] = {}
        self._sweeping: asyncio.Task[None] | None = None

    async def open(self, given: Any) -> None:
        """Open a cell from a CellSpec's JSON (`engine_options`: `mode`, `tools`); raises CellRefused."""
        try:
            spec = cell_from_json(given)
        except BadMessage as error:
            raise CellRefused(f"vllm: open: {error}") from error
        number = spec.cell
        if number in self.open_cells:
            raise CellRefused(f"vllm: cell {number} is open already; close it first")
        if len(self.open_cells) >= self.serving.max_cells:
            raise CellRefused(
                f"vllm: {len(self.open_cells)} cells are open, the most this server takes; close some"
            )
        try:
            trace = await asyncio.to_thread(codec.load, spec.trace)
        except Exception as error:
            raise CellRefused(f"vllm: cell {number}: cannot read its trace: {error}") from error
        if not self.open_cells:  # what an earlier cell of the same trace left would be a gift to this one
            await self.serving.engine.reset_prefix_cache()
        at = _size(self.serving.stamps)
        chat = Chat(self.serving.plain, tool_definitions(trace), self.serving.template)
        if spec.placement == "client":
            cell = VllmCell(number, None, None, at, files=self._force(number, trace, chat))
        else:
            cell = await self._with_loop(spec, trace, chat, at)
        self.open_cells[number] = cell
        if self._sweeping is None:
            self._sweeping = asyncio.create_task(self._sweep())

    async def _sweep(self) -> None:
        """Free what nobody uses any more, as long as the server runs."""
        pause_s = max(0.05, min(self.serving.idle_s, self.serving.unplayed_s) / 4)
        while True:
            await asyncio.sleep(pause_s)
            try:
                await self._free_unused()
            except Exception:
                LOG.exception("curserve: what nobody uses could not be freed; trying again")

    async def _free_unused(self) -> None:
        await self.serving.ledger.expire(self.serving.idle_s)
        before = time.monotonic() - self.serving.unplayed_s
        for number, cell in list(self.open_cells.items()):
            if cell.playing == 0 and cell.used_s < before and number in self.open_cells:
                await self.close(number)

    async def _with_loop(self, spec: CellSpec, trace: Trace, chat: Chat, at: int) -> VllmCell:
        serving, number = self.serving, spec.cell
        parser = None
        if any(turn.calls for turn in trace.turns):
            parser = CallParser(serving.tool_parser, serving.tokenizer, tool_definitions(trace))
        tools = LoopTools(spec, trace, await asyncio.to_thread(open_session, spec, trace))
        mode: Any = spec.engine_options.get("mode") or ("request" if spec.placement == "server" else "session")
        if mode == "responses":
            return self._with_responses(number, trace, chat, tools, at)
        if mode not in ("session", "request"):
            await asyncio.to_thread(tools.close)
            raise CellRefused(f"vllm: unknown mode {mode!r}; known: session, request, responses")
        turns = make_turns(mode, serving.engine, f"{PREFIX}-{number}")
        loop = AgentLoop(
            spec,
            trace,
            chat,
            parser,
            turns,
            tools,
            serving.ledger,
            longest=serving.longest,
            trace_replay=serving.trace_replay,
        )
        return VllmCell(number, loop, tools, at)

    def _with_responses(self, number: int, trace: Trace, chat: Chat, tools: LoopTools, at: int) -> VllmCell:
        if self.serving.forced is None:
            raise CellRefused("vllm: this server was started without CURSERVE_VLLM_FORCED")
        loop = ResponsesLoop(number, trace, chat, tools, self.serving.forced)
        self.responses[number] = loop
        return VllmCell(number, None, tools, at, files=loop.files, responses=loop)

    def _force(self, number: int, trace: Trace, chat: Chat) -> tuple[Path, ...]:
        folder = self.serving.forced
        if folder is None:
            raise CellRefused("vllm: this server was started without CURSERVE_VLLM_FORCED")
        files = []
        for turn, recorded in enumerate(trace.turns):
            files.append(folder / f"{number}-{turn}.json")
            files[-1].write_text(json.dumps(chat.spoken(recorded, turn)))
        return tuple(files)

    async def close(self, number: int) -> dict[str, Any]:
        """Close a cell: rows, details, steps of the engine, error; raises CellRefused."""
        cell = self.open_cells.pop(number, None)
        if cell is None:
            raise CellRefused(
                f"vllm: cell {number} is not open; one that nobody plays for "
                f"{self.serving.unplayed_s:g} s is closed"
            )
        if cell.task is not None and not cell.task.done():
            cell.task.cancel()
            await asyncio.wait([cell.task], timeout=10)
        if cell.tools is not None:
            await asyncio.to_thread(cell.tools.close)
        for path in cell.files:
            path.unlink(missing_ok=True)
        self.responses.pop(number, None)
        found: dict[str, Any] = {"rows": [cell.turns[n] for n in sorted(cell.turns)], "details": []}
        if cell.loop is not None:
            found = cell.loop.result()
        elif cell.responses is not None:
            found = cell.responses.result()
        steps = await asyncio.to_thread(_steps, self.serving.stamps, cell.stamps_at, number)
        return found | {"steps": steps, "error": cell.error}


def open_session(spec: CellSpec, trace: Trace) -> Session | None:
    """Open the engine that executes the tools of a cell; `tools: "none"` answers all from the recording.

    A server-placed engine is asked from here too: the same loop, in `request` mode. The engine `vllm` itself is
    the core in this process.
    """
    name = spec.engine_options.get("tools") or (TOOLS if spec.engine == "vllm" else spec.engine)
    if name == "none":
        return None
    if spec.root is None or not Path(spec.root).is_dir():
        raise CellRefused(f"vllm: the root of a cell must be a folder, not {spec.root!r}")
    try:
        return open_tools(name, world_of(spec, trace))
    except EngineError as error:
        raise CellRefused(f"vllm: tools {name!r}: {error}") from error


def _steps(stamps: Path | None, at: int, number: int) -> list[dict[str, Any]]:
    if stamps is None or not stamps.is_file():
        return []
    with stamps.open("rb") as file:
        file.seek(at)
        lines = [line for line in file if b"%s-%d-" % (PREFIX.encode(), number) in line]
    return [asdict(turn) for turn in read_turns(lines)]


def _size(path: Path | None) -> int:
    return path.stat().st_size if path is not None and path.is_file() else 0
