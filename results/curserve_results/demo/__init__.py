"""The demo: one trace played side by side as it was measured, with sliders for distance and speed, on one page.

Main name: `write_demo`. The page is whole in itself: its policy forbids every request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from curserve_results.demo.panes import panes
from curserve_results.files import write_atomically
from curserve_results.page.embedded import script_json
from curserve_results.page.forme import for_me
from curserve_results.page.shell import whole_page
from curserve_results.summary import summarise

Said = Mapping[str, Any]
"""What a trace says: `prompt`, and `turns`, each with `text` and `calls` (`line`, `output`)."""


def write_demo(
    run: Path,
    page: Path,
    *,
    trace: str | None = None,
    link: str | None = None,
    model: str | None = None,
    engines: Sequence[str] = (),
    said: Mapping[str, Said] | None = None,
) -> int:
    """Write the demo of a finished run to `page`, and return its bytes.

    Chosen are a trace, a link, a model and two or more engines; what is not named is the run's first trace,
    longest link, fastest model, and the slowest and the fastest engine. `said` has words of traces by their ids.
    Raises ResultsError where the run lacks what was named.
    """
    summary = summarise(run)
    shown = panes(summary, trace=trace, link=link, model=model, engines=engines)
    shown["said"] = (said or {}).get(shown["trace"])
    here = resources.files("curserve_results.demo")
    title = f"{shown['trace']}: {' against '.join(pane['engine'] for pane in shown['panes'])}"
    body = Template((here / "demo.html").read_text("utf-8")).substitute(
        forme=for_me(summary, link=shown["link"]["key"], model=shown["model"]["name"]),
        data=script_json(shown),
        script=(here / "demo.js").read_text("utf-8"),
    )
    content = whole_page(title, (here / "demo.css").read_text("utf-8"), body)
    data = content.encode("utf-8", "backslashreplace")
    write_atomically(page, data)
    return len(data)
