"""Proof: what a watch for each file costs, and what the daemon does where there are fewer watches than files."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from curserve_engines.client import Client
from curserve_harness.bench.search.corpora import kernel_source

Receipt = Callable[[str, dict[str, object]], None]
ROOT = Path(__file__).parents[2]
BINARY = Path(sys.executable).with_name("curserve")
ROUNDS = 5
LIMIT = "/proc/sys/user/max_inotify_watches"


def django(folder: Path) -> Path:
    words = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "Django==5.1.4"]
    subprocess.run([*words, "-d", folder], check=True)
    tree = folder / "django"
    subprocess.run([sys.executable, "-m", "zipfile", "-e", next(folder.glob("*.whl")), tree], check=True)
    return tree


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_the_price_of_a_watch_for_each_file(receipt: Receipt, tmp_path: Path) -> None:
    build = "cargo build --release --locked -q -p curserve-corpus --example watch_price".split()
    subprocess.run(build, cwd=ROOT / "core", check=True)
    price = ROOT / "core/target/release/examples/watch_price"
    figures: dict[str, object] = {}
    for name, tree in (("django", django(tmp_path)), ("kernel", kernel_source(ROOT / "runs/corpora"))):
        done = subprocess.run([price, tree, str(ROUNDS)], capture_output=True, text=True, check=True)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        each = [row for row in rows if row["each_file"]]
        none = [row for row in rows if not row["each_file"]]
        assert all(row["looked_at"] == 0 for row in each), "there are watches enough"
        files = none[0]["looked_at"]
        ratios = sorted(one["load_s"] / other["load_s"] for one, other in zip(each, none, strict=True))
        figures[name] = {
            "files": files,
            "load_over_load_without": [ratios[0], statistics.median(ratios), ratios[-1]],
            "load_s": statistics.median(row["load_s"] for row in each),
            "kernel_bytes_a_file": statistics.median(
                1024 * (one["kernel_kb"] - other["kernel_kb"]) / files
                for one, other in zip(each, none, strict=True)
            ),
            "snapshot_us": statistics.median(row["snapshot_us"] for row in each),
            "snapshot_without_us": statistics.median(row["snapshot_us"] for row in none),
        }
    receipt("watch-price", figures)


@pytest.mark.parametrize(("limit", "folders_fit"), [(60, True), (5, False)])
def test_with_fewer_watches_than_files_no_answer_is_stale(tmp_path: Path, limit: int, folders_fit: bool) -> None:
    root = tmp_path.resolve() / "root"
    for number in range(300):
        folder = root / f"d{number % 20}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"f{number}").write_text("old\n")
    socket = tmp_path.resolve() / "s"
    serve = f'echo {limit} > {LIMIT} && exec "$0" serve --socket "$1" --root "$2"'
    daemon = subprocess.Popen(["unshare", "--user", "--map-root-user", "sh", "-c", serve, BINARY, socket, root])
    try:
        until = time.monotonic() + 30
        while not socket.exists() and time.monotonic() < until:
            time.sleep(0.01)
        client = Client(socket)
        while not ((state := client.stats()).get("loaded") or "trouble" in state) and time.monotonic() < until:
            time.sleep(0.01)
        if folders_fit:
            assert state["unwatched"] > 200, "most files have no watch, and it says so"
        else:
            assert "max_user_watches" in str(state["trouble"]), "it says what it lacks and what to do"
        for number in range(0, 300, 7):
            path = root / f"d{number % 20}" / f"f{number}"
            path.write_text(f"new {number}\n")
            answer = client.call("bash", {"command": f"cat {path.relative_to(root)}"}, cwd=str(root))
            if folders_fit:
                assert (answer.refused, answer.stdout) == (None, f"new {number}\n".encode())
            else:
                assert answer.refused is not None
        client.close()
    finally:
        daemon.kill()
        daemon.wait()
