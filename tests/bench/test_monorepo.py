"""Proof: the daemon on 500,000 files beside the real programs, and what edits and answers cost as trees grow."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import made_monorepo
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit/engines"))
from daemon import running

from curserve_engines import programs
from curserve_engines.client import Client

Receipt = Callable[..., Path]
ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("CURSERVE_MONOREPO") or ROOT / "runs/corpora/monorepo")
"""Where the large trees are made once; several gigabytes."""
SIZES = (1_000, 10_000, 100_000, 500_000)
ROUNDS = 5
RARE, ABSENT, DENSE = "package-77 file 3 ", "qqzzxxjjkk", "return this"


def tree(files: int) -> Path:
    root = FOLDER / str(files)
    if not root.is_dir():
        half = root.with_name(f"{files}.half")
        shutil.rmtree(half, ignore_errors=True)
        made_monorepo.make(half, files)
        half.rename(root)
    return root


def seconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def memory(pid: int) -> dict[str, int]:
    text = Path(f"/proc/{pid}/status").read_text()
    row = dict(line.split(":", 1) for line in text.splitlines())
    return {name: int(row[name].split()[0]) << 10 for name in ("RssAnon", "VmRSS", "VmHWM")}


def watches(pid: int) -> int:
    infos = Path(f"/proc/{pid}/fdinfo").iterdir()
    return sum(path.read_text().count("inotify wd:") for path in infos)


def ask(client: Client, line: str) -> bytes:
    reply = client.call("bash", {"command": line}, timeout_ms=600_000)
    assert reply.refused is None, (line, reply.refused)
    return reply.stdout


def beside(client: Client, root: Path, line: str, rounds: int) -> dict[str, object]:
    """Time a line in the daemon and as programs, in turns; the answers must be the same lines."""

    def real() -> bytes:
        return subprocess.run(["bash", "-c", line], cwd=root, capture_output=True, check=False).stdout

    ours, theirs = ask(client, line), real()
    assert sorted(ours.splitlines()) == sorted(theirs.splitlines()), line
    times = [(seconds(lambda: ask(client, line)), seconds(real)) for _ in range(rounds)]
    ratios = sorted(their / our for our, their in times)
    return {
        "line": line,
        "bytes": len(ours),
        "ours_ms": 1e3 * statistics.median(our for our, _ in times),
        "theirs_ms": 1e3 * statistics.median(their for _, their in times),
        "ratio": [ratios[0], statistics.median(ratios), ratios[-1]],
    }


LINES = {
    "absent": f"rg -n {ABSENT}",
    "rare": f"rg -n '{RARE}'",
    "dense": f"rg -n '{DENSE}'",
    "glob": "rg --files -g '**/*.ts'",
    "find": "find . -name 'abc*.ts'",
    "head": "ls -R | head -50",
}


def table(root: Path, aside: Path, rounds: int) -> dict[str, object]:
    """Return what a daemon on `root` takes, and its answers beside those of the real programs."""
    programs.need("rg", "test")
    figures: dict[str, object] = {}
    state = aside / "state"
    for start in ("first", "again"):
        socket = aside / start
        began = time.perf_counter()
        with running(root, socket, "--state", str(state)) as (client, process):
            stats = client.stats()
            figures[start] = {
                "served_s": time.perf_counter() - began,
                "load_s": stats["load_s"],
                "files": stats["files_read"],
                "recalled": stats["recalled"],
                "unwatched": stats["unwatched"],
                "watches": watches(process.pid),
                **memory(process.pid),
            }
            if start == "first":
                continue
            assert stats["recalled"] == stats["files_read"]
            figures["lines"] = {name: beside(client, root, line, rounds) for name, line in LINES.items()}
            figures["branch"] = branch(client, root, int(stats["files_read"]) // 25)
    return figures


def branch(client: Client, root: Path, files: int) -> dict[str, object]:
    """Rewrite many files, as a switch of branches does, and ask at once."""
    changed = []
    for folder, _, names in os.walk(root):
        changed += [Path(folder, name) for name in sorted(names)]
        if len(changed) >= files:
            break
    texts = [(path, path.read_bytes()) for path in changed[:files]]

    def write(extra: bytes) -> None:
        for path, text in texts:
            aside = path.with_name("aside")
            aside.write_bytes(text + extra)
            aside.replace(path)

    written = seconds(lambda: write(b"switched-branch\n"))
    first = seconds(lambda: ask(client, "rg -c switched-branch"))
    found = len(ask(client, "rg -c switched-branch").splitlines())
    write(b"")
    assert not ask(client, "rg -c switched-branch")
    return {"files": len(texts), "written_s": written, "first_answer_s": first, "found": found}


def test_a_small_tree_is_answered_as_by_the_real_programs_after_a_second_start(tmp_path: Path) -> None:
    root = tmp_path / "root"
    made_monorepo.make(root, 1500)
    figures = table(root, tmp_path, 1)
    assert figures["branch"]["found"] > 0, figures


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_a_monorepo(receipt: Receipt, tmp_path: Path) -> None:
    receipt("monorepo", table(tree(SIZES[-1]), tmp_path, ROUNDS))


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_an_edit_and_an_answer_cost_the_same_in_a_large_tree(receipt: Receipt, tmp_path: Path) -> None:
    build = "cargo build --release --locked -q -p curserve-corpus --example slopes".split()
    subprocess.run(build, cwd=ROOT / "core", check=True)
    slopes = ROOT / "core/target/release/examples/slopes"
    rows = []
    for files in SIZES:
        words = [slopes, tree(files), tmp_path / f"state-{files}", "201"]
        rows.append(json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout))
    least, most = rows[0], rows[-1]
    growth = {name: most[name] / least[name] for name in least if name.endswith("_us")}
    receipt("slopes", {"rows": rows, "growth": growth, "files": most["files"] / least["files"]})
