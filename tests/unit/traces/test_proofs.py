"""Heavy proofs of this room, run by `make prove`: a million synthetic traces, Harbor, import speed."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from receipts import write_receipt

from curserve_traces import codec, suites
from curserve_traces.export import export
from curserve_traces.importers.run import import_path
from curserve_traces.model import Trace

REPOSITORY = Path(__file__).resolve().parents[3]
pytestmark = [pytest.mark.prove, pytest.mark.timeout(3600)]


SYNTHETIC = """
import json, resource, sys, time
from pathlib import Path
from curserve_traces.statistics import scan, summary, tables
from curserve_traces.synthetic import write
out = Path(sys.argv[1])
start = time.monotonic()
calls = write(out, 1_000_000, 1)
written = time.monotonic()
counts = summary(scan(out))
tables(scan(out))
print(json.dumps({"calls": calls, **counts, "write_s": round(written - start, 1),
    "summarise_s": round(time.monotonic() - written, 1),
    "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))
"""


def test_a_million_synthetic_traces_stream(tmp_path: Path) -> None:
    """About sixty million calls are made, written and summarised in a process of at most 2 GB."""
    done = subprocess.run(
        [sys.executable, "-c", SYNTHETIC, tmp_path], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    figures = json.loads(done.stdout)
    write_receipt("traces-synthetic", figures)
    assert figures["traces"] == 1_000_000
    assert figures["calls"] > 50_000_000
    assert figures["peak_memory_mb"] <= 2000


HARBOR = """
import sys
from harbor.models.trajectories import Trajectory
for name in sys.argv[1:]:
    Trajectory.model_validate_json(open(name, "rb").read())
print(len(sys.argv) - 1)
"""


def environment(folder: Path, *packages: list[str]) -> Path:
    """Return the Python of a new environment with what each `pip install` names; needs Python 3.12 or newer."""
    names = [found for v in ("3.14", "3.13", "3.12") if (found := shutil.which(f"python{v}"))]
    names += map(str, (Path.home() / ".pyenv/versions").glob("3.1[2-9]*/bin/python"))
    python = next(
        (n for n in names if not subprocess.run([n, "-c", ""], capture_output=True, check=False).returncode), None
    )
    if python is None:
        pytest.skip("needs Python 3.12 or newer; install one to run this proof")
    subprocess.run([python, "-m", "venv", folder], check=True)
    for given in packages:
        subprocess.run([folder / "bin/pip", "install", "-q", *given], check=True)
    return folder / "bin/python"


def test_harbors_own_models_accept_every_file(tmp_path: Path, trajectories: Path) -> None:
    """Harbor (PyPI, Python 3.12 or newer) validates the bundled suites and everything that is imported."""
    python = environment(tmp_path / "env", ["--no-deps", "harbor==0.25.0"], ["pydantic>=2"])
    out = tmp_path / "out"
    out.mkdir()
    written = [path for outcome in import_path(trajectories, out) for path, _ in outcome.imported]
    for trace in every_bundled_trace():
        codec.save(trace, out / f"bundled-{trace.id}.json")
        written.append(out / f"bundled-{trace.id}.json")
    done = subprocess.run(
        [python, "-c", HARBOR, *written],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-1000:]
    write_receipt("traces-harbor", {"files": int(done.stdout), "harbor": "0.25.0"})


def every_bundled_trace() -> list[Trace]:
    return [trace for name in suites.names() for trace in suites.load_suite(name)]


AIPERF = """
import sys
from aiperf.dataset.loader.models import MultiTurn
sessions = [MultiTurn.model_validate_json(line) for line in open(sys.argv[1], "rb")]
assert len({session.session_id for session in sessions}) == len(sessions)
print(len(sessions), sum(len(session.turns) for session in sessions))
"""


def test_aiperfs_own_models_accept_every_session(tmp_path: Path, trajectories: Path) -> None:
    """AIPerf (PyPI) takes the bundled suites and everything that is imported as multi-turn input."""
    python = environment(tmp_path / "env", ["aiperf==0.13.0"])
    (tmp_path / "in").mkdir()
    written = [one.trace for outcome in import_path(trajectories, tmp_path / "in") for _, one in outcome.imported]
    done = export([*every_bundled_trace(), *written], "aiperf", tmp_path / "sessions.jsonl")
    said = subprocess.run(
        [python, "-c", AIPERF, tmp_path / "sessions.jsonl"], capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr[-1000:]
    sessions, turns = map(int, said.stdout.split())
    assert sessions == done.traces
    write_receipt("traces-aiperf", {"sessions": sessions, "turns": turns, "aiperf": "0.13.0"})


def test_import_speed(tmp_path: Path, trajectories: Path) -> None:
    """The rate over all real recordings, files written included."""
    start = time.monotonic()
    outcomes = list(import_path(trajectories, tmp_path))
    took = time.monotonic() - start
    size = sum(outcome.size for outcome in outcomes)
    cpu_s = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    write_receipt(
        "traces-import",
        {
            "megabytes": round(size / 1e6, 1),
            "seconds": round(took, 2),
            "megabytes_a_second": round(size / 1e6 / took, 1),
            "process_cpu_s": round(cpu_s, 2),
        },
    )
    assert sum(len(outcome.imported) for outcome in outcomes) > 100
