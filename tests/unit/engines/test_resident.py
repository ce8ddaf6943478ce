"""A harness in Python asks the daemon that a folder's agents share, and runs the real program otherwise."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from curserve_engines import programs
from curserve_engines.resident import Caller, Done, Resident

CURSERVE = programs.need("curserve", "test")
LINES = ["cat a.txt", "grep -n alpha a.txt; ls nofile", "cd sub && pwd", "echo $0", "nosuch", "ls -la | wc -l"]


@pytest.fixture
def resident(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Resident]:
    """A daemon of one's own, for as long as the test; found by what is in this process's environment."""
    with tempfile.TemporaryDirectory() as runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        monkeypatch.setenv("LC_ALL", "C.UTF-8")
        for name in ("COLUMNS", "LINES"):  # a worker of pytest's has them, and no call is answered with them
            monkeypatch.delenv(name, raising=False)
        found = Resident(root)
        yield found
        found.close()
        _end_daemons(root)


def _end_daemons(root: Path) -> None:
    for entry in Path("/proc").iterdir():
        if (words := _words(entry)) and b"serve" in words and os.fsencode(root) in words:
            os.kill(int(entry.name), signal.SIGKILL)


def _words(entry: Path) -> list[bytes]:
    try:
        return (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
    except OSError:
        return []


def answer(resident: Resident, line: str, caller: Caller) -> Done | None:
    """Ask until the daemon knows the programs of this PATH, for a while."""
    until = time.monotonic() + 20
    while resident.ask("cat a.txt", Caller(caller.environment)) is None and time.monotonic() < until:
        time.sleep(0.02)
    return resident.ask(line, caller)


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("shell", ["bash", "sh", "/bin/bash"])
@pytest.mark.parametrize("merged", [False, True])
def test_an_answer_is_that_of_the_real_program(
    resident: Resident, root: Path, line: str, shell: str, merged: bool
) -> None:
    caller = Caller(dict(os.environ), shell=shell, merged=merged)
    done = answer(resident, line, caller)
    real = subprocess.run(
        [shell, "-c", line], cwd=root, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False,
        stderr=subprocess.STDOUT if merged else subprocess.PIPE,
    )  # fmt: skip
    if done is not None:
        assert (done.exit_code, done.stdout, done.stderr) == (real.returncode, real.stdout, real.stderr or b"")
    assert done is not None or line in ("echo $0", "nosuch", LINES[1])


def test_what_writes_is_left_to_the_real_program(resident: Resident, root: Path) -> None:
    caller = Caller(dict(os.environ))
    assert answer(resident, "echo x > new", caller) is None
    assert answer(resident, "sed -i s/a/b/ a.txt", caller) is None
    assert not (root / "new").exists()
    assert (root / "a.txt").read_text() == "alpha\nbeta\n"


def test_a_program_without_a_shell(resident: Resident) -> None:
    done = answer(resident, "true", Caller(dict(os.environ)))
    assert done == Done(0, b"", b"")
    found = resident.ask(["grep", "-c", "a", "a.txt"], Caller(dict(os.environ), shell=None))
    assert found == Done(0, b"2\n", b"")
    assert resident.ask(["grep", "x"], Caller(dict(os.environ), shell=None, has_input=True)) is None


def test_bad_input_is_no_answer_and_no_error(root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "file"))
    assert Resident(root).ask("cat a.txt", Caller({})) is None
    assert Resident(root / "nowhere").ask("cat a.txt", Caller({})) is None
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    try:
        assert Resident(root).ask("cat \udc80", Caller({"A": "\udc80"})) is None
    finally:
        _end_daemons(root)
