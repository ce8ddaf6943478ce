"""Every file that we write for somebody is written by `curserve_traces.output`; what writes otherwise says why.

What it guards: a device, a FIFO or a link that was named as output is not replaced by a regular file, a full disk
leaves the old one, and a reader sees one of the two.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("traces", "netem", "engines", "results", "harness")

WRITERS = {
    "write_text", "write_bytes", "savefig", "write_parquet", "sink_parquet", "write_csv", "copyfile", "copy",
    "copy2", "copytree", "move", "replace", "rename", "symlink_to", "NamedTemporaryFile", "mkstemp",
}  # fmt: skip
"""Methods and functions that make, fill or replace a file."""

KERNEL = "files of the kernel's"
OURS = "a folder that we have just made, and nobody else knows"
SERVED = "in vLLM's environment, in the folder that the server was given"
ALLOWED = {
    "engines/curserve_engines/sandbox/cgroups.py": {"open": KERNEL, "write_text": KERNEL},
    "engines/curserve_engines/sandbox/landlock.py": {"copy": OURS},
    "engines/curserve_engines/sandbox/selftest.py": {"write_text": OURS},
    "engines/curserve_engines/sandbox/skeleton.py": {"symlink_to": OURS, "write_text": OURS},
    "engines/curserve_engines/sandbox/sources.py": {"copyfile": OURS},
    "engines/curserve_engines/vllm/cells.py": {"write_text": SERVED},
    "engines/curserve_engines/vllm/responses_loop.py": {"replace": SERVED, "write_text": SERVED},
    "engines/curserve_engines/vllm/stamps.py": {"open": SERVED},
    "engines/curserve_engines/vllm/tiny.py": {"write_text": SERVED},
    "harness/curserve_harness/bench/agents/known.py": {"write_text": OURS},
    "harness/curserve_harness/bench/agents/model.py": {"open": OURS},
    "harness/curserve_harness/bench/agents/play.py": {"open": OURS, "write_text": OURS},
    "harness/curserve_harness/cli/bench_agents.py": {"copytree": OURS},
    "harness/curserve_harness/bench/search/corpora.py": {"copyfile": OURS, "rename": OURS},
    "harness/curserve_harness/bench/search/measure.py": {
        "write_bytes": "an edit of the corpus, which is measured"
    },
    "harness/curserve_harness/console/streams.py": {"open": "/dev/null"},
    "harness/curserve_harness/gate/revisions.py": {"open": "a log in the gate's new folder"},
    "harness/curserve_harness/run/cell_runner.py": {"copy": "PreparedTraces': a pristine copy"},
    "harness/curserve_harness/run/role_process.py": {"open": OURS},
    "harness/curserve_harness/sweep/cells.py": {"rename": "a cell's own folder, within the sweep's"},
    "harness/curserve_harness/traces/perform.py": {"symlink_to": OURS},
    "harness/curserve_harness/traces/record/shims.py": {"write_bytes": OURS},
    "harness/curserve_harness/vllm/process.py": {"open": OURS},
    "netem/curserve_netem/devices.py": {"write_text": KERNEL},
    "netem/curserve_netem/namespaces.py": {"write_text": KERNEL},
    "results/curserve_results/baseline.py": {"copyfile": "into a new folder, by descriptor", "rename": "of it"},
    "traces/curserve_traces/beneath/folder.py": dict.fromkeys(("fdopen", "open", "rename"), "beneath a folder"),
    "traces/curserve_traces/beneath/replacing.py": {"rename": "beneath a folder"},
    "traces/curserve_traces/fetch.py": {"open": OURS},
    "traces/curserve_traces/output.py": {"open": "it is the function", "rename": "likewise"},
    "traces/curserve_traces/scratch.py": {"rename": OURS},
    "traces/curserve_traces/unpack/__init__.py": {"rename": "a Folder's"},
    "traces/curserve_traces/workspace.py": {"rename": "the tree that we made, within our cache"},
}
"""What writes by itself, and into what."""


def writes(path: Path) -> set[str]:
    """Return what of WRITERS a module calls, and `open` where that is not for reading."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        if (name in WRITERS and not is_text_or_value(node)) or (name in ("open", "fdopen") and may_write(node)):
            found.add(name)
    return found


def is_text_or_value(call: ast.Call) -> bool:
    """Whether `replace`, `copy` and the like are of a text, a value or a memory buffer, and no file."""
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else ""
    if name == "" or name == "replace":
        return not (isinstance(function, ast.Attribute) and len(call.args) == 1 and not call.keywords)
    first = call.args[0] if call.args else None
    if name in ("savefig", "write_parquet", "write_csv"):
        return first is None or (isinstance(first, ast.Name) and first.id in BUFFERS)
    return name == "rename" and isinstance(first, ast.Dict)


BUFFERS = {"buffer", "encoded", "drawn"}
"""What a BytesIO is called."""


def may_write(call: ast.Call) -> bool:
    """Whether an `open` makes or changes what it opens, as far as its arguments say."""
    given = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg in ("mode", "flags"))]
    modes = [arg.value for arg in given if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
    flags = {node.attr for arg in given for node in ast.walk(arg) if isinstance(node, ast.Attribute)}
    return any(set(mode) & set("wax+") and len(mode) <= 3 for mode in modes) or bool(
        flags & {"O_CREAT", "O_TRUNC", "O_WRONLY", "O_APPEND"}
    )


def modules() -> list[str]:
    return sorted(
        str(path.relative_to(ROOT))
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        if "recorded" not in path.relative_to(ROOT).parts
    )


def test_every_writer_is_the_one_function_or_argued_for() -> None:
    found = {name: sorted(writes(ROOT / name) - ALLOWED.get(name, {}).keys()) for name in modules()}
    assert {name: calls for name, calls in found.items() if calls} == {}


def test_what_is_argued_for_is_there() -> None:
    gone = {name: sorted(set(calls) - writes(ROOT / name)) for name, calls in ALLOWED.items()}
    assert {name: calls for name, calls in gone.items() if calls} == {}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("path.write_text('x')", {"write_text"}),
        ("open(path, 'w')", {"open"}),
        ("path.open('ab')", {"open"}),
        ("path.open(mode='x')", {"open"}),
        ("os.open(path, os.O_WRONLY | os.O_CREAT)", {"open"}),
        ("aside.replace(path)", {"replace"}),
        ("os.replace", set()),
        ("shutil.copyfile(a, b)", {"copyfile"}),
        ("frame.write_parquet(path)", {"write_parquet"}),
        ("frame.write_parquet(encoded)", set()),
        ("figure.savefig(path)", {"savefig"}),
        ("text.replace('a', 'b')", set()),
        ("replace(link, rtt=1)", set()),
        ("frame.rename({'a': 'b'})", set()),
        ("path.open('rb')", set()),
        ("open(path)", set()),
    ],
)
def test_the_lint_finds_what_it_forbids(text: str, found: set[str], tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(text)
    assert writes(module) == found
