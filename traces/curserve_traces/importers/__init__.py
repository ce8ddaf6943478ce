"""Importers: one module per foreign format, found by sniffing, added by one entry point.

An importer is a module in the entry-point group `curserve.importers` with `sniff(source) -> bool` (cheap: looks at
the head, never raises) and `read(source) -> Iterator[Imported]`; one that would take other formats' files as well
sets `GENERIC` and is asked last. It guesses nothing: what a recording lacks stays `None`, and what cannot be kept
is in the report.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import entry_points
from typing import Protocol, cast

from curserve_traces.errors import MalformedTrace, TraceError, UnknownFormat
from curserve_traces.importers.lookalikes import lookalike
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source, source_of

GROUP = "curserve.importers"

__all__ = ["Imported", "Importer", "Source", "formats", "importer_of", "read_source", "source_of"]


class Importer(Protocol):
    """What an importer's module offers."""

    def sniff(self, source: Source) -> bool:
        """Whether the source looks like this format; never raises."""
        ...

    def read(self, source: Source) -> Iterator[Imported]:
        """Yield the traces of the source; raises TraceError for what cannot be read."""
        ...


@lru_cache(maxsize=1)
def formats() -> tuple[str, ...]:
    """Return the names of the installed importers."""
    return tuple(sorted({point.name for point in entry_points(group=GROUP)}))


@lru_cache(maxsize=64)
def importer_of(name: str) -> Importer:
    """Return the importer called `name`; raises UnknownFormat."""
    for point in entry_points(group=GROUP):
        if point.name == name:
            return cast("Importer", point.load())
    raise UnknownFormat(f"no importer is called {name!r}; there are: {', '.join(formats())}")


def sniff(source: Source) -> str:
    """Return the name of the one format that recognises a source; raises UnknownFormat."""
    generic = [name for name in formats() if getattr(importer_of(name), "GENERIC", False)]
    for name in [*(name for name in formats() if name not in generic), *generic]:
        try:
            if importer_of(name).sniff(source):
                return name
        except (TraceError, KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError):
            continue  # a sniffer that stumbles has not recognised the file
    source.explain()
    if (known := lookalike(source)) is not None:
        raise UnknownFormat(f"{source.path}: {known}")
    raise UnknownFormat(
        f"{source.path}: no importer recognises it as a recording (there are: {', '.join(formats())})"
    )


def read_source(source: Source, name: str = "auto") -> Iterator[Imported]:
    """Yield the traces of a source; `name` is a format or `auto`. Whatever goes wrong is a TraceError."""
    chosen = sniff(source) if name == "auto" else name
    try:
        yield from _with_turns(importer_of(chosen).read(source), source, chosen)
    except TraceError:
        raise
    except (
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        IndexError,
        RecursionError,
        OverflowError,
    ) as error:
        # the file has the outside of the format and not its inside; the type of the error is the best description
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:160]
        raise MalformedTrace(f"{source.path}: damaged, or not {chosen} after all ({reason})") from error


def _with_turns(traces: Iterator[Imported], source: Source, chosen: str) -> Iterator[Imported]:
    """Yield the traces that hold turns; what the others held, and damaged lines, is reported with the last one."""
    held: Imported | None = None
    dropped: Counter[str] = Counter()
    for imported in traces:
        if imported.empty():
            dropped.update(imported.report.dropped)
            dropped["trace without a turn of a model"] += 1
            continue
        if held is not None:
            yield held
        held = imported
    dropped.update(f"damaged line ({damage})" for damage in source.damaged)
    if held is None:
        del dropped["trace without a turn of a model"]
        reasons = "; ".join(f"{count} × {reason}" for reason, count in dropped.most_common(3))
        raise MalformedTrace(
            f"{source.path}: read as {chosen}, it holds no turn of a model{f' ({reasons})' if reasons else ''}; "
            "nothing is imported"
        )
    held.report.dropped.update(dropped)
    yield held
