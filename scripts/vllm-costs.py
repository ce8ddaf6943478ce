"""Measure what a tool call costs the real vLLM server; write samples, table and figure.

python scripts/vllm-costs.py [--out results/proofs] [--contexts 1000,4000,16000] [--repetitions 3]

One server with a tiny model; its KV cache holds about two of the longest contexts, so that other work in the tool
gap takes the blocks of whoever does not hold them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from curserve_harness.interrupt import terminable
from curserve_harness.llm.vllm import VllmOptions, VllmServer
from curserve_harness.llm.vllm_costs import Cost, load_in_gap, overheads


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("results/proofs"))
    parser.add_argument("--contexts", default="1000,4000,16000")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--calls", type=int, default=8, help="tool calls of a trace with nothing else to serve")
    options = parser.parse_args()
    contexts = [int(value) for value in options.contexts.split(",")]
    options.out.mkdir(parents=True, exist_ok=True)
    with terminable(), tempfile.TemporaryDirectory(prefix="curserve-costs-") as scratch:
        root = Path(scratch, "workspace")
        root.mkdir()
        longest = 2 * max(contexts) + 4096
        blocks = -(-longest // 128) + 32
        server_options = VllmOptions(context=longest, kv_blocks=blocks, max_seqs=16)
        with VllmServer(Path(scratch, "server"), server_options) as server:
            folder = Path(scratch)
            idle = list(
                overheads(
                    server,
                    root,
                    folder,
                    contexts=contexts[:2],
                    repetitions=options.repetitions,
                    calls=options.calls,
                )
            )
            tokens = 4000 * (blocks * 128 // 4000 + 2)
            modes = ("session", "request", "client")
            loaded = list(
                load_in_gap(
                    server,
                    root,
                    folder,
                    modes=modes,
                    contexts=contexts,
                    loads=(0, tokens),
                    repetitions=options.repetitions,
                )
            )
            started = server.started_in_s
    samples = idle + loaded
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    receipt = {
        "proof": "vllm-costs",
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs, Linux {platform.release()}",
        "load_average": round(os.getloadavg()[0], 1),
        "commit": commit,
        "device": "cpu",
        "blocks": blocks,
        "started_in_s": round(started, 1),
        "table": table(idle, loaded),
        "samples": [asdict(sample) for sample in samples],
    }
    (options.out / "vllm-costs.json").write_text(json.dumps(receipt, indent=1) + "\n")
    (options.out / "vllm-costs.md").write_text(table(idle, loaded))
    figure(loaded, options.out / "vllm-costs.svg")
    print(table(idle, loaded))


def table(idle: Sequence[Cost], loaded: Sequence[Cost]) -> str:
    """Return both tables as Markdown; medians."""
    lines = [
        "| mode | context | turns | overhead p50, ms | TTFT p50, ms | prefilled again, tokens p50 |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for mode, context in sorted({(c.mode, c.context) for c in idle}, key=lambda key: (key[1], key[0])):
        rows = [c for c in idle if (c.mode, c.context) == (mode, context)]
        lines.append(
            f"| {mode} | {context} | {len(rows)} | {_ms(c.overhead_ns for c in rows)} "
            f"| {_ms(c.ttft_ns for c in rows)} | {statistics.median(c.prefilled for c in rows):.0f} |"
        )
    lines += [
        "",
        "| mode | context | others in the gap, tokens | next TTFT p50, ms | prefilled, tokens | KV blocks held |",
    ]
    lines += ["|---|--:|--:|--:|--:|--:|"]
    for mode, context, tokens in sorted(
        {(c.mode, c.context, c.load) for c in loaded}, key=lambda k: (k[1], k[2], k[0])
    ):
        rows = [c for c in loaded if (c.mode, c.context, c.load) == (mode, context, tokens)]
        lines.append(
            f"| {mode} | {context} | {tokens} | {_ms(c.ttft_ns for c in rows)} "
            f"| {statistics.median(c.prefilled for c in rows):.0f} "
            f"| {statistics.median(c.held for c in rows):.0f} |"
        )
    return "\n".join(lines) + "\n"


def figure(loaded: Sequence[Cost], path: Path) -> None:
    """Draw next-turn TTFT against context, with and without load in the gap."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "curserve"
    from matplotlib import pyplot as plt

    shown, axes = plt.subplots(figsize=(5.2, 3.4), layout="constrained")
    colours = {"session": "tab:blue", "request": "tab:orange", "client": "tab:green"}
    for mode, colour in colours.items():
        for tokens in sorted({c.load for c in loaded}):
            points = {}
            for context in sorted({c.context for c in loaded}):
                found = [c.ttft_ns / 1e6 for c in loaded if (c.mode, c.context, c.load) == (mode, context, tokens)]
                if found:
                    points[context] = statistics.median(found)
            label = f"{mode}, {'others in the gap' if tokens else 'alone'}"
            axes.plot(
                list(points), list(points.values()), "-o" if tokens else "--o", color=colour, ms=3, label=label
            )
    axes.set(xscale="log", yscale="log", xlabel="context, tokens", ylabel="next-turn TTFT, ms")
    axes.legend(fontsize=7)
    shown.savefig(path, metadata={"Date": None})


def _ms(values: object) -> str:
    return f"{statistics.median(values) / 1e6:.1f}"  # type: ignore[call-overload]


if __name__ == "__main__":
    main()
