"""Patterns: words of the corpus by the share of lines that hold them, and regexes without a usable literal."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

SHARES = (1e-5, 1e-4, 1e-3, 1e-2, 5e-2)
"""Hit densities asked for: lines that match, as a share of all lines."""

ABSENT = "zqx_no_such_word_qxz"

REGEXES = (
    r"\d+\.\d+",
    r"^\s+\w+\s*=",
    r"[A-Z]+_[A-Z]+",
    r"\w{5}\s+\w{5}\s+\w{5}",
    r"\b\w{24,}\b",
    r"[a-z]+[0-9]+[a-z]+",
    r"\w+\(\w*\)$",
    r"[^\x00-\x7F]",
)
"""Eight regexes from which no trigram can be had: every engine must look at every byte."""

_WORD = re.compile(rb"[A-Za-z_][A-Za-z0-9_]{3,}")
SAMPLE = 20_000_000
"""Bytes on which words are counted."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """What is searched for: `label` names it in tables, `literal` says that it means itself."""

    label: str
    text: str
    literal: bool


def regexes() -> list[Pattern]:
    """Return the regexes without a literal."""
    return [Pattern("no literal", text, literal=False) for text in REGEXES]


def choose(root: Path) -> list[Pattern]:
    """Return a word that is nowhere, and for each of SHARES the word that comes nearest to it.

    Words hold each other (`self` is in `itself`), so lines are counted again for the nearest few; ties go to the
    first in the alphabet, so that the choice is always the same.
    """
    lines: list[bytes] = []
    for path in sorted(root.rglob("*")):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(root).parts):
            content = path.read_bytes()
            if b"\0" not in content:
                lines += content.splitlines()
    counts: Counter[bytes] = Counter()
    for line in lines:
        counts.update(set(_WORD.findall(line)))
    chosen = [Pattern("nowhere", ABSENT, literal=True)]
    for share in SHARES:
        wanted = max(1.0, share * len(lines))
        near = sorted(counts, key=lambda word: (abs(counts[word] - wanted), word))[:8]
        if near:
            best = min(near, key=lambda word: (abs(sum(word in line for line in lines) - wanted), word))
            chosen.append(Pattern(f"{share:.3%}".rstrip("0%").rstrip(".") + " %", best.decode(), literal=True))
    unique: dict[str, Pattern] = {}
    for pattern in chosen:
        unique.setdefault(pattern.text, pattern)
    return list(unique.values())
