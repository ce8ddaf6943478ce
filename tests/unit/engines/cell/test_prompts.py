"""What a model is given is the same wherever its tools run: definitions with types, messages, calls as written."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curserve_engines.cell.prompts import before, tool_definitions
from curserve_engines.cell.spoken import spoken
from curserve_traces.model import Message, RecordedCall, ToolCall, Trace, Turn, Workspace


def trace_of(*calls, **fields):
    return Trace(id="t", workspace=Workspace(), turns=(Turn(calls=tuple(map(RecordedCall, calls))),), **fields)


def test_definitions_are_made_of_the_calls_with_the_types_of_their_arguments():
    asked = {"path": "a", "limit": 3, "deep": True, "share": 0.5, "names": ["x"], "more": {}, "none": None}
    (found,) = tool_definitions(trace_of(ToolCall("c", "read", asked), ToolCall("d", "read", {"offset": 1})))
    types = {name: kind["type"] for name, kind in found["parameters"]["properties"].items()}
    assert types == {
        "path": "string", "limit": "integer", "deep": "boolean", "share": "number", "names": "array",
        "more": "object", "none": "string", "offset": "integer",
    }  # fmt: skip
    assert found["name"] == "read"


def test_a_tool_has_the_name_and_the_arguments_that_the_model_wrote():
    call = ToolCall("c", "bash", {"command": "ls"}, original_name="run_shell", original_arguments={"cmd": "ls"})
    (found,) = tool_definitions(trace_of(call))
    assert (found["name"], list(found["parameters"]["properties"])) == ("run_shell", ["cmd"])
    said = spoken(RecordedCall(call), 0, 0)
    assert (said.id, said.name, json.loads(said.arguments)) == ("c", "run_shell", {"cmd": "ls"})


def test_recorded_definitions_travel_as_they_were():
    recorded = [{"type": "function", "function": {"name": "f", "parameters": {}}}, {"name": "g"}]
    found = tool_definitions(trace_of(ToolCall("c", "bash", {}), extra={"tool_definitions": recorded}))
    assert found == [{"name": "f", "parameters": {}}, {"name": "g"}]


@pytest.mark.parametrize(
    ("task", "first"), [("mend it", "mend it"), (None, "The task was not recorded."), ("\ud800", "?")]
)
def test_a_recording_that_begins_with_the_model_gets_its_task_first(task, first):
    turns = (Turn(), Turn(before=(Message("user", "go on"),)), Turn())
    trace = Trace(id="t", workspace=Workspace(), turns=turns, task=task)
    assert before(trace, 0) == [{"role": "user", "content": first}]
    assert before(trace, 1) == [{"role": "user", "content": "go on"}]
    assert before(trace, 2) == []


@given(st.text(), st.text(), st.dictionaries(st.text(), st.text() | st.integers() | st.floats(), max_size=3))
def test_whatever_was_recorded_is_spoken_as_json(identity, name, asked):
    call = RecordedCall(ToolCall(identity, "other", asked, original_name=name))
    said = spoken(call, 3, 1)
    assert isinstance(json.loads(said.arguments), dict)
    assert said.id == "call_3_1" or identity
    for text in (said.id, said.name, said.arguments):
        text.encode()


def test_a_call_without_an_id_is_named_by_its_place():
    assert spoken(RecordedCall(ToolCall("", "bash", {})), 3, 1).id == "call_3_1"
