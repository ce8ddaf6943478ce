"""The demo page in a real headless Chromium: it plays, its sliders predict, nothing fails or is fetched."""

import asyncio
import base64
import os
from pathlib import Path

import pytest
from browser import CHROMIUM, NAMES, opened
from made_runs import ENGINES, Truth, write_run

from curserve_results.demo import write_demo
from curserve_results.errors import ResultsError

HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    truth = Truth(
        traces=1,
        repetitions=2,
        links={"us-asia": 150.0, "lan": 1.0},
        models={"SWE-grep": 1.5},
        engines=ENGINES,
        names=(HOSTILE,),
    )
    return write_run(folder / "run", truth, seed=1)


def test_a_page_is_small_and_names_nothing_outside(made: Path, tmp_path: Path) -> None:
    size = write_demo(made, tmp_path / "demo.html")
    text = (tmp_path / "demo.html").read_text()
    assert size == len(text.encode()) < 2_000_000
    assert "default-src 'none'" in text
    assert "<script src" not in text
    assert "<img src=x" not in text
    with pytest.raises(ResultsError, match="no link 'moon'"):
        write_demo(made, tmp_path / "demo.html", link="moon")
    with pytest.raises(ResultsError, match="two or more engines"):
        write_demo(made, tmp_path / "demo.html", engines=["daemon"])


@pytest.mark.skipif(CHROMIUM is None, reason=f"no browser found (looked for {', '.join(NAMES)})")
def test_a_call_that_did_not_run_is_not_called_answered(tmp_path: Path) -> None:
    """Two of the quick suite's calls start python, which is answered from the recording."""
    page = tmp_path / "demo.html"
    write_demo(Path(__file__).parents[2] / "results/recorded/quick-150ms-2026-11-21", page)

    async def visit() -> None:
        async with opened(page, tmp_path / "profile") as tab:
            assert "but 2, answered from the recording" in await tab.run(
                "document.getElementById('where').textContent"
            )
            await tab.run("dispatchEvent(new KeyboardEvent('keydown', {key: 'End'}))")
            await tab.until("document.getElementById('panes').textContent.includes('answered from the recording')")

    asyncio.run(visit())


@pytest.mark.skipif(CHROMIUM is None, reason=f"no browser found (looked for {', '.join(NAMES)})")
def test_the_demo_in_a_real_browser(made: Path, tmp_path: Path) -> None:
    page = tmp_path / "demo.html"
    write_demo(made, page)

    async def visit() -> None:
        async with opened(page, tmp_path / "profile") as tab:
            assert await tab.run("document.title") != "owned"
            await tab.until("document.querySelectorAll('.pane').length === 2")
            await tab.until("window.frames_shown > 10")
            await tab.run("dispatchEvent(new KeyboardEvent('keydown', {key: 'End'}))")
            if shown := os.environ.get("CURSERVE_SCREENSHOTS"):
                for scheme in ("light", "dark"):
                    await tab.send(
                        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
                    )
                    drawn = await tab.send("Page.captureScreenshot", captureBeyondViewport=True)
                    (Path(shown) / f"demo-{scheme}.png").write_bytes(base64.b64decode(drawn["data"]))
            ends = await tab.run("[...document.querySelectorAll('.time')].map(e => parseFloat(e.textContent))")
            assert ends[0] > ends[1] > 0, "the slower one is on the left"
            assert await tab.run("[...document.querySelectorAll('.predicted')].every(e => e.hidden)")
            assert "times as fast" in await tab.run("document.getElementById('verdict').textContent")

            await tab.run("rtt.value = 0; rtt.dispatchEvent(new Event('input', {bubbles: true}))")
            assert await tab.run("[...document.querySelectorAll('.predicted')].every(e => !e.hidden)")
            assert "(predicted)" in await tab.run("document.getElementById('verdict').textContent")
            await tab.run("dispatchEvent(new KeyboardEvent('keydown', {key: 'End'}))")
            near = await tab.run("[...document.querySelectorAll('.time')].map(e => parseFloat(e.textContent))")
            assert near[0] < ends[0], "without a distance it takes less"
            await tab.run("document.getElementById('measured').click()")
            assert await tab.run("[...document.querySelectorAll('.predicted')].every(e => e.hidden)")

            rows = "[...document.querySelectorAll('#forme tbody tr')]"
            assert await tab.run(f"{rows}.length") >= 2
            before = await tab.run(f"{rows}.map(r => r.cells[1].textContent)")
            await tab.run("forme.elements.rtt_ms.value = 0; forme.dispatchEvent(new Event('input'))")
            assert await tab.run(f"{rows}.map(r => r.cells[1].textContent)") != before
            unnamed = await tab.run(
                "[...document.querySelectorAll('button, input, select, [role=region]')]"
                ".filter(e => !(e.textContent.trim() || e.labels?.length || e.ariaLabel)).length"
            )
            assert unnamed == 0
            requests = [
                event["params"]["request"]["url"]
                for event in tab.events
                if event["method"] == "Network.requestWillBeSent"
            ]
            assert [url for url in requests if not url.startswith(("data:", "blob:", "file:"))] == []
            errors = [e for e in tab.events if e["method"] in ("Runtime.exceptionThrown", "Log.entryAdded")]
            assert errors == []
            assert await tab.run("document.title") != "owned"

    asyncio.run(visit())
