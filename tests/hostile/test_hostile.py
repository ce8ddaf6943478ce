"""The corpus is held: as root and as an ordinary user, in every sandbox, in every engine.

CI plays a sample of each kind; `make prove` plays all of it and leaves a receipt. Where root plays, each pass has own
mounts, processes and network, and the ordinary one a user of its own; an ordinary user plays on the machine itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import corpus
import pytest
from receipts import write_receipt

RUNNER = Path(__file__).with_name("runner.py")
USERS = ("root", "ordinary") if os.geteuid() == 0 else ("ordinary",)


def played(report: Path, *words: str, timeout_s: int) -> list[dict[str, object]]:
    """Play attacks and return a row for each: its name, and what was wrong."""
    done = subprocess.run(
        [sys.executable, str(RUNNER), "--report", str(report), *words],
        capture_output=True, text=True, timeout=timeout_s, check=False,
    )  # fmt: skip
    assert report.exists(), done.stdout[-2000:] + done.stderr[-2000:]
    return [json.loads(line) for line in report.read_text().splitlines()]


def broken(rows: list[dict[str, object]]) -> str:
    """Return the attacks that were not held, with what went wrong."""
    return "\n".join(
        f"{row['attack']} ({row['user']}, {row['sandbox']}): {row['wrong']}" for row in rows if row["wrong"]
    )


def test_the_corpus_has_every_kind_and_more_than_two_hundred_kin() -> None:
    names = [attack.name for attack in corpus.attacks()]
    assert {name.split(".")[0] for name in names} == {module.__name__ for module in corpus.MODULES}
    assert len(names) > 400


@pytest.mark.timeout(600)
def test_a_sample_of_each_kind_is_held_by_every_user(tmp_path: Path) -> None:
    def play(user: str) -> list[dict[str, object]]:
        return played(tmp_path / user, "--user", user, "--sample", timeout_s=590)

    with ThreadPoolExecutor() as side_by_side:
        rows = [row for rows in side_by_side.map(play, USERS) for row in rows]
    kinds = {str(row["attack"]).split(".")[0] for row in rows}
    assert kinds == {module.__name__ for module in corpus.MODULES} or len(USERS) == 1
    assert not broken(rows), broken(rows)


@pytest.mark.prove
@pytest.mark.timeout(4 * 3600)
def test_all_of_it_is_held(tmp_path: Path) -> None:
    rows = []
    for user in USERS:
        rows += played(tmp_path / user, "--user", user, timeout_s=2 * 3600)
        if user == "ordinary":  # root is refused there, which test_landlock shows
            rows += played(tmp_path / "landlock", "--user", user, "--sandbox", "landlock", timeout_s=3600)
    passes = sorted({(str(row["user"]), str(row["sandbox"])) for row in rows})
    figures = {
        f"{user}, sandbox {sandbox}": {
            "attacks": sum((row["user"], row["sandbox"]) == (user, sandbox) for row in rows),
            "held": sum((row["user"], row["sandbox"]) == (user, sandbox) and not row["wrong"] for row in rows),
        }
        for user, sandbox in passes
    }
    write_receipt("hostile", {**figures, "broken": [row["attack"] for row in rows if row["wrong"]]})
    assert not broken(rows), broken(rows)
