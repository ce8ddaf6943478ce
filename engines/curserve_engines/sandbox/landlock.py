"""The command line of our own program that confines itself, where no namespace can be had."""

from __future__ import annotations

import shutil
from pathlib import Path

from curserve_engines import programs


def landlock(words: list[str], folder: Path, *, engine: str) -> list[str]:
    """Return the command line of our own program that confines itself; `folder` is the session's own."""
    curserve, rg = programs.need("curserve", engine), programs.need("rg", engine)
    for name in ("tmp", "bin"):
        (folder / name).mkdir()
    shutil.copy(rg, folder / "bin/rg")
    return [str(curserve), *words, f"--landlock-tmp={folder / 'tmp'}", f"--landlock-bin={folder / 'bin'}"]
