"""The command line of our own program that confines itself, where no namespace can be had."""

from __future__ import annotations

import shutil
from pathlib import Path

from curserve_engines import programs
from curserve_engines.sandbox.sources import Sources


def landlock(words: list[str], folder: Path, sources: Sources, *, engine: str) -> list[str]:
    """Return the command line of our own program that confines itself; `folder` is the session's own.

    There is no PID namespace, so `curserve keep` stands above it and ends what it leaves.
    """
    curserve, rg = programs.need("curserve", engine), programs.need("rg", engine)
    for name in ("tmp", "bin"):
        (folder / name).mkdir()
    shutil.copy(rg, folder / "bin/rg")
    keep = [str(curserve), "keep", *(f"--join-fd={fd}" for fd in sources.join), "--", str(curserve)]
    return [*keep, *words, f"--landlock-tmp={folder / 'tmp'}", f"--landlock-bin={folder / 'bin'}"]
