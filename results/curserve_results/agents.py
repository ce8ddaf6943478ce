"""`bench agents`: its outcome (docs/FORMAT.md, agents.json) as tables. Main name: `tables`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import Any

from curserve_results.statistics import interval
from curserve_results.table import Column, Table, Value

FILE = "agents.json"
SCHEMA = "curserve-agents/1"

NOTHING = "nothing"
"""The calls that do nothing: what an agent's own dispatch takes."""

Outcome = Mapping[str, Any]
Run = Mapping[str, Any]


def tables(outcome: Outcome) -> list[Table]:
    """Return the tasks' table, the calls' table, and what agents cost themselves."""
    return [_tasks(outcome), _calls(outcome), _own(outcome)]


def _groups(outcome: Outcome) -> Iterator[tuple[str, float, list[Run], list[Run]]]:
    """Yield agent, RTT, and its runs without help and with it, in order."""
    runs = outcome["runs"]
    for agent, rtt in dict.fromkeys((run["agent"], run["rtt_ms"]) for run in runs):
        mine = [run for run in runs if (run["agent"], run["rtt_ms"]) == (agent, rtt)]
        halves = [
            sorted((r for r in mine if r["helped"] is helped), key=lambda r: r["run"]) for helped in (False, True)
        ]
        yield agent, rtt, halves[0], halves[1]


def _ratio(without: Sequence[float], helped: Sequence[float]) -> Value:
    """Return how many times as fast the helped ones are, with an interval over the pairs."""
    pairs = [(a, b) for a, b in zip(without, helped, strict=False) if a > 0 and b > 0]
    if not pairs:
        return Value(None)
    found = interval([math.log(a / b) for a, b in pairs], ["task"] * len(pairs), fixed=True).map(math.exp)
    return Value(found.estimate, found.low, found.high, len(pairs))


def _tasks(outcome: Outcome) -> Table:
    rows = []
    for agent, rtt, without, helped in _groups(outcome):
        same = sum(run["difference"] is None for run in (*without, *helped))
        total = len(without) + len(helped)
        calls = sum(run["calls"] for run in helped)
        rows.append(
            {
                "agent": Value(agent),
                "rtt": Value(f"{rtt:g} ms"),
                "without": Value(median(run["wall_ns"] for run in without), n=len(without)),
                "with": Value(median(run["wall_ns"] for run in helped), n=len(helped)),
                "ratio": _ratio([r["wall_ns"] for r in without], [r["wall_ns"] for r in helped]),
                "answered": Value(min(1.0, sum(run["answered"] for run in helped) / calls) if calls else None),
                "same": Value(f"{same}/{total}"),
            }
        )
    return Table(
        "agents",
        "Real agents on one task, with `curserve run` and without",
        (
            Column("agent", "agent"),
            Column("rtt", "RTT"),
            Column("without", "task without", "duration"),
            Column("with", "task with", "duration"),
            Column("ratio", "speed-up [95 %]", "ratio"),
            Column("answered", "answered", "share"),
            Column("same", "same conversation"),
        ),
        tuple(rows),
        (
            "Runs in turns; the speed-up is the mean of the pairs' log-ratios. Answered: by the daemon, of all.",
            "Same conversation: runs whose last prompt is the first run's, but for what each run makes up.",
        ),
    )


def _calls(outcome: Outcome) -> Table:
    rows = []
    for agent, rtt, without, helped in _groups(outcome):
        names = dict.fromkeys(name for run in without for name, _ in run["gaps"] if name != NOTHING)
        for name in names:
            bare, ours = ([_own_ns(run, name) for run in half] for half in (without, helped))
            rows.append(
                {
                    "agent": Value(agent),
                    "rtt": Value(f"{rtt:g} ms"),
                    "call": Value(name),
                    "gap_without": Value(median(_gap_ns(run, name) for run in without), n=len(without)),
                    "gap_with": Value(median(_gap_ns(run, name) for run in helped), n=len(helped)),
                    "without": Value(median(bare), n=len(bare)),
                    "with": Value(median(ours), n=len(ours)),
                }
            )
    return Table(
        "agent_calls",
        "Turn gaps by call",
        (
            Column("agent", "agent"),
            Column("rtt", "RTT"),
            Column("call", "call"),
            Column("gap_without", "gap without", "duration"),
            Column("gap_with", "gap with", "duration"),
            Column("without", "above nothing, without", "duration"),
            Column("with", "above nothing, with", "duration"),
        ),
        tuple(rows),
        (
            "Gap: from the model's last byte to the next prompt, less the round trip. Above nothing: less the "
            "same run's median gap of calls that do nothing (`true`).",
        ),
    )


def _gap_ns(run: Run, name: str) -> float:
    return float(median(gap for step, gap in run["gaps"] if step == name))


def _own_ns(run: Run, name: str) -> float:
    return _gap_ns(run, name) - _gap_ns(run, NOTHING)


def _own(outcome: Outcome) -> Table:
    rows = []
    for agent, rtt, without, _helped in _groups(outcome):
        sizes = [run["prompt_bytes"] for run in without]
        grown = [later - before for size in sizes for before, later in pairwise(size)]
        rows.append(
            {
                "agent": Value(agent),
                "rtt": Value(f"{rtt:g} ms"),
                "startup": Value(median(run["startup_ns"] for run in without), n=len(without)),
                "dispatch": Value(median(_gap_ns(run, NOTHING) for run in without), n=len(without)),
                "first_prompt": Value(float(median(size[0] for size in sizes))),
                "growth": Value(float(median(grown)) if grown else None),
            }
        )
    return Table(
        "agent_costs",
        "What agents cost themselves",
        (
            Column("agent", "agent"),
            Column("rtt", "RTT"),
            Column("startup", "start to first prompt", "duration"),
            Column("dispatch", "dispatch", "duration"),
            Column("first_prompt", "first prompt (bytes)", "count"),
            Column("growth", "growth a turn (bytes)", "count"),
        ),
        tuple(rows),
        ("Dispatch: the gap of a call that does nothing, without help; a shell is started in it.",),
    )
