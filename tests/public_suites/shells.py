"""Tests that are shell scripts, of toybox and bfs: their functions are replaced by ones that note what they get.

The scripts make their files themselves, so they run, in a sandbox that has nothing but the system's programs and a
folder.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

from .cases import Case, Tree, git_folder, git_show, line

_NOTING = r"""
note() { # COMMAND INFILE STDIN
  count=$((count + 1)); place=/out/$count; mkdir -p $place/tree
  rm -f input; [ -n "$2" ] && echo -ne "$2" > input
  cp -a . $place/tree; printf %s "$1" > $place/command; echo -ne "$3" > $place/stdin
}
testing() { note "$2" "$4" "$5"; rm -f input; return 0; }
testcmd() { note "$CMDNAME $2" "$4" "$5"; rm -f input; return 0; }
toyonly() { :; }; optional() { :; }; txpect() { :; }; utf8locale() { :; }; skipnot() { eval "$@" >/dev/null 2>&1; }
C=$CMDNAME; FILES=/files; SKIP=0; TEST_HOST=1; count=0
"""


def _in_sandbox(script: str, work: Path, out: Path, binds: list[tuple[Path, str]]) -> None:
    words = [
        "bwrap",
        "--unshare-all",
        "--die-with-parent",
        "--ro-bind",
        "/usr",
        "/usr",
        "--symlink",
        "usr/bin",
        "/bin",
    ]
    words += [
        "--symlink",
        "usr/lib",
        "/lib",
        "--symlink",
        "usr/lib64",
        "/lib64",
        "--dev",
        "/dev",
        "--proc",
        "/proc",
    ]
    words += ["--tmpfs", "/tmp", "--bind", str(work), "/tree", "--bind", str(out), "/out", "--chdir", "/tree"]
    for source, place in binds:
        words += ["--ro-bind", str(source), place]
    subprocess.run(
        [*words, "bash", "-c", script], stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=120
    )


def toybox(repository: Path, scratch: Path, programs: frozenset[str]) -> Iterator[Case | None]:
    """Yield the tests of toybox (0BSD)."""
    files = git_folder(repository, "tests/files", scratch / "toybox")
    for program in sorted(programs):
        try:
            script = git_show(repository, f"tests/{program}.test")
        except subprocess.CalledProcessError:
            continue
        work, out = scratch / "toybox-work" / program, scratch / "toybox-out" / program
        work.mkdir(parents=True)
        out.mkdir(parents=True)
        _in_sandbox(f"CMDNAME={program}\n{_NOTING}\n{script}", work, out, [(files, "/files")])
        for place in sorted(out.iterdir(), key=lambda place: int(place.name)):
            if not (place / "stdin").exists():
                continue
            command, stdin = (place / "command").read_bytes(), (place / "stdin").read_bytes()
            before = line(["x"], stdin)
            if before is None or b"/files" in command or b"\0" in command:
                yield None
                continue
            text = command.decode(errors="surrogateescape")
            piped = f"{before.removesuffix('x')}{{ {text}\n}}" if stdin else text
            yield Case("toybox", Tree(beginning=place / "tree"), piped)


_TREES = ("basic", "perms", "links", "loops", "weirdnames", "rainbow", "deep")
_XTOUCH = r"""
xtouch() {
  local mode= parents=
  while [[ $1 == -* ]]; do
    case $1 in -M*) mode=${1#-M};; -p) parents=1;; -h|-r|-t|-d) shift;; esac; shift
  done
  for path; do
    if [[ $path == */ ]]; then mkdir -p -- "$path"; else mkdir -p -- "${path%/*}"; : >> "$path"; fi
    [ -n "$mode" ] && chmod -- "$mode" "$path"
  done
}
XTOUCH=xtouch; TMP=/tree; ROOT=/tree
"""


def bfs(repository: Path, scratch: Path) -> Iterator[Case | None]:
    """Yield the tests of bfs (0BSD) that are one line, for `find`."""
    makers = git_show(repository, "tests/stddirs.sh")
    work, out = scratch / "bfs", scratch / "bfs-out"
    work.mkdir()
    out.mkdir()
    for name in _TREES:
        _in_sandbox(f"{_XTOUCH}\n{makers}\nmake_{name} /tree/{name}", work, out, [])
    listed = subprocess.run(
        ["git", "-C", repository, "ls-tree", "-r", "--name-only", "HEAD", "tests"], capture_output=True, text=True,
        check=True,
    ).stdout.split()  # fmt: skip
    tree = Tree(beginning=work)
    for path in listed:
        if not re.match(r"tests/(posix|gnu|common)/.*\.sh$", path):
            continue
        script = git_show(repository, path).strip()
        found = re.fullmatch(r"(?:! )?(?:bfs_diff|invoke_bfs) ([^\n]*)", script)
        if found is None or re.search(r"\$(?!HOME)|`|-(delete|ok|okdir|fprint\w*|fls)\b", found[1]):
            yield None
            continue
        yield Case("bfs", tree, f"find {found[1]}")
        # The same on a tree that its author did not think of.
        for other in ("basic", "links", "weirdnames"):
            words = shlex.split(found[1])
            if words and words[0] in _TREES and words[0] != other:
                yield Case("bfs", tree, "find " + re.sub(r"^\S+", other, found[1], count=1))
