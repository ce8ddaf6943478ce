"""Requested against achieved: measure a link at the RTT that was asked for, and take the path's own cost off.

A round trip costs more than the link's delay: two stacks, two wake-ups, and more of it the longer the machine
idles in between. So the cost is measured at the requested RTT, never extrapolated from a short one, and taken
off the delay. Main type: `Calibration`.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from math import ceil, sqrt
from typing import Any

from curserve_netem.errors import HostsError
from curserve_netem.hosts import Pair, link_program
from curserve_netem.link import Link
from curserve_netem.patience import WORTH_SAYING_S, Effort, effort

PAYLOADS = (64, 16_384, 262_144)
_TOLERANCE = 0.02
_TOLERANCE_MS = 0.15
_LARGEST_SHARE = 0.25  # of the RTT, at most, may be excused by jitter: beyond it is another link
_REORDERED_SAMPLES = 200  # so that the median is not by chance among those that overtook
_TUNING_ROUNDS = 4  # one is enough on a quiet machine; a busy one may mislead the first
_CLOSE, _CLOSE_NS = 0.0005, 15_000  # an error that another round would not make smaller


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a link was asked for and what it does; milliseconds.

    `p50_ms` and `p99_ms` are of 64-byte round trips on an open connection, `handshake_ms` the median of `connect`,
    `payload_ms` the median time of an upload of that many bytes until its 64-byte answer, on one connection.
    `p99_ms` is None below 100 samples.
    """

    backend: str
    requested_ms: float
    p50_ms: float
    p99_ms: float | None
    handshake_ms: float
    payload_ms: dict[int, float]
    samples: int
    taken_off_ms: float
    allowance_ms: float = 0.0

    @property
    def error_ms(self) -> float:
        """Achieved less requested RTT."""
        return self.p50_ms - self.requested_ms

    @property
    def tolerance_ms(self) -> float:
        """The larger of 2 % and 0.15 ms, and what declared jitter adds to a median's uncertainty, up to a quarter.

        An allowance never swallows the delay: a link whose jitter would excuse more is measured with more samples,
        or is not the one that was declared.
        """
        own = max(_TOLERANCE * self.requested_ms, _TOLERANCE_MS)
        return own + min(self.allowance_ms, _LARGEST_SHARE * self.requested_ms)

    @property
    def ok(self) -> bool:
        """Whether the achieved RTT is within the tolerance."""
        return abs(self.error_ms) <= self.tolerance_ms

    @property
    def verdict(self) -> str:
        """Say it in one line."""
        achieved = f"requested {self.requested_ms:g} ms, achieved {self.p50_ms:.3f} ms"
        if self.ok:
            return f"{achieved} ({self.error_ms:+.3f} ms): ok"
        return f"{achieved}: off by {self.error_ms:+.3f} ms, more than {self.tolerance_ms:.3f} ms: void"

    def drift_verdict(self, after: Calibration) -> str | None:
        """Compare with the calibration after the run; None when the link held still, else why the run is void."""
        if not after.ok:
            return f"after the run {after.verdict}"
        moved = after.p50_ms - self.p50_ms
        if abs(moved) > self.tolerance_ms:
            return f"the RTT drifted by {moved:+.3f} ms during the run, more than {self.tolerance_ms:.3f} ms: void"
        return None

    def to_json(self) -> dict[str, Any]:
        """Return plain values, for manifests and `--json`."""
        return {**asdict(self), "ok": self.ok, "verdict": self.verdict}


def calibrate(
    pair: Pair,
    *,
    samples: int = 40,
    tune: bool | None = None,
    uploads: int = 3,
    say: Callable[[str], None] | None = None,
) -> Calibration:
    """Measure the pair's link; the first time (or with `tune`) also take the path's own cost off its delay.

    Takes about `samples` × RTT / 16, and the uploads: two to five seconds at 150 ms. What takes longer than some
    seconds is announced to `say`; what takes longer than anybody waits is a LinkError, and uploads that the link
    cannot carry in half a minute are left out. Call it again after the run and compare by `drift_verdict`.
    """
    link = pair.link
    if link.reorder:
        samples = max(samples, _REORDERED_SAMPLES)
    if tune is None:
        tune = pair.taken_off_ns == 0
    # Jitter hides the path's cost, a transparent link has no delay to take it from.
    tune = tune and bool(link.rtt_ns) and not link.jitter_ns
    planned = effort(link, samples, PAYLOADS, uploads, rounds=3 if tune else 1)  # seldom more than two to tune
    if say is not None and planned.seconds >= WORTH_SAYING_S:
        say(f"calibrating {link.describe()}: {planned.words()}")
    if tune:
        for _ in range(_TUNING_ROUNDS):
            found = _probe(pair, replace(planned, payloads=()), samples, 0)
            error_ns = round(_undisturbed(found["round_trips"])) - link.rtt_ns
            if pair.taken_off_ns and abs(error_ns) <= max(_CLOSE_NS, _CLOSE * link.rtt_ns):
                break
            pair.take_off(pair.taken_off_ns + error_ns)
    measured = _probe(pair, planned, samples, uploads)
    return Calibration(
        backend=pair.backend,
        requested_ms=link.rtt_ms,
        p50_ms=_median(measured["round_trips"]) / 1e6,
        p99_ms=_p99(measured["round_trips"]),
        handshake_ms=_handshake_ns(pair, measured) / 1e6,
        payload_ms={int(size): _median(times) / 1e6 for size, times in measured["uploads"].items()},
        samples=len(measured["round_trips"]),
        taken_off_ms=pair.taken_off_ns / 1e6,
        allowance_ms=_allowance_ms(link, len(measured["round_trips"])),
    )


def _handshake_ns(pair: Pair, measured: dict[str, Any]) -> float:
    """Return what a new connection costs; with a relay, what its first round trip takes more than others."""
    if pair.degraded:
        return _median(measured["firsts"]) - _median(measured["round_trips"])
    return _median(measured["handshakes"])


def _allowance_ms(link: Link, samples: int) -> float:
    """Bound a sample median's distance from the RTT under declared jitter: four standard errors, and the skew.

    Reordering needs none: as far as it can be declared, most round trips have the whole delay.
    """
    if not link.jitter_ns:
        return 0.0
    deviation = sqrt(2) * link.jitter_ns / 1e6
    skew = deviation / 2 if link.distribution.startswith("pareto") else 0.0
    return 4 * 1.2533 * deviation / sqrt(samples) + skew


def _probe(pair: Pair, planned: Effort, samples: int, uploads: int) -> dict[str, Any]:
    """Run the probe on the client host against an echo on the server host; raw nanoseconds."""
    program = link_program()
    # A relay leaves TCP alone: without privilege the kernel may refuse to change it.
    congestion = [] if pair.degraded else [pair.link.tcp.congestion]
    echo = pair.server.popen(
        [program, "echo", pair.server.address, *congestion],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        port = echo.stdout.readline().strip() if echo.stdout else ""
        if not port:
            raise HostsError(f"calibration: the echo on the server host did not start: {echo.communicate()[1]}")
        address, at = pair.reach(int(port))
        spacing = pair.link.rtt_ns // planned.connections
        counts = (str(samples), str(planned.connections), str(spacing))
        payloads = ",".join(map(str, planned.payloads))
        done = pair.client.run(
            [program, "probe", f"{address}:{at}", *counts, payloads, str(uploads), *congestion],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise HostsError(f"calibration: {done.stderr.strip()}")
        measured: dict[str, Any] = json.loads(done.stdout)
        return measured
    finally:
        echo.kill()
        echo.communicate()


def _median(values: list[int]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return float(ordered[middle]) if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _undisturbed(values: list[int]) -> float:
    """Return the median of the densest half: on a quiet machine the median, on a busy one what it would be."""
    ordered = sorted(values)
    half = (len(ordered) + 1) // 2
    start = min(range(len(ordered) - half + 1), key=lambda index: ordered[index + half - 1] - ordered[index])
    return _median(ordered[start : start + half])


def _p99(values: list[int]) -> float | None:
    if len(values) < 100:
        return None
    return sorted(values)[ceil(0.99 * len(values)) - 1] / 1e6
