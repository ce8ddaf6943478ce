"""One run of one agent on one link: model on the server host, agent on the client host. Main name: `play`."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curserve_engines import programs
from curserve_harness.bench.agents.known import Agent, environment
from curserve_harness.bench.agents.task import PROMPT, Step, script
from curserve_harness.console.exits import ExecutionFailed
from curserve_netem import Pair

_TIMEOUT_S = 180
_ENDING_S = 10


@dataclass(frozen=True, slots=True)
class Said:
    """A request of the agent: when it had come, when its answer was written, and its body."""

    read_ns: int
    done_ns: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Played:
    """What came of one run. `exchanges` are those of the task, in order."""

    wall_ns: int
    startup_ns: int
    """From the start of the agent to its first prompt."""
    exchanges: tuple[Said, ...]
    answered: int
    """Calls that the daemon answered meanwhile."""
    refused: int

    def gaps_ns(self, rtt_ns: int) -> list[int]:
        """Return the times from the end of the model's answer to the next prompt, less the round trip."""
        pairs = zip(self.exchanges, self.exchanges[1:], strict=False)
        return [after.read_ns - before.done_ns - rtt_ns for before, after in pairs]


def play(
    pair: Pair, agent: Agent, steps: Sequence[Step], workspace: Path, folder: Path, runtime: Path, *, helped: bool
) -> Played:
    """Run `agent` through `steps` in `workspace`, with the daemon's help or without; `folder` is this run's own.

    Raises ExecutionFailed where it does not get through.
    """
    home = folder.parent / "home"  # one path for all runs, since agents tell it their model
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    folder.mkdir()
    log = folder / "exchanges.jsonl"
    source = folder / "script.json"
    source.write_text(json.dumps(script([agent.call(step.line) for step in steps], agent.opening)))
    with _model(pair, source, log) as port:
        address, reached = pair.reach(int(port))
        start = agent.start(PROMPT, f"http://{address}:{reached}", home, helped and agent.has_adapter)
        ours = {**environment(home, start), "XDG_RUNTIME_DIR": str(runtime)}
        words = list(start.words)
        if helped and not agent.has_adapter:
            words = [str(programs.need("curserve", "bench agents")), "run", "--root", str(workspace), "--", *words]
        before = _stats(workspace, ours)
        began_ns = time.monotonic_ns()
        said = _run(pair, words, workspace, ours, folder)
        wall_ns = time.monotonic_ns() - began_ns
        after = _stats(workspace, ours)
    exchanges = _exchanges(log)
    if len(exchanges) < len(steps) + 1:
        raise ExecutionFailed(
            f"bench agents: {agent.name} asked {len(exchanges)} times where {len(steps) + 1} were expected: {said}"
        )
    answered, refused = (after.get(key, 0) - before.get(key, 0) for key in ("answered", "refused"))
    return Played(wall_ns, exchanges[0].read_ns - began_ns, tuple(exchanges), answered, refused)


@contextlib.contextmanager
def _model(pair: Pair, source: Path, log: Path) -> Iterator[str]:
    """Give the port of the model, on the server host."""
    log.touch()
    command = [
        sys.executable,
        "-m",
        "curserve_harness.bench.agents.model",
        str(source),
        pair.server.address,
        str(log),
    ]
    process = pair.server.popen(command, env=dict(os.environ), stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        if not port.isdigit():
            raise ExecutionFailed(f"bench agents: the model's server did not begin ({port!r})")
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_ENDING_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _run(pair: Pair, words: list[str], workspace: Path, env: dict[str, str], folder: Path) -> str:
    """Run the agent to its end; return the last of what it said."""
    out = folder / "output.txt"
    with out.open("wb") as stream:
        process = pair.client.popen(
            words, cwd=workspace, env=env, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT
        )
        try:
            process.wait(_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return out.read_text(errors="replace")[-400:]


def _stats(workspace: Path, env: dict[str, str]) -> dict[str, Any]:
    """Return what the daemon of `workspace` has counted; nothing where none runs."""
    command = [str(programs.need("curserve", "bench agents")), "stats", "--root", str(workspace), "--json"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    found: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
    return found


def _exchanges(log: Path) -> list[Said]:
    """Return the exchanges of the task: agents ask for other things too (a title), without tools to call."""
    found = []
    for line in log.read_text().splitlines():
        row = json.loads(line)
        body = base64.b64decode(row["body"])
        if json.loads(body).get("tools") and row["done_ns"] is not None:
            found.append(Said(row["read_ns"], row["done_ns"], body))
    return found
