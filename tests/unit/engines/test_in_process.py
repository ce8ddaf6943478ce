"""The core in process answers as the daemon does, and lets other threads run meanwhile."""

import sys
import threading
import time
from pathlib import Path

import curserve_core
import pytest
from daemon import running

COMMANDS = (
    "grep -rn 'def ' .", "rg -n 'def \\w+' | sort", "sed -n '2,5p' a.py", "cat a.py nope", "ls -l",
    "find . -name '*.py' | sort", "head -3 sub/b.py | tail -1", "grep -c import sub/b.py; echo $?",
    "wc -l a.py sub/b.py", "cd sub && pwd", "rg --files | sort", "grep nothing a.py",
)  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "w"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.py").write_text("import os\n\n\ndef one():\n    return 1\n\n\ndef two():\n    return os\n")
    (folder / "sub/b.py").write_text("import sys\nfrom a import one\nprint(one(), sys.argv)\n" * 3)
    return folder


@pytest.mark.parametrize("at", [None, "/testbed"])
def test_answers_equal_the_daemons(root: Path, tmp_path: Path, at: str | None) -> None:
    corpus = curserve_core.Corpus(root, at)
    with running(root, tmp_path / "s", *(["--at", at] if at else [])) as (client, _):
        for command in COMMANDS:
            reply = client.call("bash", {"command": command})
            assert reply.refused is None, (command, reply.refused)
            assert corpus.shell(command) == (reply.exit_code, reply.stdout, reply.stderr), command
        assert corpus.shell("pwd", cwd=f"{at or root}/sub")[1] == f"{at or root}/sub\n".encode()


def test_what_the_daemon_refuses_is_raised(root: Path, tmp_path: Path) -> None:
    corpus = curserve_core.Corpus(root)
    with running(root, tmp_path / "s") as (client, _):
        for command in ("python3 -c 1", "rm a.py", "cat /etc/passwd", "perl -e 1"):
            reply = client.call("bash", {"command": command})
            assert reply.refused
            with pytest.raises(curserve_core.Refused) as caught:
                corpus.shell(command)
            assert str(caught.value) == reply.refused
    before = (root / "a.py").read_bytes()
    for command in ("sed -i s/a/b/ a.py", "echo b > a.py"):  # the daemon writes, the core does not
        with pytest.raises(curserve_core.Refused):
            corpus.shell(command)
    assert (root / "a.py").read_bytes() == before
    with pytest.raises(OSError, match="cannot load"):
        curserve_core.Corpus(root / "none")


def test_an_edit_is_seen_by_the_next_call(root: Path) -> None:
    corpus = curserve_core.Corpus(root)
    for number in range(200):
        (root / "n").write_text(f"{number}\n")
        assert corpus.shell("cat n") == (0, f"{number}\n".encode(), b"")
    contents, index = corpus.memory()
    assert contents >= sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
    assert index > 0


def test_other_threads_run_while_a_search_does(root: Path) -> None:
    """With the GIL held, the counting thread would stand still for the whole of each search."""
    for number in range(600):
        (root / f"large{number}.txt").write_text("aaaa bbbb cccc dddd " * 1500 + "\n")
    corpus = curserve_core.Corpus(root)
    before = sys.getswitchinterval()
    stamps: list[float] = []
    done = threading.Event()

    def count() -> None:
        while not done.is_set():
            stamps.append(time.perf_counter())
            time.sleep(0.0002)

    thread = threading.Thread(target=count)
    thread.start()
    began = time.perf_counter()
    corpus.shell(r"rg -c '\w{4}\s+\w{4}\s+\w{5}'; rg -c '(a|b|c)+ (d|e)+x'")
    taken = time.perf_counter() - began
    done.set()
    thread.join()
    during = [stamp for stamp in stamps if began < stamp < began + taken]
    assert sys.getswitchinterval() == before
    assert len(during) >= min(20, taken / 0.02), f"{len(during)} steps in {taken:.3f} s"
