"""How long an edit takes to be seen beside the model, and its bytes on the wire: both programs over a link."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from curserve_engines import programs
from curserve_engines.client import Client
from curserve_netem.hosts import Pair, hosts
from curserve_netem.link import Link

pytestmark = pytest.mark.prove
RTT_NS = 150_000_000
EDITS = 300
SILENCE_S = 30.0


@contextmanager
def mirrored(pair: Pair, root: Path, base: Path) -> Iterator[Client]:
    """Mirror `root` from the client host to the server host; yield what asks the session there."""
    curserve = str(programs.need("curserve", "proof"))
    socket, words = base / "s", {"stdin": subprocess.PIPE, "env": {"PATH": "/usr/bin:/bin", "HOME": str(base)}}
    serve = [curserve, "mirror", "serve", f"--tcp={pair.server.address}:7000", f"--socket={socket}", "--lifeline"]
    server = pair.server.popen([*serve, f"--root={base / 'copy'}"], **words)
    follow = [curserve, "mirror", f"tcp:{pair.server.address}:7000", f"--root={root}", "--lifeline"]
    client = pair.client.popen(follow, **words)
    try:
        asked = Client(socket)
        until(lambda: socket.exists() and asked.stats()["loaded"])
        yield asked
    finally:
        for process in (client, server):
            process.stdin.close()
            process.wait(timeout=10)


def until(is_so: Callable[[], bool]) -> None:
    """Wait until it is so."""
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() < began + 120
        time.sleep(0.0005)


def wire(asked: Client) -> int:
    stats = asked.stats()
    return int(stats["sent_bytes"]) + int(stats["received_bytes"])


def source(lines: int) -> list[str]:
    return [f"    let value_{n} = compute({n}, 0x{n * 0x9E3779B9 % 2**32:08x});\n" for n in range(lines)]


def test_an_edit_is_seen_half_a_round_trip_later(tmp_path: Path, receipt: Callable[..., Path]) -> None:
    root = tmp_path / "work"
    root.mkdir()
    lines = source(5000)
    (root / "large.rs").write_text("".join(lines))
    (root / "small.rs").write_text("0\n")
    with hosts(Link(rtt_ns=RTT_NS)) as pair, mirrored(pair, root, tmp_path) as asked:

        def shows(name: str, text: str) -> Callable[[], bool]:
            line = {"command": f"grep -c '{text}' {root / name}"}
            return lambda: asked.call("bash", line).stdout == b"1\n"

        seen, costs = [], []
        for number in range(EDITS):
            began = time.monotonic()
            (root / "small.rs").write_text(f"edit {number} end\n")
            until(shows("small.rs", f"edit {number} end"))
            seen.append(time.monotonic() - began)
        for number in range(20):
            before = wire(asked)
            lines[2500] = f"    let value_2500 = changed({number});\n"
            (root / "large.rs").write_text("".join(lines))
            until(shows("large.rs", f"changed({number})"))
            time.sleep(RTT_NS / 1e9)
            costs.append(wire(asked) - before)
        before = wire(asked)
        time.sleep(SILENCE_S)
        silence = wire(asked) - before
        stats = asked.stats()
    ordered = sorted(seen)
    figures = {
        "backend": pair.backend,
        "rtt_ms": RTT_NS / 1e6,
        "edits": EDITS,
        "visible_p50_ms": round(statistics.median(seen) * 1e3, 2),
        "visible_p99_ms": round(ordered[int(EDITS * 0.99)] * 1e3, 2),
        "line_in_a_large_file_bytes": {
            "file": (root / "large.rs").stat().st_size,
            "median": statistics.median(costs),
        },
        "silence": {"seconds": SILENCE_S, "bytes": silence},
        "barrier_p50_ns": stats["barrier_p50_ns"],
        "barrier_p99_ns": stats["barrier_p99_ns"],
    }
    receipt("mirror-link", figures, part="edit")
    print(figures, file=sys.stderr)
    assert min(seen) * 1e9 >= RTT_NS / 2
    assert statistics.median(costs) <= 250
    assert silence == 0


def git(root: Path, *words: str) -> None:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True)


def test_a_switch_of_6000_files_arrives_as_one(tmp_path: Path, receipt: Callable[..., Path]) -> None:
    root = tmp_path / "work"
    root.mkdir()
    git(root, "init", "-q", "-b", "one")
    for version, name in ((1, "one"), (2, "two")):
        for number in range(6000):
            folder = root / f"d{number % 60}"
            folder.mkdir(exist_ok=True)
            (folder / f"f{number}.txt").write_text(f"version {version} of {number}\n" * 20)
        git(root, "add", ".")
        git(root, "commit", "-q", "-m", name)
        if version == 1:
            git(root, "switch", "-q", "-c", "two")
    switches, costs, halves = [], [], 0
    with hosts(Link(rtt_ns=RTT_NS, rate_bps=100_000_000)) as pair, mirrored(pair, root, tmp_path) as asked:
        fill_s = asked.stats()["fill_ns"] / 1e9
        for version, name in ((1, "one"), (2, "two"), (1, "one")):
            line = {"command": f"grep -rl 'version {version}' {root} --include='f*.txt' | wc -l"}
            before, began = wire(asked), time.monotonic()
            switch = subprocess.Popen(["git", "switch", "-q", name], cwd=root)
            while True:
                reply = asked.call("bash", line)
                found = int(reply.stdout)
                halves += (reply.mirror or {}).get("home") is None and found not in (0, 6000)
                if found == 6000 and (reply.mirror or {}).get("home") is None:
                    break
                assert time.monotonic() < began + 60
            switches.append(round(time.monotonic() - began, 2))
            costs.append(wire(asked) - before)
            assert switch.wait(timeout=10) == 0
    figures = {
        "backend": pair.backend,
        "files": 6000,
        "fill_s": round(fill_s, 2),
        "switched_s": switches,
        "answers_from_half_a_switch": halves,
        "bytes": costs,
    }
    receipt("mirror-link", figures, part="switch")
    print(figures, file=sys.stderr)
    assert halves == 0
