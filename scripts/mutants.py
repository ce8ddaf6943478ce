#!/usr/bin/env python3
"""Try whether tests see a fault: a seeded sample of small faults, each put into the code, and the tests run on it.

    scripts/mutants.py statistics|gate|search|link [--sample 200] [--seed 1] [--folder COPY]

It works in COPY, a checkout of its own, since it changes sources in place. Faults in Python are cosmic-ray's,
in Rust those of cargo-mutants. Neither is in our lock: `pip install cosmic-ray` and `cargo install --locked
cargo-mutants` first. It prints each fault that no test saw, then one JSON object with the counts.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shlex
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SILLY = re.compile(r"_(BitAnd|BitOr|BitXor|LShift|RShift|Invert|Is|IsNot)$|BinaryOperator_BitOr_|RemoveDecorator")
"""Faults that hardly anybody makes, or that only change an annotation."""


@dataclass(frozen=True)
class Part:
    """What is changed, and what has to see it: files of tests for Python, packages for Rust."""

    sources: tuple[str, ...]
    tests: tuple[str, ...]


def _results(*names: str) -> tuple[str, ...]:
    return tuple(f"results/curserve_results/{name}.py" for name in names)


def _tests(*names: str) -> tuple[str, ...]:
    return tuple(f"tests/unit/results/test_{name}.py" for name in names)


PYTHON = {
    "statistics": Part(
        _results("statistics", "windows", "slo", "trips"),
        _tests("windows", "slo", "statistics", "compare", "tables"),
    ),
    "gate": Part(_results("gate", "compare", "baseline"), _tests("baseline", "gate", "compare")),
}
RUST = {
    "search": Part(("index/src/**",), ("curserve-index", "curserve-corpus")),
    "link": Part(("link/src/**",), ("curserve-link",)),
}


def in_python(part: Part, folder: Path, sample: int, seed: int) -> dict[str, list[str]]:
    """Run the tests of `part` on each of `sample` faults; the faults by what became of them."""
    session, settings = folder / ".mutants.sqlite", folder / ".mutants.toml"
    pytest = f"{sys.executable} -m pytest -x -q -p no:cacheprovider {' '.join(part.tests)}"
    first, then = f"{pytest} -k 'not cover'", f"{pytest} -k cover"  # what covers a truth plays many runs
    tests = json.dumps(shlex.join(["bash", "-c", f"{first} && {then}"]))
    settings.write_text(
        f"[cosmic-ray]\nmodule-path = {json.dumps(part.sources)}\ntimeout = 300.0\nexcluded-modules = []\n"
        f'test-command = {tests}\n[cosmic-ray.distributor]\nname = "local"\n'
    )
    rooms = ("results", "harness", "engines", "traces", "netem")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(str(folder / room) for room in rooms)}
    session.unlink(missing_ok=True)
    subprocess.run(["cosmic-ray", "init", settings, session], cwd=folder, check=True)
    with sqlite3.connect(session) as store:
        rows = store.execute(
            "SELECT job_id, operator_name FROM mutation_specs"
            " ORDER BY module_path, start_pos_row, start_pos_col, operator_name, occurrence"
        ).fetchall()
        sensible = [job for job, operator in rows if not SILLY.search(operator)]
        chosen = set(random.Random(seed).sample(sensible, min(sample, len(sensible))))
        left = [(job,) for job, _ in rows if job not in chosen]
        store.executemany("DELETE FROM mutation_specs WHERE job_id = ?", left)
        store.executemany("DELETE FROM work_items WHERE job_id = ?", left)
    subprocess.run(["cosmic-ray", "exec", settings, session], cwd=folder, env=environment, check=True)
    found: dict[str, list[str]] = {}
    with sqlite3.connect(session) as store:
        for outcome, diff in store.execute("SELECT test_outcome, diff FROM work_results"):
            found.setdefault(str(outcome).lower(), []).append(str(diff))
    return found


def in_rust(part: Part, folder: Path, sample: int, seed: int) -> dict[str, list[str]]:
    """As `in_python`."""
    core = folder / "core"
    files = [word for source in part.sources for word in ("--file", source)]
    listed = subprocess.run(
        ["cargo", "mutants", "--list", "--json", *files], cwd=core, check=True, stdout=subprocess.PIPE
    )
    names = sorted(mutant["name"] for mutant in json.loads(listed.stdout))
    chosen = random.Random(seed).sample(names, min(sample, len(names)))
    picked = [word for name in chosen for word in ("--re", f"^{re.escape(name)}$")]
    packages = [word for package in part.tests for word in ("--test-package", package)]
    command = ["cargo", "mutants", "--in-place", "--no-shuffle", "--profile", "release", "--timeout", "60",
               *files, *packages, *picked, "--output", folder, "--", "--lib", "--tests"]  # fmt: skip
    subprocess.run(command, cwd=core, check=False)  # its status says whether any was missed
    outcomes = json.loads((folder / "mutants.out/outcomes.json").read_text())["outcomes"]
    found: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome["scenario"] != "Baseline":
            found.setdefault(outcome["summary"], []).append(outcome["scenario"]["Mutant"]["name"])
    return found


def main() -> None:
    """Sample, run, and say what was seen."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("part", choices=[*PYTHON, *RUST])
    given.add_argument("--sample", type=int, default=200)
    given.add_argument("--seed", type=int, default=1)
    given.add_argument("--folder", type=Path, required=True)
    chosen = given.parse_args()
    room, run = (PYTHON, in_python) if chosen.part in PYTHON else (RUST, in_rust)
    found = run(room[chosen.part], chosen.folder.resolve(), chosen.sample, chosen.seed)
    for missed in (*found.get("survived", ()), *found.get("MissedMutant", ())):
        print(missed)
    print(
        json.dumps({"part": chosen.part, "seed": chosen.seed, **{kind: len(them) for kind, them in found.items()}})
    )


if __name__ == "__main__":
    main()
