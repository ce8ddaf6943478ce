"""Proof: the report page of a run of 100,000 samples is small, and answers at once in a real browser."""

import asyncio
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from made_runs import MODELS, Truth, write_run

from curserve_results.page import write_page
from curserve_results.store import scan

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))
from browser import CHROMIUM, NAMES, opened

TIERS = {"intra-region": 1.5, "same-coast": 15.0, "cross-coast": 70.0, "us-europe": 95.0, "us-asia": 150.0}
VISITS = 5
PAINTED = "new Promise(done => requestAnimationFrame(() => setTimeout(() => done(performance.now() - began))))"
"""When what was done since `began` is to be seen, in ms after it."""
ACTS = {
    "filter": "filter.value = 'us-asia daemon'; filter.dispatchEvent(new Event('input'))",
    "sort": "document.querySelectorAll('thead button')[3].click()",
    "charts": "window.dispatchEvent(new Event('beforeprint'))",
}


@pytest.mark.prove
@pytest.mark.timeout(900)
@pytest.mark.skipif(CHROMIUM is None, reason=f"no browser found (looked for {', '.join(NAMES)})")
def test_the_page_of_a_hundred_thousand_samples(
    tmp_path: Path, receipt: Callable[[str, dict[str, object]], None]
) -> None:
    run = write_run(tmp_path / "run", Truth(links=TIERS, models=MODELS, turns=48))
    samples = scan(run).select("kind").collect().height
    assert samples >= 100_000
    page = tmp_path / "report.html"
    began = time.perf_counter()
    write_page(run, page)
    figures: dict[str, object] = {
        "samples": samples, "written_s": time.perf_counter() - began, "bytes": page.stat().st_size,
    }  # fmt: skip
    assert page.stat().st_size < 3_000_000

    async def visit(profile: Path) -> dict[str, float]:
        async with opened(page, profile) as tab:
            found = {"ready_ms": float(await tab.run("document.documentElement.dataset.ready"))}
            for name, act in ACTS.items():
                found[f"{name}_ms"] = await tab.run(f"{{const began = performance.now(); {act}; {PAINTED}}}")
            await tab.until("document.querySelectorAll('.chart[data-drawn] svg.marks').length === 3")
            return found

    visits = [asyncio.run(visit(tmp_path / f"profile-{number}")) for number in range(VISITS)]
    figures |= {f"{name} p50": statistics.median(one[name] for one in visits) for name in visits[0]}
    figures |= {f"{name} most": max(one[name] for one in visits) for name in visits[0]}
    receipt("report-page", figures)
