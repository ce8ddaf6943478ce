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


def load_arms(random: np.random.Generator, slower: float) -> list[tuple[str, int, pl.DataFrame]]:
    """Simulate loads of 16 sessions: what a server does is shared by those of a run, so they are no 16 samples."""
    found = []
    session = random.normal(0, 0.20, 16)  # the same sessions in both arms
    for number in range(ROUNDS):
        shared = random.normal(0, 0.10)
        for place, arm in enumerate("abba"):
            drift = 0.02 * (4 * number + place) / (4 * ROUNDS)
            of_run = random.normal(0, 0.04)
            own = random.normal(0, 0.05, 16)
            logs = (
                math.log(5e9) + shared + drift + of_run + session + own + (math.log1p(slower) if arm == "b" else 0)
            )
            constant = {
                "link": "15ms",
                "model": "llama-8b on h100",
                "api": "chat",
                "engine": "daemon",
                "repetition": 0,
            }
            frame = pl.DataFrame({"trace": [f"t{n % TRACES}" for n in range(16)], "log_end_to_end": logs})
            frame = frame.with_columns(*(pl.lit(value).alias(name) for name, value in constant.items()))
            found.append((arm, number, frame.with_columns(log_round_trip=pl.col("log_end_to_end"))))
    return found


def load_verdicts(trials: int, slower: float, seed: int) -> Counter[str]:
    """Run the gate on loads, by their sessions' whole time, as `verdicts` does on replays."""
    random = np.random.default_rng(seed)
    found: Counter[str] = Counter()
    for _ in range(trials):
        effects = interleaved(load_arms(random, slower), "end_to_end")
        decision = decide(effects, LIMIT)
        if decision.needs_confirmation:
            decision = decide(effects, LIMIT, interleaved(load_arms(random, slower), "end_to_end"))
        found[decision.verdict] += 1
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
