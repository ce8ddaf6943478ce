"""What each engine step did, stamped in vLLM's worker and read back turn by turn: Stamp, TurnSteps.

One line per step and request:
`{"id", "start", "end", "begin", "resumed", "tokens", "computed", "prompt", "prefill"}`, times CLOCK_MONOTONIC ns.
`begin` marks the first step of a prompt or of a resumed session's next chunk; `computed` tokens were in the KV
cache already; `tokens` were computed in this step.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class TurnSteps:
    """One turn in the engine: when its prefill began and ended, how much was computed, when its last token was.

    `reused` tokens were in the KV cache when the turn began. `prefilled` counts prompt tokens computed, again
    after a preemption too (`preemptions`). `decoded_ns` is the end of the last step seen.
    """

    request: str
    prefill_started_ns: int
    first_token_ns: int
    decoded_ns: int
    prompt: int
    reused: int
    prefilled: int
    steps: int
    preemptions: int


class StampWriter:
    """Appends steps to a file, a line a request, unbuffered: a killed server keeps what it did."""

    def __init__(self, path: str) -> None:
        self._file = Path(path).open("ab", buffering=0)  # noqa: SIM115 - lives as long as the worker

    def write(self, started_ns: int, ended_ns: int, rows: list[dict[str, Any]]) -> None:
        """Write one step."""
        times = {"start": started_ns, "end": ended_ns}
        self._file.write("".join(json.dumps(row | times) + "\n" for row in rows).encode())


def step_rows(scheduled: Any, prompts: dict[str, int]) -> list[dict[str, Any]]:
    """Return a row per request of vLLM's SchedulerOutput; `prompts` keeps prompt lengths between steps."""
    rows: list[dict[str, Any]] = []
    counts = scheduled.num_scheduled_tokens
    for request in scheduled.scheduled_new_reqs:
        prompts[request.req_id] = len(request.prompt_token_ids or ())
        rows.append(_row(request.req_id, counts, request.num_computed_tokens, prompts, begin=True))
    cached = scheduled.scheduled_cached_reqs
    for name, computed in zip(cached.req_ids, cached.num_computed_tokens, strict=True):
        rows.append(_row(name, counts, computed, prompts, resumed=name in cached.resumed_req_ids))
    for name in scheduled.finished_req_ids:
        prompts.pop(name, None)
    return rows


def _row(
    name: str,
    counts: dict[str, int],
    computed: int,
    prompts: dict[str, int],
    *,
    begin: bool = False,
    resumed: bool = False,
) -> dict[str, Any]:
    prompt = prompts.get(name, 0)
    return {
        "id": name,
        "begin": begin,
        "resumed": resumed,
        "tokens": counts.get(name, 0),
        "computed": computed,
        "prompt": prompt,
        "prefill": computed < prompt,
    }


def read_turns(lines: Iterable[str | bytes]) -> list[TurnSteps]:
    """Return the turns of all requests in the order in which they began; a torn last line is left out."""
    turns: dict[str, list[list[dict[str, Any]]]] = {}
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        steps = turns.setdefault(row["id"], [])
        if row["begin"]:
            steps.append([row])
        elif steps:
            steps[-1].append(row)
    found = [_turn(name, rows) for name, all_rows in turns.items() for rows in all_rows]
    return sorted(found, key=lambda turn: turn.prefill_started_ns)


def _turn(name: str, rows: list[dict[str, Any]]) -> TurnSteps:
    prompt = rows[0]["prompt"]
    prefill = [row for row in rows if row["prefill"]]
    first = next((row for row in rows if row["computed"] + row["tokens"] >= prompt), rows[-1])
    return TurnSteps(
        request=name,
        prefill_started_ns=rows[0]["start"],
        first_token_ns=first["end"],
        decoded_ns=rows[-1]["end"],
        prompt=prompt,
        reused=rows[0]["computed"],
        prefilled=sum(min(row["tokens"], prompt - row["computed"]) for row in prefill),
        steps=len(rows),
        preemptions=sum(1 for row in rows if row["resumed"]),
    )
