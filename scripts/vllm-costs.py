"""Measure what a tool call costs the real vLLM server; write samples, tables and figure.

python scripts/vllm-costs.py [--out results/proofs] [--contexts 1000,4000,16000] [--repetitions 3] [--parts …]

Parts: `idle` (nothing else to serve), `loaded` (others prefill in the tool gap; the KV cache holds about two of
the longest contexts, so they take the blocks of whoever does not hold them), `busy` (others prefill all the time,
and the way to the tools grows). Parts that are not measured keep the samples of the receipt that is there.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import tempfile
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, fields
from pathlib import Path

from curserve_harness.console.interrupt import terminable
from curserve_harness.vllm.process import VllmOptions, VllmServer
from vllm_costs.costs import Cost, busy_server, load_in_gap, overheads
from vllm_costs.serving_model import Colocated, fit

PARTS = ("idle", "loaded", "busy")


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("results/proofs"))
    parser.add_argument("--contexts", default="1000,4000,16000")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--calls", type=int, default=8, help="tool calls of a trace with nothing else to serve")
    parser.add_argument("--parts", default=",".join(PARTS), help="none: only tables and figure of what is there")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "vllm-costs.json"
    receipt = json.loads(path.read_text()) if path.is_file() else {}
    parts = {name: [Cost(*c) for c in receipt.get("samples", {}).get(name, ())] for name in PARTS}
    about = receipt.get("about", {})
    with terminable():
        for name in filter(None, options.parts.replace("none", "").split(",")):
            load_before = os.getloadavg()[0]
            parts[name] = measure(name, options)
            about[name] = {
                "load_average_before": round(load_before, 1),
                "commit": _commit(),
                "machine": f"{platform.machine()}, {os.cpu_count()} CPUs, Linux {platform.release()}",
                "device": "cpu",
            }
    written = {
        "proof": "vllm-costs",
        "about": about,
        "columns": [field.name for field in fields(Cost)],
        "samples": {name: [list(astuple(c)) for c in costs] for name, costs in parts.items()},
    }
    text = json.dumps(written, indent=1)
    path.write_text(re.sub(r"\n {4,}|\n {3}(?=\])", " ", text) + "\n")  # a sample a line
    figure(parts["loaded"], parts["busy"], options.out / "vllm-costs.svg")
    print(tables(parts))


def measure(part: str, options: argparse.Namespace) -> list[Cost]:
    """Measure one part on a server of its own."""
    contexts = [int(value) for value in options.contexts.split(",")]
    repetitions = options.repetitions
    blocks = 80 if part == "busy" else -(-(2 * max(contexts) + 4096) // 128) + 32
    with tempfile.TemporaryDirectory(prefix="curserve-costs-") as scratch:
        folder, root = Path(scratch), Path(scratch, "workspace")
        root.mkdir()
        server_options = VllmOptions(context=2 * max(contexts) + 4096, kv_blocks=blocks, max_seqs=16)
        if part == "busy":
            server_options = VllmOptions(context=8192, kv_blocks=blocks, max_seqs=16)
        with VllmServer(folder / "server", server_options) as server:
            if part == "busy":
                return list(busy_server(server, root, folder, repetitions=repetitions))
            if part == "idle":
                calls = options.calls
                return list(
                    overheads(server, root, folder, contexts=contexts, repetitions=repetitions, calls=calls)
                )
            loads = (0, 4000 * (blocks * 128 // 4000 + 2))
            return list(load_in_gap(server, root, folder, contexts=contexts, loads=loads, repetitions=repetitions))


def tables(parts: dict[str, list[Cost]]) -> str:
    """Return the tables as Markdown; medians."""
    found = [
        _table(
            parts["idle"],
            ("mode", "context"),
            {
                "turns": lambda rows: str(len(rows)),
                "overhead p50, ms": lambda rows: _ms(c.overhead_ns for c in rows),
                "p90": lambda rows: _ms((c.overhead_ns for c in rows), 0.9),
                "next TTFT p50, ms": lambda rows: _ms(c.ttft_ns for c in rows),
                "prefilled, tokens": lambda rows: _middle(c.prefilled for c in rows),
            },
        ),
        _table(
            parts["loaded"],
            ("mode", "context", "load"),
            {
                "turns": lambda rows: str(len(rows)),
                "next TTFT p50, ms": lambda rows: _ms(c.ttft_ns for c in rows),
                "of it until prefill": lambda rows: _ms(c.queued_ns for c in rows),
                "prefilled, tokens": lambda rows: _middle(c.prefilled for c in rows),
                "KV blocks held": lambda rows: _middle(c.held for c in rows),
                "lost": lambda rows: _middle(c.lost for c in rows),
            },
        ),
        _table(
            parts["busy"],
            ("mode",),
            {
                "turns": lambda rows: str(len(rows)),
                "next TTFT p50, ms": lambda rows: _ms(c.ttft_ns for c in rows),
                "prefilled, mean tokens": lambda rows: f"{statistics.mean(c.prefilled for c in rows):.0f}",
                "KV blocks held": lambda rows: _middle(c.held for c in rows),
                "lost, mean": lambda rows: f"{statistics.mean(c.lost for c in rows):.1f}",
            },
        ),
        _model_table([*parts["idle"], *parts["loaded"]]),
    ]
    heads = (
        "Nothing else to serve:",
        "Others prefill in the tool gap; the KV cache holds two of the longest contexts:",
        "Others prefill 2,000 tokens at a time without end, on a cache of 10,000, at a context of 4,000:",
        "The serving model (below):",
    )
    return "\n".join(f"{head}\n\n{table}" for head, table in zip(heads, found, strict=True) if table)


def _table(costs: Sequence[Cost], keys: tuple[str, ...], columns: dict[str, Callable[[list[Cost]], str]]) -> str:
    """Return one table: a row for each value of `keys`, ordered by context, load and mode."""
    heads = {"load": "others in the gap, tokens"}
    lines = ["| " + " | ".join([*(heads.get(key, key) for key in keys), *columns]) + " |"]
    lines.append("|" + "---|" + "--:|" * (len(keys) - 1 + len(columns)))
    groups: dict[tuple[object, ...], list[Cost]] = {}
    for cost in sorted(costs, key=lambda c: (c.context, c.load, _order(c.mode))):
        groups.setdefault(tuple(getattr(cost, key) for key in keys), []).append(cost)
    for values, rows in groups.items():
        lines.append("| " + " | ".join([*map(str, values), *(show(rows) for show in columns.values())]) + " |")
    return "\n".join(lines) + "\n" if costs else ""


def _order(mode: str) -> tuple[int, int]:
    names = ("session", "request", "responses", "client")
    name, _, gap = mode.partition("-")
    return names.index(name), int(gap.removesuffix("ms") or 0)


def _model_table(costs: Sequence[Cost]) -> str:
    """Return measured times to first token beside those of the serving model, fitted to `request` alone."""
    known = [c for c in costs if c.ttft_ns is not None and not c.mode.startswith("client")]
    requests = [c for c in known if c.mode == "request"]
    if not requests:
        return ""
    model = fit([(c.prefilled, c.reused, (c.ttft_ns or 0) / 1e6) for c in requests])
    table = _table(
        known,
        ("mode", "context", "load"),
        {
            "prefilled, tokens": lambda rows: _middle(c.prefilled for c in rows),
            "in the cache": lambda rows: _middle(c.reused for c in rows),
            "measured TTFT p50, ms": lambda rows: _ms(c.ttft_ns for c in rows),
            "by the model": lambda rows: f"{_by_model(rows, model):.1f}",
        },
    )
    groups = {(c.mode, c.context, c.load) for c in known if c.mode == "session"}
    rows = [[c for c in known if (c.mode, c.context, c.load) == group] for group in groups]
    off = [abs(_by_model(g, model) / statistics.median((c.ttft_ns or 0) / 1e6 for c in g) - 1) for g in rows]
    said = (
        f"The model, fitted to the {len(requests)} turns of `request`: {model.base_ms:.1f} ms + tokens / "
        f"{model.tokens_per_s / 1e3:.0f}k per s + pairs / {model.pairs_per_s / 1e6:.0f}M per s. Of the medians of "
        f"`session`, which it has not seen, it is {100 * statistics.median(off):.0f} % off "
        f"({100 * max(off):.0f} % at most)."
        if off
        else ""
    )
    return f"{table}\n{textwrap.fill(said, 115)}\n"


def _by_model(rows: Sequence[Cost], model: Colocated) -> float:
    return statistics.median(model.append_prefill(c.prefilled, c.reused) for c in rows)


def figure(loaded: Sequence[Cost], busy: Sequence[Cost], path: Path) -> None:
    """Draw next-turn TTFT against context with and without load in the gap, and the loss against the gap."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "curserve"
    from matplotlib import pyplot as plt

    shown, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    colours = {"session": "tab:blue", "request": "tab:orange", "client": "tab:green"}
    for mode, colour in colours.items():
        for tokens in sorted({c.load for c in loaded}):
            points = {}
            for context in sorted({c.context for c in loaded}):
                rows = [c for c in loaded if (c.mode, c.context, c.load) == (mode, context, tokens)]
                if found := [c.ttft_ns / 1e6 for c in rows if c.ttft_ns is not None]:
                    points[context] = statistics.median(found)
            label = f"{mode}, {'others in the gap' if tokens else 'alone'}"
            style = "-o" if tokens else "--o"
            left.plot(list(points), list(points.values()), style, color=colour, ms=3, label=label)
    left.set(xscale="log", yscale="log", xlabel="context, tokens", ylabel="next-turn TTFT, ms")
    left.set_xticks(sorted({c.context for c in loaded}), [f"{c:,}" for c in sorted({c.context for c in loaded})])
    left.minorticks_off()
    left.legend(fontsize=7, handlelength=3)
    gaps = sorted({_order(c.mode)[1] for c in busy if c.mode.startswith("client")})
    means = [statistics.mean(c.prefilled for c in busy if c.mode == f"client-{gap}ms") for gap in gaps]
    right.plot(gaps, means, "-o", color=colours["client"], ms=3, label="client, tools this far away")
    for mode in ("session", "request"):
        if rows := [c.prefilled for c in busy if c.mode == mode]:
            right.axhline(statistics.mean(rows), color=colours[mode], ls="--", lw=1, label=f"{mode}, tools here")
    right.set(xlabel="added round trip, ms", ylabel="prefilled in the next turn, mean tokens", ylim=(0, None))
    right.legend(fontsize=7)
    shown.savefig(path, metadata={"Date": None})
    if os.environ.get("CURSERVE_PNG"):
        shown.savefig(path.with_suffix(".png"), dpi=110)


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _middle(values: Iterable[float]) -> str:
    return f"{statistics.median(values):.0f}"


def _ms(values: Iterable[int | None], share: float = 0.5) -> str:
    """Return a percentile in ms by the nearest rank (the median as usual), `–` where nothing is known."""
    known = sorted(value / 1e6 for value in values if value is not None)
    if not known:
        return "–"
    middle = statistics.median(known) if share == 0.5 else known[min(len(known) - 1, int(share * len(known)))]
    return f"{middle:.1f}"


if __name__ == "__main__":
    main()
