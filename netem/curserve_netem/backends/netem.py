"""The `netem` backend: the kernel's sch_netem on both ends of a veth pair, set inside the hosts' namespaces.

Each host's device holds the discipline of its own direction. pyroute2 sets it; what pyroute2 lacks (distributions,
bursts) is set by `tc`. What the kernel then reports is compared with what was asked.
"""

from __future__ import annotations

import errno
import json
import shutil
import subprocess
from typing import Any

from curserve_netem import devices
from curserve_netem.backends.seam import Spaces
from curserve_netem.errors import BackendUnavailable
from curserve_netem.link import Direction, Link
from curserve_netem.namespaces import inside

_RELATIVE = 1e-3  # what rounding to the kernel's units may change (ticks of 64 ns, 32-bit fractions, bytes/s)
_LACKING = "this kernel has no sch_netem (CONFIG_NET_SCH_NETEM, module sch_netem), and backend queue needs none"


class Disciplined:
    """A veth pair with a netem discipline at each end."""

    def __init__(self, ways: dict[int, Direction], notes: list[str]) -> None:
        self._ways = ways
        self._notes = notes
        self._settings = [_apply(fd, way) for fd, way in ways.items()]

    def set_delays(self, up_ns: int, down_ns: int) -> None:
        """Replace the delay of both disciplines; the rest is set again as it was."""
        for (fd, way), delay in zip(self._ways.items(), (up_ns, down_ns), strict=True):
            _apply(fd, way, delay)

    def counters(self) -> dict[str, Any]:
        """Return the disciplines' own counters, and as `overruns` what the other end's kernel had no room for.

        A burst of more packets than `net.core.netdev_max_backlog` is lost behind the discipline, undeclared.
        """
        rows = {}
        for name, fd in zip(("up", "down"), self._ways, strict=True):
            with inside(fd), devices.netlink() as ip:
                index = ip.link_lookup(ifname=devices.HOST_DEVICE)[0]
                (discipline,) = [q for q in ip.get_qdiscs(index) if q.get_attr("TCA_KIND") == "netem"]
                stats = discipline.get_attr("TCA_STATS")
                rows[name] = {"packets": stats["packets"], "bytes": stats["bytes"], "dropped": stats["drop"]}
                device = ip.get_links(index)[0].get_attr("IFLA_STATS64")
                rows[name]["overruns"] = device["tx_dropped"]
        return rows

    def facts(self) -> dict[str, Any]:
        """Return the settings as the kernel reported them."""
        return {"path": "sch_netem", "settings": self._settings, "notes": self._notes}

    def close(self) -> None:
        """Leave it to the namespaces' end."""


def start(spaces: Spaces, link: Link, addresses: dict[str, str]) -> Disciplined:
    """Join the hosts; in the keeper."""
    _demand_sch_netem()
    notes = devices.join_directly(spaces, link.tcp, addresses)
    if link.seed:
        notes.append("seed: sch_netem takes none from this tc; its losses and jitter differ from run to run")
    for fd in (spaces.client, spaces.server):
        devices.take_single_segments(fd)
    ways = {} if link.is_transparent else {spaces.client: link.up, spaces.server: link.down}
    running = Disciplined(ways, notes)
    devices.wait_for_carrier((spaces.client, spaces.server))
    return running


def _demand_sch_netem() -> None:
    """Try a discipline on the loopback of the link's own namespace, before anything is made."""
    with devices.netlink() as ip:
        index = ip.link_lookup(ifname="lo")[0]
        try:
            ip.tc("add", "netem", index, "1:", delay=0)
            ip.tc("del", "netem", index, "1:")
        except Exception as error:
            said = error.args[-1] if error.args else error  # pyroute2's errors are a number and words
            refused = f"the kernel refused a discipline ({said}); use backend queue"
            why = _LACKING if getattr(error, "code", None) == errno.ENOENT else refused
            raise BackendUnavailable(f"netem: {why}") from None


def _apply(fd: int, way: Direction, delay_ns: int | None = None) -> dict[str, float]:
    """Set one direction in its host's namespace and read it back; returns what the kernel reports."""
    delay_ns = way.delay_ns if delay_ns is None else delay_ns
    with inside(fd):
        # pyroute2 knows neither distributions nor bursts, and sends a rate as the rate of an estimator.
        if way.bursts is not None or way.distribution != "uniform" or way.rate_bps:
            _by_tc(way, delay_ns)
        else:
            _by_netlink(way, delay_ns)
        reported = _read_back()
    asked = {
        "delay_ns": delay_ns,
        "jitter_ns": way.jitter_ns,
        "loss": 0.0 if way.bursts else way.loss,
        "reorder": way.reorder,
        "rate_bps": way.rate_bps,
        "limit": way.limit,
    }
    for name, value in asked.items():
        # Two microseconds: what the ways in (ticks) and out (text) round to.
        slack = max(_RELATIVE * value, 2_000 if name.endswith("_ns") else 0)
        if abs(reported[name] - value) > slack:
            raise BackendUnavailable(
                f"netem: asked for {name} {value:g}, the kernel reports {reported[name]:g}; use backend queue"
            )
    return reported


def _by_netlink(way: Direction, delay_ns: int) -> None:
    options: dict[str, Any] = {
        "delay": round(delay_ns / 1e3),
        "jitter": round(way.jitter_ns / 1e3),
        "loss": way.loss * 100,
        "limit": way.limit,
        "prob_reorder": way.reorder * 100,
    }
    with devices.netlink() as ip:
        index = ip.link_lookup(ifname=devices.HOST_DEVICE)[0]
        ip.tc("replace", "netem", index, "1:", **options)


def _by_tc(way: Direction, delay_ns: int) -> None:
    words = ["delay", f"{delay_ns / 1e3:.3f}us", f"{way.jitter_ns / 1e3:.3f}us"]
    if way.distribution != "uniform":
        words += ["distribution", way.distribution]
    if way.bursts is not None:
        bursts = way.bursts
        chances = (bursts.to_bad, bursts.to_good, bursts.loss_in_bad, bursts.loss_in_good)
        words += ["loss", "gemodel", *(f"{chance * 100:.6f}%" for chance in chances)]
    elif way.loss:
        words += ["loss", f"{way.loss * 100:.6f}%"]
    if way.reorder:
        words += ["reorder", f"{way.reorder * 100:.6f}%"]
    if way.rate_bps:
        words += ["rate", f"{way.rate_bps}bit"]
    _tc(
        "qdisc",
        "replace",
        "dev",
        devices.HOST_DEVICE,
        "root",
        "handle",
        "1:",
        "netem",
        "limit",
        str(way.limit),
        *words,
    )


def _tc(*words: str) -> str:
    program = shutil.which("tc") or shutil.which("tc", path="/usr/sbin:/sbin")
    if program is None:
        raise BackendUnavailable("netem: program tc not found; install iproute2, or use backend queue")
    done = subprocess.run([program, *words], capture_output=True, text=True)
    if done.returncode:
        raise BackendUnavailable(f"netem: tc {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def _read_back() -> dict[str, float]:
    """Read the discipline as the kernel reports it, in the units of a Direction."""
    rows = json.loads(_tc("-j", "qdisc", "show", "dev", devices.HOST_DEVICE))
    (options,) = [row["options"] for row in rows if row["kind"] == "netem"]
    delay = options.get("delay", {})
    loss = options.get("loss-random", {})
    reorder = options.get("reorder", {})
    rate = options.get("rate", {})
    reported: dict[str, float] = {
        "delay_ns": delay.get("delay", 0.0) * 1e9,
        "jitter_ns": delay.get("jitter", 0.0) * 1e9,
        "loss": loss.get("loss", 0.0),
        "reorder": reorder.get("reorder", 0.0),
        "rate_bps": rate.get("rate", 0) * 8,
        "limit": options["limit"],
    }
    if "loss-gemodel" in options:
        reported.update({f"bursts {name}": value for name, value in options["loss-gemodel"].items()})
    return reported
