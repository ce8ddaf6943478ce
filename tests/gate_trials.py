"""Trials of the gate on simulated arms with realistic noise: how often it errs. Main name: `verdicts`."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import polars as pl

from curserve_results.compare import interleaved, over_saved
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


def load_logs(random: np.random.Generator, session: np.ndarray, whole: float) -> pl.DataFrame:
    """Simulate one load of sessions: what its server does is shared by them, so they are no independent samples.

    `whole` is what the run shares with others, in log units.
    """
    constant = {"link": "15ms", "model": "llama-8b on h100", "api": "chat", "engine": "daemon", "repetition": 0}
    logs = math.log(5e9) + whole + random.normal(0, 0.04) + session + random.normal(0, 0.05, session.size)
    frame = pl.DataFrame({"trace": [f"t{n % TRACES}" for n in range(session.size)], "log_end_to_end": logs})
    frame = frame.with_columns(*(pl.lit(value).alias(name) for name, value in constant.items()))
    return frame.with_columns(log_round_trip=pl.col("log_end_to_end"))


def load_arms(random: np.random.Generator, slower: float) -> list[tuple[str, int, pl.DataFrame]]:
    """Simulate A B B A of loads of 16 sessions, the same ones in both arms."""
    session, found = random.normal(0, 0.20, 16), []
    for number in range(ROUNDS):
        shared = random.normal(0, 0.10)
        for place, arm in enumerate("abba"):
            drift = 0.02 * (4 * number + place) / (4 * ROUNDS)
            whole = shared + drift + (math.log1p(slower) if arm == "b" else 0)
            found.append((arm, number, load_logs(random, session, whole)))
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


def saved_load_verdicts(trials: int, slower: float, seed: int, saved: int = 3) -> Counter[str]:
    """Run the gate on a load against so many saved ones, made on other days, with the confirmation it asks for."""
    random = np.random.default_rng(seed)
    found: Counter[str] = Counter()
    for _ in range(trials):
        session = random.normal(0, 0.20, 16)

        def run(more: float, session: np.ndarray = session) -> pl.DataFrame:
            return load_logs(random, session, random.normal(0, 0.10) + math.log1p(more))

        baseline = [run(0.0) for _ in range(saved)]
        first, again = (over_saved(baseline, run(slower), "end_to_end") for _ in range(2))
        found[decide(first, LIMIT, again).verdict] += 1
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
