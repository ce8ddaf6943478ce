"""Proofs about noise: that intervals cover the truth, and how far like differs from like on this machine."""

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from gate_trials import arms

from curserve_results.compare import METRICS, interleaved, logs
from curserve_results.statistics import interval
from curserve_results.summary import summarise

Receipt = Callable[[str, dict[str, object]], None]

ROUNDS = 4
REPLAY = "--rtt 5ms --pace virtual --repetitions 1 --engine client-subprocess --engine daemon".split()

LIGHT = ("normal", "slow mode: 10 % of cells, +8 %", "Student t with 3 degrees of freedom")
HEAVY = ("lognormal, sigma 1", "slow spells: 5 % of cells, +50 %")


def arm(kind: str, random: np.random.Generator, size: int) -> np.ndarray:
    """Noise of one arm's cells: 3 % and a tail."""
    normal = random.normal(0, 0.03, size)
    found = {
        LIGHT[0]: normal,
        LIGHT[1]: normal + 0.08 * (random.random(size) < 0.1),
        LIGHT[2]: 0.03 * random.standard_t(3, size),
        HEAVY[0]: 0.03 * (np.exp(random.normal(0, 1, size)) - 1),
        HEAVY[1]: normal + 0.4 * (random.random(size) < 0.05),
    }
    return np.asarray(found[kind])


@pytest.mark.prove
@pytest.mark.timeout(1200)
def test_intervals_of_eight_to_twelve_blocks_cover_the_truth(receipt: Receipt) -> None:
    """Three traces. 93-97 % for noise as it is; under tails that are worse they may only be too wide."""
    random = np.random.default_rng(7)
    truths = np.array([0.2, 0.5, 0.9])
    found: dict[str, dict[str, float]] = {}
    for kind in (*LIGHT, *HEAVY):
        for counts in ((3, 3, 2), (3, 3, 3), (4, 3, 3), (4, 4, 4)):
            traces = np.repeat([0, 1, 2], counts)
            hits = 0
            for _ in range(10_000):
                noise = arm(kind, random, len(traces)) - arm(kind, random, len(traces))
                one = interval((truths[traces] + noise).tolist(), traces.tolist())
                assert one.low is not None and one.high is not None
                hits += one.low <= truths.mean() <= one.high
            found.setdefault(kind, {})[f"{sum(counts)} blocks"] = hits / 10_000
    for kind, shares in found.items():
        assert min(shares.values()) >= 0.93, kind
        assert kind in HEAVY or max(shares.values()) <= 0.97, kind
    receipt("interval-coverage", {"traces": 3, "trials": 10_000, "nominal": 0.95, "covered": found})


def noise(found: list[tuple[str, int, object]], metric: str) -> dict[str, dict[str, float]]:
    """Per engine: what like against like exceeds in 1 % of comparisons, and the effect that was seen."""
    return {
        effect.group[3]: {
            "noise_floor": math.expm1(effect.floor or 0.0),
            "effect": math.expm1(effect.ratio.estimate),
            "low": math.expm1(effect.ratio.low or 0.0),
            "high": math.expm1(effect.ratio.high or 0.0),
        }
        for effect in interleaved(found, metric)  # type: ignore[arg-type]
    }


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_like_against_like_on_this_machine(tmp_path: Path, receipt: Receipt) -> None:
    """The gate with this program against itself, on the quick suite: it must not fail; its noise is told."""
    program = Path(sys.executable).with_name("curserve-bench")
    command = [program, "gate", "--against", f"program:{program}", "--rounds", str(ROUNDS)]
    done = subprocess.run(
        [*command, "--out", tmp_path / "gate", "--", *REPLAY], capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 5), done.stdout + done.stderr
    found = []
    last = {folder.name[:12]: folder for folder in sorted((tmp_path / "gate" / "first").iterdir())}  # of repeats
    for name, folder in last.items():
        _, number, _, which = name.split("-")
        found.append((which, int(number), logs(summarise(folder))))
    simulated = arms(np.random.default_rng(1), 0.0, ROUNDS)
    receipt(
        "gate-like-against-like",
        {
            "command": "curserve-bench gate --against program:ITSELF -- " + " ".join(REPLAY),
            "rounds": ROUNDS,
            "exit_code": done.returncode,
            "measured": {metric: noise(found, metric) for metric in METRICS},
            "simulated": noise(simulated, "round_trip")["daemon"],
        },
    )
