"""A simulation from the options to the tables: seeded, resumable, the same on any number of threads."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from curserve_harness.console.exits import BadInput
from curserve_harness.simulate.options import SimulateOptions
from curserve_harness.simulate.run import simulate
from curserve_results.figures import write_figures
from curserve_results.load.latencies import read
from curserve_results.load.rejudged import rejudged
from curserve_results.manifest import read_manifest
from curserve_results.slo import parse_slo
from curserve_results.store import RunWriter, scan

RECORDED = Path(__file__).parents[4] / "results" / "recorded"
SMALL = SimulateOptions(
    suite="quick",
    tools=RECORDED / "quick-150ms-2026-11-21",
    tiers=("150ms",),
    sessions="4",
    tasks=24,
    repetitions=3,
    slos=("ttft p95 <= 500ms, task p95 <= 60s",),
)


OPEN = {"sessions": None, "tasks": None}


def samples(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "samples").iterdir())}


def played(folder: Path, options: SimulateOptions = SMALL) -> str:
    return simulate(options, out=folder, resume=False, form="table")


def test_the_table_says_that_it_is_predicted_and_the_samples_are_those_of_a_load(tmp_path: Path) -> None:
    table = played(tmp_path / "run")
    assert "PREDICTED: 4 sessions, 150ms, llama-8b on h100" in table
    assert "client-subprocess" in table
    found = read(tmp_path / "run")
    assert found.sessions.height == 2 * 3 * 12
    assert set(found.sessions["engine"]) == {"client-subprocess", "daemon"}
    assert found.turns["ttft"].min() > 0
    records = read_manifest(tmp_path / "run").extra["predicted"]
    # What the core counted is what the samples say.
    for record in records:
        own = found.where(engine=record["engine"], repetition=record["repetition"])
        assert record["sessions"] == own.sessions.height == record["finished"]
        for metric, values in (
            ("task", own.sessions["task"]),
            ("ttft", own.turns["ttft"]),
            ("turn", own.turns["turn"]),
        ):
            assert record["metrics"][metric]["count"] == values.len()
            assert record["metrics"][metric]["mean"] == pytest.approx(values.mean())


def test_tools_beside_the_model_shorten_tasks_by_what_was_measured(tmp_path: Path) -> None:
    played(tmp_path / "run")
    calls = scan(tmp_path / "run").filter(kind="turn").filter(pl.col("tools_done_ns").is_not_null())
    gap = (pl.col("tools_done_ns") - pl.col("last_token_ns")).median()
    medians = dict(calls.group_by("engine").agg(gap=gap).collect().iter_rows())
    assert medians["daemon"] < 5e6
    assert medians["client-subprocess"] > 75e6, "half of the way back is in the next turn"


def test_threads_and_resuming_change_no_byte(tmp_path: Path) -> None:
    one, many = tmp_path / "one", tmp_path / "run" / "run"
    many.parent.mkdir()
    played(many, replace(SMALL, threads=1))
    first = samples(many)
    many.rename(one)
    played(many, replace(SMALL, threads=3))
    assert samples(many) == first
    for name in list(first)[1:]:
        (many / "samples" / name).unlink()
    simulate(SMALL, out=many, resume=True, form="table")
    assert samples(many) == first
    records = [read_manifest(folder).extra["predicted"] for folder in (one, many)]
    assert records[0] == records[1]


def test_a_simulation_goes_on_with_the_same_options_only(tmp_path: Path) -> None:
    played(tmp_path / "run")
    with pytest.raises(BadInput, match="begun with other seed"):
        simulate(replace(SMALL, seed=2), out=tmp_path / "run", resume=True, form="table")
    (tmp_path / "run" / "plan.json").write_text(json.dumps({"version": 1}))
    with pytest.raises(BadInput, match="is no simulation"):
        simulate(SMALL, out=tmp_path / "run", resume=True, form="table")
    with pytest.raises(BadInput, match="--resume: name the folder"):
        simulate(SMALL, out=None, resume=True, form="table")


def test_engines_draw_the_same_sessions_and_another_seed_draws_others(tmp_path: Path) -> None:
    def said(folder: Path) -> list[list[int]]:
        rows = scan(folder).filter(kind="turn").sort("block", "cell", "turn")
        frames = rows.select("engine", "output_tokens", "prompt_tokens").collect()
        return [frames.filter(engine=engine)["output_tokens"].to_list() for engine in SMALL.engines]

    played(tmp_path / "run")
    client, daemon = said(tmp_path / "run")
    assert client == daemon
    played(tmp_path / "other", replace(SMALL, seed=2))
    assert said(tmp_path / "other")[0] != client


def test_several_loads_have_a_table_each_and_one_of_capacities(tmp_path: Path) -> None:
    options = replace(SMALL, sessions="1..64", tasks=None, points=3, repetitions=2, slos=("ttft p95 <= 300ms",))
    table = played(tmp_path / "run", options)
    for users in ("1 session", "8 sessions", "64 sessions"):
        assert f"PREDICTED: 150ms @ {users}, llama-8b on h100" in table
    assert "Most load at which the SLO holds (150ms, llama-8b on h100):" in table


def test_an_open_load_counts_what_arrives_after_the_warm_up(tmp_path: Path) -> None:
    options = replace(SMALL, arrivals="poisson 1/s", sessions=None, tasks=None, duration="60s", repetitions=1)
    played(tmp_path / "run", options)
    cells = scan(tmp_path / "run").filter(kind="cell").collect()
    measured = cells.filter(phase="measured")
    assert measured["started_ns"].min() >= 12e9
    assert cells.filter(phase="warm-up")["started_ns"].max() < 12e9


def test_more_than_it_can_serve_is_said_in_the_table(tmp_path: Path) -> None:
    options = replace(
        SMALL, arrivals="poisson 50/s", sessions=None, tasks=None, duration="60s", repetitions=1, most_sessions=500
    )
    table = played(tmp_path / "run", options)
    assert "unstable at this rate: 501 sessions at once" in table


@pytest.mark.parametrize(
    "more",
    [
        {"replicas": 3, "router": "prefix"},
        {"disaggregated": ("1p2d", "colocated"), "replicas": 3, "link": "tcp-25g", "next_turn": "transfer"},
        {"offload": "200GB", "kv": "6GB"},
        {"policy": "session:60s"},
        {"policy": "ttl:2s"},
        {"replicas": 2, "fail": ("0@10s+20s",)},
        {"tool_workers": 1},
        {"models": ("swe-grep-mini",), "kv": "40GB", "td": "5us..100us"},
        {"suite": "synthetic"},
    ],
)
def test_every_kind_of_cluster_finishes(tmp_path: Path, more: dict[str, object]) -> None:
    table = played(tmp_path / "run", replace(SMALL, repetitions=1, **more))  # type: ignore[arg-type]
    records = read_manifest(tmp_path / "run").extra["predicted"]
    assert all(record["finished"] == record["sessions"] and not record["why_unstable"] for record in records), (
        table
    )
    if "td" in more:
        assert {record["model"] for record in records} == {
            f"SWE-grep-mini, td {value}" for value in ("5us", "22.4us", "100us")
        }


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"arrivals": "poisson -2/s", **OPEN}, "is no rate"),
        ({"arrivals": "poisson 0/s..2/s", **OPEN}, "is no rate"),
        ({"arrivals": "poisson 9/s..2/s", **OPEN}, "runs backwards"),
        ({"sessions": "0"}, "a number of users from 1"),
        ({"sessions": "8..2"}, "runs backwards"),
        ({"tasks": 5}, "give at least 12"),
        ({"duration": "5s"}, "give --tasks"),
        ({"warm_up": "5s"}, "drop it"),
        ({"kv": "1MB"}, "hold no block of 16 tokens; give more"),
        ({"kv": "20MB"}, "session .* needs .*: give at least"),
        ({"kv": "40"}, "with its unit"),
        ({"kv": "-4GB"}, "with its unit"),
        ({"td": "9s"}, "at most"),
        ({"td": "9us..1us"}, "runs backwards"),
        ({"td": "fast"}, "with its unit"),
        ({"gpu": "z80"}, "known: .*llama-8b on h100"),
        (
            {"models": ("gpt-9",)},
            "unknown; with measured step times: llama-70b, llama-8b .* by rate alone: .*swe-grep",
        ),
        ({"models": ("swe-grep",)}, "give --kv and --td"),
        ({"models": ("llama-8b", "Llama-8B")}, "named twice"),
        ({"tools": None}, "--tools: name a run folder"),
        ({"tools": RECORDED / "search-2026-11-28"}, "manifest|no run|not a"),
        ({"tiers": ("us-asia",)}, "replay --engine client-subprocess --tier us-asia"),
        ({"engines": ("mirror",)}, "samples of .*make some: curserve-bench replay --engine mirror"),
        ({"mix": "150ms=0.5"}, "add up to 0.5"),
        ({"mix": "150ms"}, "is no TIER=SHARE"),
        ({"disaggregated": ("2p",)}, "written 2p6d"),
        ({"disaggregated": ("0p6d",)}, "at least one of each"),
        ({"disaggregated": ("2p6d",), "policy": "session"}, "drop --policy"),
        ({"disaggregated": ("2p6d",), "replicas": 3}, "not as many servers"),
        ({"disaggregated": ("2p6d",), "offload": "9GB"}, "drop one of them"),
        ({"policy": "forget"}, "request .* session"),
        ({"policy": "ttl"}, "ttl:2s"),
        ({"fail": ("0@now",)}, r"0@60s\+30s"),
        ({"fail": ("7@1s+1s",)}, "numbered from 0 to 0"),
        ({"slos": ("ttft <= 5",)}, "no percentile"),
        ({"suite": "synthetic", "traces": (Path("x"),)}, "give one of them"),
    ],
)
def test_bad_input_is_one_line_that_says_what_to_do(tmp_path: Path, more: dict[str, object], why: str) -> None:
    with pytest.raises(Exception, match=why) as found:
        played(tmp_path / "run", replace(SMALL, **more))  # type: ignore[arg-type]
    assert type(found.value).__module__.startswith("curserve_"), "an error of ours, no traceback"
    assert "\n" not in str(found.value)
    assert not (tmp_path / "run").exists()


def test_figures_show_goodput_by_load_and_what_server_tools_gain(tmp_path: Path) -> None:
    pytest.importorskip("seaborn", reason="figures: seaborn is not installed")
    options = replace(
        SMALL,
        sessions="1..8",
        tasks=None,
        points=2,
        repetitions=3,
        replicas=3,
        disaggregated=("colocated", "1p2d"),
    )
    played(tmp_path / "run", options)
    found = {path.name for path in write_figures([tmp_path / "run"], tmp_path / "figures")}
    assert {"goodput.pdf", "goodput.csv", "gain.png", "gain.csv", "figures.json"} <= found
    goodput, gain = (pl.read_csv(tmp_path / "figures" / f"{name}.csv") for name in ("goodput", "gain"))
    models = {"llama-8b on h100, colocated", "llama-8b on h100, 1p2d"}
    assert set(goodput["model"]) == set(gain["model"]) == models
    assert goodput.filter(pl.col("low") > pl.col("rate")).height == 0
    one = gain.filter(load=1, model="llama-8b on h100, colocated")["ratio"].item()
    rates = dict(goodput.filter(load=1, model="llama-8b on h100, colocated").select("engine", "tasks").iter_rows())
    assert one == pytest.approx(rates["daemon"] / rates["client-subprocess"])
    assert one > 1.05, "a user who waits for the way asks for less"


def test_another_slo_judges_a_part_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `report --slo` says of a run of which every third session was kept is near what the run itself says."""
    slo = "ttft p95 <= 100ms"
    options = replace(SMALL, slos=(slo,), repetitions=2)
    simulate(options, out=tmp_path / "whole", resume=False, form="table")
    own = read_manifest(tmp_path / "whole")
    manifest, said = rejudged(tmp_path / "whole", own, parse_slo([slo]))
    assert said is None
    assert manifest.extra["predicted"] == own.extra["predicted"]
    other, _ = rejudged(tmp_path / "whole", own, parse_slo(["ttft p95 <= 1us"]))
    assert {record["good"] for record in other.extra["predicted"]} == {0}
    rows = scan(tmp_path / "whole").collect()
    writer = RunWriter(tmp_path / "part")
    for (block,), frame in rows.group_by("block"):
        writer.write_frame(int(str(block)), frame.filter(pl.col("cell") % 3 == 0))
    own.write(tmp_path / "part")
    part, said = rejudged(tmp_path / "part", own, parse_slo([slo]))
    assert said is not None
    assert [r["sessions"] for r in part.extra["predicted"]] == [r["sessions"] for r in own.extra["predicted"]]
