"""Every figure is drawn in every format, from data whose digest is told, and the same data gives the same file."""

import hashlib
import json
from pathlib import Path

import polars as pl
import pytest
from made_runs import Truth, write_run

from curserve_results.errors import ResultsError
from curserve_results.figures import FORMATS, write_figures
from curserve_results.figures.crossover import DARK, LEVELS, LIGHT, Theme, light
from curserve_results.figures.data import breakdown
from curserve_results.figures.surface import crossover
from curserve_results.schema import CONTROLS
from curserve_results.store import RunWriter, scan
from curserve_results.summary import summarise

NAMES = {"latency", "breakdown", "crossover", "crossover-light", "crossover-dark", "cdf", "link", "tokens"}


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    truth = Truth(
        traces=3,
        repetitions=3,
        links={"same-$coast_": 15.0, "us-asia": 150.0},
        models={"GPT-5 Codex": 23.3, "SWE-grep": 1.5},
    )
    return write_run(tmp_path_factory.mktemp("wide") / "run", truth, seed=1)


def test_all_figures_in_all_formats_with_their_provenance(wide: Path, tmp_path: Path) -> None:
    files = write_figures([wide], tmp_path)
    index = json.loads((tmp_path / "figures.json").read_text())
    assert {entry["figure"] for entry in index} == NAMES
    for entry in index:
        assert [(tmp_path / name).stat().st_size > 500 for name in entry["files"][:3]] == [True] * 3
        table = (tmp_path / entry["files"][3]).read_bytes()
        assert entry["data"] == "sha256:" + hashlib.sha256(table).hexdigest()
        assert entry["run"] == "simulated-1"
    data = {entry["files"][3] for entry in index}  # the three crossovers are one map, drawn for three places
    assert data == {f"{name}.csv" for name in NAMES - {"crossover-light", "crossover-dark"}}
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in files)
    assert len(files) == len(NAMES) * len(FORMATS) + len(data) + 1
    pdf = (tmp_path / "latency.pdf").read_bytes()
    assert b"/FontFile2" in pdf  # TrueType, embedded
    assert b"<text" not in (tmp_path / "latency.svg").read_bytes()  # paths: no font is needed


def test_the_same_run_gives_the_same_files(run: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_figures([run], tmp_path / name)
    for path in (tmp_path / "a").iterdir():
        if path.suffix != ".json":
            assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_the_parts_of_a_turn_add_up_to_the_end_to_end_time(wide: Path) -> None:
    summary = summarise(wide)
    parts = breakdown(summary, "SWE-grep").filter(engine="daemon", link="us-asia")
    total = parts.select(pl.sum_horizontal("uplink", "TTFT", "decode", "downlink", "dispatch", "tool")).item() * 20
    assert 0.1 < parts["dispatch"].item() < 1.0  # 0.3 ms were simulated
    cells = summary.cells.filter(engine="daemon", link="us-asia", model="SWE-grep")
    assert total == pytest.approx(cells["end_to_end_ns"].mean() / 1e6, rel=1e-6)


def test_the_last_answer_of_a_loop_on_the_server_travels_and_is_not_dispatched(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", Truth(traces=1, repetitions=1))
    frame = scan(run).collect()
    of_cell = (pl.col("kind") == "cell") & (pl.col("engine") == "daemon")
    RunWriter(run).write_frame(
        0, frame.with_columns(done_ns=pl.when(of_cell).then(pl.col("done_ns") + 75_000_000).otherwise("done_ns"))
    )
    parts = breakdown(summarise(run), "SWE-grep").filter(engine="daemon")
    assert 75 / 20 <= parts["downlink"].item() < 75 / 20 + 0.1
    assert parts["dispatch"].item() < 1.0


def test_the_crossover_map_agrees_with_what_was_measured(wide: Path) -> None:
    frame = crossover(summarise(wide))
    grid = frame.filter(kind="grid")
    for row in frame.filter(kind="measured").iter_rows(named=True):
        near = grid.sort(
            (pl.col("tokens_per_s") / row["tokens_per_s"]).log().abs()
            + (pl.col("rtt_ms") / row["rtt_ms"]).log().abs()
        ).row(0, named=True)
        assert row["speed_up"] == pytest.approx(near["speed_up"], rel=0.06)
        assert near["low"] <= near["speed_up"] <= near["high"]
    assert frame["engine"].unique().to_list() == ["daemon"]
    assert not set(frame["engine"]) & set(CONTROLS)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_on_every_band_of_the_map_can_be_read(theme: Theme) -> None:
    """Contrast as WCAG 2.2 defines it; AA asks for 4.5."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    def contrast(one: str, other: str) -> float:
        dim, bright = sorted(map(luminance, (one, other)))
        return (bright + 0.05) / (dim + 0.05)

    assert len(theme.bands) == len(LEVELS) + 1
    assert min(contrast(theme.text, band) for band in (theme.page, *theme.bands)) >= 4.5
    lightness = [luminance(band) for band in theme.bands]
    assert lightness == sorted(lightness, reverse=theme is LIGHT)


def test_the_map_for_a_page_names_models_and_tiers(wide: Path) -> None:
    figure = light(crossover(summarise(wide)))
    axis = figure.axes[0]
    assert figure.get_figwidth() * 96 >= 1000  # pixels of a page
    assert [label.get_text() for label in axis.get_xticklabels()] == ["GPT-5\nCodex\n43", "SWE-grep\n667"]
    assert [label.get_text() for label in axis.get_yticklabels()] == [r"same-\$coast_, 15", "us-asia, 150"]


def test_an_unknown_model_names_the_known_ones(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"no model 'GPT-9' in .*; there are SWE-grep"):
        write_figures([run], tmp_path / "out", "GPT-9")
    assert not list((tmp_path / "out").glob("*.pdf"))
