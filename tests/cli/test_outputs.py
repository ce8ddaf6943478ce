"""Every verb that writes a file leaves a device a device, a FIFO a FIFO and a link a link, and keeps a mode."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest
from made_runs import Truth, write_run

PROGRAM = [sys.executable, "-m", "curserve_harness"]
NULL, FULL = os.makedev(1, 3), os.makedev(1, 7)
MARKED = "<!-- BEGIN curserve-bench report RUN -->\n<!-- END curserve-bench -->\n"
CALIBRATED = "<!-- BEGIN link calibration -->\n<!-- END link calibration -->\n"

WRITERS: Mapping[str, tuple[str, ...]] = {
    "report --html": ("report", "RUN", "--html", "OUT"),
    "trace stats --html": ("trace", "stats", "TRACE", "--html", "OUT"),
    "verify --details": (
        "verify", "--engine", "client-subprocess", "--workspace", "CODE", "--calls", "CALLS", "--details", "OUT",
    ),
    "bench startup --json": ("bench", "startup", "true", "--runs", "10", "--json", "OUT"),
    "gate --junit": ("gate", "RUN", "--baseline", "main", "--store", "STORE", "--junit", "OUT"),
    "gate --summary": ("gate", "RUN", "--baseline", "main", "--store", "STORE", "--summary", "OUT"),
    "link calibrate --figure": ("link", "calibrate", "--rtt", "1ms", "--samples", "2", "--figure", "OUT"),
}  # fmt: skip


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, small_workspace: Path) -> Mapping[str, str]:
    folder = tmp_path_factory.mktemp("places")
    run = write_run(folder / "run", Truth(repetitions=1))
    (folder / "calls").write_text(json.dumps({"command": "cat README.md"}) + "\n")
    subprocess.run([*PROGRAM, "baseline", "save", "main", run, "--store", folder / "store"], check=True)
    found = {"RUN": run, "CALLS": folder / "calls", "STORE": folder / "store", "CODE": small_workspace}
    return {name: str(path) for name, path in found.items()}


def bench(
    words: tuple[str, ...], places: Mapping[str, str], trace: Path, out: Path
) -> subprocess.CompletedProcess[str]:
    named = {**places, "TRACE": str(trace), "OUT": str(out)}
    return subprocess.run(
        [*PROGRAM, *(named.get(word, word) for word in words)],
        capture_output=True, text=True, check=False, timeout=200, cwd=out.parent,
    )  # fmt: skip


def content(name: str) -> bytes:
    return b"" if name == "gate --summary" else b"old"


@pytest.mark.parametrize("name", WRITERS)
def test_what_stands_there_keeps_its_kind(
    name: str, places: Mapping[str, str], small_trace_file: Path, tmp_path: Path
) -> None:
    """A file with its mode, a link to it, a FIFO, and as root a device of our own."""
    out = tmp_path / "outputs"
    out.mkdir()
    target = out / "target.svg"
    target.write_bytes(b"")
    target.chmod(0o604)
    (out / "link.svg").symlink_to("target.svg")
    done = bench(WRITERS[name], places, small_trace_file, out / "link.svg")
    assert done.returncode in (0, 1, 5), done.stderr
    assert (out / "link.svg").is_symlink()
    assert target.stat().st_size > 20
    assert stat.S_IMODE(target.stat().st_mode) == 0o604
    fifo = out / "fifo.svg"
    os.mkfifo(fifo)
    seen: list[bytes] = []
    reader = threading.Thread(target=lambda: seen.append(fifo.read_bytes()))
    reader.start()
    done = bench(WRITERS[name], places, small_trace_file, fifo)
    reader.join(timeout=20)
    assert done.returncode in (0, 1, 5), done.stderr
    assert (len(seen), stat.S_ISFIFO(fifo.stat().st_mode)) == (1, True)
    assert len(seen[0]) > 20
    names = {"fifo.svg", "link.svg", "target.svg"}
    try:
        for kind, number in (("null", NULL), ("full", FULL)):
            os.mknod(out / f"{kind}.svg", stat.S_IFCHR | 0o666, number)
            names.add(f"{kind}.svg")
        (out / "null.svg").open("rb").close()
    except OSError:
        assert {path.name for path in out.iterdir()} == names
        return
    assert bench(WRITERS[name], places, small_trace_file, out / "null.svg").returncode in (0, 1, 5)
    full = bench(WRITERS[name], places, small_trace_file, out / "full.svg")
    assert full.returncode == 4, full
    assert "No space left on device" in full.stderr.splitlines()[-1]
    assert "Traceback" not in full.stderr
    assert all(stat.S_ISCHR((out / f"{kind}.svg").stat().st_mode) for kind in ("null", "full"))
    assert {path.name for path in out.iterdir()} == names


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("report", "--splice", "OUT"), MARKED),
        (("link", "calibrate", "--rtt", "1ms", "--samples", "2", "--document", "OUT"), CALIBRATED),
    ],
)
def test_a_document_behind_a_link_is_renewed_there(
    words: tuple[str, ...], text: str, places: Mapping[str, str], small_trace_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "docs").mkdir()
    page = tmp_path / "docs/page.md"
    page.write_text(text.replace("RUN", places["RUN"]))
    page.chmod(0o640)
    (tmp_path / "link.md").symlink_to("docs/page.md")
    done = bench(words, places, small_trace_file, tmp_path / "link.md")
    assert done.returncode in (0, 5), done.stderr
    assert (tmp_path / "link.md").is_symlink()
    assert page.read_text().count("|") > 10
    assert stat.S_IMODE(page.stat().st_mode) == 0o640


def test_figures_lead_through_links(places: Mapping[str, str], small_trace_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "figures"
    out.mkdir()
    (out / "latency.svg").symlink_to(tmp_path / "kept.svg")
    os.mkfifo(out / "cdf.csv")
    reader = threading.Thread(target=(out / "cdf.csv").read_bytes)
    reader.start()
    done = bench(("figures", "RUN", "--out", "OUT"), places, small_trace_file, out)
    reader.join(timeout=20)
    assert done.returncode == 0, done.stderr
    assert (out / "latency.svg").is_symlink()
    assert stat.S_ISFIFO((out / "cdf.csv").stat().st_mode)
    assert b"<svg" in (tmp_path / "kept.svg").read_bytes()


def test_a_page_for_standard_output_is_all_that_is_there(places: Mapping[str, str], tmp_path: Path) -> None:
    with (tmp_path / "page.html").open("wb") as page:
        words = [*PROGRAM, "report", places["RUN"], "--html", "/dev/stdout"]
        done = subprocess.run(words, stdout=page, stderr=subprocess.PIPE, check=True)
    text = (tmp_path / "page.html").read_text()
    assert text.lstrip().lower().startswith("<!doctype html>")
    assert text.rstrip().endswith("</html>")
    assert b"MB" in done.stderr
