"""`curserve-bench bench search`: search engines by corpus size and hit density, as tables and a figure."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import click

from curserve_harness.cli.numbers import SEED
from curserve_harness.console.exits import BadInput, SetupFailed

_UNITS = {"kB": 10**3, "MB": 10**6, "GB": 10**9}
NAMES = ("rg", "grep", "ugrep", "csearch", "fff", "daemon", "in-process")


@click.command()
@click.argument("source", required=False, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--sizes", default="1MB,10MB,100MB,all", show_default=True, help="Corpora: samples of SOURCE this large."
)
@click.option(
    "--engine", "engines", multiple=True, type=click.Choice(NAMES), help="Default: all; repeat for several."
)
@click.option(
    "--rounds", type=click.IntRange(1, 1000), default=9, show_default=True, help="Rounds; intervals from 8 on."
)
@click.option("--pattern", "texts", multiple=True, help="A regex, in place of words picked by density.")
@click.option("--no-literal", is_flag=True, help="The fixed eight regexes without a literal, in place of words.")
@click.option("--quick", is_flag=True, help="1 MB and 10 MB, three rounds: a minute.")
@click.option("--seed", type=SEED, default=1, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="Keep search.json here, and draw the figure.")
@click.option(
    "--format", "form", type=click.Choice(["table", "markdown", "latex", "csv", "json"]), default="table"
)
def search(
    source: Path | None,
    sizes: str,
    engines: Sequence[str],
    rounds: int,
    texts: Sequence[str],
    no_literal: bool,
    quick: bool,
    seed: int,
    out: Path | None,
    form: str,
) -> None:
    """Compare search engines on samples of SOURCE (default: the Linux kernel from Debian's linux-source).

    Engines take turns in random order; every answer is compared with rg's; at the end a file is saved and one
    made, and the very next query must find both. Peers that are not installed are named. The samples lie
    below TMPDIR meanwhile.
    """
    from curserve_harness.bench.search import bench
    from curserve_harness.bench.search.corpora import kernel_source
    from curserve_harness.bench.search.patterns import Pattern, regexes
    from curserve_harness.machine.facts import machine
    from curserve_results.files import write_atomically
    from curserve_results.render import render_tables
    from curserve_results.search import FILE, SCHEMA, tables
    from curserve_traces import scratch
    from curserve_traces.workspace import cache_folder

    if quick:
        sizes, rounds = "1MB,10MB", 3
    wanted = [_size(text) for text in sizes.split(",")]
    folder = source or kernel_source(cache_folder())
    chosen = [Pattern("given", text, literal=False) for text in texts] + (regexes() if no_literal else [])
    # Not beside --out: within a checkout rg heeds the ignore rules above, and the daemon leaves such a tree to it.
    with scratch.folder("search") as place:
        outcome = bench(
            folder, sizes=wanted, engines=engines or NAMES, rounds=rounds, seed=seed, scratch=place,
            chosen=chosen, say=lambda line: click.echo(line, err=True),
        )  # fmt: skip
    here = machine()
    outcome |= {"schema": SCHEMA, "source": folder.name, "seed": seed, "rounds": rounds}
    outcome["machine"] = {
        "kernel": here.kernel,
        "cpu": here.cpu,
        "cores": here.cores,
        "load_1min": os.getloadavg()[0],
    }
    if out is not None:
        try:
            out.mkdir(parents=True, exist_ok=True)
            write_atomically(out / FILE, (json.dumps(outcome, indent=1) + "\n").encode())
            if not any(find_spec(package) is None for package in ("matplotlib", "seaborn")):
                from curserve_results.figures import write_figures

                write_figures([out], out)
        except OSError as error:
            raise SetupFailed(f"bench search: cannot write into {out}: {error}") from error
    click.echo(render_tables(tables(outcome), form), nl=False)


def _size(text: str) -> int | None:
    """Return bytes for `10MB`; None for `all`."""
    if text.strip() == "all":
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(kB|MB|GB)", text.strip())
    if match is None:
        raise BadInput(
            f"bench search: --sizes {text!r}: expected sizes such as 10MB (kB, MB, GB) or all, by commas"
        )
    return round(float(match[1]) * _UNITS[match[2]])
