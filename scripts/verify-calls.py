"""Verifies recorded calls, each on a tree of its own repository, and writes one receipt over all of them.

    .venv/bin/python scripts/verify-calls.py CALLS.jsonl --trees DIR --receipt results/proofs/calls.json

CALLS.jsonl holds lines `{"command": …, "cwd": …, "repo": "django/django", "task": "django__django-11019"}`; it
is no part of the project. The trees (`trees.toml`: source releases, by name, version and digest) are fetched into
DIR with the user's own pip configuration, once. A folder `DIR/OWNER__NAME` stands in for a repository that the
table does not know.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from curserve_harness.oracle.compared import VERDICTS
from curserve_traces.errors import WorkspaceError
from curserve_traces.model import Workspace
from curserve_traces.workspace import materialise

TABLE = Path(__file__).with_name("trees.toml")


def main() -> int:
    """Run it; 0 where every answered call is right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("calls", type=Path)
    parser.add_argument("--trees", type=Path, required=True, help="folder that keeps the trees")
    parser.add_argument("--receipt", type=Path, help="write the figures to this JSON file")
    parser.add_argument("--details", type=Path, help="write a JSON line for every call to this file")
    parser.add_argument("--engine", default="daemon")
    parser.add_argument("--repeat", type=int, default=3, help="runs of a call; the fastest counts")
    parser.add_argument("--repo", help="only this repository")
    options = parser.parse_args()
    groups, homeless = by_tree(options.calls, options.trees, options.repo)
    rows: list[dict[str, Any]] = []
    trees = []
    for tree, lines in sorted(groups.items()):
        found, total = verify(tree, lines, options.engine, options.repeat)
        rows += found
        trees.append(
            {"tree": tree.name, **{key: total[key] for key in ("calls", "left_out", "answered", "right")}}
        )
        print(
            f"{tree.name}: {total['calls']} calls, {total['refused']} refused, right {total['right']}", flush=True
        )
    receipt = {
        "engine": options.engine,
        "repeat": options.repeat,
        "no_tree": dict(homeless),
        **figures(rows),
        "trees": trees,
    }
    if options.details:
        options.details.write_text("".join(json.dumps(row) + "\n" for row in rows))
    if options.receipt:
        options.receipt.write_text(json.dumps(receipt, indent=1) + "\n")
    print(json.dumps({key: value for key, value in receipt.items() if key != "trees"}, indent=1))
    return int(receipt["right_share"] < 1 or receipt["failed"] > 0)


def by_tree(calls: Path, trees: Path, repo: str | None) -> tuple[dict[Path, list[str]], Counter[str]]:
    """Assign every line to the tree it runs on; count the lines that have none, by repository."""
    table: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for entry in tomllib.loads(TABLE.read_text())["tree"]:
        table[entry["repo"]].append(entry)
    groups: dict[Path, list[str]] = defaultdict(list)
    homeless: Counter[str] = Counter()
    places: dict[str, Path] = {}
    for line in calls.read_text().splitlines():
        call = json.loads(line)
        if repo not in (None, call["repo"]):
            continue
        number = re.search(r"(\d+)$", call.get("task") or "")
        task = int(number[1]) if number else 0
        known = [entry for entry in table[call["repo"]] if entry["from"] <= task]
        stand_in = trees / call["repo"].replace("/", "__")
        if known:
            entry = known[-1]
            if entry["sha256"] not in places:
                workspace = Workspace("sdist", entry["name"], entry["version"], entry["sha256"])
                places[entry["sha256"]] = materialise(workspace, trees)
            groups[places[entry["sha256"]]].append(line)
        elif stand_in.is_dir():
            groups[stand_in].append(line)
        else:
            homeless[call["repo"]] += 1
    return groups, homeless


def verify(tree: Path, lines: list[str], engine: str, repeat: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Run `curserve-bench verify` over `lines` on `tree`; return its rows, with their lines, and its summary."""
    with tempfile.TemporaryDirectory(prefix="verify-calls.") as scratch:
        calls, details = Path(scratch, "calls.jsonl"), Path(scratch, "details.jsonl")
        calls.write_text("".join(line + "\n" for line in lines))
        command = [
            Path(sys.executable).with_name("curserve-bench"),
            "verify",
            "--engine",
            engine,
            "--workspace",
            tree,
        ]
        command += ["--calls", calls, "--details", details, "--repeat", str(repeat), "--direct", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 1):
            sys.exit(f"{tree}: curserve-bench verify ended with {done.returncode}: {done.stderr.strip()}")
        rows = [json.loads(line) for line in details.read_text().splitlines()]
    return [{"tree": tree.name, **row} for row in rows], json.loads(done.stdout)


def figures(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return shares, refusals and speed-ups over all trees (`curserve_harness.oracle.totals` defines them).

    `speedup` and `speedup_direct` are of runs in turn with the real program's, `speedup_warm` of runs in a row.
    """
    verdicts = Counter(row["verdict"] for row in rows)
    answered = [row for row in rows if row["verdict"] in ("identical", "reordered", "different")]
    told = [row for row in answered if row["output_bytes"]]
    reasons = Counter(row["reason"] for row in rows if row["verdict"] == "refused")
    return {
        "calls": len(rows),
        **{name: verdicts[name] for name in VERDICTS},
        "answered_share": len(answered) / len(rows),
        "right_share": sum(row["right"] for row in answered) / len(answered),
        "with_output": len(told),
        "speedup": spread(row["real_ns"] / row["engine_ns"] for row in told),
        "speedup_warm": spread(row["warm_ns"][1] / row["warm_ns"][0] for row in told if row["warm_ns"]),
        "speedup_direct": spread(row["direct_ns"] / row["engine_ns"] for row in told if row["direct_ns"]),
        "refusals": dict(reasons.most_common()),
    }


def spread(ratios: Iterable[float]) -> dict[str, float | int] | None:
    """Return the geometric mean of `ratios`, their worst percentile and least, and how many they are."""
    found = sorted(ratios)
    if not found:
        return None
    mean = math.exp(math.fsum(map(math.log, found)) / len(found))
    return {"n": len(found), "geometric_mean": mean, "p1": found[int(0.01 * len(found))], "least": found[0]}


if __name__ == "__main__":
    try:
        sys.exit(main())
    except WorkspaceError as error:
        sys.exit(str(error))
