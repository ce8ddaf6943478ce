"""`curserve-bench engines`: what is installed, in which version, and what is missing."""

from __future__ import annotations

import click

from curserve_harness.console import terminal


@click.command(name="engines")
@click.option("--json", "as_json", is_flag=True, help="A JSON line for each engine instead of a table.")
def command(as_json: bool) -> None:
    """List the installed engines, their versions, and what is missing on this machine."""
    import orjson

    from curserve_engines import registry
    from curserve_engines.protocol import EngineError

    rows: list[tuple[str, str, str, str | None]] = []
    for name in registry.names():
        try:
            engine = registry.load(name)
            info = engine.info()
            rows.append((name, engine.placement, info.version, info.missing))
        except EngineError as error:
            rows.append((name, "", "", str(error)))
    if as_json:
        fields = ("engine", "placement", "version", "missing")
        for row in rows:
            click.echo(orjson.dumps(dict(zip(fields, row, strict=True))))
        return
    from rich.table import Table

    table = Table(
        "engine", "placement", "version, or what is missing", box=None, pad_edge=False, padding=(0, 2, 0, 0)
    )
    for name, placement, version, missing in rows:
        table.add_row(name, placement, missing or version)
    terminal.console().print(table)
