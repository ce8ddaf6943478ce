"""A program of another version than the daemon knows is left alone as a whole."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from daemon import running

from curserve_engines import imitated, programs


def _fake(folder: Path, program: str, says: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / program
    path.unlink(missing_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


def test_programs_are_asked_for_their_versions_once_until_they_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The `rg` of sessions is asked beside those of the system; what it says is kept for the next time."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    curserve = programs.need("curserve", "test")
    rg = _fake(tmp_path / "bin", "rg", "ripgrep 15.9.9")
    assert "rg" not in imitated.ask(curserve, f"--rg={rg}")
    kept = json.loads((tmp_path / "cache/curserve/versions.json").read_text())
    assert kept[str(rg)]["said"] == "ripgrep 15.9.9"
    _fake(tmp_path / "bin", "rg", "ripgrep 14.1.0")
    assert "14.1.0" in imitated.ask(curserve, f"--rg={rg}")["rg"]
    rg.unlink()
    assert "not installed" in imitated.ask(curserve, f"--rg={rg}")["rg"]


def test_the_daemon_leaves_a_program_of_another_version_alone(tmp_path: Path) -> None:
    """All of its calls, in a pipeline too; other programs are answered."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "f").write_text("x\n")
    why = {"grep": "grep says 'grep (GNU grep) 3.11'"}
    with running(root, tmp_path / "s", f"--unknown={json.dumps(why)}") as (client, _):
        for command in ("grep x f", "cat f | grep x", "find . -exec grep x {} +"):
            refused = client.call("bash", {"command": command}).refused
            assert refused is not None and "3.11" in refused
        assert client.call("bash", {"command": "cat f"}).stdout == b"x\n"
    with running(root, tmp_path / "t", '--unknown={"bash": "5.3"}') as (client, _):
        assert "5.3" in (client.call("bash", {"command": "cat f"}).refused or "")


def test_a_daemon_that_nobody_tells_asks_by_itself(tmp_path: Path) -> None:
    """Until it knows, it is not loaded; what it was told is kept."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "f").write_text("x\n")
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    with running(root, tmp_path / "s", env=environment) as (client, _):
        assert client.call("bash", {"command": "grep x f"}).stdout == b"x\n"
    assert (tmp_path / "cache/curserve/versions.json").exists()


def test_what_is_no_object_of_reasons_is_a_misuse(tmp_path: Path) -> None:
    """The message says what was expected."""
    words = [str(programs.need("curserve", "test")), "serve", "--root", str(tmp_path), "--unknown=[1]"]
    said = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert said.returncode == 2
    assert "expected an object of programs and reasons" in said.stderr
