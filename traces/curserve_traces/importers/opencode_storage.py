"""opencode's storage folder (`session/`, `message/`, `part/`, a JSON file each) as one source a session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson

from curserve_traces.errors import TraceError
from curserve_traces.files import parse_json
from curserve_traces.importers.source import Source
from curserve_traces.importers.values import Json


def is_storage(folder: Path) -> bool:
    """Whether a folder is opencode's storage."""
    return (folder / "message").is_dir() and (folder / "part").is_dir() and (folder / "session").is_dir()


def sessions(folder: Path) -> Iterator[Source | TraceError]:
    """Yield each session in the shape of an export, or the error for a file that cannot be read."""
    place = folder / "session"
    for path in sorted([*place.glob("*.json"), *place.glob("*/*.json")]):  # of a project, or of none
        try:
            messages = [
                {"info": message, "parts": [part for _, part in _objects(folder / "part" / name)]}
                for name, message in _objects(folder / "message" / path.stem)
            ]
            yield Source(path, orjson.dumps({"info": _object(path), "messages": messages}))
        except (TraceError, OSError) as error:
            yield (
                error
                if isinstance(error, TraceError)
                else TraceError(f"{path}: cannot be read ({error.strerror})")
            )


def _objects(folder: Path) -> list[tuple[str, Json]]:
    """Return names and objects of a folder in the order of the names, which is that of time."""
    if folder.is_symlink() or not folder.is_dir():
        return []
    return [(path.stem, _object(path)) for path in sorted(folder.glob("*.json")) if not path.is_symlink()]


def _object(path: Path) -> Json:
    if not path.is_file():
        raise TraceError(f"{path}: no file, as opencode's storage has")
    document = parse_json(path.read_bytes(), str(path))
    if not isinstance(document, dict):
        raise TraceError(f"{path}: not an object, as opencode's storage has")
    return document
