"""What several rooms test with: a small workspace, and a trace really recorded on it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import hypothesis
import pytest
from receipts import write_receipt
from skips import pytest_runtest_makereport as pytest_runtest_makereport

from curserve_engines import registry
from curserve_engines.protocol import World
from curserve_traces import classify, codec
from curserve_traces.model import Message, RecordedCall, ToolCall, Trace, Turn, Workspace
from curserve_traces.workspace import diff, pristine_copy, snapshot

os.environ["PATH"] += f"{os.pathsep}{Path(sys.executable).parent}"
"""The project's `rg` is there, and what looks for it on PATH finds it, as in an environment that is activated."""

hypothesis.settings.register_profile("landing", derandomize=True)
if os.environ.get("PROPTEST_RNG_SEED"):  # CI judges a landing on the same cases as the one before, as in Rust
    hypothesis.settings.load_profile("landing")

LONGEST = (
    "hostile/test_hostile",
    "cli/test_load",
    "cli/test_sweep",
    "hosts/test_sandbox",
    "cli/test_killed",
    "cli/test_link",
)
"""The files that take longest come first, so that two at a time end together."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files in the order in which they are handed out (with `--no-loadscope-reorder`)."""
    here = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        name = item.path.relative_to(here).with_suffix("").as_posix()
        return LONGEST.index(name) if name in LONGEST else len(LONGEST)

    items.sort(key=place)


SCRIPT: tuple[tuple[str, ...], ...] = (
    ("grep -rn 'def ' .", "ls -la pkg"),
    ("sed -n '1,3p' pkg/one.py", "cat pkg/two.py", "find . -name '*.py' | sort"),
    ("python3 -c \"open('made.txt', 'w').write('made')\"",),
    ("sed -i 's/alpha/beta/' pkg/one.py",),
    ("cat pkg/one.py made.txt",),
    ("grep -c beta pkg/one.py; grep -n nothing pkg/*.py",),
)


@pytest.fixture
def receipt() -> Callable[..., Path]:
    """What writes the receipt of a proof, given its name and figures."""
    return write_receipt


@pytest.fixture(scope="session")
def small_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A little package."""
    root = tmp_path_factory.mktemp("workspace") / "code"
    (root / "pkg").mkdir(parents=True)
    (root / "pkg" / "one.py").write_text("def alpha():\n    return 1\n\n\ndef other():\n    return alpha()\n")
    (root / "pkg" / "two.py").write_text("from pkg.one import alpha\n\n\ndef two():\n    return 2 * alpha()\n")
    (root / "README.md").write_text("# A little package\n")
    return root


@pytest.fixture(scope="session")
def record(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Trace]:
    """Return a function that really runs a script of turns on a workspace and returns the trace."""

    def run(workspace: Path, script: tuple[tuple[str, ...], ...] = SCRIPT, trace_id: str = "small") -> Trace:
        root = pristine_copy(workspace, tmp_path_factory.mktemp("recording") / "copy")
        turns = []
        with registry.load("client-subprocess").open(World(root=root)) as session:
            for t, commands in enumerate(script):
                calls = []
                for c, command in enumerate(commands):
                    call = ToolCall(f"call-{t}-{c}", "bash", {"command": command})
                    before = snapshot(root)
                    result = session.call(call)
                    assert result.failed is None
                    delta = diff(before, snapshot(root), root) if classify.effect(call) != "read" else None
                    observed = replace(result.observation, duration_ns=result.wall_ns)
                    calls.append(RecordedCall(call, observed, delta))
                user = (Message("user", "Look around."),) if t == 0 else ()
                turns.append(Turn(f"Step {t}.", tuple(calls), before=user, output_tokens=12 + t))
        turns.append(Turn("Done.", (), output_tokens=3))
        place = Workspace(kind="path", source=str(workspace))
        return Trace(trace_id, place, tuple(turns), agent="test", agent_version="1", task="Look around.")

    return run


@pytest.fixture(scope="session")
def small_trace(small_workspace: Path, record: Callable[..., Trace]) -> Trace:
    """A trace of six turns with parallel reads, an edit, and a call that is answered from the recording."""
    return record(small_workspace)


@pytest.fixture(scope="session")
def granted(small_workspace: Path) -> tuple[str, str]:
    """The options that grant the small trace its workspace."""
    return "--workspace", str(small_workspace)


@pytest.fixture
def small_trace_file(small_trace: Trace, tmp_path: Path) -> Path:
    """The small trace as a native file."""
    path = tmp_path / "small.json"
    codec.save(replace(small_trace), path)
    assert json.loads(path.read_text())
    return path


@pytest.fixture(scope="session")
def small_trace_for_all(small_trace: Trace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small trace as a native file that nobody changes."""
    path = tmp_path_factory.mktemp("trace") / "small.json"
    codec.save(small_trace, path)
    return path
