"""Proofs of search speed: the large form of `bench search`, and the targets on Django and the kernel."""

import json
import math
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
from receipts import ROOT, write_receipt

BENCH = Path(sys.executable).parent / "curserve-bench"
pytestmark = [pytest.mark.prove, pytest.mark.timeout(7200)]


def search(out: Path, *words: object) -> dict:
    command = [BENCH, "bench", "search", *map(str, words), "--out", out]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads((out / "search.json").read_text())


def ratio(outcome: dict, pattern: str, engine: str = "daemon") -> float:
    """Geometric mean over rounds of rg's time over the engine's."""
    times = {
        name: {
            row["round"]: row["wall_ns"]
            for row in outcome["queries"]
            if (row["pattern"], row["engine"]) == (pattern, name)
        }
        for name in ("rg", engine)
    }
    return math.exp(statistics.fmean(math.log(times["rg"][at] / times[engine][at]) for at in times[engine]))


def test_every_engine_from_one_megabyte_to_the_kernel(tmp_path: Path) -> None:
    outcome = search(ROOT / "results/recorded/search-2026-11-28")
    ours = [row for row in outcome["answers"] if row["engine"] in ("daemon", "in-process")]
    assert ours
    assert all(row["missing"] == row["extra"] == 0 for row in ours if "refused" not in row)
    assert {row["engine"] for row in ours if "refused" in row} <= {"in-process"}, "it holds no answer above 64 MiB"
    fresh = [row for row in outcome["engines"] if row["engine"] in ("daemon", "in-process")]
    assert all(row["saved_seen"] and row["made_seen"] for row in fresh)


def test_the_targets_on_django_and_the_kernel(tmp_path: Path) -> None:
    django = tmp_path / "django"
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "Django==5.1.4",
         "-d", tmp_path], check=True,
    )  # fmt: skip
    subprocess.run([sys.executable, "-m", "zipfile", "-e", next(tmp_path.glob("*.whl")), django], check=True)
    engines = ["--sizes", "all", "--engine", "rg", "--engine", "daemon"]
    patterns = ["zqx_no_such_word", "ModelSignal", "self"]
    words = [word for pattern in patterns for word in ("--pattern", pattern)]
    small = search(tmp_path / "small", django, *engines, "--rounds", "60", *words, "--no-literal")
    patterns_large = [
        "zqx_no_such_word",
        "sched_domains_numa_masks_set",
        "EXPORT_SYMBOL_GPL",
        r"def\s+\w+_handler",
    ]
    words = [word for pattern in patterns_large for word in ("--pattern", pattern)]
    large = search(tmp_path / "large", *engines, "--rounds", "15", *words)
    figures = {}
    for name, outcome in (("django", small), ("kernel", large)):
        asked = dict.fromkeys(row["pattern"] for row in outcome["queries"])
        answers = [row for row in outcome["answers"] if row["engine"] == "daemon"]
        assert {row["pattern"] for row in answers if not row["lines"]} == {"zqx_no_such_word"}
        assert {row["pattern"] for row in answers} == set(asked)
        assert all(row["missing"] == row["extra"] == 0 for row in answers), "as sets of lines equal to rg's"
        ready = next(row for row in outcome["engines"] if row["engine"] == "daemon")
        figures[name] = {
            "over_rg": {pattern: ratio(outcome, pattern) for pattern in asked},
            "load_s": ready["ready_ns"] / 1e9,
            "loaded_memory_over_contents": ready["ready_memory_bytes"] / outcome["corpora"][0]["bytes"],
            "memory_over_contents": ready["memory_bytes"] / outcome["corpora"][0]["bytes"],
            "query_ms": ready["saved_unedited_ns"] / 1e6,
            "added_by_a_save_ms": (ready["saved_ns"] - ready["saved_unedited_ns"]) / 1e6,
            "added_by_a_new_file_ms": (ready["made_ns"] - ready["made_unedited_ns"]) / 1e6,
            "files": outcome["corpora"][0]["files"],
            "bytes": outcome["corpora"][0]["bytes"],
        }
    write_receipt("search-targets", figures)
