"""Small files that stand for gigabytes are refused before they are read into memory; no nesting is too deep "
"to say so."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from curserve_traces import budget, codec
from curserve_traces.errors import TooLarge, TraceError
from curserve_traces.files import parse_json

NATIVE = b'{"schema_version": "ATIF-v1.7", "extra": {"curserve": {"version": 1, "x": %s}}, "steps": []}'
LINE = b'{"type": "user", "message": {"role": "user", "content": %s}}\n'
SIZE = 12_000_000

BOMBS: dict[str, Callable[[], bytes]] = {
    "lists": lambda: NATIVE % (b"[" + b"[]," * (SIZE // 3) + b"[]]"),
    "objects": lambda: NATIVE % (b"[" + b"{}," * (SIZE // 3) + b"{}]"),
    "keys": lambda: NATIVE % (b"{" + b",".join(b'"%x":0' % n for n in range(SIZE // 9)) + b"}"),
    "nested": lambda: NATIVE % (b"[" * (SIZE // 2) + b"]" * (SIZE // 2)),
    "wide text": lambda: NATIVE % (b'"' + "\U0001f600".encode() + b"x" * 20 * SIZE + b'"'),
    "escapes": lambda: NATIVE % (b'"' + rb"\ud83d\ude00" * (SIZE // 4) + b'"'),
    "zeros": lambda: b"\0" * 60 * SIZE,
    "one line": lambda: LINE % (b"[" + b"{}," * (SIZE // 3) + b"{}]"),
    "lines": lambda: (LINE % (b"[" + b"[]," * 300 + b"[]]")) * (SIZE // 900),
    "a list": lambda: b"[" + b'{"a":0},' * (SIZE // 8) + b"{}]",
}
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "json": lambda data: data,
    "json.gz": lambda data: gzip.compress(data, 1),
    "json.zst": lambda data: zstandard.ZstdCompressor().compress(data),
    "jsonl": lambda data: data,
}
READ = r"""
import re, sys
from curserve_traces import budget, codec
from curserve_traces.errors import TraceError
budget.available = lambda: 700 << 20
try:
    codec.load_all(sys.argv[1])
except TraceError as error:
    print(error)
else:
    print("read")
print(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1])
"""


@pytest.mark.parametrize(
    ("bomb", "packed"), [*((bomb, "json.gz") for bomb in BOMBS), *(("objects", packed) for packed in PACKED)]
)
def test_a_bomb_takes_no_more_than_there_is(bomb: str, packed: str, tmp_path: Path) -> None:
    """Of 700 MB that are left: refused, or read within them."""
    file = tmp_path / f"bomb.{packed}"
    file.write_bytes(PACKED[packed](BOMBS[bomb]()))
    done = subprocess.run([sys.executable, "-c", READ, file], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    *said, peak_kb = done.stdout.splitlines()
    assert int(peak_kb) < 700 * 1024, done.stdout
    assert len(said) == 1
    assert said[0] == "read" or "bomb.json" in said[0]


def test_a_pipe_or_a_device_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    for path in (tmp_path / "pipe.json", Path("/dev/zero"), tmp_path):
        with pytest.raises(TraceError, match=str(path)):
            codec.load_all(path)


@pytest.mark.parametrize("depth", [1, 100, 199, 201, 254, 1000, 5000, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_what_is_read_can_be_written(opening: str, closing: str, depth: int) -> None:
    text = opening * depth + "1" + closing * depth
    if depth > budget.DEEPEST:
        with pytest.raises(TraceError, match=r"deep|not JSON"):
            parse_json(text.encode(), "x", budget.DEEPEST)
    else:
        assert json.dumps(parse_json(text.encode(), "x", budget.DEEPEST), separators=(",", ":")) == text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(json_values)
def test_the_cost_is_an_upper_bound(value: object) -> None:
    data = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    wide = 4 if not data.isascii() or b"\\u" in data else 1
    assert _size(json.loads(data.decode("utf-8", "surrogatepass"))) <= budget.cost(data) + wide * len(data) + 200


def _size(value: object) -> int:
    """What a value takes, its parts included; strings by their characters, small numbers none."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = sys.getsizeof(value) if isinstance(value, list | dict) else 0
    if isinstance(value, str):
        own = sys.getsizeof(value) - sys.getsizeof("")
    return own + sum(map(_size, inner))


def test_the_memory_of_a_control_group_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group = tmp_path / "memory/a/b"
    group.mkdir(parents=True)
    for folder, limit, used in (
        (tmp_path / "memory", 1 << 62, 0),
        (group.parent, 700 << 20, 500 << 20),
        (group, 1 << 62, 0),
    ):
        (folder / "memory.limit_in_bytes").write_text(str(limit))
        (folder / "memory.usage_in_bytes").write_text(str(used))
        (folder / "memory.stat").write_text("total_inactive_file 1048576\n")
    assert min(budget._left_in(tmp_path / "memory", "/a/b", *budget._FILES[True])) == (201 << 20)
    monkeypatch.setattr(budget, "available", lambda: 2 << 20)
    with pytest.raises(TooLarge, match="can be had"):
        budget.need(2 << 20, "x")
