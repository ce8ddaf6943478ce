"""An import from end to end: sources in, native files out, an account of both."""

from __future__ import annotations

import gc
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from curserve_traces.codec import save
from curserve_traces.errors import CannotWrite, TraceError
from curserve_traces.importers import read_source
from curserve_traces.importers.copies import Copies, Copy
from curserve_traces.importers.report import Report
from curserve_traces.importers.walk import sources


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one source: the files written with their accounts, or why it was refused.

    `copy`: something that was written is taken back, since another file of the import holds it too.
    """

    source: str
    imported: tuple[tuple[Path, Report], ...] = ()
    refused: str | None = None
    size: int = 0
    copy: Copy | None = None


def import_path(path: Path, out: Path, format_name: str = "auto") -> Iterator[Outcome]:
    """Import everything below `path` into native files in `out`; yields an Outcome for each source.

    Raises CannotWrite where the disk takes no more; what was written before stays.
    """
    names: Counter[str] = Counter()
    copies = Copies()
    of: dict[Path, str] = {}
    files: dict[bytes, Path] = {}
    for source in sources(path):
        if isinstance(source, TraceError):
            yield Outcome(str(source).split(": ", 1)[0], refused=str(source))
            continue
        same = files.setdefault(blake2b(source.data).digest(), source.path)
        if same is not source.path:
            yield Outcome(str(source.path), refused=f"{source.path}: the same bytes as {same}; imported once")
            continue
        written: list[tuple[Path, Report]] = []
        refused: str | None = None
        size = len(source.data)
        gc.disable()  # millions of small values and no cycles: the collector finds nothing and takes a third
        try:
            for imported in read_source(source, format_name):
                target = out / f"{safe_name(imported.trace.id, names)}.json"
                save(imported.trace, target, durable=False)
                written.append((target, imported.report))
                copies.add(target, imported)
                of[target] = str(source.path)
        except CannotWrite:
            raise  # of the disk, not of the source: the next one would not fit either
        except TraceError as error:
            refused = str(error)
        finally:
            gc.enable()
        yield Outcome(str(source.path), tuple(written), refused, size)
    for copy in copies.settle():
        yield Outcome(of[copy.path], copy=copy)


def safe_name(identity: str, names: Counter[str]) -> str:
    """Return a file name for a trace: no path can climb out, no two are equal."""
    base = re.sub(r"[^\w.-]+", "_", identity).strip("._")[:120] or "trace"
    names[base.lower()] += 1
    count = names[base.lower()]
    return base if count == 1 else safe_name(f"{base}-{count}", names)
