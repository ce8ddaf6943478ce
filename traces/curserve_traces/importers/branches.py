"""Sessions that are trees: a user who goes back and asks again leaves a branch behind (Claude Code, pi, Copilot).

Every line names the one before it. The way from the last line back to the first is the session as it ended; turns
that stand beside it were left. They were really executed, so they stay in the trace, marked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

NOTHING: Final = ""
"""The parent of a line that begins anew, though others stand before it in the file: the user went back to the
first prompt."""


def left(lines: Sequence[tuple[str, str | None]], turns: Mapping[str, int]) -> set[int]:
    """Return the turns none of whose lines leads to the last line that belongs to a turn.

    `lines` are ids and their parents' in the order of the file; `turns` tells the turn of a line, by its id. Where
    a parent is not in the file (a compaction, a resumed session), the line before it in the file is taken for it.
    """
    at = {identity: number for number, (identity, _) in enumerate(lines)}
    last = next((number for number in range(len(lines) - 1, -1, -1) if lines[number][0] in turns), None)
    if last is None:
        return set()
    kept: set[int] = set()
    number, seen = last, set[int]()
    while number >= 0 and number not in seen:
        seen.add(number)
        identity, parent = lines[number]
        if identity in turns:
            kept.add(turns[identity])
        if parent == NOTHING:
            break
        known = at.get(parent) if parent is not None else None
        number = known if known is not None and known < number else number - 1
    return set(turns.values()) - kept
