"""The main table: what its numbers are, what is left out, and that every form escapes what it is given."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from made_runs import ENGINES, Truth, write_run

from curserve_results.errors import EmptyRun, ResultsError
from curserve_results.manifest import LinkRecord, read_manifest
from curserve_results.render import render_tables
from curserve_results.schema import CONTROLS
from curserve_results.store import RunWriter, scan
from curserve_results.summary import summarise
from curserve_results.table import Table, Value, shown
from curserve_results.tables import COLUMNS, main_tables, render


def table_rows(run: Path) -> dict[str, dict[str, dict[str, float | None]]]:
    document = json.loads(render(run, "json"))
    return {row["engine"]: row for row in document["tables"][0]["rows"]}


def test_the_table_agrees_with_numpy_on_the_raw_samples(run: Path) -> None:
    samples = scan(run).filter(engine="daemon").sort("block", "turn").collect()
    trips: list[int] = []
    for (_,), turns in samples.filter(kind="turn").group_by("cell"):
        turns = turns.sort("turn")
        trips += (turns["prompt_read_ns"].to_numpy()[1:] - turns["last_token_ns"].to_numpy()[:-1]).tolist()
    cells = samples.filter(kind="cell").with_columns(took=pl.col("done_ns") - pl.col("started_ns"))
    row = table_rows(run)["daemon"]
    assert row["round_trip_p50_ns"]["value"] == pytest.approx(np.median(trips))
    assert row["round_trip_p95_ns"]["value"] == pytest.approx(np.percentile(trips, 95))
    assert row["round_trip_p50_ns"]["n"] == len(trips) == 12 * 19
    medians = [float(np.median(group["took"])) for _, group in cells.group_by("trace")]
    assert row["end_to_end_ns"]["value"] == pytest.approx(np.mean(medians))
    assert row["share"]["value"] == pytest.approx(sum(trips) / cells["took"].sum())
    assert row["token_equivalents"]["value"] == pytest.approx(np.median(trips) / 1.5e6)


def test_the_speed_up_is_paired_and_finds_the_truth(run: Path) -> None:
    rows = table_rows(run)
    assert rows["client-subprocess"]["speed_up"]["value"] == 1.0
    daemon = rows["daemon"]["speed_up"]
    ratio = rows["client-subprocess"]["end_to_end_ns"]["value"] / rows["daemon"]["end_to_end_ns"]["value"]
    assert daemon["value"] == pytest.approx(ratio, rel=0.02)
    assert daemon["low"] < daemon["value"] < daemon["high"]
    assert daemon["n"] == 12


def test_the_whole_task_has_the_time_of_what_was_not_executed(run: Path) -> None:
    samples = scan(run).collect()
    added = samples.filter(kind="call").group_by("block", "cell").agg(pl.col("recorded_ns").sum())
    cells = samples.filter(kind="cell").drop("recorded_ns").join(added, on=["block", "cell"])
    took = cells.with_columns(took=(pl.col("done_ns") - pl.col("started_ns") + pl.col("recorded_ns")).log())
    here, there = (took.filter(engine=engine).sort("block") for engine in ("daemon", "client-subprocess"))
    ratios = here.select("trace", ratio=there["took"] - here["took"])
    expected = np.exp(ratios.group_by("trace").mean()["ratio"].to_numpy().mean())
    rows = table_rows(run)
    assert rows["daemon"]["whole"]["value"] == pytest.approx(expected)
    assert 1 < expected < rows["daemon"]["speed_up"]["value"] - 0.01
    assert rows["client-subprocess"]["whole"]["value"] == 1.0
    assert "Whole task: the speed-up with 0.40 s more a session" in " ".join(render(run, "table").split())


def test_the_whole_task_is_unknown_where_the_recording_has_no_times(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", Truth(traces=1, repetitions=1, turns=31))
    frame = scan(run).collect()
    first = (pl.col("turn") < 10).fill_null(value=True)
    RunWriter(run).write_frame(0, frame.with_columns(recorded_ns=pl.when(first).then("recorded_ns")))
    engines = frame.filter(kind="call", label="recorded").remove(pl.col("engine").is_in(CONTROLS))
    known = engines.filter(first).height
    assert 0 < known < engines.height
    assert f"took there, known of {known} of {engines.height}." in " ".join(render(run, "table").split())
    RunWriter(run).write_frame(0, frame.drop("recorded_ns"))  # as before the column was there
    assert all(row["whole"]["value"] is None for row in table_rows(run).values())
    assert "Whole task: unknown" in render(run, "table")
    none = frame.with_columns(
        label=pl.col("label").replace("recorded", "executed"), recorded_ns=pl.lit(None, pl.Int64)
    )
    RunWriter(run).write_frame(0, none)
    row = table_rows(run)["daemon"]
    assert row["whole"] == row["speed_up"]
    assert "Whole task" not in render(run, "table")


def test_controls_have_no_correctness_share_and_say_so(run: Path) -> None:
    rows = table_rows(run)
    assert rows["recorded-client (control)"]["right"]["value"] is None
    assert rows["daemon"]["right"]["value"] == 1.0


def test_an_order_that_the_real_program_defines_is_not_right(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", Truth(traces=1, repetitions=1))
    frame = scan(run).collect()
    reordered = frame.filter(kind="call", engine="daemon", answer="reordered").height
    judged = frame.filter(kind="call", engine="daemon").filter(pl.col("label") != "recorded").height
    share = pytest.approx(1 - reordered / judged)
    wrong = frame.with_columns(right=pl.col("right") & (pl.col("answer") != "reordered"))
    RunWriter(run).write_frame(0, wrong)
    assert table_rows(run)["daemon"]["right"]["value"] == share
    # What people read of it decides only where there was no column yet.
    told = frame.with_columns(reason=pl.lit("find prints readdir order"))
    RunWriter(run).write_frame(0, told)
    assert table_rows(run)["daemon"]["right"]["value"] == 1.0
    RunWriter(run).write_frame(0, told.with_columns(right=pl.lit(None, dtype=pl.Boolean)))
    assert table_rows(run)["daemon"]["right"]["value"] == share


def test_failed_calls_count_against_an_engine_and_unchecked_ones_do_not_count(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", Truth(traces=1, repetitions=1))
    frame = scan(run).collect()
    of_daemon = (pl.col("kind") == "call") & (pl.col("engine") == "daemon") & (pl.col("label") == "executed")
    RunWriter(run).write_frame(
        0,
        frame.with_columns(
            answer=pl.when(of_daemon).then(pl.lit("unchecked")).otherwise("answer"),
            right=pl.when(of_daemon).then(None).otherwise("right"),
            label=pl.when(of_daemon & (pl.col("turn") == 0)).then(pl.lit("failed")).otherwise("label"),
        ),
    )
    row = table_rows(run)["daemon"]
    refused = frame.filter(kind="call", engine="daemon", label="refused").height
    assert row["right"] == {"value": refused / (refused + 1), "low": None, "high": None, "n": refused + 1}
    text = " ".join(render(run, "table").split())
    assert "Calls that failed: 1" in text
    engines = frame.filter(kind="call").remove(pl.col("engine").is_in(CONTROLS))
    answers = engines.filter(pl.col("label").is_in(["executed", "refused"])).height - 1
    assert f"Not compared: {frame.filter(of_daemon).height - 1} of {answers} answers" in text


def test_answers_on_an_unknown_workspace_are_told_apart_and_change_no_column(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", Truth(traces=1, repetitions=1))
    frame = scan(run).collect()
    unknown = (pl.col("kind") == "call") & (pl.col("turn") >= 12)
    of_daemon = pl.col("engine") == "daemon"
    wrong = unknown & of_daemon & (pl.col("turn") == 12)
    undetermined = unknown & of_daemon & (pl.col("turn") == 13)
    kept = frame.remove(unknown).filter(kind="call", engine="daemon").remove(label="recorded").height
    RunWriter(run).write_frame(
        0,
        frame.with_columns(
            workspace=pl.when(undetermined)
            .then(pl.lit("undetermined"))
            .when(unknown)
            .then(pl.lit("unknown"))
            .otherwise("workspace"),
            answer=pl.when(undetermined)
            .then(pl.lit("unchecked"))
            .when(wrong)
            .then(pl.lit("different"))
            .otherwise("answer"),
            right=pl.when(undetermined).then(None).otherwise(pl.col("right") & ~wrong),
        ),
    )
    assert table_rows(run)["daemon"]["right"] == {"value": 1.0, "low": None, "high": None, "n": kept}
    text = " ".join(render(run, "table").split())
    apart = {
        engine: frame.filter(unknown, engine=engine).remove(label="recorded").height
        for engine in ("client-subprocess", "server-subprocess", "daemon")
    }
    assert apart["daemon"] == apart["client-subprocess"] > 4
    assert (
        f"the real programs answer on it: client-subprocess {apart['client-subprocess']} of "
        f"{apart['client-subprocess']}, server-subprocess {apart['server-subprocess']} of "
        f"{apart['server-subprocess']}, daemon {apart['daemon'] - 2} of {apart['daemon'] - 1} (1 not)."
    ) in text
    assert "Not compared: 1 of" in text
    assert "the real programs answer on it" not in render(write_run(tmp_path / "known", Truth()), "table")


def test_few_samples_show_neither_percentiles_nor_intervals(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", Truth(traces=3, repetitions=1))
    row = table_rows(run)["daemon"]
    assert row["round_trip_p50_ns"]["n"] == 57
    assert row["round_trip_p90_ns"]["value"] is None
    assert row["speed_up"]["low"] is None
    assert "No intervals: 3 of the 8 blocks that a table needs" in render(run, "markdown")


def test_one_table_for_every_tier_and_model_in_the_manifests_order(tmp_path: Path) -> None:
    truth = Truth(links={"us-asia": 150.0, "intra-region": 1.5}, models={"SWE-grep": 1.5, "GPT-5 Codex": 23.3})
    tables = main_tables(summarise(write_run(tmp_path / "run", truth)))
    assert [table.name for table in tables] == [
        "us-asia/SWE-grep/chat",
        "us-asia/GPT-5 Codex/chat",
        "intra-region/SWE-grep/chat",
        "intra-region/GPT-5 Codex/chat",
    ]
    assert [table.notes == () for table in tables] == [True, True, True, False]


def test_a_void_link_is_in_no_table_and_named_below(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", Truth(links={"us-asia": 150.0, "same-coast": 15.0}))
    manifest = read_manifest(run)
    void = tuple(
        LinkRecord(link.name, link.backend, link.requested_rtt_ns, void_reason="drifted by 9 %")
        if link.name == "us-asia"
        else link
        for link in manifest.links
    )
    manifest.with_changes(links=void).write(run)
    text = render(run, "markdown")
    assert "VOID, in no table: Link us-asia" in text
    assert "**us-asia" not in text
    manifest.with_changes(links=(void[0], LinkRecord("same-coast", void_reason="lost"))).write(run)
    with pytest.raises(EmptyRun, match=r"drifted by 9 %.*; repeat the run, or look at it with report --void"):
        render(run)


def test_an_unknown_format_names_the_known_ones(run: Path) -> None:
    with pytest.raises(ResultsError, match="expected one of table, markdown, latex"):
        render(run, "xml")


HOSTILE = "<script>alert(1)</script>|\\input{/etc/passwd}&_$%#~^`x`[a](javascript:b)\n=cmd()"


@pytest.mark.parametrize("form", ["table", "markdown", "latex", "csv", "json", "html"])
def test_hostile_names_stay_text_in_every_form(tmp_path: Path, form: str) -> None:
    truth = Truth(
        traces=1,
        repetitions=1,
        links={HOSTILE: 150.0},
        models={HOSTILE: 1.5},
        engines=dict(ENGINES) | {HOSTILE: ("server", 1.0)},
    )
    text = render(write_run(tmp_path / "run", truth), form)
    assert text.endswith("\n")
    if form == "html":
        assert "<script" not in text
    if form == "markdown":
        assert "<script" not in text.replace("\\<script", "")
        assert all(line.count(" | ") == 12 for line in text.splitlines() if line.startswith("| "))
    if form == "latex":
        assert "\\input" not in text
        assert r"\textbackslash{}input\{/etc/passwd\}\&\_\$\%\#" in text
    if form == "csv":
        assert len(list(csv.DictReader(io.StringIO(text)))) == 6
    if form == "json":
        assert any(row["engine"] == HOSTILE for row in json.loads(text)["tables"][0]["rows"])


@pytest.mark.parametrize(
    ("kind", "cell", "expected"),
    [
        ("duration", Value(1.5e8), "150 ms"),
        ("duration", Value(999_800.0), "1.00 ms"),
        ("duration", Value(12_345.0), "12.3 µs"),
        ("duration", Value(250.0), "250 ns"),
        ("seconds", Value(9.1234e9), "9.12 s"),
        ("share", Value(0.99999), ">99.9 %"),
        ("share", Value(1.0), "100 %"),
        ("share", Value(0.00001), "<0.1 %"),
        ("share", Value(0.0), "0 %"),
        ("ratio", Value(1.5, 1.4, 1.6), "1.50× [1.40–1.60]"),
        ("tokens", Value(104.3), "104"),
        ("tokens", Value(None), "–"),
    ],
)
def test_numbers_are_shown_with_unit_and_never_round_to_perfect(kind: str, cell: Value, expected: str) -> None:
    assert shown(kind, cell) == expected


def test_a_narrow_terminal_loses_columns_never_names(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    text = render(run, "table")
    rows = [line for line in text.splitlines() if "subprocess" in line and "×" in line]
    assert [row.split()[0] for row in rows] == ["client-subprocess", "server-subprocess"]
    assert max(map(len, text.split("\n\n")[0].splitlines())) <= 80
    assert "Left out for want of width: executed" in text


def test_eighty_columns_show_what_a_reader_asks_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """The widest numbers that a recorded run has: two controls, whole tasks, intervals."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    keys = ("engine", "end_to_end", "round_trip_p50", "speed_up", "whole", "right")
    cells = (
        Value("recorded-client (control)"), Value(3.93e9), Value(1.5e8), Value(1.74, 1.74, 1.74),
        Value(1.29, 1.29, 1.29), Value(1.0),
    )  # fmt: skip
    row = dict(zip(keys, cells, strict=True))
    row |= {c.key: Value(0.12 if c.kind != "duration" else 1.5e8) for c in COLUMNS if c.key not in row}
    table = Table("t", "RTT 150 ms", COLUMNS, (row,))
    text = render_tables([table], "table")
    heads = " ".join(text.split())
    assert all(title in heads for title in ("engine", "end-to-end", "trip", "speed-up [95 %]", "task", "right"))
    assert "1.74× [1.74–1.74] 1.29× 100 %" in heads
    assert max(map(len, text.splitlines()[:-1])) <= 80
    monkeypatch.setenv("COLUMNS", "160")
    assert "Left out" not in render_tables([table], "table")
    monkeypatch.setenv("COLUMNS", "40")
    assert "Left out" not in render_tables([table], "table", ["all"])


def test_columns_are_chosen_by_key(run: Path) -> None:
    tables = main_tables(summarise(run))
    heading = render_tables(tables, "markdown", ["right", "speed_up"]).splitlines()[2]
    assert heading == "| engine | speed-up [95 %] | right |"
    with pytest.raises(ResultsError, match=r"--columns speed: this table has engine, end_to_end"):
        render_tables(tables, "csv", ["speed"])


def test_names_send_nothing_to_the_terminal(tmp_path: Path) -> None:
    truth = Truth(traces=1, repetitions=1, links={"\x1b[2Jlink": 1.0}, models={"\x1b]0;title\x07": 1.5})
    assert "\x1b" not in render(write_run(tmp_path / "run", truth), "table")
