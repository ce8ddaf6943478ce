"""Numbers and times of a recording that are odd but possible: what is imported can be written and read again."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from curserve_traces import codec
from curserve_traces.errors import TraceError

from .samples import SAMPLES

NUMBER = re.compile(rb'(?<![\w."\\-])\d+(?:\.\d+)?(?![\w."\\-])')
DAY = re.compile(rb"\d{4}-\d\d-\d\d(?=T)")
LARGE = (b"9223372036854775807", b"4611686018427387904", b"3999999999999", b"3999999999", b"1e300")


@pytest.mark.parametrize("name", SAMPLES)
def test_a_number_or_a_day_may_be_anything(name: str, tmp_path: Path) -> None:
    data = SAMPLES[name][1]
    places = [(found, large) for found in NUMBER.finditer(data) for large in LARGE]
    places += [(found, day) for found in DAY.finditer(data) for day in (b"9999-12-31", b"0001-01-01")]
    file = tmp_path / f"{name}.json"
    for found, other in places:
        file.write_bytes(data[: found.start()] + other + data[found.end() :])
        try:
            traces = codec.load_all(file)
        except TraceError:
            continue
        for trace in traces:
            assert codec.loads(codec.dump(trace)) == trace, (found, other)


def a_chat(arguments: str) -> str:
    """Return a recorded chat of one call; `arguments` is JSON."""
    call = '{"id": "a", "type": "function", "function": {"name": "f", "arguments": ' + arguments + "}}"
    asked = '{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": ['
    return '{"messages": [' + asked + call + "]}]}"


@pytest.mark.parametrize("open_, close", [("[", "]"), ('{"a": ', "}")])
def test_arguments_may_be_as_deep_as_they_are_taken(open_: str, close: str, tmp_path: Path) -> None:
    taken = 0
    for levels in range(1, 260, 3):
        deep = f'{{"v": {open_ * levels}1{close * levels}}}'
        for data in (a_chat(deep), a_chat(json.dumps(deep))):
            (tmp_path / "chat.json").write_text(data)
            try:
                (trace,) = codec.load_all(tmp_path / "chat.json")
            except TraceError:
                continue
            assert codec.loads(codec.dump(trace)) == trace
            taken += 1
    assert taken > 60
