"""Force a request to decode recorded tokens: every other logit becomes minus infinity, so sampling has no choice.

The tokens are in `SamplingParams.extra_args["forced_token_ids"]`, or, for clients whose requests must not grow by
what is to be forced, in a file `NAME.json` of the folder that `CURSERVE_VLLM_FORCED` names, with
`extra_args["curserve_forced"] = NAME` (over HTTP: `vllm_xargs`). Loaded by vLLM through the entry point
`vllm.logits_processors`. On a GPU build with `--enable-trace-replay`, `trace_decode_token_ids` does the same.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from vllm.v1.sample.logits_processor import AdapterLogitsProcessor

if TYPE_CHECKING:
    from vllm import SamplingParams

NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")


def forced_tokens(extra: dict[str, Any] | None) -> list[int] | None:
    """Return the tokens that a request must decode, `None` if it is free; raises ValueError."""
    if not extra:
        return None
    tokens = extra.get("forced_token_ids")
    if tokens is None and (name := extra.get("curserve_forced")) is not None:
        tokens = tokens_of_file(str(name))
    if tokens is None:
        return None
    if not isinstance(tokens, list) or not tokens or not all(isinstance(t, int) and t >= 0 for t in tokens):
        raise ValueError("forced_token_ids: a non-empty list of token ids is needed")
    return tokens


def tokens_of_file(name: str) -> Any:
    """Return what the file of forced tokens `name` holds; raises ValueError."""
    folder = os.environ.get("CURSERVE_VLLM_FORCED")
    if folder is None:
        raise ValueError("curserve_forced: this server was started without CURSERVE_VLLM_FORCED")
    if NAME.fullmatch(name) is None:
        raise ValueError(f"curserve_forced: {name!r} is no name of a turn (letters, digits, '-' and '_')")
    try:
        return json.loads((Path(folder) / f"{name}.json").read_bytes())
    except (OSError, ValueError) as error:
        raise ValueError(
            f"curserve_forced: cannot read turn {name!r}: {error}; register the cell first"
        ) from error


class Forced:
    """One request's processor: lets only the next recorded token through, and end-of-turn after the last."""

    def __init__(self, tokens: list[int]) -> None:
        self.tokens = tokens

    def __call__(self, output_ids: list[int], logits: torch.Tensor) -> torch.Tensor:
        """Return `logits` (one row) with all but the next recorded token at minus infinity."""
        place = min(len(output_ids), len(self.tokens) - 1)
        token = self.tokens[place]
        kept = logits[token].clone()
        logits.fill_(float("-inf"))
        logits[token] = kept
        return logits


class ForcedTokens(AdapterLogitsProcessor):  # type: ignore[misc]  # vLLM is not typed here
    """The batch's processor: applies `Forced` to the requests that carry tokens, leaves the others alone."""

    @classmethod
    def validate_params(cls, sampling_params: SamplingParams) -> None:
        """Refuse a request whose forced tokens cannot be had; vLLM answers 400 with the reason."""
        forced_tokens(sampling_params.extra_args)

    def is_argmax_invariant(self) -> bool:
        """Say that greedy sampling is changed too."""
        return False

    def new_req_logits_processor(self, params: SamplingParams) -> Forced | None:
        """Return the request's processor, `None` if it is free."""
        tokens = forced_tokens(params.extra_args)
        return None if tokens is None else Forced(tokens)
