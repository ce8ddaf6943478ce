"""The plug-in in vLLM's API server: opens and closes cells, tells its state. `VLLM_PLUGINS=curserve` allows it.

Opening a cell executes commands, so every route wants the key in `CURSERVE_VLLM_KEY` (header `x-curserve-key`);
without a key the plug-in does not load. The replay itself comes in through `edge.Edge`, as the harness's ordinary
requests do.
"""

from __future__ import annotations

import hmac
import json
import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, HTTPException, Request

from curserve_engines.vllm.cells import CellRefused, Cells, Serving
from curserve_engines.vllm.chat import Plain, TemplateError
from curserve_engines.vllm.ledger import KvLedger
from curserve_engines.vllm.parsing import NoToolParser
from curserve_engines.vllm.responses_loop import ReplayToolServer

if TYPE_CHECKING:
    from argparse import Namespace

    from starlette.datastructures import State


SEAMS = (
    ("vllm.engine.protocol", "StreamingInput"),  # sessions stand on it
    ("vllm.inputs", "tokens_input"),
    ("vllm.sampling_params", "RequestOutputKind"),
    ("vllm.tool_parsers", "ToolParserManager"),
    ("vllm.v1.sample.logits_processor", "AdapterLogitsProcessor"),  # forced replay
)
"""What of vLLM the plug-in cannot do without, beside the engine's own fields."""


class CurservePlugin:
    """vLLM's EndpointPlugin."""

    name = "curserve"
    required_tasks = ("generate",)

    def __init__(self) -> None:
        self._key = os.environ.get("CURSERVE_VLLM_KEY", "")
        if len(self._key) < 16:
            raise RuntimeError("curserve: set CURSERVE_VLLM_KEY (16 characters or more) before starting vLLM")
        self._cells: Cells | None = None

    def attach_router(self, app: FastAPI) -> None:
        """Add the routes."""
        app.add_api_route("/curserve/v1/open", self.open, methods=["POST"])
        app.add_api_route("/curserve/v1/close", self.close, methods=["POST"])
        app.add_api_route("/curserve/v1/state", self.state, methods=["GET"])

    async def init_state(self, engine_client: Any, state: State, args: Namespace) -> None:
        """Read what the server is, once it is up."""
        if engine_client is None:
            return
        serving = read_serving(engine_client, args)
        state.curserve = self._cells = Cells(serving)
        loop = getattr(state, "openai_serving_responses", None)
        if loop is not None and loop.tool_server is None:  # a tool server of the user's own stays
            loop.tool_server = ReplayToolServer(self._cells.responses)

    async def open(self, request: Request) -> dict[str, Any]:
        """Open a cell: `{"cell": CellSpec}`."""
        cells, body = await self._admit(request)
        try:
            await cells.open(body["cell"])
        except (CellRefused, NoToolParser, TemplateError) as error:
            raise HTTPException(400, str(error)) from error
        return {"ok": True}

    async def close(self, request: Request) -> dict[str, Any]:
        """Close a cell: `{"cell": NUMBER}` → its rows."""
        cells, body = await self._admit(request)
        try:
            return {"ok": True} | await cells.close(body["cell"])
        except CellRefused as error:
            raise HTTPException(400, str(error)) from error

    async def state(self, request: Request) -> dict[str, Any]:
        """Tell sessions and blocks."""
        cells, _ = await self._admit(request)
        ledger = cells.serving.ledger
        return {
            "cells": sorted(cells.open_cells),
            "blocks": ledger.blocks,
            "block_size": ledger.block_size,
            "blocks_held": ledger.held,
            "sessions": ledger.live,
            "waiting": ledger.waiting,
            "evictions": ledger.evictions,
            "model": cells.serving.model,
            "longest": cells.serving.longest,
        }

    async def _admit(self, request: Request) -> tuple[Cells, dict[str, Any]]:
        given = request.headers.get("x-curserve-key", "")
        if not hmac.compare_digest(given.encode(), self._key.encode()):
            raise HTTPException(403, "curserve: the header x-curserve-key does not hold this server's key")
        if self._cells is None:
            raise HTTPException(503, "curserve: the server is not up yet")
        raw = await request.body()
        try:
            body = json.loads(raw) if raw else {}
        except ValueError as error:
            raise HTTPException(400, f"curserve: the body is not JSON: {error}") from error
        if not isinstance(body, dict) or (request.method == "POST" and "cell" not in body):
            raise HTTPException(400, "curserve: the body must be an object with the field `cell`")
        return self._cells, body


def read_serving(engine: Any, args: Namespace) -> Serving:
    """Return what the server serves; raises RuntimeError naming the seam that this vLLM lacks."""
    try:
        config = engine.vllm_config
        cache, scheduler = config.cache_config, config.scheduler_config
        blocks, size = int(cache.num_gpu_blocks), int(cache.block_size)
        tokenizer = engine.get_tokenizer()
        for module, name in SEAMS:
            getattr(import_module(module), name)
    except (AttributeError, ImportError, TypeError) as error:
        raise RuntimeError(
            f"curserve: this vLLM lacks a seam that the plug-in needs: {error}; use vLLM 0.32"
        ) from error
    limits = json.loads(os.environ.get("CURSERVE_VLLM_LIMITS", "{}"))
    share = float(limits.get("share", 0.9))
    places = min(int(limits.get("sessions", 10**9)), max(1, int(scheduler.max_num_seqs) - 1))
    names = args.served_model_name or [args.model]
    return Serving(
        engine=engine,
        tokenizer=tokenizer,
        plain=Plain(tokenizer),
        template=None,
        tool_parser=args.tool_call_parser if args.enable_auto_tool_choice else None,
        model=names[0],
        longest=int(config.model_config.max_model_len),
        ledger=KvLedger(max(1, int(blocks * share)), size, places),
        trace_replay=bool(getattr(config.model_config, "enable_trace_replay", False)),
        max_cells=int(limits.get("cells", 256)),
        idle_s=float(limits.get("idle_s", 120.0)),
        unplayed_s=float(limits.get("unplayed_s", 900.0)),
        forced=_path("CURSERVE_VLLM_FORCED"),
        stamps=_path("CURSERVE_VLLM_STAMPS"),
    )


def _path(name: str) -> Path | None:
    value = os.environ.get(name)
    return Path(value) if value else None
