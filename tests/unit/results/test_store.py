"""The store keeps whole blocks, refuses what is not its own, and reads back what was written."""

import os
from pathlib import Path

import polars as pl
import pytest
from made_runs import Truth, write_run

from curserve_results.errors import BadSamples, EmptyRun, NotARun, ResultsError, SchemaMismatch
from curserve_results.manifest import LinkRecord, Machine, Manifest, ModelRecord, read_manifest
from curserve_results.schema import ADDED, COLUMNS, SCHEMA_VERSION
from curserve_results.store import VERSION_KEY, RunWriter, finished_blocks, scan
from curserve_results.summary import summarise

ROW = {
    "run": "r", "block": 7, "cell": 0, "kind": "cell", "trace": "t", "engine": "daemon",
    "model": "m", "link": "l", "started_ns": 1, "done_ns": 5,
}  # fmt: skip


def test_a_block_reads_back_as_written(tmp_path: Path) -> None:
    RunWriter(tmp_path).write_block(7, [ROW])
    row = scan(tmp_path).collect().row(0, named=True)
    assert row == {name: ROW.get(name) for name in COLUMNS}
    assert finished_blocks(tmp_path) == {7}


def test_a_folder_without_a_run_has_no_finished_blocks(tmp_path: Path) -> None:
    assert finished_blocks(tmp_path / "nowhere") == set()


def test_an_interrupted_write_leaves_no_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = RunWriter(tmp_path)

    def interrupted(_descriptor: int) -> None:
        assert list((tmp_path / "samples").glob(".*.part"))  # it lies aside
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        writer.write_block(7, [ROW])
    assert list(writer.folder.rglob("*")) == [tmp_path / "samples"]


def test_a_dead_writers_remains_are_swept_and_ignored(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path)
    writer.write_block(7, [ROW])
    remains = tmp_path / "samples" / ".block-000008.parquet.4194999.part"
    remains.write_bytes(b"half")
    assert finished_blocks(tmp_path) == {7}
    RunWriter(tmp_path)
    assert not remains.exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"colour": "red"}, "columns outside the schema: colour"),
        ({"engine": None}, "a row lacks engine"),
        ({"block": 8}, "a row says block 8"),
        ({"label": "guessed"}, "label is 'guessed', expected one of"),
        ({"workspace": "odd"}, "workspace is 'odd', expected one of"),
        ({"done_ns": "soon"}, "does not fit the schema"),
        ({"done_ns": float("nan")}, "does not fit the schema"),
    ],
)
def test_rows_outside_the_schema_are_refused(tmp_path: Path, change: dict[str, object], says: str) -> None:
    with pytest.raises(BadSamples, match=says) as caught:
        RunWriter(tmp_path).write_block(7, [ROW | change])
    assert "\n" not in str(caught.value)
    assert finished_blocks(tmp_path) == set()


def test_a_foreign_parquet_file_is_refused(run: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "samples"
    foreign.mkdir()
    pl.DataFrame({"a": [1]}).write_parquet(foreign / "block-000001.parquet")
    with pytest.raises(NotARun, match="not of curserve-bench"):
        scan(tmp_path)
    (foreign / "block-000001.parquet").rename(foreign / "theirs.parquet")
    with pytest.raises(NotARun, match="not a block file"):
        scan(tmp_path)


@pytest.mark.parametrize("kind", ["fifo", "link", "folder"])
def test_what_is_no_plain_file_is_refused_unopened(tmp_path: Path, kind: str) -> None:
    (tmp_path / "samples").mkdir()
    place = tmp_path / "samples" / "block-000099.parquet"
    if kind == "fifo":
        os.mkfifo(place)  # to open it would wait for a writer that never comes
    elif kind == "link":
        place.symlink_to(tmp_path)
    else:
        place.mkdir()
    with pytest.raises(NotARun, match="not a plain file"):
        scan(tmp_path)


def test_a_file_that_is_no_parquet_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "block-000001.parquet").write_bytes(b"not parquet")
    with pytest.raises(NotARun, match="cannot be read as Parquet") as caught:
        scan(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_column_that_came_later_is_null_in_files_that_lack_it(tmp_path: Path) -> None:
    """A run that an earlier program began can be read, and finished by this one."""
    call = ROW | {"kind": "call", "label": "executed", "answer": "identical", "reason": "r"}
    path = RunWriter(tmp_path).write_block(7, [call])
    earlier = pl.read_parquet(path).drop(ADDED)
    earlier.write_parquet(path, metadata={VERSION_KEY: str(SCHEMA_VERSION)})
    RunWriter(tmp_path).write_block(8, [call | {"block": 8, "workspace": "unknown"}])
    assert scan(tmp_path).select("block", "reason", "workspace").collect().rows() == [
        (7, "r", None),
        (8, "r", "unknown"),
    ]
    earlier.drop("reason").write_parquet(path, metadata={VERSION_KEY: str(SCHEMA_VERSION)})
    with pytest.raises(NotARun, match="columns are not those of schema version 1: reason"):
        scan(tmp_path)


def test_mixed_schema_versions_are_refused(tmp_path: Path) -> None:
    path = RunWriter(tmp_path).write_block(7, [ROW])
    pl.read_parquet(path).write_parquet(path.with_name("block-000008.parquet"), metadata={VERSION_KEY: "99"})
    with pytest.raises(SchemaMismatch, match="schema version 99"):
        scan(tmp_path)


def test_an_empty_run_and_no_run_say_so(tmp_path: Path) -> None:
    with pytest.raises(NotARun, match=r"no manifest\.json here"):
        scan(tmp_path)
    RunWriter(tmp_path).write_manifest(Manifest(run="r", seed=1))
    with pytest.raises(EmptyRun, match="no finished block"):
        scan(tmp_path)


def test_a_manifest_reads_back_as_written_and_keeps_unknown_keys(tmp_path: Path) -> None:
    manifest = Manifest(
        run="r",
        seed=3,
        command=("curserve-bench", "replay"),
        machine=Machine("6.1.0", "x86_64", "a CPU", 2),
        links=(LinkRecord("us-asia", "queue", 150, 151, 152, {"congestion": "cubic"}),),
        models={"SWE-grep": ModelRecord(1_500_000, assumed=("TTFT",))},
        floor={"p50_ns": 1},
    )
    manifest.write(tmp_path)
    assert read_manifest(tmp_path) == manifest
    path = tmp_path / "manifest.json"
    path.write_text(path.read_text().replace('"seed": 3', '"seed": 3, "weather": "fine"'))
    assert read_manifest(tmp_path).extra == {"weather": "fine"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "holds no JSON object"),
        ('{"schema_version": 99}', "schema version 99"),
        ('{"schema_version": 1}', "not a manifest this program understands"),
        ('{"schema_version": 1, "run": 5, "seed": 1}', "not a manifest this program understands"),
        ('{"schema_version": 1, "run": "r", "seed": 1, "links": [{"nom": 1}]}', "understands"),
        ('{"schema_version": 1, "run": "r", "seed": 1, "machine": [1]}', "understands"),
    ],
)
def test_a_damaged_manifest_is_one_clear_line(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ResultsError, match=says) as caught:
        read_manifest(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_clock_that_stepped_is_named_with_its_place(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", Truth(traces=1, repetitions=1))
    frame = scan(run).collect()
    turned = frame.with_columns(
        done_ns=pl.when(pl.col("kind") == "cell").then(pl.col("started_ns") - 1).otherwise(pl.col("done_ns"))
    )
    RunWriter(run).write_frame(0, turned)
    with pytest.raises(BadSamples, match=r"block 0, cell 0: done_ns before started_ns; the clock stepped"):
        summarise(run)
