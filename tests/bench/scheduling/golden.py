"""Choose recorded workloads for `core/sched/tests/golden.jsonl`: short ones that show each thing several times.

.venv-vllm/bin/python tests/bench/scheduling/drive.py 0 2000 | python3 tests/bench/scheduling/golden.py
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

GOLDEN = Path(__file__).parents[3] / "core/sched/tests/golden.jsonl"
EACH = 6
LEAST = 40


def kinds(work: dict) -> set[str]:
    """What a workload shows."""
    config = work["config"]
    shown = {what for what, count in work["seen"].items() if count}
    shown |= {
        option
        for option in ("priority", "asynchronous", "watermark", "threshold", "fair_share_of")
        if config[option]
    }
    return shown | {
        f"no {option}" for option in ("caching", "chunked", "reserve", "asynchronous") if not config[option]
    }


def main() -> None:
    lines = sorted(sys.stdin, key=len)
    works = [(line, kinds(json.loads(line))) for line in lines]
    shown: Counter[str] = Counter()
    chosen = []
    for line, what in works:
        if any(shown[kind] < EACH for kind in what):
            chosen.append(line)
            shown.update(what)
    rest = [line for line, what in works if "hit tokens" in what and line not in chosen]
    chosen += rest[: max(0, LEAST - len(chosen))]
    GOLDEN.write_text("".join(sorted(chosen, key=lambda line: json.loads(line)["seed"])))
    print(len(chosen), "workloads,", GOLDEN.stat().st_size, "bytes", dict(shown))


if __name__ == "__main__":
    main()
