"""Files of traces: `load` and `save` the native format; foreign formats are recognised by their importers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from curserve_traces import budget
from curserve_traces.errors import MalformedTrace
from curserve_traces.files import json_bytes, parse_json, write_atomic
from curserve_traces.model import Trace
from curserve_traces.native import around, is_native, steps
from curserve_traces.native_reader import from_document

SUFFIXES = (".json", ".json.gz", ".json.zst")
"""How the names of trace files end."""


def load(path: Path | str) -> Trace:
    """Return the one trace in a file; raises as `load_all`, and MalformedTrace where it holds several."""
    traces = load_all(path)
    if len(traces) != 1:
        raise MalformedTrace(
            f"{path}: holds {len(traces)} traces where one is wanted; "
            f"use curserve-bench trace import {path} --out DIR"
        )
    return traces[0]


def load_all(path: Path | str) -> list[Trace]:
    """Return the traces in a file: native (one), or any format that an importer recognises.

    Raises TraceError (UnknownFormat, MalformedTrace, UnknownSchema) with one line that names file and field.
    """
    path = Path(path)
    from curserve_traces.importers.source import source_of

    source = source_of(path)
    data = source.data
    if data[:1] in (b"{", b" ", b"\n"):
        try:
            document = parse_json(data, str(path), budget.DEEPEST)
        except MalformedTrace:
            document = None  # JSON lines start with a brace too; the importers say what is wrong
        if is_native(document):
            return [from_document(document, str(path))]
    from curserve_traces.importers import read_source

    return [imported.trace for imported in read_source(source)]


def loads(data: bytes, where: str = "trace") -> Trace:
    """Return the trace in the bytes of a native file."""
    document = parse_json(data, where, budget.DEEPEST)
    if not is_native(document):
        raise MalformedTrace(f"{where}: not a native trace file (ATIF with an extra.curserve block)")
    return from_document(document, where)


def dump(trace: Trace) -> bytes:
    """Return the bytes of a trace's native file."""
    return b"".join(_pieces(trace))


def save(trace: Trace, path: Path | str, *, durable: bool = True) -> None:
    """Write a trace's native file atomically; `.gz` and `.zst` are compressed."""
    write_atomic(Path(path), _pieces(trace), durable=durable)


def _pieces(trace: Trace) -> Iterator[bytes]:
    """Yield the bytes of a native file step by step: the document of a long session is several times its trace."""
    head, tail = json_bytes(around(trace)).split(_STEPS, 1)
    yield head + b'\n  "steps": ['
    for number, step in enumerate(steps(trace)):
        lines = json_bytes(step).rstrip(b"\n").replace(b"\n", b"\n    ")
        yield (b",\n    " if number else b"\n    ") + lines
    yield b"\n  ]" + tail


_STEPS = b'\n  "steps": []'  # a line break within a string is escaped: there is one such place
