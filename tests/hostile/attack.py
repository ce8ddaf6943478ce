"""What an attack is, and the stage that it is played on.

An `Attack` writes its hostile files into a `Stage`, names the command that a person would type, and says what must
happen: the exit code, a sentence of the message, and, for every attack alike, no effect outside (`outside.py`).
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HOUSE = Path(__file__).parents[2]
BINARIES = HOUSE / ".venv/bin"


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended: its exit code, what it said, and the most memory that a process of it had."""

    code: int
    stdout: str
    stderr: str
    peak_kb: int = 0

    @property
    def said(self) -> str:
        """Both streams."""
        return self.stdout + self.stderr


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack. `codes` None: whatever the exit code; `{…}` in `words` are the stage's places.

    `sample`: CI plays it, as every user or (`one`) as one of them. `only`: one kind of user. `sandbox`: the command executes calls, so it is played in every sandbox.
    """

    name: str
    words: Callable[[Stage], Sequence[str]]
    codes: tuple[int, ...] | None
    says: str | None = None
    held: Callable[[Stage, Done], None] | None = None
    stdin: Callable[[Stage], bytes] | None = None
    environment: dict[str, str] = field(default_factory=dict)
    sample: bool = False
    one: bool = False
    only: str = ""
    sandbox: bool = False
    timeout_s: float = 90
    most_kb: int = 1 << 20
    interrupt_after_s: float | None = None


@dataclass(slots=True)
class Stage:
    """A person's machine in small: a home with secrets, a folder that must stay as it is, a workspace, a TMPDIR."""

    folder: Path
    user: str
    sandbox: str
    port: int
    secret: str = field(default_factory=lambda: "TOP-SECRET-" + secrets.token_hex(8))

    def __post_init__(self) -> None:
        for place in (self.home / ".ssh", self.outside, self.tmp, self.work, self.cache, self.folder / "runtime"):
            place.mkdir(parents=True, exist_ok=True)
        for name in (".ssh/id_ed25519", ".netrc", ".bashrc", "notes.txt"):
            (self.home / name).write_text(self.secret + "\n")
            (self.home / name).chmod(0o600)
        (self.outside / "secret").write_text(self.secret + "\n")
        (self.outside / "victim").write_text("untouched\n")
        (self.outside / "closed").mkdir(mode=0o500, exist_ok=True)
        for name in ("a.txt", "b/c.py", "b/d.md"):
            place = self.workspace / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(f"alpha {name}\nbeta\n")
        (self.workspace / "leak").symlink_to(self.outside / "secret")
        (self.workspace / "escape").symlink_to(self.outside)

    home = property(lambda self: self.folder / "home")
    outside = property(lambda self: self.folder / "outside")
    tmp = property(lambda self: self.folder / "tmp")
    work = property(lambda self: self.folder / "work")
    cache = property(lambda self: self.folder / "cache")
    workspace = property(lambda self: self.folder / "code")

    def environment(self) -> dict[str, str]:
        """Return the environment of a command on this stage."""
        return {
            "HOME": str(self.home),
            "TMPDIR": str(self.tmp),
            "XDG_CACHE_HOME": str(self.cache),
            "XDG_RUNTIME_DIR": str(self.folder / "runtime"),
            "PATH": f"{BINARIES}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "LC_ALL": "C.UTF-8",
            "HOSTILE_SECRET": self.secret,
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def fill(self, text: str) -> str:
        """Put the stage's places into a text: OUTSIDE, HOME, PORT, WORKSPACE, TMP."""
        for word in ("OUTSIDE", "HOME", "WORKSPACE", "TMP"):
            text = text.replace(word, str(getattr(self, word.lower())))
        return text.replace("PORT", str(self.port))

    def json(self, name: str, value: Any) -> Path:
        """Write `value` as JSON into the attack's own folder."""
        file: Path = self.work / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(value), encoding="utf-8", errors="surrogatepass")
        return file

    def sandboxed(self) -> list[str]:
        """Return the option that chooses the sandbox of this pass."""
        return [] if self.sandbox == "auto" else ["--sandbox", self.sandbox]


def check(stage: Stage, attack: Attack, done: Done) -> list[str]:
    """Return what is wrong with how an attack ended, apart from its effects: nothing where it was held."""
    wrong = []
    if attack.codes is not None and done.code not in attack.codes:
        wrong.append(f"exit code {done.code}, expected {attack.codes}")
    if attack.says is not None and not re.search(attack.says, done.said, re.IGNORECASE | re.DOTALL):
        wrong.append(f"the message lacks {attack.says!r}")
    if "Traceback (most recent call last)" in done.stderr:
        wrong.append("a traceback")
    if stage.secret in done.said:
        wrong.append("the secret was printed")
    if done.peak_kb > attack.most_kb:
        wrong.append(f"took {done.peak_kb // 1024} MiB of memory")
    if attack.held is not None:
        try:
            attack.held(stage, done)
        except AssertionError as error:
            wrong.append(f"not held: {error}")
    return wrong


def without_capabilities() -> bool:
    """Tell whether this process is an ordinary user."""
    return os.geteuid() != 0
