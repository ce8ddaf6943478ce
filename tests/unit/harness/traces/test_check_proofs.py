"""Heavy proof, run by `make prove`: every call of every bundled suite is executed again and compared."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from receipts import write_receipt

from curserve_harness.traces.check import check
from curserve_traces import suites

REPOSITORY = Path(__file__).resolve().parents[4]


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_the_suites_say_what_the_real_programs_say() -> None:
    figures = {}
    for name in suites.names():
        verdicts: Counter[str] = Counter()
        for trace in suites.load_suite(name):
            for row in check(trace):
                verdicts[f"{row.effect}: {row.verdict}"] += 1
                assert row.verdict in ("identical", "not re-executable"), row
                assert row.verdict == "identical" or row.effect == "other", row
        figures[name] = dict(sorted(verdicts.items()))
    write_receipt("traces-check", figures)
