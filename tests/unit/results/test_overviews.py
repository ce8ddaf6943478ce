"""The overviews show the main tables' own numbers, arranged by tier and model."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from made_runs import Truth, write_run

from curserve_results.errors import UnknownName
from curserve_results.figures.data import tokens
from curserve_results.manifest import read_manifest
from curserve_results.notes import notes
from curserve_results.overviews import grid_table, models_table, tiers_table
from curserve_results.page.words import words
from curserve_results.store import RunWriter, block_files, scan
from curserve_results.summary import Summary, summarise
from curserve_results.table import Value
from curserve_results.tables import main_table, main_tables

LINKS = {"us-asia": 150.0, "intra-region": 1.5}
MODELS = {"SWE-grep": 1.5, "GPT-5 Codex": 23.3}
CO_LOCATED = {"server-subprocess", "daemon"}


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    folder: Path = tmp_path_factory.mktemp("grid") / "run"
    return summarise(write_run(folder, Truth(links=LINKS, models=MODELS)))


def in_main_table(summary: Summary, link: str, model: str, engine: str, column: str) -> Value:
    rows = {row["engine"].value: row for row in main_table(summary, link, model, "chat").rows}
    return rows[engine][column]


@pytest.mark.parametrize("of", ["speed_up", "whole"])
def test_the_grid_has_every_tier_engine_and_model(summary: Summary, of: str) -> None:
    table = grid_table(summary, of=of)
    places = [(row["tier"].value, row["engine"].value) for row in table.rows]
    assert len(places) == len(set(places))
    assert {place for place in places if place[1] in CO_LOCATED} == {
        (link, engine) for link in LINKS for engine in CO_LOCATED
    }
    assert "client-subprocess" not in {engine for _, engine in places}
    for row in table.rows:
        for model in MODELS:
            expected = in_main_table(summary, row["tier"].value, model, row["engine"].value, of)
            assert row[f"{of}:{model}"] == expected
            assert expected.low is not None
            assert expected.low < expected.value < expected.high
    assert {row["rtt"].value for row in table.rows if row["tier"].value == "us-asia"} == {150e6}


def test_the_gain_shrinks_with_the_rtt_and_with_a_slower_model(summary: Summary) -> None:
    by = {(row["tier"].value, row["engine"].value): row for row in grid_table(summary).rows}
    far, near = by["us-asia", "daemon"], by["intra-region", "daemon"]
    assert far["speed_up:SWE-grep"].value > far["speed_up:GPT-5 Codex"].value > 1
    assert far["speed_up:SWE-grep"].value > near["speed_up:SWE-grep"].value


def test_models_and_tiers_show_one_slice_each(summary: Summary) -> None:
    for row in models_table(summary, "us-asia").rows:
        model = row["model"].value
        assert row["daemon"] == in_main_table(summary, "us-asia", model, "daemon", "token_equivalents")
        assert row["tokens_per_s"].value == pytest.approx(1000 / MODELS[model])
    for row in tiers_table(summary, "gpt-5 codex").rows:
        assert row["daemon"] == in_main_table(summary, row["tier"].value, "GPT-5 Codex", "daemon", "speed_up")
    with pytest.raises(UnknownName, match="moon"):
        models_table(summary, "moon")


def test_a_served_model_has_the_pace_that_was_measured(tmp_path: Path) -> None:
    """Whatever a profile says: a tiny model on vLLM decoded at 5 ms a token, and its table divided by 1.47."""
    run = write_run(tmp_path / "run", Truth(models={"tiny (vLLM)": 5.0}, repetitions=1))
    manifest = read_manifest(run)
    stretched = {"tiny (vLLM)": replace(manifest.models["tiny (vLLM)"], tpot_ns=1_466_276)}
    manifest.with_changes(models=stretched, extra={"llm": "vllm"}).write(run)
    served = summarise(run)
    tpot = served.tpot_ns("tiny (vLLM)")
    turns = scan(run).filter(pl.col("kind") == "turn", pl.col("tools_started_ns").is_not_null()).collect()
    assert tpot == pytest.approx(turns["decode_ns"].sum() / (turns["output_tokens"] - 1).sum())
    assert tpot > 4.9e6
    (row,) = (row for row in models_table(served).rows)
    assert row["tpot"].value == tpot
    for engine in ("daemon", "client-subprocess"):
        middle = in_main_table(served, "us-asia", "tiny (vLLM)", engine, "round_trip_p50").value
        assert row[engine].value == pytest.approx(middle / tpot)
    assert (
        "measured of the served model"
        in next(c for c in models_table(served).columns if c.key == "tpot").explanation
    )
    (note,) = (line for line in notes(served) if line.startswith("Model "))
    assert note == f"Model tiny (vLLM): served; TPOT {tpot / 1e6:.2f} ms measured; a step lasts 1.47 ms or longer."
    assert set(tokens(served)["tokens_per_s"]) == {1e9 / tpot}
    assert "with 1 model served" in words(served, main_tables(served))[0]


def test_a_served_model_whose_pace_nobody_measured_has_no_tokens(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", Truth(repetitions=1))
    manifest = read_manifest(run)
    manifest.with_changes(extra={"llm": "vllm"}).write(run)
    for number, path in block_files(run).items():
        RunWriter(run).write_frame(number, pl.read_parquet(path).with_columns(output_tokens=pl.lit(1, pl.Int64())))
    served = summarise(run)
    (row,) = models_table(served).rows
    assert (row["tpot"].value, row["tokens_per_s"].value, row["daemon"].value) == (None, None, None)
    assert any("TPOT not measured" in line for line in notes(served))


@pytest.mark.parametrize("setting", ["{0}", "{", "{''}", "{0.__class__}"])
def test_a_setting_of_a_manifest_is_text_and_no_format(setting: str, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", Truth(repetitions=1))
    manifest = read_manifest(run)
    manifest.with_changes(links=tuple(replace(link, tcp={setting: True}) for link in manifest.links)).write(run)
    assert any(f"{setting.replace('_', ' ')} on" in line for line in notes(summarise(run)))
