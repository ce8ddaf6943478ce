"""From what a user names to sources: files, folders, zips, event folders; what cannot be read is reported."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from curserve_traces.errors import TraceError
from curserve_traces.files import MAX_UNPACKED, parse_json
from curserve_traces.importers import opencode_storage
from curserve_traces.importers.source import Source, source_of, source_of_stream
from curserve_traces.zips import METHODS, open_zip

_EVENT = re.compile(r"(?:event-)?(\d+)(?:-[\w-]+)?\.json")
_IGNORED = {".git", "__pycache__", "node_modules"}


def sources(path: Path) -> Iterator[Source | TraceError]:
    """Yield the sources below `path`, or the error for each that cannot be read."""
    if not path.exists():
        yield TraceError(f"{path}: does not exist; name a file, a folder, or hf://owner/data-set")
    elif path.is_dir():
        yield from _folder(path)
    else:
        yield from _file(path)


def _folder(top: Path) -> Iterator[Source | TraceError]:
    """Yield the sources of a folder and of those in it, in order of names, however deep they lie."""
    left = [top]
    while left:
        path = left.pop()
        if path != top and path.is_symlink():
            yield TraceError(f"{path}: a link, not followed (it may lead out of the folder)")
        elif not path.is_dir():
            if path.is_file():
                yield from _file(path)
        elif opencode_storage.is_storage(path):
            yield from opencode_storage.sessions(path)
        elif path == top or path.name not in _IGNORED:
            children = sorted(path.iterdir())
            events = [child for child in children if _EVENT.fullmatch(child.name) and child.is_file()]
            every = [child for child in children if child.suffix == ".json"]
            if events and len(events) == len(every) and all(map(_is_event, events)):
                yield from _events(path, events)
                taken = set(events)
                children = [child for child in children if child not in taken]
            both = {"wire.jsonl", "context.jsonl"} <= {child.name for child in children}
            if both:
                children.remove(path / "context.jsonl")
                yield TraceError(
                    f"{path / 'context.jsonl'}: the same session as wire.jsonl beside it, which has its times: "
                    "that is read"
                )
            left += reversed(children)


def _is_event(path: Path) -> bool:
    """Whether a numbered file is an event of OpenHands, or damaged; anything else is no part of its stream."""
    try:
        document = parse_json(path.read_bytes(), str(path))
    except (OSError, TraceError):
        return True
    return isinstance(document, dict) and any(
        isinstance(document.get(key), str) for key in ("action", "observation", "kind")
    )


def _events(folder: Path, events: list[Path]) -> Iterator[Source | TraceError]:
    """Yield one source for a folder that holds an event a file (OpenHands), in the order of their numbers."""

    def number(path: Path) -> int:
        match = _EVENT.fullmatch(path.name)
        return int(match[1]) if match else 0

    try:
        lines = [path.read_bytes().replace(b"\n", b" ") for path in sorted(events, key=number)]
    except OSError as error:
        yield TraceError(f"{folder}: cannot be read ({error.strerror})")
        return
    yield Source(
        folder / "events.jsonl" if folder.name != "events" else folder.parent / "events.jsonl", b"\n".join(lines)
    )


def _file(path: Path) -> Iterator[Source | TraceError]:
    try:
        source = source_of(path)
    except TraceError as error:
        yield error
        return
    if source.data.startswith(b"PK\x03\x04") and path.suffix != ".eval":
        yield from _zip(source)
    else:
        yield source


def _zip(source: Source) -> Iterator[Source | TraceError]:
    try:
        archive = open_zip(io.BytesIO(source.data), str(source.path))
    except TraceError as error:
        yield error
        return
    for entry in archive.infolist():
        if entry.is_dir():
            continue
        where = f"{source.path}!{entry.filename}"
        inside = PurePosixPath(entry.filename)
        if inside.is_absolute() or ".." in inside.parts:
            yield TraceError(f"{where}: its path climbs out of the zip; not read")
        elif entry.file_size > MAX_UNPACKED:
            yield TraceError(f"{where}: unpacks to more than {MAX_UNPACKED >> 20} MB; unpack it by hand")
        elif entry.compress_type not in METHODS:
            yield TraceError(f"{where}: packed in an unusual way; unpack it by hand")
        else:
            try:
                with archive.open(entry) as member:
                    yield source_of_stream(source.path / inside, member)
            except Exception as error:  # a zip can fail in a dozen ways, each of its own type
                yield TraceError(f"{where}: cannot be unpacked ({type(error).__name__}: {error})")
