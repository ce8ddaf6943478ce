"""Corpora: seeded samples of a source tree, copied, so that an edit touches nobody's files."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from curserve_harness.console.exits import SetupFailed

PACKAGE = "linux-source-6.1"
"""Debian's package of the kernel source that the large form runs on."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """A folder to search; `bytes` counts the contents of its regular files."""

    name: str
    root: Path
    files: int
    bytes: int

    def remove(self) -> None:
        """Take the copy away."""
        shutil.rmtree(self.root, ignore_errors=True)


def make(source: Path, size: int | None, target: Path, seed: int) -> Corpus:
    """Copy whole files of `source`, picked by a hash of seed and path, until `size` bytes (None: all) are there.

    Only regular files, each once and under one name: links would make two engines differ in what they follow.
    """
    found = []
    for folder, folders, names in os.walk(source):
        folders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            info = path.lstat()
            if stat.S_ISREG(info.st_mode) and os.access(path, os.R_OK):
                found.append((path.relative_to(source), info.st_size))
    if size is not None:
        found.sort(key=lambda entry: hashlib.blake2b(f"{seed} {entry[0]}".encode(errors="replace")).digest())
    total, files = 0, 0
    for relative, length in found:
        if size is not None and total + length > size:
            continue
        (target / relative.parent).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / relative, target / relative)
        total, files = total + length, files + 1
    if not files:
        raise SetupFailed(f"bench search: no file of {source} fits into {size} bytes; give a larger --sizes")
    return Corpus("all" if size is None else _shown(size), target, files, total)


def _shown(size: int) -> str:
    """Return a size as people write it: `10 MB`."""
    return f"{size / 1e6:g} MB" if size < 1e9 else f"{size / 1e9:g} GB"


def kernel_source(cache: Path) -> Path:
    """Return the kernel's source from Debian's archive, fetched once into `cache` (a minute, 1.5 GB)."""
    folder = cache / PACKAGE
    if folder.is_dir():
        return folder
    if shutil.which("apt-get") is None:
        raise SetupFailed("bench search: no apt-get to fetch the kernel source with; give a folder as SOURCE")
    aside = cache / f".{PACKAGE}.part"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    steps = (
        ("apt-get", "-q", "-o", "APT::Sandbox::User=", "download", PACKAGE),
        ("sh", "-c", "dpkg -x ./*.deb ."),
        ("tar", "-xf", f"usr/src/{PACKAGE}.tar.xz"),
    )
    for step in steps:
        done = subprocess.run(step, cwd=aside, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["no message"])[-1]
            shutil.rmtree(aside, ignore_errors=True)
            raise SetupFailed(f"bench search: {step[0]} for {PACKAGE}: {said}; or give a folder as SOURCE")
    (aside / PACKAGE).rename(folder)
    shutil.rmtree(aside, ignore_errors=True)
    return folder
