"""What a test of a public suite is here: a tree, and a command line in it. Expected results are left out."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

MOST_INPUT = 12_000
"""A longer standard input does not fit into a command line of the daemon."""


@dataclass
class Tree:
    """Files, folders and links to make, in the order in which they are named."""

    files: dict[str, bytes] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    beginning: Path | None = None
    """A folder whose content comes first."""

    def copy(self) -> Tree:
        """Return one that can be changed."""
        return Tree(dict(self.files), list(self.folders), list(self.links), self.beginning)

    def key(self) -> str:
        """Return what tells trees apart."""
        return repr((sorted(self.files.items()), self.folders, self.links, self.beginning))

    def place(self, root: Path) -> Path:
        """Return a folder that is this tree: `root`, which is made, or the one it begins with, if that is all.

        bfs has a tree that is deeper than a path may be long, and no program copies it.
        """
        if self.beginning is not None and not (self.folders or self.files or self.links):
            return self.beginning
        root.mkdir()
        self.make(root)
        return root

    def make(self, root: Path) -> None:
        """Write it below the folder `root`; what cannot be there is left out."""
        if self.beginning is not None:
            subprocess.run(["cp", "-a", f"{self.beginning}/.", root], check=True)
        for folder in self.folders:
            (root / folder).mkdir(parents=True, exist_ok=True)
        for name, content in self.files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.is_dir():
                path.write_bytes(content)
        for target, name in self.links:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.is_symlink() and not path.exists():
                path.symlink_to(target)


@dataclass(frozen=True)
class Case:
    """One command line on one tree."""

    suite: str
    tree: Tree
    command: str


def line(words: list[str], stdin: bytes | None) -> str | None:
    """Return a line of these words, with what it reads in a pipe before it; None where that cannot be said."""
    command = shlex.join(words)
    if stdin is None:
        return command
    if len(stdin) > MOST_INPUT:
        return None
    plain = "".join(chr(byte) if chr(byte).isalnum() and byte < 128 else f"\\{byte:03o}" for byte in stdin)
    return f"printf '{plain}' | {command}"


def git_show(repository: Path, path: str) -> str:
    """Return a file of a repository's newest commit."""
    done = subprocess.run(["git", "-C", repository, "show", f"HEAD:{path}"], capture_output=True, check=True)
    return done.stdout.decode(errors="replace")


def git_folder(repository: Path, path: str, into: Path) -> Path:
    """Bring a folder of a repository's newest commit to `into`; return where it is."""
    archive = subprocess.run(["git", "-C", repository, "archive", "HEAD", path], capture_output=True, check=True)
    into.mkdir(parents=True, exist_ok=True)
    subprocess.run(["tar", "-x", "-C", into], input=archive.stdout, check=True)
    return into / path
