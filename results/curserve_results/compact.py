"""A finished run in as few files as it needs: its samples together, and nothing that can be derived again.

A run writes one file a block, since a killed run must lose no finished block. Once it has finished, those files
are many and small; one file holds the same rows in a fraction of the bytes. Main name: `compact`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

from curserve_results.errors import NotARun
from curserve_results.files import write_atomically
from curserve_results.manifest import read_manifest
from curserve_results.schema import SCHEMA_VERSION
from curserve_results.store import SAMPLES, VERSION_KEY, block_files, check_file, compacted_name, scan_files

MOST_BYTES = 64 << 20
"""What goes into one file, as it lies in the blocks': a reader takes file after file into memory."""


def compact(folder: Path) -> int:
    """Put the samples of the finished run in `folder` together, drop its rendered tables; return the bytes saved.

    A new file is there before the blocks that it holds go, and a reader takes it in their place: a run whose
    compaction is killed is whole, and compacting it again goes on. Raises NotARun where the run has not finished.
    """
    manifest = read_manifest(folder)
    files = block_files(folder)
    if manifest.finished_at is None or sorted(files) != list(range(manifest.planned_blocks or 0)):
        raise NotARun(f"--compact {folder}: it has not finished; finish it with `replay --resume --out {folder}`")
    before = _bytes(folder)
    single = {block: path for block, path in files.items() if path.name == f"block-{block:06d}.parquet"}
    for blocks in _lots(single):
        parts = [single[block] for block in blocks]
        for path in parts:
            check_file(path)
        encoded = io.BytesIO()
        rows = scan_files(parts).collect()
        rows.write_parquet(encoded, compression="zstd", metadata={VERSION_KEY: str(SCHEMA_VERSION)})
        write_atomically(folder / SAMPLES / compacted_name(blocks), encoded.getvalue(), links=False)
    held = {path.name for path in block_files(folder).values()}
    for path in (*(folder / SAMPLES).glob("block-*.parquet"), *folder.glob("table.*")):
        if path.name not in held:
            path.unlink()
    return before - _bytes(folder)


def _lots(single: dict[int, Path]) -> Iterator[range]:
    """Yield runs of neighbouring blocks that make one file."""
    lot, size = range(0), 0
    for block, path in sorted(single.items()):
        if lot and (block != lot.stop or size >= MOST_BYTES):
            yield lot
            lot, size = range(0), 0
        lot = range(lot.start if lot else block, block + 1)
        size += path.stat().st_size
    if lot:
        yield lot


def _bytes(folder: Path) -> int:
    return sum(p.stat().st_size for p in (*folder.glob("*"), *(folder / SAMPLES).glob("*")) if p.is_file())
