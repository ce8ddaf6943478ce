"""`--arrivals` and the options that go with it, read and held against each other. Main name: `parse_arrivals`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from curserve_harness.console.exits import BadInput
from curserve_harness.plan.arrivals import CLOSED_AHEAD, MOST_SESSIONS, NS, Arrivals
from curserve_netem.errors import LinkError
from curserve_netem.parse import parse_duration_ns

_RATE = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*/\s*(s|min|h)")
_PER_S = {"s": 1.0, "min": 1 / 60, "h": 1 / 3600}
FORMS = (
    "closed, 'poisson 2/s', 'gamma 2/s cv 3', 'diurnal 1/s peak 4/s period 10min', or 'recorded' (the times of "
    "--trace-load)"
)


def parse_arrivals(
    text: str = "closed",
    *,
    sessions: int | None = None,
    think: str | None = None,
    ramp: str | None = None,
    duration: str | None = None,
    count: int | None = None,
    warm_up: str | None = None,
    cool_down: str | None = None,
    recorded_ns: Sequence[int] = (),
) -> Arrivals:
    """Read `--arrivals` and the options that go with it; raises BadInput where they contradict each other."""
    words = text.split()
    kind = words[0] if words else ""
    where = f"--arrivals {text!r}"
    times = {
        name: _duration(f"--{name.replace('_', '-')}", value)
        for name, value in {
            "think": think,
            "ramp": ramp,
            "duration": duration,
            "warm_up": warm_up,
            "cool_down": cool_down,
        }.items()
    }
    length = times["duration"] if duration is not None else None
    if duration is not None and count is not None:
        raise BadInput("--duration and --tasks: each ends the load; give one of them")
    if length == 0 or count == 0:
        raise BadInput("--duration, --tasks: a load of nothing; give it time, or sessions")
    if cool_down is not None and duration is None:
        raise BadInput("--cool-down: it is the end of --duration; give that too")
    if length is not None and times["warm_up"] + times["cool_down"] >= length:
        raise BadInput(
            "--warm-up, --cool-down: together they take the whole --duration; nothing would be measured"
        )
    base = Arrivals(
        ramp_ns=times["ramp"],
        duration_ns=length,
        count=count,
        warm_up_ns=times["warm_up"],
        cool_down_ns=times["cool_down"],
    )
    if kind == "closed" and len(words) == 1:
        users = 1 if sessions is None else sessions
        if users < 1:
            raise BadInput(f"--sessions {users}: at least one user is needed")
        planned = count or users * (CLOSED_AHEAD if length else 1)
        if max(users, planned) > MOST_SESSIONS:
            raise BadInput(
                f"--sessions, --tasks: {planned:,} sessions of {users:,} users; {MOST_SESSIONS:,} are the most"
            )
        return replace(base, users=users, think_ns=times["think"])
    _refuse(where, kind, sessions=sessions, think=think)
    if kind == "recorded" and len(words) == 1:
        if not recorded_ns:
            raise BadInput(f"{where}: no recorded times; name a file with arrival times with --trace-load")
        if ramp is not None:
            raise BadInput(f"{where}: recorded times have their own shape; drop --ramp")
        return replace(base, kind="recorded", recorded_ns=tuple(recorded_ns))
    found = _open(base, words, where)
    if duration is None and count is None:
        raise BadInput(f"{where}: an open load has no end of its own; add --duration 60s or --tasks 100")
    expected = count or (max(found.rate, found.peak) * (length or 0) / NS)
    if expected > MOST_SESSIONS:
        raise BadInput(
            f"{where}: some {expected:,.0f} sessions; at most {MOST_SESSIONS:,}: lower the rate, or shorten it"
        )
    return found


def _open(base: Arrivals, words: Sequence[str], where: str) -> Arrivals:
    """Read the kind and the numbers of an open load."""
    kind, rest = (words[0] if words else ""), " ".join(words[1:])
    if kind == "poisson":
        return replace(base, kind="poisson", rate=_rate(rest, where))
    if kind == "gamma" and (match := re.fullmatch(r"(.+?)\s+cv\s+([0-9.]+)", rest)):
        variation = float(match[2]) if match[2].count(".") < 2 else 0.0
        if not 0 < variation <= 100:
            raise BadInput(f"{where}: a coefficient of variation is above 0 and at most 100 (1 is poisson)")
        return replace(base, kind="gamma", rate=_rate(match[1], where), variation=variation)
    if kind == "diurnal" and (match := re.fullmatch(r"(.+?)\s+peak\s+(.+?)\s+period\s+(.+)", rest)):
        low, peak, period = _rate(match[1], where), _rate(match[2], where), _duration(where, match[3])
        if peak <= low or not period:
            raise BadInput(f"{where}: the peak is above the rate, and the period above 0")
        return replace(base, kind="diurnal", rate=low, peak=peak, period_ns=period)
    raise BadInput(f"{where}: expected {FORMS}")


def _refuse(where: str, kind: str, *, sessions: int | None, think: str | None) -> None:
    """Raise BadInput for options that only a closed load has."""
    for option, value in (("--sessions", sessions), ("--think", think)):
        if value is not None and kind != "closed":
            raise BadInput(f"{where} with {option}: an open load has no users who wait; drop one of them")


def _rate(text: str, where: str) -> float:
    match = _RATE.fullmatch(text.strip())
    if match is None or not float(match[1]):
        raise BadInput(
            f"{where}: {text.strip()!r} is no rate; write sessions by time, such as 2/s, 30/min or 100/h"
        )
    return float(match[1]) * _PER_S[match[2]]


def _duration(where: str, text: str | None) -> int:
    """Read a time; minutes and hours too, since a load may last."""
    if text is None:
        return 0
    for unit, seconds in (("min", 60), ("h", 3600)):
        if text.strip().endswith(unit):
            return round(_plain(where, text.strip().removesuffix(unit)) * seconds * NS)
    try:
        return parse_duration_ns(text)
    except LinkError as error:
        raise BadInput(f"{where}: {error}") from None


def _plain(where: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e6:
        raise BadInput(f"{where}: {text!r} is no number of minutes or hours; write 10min or 1.5h")
    return value
