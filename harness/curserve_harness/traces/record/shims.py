"""Puts the recording shims where an agent finds `bash`, `sh`, `rg` and `grep`: early on PATH, and in their place.

Many agents call `/bin/sh` by its path, which no PATH changes; where bubblewrap works, the shims are mounted over
the shells for the agent alone. The real programs are reached under another name, which the shim's configuration
holds.
"""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from curserve_engines import programs
from curserve_harness.console.exits import BadInput, SetupFailed

SHELLS = ("bash", "sh", "dash")
SEARCHES = ("rg", "grep")
_MAGIC = b"CURSRECD"


@dataclass(frozen=True, slots=True)
class Shims:
    """Shims laid out below a folder; `wrapped` are the shells that are replaced in their very place."""

    bin: Path
    prefix: tuple[str, ...]
    wrapped: tuple[tuple[Path, Path], ...]

    @property
    def covers_absolute_paths(self) -> bool:
        """Whether `/bin/sh`, called by its path, is seen too."""
        return bool(self.wrapped)

    def command(self, words: Sequence[str]) -> list[str]:
        """Return the command line that starts an agent among the shims; raises BadInput where it is not found.

        An agent that is itself started by a shell gets the real one: its own start is no call.
        """
        program = shutil.which(words[0])
        if program is None:
            raise BadInput(f"trace record: {words[0]!r} is not on PATH; name the agent's program after --")
        real = dict(self.wrapped)
        chosen = real.get(Path(program).resolve(), Path(program).absolute())
        return [*self.prefix, str(chosen), *words[1:]]


def lay_out(folder: Path, socket: Path, workspace: Path) -> Shims:
    """Make the shims below `folder`, which log to `socket`; the agent will start in `workspace`."""
    shim = programs.find("curserve-record")
    if shim is None:
        raise SetupFailed("trace record: curserve-record not found; pip install curserve (or `make setup`)")
    early, places, kept = folder / "bin", folder / "places", folder / "real"
    for place in (early, places, kept):
        place.mkdir()
    bwrap = _bubblewrap()
    prefix: list[str] = []
    wrapped: dict[Path, Path] = {}
    for name in (*SHELLS, *SEARCHES):
        found = programs.find(name) if name == "rg" else shutil.which(name)
        if found is None:
            continue
        place = Path(found).resolve()
        real = place
        if bwrap is not None and name in SHELLS:
            real = kept / place.name
            if place not in wrapped:
                wrapped[place] = real
                real.touch()
                _write(places / place.name, shim, name if name != "sh" else place.name, real, socket, early)
                prefix += ["--bind", str(place), str(real), "--ro-bind", str(places / place.name), str(place)]
        _write(early / name, shim, name, real, socket, early)
    if bwrap is not None:
        prefix = [
            str(bwrap),
            "--die-with-parent",
            "--dev-bind",
            "/",
            "/",
            "--chdir",
            str(workspace),
            *prefix,
            "--",
        ]
    return Shims(early, tuple(prefix), tuple(wrapped.items()))


def _write(place: Path, shim: Path, name: str, real: Path, socket: Path, folder: Path) -> None:
    """Write a copy of the shim with its configuration at its end: JSON, its length, a mark."""
    known = {"name": name, "real": str(real), "socket": str(socket), "folder": str(folder)}
    text = json.dumps(known).encode()
    place.write_bytes(shim.read_bytes() + text + struct.pack("<I", len(text)) + _MAGIC)
    place.chmod(0o755)


def _bubblewrap() -> Path | None:
    """Return bubblewrap where it can mount over files here."""
    bwrap = programs.find("bwrap")
    if bwrap is None:
        return None
    tried = [str(bwrap), "--dev-bind", "/", "/", "--", "true"]
    return bwrap if subprocess.run(tried, capture_output=True, check=False).returncode == 0 else None
