"""How many tokens the served model's tokenizer makes of what was recorded: `compare`, said after a run on vLLM.

The recording counted with its own model's tokenizer; times per token compare only as far as the counts do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from curserve_results.store import scan
from curserve_traces.model import Trace


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Output tokens of the turns whose recorded count is known: as `recorded`, and as `served`."""

    turns: int
    recorded: int
    served: int

    def line(self) -> str:
        """Return what is printed under the table."""
        if not self.turns:
            return "Tokens: the recording counts none, so the served model's cannot be compared with its."
        off = 100 * (self.served / self.recorded - 1)
        return (
            f"Tokens: the served model's tokenizer makes {self.served} output tokens of the {self.recorded} that "
            f"were recorded ({off:+.0f} %, {self.turns} turns)."
        )


def compare(run: Path, traces: Mapping[str, Trace]) -> TokenCounts:
    """Return the counts of a finished run; each turn counts once, whatever the number of cells that played it."""
    import polars as pl

    turns = (
        scan(run)
        .filter((pl.col("kind") == "turn") & pl.col("output_tokens").is_not_null())
        .group_by("trace", "turn")
        .agg(pl.col("output_tokens").max())
        .collect()
    )
    pairs = [
        (recorded, int(served))
        for trace, turn, served in turns.iter_rows()
        if (recorded := traces[trace].turns[turn].output_tokens) is not None
    ]
    return TokenCounts(len(pairs), sum(r for r, _ in pairs), sum(s for _, s in pairs))
