"""What an import kept and dropped, and why: every call of a source appears in a trace or here."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from curserve_traces.model import Trace


@dataclass(slots=True)
class Report:
    """The account of one import.

    `calls`, `answered` and `refused` count tool calls, those with an observation, and those that were not
    executed; `dropped` counts what was left out, by reason; `notes` say how times and tokens were had.
    """

    format: str
    calls: int = 0
    answered: int = 0
    refused: int = 0
    turns: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def drop(self, reason: str, count: int = 1) -> None:
        """Note that something was left out."""
        self.dropped[reason] += count

    def note(self, text: str) -> None:
        """Add a note, once."""
        if text not in self.notes:
            self.notes.append(text)


Identities = tuple[tuple[int | None, tuple[int | None, ...]], ...]
"""For each turn without calls the hash of the agent's own id of it, else those of its calls; `None`: no id."""


@dataclass(frozen=True, slots=True)
class Imported:
    """A trace and the account of its import; `identities` where the agent's ids tell copies from other calls."""

    trace: Trace
    report: Report
    identities: Identities = ()

    def empty(self) -> bool:
        """Whether no turn holds anything of a model: words, thoughts, a call, or tokens."""
        return not any(
            turn.text or turn.calls or turn.reasoning or turn.output_tokens for turn in self.trace.turns
        )
