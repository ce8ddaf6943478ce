"""Proof: 200,000 commands as agents write them, on odd trees, with fresh seeds, against the real programs."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

Receipt = Callable[[str, dict[str, object]], None]
CORE = Path(__file__).parents[2] / "core"
COMMANDS = 200_000
CHUNK = 2_000

pytestmark = [pytest.mark.prove, pytest.mark.timeout(4 * 3600)]


def test_no_command_of_an_agent_is_answered_wrongly(receipt: Receipt) -> None:
    build = "cargo build --release --locked -q -p curserve-shell --example agent_commands"
    subprocess.run(build.split(), cwd=CORE, check=True)
    program = CORE / "target/release/examples/agent_commands"
    counts: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    differences = []
    waiting = [secrets.randbits(48) for _ in range(COMMANDS // CHUNK)]
    while waiting:
        seeds = [waiting.pop() for _ in range(min(len(waiting), os.cpu_count() or 1))]
        running = [
            subprocess.Popen([program, str(CHUNK), str(seed)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for seed in seeds
        ]
        for run in running:
            out, said = run.communicate()
            found = json.loads(out)
            refused.update(found["refused"])
            counts.update({key: found[key] for key in ("commands", "answered", "wrong")})
            differences += [said.decode(errors="replace")] if found["wrong"] else []
    receipt("agent-commands", {**counts, "refused": dict(refused.most_common())})
    assert not differences, "\n".join(differences)
