"""The native tools against the real programs that say the same: sed, cat, ls, find, rg, and Python for edits.

Every call goes to the worker and to the daemon; both must give what the program gives on the same tree.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curserve_engines import registry
from curserve_engines.protocol import Session, World
from curserve_harness.oracle.compared import wait_until_loaded
from curserve_traces.model import Observation, ToolCall

FILES = {
    "a.txt": "one\ntwo\n\nthree handler\nfour",
    "empty": "",
    "newline": "\n",
    "src/m.py": "def handler():\n    return 1\n\n\n\n\ndef other_handler():\n    return 2\n",
    "src/b.py": "x = 'handler'\n" * 3,
    "src/deep/c.py": "import m\n\n\nprint(m.handler())\n",
    "src/deep/ä b.txt": "Handler with a blank\r\n",
    ".hidden/h.py": "handler\n",
    "build/out.py": "handler\n",
    ".gitignore": "*.log\n",
    ".ignore": "build/\n",
    "x.log": "handler\n",
    "bin.dat": "handler\0handler\n",
}
PATHS = [*FILES, "none", "src", "src/none", "/testbed/src/m.py", "./src/../a.txt"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("oracle")
    for number, (name, text) in enumerate(FILES.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        os.utime(path, (1_700_000_000 + number * 7 % 5, 1_700_000_000 + number * 7 % 5))
    (folder / "link.py").symlink_to("src/m.py")
    return folder


@pytest.fixture(scope="module")
def sessions(root: Path) -> Iterator[list[Session]]:
    world = World(root)
    with registry.load("client-subprocess").open(world) as worker, registry.load("daemon").open(world) as daemon:
        wait_until_loaded(daemon)
        yield [worker, daemon]


def ask(sessions: list[Session], tool: str, **arguments: Any) -> Observation:
    """Both answers, which are one."""
    given = {key: value for key, value in arguments.items() if value is not None}
    results = [session.call(ToolCall("1", tool, given)) for session in sessions]
    assert [result.failed for result in results] == [None, None]
    assert results[0].observation == results[1].observation, (tool, given)
    return results[0].observation


def real(sessions: list[Session], *words: str) -> Observation:
    """What a real program gives in the same sandbox."""
    return sessions[0].call(ToolCall("1", "bash", {"argv": list(words)})).observation


@settings(max_examples=150, deadline=None)
@given(
    path=st.sampled_from(PATHS),
    offset=st.none() | st.integers(1, 10),
    limit=st.none() | st.integers(1, 10),
    numbered=st.booleans(),
)
def test_read_is_sed_and_cat(
    sessions: list[Session], path: str, offset: int | None, limit: int | None, numbered: bool
) -> None:
    seen = ask(sessions, "read", path=path, offset=offset, limit=limit, numbered=numbered)
    first = offset or 1
    last = "$" if limit is None else str(first + limit - 1)
    whole = real(sessions, "cat", *(["-n"] if numbered else []), "--", path)
    if whole.exit_code != 0:
        message = whole.stderr.decode().removeprefix("cat: ")
        assert (seen.exit_code, seen.stdout, seen.stderr.decode()) == (1, b"", f"read: {message}")
        return
    lines = len(whole.stdout.splitlines(keepends=True)) if b"\r" not in whole.stdout else whole.stdout.count(b"\n")
    if first > 1 and first > lines:
        assert (seen.exit_code, seen.stdout) == (1, b"")
        return
    shown = f"{first},{last}p" if last == "$" or int(last) >= first else "d"
    command = f"cat {'-n ' if numbered else ''}-- '{path}' | sed -n '{shown}'"
    expected = sessions[0].call(ToolCall("1", "bash", {"command": command})).observation
    assert (seen.exit_code, seen.stdout, seen.stderr) == (0, expected.stdout, b"")


@pytest.mark.parametrize("path", [None, ".", "src", "src/deep", "/testbed", "none", "a.txt"])
def test_list_is_ls(sessions: list[Session], path: str | None) -> None:
    seen = ask(sessions, "list", path=path)
    # -U and sort: C.UTF-8 sorts by code points, which is byte order.
    expected = real(sessions, "ls", "-1A", "-p", "--", path or ".")
    if path in ("none", "a.txt"):
        assert (seen.exit_code, seen.stdout) == (1, b"")
        return
    assert (seen.exit_code, seen.stdout, seen.stderr) == (0, expected.stdout, b"")


@settings(max_examples=60, deadline=None)
@given(
    pattern=st.sampled_from(
        ["*.py", "**/*.py", "src/*.py", "*.{py,txt}", "[ab]*", "src/**", "?.py", "*", "none*"]
    ),
    path=st.sampled_from([None, ".", "src", "/testbed/src"]),
    hidden=st.booleans(),
    no_ignore=st.booleans(),
)
def test_glob_is_what_bash_expands_of_what_rg_lists(
    root: Path, sessions: list[Session], pattern: str, path: str | None, hidden: bool, no_ignore: bool
) -> None:
    seen = ask(sessions, "glob", pattern=pattern, path=path, hidden=hidden, no_ignore=no_ignore)
    flags = f"{'--hidden ' if hidden else ''}{'--no-ignore ' if no_ignore else ''}"
    wide = pattern if "/" in pattern else f"**/{pattern}"
    folder = "/testbed/" if path in (None, ".") else "/testbed/src/"
    command = (
        f"shopt -s globstar nullglob {'dotglob' if hidden else ''}\n"
        f"comm -12 <(rg --no-config --files {flags}| sort) <(printf '%s\\n' {wide} | sort)"
    )
    listed = sessions[0].call(ToolCall("1", "bash", {"command": command}, folder.rstrip("/"))).observation
    found = [folder.removeprefix("/testbed/") + line for line in listed.stdout.decode().splitlines()]
    newest = sorted(found, key=lambda name: (-(root / name).stat().st_mtime_ns, name.encode()))
    assert seen.stdout.decode() == "".join(f"/testbed/{name}\n" for name in newest)
    assert seen.exit_code == int(not newest)


@settings(max_examples=120, deadline=None)
@given(
    pattern=st.sampled_from(
        ["handler", "HANDLER", "^def", "return [12]", "m.handler()", "none", "o", "(", r"\bx\b"]
    ),
    path=st.sampled_from([None, ".", "src", "src/m.py", "/testbed/src", "none", "bin.dat", "a.txt"]),
    mode=st.sampled_from([None, "files", "count", "content"]),
    options=st.fixed_dictionaries(
        {},
        optional={
            "ignore_case": st.booleans(),
            "literal": st.booleans(),
            "multiline": st.booleans(),
            "hidden": st.booleans(),
            "type": st.sampled_from(["py", "txt"]),
            "glob": st.sampled_from(["*.py", "!b.py", ["*.py", "!m.py"]]),
        },
    ),
)
def test_grep_is_rg_by_path(
    sessions: list[Session], pattern: str, path: str | None, mode: str | None, options: dict[str, Any]
) -> None:
    seen = ask(sessions, "grep", pattern=pattern, path=path, mode=mode, **options)
    words = ["rg", "--no-config", "--color=never", "--sort=path"]
    flags = {"ignore_case": "-i", "literal": "-F", "multiline": "-U --multiline-dotall", "hidden": "-. -g !.git"}
    for name, flag in flags.items():
        words += flag.split() if options.get(name) else []
    globs = options.get("glob", [])
    words += [f"--glob={glob}" for glob in ([globs] if isinstance(globs, str) else globs)]
    words += ["-t", options["type"]] if "type" in options else []
    words += {"count": ["-c", "-H"], "content": ["-n"]}.get(mode or "files", ["-l"])
    expected = real(sessions, *words, "-e", pattern, *(["--", path] if path else []))
    assert (seen.exit_code, seen.stderr) == (expected.exit_code, expected.stderr)
    # rg sorts component by component, the answer by bytes: the same lines, and in order within each file.
    assert sorted(seen.stdout.splitlines()) == sorted(expected.stdout.splitlines())
    assert seen.stdout.splitlines() == sorted(seen.stdout.splitlines(), key=lambda line: line.split(b":")[0]) or (
        path in ("src/m.py", "bin.dat", "a.txt")
    )


@settings(max_examples=80, deadline=None)
@given(
    text=st.text("ab\n", max_size=12),
    old=st.text("ab\n", min_size=1, max_size=3),
    new=st.text("ab\nä", max_size=3),
    everywhere=st.booleans(),
)
def test_edit_is_replace(
    root: Path, sessions: list[Session], text: str, old: str, new: str, everywhere: bool
) -> None:
    found = text.count(old)
    possible = found == 1 or (everywhere and found > 0)
    for session in sessions:
        path = root / "edited.txt"
        path.write_text(text, newline="")
        if os.geteuid() == 0:
            os.chown(path, root.stat().st_uid, root.stat().st_gid)  # as whatever the host writes into a copy
        arguments = {"path": "edited.txt", "old": old, "new": new, "all": everywhere}
        result = session.call(ToolCall("1", "edit", arguments))
        assert (result.observation.exit_code == 0) == possible
        expected = text.replace(old, new) if possible else text
        assert path.read_bytes().decode() == expected
        shown = session.call(ToolCall("1", "bash", {"command": "cat edited.txt"}))
        assert shown.observation.stdout.decode() == expected, "the next call sees it"
    (root / "edited.txt").unlink()


@settings(max_examples=40, deadline=None)
@given(name=st.sampled_from(["w.txt", "new/w.txt", "new/er/w.txt"]), content=st.text(max_size=40))
def test_write_is_seen_by_the_next_call(root: Path, sessions: list[Session], name: str, content: str) -> None:
    for session in sessions:
        result = session.call(ToolCall("1", "write", {"path": name, "content": content}))
        assert result.observation.exit_code == 0
        shown = session.call(ToolCall("1", "bash", {"command": f"cat {name}; find . -name w.txt | wc -l"}))
        there = len(list(root.rglob("w.txt")))
        assert shown.observation.stdout == content.encode() + f"{there}\n".encode()
