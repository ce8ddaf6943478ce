"""A run on the real vLLM bears the name of the model that is served, and no profile's pace as its own."""

from __future__ import annotations

import pytest

from curserve_harness.plan import profiles
from curserve_harness.plan.plan import Plan
from curserve_harness.plan.served import TINY, is_given, model_of, option
from curserve_harness.run import manifest

KNOWN = profiles.load()


def plan_of(llm: str, *arguments: str) -> object:
    return Plan(1, "own", (), {}, ("swe-grep",), ("recorded-client",), 1, (), llm=llm, vllm_args=arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "name", "tpot_ns"),
    [
        ((), TINY, 1_466_276),
        (("--max-num-seqs", "4"), TINY, 1_466_276),
        (("--model", "Qwen/Qwen3-0.6B"), "Qwen/Qwen3-0.6B (vLLM)", 0),
        (("--model=Qwen/Qwen3-0.6B",), "Qwen/Qwen3-0.6B (vLLM)", 0),
        (("--model", "/models/coder/"), "coder (vLLM)", 0),
        (("--model", "./coder", "--served-model-name", "mine"), "mine (vLLM)", 0),
    ],
)
def test_what_is_served_names_the_run(arguments: tuple[str, ...], name: str, tpot_ns: int) -> None:
    plan = plan_of("vllm", *arguments)
    assert model_of(plan, KNOWN, "swe-grep").name == name  # type: ignore[arg-type]
    begun = manifest.begin(plan, KNOWN, "run")  # type: ignore[arg-type]
    assert begun.served
    assert {key: record.tpot_ns for key, record in begun.models.items()} == {name: tpot_ns}
    assert is_given(plan) == (tpot_ns == 0)  # type: ignore[arg-type]


def test_what_is_paced_bears_the_profiles_name() -> None:
    plan = plan_of("paced")
    assert model_of(plan, KNOWN, "swe-grep") == KNOWN["swe-grep"].model()  # type: ignore[arg-type]
    begun = manifest.begin(plan, KNOWN, "run")  # type: ignore[arg-type]
    assert not begun.served
    assert {key: record.tpot_ns for key, record in begun.models.items()} == {"SWE-grep": 1_466_276}


@pytest.mark.parametrize(
    ("words", "found"), [((), None), (("--model",), None), (("--model", "a", "--model=b"), "b")]
)
def test_the_last_of_an_option_counts(words: tuple[str, ...], found: str | None) -> None:
    assert option(words, "--model") == found
