"""What a backend must show, as figures: run by the tests on this kernel, or inside user-mode Linux.

`python proof.py BACKEND OUT.json [quick|full]`
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

import traffic

from curserve_netem import Bursts, Link, Pair, Tcp, calibrate, hosts, tiers

MS = 1_000_000


def steadily(measure: Callable[[], dict], fine: Callable[[dict], bool]) -> dict:
    """Measure up to four times until the figures are `fine`: a busy machine gets another go, and it is told.

    A link that is wrong is wrong each time.
    """
    attempts, found = 1, measure()
    while attempts < 4 and not fine(found):
        attempts, found = attempts + 1, measure()
    return {**found, "attempts": attempts}


def rtts(backend: str, samples: int) -> list[dict]:
    """Calibrate at the RTTs of the issue and of every tier."""
    wanted = sorted({1.0, 2.0, 15.0, 70.0, 150.0, 250.0} | {tier.rtt_ms for tier in tiers.load().values()})
    rows = []
    for rtt_ms in wanted:
        with hosts(Link(rtt_ns=round(rtt_ms * MS)), backend=backend) as pair:
            attempts = 1
            found = calibrate(pair, samples=samples)
            while not found.ok and attempts < 4:  # a busy machine: another go, and it is told
                attempts += 1
                found = calibrate(pair, samples=samples, tune=True)
            rows.append({**found.to_json(), "error_ms": found.error_ms, "attempts": attempts, "facts": pair.facts})
    return rows


def loss(backend: str, count: int) -> dict:
    """Lose one packet in twenty, each way; the answer is how many arrived."""
    with hosts(Link(rtt_ns=4 * MS, loss=0.05, seed=1), backend=backend) as pair:
        for name in ("up", "down"):
            traffic.one_way(pair, count, gap_s=0, reverse=name == "down")
        return {"loss": 0.05, **_lost(pair)}


def _lost(pair: Pair) -> dict:
    """Return packets that came to each direction, and how many of them the link lost, by its own count."""
    rows = pair.counters()
    lost = {way: row.get("lost", row.get("dropped")) for way, row in rows.items()}
    return {way: {"came": row["packets"] + lost[way], "lost": lost[way]} for way, row in rows.items()}


def bursts(backend: str, count: int) -> dict:
    """Lose in bursts, as the Gilbert-Elliott chain does."""
    chain = Bursts(to_bad=0.02, to_good=0.25)
    with hosts(Link(rtt_ns=4 * MS, bursts=chain, seed=1), backend=backend) as pair:
        traffic.one_way(pair, count, gap_s=0)
        return {"loss": chain.loss, **_lost(pair), "facts": pair.facts}


def jitter(backend: str, count: int) -> list[dict]:
    """Spread the delay; the answer is mean and deviation of one-way times, in both directions."""
    rows = []
    for distribution, deviation in (("uniform", 10 / 3**0.5), ("normal", 10.0)):
        link = Link(rtt_ns=100 * MS, jitter_ns=10 * MS, distribution=distribution, seed=1)
        with hosts(link, backend=backend) as pair:
            for way in ("up", "down"):
                row = steadily(
                    partial(_spread, pair, count, way, 3**0.5 if distribution == "uniform" else 1.349),
                    lambda found, deviation=deviation: abs(found["deviation_ms"] / deviation - 1) < 0.15,
                )
                rows.append(
                    {"distribution": distribution, **row, "expected_deviation_ms": deviation, "facts": pair.facts}
                )
    return rows


def _spread(pair: Pair, count: int, way: str, quartiles_apart: float) -> dict:
    """Return the deviation of one-way times, from the quartiles: a busy machine's stalls are outliers."""
    taken = traffic.one_way(pair, count, gap_s=0.003, reverse=way == "down")
    low, middle, high = statistics.quantiles(taken, n=4)
    deviation_ms = (high - low) / quartiles_apart
    return {"way": way, "arrived": len(taken), "median_ms": middle, "deviation_ms": deviation_ms}


def directions(backend: str) -> dict:
    """Delay only one way, with another rate up than down."""
    with hosts(Link(rtt_ns=40 * MS, up_share=0.75), backend=backend) as pair:
        up, down = (sorted(traffic.one_way(pair, 100, gap_s=0.005, reverse=back))[10] for back in (False, True))
    return {"up_ms": up, "down_ms": down, "expected_up_ms": 30.0, "expected_down_ms": 10.0}


def rate(backend: str, seconds: float) -> dict:
    """Fill a 100 Mbit/s link: bits on the wire, headers included, as the receiving host's device counts them."""
    found = {}
    with hosts(Link(rtt_ns=10 * MS, rate_bps=100_000_000), backend=backend) as pair:
        for way in ("up", "down"):

            def measure(back: bool = way == "down") -> dict:
                return {"mbps": traffic.wire_rate_mbps(pair, seconds, reverse=back)}

            found[way] = steadily(measure, lambda row: abs(row["mbps"] - 100) < 1)
    return found


def idle_restart(backend: str, idle_s: float) -> list[dict]:
    """Upload 200 kB after an idle time, with and without idle restart."""
    rows = []
    for restart in (True, False):
        link = Link(rtt_ns=150 * MS, tcp=Tcp(idle_restart=restart))
        with hosts(link, backend=backend) as pair:
            row = steadily(
                partial(traffic.upload_after_idle, pair, 200_000, idle_s),
                lambda row, restart=restart: (row["after_idle_s"] > 1.5 * row["warm_s"]) == restart,
            )
            rows.append({"idle_restart": restart, **row})
    return rows


def loss_of_tcp(backend: str, count: int) -> dict:
    """Send bytes by TCP over a link that loses one packet in a hundred; returns what its own counters say."""
    with hosts(Link(rtt_ns=10 * MS, loss=0.01, seed=3), backend=backend) as pair:
        sent = traffic.transfer(pair, count)
        way = pair.counters()["up"]
    return {"loss": 0.01, "came": way["packets"] + way["dropped"], "lost": way["dropped"], **sent}


def exact(backend: str, large: int, lossy: int) -> dict:
    """Send many bytes at 150 ms, and some over a link that loses packets."""
    wide = Tcp(receive_max=64 << 20, send_max=64 << 20)
    with hosts(Link(rtt_ns=150 * MS, tcp=wide), backend=backend) as pair:
        clean = traffic.transfer(pair, large)
        overruns = pair.counters()
    with hosts(Link(rtt_ns=150 * MS, loss=0.001, seed=5), backend=backend) as pair:
        dropping = traffic.transfer(pair, lossy)
        losses = pair.counters()
    return {"clean": clean, "lossy": dropping, "counters": overruns, "lossy_counters": losses}


def left_behind() -> list[str]:
    """Name what belongs to us and is still there: processes carry the mark of their owner."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                if b"CURSERVE_HOST=" in (process / "environ").read_bytes():
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
    return found


def main(backend: str, out: str, size: str) -> None:
    """Collect the figures into a file, also when something breaks."""
    full = size == "full"
    figures: dict = {"backend": backend, "kernel": os.uname().release}
    try:
        figures["rtts"] = rtts(backend, 200 if full else 16)
        figures["loss"] = loss(backend, 20_000 if full else 4_000)
        if backend == "netem":
            figures["loss_of_tcp"] = loss_of_tcp(backend, 20_000_000 if full else 4_000_000)
        figures["bursts"] = bursts(backend, 20_000 if full else 4_000)
        figures["jitter"] = jitter(backend, 2_000 if full else 500)
        figures["directions"] = directions(backend)
        figures["rate"] = rate(backend, 5.0 if full else 1.0)
        figures["idle_restart"] = idle_restart(backend, 5.0 if full else 1.0)
        if full:
            figures["exact"] = exact(backend, 1_000_000_000, 10_000_000)
        figures["left_behind"] = left_behind()
    except BaseException:
        figures["error"] = traceback.format_exc()
    Path(out).write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
