"""The report as one page: tables that sort and filter, charts, any trace's timeline; nothing is fetched.

Main name: `write_page`. The scripts come from the packages altair and vl-convert-python; the page's own policy
forbids every request, so that nothing leaves it wherever it is opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from curserve_results.checks import check
from curserve_results.errors import ResultsError
from curserve_results.files import write_atomically
from curserve_results.page.embedded import script_json
from curserve_results.page.shell import whole_page
from curserve_results.render.markup import escape_html, html
from curserve_results.store import scan
from curserve_results.summary import Summary, summarise
from curserve_results.table import Column, Table, Value
from curserve_results.tables import main_tables

if TYPE_CHECKING:
    from curserve_results.manifest import Manifest


def write_page(run: Path, page: Path, *, void_too: bool = False) -> int:
    """Write the report of a run folder to `page`, and return its bytes; `void_too`: with void links, marked."""
    summary = summarise(run, void_too=void_too)
    check(scan(run))  # charts look at more columns than tables do
    content = _page(summary).encode("utf-8", "backslashreplace")
    write_atomically(page, content)
    return len(content)


def _page(summary: Summary) -> str:
    """Return the page."""
    from curserve_results.page.charts import charts
    from curserve_results.page.forme import for_me
    from curserve_results.page.words import exclusions, origin, words

    tables = main_tables(summary)
    here = resources.files("curserve_results.page")
    drawn = charts(summary)
    title = f"curserve-bench: {'VOID ' if summary.void else ''}{summary.manifest.run}"
    body = Template((here / "page.html").read_text("utf-8")).substitute(
        title=escape_html(title),
        origin=escape_html(origin(summary.manifest)),
        excluded="".join(f"<li>{escape_html(line)}</li>" for line in exclusions(summary, tables)),
        words="".join(f"<p>{escape_html(line)}</p>" for line in words(summary, tables)),
        table=html([_one_table(summary, tables)]),
        notes="".join(f"<li>{escape_html(note)}</li>" for note in tables[-1].notes),
        charts="".join(_figure(number, chart) for number, chart in enumerate(drawn)),
        forme=for_me(summary),
        manifest=_manifest(summary.manifest),
        library=_library(),
        specs=script_json([chart["spec"] for chart in drawn]),
        script=(here / "page.js").read_text("utf-8"),
    )
    return whole_page(title, (here / "page.css").read_text("utf-8"), body, draws=True)


def _one_table(summary: Summary, tables: tuple[Table, ...]) -> Table:
    """Return all rows of all tiers and models in one table, so that they sort and filter together."""
    rows = [
        {"tier": Value(summary.named(link)), "model": Value(model), **row}
        for (link, model, _), table in zip(summary.groups(), tables, strict=True)
        for row in table.rows
    ]
    columns = tables[0].columns
    ordered = (columns[0], Column("tier", "tier"), Column("model", "model"), *columns[1:])
    return Table("main", "Every engine, tier and model", ordered, tuple(rows))


def _figure(number: int, chart: Mapping[str, Any]) -> str:
    """Return the place of one chart; it is drawn when it comes into view."""
    return (
        f'<figure aria-labelledby="caption-{number}">'
        f'<figcaption id="caption-{number}">{escape_html(chart["caption"])}</figcaption>'
        '<div class="controls choices"></div><div class="chart"></div></figure>'
    )


def _manifest(manifest: Manifest) -> str:
    """Return the manifest as a table of names and values."""
    data = {
        **asdict(manifest),
        "machine": {**asdict(manifest.machine), "fingerprint": manifest.machine.fingerprint},
    }
    rows = []
    for name, value in data.items():
        shown = "<br>".join(escape_html(line) for line in _lines(value))
        rows.append(f'<tr><th scope="row">{escape_html(name.replace("_", " "))}</th><td>{shown}</td></tr>')
    return "".join(rows)


def _lines(value: object) -> list[str]:
    """Return a value of the manifest as lines to read: one an entry."""
    if isinstance(value, Mapping) and value:
        return [f"{key}: {_brief(entry)}" for key, entry in value.items()]
    if isinstance(value, list | tuple) and any(isinstance(entry, Mapping) for entry in value):
        return [_brief(entry) for entry in value]
    return [_brief(value)]


def _brief(value: object) -> str:
    """Return a value on one line, without the marks that only a program needs."""
    if isinstance(value, Mapping):
        return ", ".join(f"{str(key).replace('_', ' ')} {_brief(entry)}" for key, entry in value.items()) or "–"
    if isinstance(value, list | tuple):
        return " ".join(map(_brief, value)) or "–"
    return "–" if value is None else ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _library() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script."""
    try:
        import vl_convert
        from altair.utils._importers import vl_version_for_vl_convert
    except ImportError as error:
        raise ResultsError(
            f"report --html: {error.name} is not installed; pip install 'curserve-bench[figures]'"
        ) from None
    bundle: str = vl_convert.javascript_bundle(
        "window.vegaEmbed = vegaEmbed;", vl_version=vl_version_for_vl_convert()
    )
    return bundle.replace("</script", "<\\/script")
