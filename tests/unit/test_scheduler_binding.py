"""The scheduler of the core, asked from Python: what it answers is proved in Rust, here that it arrives."""

from __future__ import annotations

import pytest
from curserve_core.sched import Scheduler, StepTime

from curserve_harness.plan import step_time


def test_a_request_runs_to_its_end():
    scheduler = Scheduler(100, async_scheduling=False)
    request = scheduler.add([(1, 0, 100)], (1, 100), 2)
    first = scheduler.schedule()
    assert first is not None
    assert (first.prefill_tokens, first.decodes, first.pairs) == (100, 0, 100 * 101 // 2)
    assert (first.batch, first.admitted, first.preempted) == ([(request, 0, 100, True)], [request], [])
    assert scheduler.update() == [(request, 1, None)]
    second = scheduler.schedule()
    assert second is not None
    assert (second.decodes, second.kv_tokens, second.admitted) == (1, 101, [])
    assert (scheduler.blocks_of(request), scheduler.free_blocks, scheduler.running) == (7, 93, [request])
    assert scheduler.update() == [(request, 2, "finished")]
    assert (scheduler.free_blocks, scheduler.idle_blocks, scheduler.running) == (100, 6, [])
    assert scheduler.schedule() is None


def test_a_session_keeps_what_it_computed_and_a_request_finds_whole_blocks():
    scheduler = Scheduler(100, async_scheduling=False)
    session = scheduler.add([(1, 0, 40)], (1, 40), 1, resumable=True)
    scheduler.schedule()
    assert scheduler.update() == [(session, 1, "paused")]
    assert (scheduler.kept_tokens(session), scheduler.holding) == (40, [session])
    scheduler.next_turn(session, [(1, 40, 11)], (1, 51), 1)
    assert scheduler.kept_tokens(session) is None
    step = scheduler.schedule()
    assert step is not None
    assert (step.prefill_tokens, step.hit_tokens) == (11, 0)
    assert scheduler.update() == [(session, 1, "paused")]
    scheduler.close(session)
    scheduler.add([(1, 0, 60)], (1, 60), 1)
    again = scheduler.schedule()
    assert again is not None
    assert again.hit_tokens == 48, "of the 51 tokens that were computed"


def test_two_steps_fly_with_asynchronous_stepping_and_no_more():
    scheduler = Scheduler(100)
    scheduler.add([(1, 0, 10)], (1, 10), 5)
    assert scheduler.schedule() is not None
    assert scheduler.schedule() is not None
    assert scheduler.in_flight == 2
    with pytest.raises(RuntimeError, match="2 steps are in flight"):
        scheduler.schedule()
    scheduler.update()
    scheduler.update()
    with pytest.raises(RuntimeError, match="no step is in flight"):
        scheduler.update()


def test_an_aborted_request_is_gone_and_its_number_names_nobody():
    scheduler = Scheduler(100)
    request = scheduler.add([(1, 0, 10)], (1, 10), 5)
    scheduler.schedule()
    scheduler.abort(request)
    assert scheduler.update() == []
    other = scheduler.add([(2, 0, 10)], (2, 10), 5)
    assert other != request
    scheduler.abort(request)
    scheduler.close(2**63)
    assert scheduler.waiting == [other]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (([], (1, 0), 1), "without a prompt"),
        (([(1, 0, 5)], (1, 5), 0), "without a reply"),
        (([(1, 0, 131_072)], (1, 0), 1), "max_model_len is 131072"),
        (([(1, 0, 1600)], (1, 1600), 1), "it takes 101 blocks, and there are 100"),
        (([(1, 2**32 - 1, 5)], (1, 0), 1), "longer than any text"),
    ],
)
def test_a_turn_that_can_never_be_answered_is_refused(arguments, why):
    with pytest.raises(ValueError, match=why):
        Scheduler(100).add(*arguments)


def test_only_a_session_between_turns_takes_another():
    scheduler = Scheduler(100)
    request = scheduler.add([(1, 0, 10)], (1, 10), 5, resumable=True)
    with pytest.raises(ValueError, match="no session between two turns"):
        scheduler.next_turn(request, [(1, 15, 10)], (1, 25), 5)


def test_limits_that_make_no_sense_are_refused():
    for limits in ({"blocks": 0}, {"blocks": 9, "block_size": 0}, {"blocks": 9, "enable_chunked_prefill": False}):
        with pytest.raises(ValueError, match="scheduler:"):
            Scheduler(**limits)


def test_a_step_lasts_as_long_in_rust_as_in_python():
    for machine in step_time.load().values():
        step = machine.step
        rust = StepTime(step.base_ps, step.prefill_ps, step.decode_ps, step.kv_ps, step.pair_ps)
        for load in ({}, {"decodes": 32, "kv_tokens": 128_017}, {"prefill_tokens": 8192, "pairs": 33_558_528}):
            assert rust.ns(**load) == step.ns(**load)


def test_terms_beyond_any_machine_are_refused():
    for terms in ((0, 1, 1, 1, 1), (1, 1, 1, 1, 10**8)):
        with pytest.raises(ValueError, match="step time"):
            StepTime(*terms)
