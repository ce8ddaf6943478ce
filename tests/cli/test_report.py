"""report, compare, baseline and gate from the command line: output, exit codes, one clear line for bad input."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from made_runs import Truth, write_run

from curserve_results.manifest import Machine, read_manifest
from curserve_results.store import RunWriter, block_files

PROGRAM = Path(sys.executable).with_name("curserve-bench")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("run") / "run", Truth(), seed=1)


def bench(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=False, cwd=cwd, timeout=120
    )


@pytest.mark.parametrize("which", ["main", "models", "tiers", "napkin"])
def test_report_prints_every_table(run: Path, which: str) -> None:
    done = bench("report", run, "--table", which)
    assert (done.returncode, done.stderr) == (0, "")
    assert "daemon" in done.stdout


@pytest.mark.parametrize(
    "column",
    ["end_to_end", "round_trip_p50", "speed_up", "whole", "token_equivalents", "share", "right", "refused"],
)
def test_every_number_can_be_explained(run: Path, column: str) -> None:
    done = bench("report", run, "--explain", f"daemon:{column}")
    assert (done.returncode, done.stderr) == (0, "")
    for word in ("formula", "filter", "files", "samples", "engine == 'daemon'"):
        assert word in done.stdout


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("daemon", "expected TABLE:ENGINE:COLUMN"),
        ("ghost:share", "no engine 'ghost'"),
        ("daemon:x", "no column 'x'"),
        ("napkin/us-asia:daemon:predicted", "explained are the tables main, models, tiers, grid and whole"),
        ("models/us-asia:ghost:daemon", "no table 'us-asia/ghost/chat'"),
    ],
)
def test_an_address_that_is_not_there_names_what_is(run: Path, address: str, says: str) -> None:
    done = bench("report", run, "--explain", address)
    assert done.returncode == 2
    assert done.stderr.startswith("curserve-bench: --explain")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("table", "address", "column"),
    [
        ("models", "models/us-asia:SWE-grep:daemon", "token_equivalents"),
        ("tiers", "tiers/SWE-grep:us-asia:daemon", "speed_up"),
        ("grid", "grid/us-asia:daemon:SWE-grep", "speed_up"),
        ("grid", "whole/us-asia:daemon:SWE-grep", "whole"),
    ],
)
def test_a_number_of_an_overview_can_be_explained(run: Path, table: str, address: str, column: str) -> None:
    done = bench("report", run, "--explain", address)
    assert (done.returncode, done.stderr) == (0, "")
    first = done.stdout.splitlines()[0]
    assert first.startswith(f"us-asia/SWE-grep/chat:daemon:{column} = ")
    assert first.partition(" = ")[2] in bench("report", run, "--table", table).stdout
    refused = bench("report", run, "--table", table, "--explain", "daemon:speed_up")
    assert (refused.returncode, "is part of the address" in refused.stderr) == (2, True)


def test_splice_renews_tables_between_markers_and_nothing_else(run: Path, tmp_path: Path) -> None:
    document = tmp_path / "README.md"
    marker = f"<!-- BEGIN curserve-bench report {run} --table tiers -->"
    document.write_text(f"before\n{marker}\nold\n<!-- END curserve-bench -->\nafter\n")
    assert bench("report", "--splice", document).returncode == 0
    text = document.read_text()
    assert text.startswith(f"before\n{marker}\n\n**End-to-end speed-up")
    assert text.endswith("<!-- END curserve-bench -->\nafter\n")
    assert "old" not in text
    assert bench("report", "--splice", document).returncode == 0
    assert document.read_text() == text


@pytest.mark.parametrize(
    "text", ["no marker\n", "<!-- BEGIN curserve-bench report r -->\n", "<!-- BEGIN curserve-bench report -->\n"]
)
def test_a_document_without_markers_stays_as_it_is(tmp_path: Path, text: str) -> None:
    document = tmp_path / "README.md"
    document.write_text(text)
    done = bench("report", "--splice", document)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert document.read_text() == text


@pytest.mark.parametrize("arguments", [("report",), ("report", "/nowhere"), ("compare", "/nowhere", "/nowhere")])
def test_no_run_is_bad_input(arguments: tuple[str, ...]) -> None:
    done = bench(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "options",
    [("--link", "nosuch"), ("--table", "grid", "--model", "x"), ("--table", "models", "--link", "nosuch")],
)
def test_an_option_that_would_do_nothing_is_refused(run: Path, options: tuple[str, ...]) -> None:
    done = bench("report", run, *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert options[-1] in done.stderr


def test_the_page_does_not_call_right_what_nobody_compared(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", Truth(repetitions=1))
    for number, path in block_files(run).items():
        answer = pl.when(pl.col("kind") == "call").then(pl.lit("unchecked"))
        RunWriter(run).write_frame(number, pl.read_parquet(path).with_columns(answer=answer))
    assert bench("report", run, "--html", tmp_path / "page.html").returncode == 0
    page = (tmp_path / "page.html").read_text()
    assert "No observation was compared with what the real programs give" in page
    assert "Every observation" not in page


def test_a_store_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    done = bench("baseline", "list", "--store", tmp_path / "nosuch")
    assert (done.returncode, done.stdout, "there is no such folder" in done.stderr) == (2, "", True)


def test_compare_and_gate_with_a_saved_baseline(run: Path, tmp_path: Path) -> None:
    same = write_run(tmp_path / "same", Truth(), seed=2)
    slow = write_run(tmp_path / "slow", Truth(factor={"daemon": 3.0}), seed=3)
    again = write_run(tmp_path / "again", Truth(factor={"daemon": 3.0}), seed=4)
    other = write_run(tmp_path / "other", Truth(), seed=5)
    read_manifest(other).with_changes(machine=Machine("6.1.0", "x86_64", "another", 2)).write(other)
    compared = bench("compare", run, slow)
    assert compared.returncode == 0
    assert "daemon" in compared.stdout
    assert bench("compare", run, other).returncode == 5
    store = ("--store", tmp_path / "store")
    assert bench("baseline", "save", "main", run, *store).returncode == 0
    for seed in (11, 12, 13):
        more = write_run(tmp_path / f"more-{seed}", Truth(), seed=seed)
        assert bench("baseline", "save", "main", more, *store).returncode == 0
    assert "main\t4 runs" in bench("baseline", "list", *store).stdout
    gate = ("--baseline", "main", *store, "--max-regression", "50%")
    assert bench("gate", same, *gate).returncode == 0
    assert bench("gate", slow, *gate).returncode == 5
    failed = bench(
        "gate", slow, *gate, "--confirm", again, "--junit", tmp_path / "j.xml", "--summary", tmp_path / "s.md"
    )
    assert failed.returncode == 1
    assert "fail: daemon round trip" in failed.stdout
    assert "<failure" in (tmp_path / "j.xml").read_text()
    assert "FAIL" in (tmp_path / "s.md").read_text()
    assert bench("gate", slow, *gate, "--confirm", again, "--shadow").returncode == 0
    assert bench("gate", other, *gate).returncode == 5
    shadow = bench("gate", other, *gate, "--shadow", "--summary", tmp_path / "none.md")
    assert (shadow.returncode, "no verdict: " in shadow.stderr) == (0, True)
    assert "no verdict: " in (tmp_path / "none.md").read_text()
    assert bench("gate", slow, "--baseline", "old", *store, "--shadow").returncode == 2
    itself = bench("gate", slow, *gate, "--confirm", slow)
    assert (itself.returncode, "cannot confirm itself" in itself.stderr) == (2, True)
    gone = bench("gate", slow, "--baseline", "old", *store)
    assert (gone.returncode, "there: main" in gone.stderr) == (2, True)
    unit = bench("gate", slow, "--baseline", "main", *store, "--max-regression", "5")
    assert (unit.returncode, "with its unit" in unit.stderr) == (2, True)


@pytest.mark.parametrize(
    "against", ["main", "git:", "git:--help", "git:no-such-revision", "program:", "program:/nowhere"]
)
def test_an_arm_that_is_not_there_is_bad_input(tmp_path: Path, against: str) -> None:
    done = bench("gate", "--against", against, "--out", tmp_path / "out")
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(shutil.which("hyperfine") is None, reason="hyperfine is not installed")
def test_bench_startup_compares_whole_commands() -> None:
    done = bench("bench", "startup", "true", "sleep 0.05", "--runs", "10", "--format", "json")
    assert done.returncode == 0, done.stderr
    first, second = json.loads(done.stdout)["tables"][0]["rows"]
    assert (first["command"], first["ratio"]["value"]) == ("true", 1.0)
    assert second["p50_ns"]["value"] > 50e6
    assert second["p90_ns"]["value"] is None
    missing = bench("bench", "startup", "no-such-program-here")
    assert (missing.returncode, missing.stderr.count("\n")) == (2, 1)


def test_a_model_or_link_is_found_whatever_its_case_and_an_unknown_one_named() -> None:
    run = str(Path(__file__).parents[2] / "results/recorded/quick-150ms-2026-11-21")
    assert "1.7" in bench("report", run, "--table", "tiers", "--model", "swe-grep").stdout
    for option, which in (("--model", "tiers"), ("--link", "models")):
        done = bench("report", run, "--table", which, option, "nonsense")
        assert done.returncode == 2
        assert f"{option} nonsense: not in this run; it has" in done.stderr
