"""Options that do not fit the real model server are refused in one line, before anything runs."""

from __future__ import annotations

import pytest

from curserve_harness.console.exits import BadInput
from curserve_harness.plan.plan import read_plan
from curserve_harness.plan.resolve import ReplayOptions, resolve


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (ReplayOptions(rtts=("1ms",), engines=("vllm",)), "add --llm vllm"),
        (ReplayOptions(rtts=("1ms",), vllm_args="--model x"), "add --llm vllm"),
        (ReplayOptions(rtts=("1ms",), llm="vllm", pace="virtual"), "drop --llm vllm"),
        (ReplayOptions(rtts=("1ms",), llm="vllm", api="responses"), "--api responses"),
        (ReplayOptions(rtts=("1ms",), llm="vllm", models=("all",)), "give one model"),
        (ReplayOptions(rtts=("1ms",), llm="vllm", vllm_args="--model /no/weights"), "no model in /no/weights"),
    ],
)
def test_a_wish_that_does_not_fit_says_what_to_change(options: ReplayOptions, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        resolve(options)


def test_the_plan_keeps_the_model_server_and_its_options() -> None:
    options = ReplayOptions(
        rtts=("1ms",), llm="vllm", engines=("vllm", "daemon"), vllm_args="--model 'a b' --seed 1"
    )
    plan, _ = resolve(options)
    assert (plan.llm, plan.vllm_args) == ("vllm", ("--model", "a b", "--seed", "1"))
    assert read_plan(plan.to_json(), "plan") == plan


def test_vllm_is_no_engine_of_a_run_on_the_paced_server() -> None:
    plan, _ = resolve(ReplayOptions(rtts=("1ms",)))
    assert "vllm" not in plan.engines
