"""Hypothesis strategies for every value of the trace model."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from curserve_traces.model import (
    TOOLS,
    FileChange,
    Message,
    Observation,
    RecordedCall,
    ToolCall,
    Trace,
    Turn,
    Workspace,
    WorkspaceDelta,
)

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
some_text = st.none() | text
number = st.none() | st.integers(0, 2**62)
scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
values: st.SearchStrategy[Any] = st.recursive(
    scalars | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(text, values, max_size=3)
names = st.text("abcdefgh.-_é ", min_size=1, max_size=8).filter(lambda name: name not in (".", ".."))
paths = st.lists(names, min_size=1, max_size=3).map("/".join)

calls = st.builds(
    ToolCall,
    id=text,
    tool=st.sampled_from(TOOLS),
    arguments=objects,
    cwd=some_text,
    original_name=some_text,
    original_arguments=st.none() | objects,
)
observations = st.builds(
    Observation,
    exit_code=st.none() | st.integers(-1, 255),
    stdout=st.binary(max_size=60) | text.map(str.encode),
    stderr=st.binary(max_size=20) | st.just(b""),
    merged=st.booleans(),
    text=some_text,
    started_at_ns=number,
    duration_ns=number,
    is_error=st.none() | st.booleans(),
)
changes = st.builds(
    FileChange,
    path=paths,
    before=some_text,
    after=some_text,
    kind=st.sampled_from(["file", "link", "folder"]),
    mode=st.none() | st.integers(0, 0o7777),
    content=st.none() | st.binary(max_size=40),
)
deltas = st.builds(WorkspaceDelta, changes=st.lists(changes, max_size=3).map(tuple))
recorded = st.builds(
    RecordedCall,
    call=calls,
    observation=st.none() | observations,
    delta=st.none() | deltas,
    not_executed=st.none() | text,
    extra=objects,
)
turns = st.builds(
    Turn,
    text=text,
    calls=st.lists(recorded, max_size=3).map(tuple),
    before=st.lists(st.builds(Message, role=st.sampled_from(["system", "user"]), text=text), max_size=2).map(
        tuple
    ),
    reasoning=some_text,
    model=some_text,
    prompt_tokens=number,
    cached_tokens=number,
    output_tokens=number,
    started_at_ns=number,
    model_ns=number,
    extra=objects,
)
workspaces = st.builds(
    Workspace,
    kind=st.sampled_from(["path", "wheel", "sdist", "git", "none"]),
    source=some_text,
    version=some_text,
    sha256=some_text,
    at=text.filter(bool),
    digest=some_text,
    licence=some_text,
)
filled = text.filter(bool)
traces = st.builds(
    Trace,
    id=filled,
    workspace=workspaces,
    turns=st.lists(turns, max_size=3).map(tuple),
    agent=filled,
    agent_version=filled,
    model=some_text,
    task=some_text,
    origin=some_text,
    licence=some_text,
    shell=st.sampled_from(["fresh", "persistent"]),
    truncate_chars=number,
    extra=objects,
)
