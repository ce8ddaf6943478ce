"""`curserve-bench trace …`: import, list, show, validate, summarise, mask, export, check and record traces."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from curserve_harness.cli.granting import grant_options
from curserve_harness.cli.numbers import SEED
from curserve_harness.cli.sandboxing import sandbox_option
from curserve_harness.console import exits, terminal

_EXISTING = click.Path(path_type=Path)


@click.group()
def command() -> None:
    """Read, write, record and check traces: what agents did, turn by turn."""


def _say(text: str) -> None:
    """Say one line: names from a trace add no others."""
    click.echo(terminal.line(text))


def _traces_of(suite: str | None, paths: tuple[Path, ...]) -> list[Path]:
    """Return trace files: those of a suite, files as given, and the trace files below folders."""
    from curserve_traces import suites
    from curserve_traces.beneath import Folder
    from curserve_traces.codec import SUFFIXES

    found = list(suites.files(suite)) if suite else []
    for path in paths:
        if path.is_dir():
            with Folder.at(path) as folder:  # of any depth, and without following a link in it
                inside = [found.path for found in folder.walk(unread=lambda _path, _error: None)]
            found += sorted(path / name for name in inside if name.endswith(SUFFIXES))
        else:
            found.append(path)
    if not found:
        raise exits.BadInput("no trace given; name files or folders, or --suite NAME (curserve-bench trace list)")
    return found


@command.command("import")
@click.argument("path")
@click.option(
    "--from", "format_name", default="auto", show_default=True, help="The format; `auto` sniffs each file."
)
@click.option("--out", required=True, type=_EXISTING, help="A new or empty folder for the native files.")
@click.option("--limit", type=click.IntRange(1, 10_000_000), help="Rows to take from an hf:// data set.")
def import_(path: str, format_name: str, out: Path, limit: int | None) -> None:
    """Import recordings at PATH (file, folder, zip, hf://owner/data-set) as native files; say what was kept."""
    from curserve_harness.traces.importing import import_all, new_folder

    sys.exit(import_all(path, format_name, new_folder(out), limit, _say))


@command.command("list")
def list_() -> None:
    """List the bundled suites and their traces."""
    from curserve_traces import suites

    for name in suites.names():
        traces = suites.load_suite(name)
        _say(f"{name}: {len(traces)} traces, {sum(len(t.turns) for t in traces)} turns")
        for trace in traces:
            place = trace.workspace
            calls = sum(1 for _ in trace.calls())
            _say(f"  {trace.id}: {len(trace.turns)} turns, {calls} calls, {place.source} {place.version}")


@command.command()
@click.argument("paths", nargs=-1, type=_EXISTING)
@click.option("--suite", help="A bundled suite.")
def validate(paths: tuple[Path, ...], suite: str | None) -> None:
    """Check native files against the published schema of ATIF and against our own; exit 1 where one fails."""
    from curserve_harness.traces.views import validate_files

    sys.exit(validate_files(_traces_of(suite, paths), _say))


@command.command()
@click.argument("path", type=_EXISTING)
@click.option("--turn", type=click.IntRange(0), help="Only this turn, with its whole outputs.")
def show(path: Path, turn: int | None) -> None:
    """Show a trace turn by turn: what the model said, asked for and was shown."""
    from curserve_harness.traces.views import describe
    from curserve_traces.codec import load

    for text in describe(load(path), turn):
        click.echo(text if turn is not None else terminal.line(text))


@command.command()
@click.argument("paths", nargs=-1, type=_EXISTING)
@click.option("--suite", help="A bundled suite.")
@click.option("--html", type=_EXISTING, help="Write the tables to this HTML file as well.")
@click.option("--format", "form", type=click.Choice(["table", "markdown", "json", "csv"]), default="table")
def stats(paths: tuple[Path, ...], suite: str | None, html: Path | None, form: str) -> None:
    """Summarise traces (files, folders, or Parquet from export and synthesise): programs, shapes, sizes, times."""
    from curserve_harness.traces.views import statistics_of

    given = (
        list(paths) if any(p.suffix == ".parquet" or _has_parquet(p) for p in paths) else _traces_of(suite, paths)
    )
    for line in statistics_of(given, form, html):
        click.echo(line)


def _has_parquet(path: Path) -> bool:
    return path.is_dir() and next(path.glob("*.parquet"), None) is not None


@command.command()
@click.argument("path", type=_EXISTING)
@click.option("--out", required=True, type=_EXISTING, help="The new trace file.")
def anonymise(path: Path, out: Path) -> None:
    """Mask secrets, home folders and e-mail addresses of a trace in a copy; say what was found."""
    from curserve_traces.anonymise import anonymise as mask
    from curserve_traces.codec import load, save

    if out.exists():
        raise exits.BadInput(f"{out} exists; name a new file with --out")
    masked, found = mask(load(path))
    save(masked, out)
    _say(f"{out}: " + (", ".join(f"{n} × {name}" for name, n in found.most_common()) or "nothing to mask"))


@command.command()
@click.argument("paths", nargs=-1, type=_EXISTING)
@click.option("--suite", help="A bundled suite.")
@click.option("--to", "form", required=True, type=click.Choice(["parquet", "aiperf", "mlperf"]))
@click.option("--out", required=True, type=_EXISTING, help="The new file.")
def export(paths: tuple[Path, ...], suite: str | None, form: str, out: Path) -> None:
    """Write traces as Parquet (a row a call), or as sessions that AIPerf or MLPerf replay."""
    from curserve_traces.codec import load
    from curserve_traces.export import export as export_traces

    if out.exists():
        raise exits.BadInput(f"{out} exists; name a new file with --out")
    done = export_traces((load(path) for path in _traces_of(suite, paths)), form, out)
    _say(f"{out}: {done.traces} traces")
    for reason, count in (+done.left_out).most_common():
        _say(f"left out: {count} × {reason}")


@command.command()
@click.option(
    "--count", default=1000, show_default=True, type=click.IntRange(1, 10_000_000), help="How many traces."
)
@click.option("--seed", default=0, show_default=True, type=SEED)
@click.option("--out", required=True, type=_EXISTING, help="A new or empty folder for Parquet files.")
def synthesise(count: int, seed: int, out: Path) -> None:
    """Make synthetic calls with the distributions of real sessions, as Parquet, for scale; nothing of it runs."""
    from curserve_harness.traces.importing import new_folder
    from curserve_traces.synthetic import write

    _say(f"{out}: {count} traces, {write(new_folder(out), count, seed)} calls")


@command.command()
@click.argument("script", type=_EXISTING)
@click.option("--out", required=True, type=_EXISTING, help="The trace file to write (.json, .json.gz, .json.zst).")
@click.option("--root", type=_EXISTING, help="The unpacked workspace, where it is already at hand.")
@sandbox_option
@grant_options
def perform(
    script: Path, out: Path, root: Path | None, sandbox: str, offline: bool, allow_source: tuple[str, ...]
) -> None:
    """Do the turns of SCRIPT (TOML) for real, on its pinned package, and record them."""
    from curserve_harness.console.progress import say
    from curserve_harness.traces.perform import perform as perform_script
    from curserve_harness.traces.perform import read_script
    from curserve_traces.codec import save
    from curserve_traces.grants import Grants

    trace = perform_script(read_script(script), Grants(root, allow_source, offline, say), sandbox=sandbox)
    save(trace, out)
    _say(f"{out}: {len(trace.turns)} turns, {sum(1 for _ in trace.calls())} calls")


@command.command(context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND...")
@click.option("--workspace", default=".", type=_EXISTING, help="The folder that the agent starts and works in.")
@click.option("--out", required=True, type=_EXISTING, help="The new trace file (.json, .json.gz, .json.zst).")
@click.option("--upstream", help="The model's server [default: $OPENAI_BASE_URL, else OpenAI's].")
@click.option("--agent", help="The agent's name in the trace [default: the program's].")
def record(words: tuple[str, ...], workspace: Path, out: Path, upstream: str | None, agent: str | None) -> None:
    """Run any agent and record its session: every shell, rg and grep call, and every turn of its model.

    The agent finds the model through OPENAI_BASE_URL; `{base_url}` in its words is the same address.
    """
    from curserve_harness.traces.record.to_file import record_to

    record_to(words, workspace, out, upstream, agent, _say)


@command.command()
@click.argument("paths", nargs=-1, type=_EXISTING)
@click.option("--suite", help="A bundled suite.")
@click.option(
    "--workspace",
    "--root",
    "root",
    type=_EXISTING,
    help="The folder that the traces work on, in place of their own.",
)
@click.option("--engine", default="client-subprocess", show_default=True, help="What executes the calls.")
@click.option("--verbose", is_flag=True, help="Show every call, not only those that differ.")
@sandbox_option
@grant_options
def check(
    paths: tuple[Path, ...],
    suite: str | None,
    root: Path | None,
    engine: str,
    verbose: bool,
    sandbox: str,
    offline: bool,
    allow_source: tuple[str, ...],
) -> None:
    """Execute every call of traces again and compare with what was recorded; exit 1 where one differs."""
    from collections import Counter

    from curserve_harness.console.progress import say
    from curserve_harness.traces.check import check as check_trace
    from curserve_traces.codec import load
    from curserve_traces.errors import WorkspaceError
    from curserve_traces.grants import Grants

    grants = Grants(root, allow_source, offline, say)
    totals: Counter[str] = Counter()
    for path in _traces_of(suite, paths):
        try:
            for row in check_trace(load(path), grants=grants, engine=engine, sandbox=sandbox):
                totals[row.verdict] += 1
                if verbose or row.verdict == "different":
                    line = row.command.replace("\n", "\\n")[:90]
                    _say(
                        f"{row.verdict}: {row.trace} {row.turn}.{row.call} {line}"
                        + (f" ({row.reason})" if row.reason else "")
                    )
        except WorkspaceError as error:
            raise type(error)(f"{path}: {error}") from None
    _say(", ".join(f"{count} {verdict}" for verdict, count in sorted(totals.items())) or "no calls")
    sys.exit(exits.FAIL if totals["different"] else exits.PASS)
