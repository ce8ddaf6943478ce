"""The two ways to go on after a tool call: `SessionTurns` keeps the KV cache, `RequestTurns` asks anew.

Both are given the same tokens and give back the model's, chunk by chunk. A session is vLLM's resumable request
(`AsyncLLM.generate` over an async generator of `StreamingInput`): its blocks stay, and only the new tokens are
prefilled. vLLM forgets the last token that a turn sampled, since it was never computed, so it goes in front of the
next chunk. A request relies on the prefix cache, which holds whole blocks only, and only until they are reused.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Mode = Literal["session", "request"]
_number = itertools.count()


@dataclass(frozen=True, slots=True)
class Ask:
    """One turn: the tokens that are new since the model's last one, and vLLM's SamplingParams (see `sampling`)."""

    new: Sequence[int]
    params: Any


class Turns(Protocol):
    """The turns of one conversation; `holds` says whether KV blocks are kept between them."""

    holds: bool

    def turn(self, ask: Ask) -> AsyncIterator[list[int]]:
        """Generate one turn, yielding its tokens as they come."""

    async def evict(self) -> None:
        """Free the KV blocks; the next turn prefills again."""

    async def close(self) -> None:
        """End the conversation and free its blocks."""


class GenerationError(Exception):
    """Raised when vLLM ends a turn without its tokens (the engine died, the request was refused)."""


def sampling(forced: Sequence[int], *, trace_replay: bool = False) -> Any:
    """Return vLLM's SamplingParams of a turn that must say `forced`: deltas, and no stop strings.

    (A resumable request allows none.)
    """
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    options: dict[str, Any] = {"max_tokens": len(forced), "ignore_eos": True}
    options["skip_clone"] = True  # used for one turn: no deep copy
    if trace_replay:
        options["trace_decode_token_ids"] = list(forced)
    else:
        options["extra_args"] = {"forced_token_ids": list(forced)}
    return SamplingParams(temperature=0.0, detokenize=False, output_kind=RequestOutputKind.DELTA, **options)


def rendered(tokens: list[int]) -> Any:
    """Return a prompt as vLLM's renderer gives it, so that it does not go through the renderer again."""
    from vllm.inputs import tokens_input

    return tokens_input(tokens)


class RequestTurns:
    """A new request a turn, with the whole conversation as its prompt."""

    holds = False

    def __init__(self, engine: Any, name: str) -> None:
        self._engine, self._name = engine, name
        self._tokens: list[int] = []
        self._turn = 0

    async def turn(self, ask: Ask) -> AsyncIterator[list[int]]:
        """Generate one turn."""
        self._tokens += ask.new
        name = f"{self._name}-{self._turn}-{next(_number)}"
        self._turn += 1
        outputs = self._engine.generate(rendered(list(self._tokens)), ask.params, name)
        try:
            async for output in outputs:
                tokens = list(output.outputs[0].token_ids)
                self._tokens += tokens
                if tokens:
                    yield tokens
        finally:
            await outputs.aclose()

    async def evict(self) -> None:
        """Nothing is held between turns."""

    async def close(self) -> None:
        """Nothing is held between turns."""


class SessionTurns:
    """One resumable request for all turns; after an eviction, a new one with the whole conversation."""

    holds = True

    def __init__(self, engine: Any, name: str) -> None:
        self._engine, self._name = engine, name
        self._tokens: list[int] = []
        self._inputs: asyncio.Queue[Any] | None = None
        self._outputs: AsyncGenerator[Any, None] | None = None
        self.starts = 0

    async def turn(self, ask: Ask) -> AsyncIterator[list[int]]:
        """Generate one turn."""
        from vllm.engine.protocol import StreamingInput

        params = ask.params
        if self._inputs is None:
            self._tokens += ask.new
            chunk = list(self._tokens)
            self._inputs = asyncio.Queue()
            name = f"{self._name}-s{self.starts}-{next(_number)}"
            self.starts += 1
            self._outputs = self._engine.generate(_chunks(self._inputs), params, name)
        else:
            chunk = [*self._tokens[-1:], *ask.new]
            self._tokens += ask.new
        self._inputs.put_nowait(StreamingInput(prompt=rendered(chunk), sampling_params=params))
        assert self._outputs is not None
        while True:
            try:
                output = await anext(self._outputs)
            except StopAsyncIteration:
                self._inputs = self._outputs = None
                raise GenerationError("vllm: the engine ended the session in the middle of a turn") from None
            tokens = list(output.outputs[0].token_ids)
            self._tokens += tokens
            if tokens:
                yield tokens
            if output.outputs[0].finish_reason is not None:
                return

    async def evict(self) -> None:
        """End the resumable request: vLLM frees its blocks before it reads any later request."""
        inputs, outputs = self._inputs, self._outputs
        self._inputs = self._outputs = None
        if inputs is None or outputs is None:
            return
        inputs.put_nowait(None)
        async for _ in outputs:
            pass

    async def close(self) -> None:
        """End the session; one in the middle of a turn is aborted."""
        outputs = self._outputs
        self._inputs = self._outputs = None
        if outputs is not None:
            await outputs.aclose()


async def _chunks(queue: asyncio.Queue[Any]) -> AsyncGenerator[Any, None]:
    while (chunk := await queue.get()) is not None:
        yield chunk


def make_turns(mode: Mode, engine: Any, name: str) -> Turns:
    """Return the turns of a new conversation."""
    return SessionTurns(engine, name) if mode == "session" else RequestTurns(engine, name)
