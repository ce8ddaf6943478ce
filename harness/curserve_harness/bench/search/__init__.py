"""`bench search`: what search engines take on corpora of several sizes, by hit density, in turns.

    corpora   samples of one source tree, of the sizes asked for
    patterns  words of the source whose lines are the shares asked for; regexes without a literal
    engines   processes (rg, GNU grep, ugrep), an index (csearch), the daemon, the core in process
    measure   rounds in random order, answers compared with rg's, an edit that the next query must see

The outcome is one dictionary (`docs/FORMAT.md`, search.json), from which `curserve_results.search` makes tables
and the figure.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from curserve_harness.bench.search.corpora import Corpus, make
from curserve_harness.bench.search.measure import measure
from curserve_harness.bench.search.patterns import SAMPLE, Pattern, choose
from curserve_harness.bench.search.registry import ENGINES

__all__ = ["ENGINES", "bench"]


def bench(
    source: Path,
    *,
    sizes: Sequence[int | None],
    engines: Sequence[str],
    rounds: int,
    seed: int,
    scratch: Path,
    chosen: Sequence[Pattern] = (),
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Measure `engines` on samples of `source` (sizes in bytes; None: all of it), below the folder `scratch`.

    Engines that are not on this machine are named in the outcome, with the reason. `chosen` replaces the patterns
    picked by density.
    """
    absent = {name: reason for name in engines if (reason := ENGINES[name].absent()) is not None}
    present = [name for name in engines if name not in absent]
    outcome: dict[str, Any] = {"absent": absent, "corpora": [], "engines": [], "queries": [], "answers": []}
    patterns = chosen or _words(source, scratch, seed)
    for number, size in enumerate(sizes):
        corpus: Corpus = make(source, size, scratch / f"corpus-{number}", seed)
        say(f"{corpus.name}: {corpus.files:,} files, {corpus.bytes / 1e6:,.1f} MB")
        outcome["corpora"].append({"corpus": corpus.name, "files": corpus.files, "bytes": corpus.bytes})
        measure(corpus, present, patterns, rounds, random.Random(f"{seed} {size}"), scratch, outcome, say)
        corpus.remove()
    return outcome


def _words(source: Path, scratch: Path, seed: int) -> Sequence[Pattern]:
    """Pick words by density on a sample, so that they are the same for corpora of every size."""
    sample = make(source, SAMPLE, scratch / "words", seed)
    try:
        return choose(sample.root)
    finally:
        sample.remove()
