"""An SLO is read as it is written, and what is no SLO is refused in a line that says how to write it."""

import pytest

from curserve_results.slo import BadSlo, Objective, Slo, parse_slo


def test_an_slo_is_read_with_its_units() -> None:
    assert parse_slo("ttft p95 <= 500ms, task p99.5 <= 1.5min") == Slo(
        (Objective("ttft", 0.95, 500_000_000), Objective("task", 0.995, 90_000_000_000))
    )
    assert parse_slo(["tool p50<=800us", "tpot p100 < 10 ms"]) == Slo(
        (Objective("tool", 0.5, 800_000), Objective("tpot", 1.0, 10_000_000))
    )


@pytest.mark.parametrize(
    ("bound", "ns"),
    [("3ns", 3), ("2us", 2_000), ("2µs", 2_000), ("2ms", 2 * 10**6), ("2s", 2 * 10**9), ("2min", 120 * 10**9),
     ("999999999s", 999_999_999 * 10**9)],
)  # fmt: skip
def test_every_unit_is_its_nanoseconds(bound: str, ns: int) -> None:
    assert parse_slo(f"turn p90 <= {bound}").objectives[0].bound_ns == ns


def test_an_slo_says_itself_again() -> None:
    text = "ttft p95 <= 500ms, turn p99.9 <= 2.5s, tool p50 <= 800us"
    assert str(parse_slo(text)) == text
    assert parse_slo(str(parse_slo(text))) == parse_slo(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ttft p95 <= 500", "500 has no unit; write 500ms or 500s"),
        ("ttft <= 500ms", "no percentile; write 'ttft p95 <= 500ms'"),
        ("ttft p95 <= 500parsecs", "unknown unit 'parsecs'; one of ns, us"),
        ("latency p95 <= 500ms", "latency is not measured; one of ttft, tpot, turn, tool, task"),
        ("ttft p0 <= 1s", "p0 is outside"),
        ("ttft p101 <= 1s", "p101 is outside"),
        ("ttft p95 <= 0ms", "no time above 0"),
        ("ttft p95 <= 1000000000s", "no time above 0 that a session could take"),
        ("ttft p95 >= 1s", "is no objective: METRIC PERCENTILE <= TIME"),
        ("ttft p95 <= 1s,", "is no objective"),
        ("", "no objective in it"),
        ("ttft p95 <= 1s, ttft p95 <= 2s", "ttft p95 is bounded twice"),
    ],
)
def test_what_is_no_slo_is_refused_in_one_line(text: str, says: str) -> None:
    with pytest.raises(BadSlo, match=says.replace("(", r"\(")) as caught:
        parse_slo(text)
    assert "\n" not in str(caught.value)
