"""Engines of others: a program that speaks the protocol, declared in a file."""

import sys
from pathlib import Path

import pytest

from curserve_engines import registry
from curserve_engines.external import BadEngineFile
from curserve_engines.protocol import EngineError, World
from curserve_traces.model import ToolCall

PROGRAM = """#!/usr/bin/python3
import json, socket, struct, sys
listener = socket.socket(fileno=int(sys.argv[1]))
while True:
    connection, _ = listener.accept()
    stream = connection.makefile("rwb")
    while head := stream.read(8):
        header, payload = struct.unpack("<II", head)
        asked = json.loads(stream.read(header))
        stream.read(payload)
        told, body = {"id": asked["id"], "version": 1, "program": "demo"}, b""
        if asked["op"] == "call":
            command = asked["arguments"].get("command", "")
            body = b"answered " + sys.argv[2].encode() if command == "mine" else b""
            told = {"id": asked["id"], "exit_code": 0, "stdout_len": len(body), "stderr_len": 0, "service_ns": 7,
                    "refused": None if body else "not mine", "failed": None}
            if command == "echo kind":
                told["refusal"] = "undefined"
        data = json.dumps(told).encode()
        stream.write(struct.pack("<II", len(data), len(body)) + data + body)
        stream.flush()
"""


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    program = tmp_path / "demo"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    file = tmp_path / "engine.toml"
    file.write_text('name = "demo"\ncommand = ["demo", "{fd}", "{root}"]\nversion = ["python3", "--version"]\n')
    return file


@pytest.mark.skipif(not Path("/usr/bin/python3").exists(), reason="the sandbox has only the system's Python")
@pytest.mark.parametrize("sandbox", ["true", "false"])
def test_a_declared_program_answers_and_what_it_refuses_is_run(engine: Path, tmp_path: Path, sandbox: str) -> None:
    root = tmp_path / "w"
    root.mkdir()
    engine.write_text(engine.read_text() + f"sandbox = {sandbox}\n")
    loaded = registry.load(str(engine))
    assert (loaded.name, loaded.placement) == ("demo", "server")
    assert loaded.info().version.startswith("Python 3.")
    with loaded.open(World(root)) as session:
        mine = session.call(ToolCall("1", "bash", {"command": "mine"}))
        seen = "/testbed" if sandbox == "true" else str(root)
        assert (mine.observation.stdout.decode(), mine.refused, mine.service_ns) == (f"answered {seen}", None, 7)
        other = session.call(ToolCall("2", "bash", {"command": "echo real"}))
        assert (other.observation.stdout, other.refused, other.refusal) == (b"real\n", "not mine", None)
        kind = session.call(ToolCall("3", "bash", {"command": "echo kind"}))
        assert (kind.observation.stdout, kind.refused, kind.refusal) == (b"kind\n", "not mine", "undefined")


@pytest.mark.parametrize(
    "text",
    ["", 'name = "x"', 'name = "x"\ncommand = "x"', 'name = "x"\ncommand = [1]', "[", 'nme = "x"',
     'name = "x"\ncommand = ["x"]\nplacement = "moon"'],
)  # fmt: skip
def test_a_wrong_file_says_what_is_wrong(tmp_path: Path, text: str) -> None:
    file = tmp_path / "engine.toml"
    file.write_text(text)
    with pytest.raises(BadEngineFile, match=r"engine\.toml"):
        registry.load(str(file))
    with pytest.raises(BadEngineFile, match="No such file"):
        registry.load(str(tmp_path / "none.toml"))


def test_a_program_that_is_missing_or_dies_is_told(tmp_path: Path) -> None:
    file = tmp_path / "engine.toml"
    file.write_text('name = "x"\ncommand = ["no-such-program"]\n')
    assert "not found" in (registry.load(str(file)).info().missing or "")
    file.write_text(f'name = "x"\ncommand = ["{sys.executable}", "-c", "raise SystemExit(9)"]\nsandbox = false\n')
    with pytest.raises(EngineError, match="could not be started"):
        registry.load(str(file)).open(World(tmp_path))
