"""Recorded loads of services (`--trace-load`) as talk, and when they came. Main name: `from_loads`.

They name the blocks of a prompt by chained hashes: a name stands for its block and all before it. Blocks that
first came in one request, side by side, are one text, so a prompt is a few pieces of texts, however long it is.

What a person did between two tasks of a session is left out: each task is a session of its own. A recorded
tool's gap counts as time of its program, and the way that the engine's tools take comes on top.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from curserve_harness.console.exits import BadInput
from curserve_harness.simulate.talk import ANY, Spoken, Talk, Text
from curserve_traces.loads import LoadSession, LoadTurn, split_at_people

GLOBAL = "global"


@dataclass
class Texts:
    """Where each name of a block came first: text, and place in it."""

    known: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    number: int = 0

    def of(self, scope: str, turn: LoadTurn, block: int) -> Text:
        """Return a prompt as pieces; new names become a text of their own, and what has no name another."""
        pieces: list[tuple[int, int, int]] = []
        fresh: tuple[int, int] | None = None  # the text of new names, and the place of the first
        for place, name in enumerate(turn.blocks):
            length = min(block, turn.prompt_tokens - place * block)
            if length <= 0:
                break
            if (scope, name) not in self.known:
                if fresh is None:
                    fresh = self.number, place
                    self.number += 1
                self.known[scope, name] = fresh[0], (place - fresh[1]) * block
            text, offset = self.known[scope, name]
            last = pieces[-1] if pieces else (-1, 0, 0)
            if last[0] == text and last[1] + last[2] == offset:
                pieces[-1] = (text, last[1], last[2] + length)
            else:
                pieces.append((text, offset, length))
        rest = turn.prompt_tokens - sum(piece[2] for piece in pieces)
        if rest > 0:
            pieces.append((self.number, 0, rest))
            self.number += 1
        return tuple(pieces)


def from_loads(sessions: Sequence[LoadSession]) -> tuple[list[Talk], list[int]]:
    """Return what was asked, and when (ns, ascending); requests without a prompt or a reply are left out."""
    tasks = sorted(
        (task for session in sessions for task in split_at_people(session)), key=lambda task: task.start_ns
    )
    texts, talks, starts = Texts(), list[Talk](), list[int]()
    # Sessions of one server know each other's blocks; those of a file each have their own.
    common = len({session.scope for session in sessions}) == 1
    for task in tasks:
        asked = [turn for turn in task.turns if turn.prompt_tokens and turn.output_tokens]
        if not asked:
            continue
        said = [texts.of(task.scope, turn, task.block_tokens or 1) for turn in asked]
        gaps = [turn.gap_ns for turn in asked[1:]] + [0]
        turns = tuple(
            Spoken(max(1, turn.prompt_tokens - turn.kept_tokens), turn.output_tokens, ANY, gap)
            for turn, gap in zip(asked, gaps, strict=True)
        )
        talks.append(Talk(task.id, turns, texts=tuple(said), common=common))
        starts.append(task.start_ns)
    if not talks:
        raise BadInput("--trace-load: no request with a prompt and a reply in it; give another")
    return talks, [start - starts[0] for start in starts]
