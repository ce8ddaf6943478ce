"""A small file that unpacks to gigabytes, or whose JSON becomes gigabytes, is refused before it does."""

import gzip
import io
import json
import resource
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from curserve_traces import budget

CHILD = """
import sys
from pathlib import Path
from curserve_traces.importers.run import import_path
def peak():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
out = Path(sys.argv[2])
out.mkdir()
for outcome in import_path(Path(sys.argv[1]), out):
    print(outcome.refused or [kept for _, kept in outcome.imported][:1])
print(peak())
"""
MOST_KIB = (2 * budget.MOST + (160 << 20)) >> 10
"""What an import may take: the value, what is made of it, and the interpreter with its libraries."""

EMPTY = b"[],"
HEADER = ("header.json", b'{"eval": {"task": "t", "model": "m"}}')


def sample(events: bytes) -> bytes:
    return b'{"id": 1, "epoch": 1, "events": [' + events + b"0]}"


def eval_log(events: bytes, how: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as opened:
        for name, data in (HEADER, ("samples/1_epoch_1.json", sample(events))):
            opened.writestr(name, data)
    return out.getvalue()


def text_of_json(size: int) -> bytes:
    """Return a call's arguments as JSON text in JSON, which an importer parses too."""
    call = {"id": "1", "type": "function", "function": {"name": "bash", "arguments": "[" + "[]," * size + "0]"}}
    row = {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [call]}]}
    return json.dumps(row).encode()


BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "empty lists in a log": ("a.eval", lambda: eval_log(EMPTY * 15_000_000)),
    "empty objects in a log": ("a.eval", lambda: eval_log(b"{}," * 15_000_000)),
    "a rare character in a long string": (
        "a.eval",
        lambda: eval_log(b'"' + b"x" * 300_000_000 + "\U0001f600".encode() + b'",'),
    ),
    "a member of a gigabyte": ("a.eval", lambda: eval_log(b" " * (600 << 20))),
    "an unusual packing": ("a.eval", lambda: eval_log(EMPTY, zipfile.ZIP_BZIP2)),
    "lines in gzip": ("a.jsonl.gz", lambda: gzip.compress(b'{"role": "user", "content": "x"}\n' * 20_000_000, 1)),
    "lines in zstd": (
        "a.jsonl.zst",
        lambda: zstandard.ZstdCompressor(level=1).compress(b'{"role": "user", "content": "x"}\n' * 20_000_000),
    ),
    "one line of lists": ("a.jsonl.gz", lambda: gzip.compress(b'{"a": [' + EMPTY * 15_000_000 + b"0]}\n{}\n", 1)),
    "arguments that are JSON": ("a.json", lambda: text_of_json(20_000_000)),
    "a table of contents": ("a.zip", lambda: table_of_contents(300)),
}  # fmt: skip


def table_of_contents(count: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as opened:
        for number in range(count):
            opened.writestr(f"{number}-{'n' * 60_000}", b"")
    return out.getvalue()


@pytest.mark.parametrize("bomb", BOMBS, ids=list(BOMBS))
def test_a_small_recording_takes_no_more_memory_than_is_said(tmp_path: Path, bomb: str) -> None:
    name, make = BOMBS[bomb]
    (tmp_path / name).write_bytes(make())
    done = subprocess.run(
        [sys.executable, "-c", CHILD, tmp_path / name, tmp_path / "out"],
        capture_output=True, text=True, check=False, timeout=240,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30)),
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    *said, peak = done.stdout.splitlines()
    assert int(peak) < MOST_KIB
    if bomb != "arguments that are JSON":  # kept as the text that they are
        assert len(said) == 1
        assert any(word in said[0] for word in ("unpack", "memory", "table of contents", "no importer")), said
