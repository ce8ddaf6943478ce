"""Traces made here, and the two roles run as the processes they are, over loopback."""

import contextlib
import json
import subprocess
import sys

import pytest

from curserve_engines.cell.spec import CallPolicy, CellSpec, Model, TurnPolicy
from curserve_traces import codec
from curserve_traces.model import Message, Observation, RecordedCall, ToolCall, Trace, Turn, Workspace

FAST = Model("test model", tpot_ns=200_000, ttft_ns=2_000_000, prefill_tokens_per_s=1e6)


class Role:
    """One role's process and its control channel."""

    def __init__(self, name, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"curserve_harness.roles.{name}", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.ready = self.read()

    def read(self):
        return json.loads(self.process.stdout.readline())

    def send(self, **message):
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, **message):
        self.send(**message)
        return self.read()


@contextlib.contextmanager
def running_role(name, *arguments):
    role = Role(name, *arguments)
    try:
        yield role
    finally:
        role.process.stdin.close()
        role.process.terminate()
        role.process.wait(10)
        role.process.stdout.close()


def recorded_call(turn, index, output, command="cat a.txt", **rest):
    call = ToolCall(f"call_{turn}_{index}", "bash", {"command": command})
    return RecordedCall(call, Observation(exit_code=0, stdout=output), **rest)


def make_trace(turns=4, calls=1, output=b"line one\nline two\n", text="I look at the file. ", tokens=20):
    body = [
        Turn(
            text=text,
            calls=tuple(recorded_call(t, c, output) for c in range(calls)),
            before=(Message("system", "You are an agent."), Message("user", "Mend it: ünïcode \u2028 too."))
            if t == 0
            else (),
            output_tokens=tokens,
        )
        for t in range(turns)
    ]
    body.append(Turn(text="It is mended.", output_tokens=5))
    return Trace(id="made", workspace=Workspace(), turns=tuple(body))


@pytest.fixture
def trace_file(tmp_path):
    """Return a function that writes a trace and returns its path."""

    def write(trace):
        path = tmp_path / f"{trace.id}.json"
        codec.save(trace, path)
        return path

    return write


@pytest.fixture
def cell_of(trace_file):
    """Return a function that makes the cell of a trace."""

    def make(trace, *, engine="recorded-client", number=1, **fields):
        placement = "client" if engine.endswith("client") or engine == "client-subprocess" else "server"
        turns = tuple(
            TurnPolicy(tuple(CallPolicy(program="cat") for _ in turn.calls), len(turn.calls) > 1)
            for turn in trace.turns
        )
        fields = {"placement": placement, "model": FAST, "turns": turns, "deadline_s": 60.0} | fields
        return CellSpec(
            run="r", block=0, cell=number, trace=str(trace_file(trace)), engine=engine, trace_id=trace.id, **fields
        )

    return make


@pytest.fixture(scope="module")
def roles():
    """Return the two roles, running."""
    with running_role("server") as server, running_role("client") as client:
        yield client, server


@pytest.fixture
def run_cell(roles):
    """Return a function that runs a cell through both roles and returns both answers."""
    client, server = roles

    def run(cell):
        opened = server.ask(op="open", cell=cell.to_json())
        assert opened == {"ok": True}
        played = client.ask(op="run", cell=cell.to_json(), url=server.ready["url"])
        return played, server.ask(op="close", cell=cell.cell)

    return run


@pytest.fixture
def start_role():
    """Return a function that starts a role; all end with the test."""
    with contextlib.ExitStack() as stack:
        yield lambda name, *arguments: stack.enter_context(running_role(name, *arguments))


@pytest.fixture(scope="session")
def made():
    """Return what makes traces and calls."""

    class Made:
        trace = staticmethod(make_trace)
        call = staticmethod(recorded_call)
        model = FAST

    return Made
