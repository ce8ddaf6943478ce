"""Hugging Face data sets, streamed row by row: `hf://owner/name`, or `hf://owner/name/split`."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from curserve_traces.codec import save
from curserve_traces.errors import TraceError
from curserve_traces.importers.chat_messages import read_rows
from curserve_traces.importers.run import Outcome, safe_name

_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


def import_rows(address: str, out: Path, limit: int | None = None) -> Iterator[Outcome]:
    """Import the rows of a data set into native files, one Outcome a row; raises TraceError without one."""
    parts = address.removeprefix("hf://").strip("/").split("/")
    if len(parts) not in (2, 3) or not all(_PART.fullmatch(part) for part in parts):
        raise TraceError(f"{address}: expected hf://owner/name or hf://owner/name/split")
    try:
        import datasets
    except ImportError:
        raise TraceError(
            f"{address}: needs the library `datasets`; pip install 'curserve-bench[datasets]'"
        ) from None
    name, split = "/".join(parts[:2]), parts[2] if len(parts) == 3 else "train"
    try:
        rows = datasets.load_dataset(name, split=split, streaming=True)
        stream = read_rows(itertools.islice(rows, limit), parts[1])
        names: Counter[str] = Counter()
        for imported in stream:
            if imported.empty():
                yield Outcome(
                    address, refused=f"{address}: {imported.trace.id} holds no turn of a model; left out"
                )
                continue
            target = out / f"{safe_name(imported.trace.id, names)}.json"
            save(imported.trace, target, durable=False)
            yield Outcome(address, ((target, imported.report),))
    except TraceError:
        raise
    except Exception as error:  # the library raises types of its own, of HTTP and of the file system
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise TraceError(
            f"{address}: the data set cannot be read ({reason}); check name, split and network"
        ) from None
