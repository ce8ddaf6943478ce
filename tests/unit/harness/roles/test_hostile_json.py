"""Whatever JSON comes in, from a client or on the control channel, the answer is one clear line."""

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curserve_engines.cell.spec import BadMessage, CellSpec, Model, cell_from_json
from curserve_harness.llm import requests
from curserve_harness.llm.errors import ApiError
from curserve_harness.play.replies import BadReply, ChatReply, ItemReply
from curserve_harness.roles.channel import read_message

SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=5)
KEYS = st.sampled_from(
    (
        "messages role content model stream n stream_options input type previous_response_id user assistant "
        "function_call choices delta tool_calls index function error output response item usage op"
    ).split()
)
JSON = st.recursive(
    SCALARS | KEYS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=25,
)


@settings(deadline=None, max_examples=300)
@given(JSON)
def test_a_request_is_read_or_refused(value):
    for read in (requests.read_chat, requests.read_responses):
        with contextlib.suppress(ApiError):
            read(requests.read_json(json.dumps(value).encode()))


@settings(deadline=None, max_examples=300)
@given(JSON)
def test_an_answer_is_read_or_refused(value):
    data = json.dumps(value).encode()
    for reader in (ChatReply, ItemReply):
        with contextlib.suppress(BadReply):
            reader().event(data)
        with contextlib.suppress(BadReply):
            reader.whole(data)


CELL = CellSpec(
    run="r", block=0, cell=1, trace="t", engine="e", placement="client", model=Model("m", 1, 1, 1.0)
).to_json()


@settings(deadline=None)
@given(st.sampled_from([*CELL, "colour"]), JSON)
def test_a_cell_is_read_or_refused(field, value):
    with contextlib.suppress(BadMessage):
        cell_from_json({**CELL, field: value})


@given(st.binary(max_size=40) | JSON.map(lambda v: json.dumps(v).encode()))
def test_a_control_line_is_read_or_refused(line):
    with contextlib.suppress(BadMessage):
        assert isinstance(read_message(line)["op"], str)


def test_a_model_time_that_is_no_number_is_refused():
    for broken in ("soon", None, -1, True):
        with pytest.raises(BadMessage, match="tpot_ns"):
            cell_from_json({**CELL, "model": {**CELL["model"], "tpot_ns": broken}})
