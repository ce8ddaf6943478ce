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
    assert Window(RTT, True).stream_wait_ns(tokens, int(step_ms * MS), tokens * 240) == wait_ms * MS


@pytest.mark.parametrize(
    ("idle_ms", "segments"), [(349, 80), (350, 40), (699, 40), (700, 20), (1400, 10), (10**9, 10)]
)
def test_an_idle_window_halves_once_a_time_out_down_to_its_first_size(idle_ms: int, segments: int) -> None:
    window = Window(RTT, True, segments=80)
    window.rest(idle_ms * MS)
    assert window.segments == segments


@pytest.mark.parametrize(("sent", "then"), [(5, 10), (6, 16), (10, 20), (11, 21), (31, 41)])
def test_a_window_grows_by_what_was_acknowledged_where_it_limits(sent: int, then: int) -> None:
    """It limits where more than half of it flies; eleven segments go as ten, which let it double, and one."""
    window = Window(RTT, True)
    window.upload_rounds(sent * MSS)
    assert window.segments == then


def test_what_was_due_while_the_window_was_full_goes_together() -> None:
    """At 150 ms the first is acknowledged; those due at 50, 100 and 150 share a segment; the fifth is in time."""
    window = Window(RTT, False, segments=1)
    assert window.stream_wait_ns(5, 50 * MS, 20) == 0
    assert window.segments == 4  # two flew at last


@pytest.mark.parametrize(("segments", "then"), [(10, 20), (15, 20), (100, 100)])
def test_a_stream_grows_its_window_to_twice_what_flew(segments: int, then: int) -> None:
    window = Window(RTT, True, segments)
    assert window.stream_wait_ns(10, 0, 10 * MSS) == 0
    assert window.segments == then


def test_a_stream_that_is_acknowledged_as_it_goes_never_waits() -> None:
    """Eight segments fly at most, one each 20 ms; each of the four that are back by then lets it grow."""
    window = Window(RTT, True)
    assert window.stream_wait_ns(12, 20 * MS, 12 * MSS) == 0
    assert window.segments == 16


@pytest.mark.parametrize(("bytes_a_token", "rounds"), [(965, 3), (724, 2)])
def test_a_segment_holds_whole_tokens(bytes_a_token: int, rounds: int) -> None:
    """A hundred tokens at once, in segments of one each (10, 20, 40 and 30 go), or of two (10, 20, 20)."""
    assert Window(RTT, True).stream_wait_ns(100, 0, 100 * bytes_a_token) == rounds * RTT


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
