"""The suites that come with the program: folders of native traces that this project recorded."""

from __future__ import annotations

from pathlib import Path

from curserve_traces.codec import SUFFIXES, load
from curserve_traces.errors import TraceError
from curserve_traces.model import Trace

FOLDER = Path(__file__).parent / "suites"


def names() -> tuple[str, ...]:
    """Return the names of the bundled suites."""
    if not FOLDER.is_dir():
        return ()
    return tuple(sorted(folder.name for folder in FOLDER.iterdir() if folder.is_dir() and _files(folder)))


def files(name: str) -> tuple[Path, ...]:
    """Return the trace files of a suite, in order; raises TraceError for an unknown one."""
    found = _files(FOLDER / name) if name in names() else ()
    if not found:
        raise TraceError(f"suite {name!r} is not bundled; there are: {', '.join(names()) or 'none'}")
    return found


def load_suite(name: str) -> tuple[Trace, ...]:
    """Return the traces of a suite, in the order of their file names."""
    return tuple(load(path) for path in files(name))


def _files(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIXES)))
