"""The report page in a real headless Chromium: charts drawn, filter and sorting work, no error, no request."""

import asyncio
from pathlib import Path

import pytest
from browser import CHROMIUM, NAMES, opened
from made_runs import ENGINES, Truth, write_run

from curserve_results.page import write_page

HOSTILE = (
    "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">`${1}`'\"\\"
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    truth = Truth(
        traces=2,
        repetitions=4,
        links={"us-asia": 150.0, HOSTILE: 15.0},
        models={"SWE-grep": 1.5, "GPT-5 Codex": 23.3},
        engines=dict(ENGINES) | {HOSTILE: ("server", 1.0)},
        names=("first", HOSTILE),
    )
    write_page(write_run(folder / "run", truth, seed=1), folder / "report.html")
    return folder / "report.html"


def test_the_page_holds_everything_and_names_nothing_outside(page: Path) -> None:
    text = page.read_text()
    assert len(text.encode()) < 3_000_000
    assert "default-src 'none'" in text
    assert "<script src" not in text
    assert "<img src=x" not in text


@pytest.mark.skipif(CHROMIUM is None, reason=f"no browser found (looked for {', '.join(NAMES)})")
def test_the_page_in_a_real_browser(page: Path, tmp_path: Path) -> None:
    async def visit() -> None:
        async with opened(page, tmp_path / "profile") as tab:
            assert await tab.run("document.title") != "owned"
            await tab.run("document.querySelectorAll('.chart').forEach(c => c.scrollIntoView())")
            await tab.run("window.dispatchEvent(new Event('beforeprint'))")
            await tab.until("document.querySelectorAll('.chart[data-drawn] svg.marks').length === 3")
            marks = await tab.run(
                "[...document.querySelectorAll('.chart svg.marks')].map(s => s.querySelectorAll('path').length)"
            )
            assert all(count > 10 for count in marks), marks

            rows = "[...document.querySelectorAll('table[data-name] tbody tr')]"
            everything = await tab.run(f"{rows}.length")
            assert everything == 24
            await tab.run("filter.value = 'us-asia daemon'; filter.dispatchEvent(new Event('input'))")
            shown = await tab.run(f"{rows}.filter(r => r.checkVisibility()).map(r => r.cells[0].textContent)")
            assert shown == ["daemon", "daemon"]
            assert await tab.run("count.textContent") == "2 of 24 rows"
            await tab.run("filter.value = ''; filter.dispatchEvent(new Event('input'))")

            await tab.run("document.querySelectorAll('thead button')[3].click()")
            order = await tab.run(f"{rows}.map(r => Number(r.cells[3].dataset.value))")
            assert order == sorted(order)
            assert await tab.run("document.querySelectorAll('th[aria-sort=ascending]').length") == 1

            before = await tab.run("document.querySelectorAll('.chart')[2].querySelectorAll('path').length")
            await tab.run(
                "const box = document.querySelectorAll('figure')[2].querySelector('select');"
                "box.selectedIndex = 1; box.dispatchEvent(new Event('input', {bubbles: true}))"
            )
            await asyncio.sleep(1)
            after = await tab.run("document.querySelectorAll('.chart')[2].querySelectorAll('path').length")
            assert min(before, after) > 50

            unnamed = await tab.run(
                "[...document.querySelectorAll('button, input, select, summary, [role=region]')]"
                ".filter(e => !(e.textContent.trim() || e.labels?.length || e.ariaLabel || e.closest('label')))"
                ".length"
            )
            assert unnamed == 0
            landmarks = await tab.run("[...document.querySelectorAll('nav a')].map(a => a.getAttribute('href'))")
            headings = await tab.run("[...document.querySelectorAll('h2')].map(h => '#' + h.id)")
            assert landmarks == headings
            await tab.run("document.querySelectorAll('.skip, nav').forEach(e => e.focus()); filter.focus()")
            assert await tab.run("document.activeElement.id") == "filter"
            assert await tab.run("document.querySelector('#h-left + ul').children.length") >= 1
            assert await tab.run("document.title") != "owned"
            requests = [
                event["params"]["request"]["url"]
                for event in tab.events
                if event["method"] == "Network.requestWillBeSent"
            ]
            outside = [url for url in requests if not url.startswith(("data:", "blob:", "file:"))]
            assert (requests[0], outside) == (page.as_uri(), [])
            complaints = [
                event
                for event in tab.events
                if event["method"] in ("Runtime.exceptionThrown", "Log.entryAdded")
                or (
                    event["method"] == "Runtime.consoleAPICalled"
                    and event["params"]["type"] in ("error", "warning")
                )
            ]
            assert [c["params"]["args"][1:] if "args" in c["params"] else c for c in complaints] == []

    asyncio.run(visit())
