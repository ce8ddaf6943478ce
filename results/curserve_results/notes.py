"""The lines under a table: what was really measured, on which link, and what was left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from curserve_results.diagnostics import diagnose
from curserve_results.schema import CONTROLS, REFERENCE
from curserve_results.statistics import MIN_BLOCKS, MIN_TRACES
from curserve_results.summary import engine_place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from curserve_results.manifest import LinkRecord
    from curserve_results.summary import Summary


def notes(summary: Summary) -> tuple[str, ...]:
    """Return the lines under a run's tables, most important first."""
    manifest = summary.manifest
    lines = [f"VOID: {manifest.void_reason}"] if manifest.void_reason else []
    lines += [_link(link, shown=link.name in summary.void) for link in manifest.links]
    if manifest.links_at_once > 1:
        lines.append(f"Side by side: {manifest.links_at_once} links ran at once here, each between its own hosts.")
    lines += dict.fromkeys(_backend(link) for link in manifest.links if link.calibration.get("reason"))
    lines.append(
        f"Speed-up: end-to-end, over {REFERENCE} in the same block. Tokens: tool round trip p50 / TPOT. "
        "Share: tool round trips of end-to-end. Right: of the observations executed and compared."
    )
    lines += _whole(summary)
    if set(CONTROLS) & set(summary.cells["engine"].unique()):
        lines.append("Controls answer from the recording: the floor of harness and link, not a way to run tools.")
    lines.append(_floor(manifest.floor))
    lines += _models(summary)
    lines.append(_intervals(summary))
    lines += diagnose(summary).lines()
    if failed := summary.counts()["failed"]:
        lines.append(f"Calls that failed: {failed} (counted as not right).")
    lines += left_out(summary)
    lines.append(
        f"Suite {manifest.suite}, seed {manifest.seed}, {summary.blocks} blocks, "
        f"{summary.samples:,} samples; raw samples in {summary.folder}/samples."
    )
    return tuple(lines)


def left_out(summary: Summary) -> list[str]:
    """Return what a reader could look for in the tables and would not find, each with its reason."""
    manifest = summary.manifest
    missing = (manifest.planned_blocks or summary.blocks) - summary.blocks
    lines = []
    if missing > 0:
        lines.append(f"Cut short: {missing} of {manifest.planned_blocks} blocks are missing (--resume).")
    if summary.unfinished:
        lines.append(f"Left out: {summary.unfinished} cells that did not finish.")
    lines += [*_apart(summary), *_not_compared(summary)]
    return lines + [f"Excluded: {what}" for what in manifest.exclusions]


def _whole(summary: Summary) -> list[str]:
    """Say what the column `whole` adds, or why it is empty."""
    import polars as pl

    counts = summary.counts()
    recorded, timed = counts["recorded"], counts["timed"]
    if not recorded:
        return []
    if not timed:
        return [
            "Whole task: unknown, the samples do not say what the calls answered from the recording took there."
        ]
    cells = summary.cells.filter(~pl.col("engine").is_in(list(CONTROLS)))
    added = float((cells["whole_ns"] - cells["end_to_end_ns"]).mean())  # type: ignore[arg-type]  # not empty
    of = "" if timed == recorded else f", known of {timed:,} of {recorded:,}"
    return [
        f"Whole task: the speed-up with {added / 1e9:.2f} s more a session in every engine, which the calls "
        f"answered from the recording took there{of}."
    ]


def _apart(summary: Summary) -> list[str]:
    """Say how many answers of each engine on an unknown workspace, which enter no column, are right there."""
    import polars as pl

    sums = summary.calls.group_by("engine").agg(pl.col("apart", "equal").sum()).filter(pl.col("apart") > 0)
    rows = sorted(sums.iter_rows(), key=lambda row: engine_place(row[0]))
    if not rows:
        return []
    counts = (
        f"{engine} {equal:,} of {apart:,}" + (f" ({apart - equal:,} not)" if equal < apart else "")
        for engine, apart, equal in rows
    )
    return [
        "Not in the column right: answers on a workspace that may not be the recorded one, after a call that was "
        "not executed and has no recorded delta. It is the same in every engine, and these equal what the real "
        f"programs answer on it: {', '.join(counts)}."
    ]


def _not_compared(summary: Summary) -> list[str]:
    """Say how many of the answers that engines gave were compared with nothing, and why."""
    total = summary.counts()
    answered = total["executed"] + total["refused"]
    missing = answered + total["failed"] - total["judged"] - total["apart"]
    if missing <= 0:
        return []
    return [
        f"Not compared: {missing:,} of {answered:,} answers, given after a call of which it is not known what it "
        "did to the workspace."
    ]


def _link(link: LinkRecord, *, shown: bool) -> str:
    """Describe one link as requested and as achieved; `shown`: it is in the tables, even if void."""
    text = f"Link {link.name}: {link.backend}, RTT requested {_ms(link.requested_rtt_ns)}"
    if link.achieved_before_ns is not None:
        text += f", achieved {_ms(link.achieved_before_ns)}"
        if link.achieved_after_ns is not None:
            text += f" before and {_ms(link.achieved_after_ns)} after"
    if link.tcp and not _degraded(link):
        text += f"; TCP {_tcp(link.tcp)}"
    if link.void_reason is not None:
        what = "VOID, its numbers must not be used" if shown else "VOID, in no table"
        return f"{what}: {text}: {link.void_reason}."
    return text + "."


def _backend(link: LinkRecord) -> str:
    """Say why this backend, and what it cannot do."""
    facts = link.calibration.get("facts") or {}
    reason = str(link.calibration["reason"])
    words = [reason, *map(str, facts.get("notes") or ())]
    return f"Backend {link.backend}: {'; '.join(words)}."


def _degraded(link: LinkRecord) -> bool:
    """Whether the link delays bytes instead of packets, so that TCP's own policy plays no part."""
    return link.backend == "relay"


def _tcp(tcp: Mapping[str, Any]) -> str:
    """Describe a TCP policy in a few words."""
    known = {"congestion": "", "idle_restart": "idle restart ", "mtu": "MTU "}
    words = []
    for key, value in tcp.items():
        text = ("on" if value else "off") if isinstance(value, bool) else str(value)
        words.append(known.get(key, key.replace("_", " ") + " ") + text)
    return ", ".join(words)


def _ms(ns: float) -> str:
    """Format nanoseconds as milliseconds."""
    return f"{ns / 1e6:.2f} ms"


def _floor(floor: Mapping[str, Any] | None) -> str:
    """Describe the harness floor."""
    if not floor:
        return "Harness floor: not measured in this run."
    parts = [
        f"{key.removesuffix('_ns').replace('_', ' ')} {value / 1e6:.2f} ms"
        for key, value in floor.items()
        if key.endswith("_ns") and isinstance(value, int | float)
    ]
    return "Harness floor a turn (recorded controls, 0 ms link, model time subtracted): " + ", ".join(parts) + "."


def _models(summary: Summary) -> list[str]:
    """Describe what the model profiles assume, or the pace at which a server decoded."""
    if summary.manifest.served:
        return [_served(summary, name) for name in dict.fromkeys(model for _, model, _ in summary.groups())]
    assumed: dict[tuple[str, ...], list[str]] = {}
    for name, model in summary.manifest.models.items():
        assumed.setdefault(model.assumed, []).append(f"{name} TPOT {model.tpot_ns / 1e6:g} ms")
    lines = [
        "Model " + ", ".join(names) + (f"; assumed: {', '.join(what)}" if what else "") + "."
        for what, names in assumed.items()
    ]
    if summary.manifest.pace != "real":
        lines.append(
            f"Pace {summary.manifest.pace}: model time was added, not waited for; idle effects are left out."
        )
    return lines


def _served(summary: Summary, name: str) -> str:
    """Say at which pace a served model decoded, and what its steps were stretched to."""
    tpot, asked = summary.tpot_ns(name), summary.manifest.models.get(name)
    measured = (
        "TPOT not measured: no turn of more than one token" if tpot is None else f"TPOT {_ms(tpot)} measured"
    )
    stretched = f"; a step lasts {_ms(asked.tpot_ns)} or longer" if asked is not None and asked.tpot_ns else ""
    return f"Model {name}: served; {measured}{stretched}."


def _intervals(summary: Summary) -> str:
    """Say what the intervals speak about, or why there are none."""
    import polars as pl

    per_group = summary.cells.group_by("link", "model", "api").agg(
        blocks=pl.col("block").n_unique(), traces=pl.col("trace").n_unique()
    )
    blocks, traces = min(per_group["blocks"].to_list()), min(per_group["traces"].to_list())
    if blocks < MIN_BLOCKS:
        return f"No intervals: {blocks} of the {MIN_BLOCKS} blocks that a table needs (--repetitions)."
    if traces < MIN_TRACES:
        return f"Intervals: 95 %, over {blocks} blocks of {traces} traces; they speak about these traces only."
    return f"Intervals: 95 %, over {traces} traces ({blocks} blocks); they speak about traces like these."
