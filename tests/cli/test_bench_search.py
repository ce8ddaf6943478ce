"""`curserve-bench bench search`: engines that answer alike, the edit that is seen at once, table and figure."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from curserve_harness.bench.search.corpora import make
from curserve_harness.bench.search.patterns import ABSENT, choose
from curserve_results.errors import ResultsError
from curserve_results.search import read, tables
from curserve_results.search_grid import grid

BENCH = Path(sys.executable).parent / "curserve-bench"
OURS = ("rg", "grep", "daemon", "in-process")
PEERS = ("csearch", "fff")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    for number in range(60):
        sub = folder / f"d{number % 7}"
        sub.mkdir(exist_ok=True)
        lines = [f"common word{number % 5} line {n}{' rare' if n == number else ''}" for n in range(100)]
        (sub / f"f{number}.c").write_text("\n".join(lines) + "\n")
    (folder / ".hidden.c").write_text("common\n")
    (folder / "binary").write_bytes(b"common\0\n")
    (folder / "link.c").symlink_to("d0/f0.c")
    return folder


def bench(*words: object) -> subprocess.CompletedProcess[str]:
    command = [BENCH, "bench", "search", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def outcome(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "run"
    engines = [word for name in (*OURS, *PEERS) for word in ("--engine", name)]
    done = bench(source, "--sizes", "50kB,all", "--rounds", "2", *engines, "--out", out, "--format", "json")
    assert done.returncode == 0, done.stderr
    return out


def test_our_engines_answer_as_rg_does_and_see_the_edit_at_once(outcome: Path) -> None:
    data = json.loads((outcome / "search.json").read_text())
    assert [corpus["corpus"] for corpus in data["corpora"]] == ["0.05 MB", "all"]
    assert data["corpora"][1]["files"] == 62, "links are left out"
    judged = [row for row in data["answers"] if row["engine"] in OURS]
    assert judged
    assert all(row["missing"] == row["extra"] == 0 for row in judged)
    assert {row["lines"] for row in judged if row["pattern"] == ABSENT} == {0}
    assert max(row["lines"] for row in judged) >= 60
    fresh = [row for row in data["engines"] if row["engine"] in OURS]
    assert len(fresh) == 2 * len(OURS)
    assert all(row["saved_seen"] and row["made_seen"] for row in fresh)
    for peer in PEERS:
        assert (peer in data["absent"]) != any(row["engine"] == peer for row in data["engines"])


def test_fff_finds_what_rg_finds(outcome: Path) -> None:
    data = json.loads((outcome / "search.json").read_text())
    if reason := data["absent"].get("fff"):
        pytest.skip(reason)
    judged = [row for row in data["answers"] if row["engine"] == "fff"]
    assert judged
    assert all(row["missing"] == row["extra"] == 0 for row in judged)


def test_tables_and_figure_come_from_the_outcome_alone(outcome: Path, tmp_path: Path) -> None:
    queries, engines = tables(read(outcome))
    own = [row for row in queries.rows if row["engine"].value == "daemon"]
    assert all(row["speed_up"].value and row["answer"].value == "equal" for row in own)
    assert {row["fresh"].value for row in engines.rows if row["engine"].value == "daemon"} == {"seen"}
    done = subprocess.run(
        [BENCH, "figures", outcome, "--out", tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "search.pdf").stat().st_size > 1000
    assert json.loads((tmp_path / "figures.json").read_text())[0]["figure"] == "search"
    (tmp_path / "search.json").write_text("{}")
    with pytest.raises(ResultsError, match="curserve-search/1"):
        read(tmp_path)


def test_the_grid_is_made_of_the_same_rounds(outcome: Path) -> None:
    """A word is a row, with the speed-up that the whole table gives its engine; report prints it."""
    whole, table = tables(read(outcome))[0], grid(read(outcome))
    expected = {
        (row["corpus"].value, row["pattern"].value): row["speed_up"].value
        for row in whole.rows
        if row["engine"].value == "daemon"
    }
    found = {
        (row["corpus"].value, str(row["hits"].value).split(" (")[0]): row["daemon"].value for row in table.rows
    }
    assert expected == pytest.approx(found)
    asked = len(expected)
    assert any(note.startswith(f"daemon: {asked} of {asked} answers") for note in table.notes), table.notes
    command = [BENCH, "report", outcome, "--format", "markdown", "--table"]
    done = subprocess.run([*command, "grid"], capture_output=True, text=True, check=False)
    assert f"| 0.05 MB | {ABSENT} (nowhere) | 0 |" in done.stdout.replace("\\_", "_")
    refused = subprocess.run([*command, "models"], capture_output=True, text=True, check=False)
    assert (refused.returncode, "main and grid" in refused.stderr) == (2, True)


def test_a_record_within_a_checkout_is_made(source: Path, tmp_path: Path) -> None:
    """Its ignore rules are not those of the samples."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text("*.c\n")
    out = tmp_path / "run"
    done = bench(source, "--sizes", "50kB", "--rounds", "1", "--engine", "rg", "--engine", "daemon", "--out", out)
    assert done.returncode == 0, done.stderr
    assert max(row["lines"] for row in read(out)["answers"]) > 0


def test_an_answer_that_an_engine_does_not_give_is_told_and_the_others_are_kept(tmp_path: Path) -> None:
    """The core in process holds no answer above 64 MiB."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "long.txt").write_bytes((b"word " * 200 + b"\n") * 70_000)
    out, words = tmp_path / "run", ["--sizes", "all", "--rounds", "1", "--pattern", "word", "--pattern", "nowhere"]
    done = bench(tmp_path / "source", *words, "--engine", "rg", "--engine", "in-process", "--out", out)
    assert done.returncode == 0, done.stderr
    refused = [row for row in read(out)["answers"] if "refused" in row]
    assert [(row["engine"], row["pattern"]) for row in refused] == [("in-process", "word")]
    assert any("1 of 2 answers" in note and "limit" in note for note in grid(read(out)).notes)
    assert "refused: output beyond the limit" in done.stdout


def test_samples_and_patterns_are_the_same_every_time(source: Path, tmp_path: Path) -> None:
    first, second = (make(source, 20_000, tmp_path / name, 3) for name in "ab")
    names = [
        sorted(str(p.relative_to(c.root)) for c in [corpus] for p in c.root.rglob("*"))
        for corpus in (first, second)
    ]
    assert names[0] == names[1]
    assert choose(first.root) == choose(second.root)
    first.remove()
    assert not first.root.exists()


@pytest.mark.parametrize(("words", "code", "said"), [
    (["--sizes", "10 parsecs"], 2, "expected sizes"),
    (["--sizes", "0.001kB", "--rounds", "1"], 3, "no file of"),
])  # fmt: skip
def test_what_makes_no_sense_is_one_line(source: Path, words: list[str], code: int, said: str) -> None:
    done = bench(source, *words)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
