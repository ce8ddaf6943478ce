"""The command line of our own program that confines itself, where no namespace can be had."""

from __future__ import annotations

import shutil
from pathlib import Path

from curserve_engines.protocol import EngineError
from curserve_engines.sandbox.skeleton import INSIDE


def landlock(command: list[str], folder: Path, *, curserve: Path, rg: Path, engine: str) -> list[str]:
    """Return the command line of our own program that confines itself; others cannot be run so."""
    if command[0] != INSIDE:
        raise EngineError(
            f"{engine}: needs bubblewrap, which cannot run here; allow user namespaces, or set `sandbox = false` "
            "in its engine.toml if you trust it"
        )
    for name in ("tmp", "bin"):
        (folder / name).mkdir()
    shutil.copy(rg, folder / "bin/rg")
    return [str(curserve), *command[1:], f"--landlock-tmp={folder / 'tmp'}", f"--landlock-bin={folder / 'bin'}"]
