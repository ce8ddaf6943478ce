"""Two revisions in turns: the order of the arms, the verb that both run, and what is run again."""

from pathlib import Path

import pytest
from made_loads import Session, write_load

from curserve_harness.console.exits import Inconclusive
from curserve_harness.gate.revisions import TRIES, interleave


def arm(folder: Path, name: str, made: Path) -> Path:
    """Return a program that notes what it was asked, and leaves a copy of the run `made`."""
    program = folder / name
    lines = (
        "#!/bin/bash",
        f'echo "{name} $*" >> {folder}/asked',
        f'mkdir -p "${{@: -1}}"; cp -r {made}/. "${{@: -1}}"',
    )
    program.write_text("\n".join(lines) + "\n")
    program.chmod(0o755)
    return program


def sessions(engine: str, repetition: int, phase: str = "measured") -> list[Session]:
    return [Session(0, [(10, 100, 5)], phase=phase, more={"reason": "cores"} if phase == "void" else {})]


def test_both_arms_run_the_same_load_in_turns(tmp_path: Path) -> None:
    made = write_load(tmp_path / "made", sessions)
    arms = [arm(tmp_path, name, made) for name in ("old", "new")]
    done = list(interleave(*arms, ("load", "--sessions", "3"), rounds=2, seed=5, out=tmp_path / "out"))
    assert [(place, number) for place, number, _ in done] == [(a, n) for n in (0, 1) for a in "abba"]
    asked = (tmp_path / "asked").read_text().splitlines()
    assert [line.split(" --out")[0] for line in asked] == [
        f"{name} load --sessions 3 --seed {seed}" for seed in (5, 6) for name in ("old", "new", "new", "old")
    ]
    assert all((folder / "manifest.json").exists() for _, _, folder in done)


def test_a_load_with_a_void_cell_is_run_again_and_then_decides_nothing(tmp_path: Path) -> None:
    def partly(engine: str, repetition: int) -> list[Session]:
        return sessions(engine, repetition, "void" if engine == "client-subprocess" else "measured")

    program = arm(tmp_path, "old", write_load(tmp_path / "made", partly))
    with pytest.raises(Inconclusive, match=f"void {TRIES} times: cores"):
        next(interleave(program, program, ("load",), rounds=1, seed=1, out=tmp_path / "out"))
    assert len((tmp_path / "asked").read_text().splitlines()) == TRIES
