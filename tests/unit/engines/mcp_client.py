"""MCP by hand: a client that says exactly what a test wants it to say, and a daemon that does so too."""

from __future__ import annotations

import json
import queue
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from curserve_engines import programs

CURSERVE = programs.need("curserve", "test")
HELLO = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}
Json = dict[str, Any]


class McpClient:
    """One `curserve mcp`, spoken to over its standard streams."""

    def __init__(self, *options: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> None:
        """Start it; nothing is said yet."""
        words = [str(CURSERVE), "mcp", *options]
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(words, env=env, cwd=cwd, bufsize=0, **streams)
        self.answers: dict[object, Json] = {}
        self.others: queue.Queue[Json] = queue.Queue()
        self.number = 0

    def write(self, line: bytes) -> None:
        """Write raw bytes."""
        assert self.process.stdin is not None
        self.process.stdin.write(line)

    def send(self, **message: Any) -> None:
        """Send one message."""
        self.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    def start(self, method: str, **params: Any) -> int:
        """Send a request; its number."""
        self.number += 1
        self.send(id=self.number, method=method, params=params)
        return self.number

    def receive(self) -> Json:
        """Return the next message."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"it ended: {self.complaints()}"
        message: Json = json.loads(line)
        return message

    def answer(self, number: int) -> Json:
        """Return the answer to a request; what comes before it is kept."""
        while number not in self.answers:
            message = self.receive()
            if "method" in message:
                self.others.put(message)
            else:
                self.answers[message.get("id")] = message
        return self.answers.pop(number)

    def ask(self, method: str, **params: Any) -> Json:
        """Return what a request brings, an error of the protocol included."""
        return self.answer(self.start(method, **params))

    def greet(self, **more: Any) -> Json:
        """Go through the beginning; what the server says of itself."""
        result: Json = self.ask("initialize", **{**HELLO, **more})["result"]
        self.send(method="notifications/initialized")
        return result

    def call(self, tool: str, **arguments: Any) -> tuple[list[str], bool]:
        """Return the texts of a tool's result, and whether it is an error."""
        return texts(self.ask("tools/call", name=tool, arguments=arguments))

    def complaints(self) -> str:
        """Return what it has said on standard error, once it has ended."""
        assert self.process.stderr is not None
        return self.process.stderr.read().decode()

    def end(self) -> tuple[int, str]:
        """Close its standard input; exit code and standard error."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.read()
        said = self.complaints()
        return self.process.wait(timeout=30), said

    def __enter__(self) -> Self:
        """Leave it to the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it, whatever it does."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


def texts(answer: Json) -> tuple[list[str], bool]:
    """Return the texts of a tool's result, and whether it is an error."""
    result = answer["result"]
    return [block["text"] for block in result["content"]], result.get("isError", False)


def _frame(header: Json, payload: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<II", len(text), len(payload)) + text + payload


def _exactly(stream: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = stream.recv(count - len(data))
        if not part:
            raise EOFError
        data += part
    return data


@contextmanager
def scripted_daemon(
    path: Path, reply: Callable[[Json], bytes | None], hello: Mapping[str, object] | None = None
) -> Iterator[list[str]]:
    """Answer each call at `path` with what `reply` prints; None: with nothing. Yields who has left."""
    left: list[str] = []
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(64)
    known = {"version": 1, "program": "daemon", "root": "/w", "at": "/w", "mounts": "", **(hello or {})}

    def serve(stream: socket.socket) -> None:
        try:
            while True:
                lengths = struct.unpack("<II", _exactly(stream, 8))
                request = json.loads(_exactly(stream, lengths[0]))
                if request["op"] == "hello":
                    stream.sendall(_frame({"id": request["id"], **known}))
                elif (printed := reply(request)) is not None:
                    lengths_of = {"stdout_len": len(printed), "stderr_len": 0}
                    answer = {"id": request["id"], "exit_code": 0, "refused": None, "failed": None, **lengths_of}
                    stream.sendall(_frame(answer, printed))
        except (EOFError, OSError):
            left.append("gone")
        finally:
            stream.close()

    def accept() -> None:
        while True:
            try:
                stream, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(stream,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield left
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def words_of(arguments: Sequence[str]) -> list[str]:
    """Return the command line of `curserve mcp` with these arguments."""
    return [str(CURSERVE), "mcp", *arguments]
