"""The core's own fuzz targets (`core/fuzz`), ten minutes each under libFuzzer: no defect, no overrun of memory.

They need nightly Rust and cargo-fuzz (`cargo install --locked cargo-fuzz`), so `make prove` alone runs them. What
a target found lies in the folder that its message names; `FUZZ_SECONDS` gives them another time.
"""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from receipts import write_receipt

CORE = Path(__file__).parents[2] / "core"
TARGETS = sorted(
    Path(file.parent.name, target["path"])
    for file in CORE.glob("fuzz/*/Cargo.toml")
    for target in tomllib.loads(file.read_text())["bin"]
)


@pytest.mark.prove
@pytest.mark.timeout(2 * 3600)
@pytest.mark.parametrize("target", TARGETS, ids=lambda path: f"{path.parts[0]}-{path.stem}")
def test_fresh_inputs(target: Path, tmp_path: Path) -> None:
    folder, name, seconds = target.parts[0], target.stem, int(os.environ.get("FUZZ_SECONDS", "600"))
    (tmp_path / "corpus").mkdir()
    artifacts = CORE / "fuzz" / folder / "artifacts" / name  # pytest soon removes a folder of its own
    artifacts.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [
            *(
                "cargo",
                "+nightly",
                "fuzz",
                "run",
                "--fuzz-dir",
                f"fuzz/{folder}",
                "--target-dir",
                "fuzz/target",
                name,
                tmp_path / "corpus",
                "--",
            ),
            *(f"-max_total_time={seconds}", "-timeout=10", "-print_final_stats=1"),
            f"-artifact_prefix={artifacts}/",
        ],
        cwd=CORE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{artifacts}: {done.stderr[-4000:]}"
    stats = dict(re.findall(r"^stat::(\w+):\s+(\d+)$", done.stderr, re.MULTILINE))
    inputs = int(stats["number_of_executed_units"])
    assert inputs > 0
    write_receipt(
        "fuzz-core",
        {"seconds": seconds, "inputs": inputs, "peak_mb": int(stats["peak_rss_mb"])},
        part=f"{folder}: {name}",
    )
