"""A mirror over a link that loses packets and is cut, and whose ends are killed: nothing stale, nothing lost."""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from curserve_engines import programs
from curserve_engines.client import CallReply, Client, ProtocolError
from curserve_netem.hosts import Pair, hosts
from curserve_netem.link import Link

pytestmark = pytest.mark.prove
SEED = 20261201
RTT_NS = 150_000_000
ROUNDS = 240
KILLS, CUTS, FULL = 20, 8, 2
CUT_S = (1.0, 12.0)
DISK_MB = 24
COMES_BACK_S = 90.0


@dataclass
class Ends:
    """The two programs of a mirror, each started again when it was killed."""

    pair: Pair
    root: Path
    base: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, side: str) -> None:
        mirror, address = [str(programs.need("curserve", "proof")), "mirror"], f"{self.pair.server.address}:7000"
        words = {
            "server": [
                *mirror,
                "serve",
                f"--tcp={address}",
                f"--socket={self.base / 's'}",
                "--lifeline",
            ],
            "client": [*mirror, f"tcp:{address}", f"--root={self.root}", "--lifeline"],
        }
        words["server"].append(f"--root={self.base / 'disk' / 'copy'}")
        host = self.pair.server if side == "server" else self.pair.client
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.base / side)}
        with (self.base / f"{side}.log").open("ab") as log:
            self.running[side] = host.popen(words[side], stdin=subprocess.PIPE, stderr=log, env=environment)

    def kill(self, side: str) -> None:
        process = self.running[side]
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=10)
        self.start(side)

    def end(self) -> None:
        for process in self.running.values():
            assert process.stdin is not None
            process.stdin.close()
            process.wait(timeout=20)

    def rule(self, verb: str) -> None:
        """Cut the line for the client's packets, or mend it; nobody is told."""
        inside = ["nsenter", f"--target={self.running['client'].pid}", "--net"]
        subprocess.run([*inside, "ip", "rule", verb, "pref", "1", "blackhole"], check=True)


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mount a disk at `folder` that a few files fill."""
    folder.mkdir()
    size = f"size={DISK_MB}m"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "none", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def answered(asked: Client, line: str) -> CallReply:
    """Ask until there is an answer: what was under way when a side was killed has failed, and says so."""
    until = time.monotonic() + COMES_BACK_S
    while True:
        with contextlib.suppress(ProtocolError):
            reply = asked.call("bash", {"command": line})
            if reply.failed is None:
                return reply
        assert time.monotonic() < until, f"{line}: no answer"
        time.sleep(0.05)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_no_fault_makes_an_answer_stale_or_loses_a_file(tmp_path: Path, receipt: Callable[..., Path]) -> None:
    rng = random.Random(SEED)
    root = tmp_path / "work"
    for name in ("work", "server", "client"):
        (tmp_path / name).mkdir()
    for number in range(200):
        (root / f"f{number}").write_text(f"0 of {number}\n")
    events = ["kill server"] * KILLS + ["kill client"] * KILLS + ["cut"] * CUTS + ["full"] * FULL
    at = dict(zip(rng.sample(range(5, ROUNDS), len(events)), events, strict=True))
    here, waits, cut_s = 0, [], 0.0
    expected = tree(root)
    # The hosts see what is mounted before they are made.
    with small_disk(tmp_path / "disk"), hosts(Link(rtt_ns=RTT_NS, loss=0.01)) as pair:
        ends = Ends(pair, root, tmp_path)
        ends.start("server")
        ends.start("client")
        asked = Client(tmp_path / "s", silence_s=60)
        try:
            for round_ in range(ROUNDS):
                number = rng.randrange(200)
                expected[f"f{number}"] = f"{round_} of {number}\n".encode()
                (root / f"f{number}").write_bytes(expected[f"f{number}"])
                match at.get(round_):
                    case "kill server":
                        ends.kill("server")
                    case "kill client":
                        ends.kill("client")
                    case "cut":
                        length = rng.uniform(*CUT_S)
                        ends.rule("add")
                        time.sleep(length)
                        ends.rule("del")
                        cut_s += length
                    case "full":
                        expected["large"] = bytes(
                            DISK_MB << 20
                        )  # full of it all the same, and soon across the line
                        (root / "large").write_bytes(expected["large"])
                began = time.monotonic()
                # The first word has to run at home: from then on all that was written before it is needed.
                answered(asked, "uname")
                reply = answered(asked, f"cat {root}/f{number}; grep -rh of {root} --include='f*[05]' | wc -c")
                waits.append(time.monotonic() - began)
                here += (reply.mirror or {}).get("home") is None
                size = sum(
                    len(text) for name, text in expected.items() if name.startswith("f") and name[-1] in "05"
                )
                assert reply.stdout == expected[f"f{number}"] + f"{size}\n".encode(), f"stale in round {round_}"
                if at.get(round_) == "full":
                    (root / "large").unlink()
                    del expected["large"]
            # An edit of the agent's, and then both have the same.
            edit = {"path": str(root / "f7"), "old": " of ", "new": " by the agent of "}
            assert asked.call("edit", edit).exit_code == 0
            expected["f7"] = expected["f7"].replace(b" of ", b" by the agent of ")
            answered(asked, "uname")
            until = time.monotonic() + COMES_BACK_S
            while tree(tmp_path / "disk" / "copy") != expected and time.monotonic() < until:
                time.sleep(0.1)
            assert tree(root) == expected
            assert tree(tmp_path / "disk" / "copy") == expected
        finally:
            ends.end()
            shutil.rmtree(tmp_path / "disk" / "copy", ignore_errors=True)
    figures = {
        "backend": pair.backend,
        "rtt_ms": RTT_NS / 1e6,
        "loss": 0.01,
        "audited": ROUNDS,
        "stale": 0,
        "answered_by_the_copy": here,
        "kills_of_each_side": KILLS,
        "cuts": {"count": CUTS, "seconds": round(cut_s, 1)},
        "full_disks": FULL,
        "slowest_s": round(max(waits), 1),
    }
    receipt("mirror-faults", figures, part="faults")
    print(figures, file=sys.stderr)
    assert here > ROUNDS // 3
