"""The native tools of agents, by the worker: read, list, glob, grep, edit, write (docs/FORMAT.md)."""

import os
from pathlib import Path
from typing import Any

import pytest

from curserve_engines import registry
from curserve_engines.protocol import World
from curserve_traces.model import Observation, ToolCall


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("native")
    (folder / "src").mkdir()
    (folder / "a.txt").write_text("one\ntwo\nthree\nfour\nfive")
    (folder / "src/m.py").write_text("def handler():\n    return 1\n\n\n\n\ndef other_handler():\n    return 2\n")
    (folder / "src/b.py").write_text("x = 'handler'\n")
    (folder / ".hidden.py").write_text("handler\n")
    (folder / ".ignore").write_text("skipped/\n")
    (folder / "skipped").mkdir()
    (folder / "skipped/s.py").write_text("handler\n")
    (folder / "empty").write_text("")
    for number, path in enumerate(sorted(folder.rglob("*"))):
        os.utime(path, (1_700_000_000 + number, 1_700_000_000 + number))
    return folder


@pytest.fixture(scope="module")
def session(root: Path):
    with registry.load("client-subprocess").open(World(root)) as session:
        yield session


@pytest.fixture
def call(session):
    def call(tool: str, **arguments: Any) -> Observation:
        result = session.call(ToolCall("1", tool, arguments))
        assert result.failed is None, result.failed
        return result.observation

    return call


def test_read_gives_lines(call) -> None:
    assert call("read", path="a.txt").stdout == b"one\ntwo\nthree\nfour\nfive"
    assert call("read", path="/testbed/a.txt", offset=2, limit=2).stdout == b"two\nthree\n"
    assert call("read", path="a.txt", offset=5).stdout == b"five"
    assert call("read", path="a.txt", offset=4, numbered=True).stdout == b"     4\tfour\n     5\tfive"
    assert call("read", path="empty").stdout == b""
    assert call("read", path="a.txt", offset=1, limit=0).stdout == b""


@pytest.mark.parametrize(
    ("path", "offset", "message"),
    [
        ("none", 1, "read: none: No such file or directory\n"),
        ("src", 1, "read: src: Is a directory\n"),
        ("a.txt", 6, "read: a.txt: line 6 asked for; it has 5\n"),
        ("/dev/zero", 1, "read: /dev/zero: not a regular file\n"),
    ],
)
def test_read_says_what_is_wrong(call, path: str, offset: int, message: str) -> None:
    seen = call("read", path=path, offset=offset)
    assert (seen.exit_code, seen.stdout, seen.stderr.decode()) == (1, b"", message)


def test_list_gives_names_in_byte_order(call) -> None:
    assert call("list").stdout == b".hidden.py\n.ignore\na.txt\nempty\nskipped/\nsrc/\n"
    assert call("list", path="src").stdout == b"b.py\nm.py\n"
    assert call("list", path="none").exit_code == 1


def test_glob_gives_newest_first(call) -> None:
    assert call("glob", pattern="*.py").stdout == b"/testbed/src/m.py\n/testbed/src/b.py\n"
    assert call("glob", pattern="*.py", limit=1).stdout == b"/testbed/src/m.py\n"
    assert call("glob", pattern="src/*.py").stdout == b"/testbed/src/m.py\n/testbed/src/b.py\n"
    assert call("glob", pattern="b.{py,txt}", path="src").stdout == b"/testbed/src/b.py\n"
    everything = call("glob", pattern="**/*.py", hidden=True, no_ignore=True).stdout.split()
    assert set(everything) == {
        b"/testbed/.hidden.py", b"/testbed/skipped/s.py", b"/testbed/src/m.py", b"/testbed/src/b.py"
    }  # fmt: skip
    assert call("glob", pattern="*.rs").exit_code == 1
    assert call("glob", pattern="[").exit_code == 1


def test_grep_finds_files_counts_and_lines(call) -> None:
    assert call("grep", pattern="handler").stdout == b"src/b.py\nsrc/m.py\n"
    assert call("grep", pattern="handler", mode="count").stdout == b"src/b.py:1\nsrc/m.py:2\n"
    lines = b"src/b.py:1:x = 'handler'\nsrc/m.py:1:def handler():\nsrc/m.py:7:def other_handler():\n"
    assert call("grep", pattern="handler", mode="content").stdout == lines
    assert call("grep", pattern="handler", mode="content", limit=2).stdout == b"".join(lines.splitlines(True)[:2])
    plain = call("grep", pattern="handler", mode="content", line_numbers=False).stdout
    assert plain.splitlines()[0] == b"src/b.py:x = 'handler'"
    context = call("grep", pattern="handler", mode="content", context=1, path="/testbed/src").stdout
    assert context.decode() == (
        "/testbed/src/b.py:1:x = 'handler'\n--\n/testbed/src/m.py:1:def handler():\n"
        "/testbed/src/m.py-2-    return 1\n--\n/testbed/src/m.py-6-\n/testbed/src/m.py:7:def other_handler():\n"
        "/testbed/src/m.py-8-    return 2\n"
    )


def test_grep_passes_its_other_arguments(call) -> None:
    assert call("grep", pattern="HANDLER", ignore_case=True, type="py", glob="b*").stdout == b"src/b.py\n"
    assert call("grep", pattern="r()", literal=True).stdout == b"src/m.py\n"
    assert call("grep", pattern=r"1.*other", multiline=True).stdout == b"src/m.py\n"
    assert b".hidden.py" in call("grep", pattern="handler", hidden=True).stdout
    assert (
        call("grep", pattern="return", mode="content", path="src/m.py").stdout
        == b"2:    return 1\n8:    return 2\n"
    )
    assert call("grep", pattern="nowhere").exit_code == 1
    broken = call("grep", pattern="(")
    assert broken.exit_code == 2
    assert b"regex parse error" in broken.stderr


def test_a_wrong_argument_is_answered_with_a_complaint(session) -> None:
    for tool, arguments, word in [
        ("read", {}, b"path"),
        ("read", {"path": 1}, b"path"),
        ("grep", {"pattern": "x", "mode": "dance"}, b"dance"),
        ("bash", {}, b"command"),
    ]:
        result = session.call(ToolCall("1", tool, arguments))
        assert (result.failed, result.observation.exit_code) == (None, 2)
        assert word in result.observation.stderr


def test_edit_replaces_once_or_everywhere(call, root: Path) -> None:
    path = root / "e.txt"
    path.write_text("aa bb aa")
    path.chmod(0o755)
    os.chown(path, root.stat().st_uid, root.stat().st_gid)  # as root: made after the copy was given away
    assert call("edit", path="e.txt", old="bb", new="cc").exit_code == 0
    assert path.read_text() == "aa cc aa"
    twice = call("edit", path="e.txt", old="aa", new="x")
    assert (twice.exit_code, b"2 times" in twice.stderr) == (1, True)
    assert call("edit", path="e.txt", old="zz", new="x").exit_code == 1
    assert path.read_text() == "aa cc aa", "a failed edit changes nothing"
    assert call("edit", path="e.txt", old="aa", all=True).exit_code == 0
    assert path.read_text() == " cc "
    assert path.stat().st_mode & 0o777 == 0o755
    assert call("edit", path="made.txt", old="", new="born").exit_code == 0
    assert (root / "made.txt").read_text() == "born"
    assert call("edit", path="made.txt", old="", new="again").exit_code == 1
    path.unlink()
    (root / "made.txt").unlink()


def test_write_keeps_links_and_modes(call, root: Path) -> None:
    assert call("write", path="new/deep/f.txt", content="x").exit_code == 0
    target = root / "new/deep/f.txt"
    assert (target.read_text(), target.stat().st_mode & 0o777) == ("x", 0o644)
    os.link(target, root / "new/hard")
    (root / "new/soft").symlink_to("deep/f.txt")
    assert call("write", path="new/soft", content="through").exit_code == 0
    assert (root / "new/soft").is_symlink()
    assert target.read_text() == (root / "new/hard").read_text() == "through"
    assert call("write", path="new", content="x").exit_code == 1
    assert call("write", path="/usr/x", content="x").exit_code == 1
    os.mkfifo(root / "new/fifo")
    assert call("write", path="new/fifo", content="x").exit_code == 1
    assert not list(root.rglob(".curserve.*")), "no temporary file stays"


def test_readers_never_see_half_a_write(session, root: Path) -> None:
    """A reader that sees a file truncated or half written would count fewer lines."""
    (root / "big").write_text("0\n" * 50_000)
    reader = ToolCall("1", "bash", {"command": "for i in $(seq 200); do wc -l < big; done | sort -u"})
    import threading

    seen: list[bytes] = []
    thread = threading.Thread(target=lambda: seen.append(session.call(reader).observation.stdout))
    thread.start()
    for number in range(60):
        session.call(ToolCall("1", "write", {"path": "big", "content": f"{number % 10}\n" * 50_000}))
    thread.join()
    assert seen == [b"50000\n"]
    (root / "big").unlink()
