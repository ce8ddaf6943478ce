"""What the guest made, and the host then writes into, walks through and removes: trees, deltas, and the sweep."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Callable, Sequence
from functools import partial

import making
from attack import Attack, Done, Stage

from curserve_traces.model import RecordedCall

REPLAY = ("--rtt", "1ms", "--model", "swe-grep-mini", "--repetitions", "1", "--pace", "virtual", "--out", "run")

# Trees that calls leave in their workspace.
TREES = {
    "closed-folder-with-a-link": "mkdir D; ln -s OUTSIDE D/l; ln -s OUTSIDE/victim D/v; chmod 555 D",
    "closed-folder-with-a-link-to-a-folder": "mkdir D; ln -s OUTSIDE/closed D/l; chmod 000 D",
    "closed-below-closed": "mkdir -p D/E/F; ln -s OUTSIDE D/E/F/l; chmod 000 D/E/F D/E D",
    "link-in-place-of-the-folder": "mkdir D; touch D/f; rm -r D; ln -s OUTSIDE D",
    "the-root-closed": "ln -s OUTSIDE l; chmod 000 .",
    "deep": "python3 -c \"import os\nfor _ in range(1500): os.mkdir('d'); os.chdir('d')\"",
    "deeper-with-long-names": "python3 -c \"import os\nfor _ in range(5000): os.mkdir('d' * 200); os.chdir('d' * 200)\nos.chmod('.', 0)\"",
    "wide": "mkdir w; cd w; seq 1 20000 | xargs mkdir",
    "names": "touch -- '-rf' ' ' '*' \"$(printf 'a\\nb')\" \"$(printf '\\377\\376')\" \"$(printf '\\033[2J')\" '~'",
    "fifo-and-socket": "mkfifo p; python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind('s')\"; mkfifo b/p; chmod 0 p",
    "links-in-a-ring": "ln -s r1 r2; ln -s r2 r1; ln -s . here; ln -s .. up; ln -s / root; ln -s /proc/self/cwd cwd",
    "hard-links": "for i in $(seq 300); do ln a.txt h$i; done; ln leak hl",
    "link-in-place-of-a-file": "rm -rf a.txt b; ln -s OUTSIDE/victim a.txt; ln -s OUTSIDE b",
    "sparse": "truncate -s 1T big; truncate -s 100G b/big",
    "setuid": "cp /bin/true t; chmod 6777 t; chmod 1777 b; chmod 2777 .",
    "moved-away": "mkdir m; mv b m/; ln -s OUTSIDE b; rmdir m; mv a.txt m/",
    "old-and-new-times": "touch -d @0 a.txt; touch -h -d @0 leak; touch -d '2400-01-01' b/c.py",
    "our-own-names": "mkdir -p .unpacked run lock .git/hooks; touch lock/lock; ln -s OUTSIDE/victim .lock; echo x > lock.pid",
}  # fmt: skip

# Where recorded changes write, after calls made the place hostile.
DELTAS: dict[str, tuple[str, Callable[[Stage], Sequence[RecordedCall]]]] = {
    "fifo": ("mkfifo p", lambda _: [making.writes("p")]),
    "fifo-as-folder": ("mkfifo p", lambda _: [making.writes("p/x")]),
    "fifo-to-remove": ("mkfifo p", lambda _: [making.writes("p", None, "file")]),
    "socket": ("python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind('p')\"", lambda _: [making.writes("p")]),
    "folder": ("mkdir p; touch p/x", lambda _: [making.writes("p")]),
    "file-as-folder": ("touch p", lambda _: [making.writes("p/x")]),
    "link": ("ln -s OUTSIDE/victim p", lambda _: [making.writes("p")]),
    "link-to-nothing": ("ln -s OUTSIDE/pwned p", lambda _: [making.writes("p")]),
    "behind-a-link": ("ln -s OUTSIDE p", lambda _: [making.writes("p/victim")]),
    "behind-two-links": ("ln -s q p; ln -s OUTSIDE q", lambda _: [making.writes("p/victim")]),
    "behind-the-workspaces-link": ("true", lambda _: [making.writes("escape/victim")]),
    "the-workspaces-link": ("true", lambda _: [making.writes("leak")]),
    "its-own-link": ("true", lambda stage: [
        making.writes("p", str(stage.outside).encode(), "link"), making.writes("p/victim")]),
    "its-own-link-then-mode": ("true", lambda stage: [
        making.writes("p", str(stage.outside / "victim").encode(), "link"), making.writes("p", b"x", "file", 0o777)]),
    "its-own-link-to-remove": ("true", lambda stage: [
        making.writes("p", str(stage.outside).encode(), "link"), making.writes("p/victim", None)]),
    "up": ("true", lambda _: [making.writes("../victim")]),
    "up-in-the-middle": ("true", lambda _: [making.writes("b/../../../../victim")]),
    "absolute": ("true", lambda stage: [making.writes(str(stage.outside / "victim"))]),
    "slashes": ("true", lambda stage: [making.writes("//" + str(stage.outside / "victim"))]),
    "nameless": ("true", lambda _: [making.writes("")]),
    "dot": ("true", lambda _: [making.writes(".")]),
    "dots": ("true", lambda _: [making.writes("..")]),
    "nul": ("true", lambda _: [making.writes("a\0b")]),
    "long-name": ("true", lambda _: [making.writes("n" * 5000)]),
    "long-path": ("true", lambda _: [making.writes("n/" * 3000 + "f")]),
    "deep": ("true", lambda _: [making.writes("d/" * 1300 + "f")]),
    "link-beyond-a-page": ("true", lambda _: [making.writes("p", b"x/" * 4000, "link")]),
    "setuid": ("true", lambda _: [making.writes("p", b"#!/bin/sh\n", "file", 0o6777)]),
    "mode-beyond": ("true", lambda _: [making.writes("p", b"x", "file", 0o7777777)]),
    "closed-folder": ("mkdir p; chmod 0 p", lambda _: [making.writes("p/x")]),
    "many": ("true", lambda _: [making.writes(f"m{n % 7}/{n}") for n in range(300)]),
    "git-hook": ("true", lambda stage: [
        making.writes(".git/config", stage.fill("[core]\nfsmonitor = touch OUTSIDE/pwned\n").encode())]),
}  # fmt: skip


def _tree(stage: Stage, command: str, verb: str) -> list[str]:
    words = ["--workspace", str(stage.workspace), *stage.sandboxed()]
    file = making.trace(stage, (command, "ls | head; cat a.txt", "echo alive"))
    if verb == "check":
        return ["trace", "check", str(file), *words]
    return ["replay", "--trace", str(file), *REPLAY, "--engine", verb, "--execute", "all", *words]


def _write(stage: Stage, path: str, tool: str) -> list[str]:
    """A deep path that the worker itself makes, by `write` or `edit`."""
    arguments = {"write": {"path": path, "content": "x"}, "edit": {"path": path, "old": "", "new": "x"}}[tool]

    def change(value: making.Json) -> None:
        import json

        text = json.dumps(value).replace('"bash"', f'"{tool}"')
        value.clear()
        value.update(json.loads(text))
        for step in value["steps"]:
            for call in step.get("tool_calls", []):
                call["function_name"], call["arguments"] = tool, arguments

    file = making.trace(stage, ("true",), change=change)
    return ["replay", "--trace", str(file), *REPLAY, "--engine", "client-subprocess", "--engine", "daemon", "--workspace",
            str(stage.workspace), *stage.sandboxed()]  # fmt: skip


def _delta(stage: Stage, first: str, calls: Callable[[Stage], Sequence[RecordedCall]]) -> list[str]:
    file = making.trace(stage, (first,), calls=calls(stage))
    return ["replay", "--trace", str(file), *REPLAY, "--engine", "client-subprocess", "--execute", "all", "--workspace",
            str(stage.workspace), *stage.sandboxed()]  # fmt: skip


# What lies in TMPDIR with a name like ours and is not: it must be there afterwards.
def _results(stage: Stage) -> None:
    for folder in ("curserve-bench-results1", "curserve-bench-evil", "curserve-notes"):
        (stage.tmp / folder).mkdir()
        (stage.tmp / folder / "lock").write_text("")
        (stage.tmp / folder / "thesis.txt").write_text("untouched")


def _numbered(stage: Stage) -> None:
    for folder in ("curserve-bench-1", "curserve-bench-999999", "curserve-aaaaaaaa", "curserve-bench-12345-67890"):
        (stage.tmp / folder).mkdir()
        (stage.tmp / folder / "thesis.txt").write_text("untouched")
        for name in ("pid", "lock", "owner", "marker", ".curserve", "curserve.json"):
            (stage.tmp / folder / name).write_text("4000000\n")


def _links(stage: Stage) -> None:
    (stage.tmp / "curserve-link").symlink_to(stage.outside)
    (stage.tmp / "curserve-bench-link").symlink_to(stage.home)
    (stage.tmp / "curserve-in").mkdir()
    (stage.tmp / "curserve-in/lock").symlink_to(stage.outside / "victim")
    (stage.tmp / "curserve-in/thesis.txt").write_text("untouched")


def _odd(stage: Stage) -> None:
    (stage.tmp / "curserve-fifo").mkdir()
    os.mkfifo(stage.tmp / "curserve-fifo/lock")
    os.mkfifo(stage.tmp / "curserve-pipe")
    (stage.tmp / "curserve-sock").mkdir()
    place = os.open(stage.tmp / "curserve-sock", os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(f"/proc/self/fd/{place}/lock")
    os.close(place)
    (stage.tmp / "curserve-closed").mkdir(mode=0)


def _held(stage: Stage) -> None:
    (stage.tmp / "curserve-held").mkdir()
    handle = os.open(stage.tmp / "curserve-held/lock", os.O_CREAT | os.O_RDWR)
    fcntl.flock(handle, fcntl.LOCK_EX)  # by the runner itself, as long as it lives


def _deep(stage: Stage) -> None:
    """A tree that a recursion cannot remove, in a folder that looks as if it were ours."""
    (stage.tmp / "curserve-deep").mkdir()
    (stage.tmp / "curserve-deep/lock").write_text("")
    place = os.open(stage.tmp / "curserve-deep", os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=place)
        place, old = os.open("d", os.O_RDONLY, dir_fd=place), place
        os.close(old)
    os.close(place)


SWEEPS = {"results": _results, "numbered": _numbered, "links": _links, "odd": _odd, "held": _held, "deep": _deep}


def _swept(stage: Stage, prepare: Callable[[Stage], None]) -> list[str]:
    prepare(stage)
    (stage.work / "names").write_text("\0".join(sorted(_names(stage))))
    file = making.trace(stage, ("cat a.txt",))
    return ["trace", "check", str(file), "--workspace", str(stage.workspace), *stage.sandboxed()]


def _names(stage: Stage) -> list[str]:
    return [str(path) for pattern in ("*", "*/*") for path in stage.tmp.glob(pattern)]


def _same_names(stage: Stage, _done: Done) -> None:
    before = set((stage.work / "names").read_text().split("\0"))
    gone = before - set(_names(stage))
    assert not gone, f"swept away: {sorted(gone)[:5]}"
    extra = [name for name in set(_names(stage)) - before if "/curserve-" in name]
    assert not extra, f"left: {extra[:5]}"


def _nothing_left(stage: Stage, _done: Done) -> None:
    left = list(stage.tmp.iterdir())
    assert not left, f"left in TMPDIR: {left[:5]}"


FIRST = {"closed-folder-with-a-link", "deep", "fifo", "behind-a-link", "results"}


def attacks() -> list[Attack]:
    """Return the attacks of this kind."""
    engines = ("client-subprocess", "daemon", "server-subprocess", "check")
    found = [
        Attack(
            f"cleaning.tree-{name}",
            partial(_tree, command=command, verb="check" if name in FIRST else engines[number % len(engines)]),
            (0, 1, 2, 3, 4, 5),
            held=_nothing_left,
            sandbox=name in FIRST,
            sample=name in FIRST,
        )
        for number, (name, command) in enumerate(TREES.items())
    ]
    found += [
        Attack(
            f"cleaning.delta-{name}",
            partial(_delta, first=first, calls=calls),
            (0, 2, 3, 4, 5),
            held=_nothing_left,
            sandbox=name in FIRST,
            sample=name in FIRST,
        )
        for name, (first, calls) in DELTAS.items()
    ]
    found += [
        Attack(
            f"cleaning.sweep-{name}",
            partial(_swept, prepare=prepare),
            (0, 1),
            held=_same_names,
            sample=name in FIRST,
        )
        for name, prepare in SWEEPS.items()
    ]
    paths = {
        "deep": "d/" * 1300 + "f",
        "deeper": "d/" * 20000 + "f",
        "long": "n" * 300 + "/f",
        "up": "../" * 30 + "x",
    }
    found += [
        Attack(f"cleaning.{tool}-{name}", partial(_write, path=path, tool=tool), (0, 5), held=_nothing_left)
        for name, path in paths.items()
        for tool in ("write", "edit")
    ]
    return found
