"""What a recorded load says: sessions of turns as numbers of tokens, without text. Main type: LoadSession.

Recordings of services keep no text: when requests came, how many tokens they had, perhaps the hashes of their
blocks. So nothing of them can be executed; they say when sessions come (`load`, `simulate`), and what they
ask of a server (`simulate`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Gap = Literal["none", "tool", "human"]
"""What came between the answer before and a turn: nothing (the first), tools, or a person."""


@dataclass(frozen=True, slots=True)
class LoadTurn:
    """A request: its prompt, whose first `kept_tokens` are the beginning of the prompt before, and its reply.

    `gap_ns` is the time between the reply before it and this request; `recorded_ns` what the service took for
    it, if that is known. `blocks` are the names of the prompt's blocks in order, of
    `LoadSession.block_tokens` each, where the file has them.
    """

    prompt_tokens: int
    output_tokens: int
    kept_tokens: int = 0
    gap: Gap = "none"
    gap_ns: int = 0
    recorded_ns: int | None = None
    blocks: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadSession:
    """Turns that follow each other; `start_ns` from the beginning of the recording.

    `scope` names the file in which the names of blocks mean the same. `parent` is the session whose turn
    started this one (a sub-agent), with that turn's number; `awaited`: that turn's successor came after the
    end of this session.
    """

    id: str
    start_ns: int
    turns: tuple[LoadTurn, ...]
    block_tokens: int = 0
    scope: str = ""
    parent: tuple[str, int] | None = None
    awaited: bool = True


def split_at_people(session: LoadSession) -> list[LoadSession]:
    """Return the tasks of a session: what lies between two gaps in which a person thought, typed, or slept.

    A task's first prompt keeps what it shares with the one before; the gap is gone, and is an arrival of its own.
    """
    found: list[LoadSession] = []
    turns: list[LoadTurn] = []
    at_ns = start_ns = session.start_ns
    for turn in session.turns:
        at_ns += turn.gap_ns
        if turn.gap == "human" and turns:
            found.append(replace(session, id=f"{session.id}#{len(found)}", start_ns=start_ns, turns=tuple(turns)))
            turns = []
        if not turns:
            start_ns = at_ns
            turn = replace(turn, gap="none", gap_ns=0)
        turns.append(turn)
        at_ns += turn.recorded_ns or 0
    found.append(replace(session, id=f"{session.id}#{len(found)}", start_ns=start_ns, turns=tuple(turns)))
    return found


def common_tokens(one: tuple[int, ...], two: tuple[int, ...], block_tokens: int, most: int) -> int:
    """Return how many tokens two prompts share from their beginning, in whole blocks, at most `most`."""
    same = 0
    for left, right in zip(one, two, strict=False):
        if left != right:
            break
        same += 1
    return min(same * block_tokens, most)
