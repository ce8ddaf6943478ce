"""Step times are read as written, add up as `core/sched` adds them, and say what is wrong with a file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curserve_harness.console.exits import BadInput
from curserve_harness.plan import step_time

TABLE = '[m.g]\nbase_ms = 1\nprefill_us = 2\ndecode_us = 3.5\nkv_ns = 4\npair_ns = 0.25\nsource = "measured"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "steps.toml"
    path.write_text(text)
    return path


def test_the_bundled_machines_have_the_published_terms() -> None:
    machines = step_time.load()
    h100 = step_time.find("Llama-8B", "H100", machines).step
    # The same sums stand in core/sched/src/step_time.rs.
    assert h100.ns(decodes=32, kv_tokens=32 * 4000) == 12_037_200
    assert h100.ns(prefill_tokens=8192, pairs=8192 * 8193 // 2) == 165_351_637
    assert h100.ns() == 0
    assert {gpu for model, gpu in machines if model == "llama-8b"} == {"h100", "h200", "b200"}
    assert all("aiconfigurator" in machine.source for machine in machines.values())


def test_a_users_file_goes_over_the_bundled_one(tmp_path: Path) -> None:
    machines = step_time.load(written(tmp_path, TABLE.replace("[m.g]", "[llama-8b.h100]")))
    found = step_time.find("llama-8b", "h100", machines).step
    assert found == step_time.StepTime(10**9, 2 * 10**6, 3_500_000, 4000, 250)
    assert ("llama-8b", "h200") in machines


@given(st.integers(1, 10**12), st.lists(st.integers(0, 10**6), min_size=4, max_size=4), st.data())
def test_a_step_is_never_shorter_than_its_parts(base: int, terms: list[int], data: st.DataObject) -> None:
    step = step_time.StepTime(base, *terms)
    counts = data.draw(st.lists(st.integers(0, 10**5), min_size=4, max_size=4))
    names = ("prefill_tokens", "decodes", "kv_tokens", "pairs")
    exact = (base + sum(term * count for term, count in zip(terms, counts, strict=True))) / 1000
    found = step.ns(**dict(zip(names, counts, strict=True)))
    assert found == 0 if not any(counts) else abs(found - exact) <= 0.5 + exact * 1e-12


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (TABLE.replace("kv_ns = 4\n", ""), r"\[m\.g\]: kv_ns must be a number from 0 to 1e\+06, got None"),
        (TABLE.replace("= 4\n", "= -4\n"), r"kv_ns must be a number from 0 to 1e\+06, got -4"),
        (TABLE.replace("= 4\n", "= nan\n"), r"kv_ns must be .* got nan"),
        (TABLE.replace("= 4\n", "= true\n"), r"kv_ns must be .* got True"),
        (TABLE.replace("= 1\n", "= 0\n"), r"base_ms must be a number above 0 to 10000, got 0"),
        (TABLE.replace("= 1\n", "= 10001\n"), r"base_ms must be .* got 10001"),
        (TABLE + "speed = 3\n", r"unknown field speed; known: base_ms"),
        (TABLE.replace('"measured"', '" "'), r"source must say where the numbers are from"),
        ("m = 3\n", r"\[m\]: expected a table for each GPU"),
        ("[m]\nbase_ms = 3\n", r"\[m\]: expected a table for each GPU"),
        ("", "no model in it"),
        ("[m", "not TOML"),
    ],
)
def test_a_bad_file_is_named_with_what_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(BadInput, match=says) as raised:
        step_time.load(path)
    assert str(path) in str(raised.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file"):
        step_time.load(tmp_path / "none.toml")


def test_an_unknown_machine_lists_the_known_ones() -> None:
    with pytest.raises(BadInput, match=r"--model 'llama-8b' --gpu 'a100'.*known: llama-8b on h100"):
        step_time.find("llama-8b", "a100", step_time.load())
