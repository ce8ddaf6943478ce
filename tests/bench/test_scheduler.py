"""Proof: `core/sched` plans each step as vLLM's own scheduler does, on ten thousand random workloads.

`scheduling/drive.py` lets vLLM's Scheduler and KVCacheManager answer made-up agents in vLLM's environment; the
example `compare` of the crate asks its own scheduler the same. Compared are, for each step: who is in it in which
order, tokens computed before and now, who samples, hits, evictions, preemptions, free blocks, and all queues in
their order.
"""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from curserve_engines.vllm.engine import vllm_python
from curserve_harness.vllm.process import why_no_vllm

Receipt = Callable[[str, dict[str, object]], None]
ROOT = Path(__file__).parents[2]
DRIVE = ROOT / "tests/bench/scheduling/drive.py"
WORKLOADS = 10_000
AT_LEAST = {"preempted": 500, "evicted": 500, "reserved": 500, "resumed session": 500}
"""What must have been seen, each in so many workloads."""

pytestmark = [
    pytest.mark.prove,
    pytest.mark.skipif(why_no_vllm() is not None, reason=why_no_vllm() or ""),
]


def compare() -> Path:
    command = ["cargo", "build", "--release", "--locked", "-q", "-p", "curserve-sched", "--example", "compare"]
    subprocess.run(command, cwd=ROOT / "core", check=True)
    return ROOT / "core/target/release/examples/compare"


@pytest.mark.timeout(4 * 3600)
def test_ten_thousand_workloads_go_as_in_vllm(receipt: Receipt, tmp_path: Path) -> None:
    log = (tmp_path / "log").open("w+")
    command = [vllm_python(), DRIVE, "0", str(WORKLOADS)]
    drive = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    check = subprocess.Popen([compare()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    seen: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    assert drive.stdout is not None
    assert check.stdin is not None
    for line in drive.stdout:
        check.stdin.write(line)
        work = json.loads(line)
        totals += Counter(work["seen"])
        seen.update(what for what, count in work["seen"].items() if count)
        seen.update(kind for kind in ("priority", "asynchronous", "caching") if work["config"][kind])
        version = work["vllm"]
    said, _ = check.communicate()
    log.seek(0)
    assert drive.wait() == 0, log.read()[-2000:]
    assert check.returncode == 0, said[-4000:]
    assert f"{WORKLOADS} the same, 0 not" in said
    assert {what: seen[what] for what, least in AT_LEAST.items() if seen[what] < least} == {}
    shown = {"workloads with": seen, "in all": totals}
    receipt("scheduler-as-vllm", {"vllm": version, "workloads": WORKLOADS, "identical": WORKLOADS, **shown})
