"""The store: a run folder with one Parquet file per finished block. Main names: RunWriter, scan.

    RUN/manifest.json                what the run was
    RUN/samples/block-000007.parquet the samples of block 7: there whole, or not at all
    RUN/samples/blocks-000000-000008.parquet  those of blocks 0 to 8, once the run was compacted
    RUN/table.md …                   what was derived from them

Append-only. A reader sees finished blocks only, so a run may be read while it is written, and a run that was
killed resumes by repeating the blocks that are missing.
"""

from __future__ import annotations

import io
import re
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curserve_results.errors import BadSamples, CannotWrite, EmptyRun, NotARun, SchemaMismatch
from curserve_results.files import sweep, write_atomically
from curserve_results.manifest import Manifest, read_manifest
from curserve_results.schema import (
    ADDED,
    ANSWERS,
    COLUMNS,
    KINDS,
    LABELS,
    PHASES,
    SCHEMA_VERSION,
    WORKSPACES,
    polars_schema,
)

if TYPE_CHECKING:
    import polars as pl

SAMPLES = "samples"
VERSION_KEY = "curserve.schema_version"
_BLOCK = re.compile(r"block-(\d{6,})\.parquet")
_BLOCKS = re.compile(r"blocks-(\d{6,})-(\d{6,})\.parquet")
_MOST_BLOCKS = 1_000_000
_ENUMS = {"kind": KINDS, "answer": ANSWERS, "label": LABELS, "workspace": WORKSPACES, "phase": PHASES}
_REQUIRED = ("run", "block", "cell", "kind", "trace", "engine", "model", "link")


class RunWriter:
    """Writes the blocks of one run; the folder is made if it is not there."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._samples = self.folder / SAMPLES
        if self._samples.is_symlink():
            raise CannotWrite(
                f"{self._samples}: a link, and nothing is written through one; choose another folder"
            )
        try:
            self._samples.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CannotWrite(f"{self._samples}: {error.strerror}; make room, or choose another folder") from error
        sweep(self._samples)

    def write_manifest(self, manifest: Manifest) -> None:
        """Write the manifest, replacing the one that is there."""
        manifest.write(self.folder)

    def write_block(self, block: int, rows: Sequence[Mapping[str, Any]]) -> Path:
        """Write all rows of `block` as one Parquet file, in one step; return its path.

        Columns that a row lacks are null; a column, or a word in one of its own, outside the schema is BadSamples.
        """
        import polars as pl

        for row in rows:
            _check_row(block, row)
        filled = [{name: row.get(name) for name in COLUMNS} for row in rows]
        try:
            frame = pl.DataFrame(filled, schema=polars_schema(), strict=True)
        except (TypeError, pl.exceptions.PolarsError, OverflowError) as error:
            raise BadSamples(f"block {block}: a row does not fit the schema: {_line(error)}") from None
        return self.write_frame(block, frame)

    def write_frame(self, block: int, frame: pl.DataFrame) -> Path:
        """Write a frame that already has the schema as `block`."""
        path = self._samples / f"block-{block:06d}.parquet"
        metadata = {VERSION_KEY: str(SCHEMA_VERSION)}
        encoded = io.BytesIO()  # polars gives a full disk another name at each step of writing
        frame.write_parquet(encoded, compression="zstd", metadata=metadata)
        write_atomically(path, encoded.getvalue(), links=False)
        return path


def _line(error: BaseException) -> str:
    """Return the first line of an error's text."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def _check_row(block: int, row: Mapping[str, Any]) -> None:
    """Raise BadSamples where a row is not of the schema."""
    unknown = row.keys() - COLUMNS.keys()
    if unknown:
        raise BadSamples(f"block {block}: columns outside the schema: {', '.join(sorted(unknown))}")
    missing = [name for name in _REQUIRED if row.get(name) is None]
    if missing:
        raise BadSamples(f"block {block}: a row lacks {', '.join(missing)}")
    if row["block"] != block:
        raise BadSamples(f"block {block}: a row says block {row['block']}")
    for name, allowed in _ENUMS.items():
        value = row.get(name)
        if value is not None and value not in allowed:
            raise BadSamples(f"block {block}: {name} is {value!r}, expected one of {', '.join(allowed)}")


def compacted_name(blocks: range) -> str:
    """Return the name of the file that holds several blocks."""
    return f"blocks-{blocks.start:06d}-{blocks.stop - 1:06d}.parquet"


def block_files(folder: Path) -> dict[int, Path]:
    """Return the file of each finished block of a run by number, in order; a foreign file among them is NotARun.

    A compacted file stands for all its blocks, also where single ones are still there.
    """
    files: dict[int, Path] = {}
    together: dict[int, Path] = {}
    samples = Path(folder) / SAMPLES
    for path in sorted(samples.glob("*")):
        if path.name.startswith("."):
            continue
        if not stat.S_ISREG(path.lstat().st_mode):  # a FIFO would be waited for, a link leads elsewhere
            raise NotARun(f"{path}: not a plain file, as every block of a run is; move it out of {samples}")
        if several := _BLOCKS.fullmatch(path.name):
            blocks = range(int(several[1]), int(several[2]) + 1)
            if len(blocks) > _MOST_BLOCKS:
                raise NotARun(f"{path}: more than {_MOST_BLOCKS} blocks; no run has as many")
            if not blocks or path.name != compacted_name(blocks):
                raise NotARun(f"{path}: not a name of blocks that any run has; move it out of {samples}")
            if twice := sorted(together.keys() & set(blocks)):
                raise NotARun(
                    f"{path}: has block {twice[0]}, as {together[twice[0]].name} has; move one of them away"
                )
            together.update(dict.fromkeys(blocks, path))
            continue
        match = _BLOCK.fullmatch(path.name)
        if match is None:
            raise NotARun(f"{path}: not a block file of a run; move it out of {samples}")
        files[int(match[1])] = path
    return dict(sorted((files | together).items()))


def sample_files(folder: Path) -> list[Path]:
    """Return the files that hold the samples of a run, in the order of their blocks."""
    return list(dict.fromkeys(block_files(folder).values()))


def finished_blocks(folder: Path) -> set[int]:
    """Return the numbers of the blocks that are there (none, if there is no run yet)."""
    return set(block_files(folder))


def check_file(path: Path) -> None:
    """Raise NotARun for a foreign Parquet file, SchemaMismatch for samples of another version."""
    import polars as pl

    try:
        metadata = pl.read_parquet_metadata(path)
        schema = pl.read_parquet_schema(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise NotARun(f"{path}: cannot be read as Parquet ({_line(error)}); delete it and resume") from None
    version = metadata.get(VERSION_KEY)
    if version is None:
        raise NotARun(f"{path}: a Parquet file, but not of curserve-bench; move it out of the run folder")
    if version != str(SCHEMA_VERSION):
        raise SchemaMismatch(
            f"{path}: samples of schema version {version}, this program reads {SCHEMA_VERSION}; "
            "versions cannot be mixed in one run"
        )
    expected = {name: kind for name, kind in polars_schema().items() if name in schema or name not in ADDED}
    if dict(schema) != expected:
        odd = sorted(set(schema.items()) ^ set(expected.items()), key=str)
        raise NotARun(f"{path}: columns are not those of schema version {version}: {odd[0][0]}")


def scan(folder: Path) -> pl.LazyFrame:
    """Scan the samples of every finished block lazily; every file's schema is checked first."""
    files = sample_files(folder)
    if not files:
        read_manifest(Path(folder))  # says so, when it is no run at all
        raise EmptyRun(f"{folder}: no finished block; let the run finish one, or continue it with --resume")
    for path in files:
        check_file(path)
    return scan_files(files)


def scan_files(files: Sequence[Path], *, path: str | None = None) -> pl.LazyFrame:
    """Scan block files that were checked; columns that came after a file was written are null in it.

    The column `path`, if it is named, tells the file of each row.
    """
    import polars as pl

    return pl.scan_parquet(list(files), schema=polars_schema(), missing_columns="insert", include_file_paths=path)
