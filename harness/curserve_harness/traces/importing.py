"""`trace import`: an account on the command line of what every source gave, and why something was dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from curserve_harness.console import exits
from curserve_traces.importers import formats, importer_of
from curserve_traces.importers.run import Outcome, import_path


def new_folder(out: Path) -> Path:
    """Return `out` as a folder that is there and empty; nothing is ever overwritten."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise exits.BadInput(f"{out} exists and is not empty; name a new folder with --out")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise exits.BadInput(f"{out}: cannot be made ({error.strerror}); name another folder with --out") from None
    return out


def import_all(path: str, format_name: str, out: Path, limit: int | None, say: Callable[[str], None]) -> int:
    """Import `path` into `out`, say what became of each source, and return the exit code."""
    if format_name != "auto" and format_name not in formats():
        importer_of(format_name)  # raises, naming those there are
    kept: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    refused = 0
    for outcome in _outcomes(path, format_name, out, limit):
        if outcome.refused is not None:
            refused += 1
            say(f"refused: {outcome.refused}")
        if (copy := outcome.copy) is not None:
            lost = copy.lost
            gone = {"traces": int(copy.whole), "turns": lost.turns, "calls": lost.calls, "answered": lost.answered}
            kept.subtract(gone)
            dropped["call that another file of this import has (a copy)"] += lost.calls
            what = "a copy, withdrawn" if copy.whole else "begins behind what it shares"
            say(f"{outcome.source}: {what}: {lost.turns} turns, {lost.calls} calls stand in {copy.of.name}")
        for target, report in outcome.imported:
            kept.update(traces=1, turns=report.turns, calls=report.calls, answered=report.answered)
            dropped.update(report.dropped)
            say(f"{outcome.source}: {report.format}, {report.turns} turns, {report.calls} calls → {target.name}")
            for note in report.notes:
                say(f"  {note}")
    total = f"{kept['traces']} traces, {kept['turns']} turns, {kept['calls']} calls"
    say(f"kept: {total}, {kept['answered']} of them answered; in {out}")
    for reason, count in dropped.most_common():
        say(f"dropped: {count} × {reason}")
    if refused:
        say(f"refused: {refused} sources, for the reasons above")
    return exits.PASS if kept["traces"] else exits.BAD_INPUT


def _outcomes(path: str, format_name: str, out: Path, limit: int | None) -> Iterator[Outcome]:
    if path.startswith("hf://"):
        from curserve_traces.importers.hugging_face import import_rows

        return import_rows(path, out, limit)
    return import_path(Path(path), out, format_name)
