"""A run folder is never overwritten; a scratch folder is never left behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from curserve_harness.console.exits import BadInput
from curserve_harness.run.run_folder import claim, scratch


def test_an_existing_folder_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "kept").write_text("kept")
    with pytest.raises(BadInput, match="never overwritten"), claim(tmp_path / "run", resume=False):
        pass
    assert (tmp_path / "run" / "kept").read_text() == "kept"


def test_a_folder_in_which_nothing_was_begun_is_removed(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), claim(tmp_path / "run", resume=False):
        raise RuntimeError
    assert not (tmp_path / "run").exists()


def test_two_runs_cannot_write_one_folder(tmp_path: Path) -> None:
    with claim(tmp_path / "run", resume=False) as folder:
        (folder / "plan.json").write_text("{}")
        with pytest.raises(BadInput, match="another run"), claim(folder, resume=True):
            pass


def test_resume_needs_a_plan(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"plan\.json"), claim(tmp_path / "run", resume=True):
        pass


@pytest.mark.parametrize("name", [".lock", "samples", "manifest.json", "samples/block-00000.parquet"])
@pytest.mark.parametrize("kind", ["link", "fifo"])
def test_a_run_folder_from_elsewhere_is_written_through_no_link(tmp_path: Path, name: str, kind: str) -> None:
    (tmp_path / "run/samples").mkdir(parents=True)
    (tmp_path / "run/plan.json").write_text("{}")
    (tmp_path / "outside").mkdir()
    place = tmp_path / "run" / name
    if name == "samples":
        place.rmdir()
    if kind == "link":
        place.symlink_to(tmp_path / "outside" / "new")
    else:
        os.mkfifo(place)
    with pytest.raises(BadInput, match="is no file and no folder"), claim(tmp_path / "run", resume=True):
        pass
    assert not list((tmp_path / "outside").iterdir())


def test_scratch_of_a_killed_run_is_swept_and_that_of_a_living_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    program = (
        "from curserve_harness.run.run_folder import scratch\nwith scratch() as f: print(f, flush=True); input()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert other.stdout is not None
    folder = Path(other.stdout.readline().strip())
    (folder / "readonly").mkdir()
    (folder / "readonly" / "file").write_text("x")
    (folder / "readonly").chmod(0o500)
    with scratch():
        assert folder.exists()
    other.send_signal(signal.SIGKILL)
    other.wait()
    with scratch() as mine:
        assert mine.exists()
        assert not folder.exists()
    assert not mine.exists()
