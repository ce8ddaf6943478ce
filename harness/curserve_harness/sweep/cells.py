"""One cell of a sweep, run to its end in a folder that is renamed when it is whole. Main names: `run_cell`, Done.

What was begun and not finished stands under a name that nobody reads, and is swept; so a cell that is run
again, because its machine was lost, is a new sample, and never half of one and half of the other.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from curserve_harness.machine.facts import machine
from curserve_harness.sweep.plan import Cell
from curserve_results.files import write_atomically

DONE = "cell.json"
_PART = ".part-"


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a cell: its folder below the sweep's, where it ran, and its exit code with its last line."""

    number: int
    folder: str
    arguments: tuple[str, ...]
    machine: str
    fingerprint: str
    code: int
    said: str
    attempt: str


def run_cell(cell: Cell, sweep: Path, more: Sequence[str] = ()) -> Done:
    """Run a cell unless it is there already; return what came of it, an exit code if it broke."""
    sweep.mkdir(parents=True, exist_ok=True)
    final = sweep / cell.name
    if (final / DONE).is_file():
        return read_done(final)
    attempt = uuid.uuid4().hex[:12]
    part = sweep / f"{_PART}{cell.name}-{attempt}"
    command = [sys.executable, "-m", "curserve_harness", *cell.command(part / "run", more)]
    part.mkdir()
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
    here = machine()
    name = f"{os.uname().nodename} ({here.cpu}, {here.cores} cores)"
    came = Done(
        cell.number, cell.name, tuple(cell.command(Path("run"), more)), name, here.fingerprint, done.returncode,
        lines[-1][:500] if lines else "", attempt,
    )  # fmt: skip
    write_atomically(part / DONE, (json.dumps(asdict(came), indent=1) + "\n").encode())
    try:
        part.rename(final)
    except OSError:  # another attempt was faster: its sample stands, this one is thrown away
        shutil.rmtree(part, ignore_errors=True)
        return read_done(final)
    return came


def read_done(folder: Path) -> Done:
    """Read what came of a finished cell."""
    data = json.loads((folder / DONE).read_text())
    return Done(**{**data, "arguments": tuple(data["arguments"])})


def sweep_parts(sweep: Path) -> int:
    """Remove what was begun and never finished, when no cell of the sweep runs; return how many there were."""
    parts = [path for path in sweep.glob(f"{_PART}*") if path.is_dir() and not path.is_symlink()]
    for part in parts:
        shutil.rmtree(part, ignore_errors=True)
    return len(parts)
