"""What the turn after a tool call costs a serving engine, by formula: Colocated, and Disaggregated.

The colocated formula is checked against the real server by `scripts/vllm-costs.py`; the disaggregated one is
arithmetic on published figures (sources in docs/VLLM.md), which nothing here has measured.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


def session_tokens(new: int) -> int:
    """Return what a session prefills for `new` tokens: they, and the last sampled one, never computed yet."""
    return new + 1


def request_tokens(new: int, context: int, block: int, *, cached: bool) -> int:
    """Return what a new request prefills behind a `context`: whole blocks come from the cache, where `cached`."""
    return new + (context % block if cached else context)


@dataclass(frozen=True, slots=True)
class Colocated:
    """Prefill and decode in one engine: a fixed part, the rate of prefill, and the rate of attention.

    A token attends to all before it, so `n` tokens behind a context of `c` are `n (c + n / 2)` pairs.
    """

    base_ms: float
    tokens_per_s: float
    pairs_per_s: float = math.inf

    def append_prefill(self, tokens: int, context: int = 0) -> float:
        """Return the time to first token, in ms, of a turn that prefills `tokens` behind `context` cached ones."""
        seconds = tokens / self.tokens_per_s + pairs(tokens, context) / self.pairs_per_s
        return self.base_ms + 1e3 * seconds


def pairs(tokens: int, context: int) -> float:
    """Return the pairs of tokens whose attention is computed."""
    return tokens * (context + tokens / 2)


def fit(turns: Sequence[tuple[int, int, float]]) -> Colocated:
    """Return the model nearest to measured turns (tokens prefilled, tokens cached before, TTFT in ms).

    Least squares of the relative errors with no negative part (Lawson and Hanson), so that a turn of ten
    milliseconds counts as much as one of a second. Raises ValueError where the turns tell no rate of prefill.
    """
    import numpy as np
    from scipy.optimize import nnls

    rows = np.array([[1.0, tokens, pairs(tokens, context)] for tokens, context, _ in turns])
    times = np.array([ms for _, _, ms in turns])
    scale = rows.max(axis=0)
    found, _ = nnls(rows / scale / times[:, None], np.ones(len(times)))
    base, token, pair = (float(value) for value in found / scale)
    if token <= 0:
        raise ValueError("no rate of prefill can be had from these turns")
    return Colocated(base, 1e3 / token, 1e3 / pair if pair > 0 else math.inf)


def kv_bytes(tokens: int, *, layers: int, kv_heads: int, head_size: int, value_bytes: int = 2) -> int:
    """Return the bytes of KV cache of `tokens`: a key and a value per layer and head."""
    return 2 * layers * kv_heads * head_size * value_bytes * tokens


@dataclass(frozen=True, slots=True)
class Disaggregated:
    """Prefill on one engine, decode on another: what moves between them, and how long changing hands takes."""

    handover_ms: float
    bytes_per_s: float
    prefill: Colocated

    def turn(self, *, new: int, moved_bytes: int, prefilled_again: int, context: int = 0) -> float:
        """Return the time to first token, in ms; `prefilled_again` is the last output, unless it moved back."""
        moving = moved_bytes / self.bytes_per_s * 1e3
        return self.handover_ms + moving + self.prefill.append_prefill(new + prefilled_again, context)
