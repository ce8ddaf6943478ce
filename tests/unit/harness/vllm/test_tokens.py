"""What the served model's tokenizer makes of a recording is told beside the recorded counts."""

from __future__ import annotations

from pathlib import Path

from curserve_harness.vllm.tokens import compare
from curserve_results.store import RunWriter
from curserve_traces.model import Trace, Turn, Workspace


def test_each_turn_counts_once_and_only_where_both_counts_are_known(tmp_path: Path) -> None:
    trace = Trace(
        "a", Workspace("path", "/"), (Turn("x", output_tokens=10), Turn("y"), Turn("z", output_tokens=30))
    )
    rows = [
        ("turn", "a", 0, 12),
        ("turn", "a", 0, 12),
        ("turn", "a", 1, 7),
        ("turn", "a", 2, None),
        ("call", "a", 0, 9),
    ]
    place = {"run": "r", "block": 0, "engine": "vllm", "model": "m", "link": "l"}
    names = ("cell", "kind", "trace", "turn", "output_tokens")
    samples = [place | dict(zip(names, (cell, *row), strict=True)) for cell, row in enumerate(rows)]
    RunWriter(tmp_path).write_block(0, samples)
    found = compare(tmp_path, {"a": trace})
    assert (found.turns, found.recorded, found.served) == (1, 10, 12)
    assert "makes 12 output tokens of the 10 that were recorded (+20 %, 1 turns)" in found.line()
