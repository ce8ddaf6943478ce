"""How right an answer is: one rule for the replay, for the oracle and for the check of recordings.

An answer is identical where exit code and every byte are. The same lines of standard output in another order,
other times in it, and another number of children of `find` that `head` killed are reported apart, and are right
only where chance decides them in the real programs too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from curserve_traces import classify
from curserve_traces.model import Observation, ToolCall

Likeness = Literal["identical", "reordered", "different"]

Digests = tuple[str, str]
"""Digest of an observation, and its digest without the order of lines: what is kept where answers are not."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """`answer` and `right` as in the sample schema, `reason` why it is not identical."""

    answer: Likeness
    right: bool
    reason: str | None = None


def digests(seen: Observation) -> Digests:
    """Return what is compared of an observation."""
    return seen.digest(), seen.lines_digest()


def likeness(one: Digests, two: Digests) -> Likeness:
    """Compare two observations by their digests."""
    if one[0] == two[0]:
        return "identical"
    return "reordered" if one[1] == two[1] else "different"


def judge(call: ToolCall, seen: Digests, expected: Digests) -> Judgement:
    """Compare one observation with what the real programs give."""
    answer = likeness(seen, expected)
    if answer == "identical":
        return Judgement(answer, right=True)
    if answer == "different":
        return Judgement(answer, right=False, reason="other bytes or exit code")
    right = free_order(call)
    return Judgement(answer, right, "order undefined" if right else "other order")


def is_right(call: ToolCall, answer: str) -> bool:
    """Return whether an answer of this likeness is the real programs'."""
    return answer == "identical" or (answer == "reordered" and free_order(call))


def free_order(call: ToolCall) -> bool:
    """Return whether chance decides a part of what the real programs give for this call.

    Parallel `rg` has no order of files, and `rg --json` tells times. Of `find -exec … | head`, which of the
    children write before `head` has gone is a race.
    """
    if call.tool != "bash":
        return False
    command = str(call.arguments.get("command", ""))
    programs = classify.programs(command)
    return "rg" in programs or ("-exec" in command and "find" in programs and "head" in programs)
