"""The native format keeps everything, and says in one line what is wrong with a file."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curserve_traces import codec
from curserve_traces.errors import MalformedTrace, TraceError, UnknownFormat, UnknownSchema
from curserve_traces.model import (
    FileChange,
    Observation,
    RecordedCall,
    ToolCall,
    Trace,
    Turn,
    Workspace,
    WorkspaceDelta,
)

from .samples import SAMPLES
from .strategies import traces

NATIVE_HEAD = b'{"schema_version": "ATIF-v1.7", "extra": {"curserve": {"version": 1}}'


def a_trace(**fields: object) -> Trace:
    call = ToolCall("c1", "bash", {"command": "cat data.bin"}, cwd="/testbed")
    seen = Observation(exit_code=0, stdout=b"\xff\xfe raw", stderr=b"warn", duration_ns=5)
    delta = WorkspaceDelta((FileChange("a/b.py", None, "sha256:00", content=b"\x80"),))
    turn = Turn("I look.", (RecordedCall(call, seen, delta),), started_at_ns=1_700_000_000_123_456_789)
    workspace = Workspace("sdist", "flask", "3.0", "ab" * 32)
    return Trace(id="t", workspace=workspace, turns=(turn,), **fields)  # type: ignore[arg-type]


@given(traces)
@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_round_trip_loses_nothing(trace: Trace) -> None:
    assert codec.loads(codec.dump(trace)) == trace


@given(traces)
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_every_written_file_obeys_the_published_schema(trace: Trace) -> None:
    from curserve_traces.schema import violations

    assert violations(json.loads(codec.dump(trace))) == []


@pytest.mark.parametrize("suffix", [".json", ".json.gz", ".json.zst"])
def test_files_are_written_whole_and_read_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t{suffix}"
    codec.save(a_trace(), path)
    assert codec.load(path) == a_trace()
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_lone_surrogates_survive() -> None:
    trace = a_trace(task="a \ud800 b")
    assert codec.loads(codec.dump(trace)) == trace


def test_bytes_that_are_not_utf8_are_kept() -> None:
    read = codec.loads(codec.dump(a_trace()))
    assert read.turns[0].calls[0].observation == a_trace().turns[0].calls[0].observation


@pytest.mark.parametrize(
    ("data", "error", "says"),
    [
        (b"", MalformedTrace, "empty"),
        (b"{", MalformedTrace, "not JSON"),
        (b'{"a": 1}', UnknownFormat, "no importer recognises it"),
        (b"\x00\x01\x02", UnknownFormat, "no importer recognises it"),
        (b"[" * 100_000, MalformedTrace, "not JSON"),
        (b'{"schema_version": "ATIF-v9.0", "steps": []}', UnknownSchema, "ATIF-v9.0"),
        (b'{"schema_version": "ATIF-v1.7", "extra": {"curserve": {"version": 99}}}', UnknownSchema, "99"),
        (b'{"schema_version": "ATIF-v1.7", "extra": {"curserve": {"version": 1}}}', MalformedTrace, "steps"),
        (NATIVE_HEAD + b', "steps": [7]}', MalformedTrace, "steps[0]"),
        (gzip.compress(b"{}", mtime=0)[:-9], MalformedTrace, "gzip"),
        (b"\x28\xb5\x2f\xfd broken", MalformedTrace, "zstd"),
    ],
)
def test_a_bad_file_gets_one_clear_line(tmp_path: Path, data: bytes, error: type[TraceError], says: str) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(data)
    with pytest.raises(error) as caught:
        codec.load(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_gets_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="cannot be read"):
        codec.load(tmp_path / "absent.json")


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "a/../../b", "", "a\0b"])
def test_a_delta_that_leaves_the_workspace_is_refused(path: str) -> None:
    document = json.loads(codec.dump(a_trace()))
    document["steps"][0]["tool_calls"][0]["extra"]["curserve"]["delta"][0]["path"] = path
    with pytest.raises(MalformedTrace, match="leaves the workspace"):
        codec.loads(json.dumps(document).encode())


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_damage_raises_nothing_but_trace_errors(data: st.DataObject) -> None:
    good = bytearray(codec.dump(a_trace(task="hello")))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(good) - 1))
        match data.draw(st.sampled_from(["cut", "flip", "drop"])):
            case "cut":
                del good[max(at, 1) :]
            case "flip":
                good[at] = data.draw(st.integers(0, 255))
            case "drop":
                del good[at : at + data.draw(st.integers(1, 30))]
        if not good:
            return
    try:
        codec.loads(bytes(good))
    except TraceError as error:
        assert "\n" not in str(error)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_fields_of_the_wrong_type_raise_nothing_but_trace_errors(data: st.DataObject) -> None:
    document = json.loads(codec.dump(a_trace(task="hello")))
    node = document
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            return
        key = data.draw(st.sampled_from(keys))
        if isinstance(node[key], dict | list) and data.draw(st.booleans()):
            node = node[key]
            continue
        node[key] = data.draw(st.sampled_from([None, 1, "x", [], {}, True, -1.5, [None], {"curserve": 3}]))
        break
    try:
        codec.loads(json.dumps(document).encode())
    except TraceError as error:
        assert "\n" not in str(error)


def test_a_file_may_hold_several_traces(tmp_path: Path) -> None:
    kind, row = SAMPLES["openhands-v0 output"]
    assert kind == "openhands-v0"
    path = tmp_path / "output.jsonl"
    path.write_bytes(row + row.replace(b'"instance_id": "i"', b'"instance_id": "j"'))
    both = codec.load_all(path)
    assert len({trace.id for trace in both}) == 2
    with pytest.raises(MalformedTrace, match="holds 2 traces"):
        codec.load(path)
