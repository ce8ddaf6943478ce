"""Engine steps are read back turn by turn, and paced as a ModelProfile says."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from curserve_engines.vllm.pace import Pace, StepClock, pace_from_json
from curserve_engines.vllm.stamps import StampWriter, read_turns, step_rows


def scheduled(new: list[tuple[str, int, int]], cached: list[tuple[str, int]], counts: dict[str, int], resumed=()):
    """Return what vLLM's scheduler hands its worker: `new` are (id, prompt length, computed)."""
    return SimpleNamespace(
        num_scheduled_tokens=counts,
        scheduled_new_reqs=[
            SimpleNamespace(req_id=name, prompt_token_ids=[0] * prompt, num_computed_tokens=computed)
            for name, prompt, computed in new
        ],
        scheduled_cached_reqs=SimpleNamespace(
            req_ids=[name for name, _ in cached],
            num_computed_tokens=[computed for _, computed in cached],
            resumed_req_ids=set(resumed),
        ),
        finished_req_ids=set(),
    )


def test_a_session_has_a_turn_for_every_chunk_and_counts_what_was_prefilled(tmp_path: Path) -> None:
    steps = [
        scheduled([("a", 300, 0)], [], {"a": 256}),
        scheduled([], [("a", 256)], {"a": 44}),
        scheduled([], [("a", 300)], {"a": 1}),
        scheduled([("a", 340, 301)], [], {"a": 39}),
        scheduled([], [("a", 340)], {"a": 1}),
    ]
    prompts: dict[str, int] = {}
    writer = StampWriter(str(tmp_path / "stamps"))
    for number, step in enumerate(steps):
        writer.write(number * 10, number * 10 + 5, step_rows(step, prompts))
    lines = [*(tmp_path / "stamps").read_bytes().splitlines(), b'{"id": "a", "sta']
    first, second = read_turns(lines)
    assert (first.prompt, first.reused, first.prefilled, first.steps) == (300, 0, 300, 3)
    assert (first.prefill_started_ns, first.first_token_ns, first.decoded_ns) == (0, 15, 25)
    assert (second.prompt, second.reused, second.prefilled, second.steps) == (340, 301, 39, 2)
    assert second.prefill_started_ns - first.decoded_ns == 30 - 25


def test_a_preempted_turn_counts_what_it_prefilled_again(tmp_path: Path) -> None:
    prompts: dict[str, int] = {}
    writer = StampWriter(str(tmp_path / "stamps"))
    writer.write(0, 1, step_rows(scheduled([("a", 100, 0)], [], {"a": 100}), prompts))
    writer.write(2, 3, step_rows(scheduled([], [("a", 0)], {"a": 101}, resumed=["a"]), prompts))
    (turn,) = read_turns((tmp_path / "stamps").read_bytes().splitlines())
    assert (turn.prefilled, turn.preemptions) == (200, 1)


def row(tokens: int, *, prefill: bool, begin: bool = False) -> dict[str, object]:
    return {"tokens": tokens, "prefill": prefill, "begin": begin}


@pytest.mark.parametrize(
    ("rows", "expected_ns"),
    [
        ([row(1, prefill=False)], 2_000_000),
        ([row(1, prefill=False)] * 8, 2_000_000),  # a batch decodes together
        ([row(1000, prefill=True, begin=True)], 30_000_000 + 100_000_000),
        ([row(1000, prefill=True)], 100_000_000),  # the fixed part is paid once a prompt
        ([row(10, prefill=True), row(1, prefill=False)], 2_000_000),
        ([row(1000, prefill=True), row(1, prefill=False)], 100_000_000),
        ([], 0),
    ],
)
def test_a_step_takes_what_the_profile_says(rows: list[dict[str, object]], expected_ns: int) -> None:
    pace = Pace(tpot_ns=2_000_000, ttft_ns=30_000_000, prefill_tokens_per_s=10_000)
    assert expected_ns == pace.step_ns(rows)


def test_what_passes_between_two_decoding_steps_is_part_of_the_tpot() -> None:
    clock = StepClock(Pace(tpot_ns=5_000_000, ttft_ns=30_000_000, prefill_tokens_per_s=10_000))
    decode = [row(1, prefill=False) | {"id": "a"}]
    prefill = [row(100, prefill=True, begin=True) | {"id": "a"}]
    assert clock.end_ns(0, prefill) == 40_000_000
    clock.ended(40_000_000, 40_070_000)  # the timer was a little late
    assert clock.end_ns(41_000_000, decode) == 45_000_000
    clock.ended(45_000_000, 47_000_000)  # the step itself took longer than the profile's
    assert clock.end_ns(48_000_000, decode) == 52_000_000
    clock.ended(52_000_000, 52_000_000)
    assert clock.end_ns(60_000_000, prefill) == 100_000_000  # the next turn, after its tool call
    clock.ended(100_000_000, 100_000_000)
    assert clock.end_ns(101_000_000, [row(1, prefill=False) | {"id": "b"}]) == 106_000_000  # another's request


@pytest.mark.parametrize("text", ["", "[]", '{"tpot": 1}', '{"tpot_ns": -1}'])
def test_a_bad_pace_is_one_clear_error(text: str) -> None:
    with pytest.raises(ValueError, match="CURSERVE_VLLM_PACE"):
        pace_from_json(text)
