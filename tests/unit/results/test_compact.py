"""A compacted run says what it said before, in one file, and a killed compaction loses nothing."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from made_runs import Truth, write_run

from curserve_results import compact as room
from curserve_results.compact import compact
from curserve_results.errors import NotARun
from curserve_results.manifest import read_manifest
from curserve_results.store import SAMPLES, block_files, finished_blocks
from curserve_results.tables import render


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    folder = write_run(tmp_path / "run", Truth(traces=3, repetitions=3))
    manifest = replace(read_manifest(folder), finished_at="2026-11-30T00:00:00+00:00", planned_blocks=9)
    manifest.write(folder)
    (folder / "table.md").write_text("derived")
    return folder


def test_the_tables_are_the_same_and_the_files_are_few(finished: Path) -> None:
    before = render(finished, "json")
    assert compact(finished) > 0
    assert [path.name for path in (finished / SAMPLES).iterdir()] == ["blocks-000000-000008.parquet"]
    assert not list(finished.glob("table.*"))
    assert render(finished, "json") == before
    assert finished_blocks(finished) == set(range(9))
    assert compact(finished) == 0


def test_large_runs_get_several_files(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = render(finished, "csv")
    monkeypatch.setattr(room, "MOST_BYTES", 3 * block_files(finished)[0].stat().st_size)
    compact(finished)
    assert 1 < len(list((finished / SAMPLES).iterdir())) < 9
    assert render(finished, "csv") == before


def test_a_killed_compaction_leaves_a_whole_run(finished: Path, tmp_path: Path) -> None:
    before = render(finished, "json")
    copy = tmp_path / "copy" / finished.name
    shutil.copytree(finished, copy)
    compact(copy)
    whole = next((copy / SAMPLES).iterdir())
    shutil.copy(whole, finished / SAMPLES)  # written, and the blocks not removed yet
    (finished / SAMPLES / "block-000004.parquet").unlink()  # or some of them
    assert render(finished, "json") == before
    compact(finished)
    assert [path.name for path in (finished / SAMPLES).iterdir()] == [whole.name]


def test_an_unfinished_run_is_left_as_it_is(finished: Path) -> None:
    block_files(finished)[8].unlink()
    with pytest.raises(NotARun, match=r"has not finished; finish it with `replay --resume"):
        compact(finished)
    assert len(list((finished / SAMPLES).iterdir())) == 8


def test_a_name_that_claims_too_many_blocks_is_refused(finished: Path) -> None:
    shutil.copy(block_files(finished)[0], finished / SAMPLES / "blocks-000000-999999999999.parquet")
    with pytest.raises(NotARun, match="more than 1000000 blocks"):
        render(finished, "json")


@pytest.mark.parametrize("name", ["blocks-000009-000001", "blocks-000003-000002", "blocks-0000001-0000003"])
def test_a_name_of_blocks_that_no_run_has_is_refused(finished: Path, name: str) -> None:
    """A range that ends before it begins holds nothing, and was passed over without a word."""
    shutil.copy(block_files(finished)[0], finished / SAMPLES / f"{name}.parquet")
    with pytest.raises(NotARun, match=f"{name}.parquet: not a name of blocks that any run has"):
        render(finished, "json")


def test_two_files_of_the_same_blocks_are_refused(finished: Path) -> None:
    for name in ("blocks-000000-000004", "blocks-000004-000008"):
        shutil.copy(block_files(finished)[0], finished / SAMPLES / f"{name}.parquet")
    with pytest.raises(NotARun, match=r"has block 4, as blocks-000000-000004\.parquet has"):
        render(finished, "json")
