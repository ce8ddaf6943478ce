"""Proof: public test suites of programs like those that the daemon imitates, as inputs.

Only trees and command lines are taken, from suites under permissive licences: ripgrep (MIT or Unlicense), uutils
(MIT), toybox and bfs (0BSD). What is right is what the programs of this machine answer. The suites are no part of
the project: CURSERVE_SUITES names a folder with their repositories, `ripgrep`, `coreutils`, `toybox` and `bfs`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from public_suites.cases import Case
from public_suites.rust import ripgrep, uutils
from public_suites.shells import bfs, toybox

from curserve_engines.client import Client

Receipt = Callable[[str, dict[str, object]], None]
BINARY = Path(sys.executable).with_name("curserve")
PROGRAMS = frozenset(
    "awk basename cat cut diff dirname echo find grep head ls nl printf sed seq "
    "sort tac tail test tr tree uniq wc xargs".split()
)
SUITES = os.environ.get("CURSERVE_SUITES")

pytestmark = [
    pytest.mark.prove,
    pytest.mark.timeout(7200),
    pytest.mark.skipif(SUITES is None, reason="CURSERVE_SUITES names no folder with the suites"),
]

ENVIRONMENT = {
    "PATH": f"/usr/local/bin:/usr/bin:/bin:{BINARY.parent}",
    "LC_ALL": "C.UTF-8",
    "HOME": "/nonexistent",
}


class Place:
    """A tree with a daemon over it."""

    def __init__(self, case: Case) -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="suites.")
        above = Path(self._scratch.name).resolve()
        self.root = case.tree.place(above / "root").resolve()
        socket = above / "s"
        self._daemon = subprocess.Popen(
            [BINARY, "serve", "--socket", socket, "--root", self.root], env=ENVIRONMENT
        )
        while not socket.exists():
            time.sleep(0.002)
        self.client = Client(socket)
        while not self.client.stats().get("loaded"):
            time.sleep(0.002)

    def close(self) -> None:
        """End the daemon; remove the tree."""
        self.client.close()
        self._daemon.kill()
        self._daemon.wait()
        subprocess.run(["chmod", "-R", "u+rwX", self.root], check=False, capture_output=True)
        self._scratch.cleanup()

    def compare(self, command: str) -> tuple[str, str | None]:
        """Say what became of the command: `refused` and why, `identical`, or `different` and how."""
        answer = self.client.call("bash", {"command": command}, cwd=str(self.root), timeout_ms=20_000)
        if answer.refused is not None:
            return "refused", answer.refused
        given = (answer.exit_code, answer.stdout, answer.stderr)
        try:
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=self.root,
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=30,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return "unjudged", None
        real = (done.returncode, done.stdout, done.stderr)
        if given == real or ("rg" in command and _unordered(given) == _unordered(real)):
            return "identical", None
        return "different", f"{command}\n  here {given}\n  real {real}"


def _unordered(answer: tuple[int | None, bytes, bytes]) -> tuple[object, ...]:
    return answer[0], sorted(answer[1].split(b"\n")), sorted(answer[2].split(b"\n"))


def cases(scratch: Path) -> Iterator[Case | None]:
    """Yield every case of every suite; None for one that could not be read."""
    assert SUITES is not None
    places = {name: Path(SUITES, name) for name in ("ripgrep", "coreutils", "toybox", "bfs")}
    yield from ripgrep(places["ripgrep"])
    yield from uutils(places["coreutils"], scratch / "uutils", PROGRAMS)
    yield from toybox(places["toybox"], scratch, PROGRAMS)
    yield from bfs(places["bfs"], scratch)


def test_commands_of_public_suites_are_answered_as_here(receipt: Receipt, tmp_path: Path) -> None:
    groups: dict[str, list[Case]] = {}
    unread = 0
    for case in cases(tmp_path):
        if case is None:
            unread += 1
        else:
            groups.setdefault(case.tree.key(), []).append(case)
    outcomes: dict[str, Counter[str]] = {}
    reasons: Counter[str] = Counter()
    wrong = []
    for group in groups.values():
        place = Place(group[0])
        try:
            for case in group:
                outcome, what = place.compare(case.command)
                outcomes.setdefault(case.suite, Counter())[outcome] += 1
                if outcome == "refused":
                    reasons[str(what)[:80]] += 1
                elif outcome == "different":
                    wrong.append(f"{case.suite}: {what}")
        finally:
            place.close()
    figures: dict[str, object] = {
        "suites": {suite: dict(counts) for suite, counts in sorted(outcomes.items())},
        "trees": len(groups),
        "not read": unread,
        "refused": dict(reasons.most_common(60)),
    }
    receipt("public-suites", figures)
    assert not wrong, "\n".join(wrong)
