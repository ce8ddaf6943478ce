"""A Link's values and their parsing."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curserve_netem.link import Bursts, Link, LinkError, Tcp
from curserve_netem.parse import parse_duration_ns, parse_fraction, parse_rate_bps


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [("150ms", 150_000_000), ("1.5s", 1_500_000_000), (" 200us ", 200_000), ("200µs", 200_000), ("0ms", 0)],
)
def test_durations_are_read_with_their_units(text, nanoseconds):
    assert parse_duration_ns(text) == nanoseconds


@pytest.mark.parametrize("text", ["150", "-5ms", "ms", "1e3ms", "inf ms", "nan", "", "5 minutes", "١٥ms"])
def test_a_duration_without_unit_or_sense_is_refused_with_an_example(text):
    with pytest.raises(LinkError, match="150ms"):
        parse_duration_ns(text)


@pytest.mark.parametrize(("text", "bps"), [("100mbit", 10**8), ("1.5Gbit/s", 15 * 10**8), ("640kbit/s", 640_000)])
def test_rates_are_read_with_their_units(text, bps):
    assert parse_rate_bps(text) == bps


@pytest.mark.parametrize("text", ["0mbit", "0.1bit", "100", "-1mbit", "100MB/s", "fast"])
def test_a_rate_of_nothing_or_without_unit_is_refused(text):
    with pytest.raises(LinkError):
        parse_rate_bps(text)


@pytest.mark.parametrize(("text", "fraction"), [("0.1%", 0.001), ("100 %", 1.0), ("0%", 0.0)])
def test_shares_are_read_as_percentages(text, fraction):
    assert parse_fraction(text) == pytest.approx(fraction)


@pytest.mark.parametrize("text", ["101%", "-1%", "0.1", "%", "nan%"])
def test_a_share_beyond_its_range_or_without_sign_is_refused(text):
    with pytest.raises(LinkError, match="percent"):
        parse_fraction(text)


@pytest.mark.parametrize(
    "fields",
    [
        {"rtt_ns": -1},
        {"rtt_ns": 10**12},
        {"jitter_ns": -1},
        {"loss": 1.1},
        {"loss": float("nan")},
        {"up_loss": -0.1},
        {"reorder": 0.1},
        {"distribution": "poisson", "jitter_ns": 1},
        {"distribution": "normal"},
        {"loss": 0.1, "bursts": Bursts(0.1, 0.2)},
        {"limit": -1},
        {"rate_bps": -1},
    ],
)
def test_a_link_without_sense_cannot_be_made(fields):
    with pytest.raises(LinkError):
        Link(**fields)


@pytest.mark.parametrize("fields", [{"mtu": 100}, {"congestion": "cu bic"}, {"send_max": 1}])
def test_a_tcp_policy_without_sense_cannot_be_made(fields):
    with pytest.raises(LinkError):
        Tcp(**fields)


links = st.builds(
    Link,
    rtt_ns=st.integers(1, 10**10),
    jitter_ns=st.integers(0, 10**8),
    loss=st.floats(0, 1),
    rate_bps=st.integers(0, 10**11),
    limit=st.integers(0, 10**6),
    seed=st.integers(0, 2**32),
    up_share=st.floats(0, 1),
    tcp=st.builds(Tcp, congestion=st.sampled_from(["cubic", "reno"]), idle_restart=st.booleans()),
)


@given(links)
def test_a_link_survives_json(link):
    assert Link.from_json(json.loads(json.dumps(link.to_json()))) == link


@given(links)
def test_both_directions_together_are_the_rtt(link):
    assert link.up.delay_ns + link.down.delay_ns == link.rtt_ns


@given(links)
def test_a_queue_sized_by_the_link_itself_is_above_the_bandwidth_delay_product(link):
    assert link.limit or not [warning for warning in link.warnings() if "limit" in warning]


def test_a_limit_below_the_bandwidth_delay_product_is_warned_about():
    (warning,) = set(Link(rtt_ns=150_000_000, rate_bps=10**9, limit=100).warnings()[:1])
    assert "bandwidth-delay product" in warning


def test_a_last_mile_adds_its_delay_and_narrows_the_rate():
    wide = Link(rtt_ns=150_000_000, name="us-asia", loss=0.01)
    mile = Link(rtt_ns=30_000_000, name="last mile", loss=0.01, rate_bps=10**8, up_rate_bps=10**7)
    both = wide.with_last_mile(mile)
    assert both.rtt_ns == 180_000_000
    assert (both.down.rate_bps, both.up.rate_bps) == (10**8, 10**7)
    assert both.loss == pytest.approx(1 - 0.99**2)
    assert both.name == "us-asia + last mile"


def test_the_two_directions_draw_from_different_seeds():
    link = Link(rtt_ns=1, loss=0.5, seed=4)
    assert link.up.seed != link.down.seed
