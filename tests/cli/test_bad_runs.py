"""Runs that must not be believed, from the command line: one clear line each and the right exit code."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from made_runs import ENGINES, Truth, write_run

from curserve_results.manifest import read_manifest
from curserve_results.schema import polars_schema
from curserve_results.store import RunWriter, block_files

PROGRAM = Path(sys.executable).with_name("curserve-bench")
HOSTILE = "<script>alert(1)</script> | $x_1$ & \\textbf{y} % # [a](b) `c` *d*"


def bench(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=120, env={**os.environ, **environment},
    )  # fmt: skip


def block(run: Path, change: Callable[[pl.DataFrame], pl.DataFrame], **options: object) -> None:
    """Rewrite the first block as changed, by default without our mark in it."""
    path = block_files(run)[0]
    change(pl.read_parquet(path)).write_parquet(path, **options)  # type: ignore[arg-type]


def ours(run: Path, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    RunWriter(run).write_frame(0, change(pl.read_parquet(block_files(run)[0])))


def on(kind: str, **changes: pl.Expr) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Change columns of the rows of one kind."""
    chosen = pl.col("kind") == kind
    return lambda frame: frame.with_columns(
        pl.when(chosen).then(expression).otherwise(pl.col(name)).cast(frame.schema[name]).alias(name)
        for name, expression in changes.items()
    )


def empty(run: Path) -> None:
    for path in block_files(run).values():
        path.unlink()


MARK = "curserve.schema_version"
SPOILED: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (empty, "no finished block"),
    "no manifest": (lambda run: (run / "manifest.json").unlink(), "no manifest.json here"),
    "damaged manifest": (lambda run: (run / "manifest.json").write_text("{"), "cannot be read as JSON"),
    "half a file": (lambda run: os.truncate(block_files(run)[0], 2000), "cannot be read as Parquet"),
    "an empty file": (lambda run: os.truncate(block_files(run)[0], 0), "cannot be read as Parquet"),
    "mixed versions": (lambda run: block(run, lambda f: f, metadata={MARK: "0"}), "versions cannot be mixed"),
    "foreign Parquet": (lambda run: block(run, lambda _: pl.DataFrame({"a": [1]})), "but not of curserve-bench"),
    "a foreign file": (lambda run: (run / "samples" / "notes.txt").write_text("hello"), "not a block file"),
    "NaN": (
        lambda run: block(
            run, lambda f: f.with_columns(wall_ns=pl.lit(float("nan"))), metadata={MARK: "1"}
        ),
        "columns are not those of schema version 1: wall_ns",
    ),
    "a negative duration": (lambda run: ours(run, on("call", wall_ns=pl.lit(-5))), "negative wall_ns"),
    "a clock that stepped": (
        lambda run: ours(run, on("turn", first_token_ns=pl.col("prompt_read_ns") - 1)),
        "first_token_ns before prompt_read_ns; the clock stepped",
    ),
    "a clock that stepped between turns": (
        lambda run: ours(
            run, lambda f: f.with_columns(
                pl.when((pl.col("kind") == "turn") & (pl.col("turn") >= 2)).then(pl.col(name) - 10**10)
                .otherwise(name).alias(name)
                for name in f.columns if name.endswith("_ns") and name not in (
                    "rtt_ns", "ttft_ns", "decode_ns", "wall_ns", "service_ns")
            )
        ),
        "a turn's prompt was read before the last token of the turn before",
    ),
    "a cell shorter than its round trips": (
        lambda run: ours(run, on("cell", done_ns=pl.col("started_ns") + 1)),
        "tool round trips longer than the cell",
    ),
    "tools before the prompt": (
        lambda run: ours(run, on("turn", tools_started_ns=pl.col("sent_ns") - 1)),
        "tools_started_ns before sent_ns",
    ),
    "a block twice": (lambda run: ours(run, lambda f: pl.concat([f, f])), "a cell that is there twice"),
    "calls twice": (
        lambda run: ours(run, lambda f: pl.concat([f, f.filter(pl.col("kind") == "call")])),
        "a row that is there twice",
    ),
    "another block's rows": (
        lambda run: ours(run, lambda f: f.with_columns(block=pl.lit(2, pl.Int32()))),
        "a row of another block in the file",
    ),
    "another run's rows": (
        lambda run: ours(run, lambda f: f.with_columns(run=pl.lit("another"))),
        "a row of another run than simulated-1",
    ),
    "no kind": (
        lambda run: ours(run, lambda f: f.with_columns(kind=pl.lit(None, pl.String()))),
        "rows are neither cell, turn nor call",
    ),
    "no engine": (lambda run: ours(run, lambda f: f.with_columns(engine=pl.lit(None, pl.String()))), "no engine"),
    "an unknown label": (lambda run: ours(run, on("call", label=pl.lit("zzz"))), "an unknown label"),
    "an unknown answer": (lambda run: ours(run, on("call", answer=pl.lit("maybe"))), "an unknown answer"),
    "a negative distance": (lambda run: ours(run, on("cell", rtt_ns=pl.lit(-5))), "negative rtt_ns"),
    "negative tokens": (lambda run: ours(run, on("turn", output_tokens=pl.lit(-7))), "negative output_tokens"),
    "no cell finished": (
        lambda run: [
            RunWriter(run).write_frame(n, on("cell", done_ns=pl.lit(None))(pl.read_parquet(path)))
            for n, path in block_files(run).items()
        ],
        "no cell was finished",
    ),
    "no row": (lambda run: (empty(run), RunWriter(run).write_frame(0, pl.DataFrame(schema=polars_schema()))),
               "no sample is left"),
}  # fmt: skip


@pytest.mark.parametrize("what", SPOILED)
def test_one_clear_line_and_exit_code_two(tmp_path: Path, what: str) -> None:
    spoil, says = SPOILED[what]
    good = write_run(tmp_path / "good", Truth(repetitions=1))
    run = write_run(tmp_path / "run", Truth(repetitions=1))
    spoil(run)
    for verb in (
        ("report", run),
        ("report", run, "--html", tmp_path / "page.html"),
        ("figures", run, "--out", tmp_path / "figures"),
        ("compare", good, run),
    ):
        done = bench(*verb)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), (verb, done)
        assert says in done.stderr
        assert str(run) in done.stderr or "block 0" in done.stderr or "block 2" in done.stderr
    assert not (tmp_path / "page.html").exists()
    assert not list(tmp_path.glob("figures/*"))


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("received_ns", pl.col("sent_ns") - 1, "received_ns before sent_ns"),
        ("bytes_up", pl.lit(-1), "negative bytes_up"),
    ],
)
def test_what_only_figures_look_at_stops_them(tmp_path: Path, column: str, value: pl.Expr, says: str) -> None:
    run = write_run(tmp_path / "run", Truth(repetitions=1))
    ours(run, on("turn", **{column: value}))
    for verb in (("figures", run, "--out", tmp_path / "f"), ("report", run, "--html", tmp_path / "p.html")):
        done = bench(*verb)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), (verb, done)
        assert says in done.stderr
    assert bench("report", run).returncode == 0


def test_a_run_cut_short_is_told_and_fails_the_gate(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", Truth())
    store = ("--store", tmp_path / "store")
    for seed in (1, 2, 3):
        saved = write_run(tmp_path / f"saved-{seed}", Truth(), seed=seed)
        assert bench("baseline", "save", "main", saved, *store).returncode == 0
    block_files(run)[3].unlink()
    assert "Cut short: 1 of 12 blocks are missing" in bench("report", run).stdout
    gate = bench("gate", run, "--baseline", "main", *store, "--max-regression", "50%")
    assert (gate.returncode, "missing: 1 of 12 blocks" in gate.stdout) == (1, True)
    assert bench("baseline", "save", "gone", tmp_path / "nowhere", *store).returncode == 2
    gone = bench("gate", run, "--baseline", "nightly", *store)
    assert (gone.returncode, gone.stderr.count("\n"), "there: main" in gone.stderr) == (2, 1, True)


def test_the_gate_passes_a_real_run_against_itself_and_fails_what_lost_an_engine(tmp_path: Path) -> None:
    real = Path(__file__).parents[2] / "results" / "recorded" / "quick-150ms-2026-11-21"
    store = ("--store", tmp_path / "store", "--max-regression", "50%")
    assert bench("baseline", "save", "main", real, *store[:2]).returncode == 0
    alike = bench("gate", real, "--baseline", "main", *store)
    assert (alike.returncode, "missing" in alike.stdout, "PASS" in alike.stdout) == (0, False, True)
    lost = tmp_path / "lost"
    for number, path in block_files(real).items():
        kept = pl.read_parquet(path).filter(pl.col("block") == number, pl.col("engine") != "daemon")
        RunWriter(lost).write_frame(number, kept)
    manifest = read_manifest(real)
    engines = {name: version for name, version in manifest.engines.items() if name != "daemon"}
    manifest.with_changes(engines=engines).write(lost)
    failed = bench("gate", lost, "--baseline", "main", *store)
    assert (failed.returncode, "missing cells: daemon (150ms" in failed.stdout) == (1, True)
    compared = bench("compare", real, lost, "--format", "json")
    assert (compared.returncode, "missing cells: daemon (150ms" in compared.stdout) == (0, True)


def test_runs_of_another_schema_version_are_incomparable(tmp_path: Path) -> None:
    """Whichever of the two it is; a report of it is bad input."""
    old, new = (write_run(tmp_path / name, Truth(repetitions=1)) for name in ("old", "new"))
    store = ("--store", tmp_path / "store")
    for seed in (1, 2):
        saved = write_run(tmp_path / f"saved-{seed}", Truth(repetitions=1), seed=seed)
        assert bench("baseline", "save", f"of-{seed}", saved, *store).returncode == 0
    for folder in (old, tmp_path / "store" / "of-2" / "simulated-2"):
        read_manifest(folder).with_changes(schema_version=0).write(folder)
    for verb in (
        ("compare", old, new),
        ("compare", new, old),
        ("gate", old, "--baseline", "of-1", *store),
        ("gate", new, "--baseline", "of-2", *store),
    ):
        done = bench(*verb)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (5, "", 1), (verb, done)
        assert "schema version 0" in done.stderr
    assert bench("report", old).returncode == 2


def test_a_void_candidate_fails_the_gate_and_is_incomparable(tmp_path: Path) -> None:
    good, void, told = (write_run(tmp_path / name, Truth(repetitions=1)) for name in ("good", "void", "told"))
    manifest = read_manifest(void)
    manifest.with_changes(links=(replace(manifest.links[0], void_reason="drifted"),)).write(void)
    manifest.with_changes(void_reason="a host died").write(told)
    store = ("--store", tmp_path / "store")
    assert bench("baseline", "save", "main", good, *store).returncode == 0
    for run, reason in ((void, "drifted"), (told, "a host died")):
        gate = bench("gate", run, "--baseline", "main", *store)
        assert (gate.returncode, "FAIL" in gate.stdout, reason in gate.stdout) == (1, True, True), gate
        for pair in ((good, run), (run, good)):
            compared = bench("compare", *pair)
            assert (compared.returncode, compared.stdout, reason in compared.stderr) == (5, "", True)


def test_a_void_run_can_be_looked_at_and_is_never_compared(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", Truth())
    other = write_run(tmp_path / "other", Truth(), seed=2)
    manifest = read_manifest(run)
    (link,) = manifest.links
    reason = "the RTT drifted by +9.000 ms"
    manifest.with_changes(links=(replace(link, void_reason=reason),)).write(run)
    refused = bench("report", run)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (
        f"curserve-bench: {run}: no sample is left ({link.name}: {reason}); "
        "repeat the run, or look at it with report --void\n"
    )
    shown = bench("report", run, "--void")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith(f"VOID {link.name}")
    assert "VOID, its numbers must not be used: Link" in shown.stdout
    assert reason in shown.stdout
    assert "daemon" in shown.stdout
    for which in ("models", "tiers", "grid", "napkin"):
        assert f"VOID {link.name}" in bench("report", run, "--void", "--table", which).stdout, which
    rows = bench("report", run, "--void", "--format", "csv").stdout.splitlines()[1:]
    assert all(row.startswith(f"VOID {link.name}/") for row in rows), rows
    assert bench("report", run, "--void", "--explain", "daemon:share").stdout.startswith("VOID ")
    assert bench("report", run, "--void", "--html", tmp_path / "page.html").returncode == 0
    page = (tmp_path / "page.html").read_text()
    assert f"<h1>curserve-bench: VOID {manifest.run}</h1>" in page
    assert f"Link {link.name} is void: {reason}. Its numbers must not be used." in page
    assert bench("compare", run, other).returncode == 5
    assert bench("compare", other, run).returncode == 5
    assert bench("figures", run, "--out", tmp_path / "f").returncode == 2
    store = ("--store", tmp_path / "store")
    assert bench("baseline", "save", "main", other, *store).returncode == 0
    assert bench("gate", run, "--baseline", "main", *store).returncode == 1


@pytest.mark.parametrize("limit", ["5", "five%", "-5%", "0%", "5 ms", ""])
def test_a_limit_needs_a_unit(tmp_path: Path, limit: str) -> None:
    run = write_run(tmp_path / "run", Truth(repetitions=1))
    done = bench("gate", run, "--baseline", "main", "--max-regression", limit)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "expected a percentage above 0 with its unit" in done.stderr


def test_one_sample_gives_a_table_without_intervals(tmp_path: Path) -> None:
    only = {"client-subprocess": ENGINES["client-subprocess"]}
    run = write_run(tmp_path / "run", Truth(traces=1, repetitions=1, turns=1, engines=only))
    done = bench("report", run)
    assert (done.returncode, done.stderr) == (0, "")
    assert "No intervals: 1 of the 8 blocks" in done.stdout
    assert bench("figures", run, "--out", tmp_path / "figures").returncode == 0
    assert bench("report", run, "--html", tmp_path / "page.html").returncode == 0
    gate = bench("compare", run, run)
    assert gate.returncode == 0
    store = ("--store", tmp_path / "store")
    bench("baseline", "save", "main", run, *store)
    assert bench("gate", run, "--baseline", "main", *store).returncode == 5


@pytest.mark.parametrize(
    ("form", "raw", "escaped"),
    [
        ("html", "<script>alert", "&lt;script&gt;alert"),
        ("markdown", "[a](b)", "\\[a\\]"),
        ("latex", "$x_1$ &", "\\$x\\_1\\$ \\&"),
    ],
)
def test_hostile_names_are_escaped(tmp_path: Path, form: str, raw: str, escaped: str) -> None:
    truth = Truth(
        links={HOSTILE: 150.0}, models={HOSTILE: 1.5}, engines=dict(ENGINES) | {HOSTILE: ("server", 1.0)}
    )
    run = write_run(tmp_path / "run", truth, suite=HOSTILE)
    done = bench("report", run, "--format", form)
    assert (done.returncode, done.stderr) == (0, "")
    assert (raw in done.stdout, escaped in done.stdout) == (False, True)


def test_runs_of_different_machines_are_incomparable(tmp_path: Path) -> None:
    a, b = (write_run(tmp_path / name, Truth(repetitions=1)) for name in "ab")
    read_manifest(b).with_changes(suite="another").write(b)
    done = bench("compare", a, b)
    assert (done.returncode, done.stderr.count("\n"), "different suite" in done.stderr) == (5, 1, True)


@pytest.mark.parametrize(
    ("code", "expected", "says", "times"),
    [
        (4, 4, "exit code 4: curserve-bench: it is broken", 1),
        (5, 5, "void 3 times: curserve-bench: it is broken", 3),
    ],
)
def test_an_arm_that_fails_and_one_whose_link_stays_void(
    tmp_path: Path, code: int, expected: int, says: str, times: int
) -> None:
    broken = tmp_path / "broken"
    broken.write_text(f"#!/bin/sh\necho >> {tmp_path}/ran\necho 'curserve-bench: it is broken' >&2\nexit {code}\n")
    broken.chmod(0o755)
    done = bench("gate", "--against", f"program:{broken}", "--out", tmp_path / "out")
    assert (done.returncode, done.stderr.count("\n")) == (expected, 1)
    assert f"baseline, round 0: {says}" in done.stderr
    assert (tmp_path / "ran").read_text().count("\n") == times


def test_a_revision_that_cannot_be_built_is_a_setup_failure(tmp_path: Path) -> None:
    commands = (
        "git init -q . && printf 'setup:\\n\\t@echo no compiler here; false\\n' > Makefile && git add . && "
        "git -c user.name=t -c user.email=t@localhost commit -qm one"
    )
    subprocess.run(["bash", "-c", commands], cwd=tmp_path, check=True)
    done = subprocess.run(
        [PROGRAM, "gate", "--against", "git:HEAD", "--out", tmp_path / "out"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr.count("\n")) == (3, 1), done.stderr
    assert "building HEAD failed" in done.stderr
    trees = subprocess.run(["git", "worktree", "list"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert len(trees.stdout.splitlines()) == 1


QUICK = Path(__file__).parents[2] / "results" / "recorded" / "quick-150ms-2026-11-21"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("figures", QUICK, "--out", "/dev/null"), "/dev/null"),
        (("figures", QUICK, "--out", "/proc/x"), "/proc/x"),
        (("baseline", "save", "m", QUICK, "--store", "/dev/null"), "/dev/null"),
        (("baseline", "save", "m", QUICK, "--store", "/proc/x"), "/proc/x"),
        (("report", QUICK, "--html", "/dev/null/page.html"), "/dev/null/page.html"),
    ],
)
def test_a_place_that_cannot_be_written_is_one_line(arguments: tuple[object, ...], says: str) -> None:
    done = bench(*arguments)
    assert done.returncode in (3, 4), done
    assert (done.stdout, done.stderr.count("\n"), says in done.stderr) == ("", 1, True), done


@pytest.mark.parametrize("option", ["--junit", "--summary"])
def test_a_verdict_that_cannot_be_written_is_no_verdict(tmp_path: Path, option: str) -> None:
    """Exit code 1 would say that the candidate regressed."""
    store = ("--store", tmp_path / "store")
    assert bench("baseline", "save", "m", QUICK, *store).returncode == 0
    done = bench("gate", QUICK, "--baseline", "m", *store, "--max-regression", "50%", option, "/nonexistent/x")
    assert (done.returncode, done.stderr.count("\n")) == (4, 1), done
    assert "/nonexistent/x: No such file or directory; " in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--details", "/nonexistent/x"), 4, "/nonexistent: No such file or directory; give a path"),
        (("--timeout-s", "nan"), 2, "'--timeout-s': 'nan' is no number of seconds"),
        (("--timeout-s", "inf"), 2, "'--timeout-s': inf is not in the range"),
    ],
)
def test_verify_tells_a_bad_option_before_the_work(
    tmp_path: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    (tmp_path / "calls.jsonl").write_text('{"command": "ls"}\n')
    (tmp_path / "tree").mkdir()
    calls = ("--workspace", tmp_path / "tree", "--calls", tmp_path / "calls.jsonl")
    done = bench("verify", *calls, *arguments)
    assert (done.returncode, says in done.stderr.splitlines()[-1], done.stdout) == (code, True, ""), done


def test_a_command_with_an_open_quote_is_bad_input() -> None:
    done = bench("bench", "startup", "rg 'x")
    assert (done.returncode, done.stderr.count("\n"), "No closing quotation" in done.stderr) == (2, 1, True)


def test_a_manifest_of_wrong_types_is_one_line(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", Truth(repetitions=1))
    (run / "manifest.json").write_text((run / "manifest.json").read_text().replace('"seed": 1', '"seed": NaN'))
    done = bench("report", run)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "NaN is no number" in done.stderr
