"""The trace decides what the person should: folders of the host, addresses, and the place of its workspace."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import making
from attack import Attack, Stage

from curserve_traces.model import Workspace

FOLDERS = (
    "~/.ssh", "HOME/.ssh", "HOME", "~", "/", "/etc", "/root", "file:///etc", "file://HOME", "..", ".", "../../home",
    "/proc/self/root", "/proc/self/cwd", "/dev/fd/0", "~root", "$HOME/.ssh", "WORKSPACE/escape", "HOME/.ssh/", "//etc",
    "OUTSIDE", "",
)  # fmt: skip
ADDRESSES = (
    "http://127.0.0.1:PORT/x.git", "https://127.0.0.1:PORT/x.git", "git://127.0.0.1:PORT/x.git",
    "git://localhost:PORT/x", "ssh://git@127.0.0.1:PORT/x", "git@127.0.0.1:x.git", "user@localhost:x",
    "file://HOME/.ssh", "HOME/repo", "~/repo", "../home", "https://localhost:PORT/x", "https://[::1]:PORT/x",
    "https://0.0.0.0:PORT/x", "https://127.1:PORT/x", "https://2130706433:PORT/x", "https://0x7f000001:PORT/x",
    "https://0177.0.0.1:PORT/x", "https://[::ffff:127.0.0.1]:PORT/x", "https://169.254.169.254/latest",
    "https://10.0.0.1/x", "https://192.168.1.1/x", "https://198.51.100.1/x", "https://user:pass@example.org/x",
    "https://example.org@127.0.0.1:PORT/x", "https://127.0.0.1:PORT\\@example.org/x", "HTTP://127.0.0.1:PORT/x",
    "ext::sh -c touch% OUTSIDE/pwned", "ftp://127.0.0.1:PORT/x", "-uTOUCH", "--upload-pack=touch OUTSIDE/pwned",
    "https://example.org/x\nhttp://127.0.0.1:PORT/y", "fd::17/foo", "https:127.0.0.1:PORT/x", "https:///127.0.0.1:PORT/x",
    "transport::https://127.0.0.1:PORT", "https://0:PORT/x", "https://[fe80::1%25canary0]/x", "https://[fd00::1]/x",
    "rsync://127.0.0.1:PORT/x", "https://127.0.0.1.:PORT/x",
)  # fmt: skip
COMMITS = (
    "HEAD",
    "main",
    "--upload-pack=touch",
    "0" * 39,
    "refs/heads/main",
    "0" * 41,
    "Z" * 40,
    "0" * 40 + "\n",
    "",
)
PLACES = (
    "/opt", "//opt/curserve/libexec", "/opt/curserve", "/opt/curserve/libexec/curserve", "/", "//", "/etc", "/etc/x",
    "/proc", "/proc/self", "/proc/1", "/sys", "/sys/fs/cgroup", "/dev", "/dev/shm", "/tmp", "/usr", "/usr/bin", "/usr/local",
    "/bin", "/bin/x", "/lib64", "/lib", "/sbin", "/run", "/run/user", "/testbed/../etc", "/testbed/./x", "/testbed//x", "relative",
    "/testbed\n/etc", "/testbed\0", "/testbed/", "/..", "/.", "/home/../opt", "/" + "a" * 5000, "/a" * 2100, "HOUSE",
    "/opt/./curserve", "/testbed\x1b[2J", "/usr/lib/x", "/dev/fd", "/boot",
)  # fmt: skip
FIRST = ("~/.ssh", "/", "..", "https://127.0.0.1:PORT/x.git", "http://127.0.0.1:PORT/x.git", "git@127.0.0.1:x.git")
FIRST += ("/opt", "//opt/curserve/libexec", "/testbed/../etc")


def _asks(stage: Stage, workspace: Workspace, verb: Sequence[str], own: bool = False) -> list[str]:
    """Return the command that replays or checks a trace of that workspace."""
    (stage.workspace / "curserve").write_text(stage.fill("#!/bin/sh\ntouch OUTSIDE/pwned\nexec sleep 60\n"))
    (stage.workspace / "curserve").chmod(0o755)
    filled = Workspace(
        workspace.kind,
        stage.fill(workspace.source or ""),
        workspace.version,
        workspace.sha256,
        stage.fill(workspace.at),
    )
    commands = ("cat id_ed25519 .ssh/id_ed25519 .netrc notes.txt secret", "ls -la", "cat /etc/passwd | wc -l")
    file = making.trace(stage, commands, workspace=filled)
    given = ["--workspace", str(stage.workspace)] if own else []
    return [*(word.replace("TRACE", str(file)) for word in verb), *given, *stage.sandboxed()]


REPLAY = (
    "replay",
    "--trace",
    "TRACE",
    "--rtt",
    "1ms",
    "--model",
    "swe-grep-mini",
    "--repetitions",
    "1",
    "--engine",
)
REPLAY += ("client-subprocess", "--out", "run", "--execute", "all")
CHECK = ("trace", "check", "TRACE")


def attacks() -> list[Attack]:
    """Return the attacks of this kind."""
    found = []
    for number, folder in enumerate(FOLDERS):
        for verb in (REPLAY, CHECK):
            found.append(
                Attack(
                    f"asks.folder-{number}-{verb[0]}",
                    partial(_asks, workspace=Workspace("path", folder), verb=verb),
                    (2, 3),
                    "--workspace",
                    sample=folder in FIRST and verb is REPLAY,
                )
            )
    for number, address in enumerate(ADDRESSES):
        verb = REPLAY if number % 2 else CHECK
        wished = Workspace("git", address, "0123456789" * 4)
        found.append(
            Attack(
                f"asks.address-{number}",
                partial(_asks, workspace=wished, verb=verb),
                (2, 3),
                sample=address in FIRST,
            )
        )
    for number, commit in enumerate(COMMITS):
        wished = Workspace("git", "https://127.0.0.1:PORT/x.git", commit)
        found.append(Attack(f"asks.commit-{number}", partial(_asks, workspace=wished, verb=CHECK), (2, 3)))
    for number, place in enumerate(PLACES):
        verb = REPLAY if number % 2 else CHECK
        wished = Workspace("none", at=place)
        found.append(
            Attack(
                f"asks.place-{number}",
                partial(_asks, workspace=wished, verb=verb, own=True),
                (2, 3),
                sample=place in FIRST,
                sandbox=number % 8 == 0,
            )
        )
    found += [
        Attack("asks.no-workspace", partial(_asks, workspace=Workspace("none"), verb=REPLAY), (2,), "--workspace"),
        Attack(
            "asks.package-without-digest",
            partial(_asks, workspace=Workspace("sdist", "requests", "2.32.0"), verb=CHECK),
            (2, 3),
            "sha256",
        ),
        Attack(
            "asks.package-named-as-a-path",
            partial(_asks, workspace=Workspace("sdist", "../../../HOME", "1", "0" * 64), verb=CHECK),
            (2, 3),
            environment={"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_FIND_LINKS": ""},
        ),
    ]
    return found
