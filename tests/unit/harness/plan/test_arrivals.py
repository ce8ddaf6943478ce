"""Arrivals: what is declared is drawn, a seed draws all of it, and contradictions are refused."""

import time
import tracemalloc

import numpy as np
import pytest

from curserve_harness.console.exits import BadInput
from curserve_harness.plan.arrivals import NS, Arrivals, offsets
from curserve_harness.plan.arriving import parse_arrivals
from curserve_harness.plan.sessions import by_user, draw


def gaps(text: str, duration: str = "2h") -> np.ndarray:
    return np.diff(offsets(parse_arrivals(text, duration=duration), 7, 0)) / NS


def test_a_poisson_load_has_exponential_gaps() -> None:
    found = gaps("poisson 2/s")
    assert found.mean() == pytest.approx(0.5, rel=0.05)
    assert found.std() / found.mean() == pytest.approx(1, rel=0.05)


def test_a_gamma_load_has_its_coefficient_of_variation() -> None:
    for wanted in (0.25, 3.0):
        found = gaps(f"gamma 120/min cv {wanted}", "3h")
        assert found.mean() == pytest.approx(0.5, rel=0.1)
        assert found.std() / found.mean() == pytest.approx(wanted, rel=0.15)


def test_a_diurnal_load_has_its_peak_in_the_middle_of_its_period() -> None:
    at = offsets(parse_arrivals("diurnal 1/s peak 9/s period 1h", duration="1h"), 3, 0) / NS
    counts, _ = np.histogram(at, bins=6, range=(0, 3600))
    assert counts[0] < counts[1] < counts[2]
    assert counts[3] > counts[4] > counts[5]
    assert len(at) == pytest.approx(5 * 3600, rel=0.05)


def test_a_ramp_grows_to_its_rate() -> None:
    at = offsets(parse_arrivals("poisson 10/s", duration="400s", ramp="200s"), 3, 0) / NS
    assert (at < 200).sum() == pytest.approx(1000, rel=0.1)
    assert (at >= 200).sum() == pytest.approx(2000, rel=0.1)


def test_recorded_times_begin_at_nought_and_are_in_order() -> None:
    found = parse_arrivals("recorded", recorded_ns=[9 * NS, 5 * NS, 30 * NS], duration="20s")
    assert offsets(found, 1, 0).tolist() == [0, 4 * NS]


def test_users_of_a_closed_load_begin_by_the_ramp_and_play_what_is_theirs() -> None:
    found = draw(parse_arrivals(sessions=4, ramp="8s", count=10), 3, 1, 0)
    assert found.offset_ns.tolist() == [0, 2 * NS, 4 * NS, 6 * NS] + [-1] * 6
    assert by_user(found) == {0: [0, 4, 8], 1: [1, 5, 9], 2: [2, 6], 3: [3, 7]}
    assert sorted(found.trace.tolist()[:9]) == [0, 0, 0, 1, 1, 1, 2, 2, 2]  # each as often as the others


@pytest.mark.parametrize("text", ["closed", "poisson 3/s", "gamma 3/s cv 2", "diurnal 1/s peak 5/s period 1min"])
def test_the_same_seed_gives_the_same_plan(text: str) -> None:
    options = {"sessions": 5} if text == "closed" else {}
    arrivals = parse_arrivals(text, duration="100s", **options)
    assert draw(arrivals, 7, 11, 2).digest() == draw(arrivals, 7, 11, 2).digest()
    assert draw(arrivals, 7, 11, 2).digest() != draw(arrivals, 7, 12, 2).digest()
    assert draw(arrivals, 7, 11, 2).digest() != draw(arrivals, 7, 11, 3).digest()


def test_a_session_is_cut_by_when_it_was_meant_to_start() -> None:
    arrivals = Arrivals(duration_ns=100, warm_up_ns=10, cool_down_ns=20)
    assert [arrivals.phase(at) for at in (0, 9, 10, 79, 80, 200)] == [
        "warm-up", "warm-up", "measured", "measured", "cool-down", "cool-down",
    ]  # fmt: skip


def test_ten_thousand_sessions_are_planned_in_little_time_and_memory() -> None:
    tracemalloc.start()
    began = time.process_time()
    found = draw(parse_arrivals("poisson 100/s", count=10_000), 40, 1, 0)
    spent, (_, most) = time.process_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == 10_000
    assert most < 50e6
    assert spent < 10


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"text": "poisson"}, "'' is no rate"),
        ({"text": "poisson 2"}, "'2' is no rate; write sessions by time, such as 2/s"),
        ({"text": "poisson 0/s", "duration": "9s"}, "is no rate"),
        ({"text": "poisson 2/s"}, "no end of its own; add --duration"),
        ({"text": "poisson 2/s", "duration": "9s", "sessions": 4}, "with --sessions: an open load has no users"),
        ({"text": "poisson 2/s", "duration": "9s", "think": "1s"}, "with --think"),
        ({"text": "poisson 2/s", "duration": "9s", "count": 4}, "give one of them"),
        ({"text": "gamma 2/s", "duration": "9s"}, "expected closed, 'poisson 2/s'"),
        ({"text": "gamma 2/s cv 0", "duration": "9s"}, "coefficient of variation is above 0"),
        ({"text": "diurnal 2/s peak 1/s period 1h", "duration": "9s"}, "the peak is above the rate"),
        ({"text": "recorded"}, "no recorded times"),
        ({"text": "weekly"}, "expected closed"),
        ({"text": ""}, "expected closed"),
        ({"sessions": 0}, "at least one user"),
        ({"sessions": 2**31}, "10,000,000 are the most"),
        ({"sessions": 200_000, "duration": "9s"}, "20,000,000 sessions of 200,000 users"),
        ({"count": 10**30}, "10,000,000 are the most"),
        ({"duration": "10s", "warm_up": "5s", "cool_down": "5s"}, "nothing would be measured"),
        ({"cool_down": "5s"}, "the end of --duration"),
        ({"duration": "10"}, "--duration: duration '10': expected a number with a unit"),
        ({"duration": "xmin"}, "no number of minutes"),
        ({"duration": "0s"}, "a load of nothing"),
        ({"text": "poisson 100000/s", "duration": "100h"}, "lower the rate, or shorten it"),
    ],
)
def test_contradictions_are_refused_in_one_line(options: dict[str, object], says: str) -> None:
    with pytest.raises(BadInput, match=says.replace("(", r"\(")) as caught:
        parse_arrivals(**options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
