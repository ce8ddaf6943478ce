"""Two revisions in turns on one machine: the strong form of the gate. Main names: `arm_of`, `interleave`.

Each arm is a `curserve-bench` program in its own environment. A round runs the same plan A B B A, so that a linear
drift cancels and each arm meets itself once: that pair is the A/A noise.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from curserve_harness.console.exits import INCONCLUSIVE, BadInput, ExecutionFailed, Inconclusive, SetupFailed
from curserve_harness.run.run_folder import remove, scratch
from curserve_results.load.waiting import any_void

ORDER = "abba"
TRIES = 3
"""How often a run is made before what is void in it ends the gate."""


def own_program() -> Path:
    """Return the program of this environment: the candidate."""
    return Path(sys.executable).with_name("curserve-bench")


@contextlib.contextmanager
def arm_of(against: str) -> Iterator[Path]:
    """Give the baseline's program: `git:REVISION` is checked out and built aside, `program:PATH` is there."""
    kind, _, value = against.partition(":")
    if kind == "program" and value:
        path = Path(value)
        if not path.is_file():
            raise BadInput(f"--against {against}: no such program; give the path of a curserve-bench")
        yield path.resolve()
    elif kind == "git" and value and not value.startswith("-"):
        with scratch() as folder, _checkout(value, folder / "baseline") as tree:
            yield _build(value, tree)
    else:
        raise BadInput(f"--against {against!r}: expected git:REVISION or program:PATH")


@contextlib.contextmanager
def _checkout(revision: str, folder: Path) -> Iterator[Path]:
    """Give a worktree of `revision`, removed at the end."""
    done = subprocess.run(
        ["git", "worktree", "add", "--detach", str(folder), revision], capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr.splitlines() or ["failed"])[-1]
        raise BadInput(f"--against git:{revision}: {said}; give a revision of this repository")
    try:
        yield folder
    finally:
        remove(folder)
        subprocess.run(["git", "worktree", "prune"], capture_output=True, check=False)


def _build(revision: str, tree: Path) -> Path:
    """Set up the environment of a checked-out revision and return its program."""
    if shutil.which("make") is None:
        raise SetupFailed("gate: make is not found, and a revision is built with it; install make")
    _lend_build(tree)
    log = tree / "setup.log"
    with log.open("wb") as out:
        done = subprocess.run(["make", "-C", str(tree), "setup"], stdout=out, stderr=out, check=False)
    if done.returncode:
        last = (log.read_text(errors="replace").splitlines() or ["no output"])[-1]
        raise SetupFailed(f"gate: building {revision} failed: {last}")
    return tree / ".venv" / "bin" / "curserve-bench"


def _lend_build(tree: Path) -> None:
    """Copy what this checkout has compiled, so that the revision compiles only its own crates (half the time)."""
    asked = ["git", "rev-parse", "--show-toplevel"]
    top = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    compiled = Path(top) / "core" / "target"
    if top and compiled.is_dir() and (tree / "core").is_dir():
        subprocess.run(["cp", "-a", "--reflink=auto", compiled, tree / "core" / "target"], check=False)


def interleave(
    baseline: Path, candidate: Path, arguments: Sequence[str], *, rounds: int, seed: int, out: Path
) -> Iterator[tuple[str, int, Path]]:
    """Run a verb with its options in turns, A B B A a round, and yield (arm, round, run folder) as each run ends.

    Both arms of a round follow the same seed, so the same plan.
    """
    for number in range(rounds):
        for place, arm in enumerate(ORDER):
            program = baseline if arm == "a" else candidate
            command = [str(program), *arguments, "--seed", str(seed + number)]
            name = f"{'baseline' if arm == 'a' else 'candidate'}, round {number}"
            yield arm, number, _done(command, name, out / f"round-{number:02d}-{place}-{arm}")


def _done(command: Sequence[str], name: str, folder: Path) -> Path:
    """Run one arm once and return its run folder; one that was void is repeated, in a folder of its own.

    One void link of sixteen would otherwise waste the others: a busy moment of the machine is nobody's regression.
    So would one engine of a load that is void.
    """
    for attempt in range(TRIES):
        at = folder if not attempt else folder.with_name(f"{folder.name}-again-{attempt}")
        done = subprocess.run(
            [*command, "--out", str(at)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
        )
        void = any_void(at) if done.returncode == 0 else None
        if done.returncode != INCONCLUSIVE and void is None:
            break
    said = void or (done.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
    if done.returncode == INCONCLUSIVE or void is not None:
        raise Inconclusive(f"gate: {name}: void {TRIES} times: {said}; repeat on a quieter machine")
    if done.returncode:
        raise ExecutionFailed(f"gate: {name}: exit code {done.returncode}: {said}")
    return at
