"""The overviews show the main tables' own numbers, arranged by tier and model."""

from pathlib import Path

import pytest

from curserve_results.errors import UnknownName
from curserve_results.overviews import grid_table, models_table, tiers_table
from curserve_results.simulate import Truth, write_run
from curserve_results.summary import Summary, summarise
from curserve_results.table import Value
from curserve_results.tables import main_table

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
