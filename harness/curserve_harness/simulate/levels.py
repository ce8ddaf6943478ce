"""How much load: one level or several, and which sessions of each count. Main names: `levels`, Level."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from curserve_harness.console.exits import BadInput
from curserve_harness.plan.arrivals import Arrivals
from curserve_harness.plan.arriving import parse_arrivals
from curserve_harness.plan.sessions import draw
from curserve_harness.simulate.options import SimulateOptions, between, ends

DURATION = "300s"
"""Of an open load whose end nobody named."""

WARM_UP = 0.2
"""The share of an open load that warms up, where nobody says otherwise."""

ROUNDS = 12
"""Sessions of each user of a closed load: a sixth of them come before those that count, and a third after."""

SPREAD_NS = 10 * 10**9
"""In which the users of a closed load begin, one after the other."""

_RATES = re.compile(r"(\D*?)([\d.]+)\s*/\s*(s|min|h)\s*\.\.\s*([\d.]+)\s*/\s*(s|min|h)(.*)")
_A_SECOND = {"s": 1.0, "min": 1 / 60, "h": 1 / 3600}


@dataclass(frozen=True, slots=True)
class Level:
    """A load: its name, its size (users, or sessions a second), and what is drawn for it."""

    arrivals: Arrivals
    title: str
    load: float

    @property
    def users(self) -> int:
        """Users of a closed load; 0 of an open one."""
        return self.arrivals.users if self.arrivals.kind == "closed" else 0

    @property
    def rounds(self) -> int:
        """Sessions of each user of a closed load."""
        return (self.arrivals.count or 0) // self.users

    def drawn(self, scripts: int, seed: int, repetition: int) -> tuple[list[int], list[int]]:
        """Return the script and the intended start of each session; of a closed load, when each user begins."""
        sessions = draw(self.arrivals, scripts, seed, repetition)
        if self.arrivals.kind == "recorded" and len(self.arrivals.recorded_ns) == scripts:
            return list(range(len(sessions))), sessions.offset_ns.tolist()  # each comes when it came
        starts = np.array(sessions.offset_ns)
        if self.users:
            place = np.arange(min(self.users, len(starts)))
            starts[: len(place)] = np.maximum(starts[: len(place)], place * SPREAD_NS // self.users)
        return sessions.trace.tolist(), np.maximum(starts, 0).tolist()

    def counted(self, starts: list[int]) -> tuple[int, int]:
        """Return the first session that counts, and one past the last.

        Of an open load those that are meant to start after the warm-up. Of a closed one not each user's first
        sixth, before which the load was not all there, nor the last third: users are not equally fast, and while
        one plays what counts the others should still be there.
        """
        if self.users:
            rounds = self.rounds
            return self.users * max(1, rounds // 6), self.users * (rounds - max(1, rounds // 3))
        first = int(np.searchsorted(np.asarray(starts), self.arrivals.warm_up_ns))
        end = len(starts)
        if self.arrivals.cool_down_ns and self.arrivals.duration_ns is not None:
            end = int(np.searchsorted(np.asarray(starts), self.arrivals.duration_ns - self.arrivals.cool_down_ns))
        return min(first, end - 1), end


def levels(options: SimulateOptions, recorded_ns: Sequence[int] = ()) -> list[Level]:
    """Return the loads to simulate, from light to heavy; `recorded_ns`: of --trace-load. Raises BadInput."""
    if options.arrivals.strip() == "recorded":
        return [_level(options, options.arrivals, None, recorded_ns)]
    if options.sessions is not None and (both := ends("--sessions", options.sessions)):
        fewest, most = (_whole(end) for end in both)
        if fewest >= most:
            raise BadInput(f"--sessions {options.sessions}: the range runs backwards; write the smaller end first")
        users = dict.fromkeys(round(value) for value in between(fewest, most, options.points))
        return [_level(options, options.arrivals, number) for number in users]
    match = _RATES.fullmatch(options.arrivals.strip())
    if match is None:
        users_of = None if options.sessions is None else _whole(options.sessions)
        return [_level(options, options.arrivals, users_of)]
    before, low_text, low_unit, high_text, high_unit, after = match.groups()
    low, high = (_rate(options.arrivals, *end) for end in ((low_text, low_unit), (high_text, high_unit)))
    if low >= high:
        raise BadInput(f"--arrivals {options.arrivals!r}: the range runs backwards; write the smaller rate first")
    return [
        _level(options, f"{before or 'poisson '}{rate:.9f}/s{after}", None)
        for rate in between(low, high, options.points)
    ]


def _level(options: SimulateOptions, text: str, users: int | None, recorded_ns: Sequence[int] = ()) -> Level:
    closed = text.strip().startswith("closed")
    duration, tasks = options.duration, options.tasks
    if closed and options.warm_up is not None:
        raise BadInput("--warm-up: of a closed load each user's first sessions are left out; drop it")
    if closed and duration is not None:
        raise BadInput("--duration: a closed load ends with its sessions; give --tasks")
    if closed and tasks is None:
        tasks = (users or 1) * ROUNDS
    if closed and tasks is not None and tasks < 3 * (users or 1):
        raise BadInput(
            f"--tasks {tasks}: each user's first and last do not count; give at least {3 * (users or 1)}"
        )
    if not closed and duration is None and tasks is None and not recorded_ns:
        duration = DURATION
    arrivals = parse_arrivals(
        re.sub(r"^(poisson|gamma|diurnal):", r"\1 ", text.strip()),
        sessions=users,
        think=options.think,
        duration=duration,
        count=tasks,
        warm_up=options.warm_up,
        recorded_ns=recorded_ns,
    )
    if arrivals.kind != "closed" and options.warm_up is None:
        length = arrivals.duration_ns or (
            recorded_ns[-1] if recorded_ns else round((arrivals.count or 0) / arrivals.rate * 1e9)
        )
        arrivals = _warmed(arrivals, round(length * WARM_UP))
    return Level(arrivals, arrivals.title, float(arrivals.users if arrivals.kind == "closed" else arrivals.rate))


def _warmed(arrivals: Arrivals, warm_up_ns: int) -> Arrivals:
    from dataclasses import replace

    return replace(arrivals, warm_up_ns=warm_up_ns)


def _whole(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise BadInput(f"--sessions {text!r}: a number of users from 1 to 1,000,000, or a range such as 1..256")
    return int(text)


def _rate(text: str, number: str, unit: str) -> float:
    try:
        rate = float(number) * _A_SECOND[unit]
    except ValueError:
        rate = 0.0
    if not 0 < rate < 1e6:
        raise BadInput(f"--arrivals {text!r}: {number}/{unit} is no rate; write sessions by time, such as 2/s")
    return rate
