"""The paced server as one that many share: a step time, a KV budget, a scheduler. Main names: Serving, `declare`.

Without it a step takes TPOT whatever the batch is ("no contention"); `models.toml` knows no more of those models.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from curserve_harness.console.exits import BadInput
from curserve_harness.plan import step_time
from curserve_harness.plan.profiles import ModelProfile

BLOCK = 16
"""Tokens a block, vLLM's default."""


@dataclass(frozen=True, slots=True)
class Serving:
    """A model on a GPU: `step_ps` are the terms of a step's duration, `blocks` its KV memory.

    `keep`: with the tools on the server a session keeps its KV blocks through its tool calls, and its next
    turn goes before fresh requests; otherwise each turn is a new request, which finds of its prompt what the
    prefix cache still has.
    """

    model: str
    gpu: str
    step_ps: tuple[int, int, int, int, int]
    blocks: int
    max_num_seqs: int = 1024
    max_num_batched_tokens: int = 8192
    keep: bool = False
    source: str = ""

    @property
    def key(self) -> str:
        """Return its name among the models of a run."""
        return f"{self.model} on {self.gpu}"

    def to_json(self) -> str:
        """Return it for a role's command line."""
        return json.dumps(asdict(self))

    def profile(self) -> ModelProfile:
        """Return the pace of one request alone, as far as one number says it."""
        alone_ps = self.step_ps[0] + self.step_ps[2]
        prefill = self.step_ps[1] or 1
        base_ms = self.step_ps[0] / 1e9
        return ModelProfile(
            self.key, self.key, 1e12 / alone_ps, base_ms, 1e12 / prefill, self.source, ("KV memory",)
        )


def declare(
    model: str, gpu: str, *, step_times: Path | None = None, kv_blocks: int | None = None, max_num_seqs: int =
    1024, max_num_batched_tokens: int = 8192, keep: bool = False,
) -> Serving:  # fmt: skip
    """Return the server that the options name; raises BadInput."""
    machine = step_time.find(model, gpu, step_time.load(step_times))
    step = machine.step
    blocks = kv_blocks or _blocks(machine)
    if blocks is None:
        raise BadInput(f"--gpu {gpu}: nothing says how much KV memory it has left for {model}; add --kv-blocks")
    terms = (step.base_ps, step.prefill_ps, step.decode_ps, step.kv_ps, step.pair_ps)
    return Serving(
        machine.model, machine.gpu, terms, blocks, max_num_seqs, max_num_batched_tokens, keep, machine.source
    )


def _blocks(machine: step_time.Machine) -> int | None:
    """Return the blocks that fit into what the table says is left for KV, if it does."""
    memory, token = getattr(machine, "kv_bytes", None), getattr(machine, "kv_bytes_per_token", None)
    return memory // (token * BLOCK) if memory and token else None
