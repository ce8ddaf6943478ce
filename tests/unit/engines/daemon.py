"""A daemon on a folder, for tests: started, loaded, asked, ended."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from curserve_engines import programs
from curserve_engines.client import Client


def until_it_works(process: subprocess.Popen[bytes]) -> None:
    """Wait until a loaded daemon computes: what it was asked is in flight, however busy the machine is."""

    def ticks() -> int:
        return sum(map(int, Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[11:15]))

    before = ticks()
    while ticks() < before + 3:  # hundredths of a second, its children's included
        assert process.poll() is None
        time.sleep(0.005)


@contextmanager
def running(
    root: Path, socket: Path, *options: str, before: Sequence[str] = (), **popen
) -> Iterator[tuple[Client, subprocess.Popen[bytes]]]:
    """Yield a client of a loaded daemon, and its process; it must end gracefully. `before`: what starts it."""
    words = [
        *before,
        str(programs.need("curserve", "test")),
        "serve",
        "--root",
        str(root),
        "--socket",
        str(socket),
        *options,
    ]
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, **popen)
    client = Client(socket, silence_s=120)
    try:
        while not socket.exists():
            assert process.poll() is None, "the daemon ended at once"
            time.sleep(0.005)
        deadline = time.monotonic() + 120
        while not (state := client.stats())["loaded"] and "trouble" not in state:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        yield client, process
    finally:
        client.close()
        process.terminate()
        assert process.wait(timeout=20) == 0


def answer(client: Client, command: str) -> bytes:
    """Return what a command prints; a refusal is a failure of the test."""
    reply = client.call("bash", {"command": command})
    assert reply.refused is None, (command, reply.refused)
    return reply.stdout
