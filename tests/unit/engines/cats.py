"""Cells whose calls read files, and a session that really reads them: what tests of a cell's tools stand on."""

import threading
import time

from curserve_engines.cell.spec import CallPolicy, CellSpec, Model, TurnPolicy
from curserve_engines.protocol import Result
from curserve_traces import model
from curserve_traces.model import Observation, RecordedCall, ToolCall, Trace, Turn


class CatSession:
    """Reads the file that a call names, after a pause, and notes which calls overlapped; `broken` raises."""

    def __init__(self, root, pause_s=0.0, hang_s=0.0):
        self.root, self.pause_s, self.hang_s = root, pause_s, hang_s
        self.running, self.widest, self.closed = 0, 0, False
        self.lock = threading.Lock()

    def call(self, call, *, turn=None, index=None):
        path = call.arguments["path"]
        with self.lock:
            self.running += 1
            self.widest = max(self.widest, self.running)
        time.sleep(self.hang_s if path == "slow" else self.pause_s)
        started = time.monotonic_ns()
        if path == "broken":
            raise RuntimeError("no such engine")
        try:
            observation = Observation(0, (self.root / path).read_bytes())
        except OSError as error:
            observation = Observation(1, b"", str(error.strerror).encode())
        with self.lock:
            self.running -= 1
        return Result(observation, wall_ns=time.monotonic_ns() - started)

    def close(self):
        self.closed = True


def read(path, **rest):
    return RecordedCall(
        ToolCall("c", "read", {"path": path}), Observation(0, b"recorded " + path.encode()), **rest
    )


def wrote(path, content):
    change = model.FileChange(path, None, model.digest(content), content=content)
    return read(path, delta=model.WorkspaceDelta((change,)))


def cell_of(root, *turns, recorded=(), parallel=(), **fields):
    """Return a cell whose (turn, call) in `recorded` are answered from the recording, and its trace."""
    calls = [tuple(turn) for turn in turns]
    trace = Trace(id="t", workspace=model.Workspace(), turns=tuple(Turn(calls=turn) for turn in calls))
    from_recording, executed = CallPolicy("recorded", reason="not a read"), CallPolicy()
    policies = tuple(
        TurnPolicy(
            tuple(from_recording if (t, c) in recorded else executed for c in range(len(turn))), t in parallel
        )
        for t, turn in enumerate(calls)
    )
    cell = CellSpec(
        run="r", block=0, cell=1, trace="", engine="e", placement="client", model=Model("m", 1, 1, 1.0),
        root=str(root), turns=policies, **fields,
    )  # fmt: skip
    return cell, trace
