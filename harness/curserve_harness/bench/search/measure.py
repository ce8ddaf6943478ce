"""The measurement on one corpus: engines in turns, answers against rg's, and an edit that must be seen at once."""

from __future__ import annotations

import random
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from curserve_harness.bench.search.corpora import Corpus
from curserve_harness.bench.search.engine import EngineLeft, SearchEngine
from curserve_harness.bench.search.patterns import Pattern
from curserve_harness.bench.search.registry import ENGINES, version
from curserve_harness.console.exits import SetupFailed

REFERENCE = "rg"
PATIENCE_NS = 20_000_000_000
"""An engine that takes longer for its first answer to a pattern is not asked for that pattern again."""
EDITS = 9
"""Edits of either kind that an engine is asked after; one where each query is a program of its own."""


def measure(
    corpus: Corpus,
    names: Sequence[str],
    patterns: Sequence[Pattern],
    rounds: int,
    order: random.Random,
    scratch: Path,
    outcome: dict[str, Any],
    say: Callable[[str], None],
) -> None:
    """Append to `outcome` what the engines take and answer on `corpus`."""
    engines: list[SearchEngine] = []
    try:
        for name in names:
            engine = ENGINES[name](corpus.root, scratch)
            engines.append(engine)
            began = time.perf_counter_ns()
            engine.ready()
            taken = time.perf_counter_ns() - began if engine.resident else None
            row = {"corpus": corpus.name, "engine": name, "ready_ns": taken}
            row |= {"ready_memory_bytes": engine.memory()}
            outcome["engines"].append(row | {"version": version(name), "stands_for": engine.stands_for})
        for pattern in patterns:
            patient = _compare(corpus, engines, pattern, outcome)
            for number in range(rounds):
                for engine in order.sample(patient, len(patient)):
                    # The first query finds the caches full of another engine's work, the second of its own.
                    pair: list[int] = []
                    for _ in range(2):
                        began = time.perf_counter_ns()
                        engine.query(pattern)
                        pair.append(time.perf_counter_ns() - began)
                    row = {"corpus": corpus.name, "engine": engine.name, "pattern": pattern.text}
                    row |= {"round": number, "first_ns": pair[0], "wall_ns": pair[1]}
                    outcome["queries"].append(row)
            say(f"  {pattern.text}: done")
        for engine in engines:
            row = next(r for r in outcome["engines"] if (r["corpus"], r["engine"]) == (corpus.name, engine.name))
            row["memory_bytes"] = engine.memory()
            row.update(_edit(corpus, engine, scratch))
    finally:
        for engine in engines:
            engine.close()


def _compare(
    corpus: Corpus, engines: Sequence[SearchEngine], pattern: Pattern, outcome: dict[str, Any]
) -> list[SearchEngine]:
    """Compare every engine's answer with rg's, line by line, order aside; this is the warm-up.

    Return the engines that answered within PATIENCE_NS; of the slower ones this one time is kept, and of one that
    leaves the query to others, its reason.
    """
    answers: dict[str, Counter[bytes]] = {}
    patient: list[SearchEngine] = []
    for engine in engines:
        began = time.perf_counter_ns()
        try:
            answer = engine.query(pattern)
        except EngineLeft as left:
            row = {"corpus": corpus.name, "engine": engine.name, "pattern": pattern.text, "refused": str(left)}
            outcome["answers"].append(row | {"label": pattern.label, "literal": pattern.literal, "lines": None})
            continue
        taken = time.perf_counter_ns() - began
        answers[engine.name] = _lines(answer, corpus.root)
        if taken <= PATIENCE_NS:
            patient.append(engine)
        else:
            row = {"corpus": corpus.name, "engine": engine.name, "pattern": pattern.text}
            outcome["queries"].append(row | {"round": 0, "first_ns": taken, "wall_ns": taken})
    reference = answers.get(REFERENCE)
    for name, lines in answers.items():
        compared: dict[str, Any] = {"corpus": corpus.name, "engine": name, "pattern": pattern.text}
        compared |= {"label": pattern.label, "literal": pattern.literal, "lines": lines.total()}
        if reference is not None:
            compared |= {"missing": (reference - lines).total(), "extra": (lines - reference).total()}
        outcome["answers"].append(compared)
    return patient


def _lines(answer: bytes, root: Path) -> Counter[bytes]:
    """Return the lines of an answer, their paths relative to the root."""
    prefixes = (b"./", bytes(root) + b"/")
    lines = answer.split(b"\n")[:-1] if answer.endswith(b"\n") else answer.split(b"\n") if answer else []
    for prefix in prefixes:
        lines = [line.removeprefix(prefix) for line in lines]
    return Counter(lines)


def _edit(corpus: Corpus, engine: SearchEngine, scratch: Path) -> dict[str, Any]:
    """Save a file, and make a new one; tell whether the very next query sees each, and what that query takes.

    `*_unedited_ns` is what the same query takes after a file outside the corpus was written: the difference is
    the edit's. Times are medians over the edits. Where an edit is not seen, that to renew the index is given.
    The corpus is as before afterwards.
    """
    victim = _text_file(corpus.root)
    before = victim.read_bytes()
    made, aside = victim.with_name("bench_search_new_file.txt"), scratch / "bench_search_aside.txt"
    found: dict[str, Any] = {}
    try:
        for kind, path, content in (("saved", victim, before + b"\n"), ("made", made, b"")):
            seen, edited, unedited = True, [], []
            for number in range(EDITS if engine.resident else 1):
                made.unlink(missing_ok=True)
                token = f"bench_search_{engine.name.replace('-', '_')}_{kind}_{number}"
                pattern, text = Pattern("edit", token, literal=True), content + token.encode() + b"\n"
                engine.query(pattern)
                unedited.append(_after_a_write(engine, pattern, aside, text)[0])
                taken, answer = _after_a_write(engine, pattern, path, text)
                edited.append(taken)
                seen = seen and token.encode() in answer
            found[f"{kind}_seen"] = seen
            found[f"{kind}_ns"] = int(statistics.median(edited))
            found[f"{kind}_unedited_ns"] = int(statistics.median(unedited))
        began = time.perf_counter_ns()
        if not (found["saved_seen"] and found["made_seen"]) and engine.again():
            found["renewed_ns"] = time.perf_counter_ns() - began
    finally:
        victim.write_bytes(before)
        made.unlink(missing_ok=True)
        aside.unlink(missing_ok=True)
    return found


def _after_a_write(engine: SearchEngine, pattern: Pattern, path: Path, content: bytes) -> tuple[int, bytes]:
    """Write a file, and ask at once: what the query takes, in ns, and its answer."""
    path.write_bytes(content)
    began = time.perf_counter_ns()
    answer = engine.query(pattern)
    return time.perf_counter_ns() - began, answer


def _text_file(root: Path) -> Path:
    """Return the first file, by path, that every engine searches: not hidden, not empty, not binary."""
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
        if not hidden and (content := path.read_bytes()) and content.isascii() and b"\0" not in content:
            return path
    raise SetupFailed(f"bench search: no text file below {root}; give another SOURCE")
