"""Kills one process of a running replay: `kill_one` says how it ended, how long it took, and what was left "
"behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from processes import marked

KINDS: dict[str, Callable[[bytes], bool]] = {
    "keeper": lambda words: b"curserve_netem.keeper" in words,
    "client": lambda words: b"curserve_harness.roles.client" in words,
    "server": lambda words: b"curserve_harness.roles.server" in words,
    "bwrap": lambda words: b"--unshare" in words or words.startswith(b"bwrap") or b"/bwrap\0" in words,
    "worker": lambda words: b"\0worker\0" in words and b"--unshare" not in words,
    "daemon": lambda words: b"\0serve\0" in words and b"--unshare" not in words,
}
"""The processes of a run, by what their command line has in it."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended whose process was killed: `waited_s` from the kill to its end, `left` what was still "
    "there."""

    code: int
    said: str
    waited_s: float
    left: list[object]


def descendants(root: int) -> dict[int, bytes]:
    """Return the processes below `root` with their command lines, whatever environment they have."""
    parents, words = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text()
            words[int(folder.name)] = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
    found: set[int] = {root}
    while grown := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= grown
    return {pid: words[pid] for pid in found - {root} if pid in words}


def start(arguments: Sequence[object], temporary: Path, out: Path) -> subprocess.Popen[str]:
    """Start a replay, and return when its first block is written."""
    process = subprocess.Popen(
        [sys.executable, "-m", "curserve_harness", "replay", *map(str, arguments), "--out", str(out)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    deadline = time.monotonic() + 120
    while not list(out.glob("samples/block-*")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


def kill_one(kind: str, arguments: Sequence[object], folder: Path, chance: random.Random) -> Ending:
    """Run a replay in `folder`, kill -9 a process of a kind at a random moment, and wait for the run's end."""
    out, temporary = folder / "run", folder / "temporary"
    temporary.mkdir()
    process = start(arguments, temporary, out)
    try:
        time.sleep(chance.uniform(0, 1))
        deadline = time.monotonic() + 60
        while True:
            before = descendants(process.pid)
            victims = [pid for pid, words in before.items() if KINDS[kind](words)]
            if victims:
                try:
                    os.kill(chance.choice(victims), signal.SIGKILL)
                    break
                except ProcessLookupError:
                    continue
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, f"no {kind} was seen"
        killed = time.monotonic()
        _, said = process.communicate(timeout=120)
        waited = time.monotonic() - killed
    except BaseException:
        process.kill()
        raise
    deadline = time.monotonic() + 5
    while (left := _left(before, temporary)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return Ending(process.returncode, said, waited, left)


def _left(before: dict[int, bytes], temporary: Path) -> list[object]:
    """Return what of a run is still there: processes that it had, and what lies in its TMPDIR."""
    running: list[object] = list(marked(temporary))
    for pid, words in before.items():
        try:
            if words and Path(f"/proc/{pid}/cmdline").read_bytes() == words:
                running.append((pid, words))
        except OSError:
            continue
    return running + list(temporary.iterdir())
