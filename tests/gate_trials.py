"""Trials of the gate on simulated arms with realistic noise: how often it errs. Main name: `verdicts`."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import polars as pl

from curserve_results.compare import interleaved
from curserve_results.gate import decide

LIMIT = math.log1p(0.05)
ROUNDS, TRACES = 4, 3
"""What `gate` runs by default on the quick suite."""


def arms(random: np.random.Generator, slower: float, rounds: int = ROUNDS) -> list[tuple[str, int, pl.DataFrame]]:
    """Simulate A B B A in every round: 10 % shared by a round and trace, 3 % of each cell, drift, a slow mode."""
    found = []
    for number in range(rounds):
        shared = random.normal(0, 0.10, TRACES)
        for place, arm in enumerate("abba"):
            drift = 0.02 * (4 * number + place) / (4 * rounds)
            own = random.normal(0, 0.03, TRACES) + 0.06 * (random.random(TRACES) < 0.1)
            logs = math.log(5e6) + shared + drift + own + (math.log1p(slower) if arm == "b" else 0)
            frame = pl.DataFrame(
                {
                    "link": "us-asia",
                    "model": "SWE-grep",
                    "api": "chat",
                    "engine": "daemon",
                    "trace": [f"t{t}" for t in range(TRACES)],
                    "repetition": 0,
                    "log_round_trip": logs,
                    "log_end_to_end": logs,
                }
            )
            found.append((arm, number, frame))
    return found


def verdicts(trials: int, slower: float, seed: int) -> Counter[str]:
    """Run the gate so often as it runs for real: a confirmation run only where the first asks for it."""
    random = np.random.default_rng(seed)
    found: Counter[str] = Counter()
    for _ in range(trials):
        effects = interleaved(arms(random, slower), "round_trip")
        decision = decide(effects, LIMIT)
        if decision.needs_confirmation:
            decision = decide(effects, LIMIT, interleaved(arms(random, slower), "round_trip"))
        found[decision.verdict] += 1
    return found
