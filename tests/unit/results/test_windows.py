"""Congestion windows counted by hand, and against what a real TCP did over a calibrated 150 ms link."""

from pathlib import Path

import polars as pl
import pytest

from curserve_results.store import scan
from curserve_results.windows import MSS, Window

RTT, MS = 150_000_000, 1_000_000
RECORDED = Path(__file__).parents[3] / "results/recorded/quick-150ms-2026-11-21"


@pytest.mark.parametrize(
    ("segments", "rounds"),
    [(1, 0), (10, 0), (11, 1), (30, 1), (31, 2), (70, 2), (71, 3), (150, 3), (151, 4)],
)
def test_slow_start_doubles_from_ten_segments(segments: int, rounds: int) -> None:
    assert Window(RTT, True).upload_rounds(segments * MSS) == rounds


@pytest.mark.parametrize(("restart", "rounds"), [(True, [3, 3]), (False, [3, 0])])
def test_a_grown_window_is_kept_without_idle_restart_and_lost_with_it(restart: bool, rounds: list[int]) -> None:
    window = Window(RTT, restart)
    found = [window.upload_rounds(100 * MSS)]
    window.rest(10 * RTT)
    assert [*found, window.upload_rounds(100 * MSS)] == rounds
    window.rest(RTT)  # less than a retransmission time-out
    assert window.upload_rounds(100 * MSS) == 0


def test_a_window_that_does_not_limit_does_not_grow() -> None:
    window = Window(RTT, True)
    for _ in range(100):
        window.upload_rounds(5 * MSS)
    assert window.segments == 10


@pytest.mark.parametrize(
    ("tokens", "step_ms", "wait_ms"),
    [
        (10, 1, 0),
        (11, 1, 140),
        (20, 1, 131),
        (100, 15, 0),
        (1, 0, 0),
        (10, 0, 0),
    ],
)
def test_a_stream_waits_for_acknowledgements(tokens: int, step_ms: float, wait_ms: float) -> None:
    """Ten small segments fly; the next goes when the first is acknowledged, with all that is due by then."""
    wait_ns = Window(RTT, True).stream_wait_ns(tokens, int(step_ms * MS), tokens * 240)
    assert wait_ns == pytest.approx(wait_ms * MS, abs=MS)


def test_a_grown_window_lets_the_next_stream_pass() -> None:
    window = Window(RTT, True)
    window.stream_wait_ns(103, int(1.5 * MS), 25_000)
    assert window.stream_wait_ns(30, int(1.5 * MS), 7_000) == 0


def test_every_turn_of_a_recorded_run_waited_as_long_as_the_windows_say() -> None:
    """Within 6 ms (a delayed acknowledgement, a scheduler) in nine turns of ten, of a wait of up to 150 ms."""
    turns = scan(RECORDED).filter(pl.col("kind") == "turn", pl.col("engine") == "client-subprocess")
    errors, waited = [], 0
    for cell in turns.sort("block", "cell", "turn").collect().partition_by("block", "cell"):
        up, down, before = Window(RTT, True), Window(RTT, True), None
        for turn in cell.iter_rows(named=True):
            if before is not None:
                up.rest(turn["sent_ns"] - before["sent_ns"])
                down.rest(turn["first_token_ns"] - before["last_token_ns"])
            tokens = turn["output_tokens"]
            upward = up.upload_rounds(turn["bytes_up"]) * RTT
            downward = down.stream_wait_ns(tokens, turn["decode_ns"] // (tokens - 1), turn["bytes_down"])
            errors.append(turn["prompt_read_ns"] - turn["sent_ns"] - RTT / 2 - upward)
            errors.append(turn["received_ns"] - turn["last_token_ns"] - RTT / 2 - downward)
            waited += (upward > 50 * MS) + (downward > 50 * MS)
            before = turn
    assert waited >= 9
    within = sum(abs(error) < 6 * MS for error in errors)
    assert within > 0.9 * len(errors), sorted(errors)[-20:]
