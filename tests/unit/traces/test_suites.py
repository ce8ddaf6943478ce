"""The bundled suites: real, pinned, permissively licensed, and in the shape that the main job needs."""

from __future__ import annotations

import pytest

from curserve_traces import suites
from curserve_traces.classify import effect, parallel
from curserve_traces.errors import TraceError
from curserve_traces.files import parse_json, read_bytes
from curserve_traces.schema import violations

PERMISSIVE = {"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "MIT", "PSF-2.0"}


@pytest.mark.parametrize("name", suites.names())
def test_every_trace_is_pinned_and_complete(name: str) -> None:
    for trace in suites.load_suite(name):
        place = trace.workspace
        assert place.kind in ("sdist", "wheel")
        assert place.source
        assert place.version
        assert place.sha256
        assert place.digest
        assert trace.task
        assert trace.origin
        assert trace.licence
        assert place.licence in PERMISSIVE
        for _, _, recorded in trace.calls():
            assert recorded.observation is not None
            assert recorded.observation.exit_code is not None
            assert recorded.delta is not None or effect(recorded.call) == "read"
        assert all(turn.output_tokens for turn in trace.turns)


@pytest.mark.parametrize("name", suites.names())
def test_every_file_obeys_the_published_schema(name: str) -> None:
    for path in suites.files(name):
        assert violations(parse_json(read_bytes(path), str(path))) == []


def test_quick_is_small_and_shows_every_label() -> None:
    traces = suites.load_suite("quick")
    turns = [turn for trace in traces for turn in trace.turns]
    assert len(traces) == 3
    assert len(turns) <= 34
    effects = {effect(recorded.call) for turn in turns for recorded in turn.calls}
    assert effects == {"read", "edit", "other"}
    assert any(parallel(turn) for turn in turns)


def test_an_unknown_suite_is_named_with_those_there_are() -> None:
    with pytest.raises(TraceError, match=r"'nope' is not bundled; there are: .*quick"):
        suites.load_suite("nope")
