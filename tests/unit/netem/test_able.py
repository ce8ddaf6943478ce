"""What a link or a backend cannot do is refused before anything is made, and a long calibration says how long."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curserve_netem import calibrate, hosts
from curserve_netem.able import MOST_REORDER, demand_able, demand_possible
from curserve_netem.backends import NAMES, PATHS
from curserve_netem.calibrate import PAYLOADS, Calibration
from curserve_netem.errors import BackendUnavailable, LinkError, Undoable
from curserve_netem.link import Bursts, Link, Tcp
from curserve_netem.patience import LONGEST_S, effort, upload_s

MS, S = 1_000_000, 1_000_000_000


@pytest.mark.parametrize(
    ("link", "says"),
    [
        (Link(rtt_ns=10 * MS, reorder=1.0), "reorder 100 %: a packet that overtakes has no delay"),
        (Link(rtt_ns=10 * MS, reorder=MOST_REORDER + 0.01), "give --reorder 20% or less"),
        (Link(rtt_ns=10 * MS, loss=1.0), "loss 100 %"),
        (Link(rtt_ns=10 * MS, up_loss=1.0), r"loss 100 % \(up\)"),
        (Link(rtt_ns=10 * MS, bursts=Bursts(1.0, 0.0)), "nothing would pass"),
        (Link(rtt_ns=10 * MS, rate_bps=1000), "takes 2080 ms on the wire alone; raise --rate, or the RTT"),
        (Link(rtt_ns=10 * MS, up_rate_bps=1000), "on the wire alone"),
    ],
)
def test_what_no_link_can_be_is_refused(link: Link, says: str) -> None:
    with pytest.raises(LinkError, match=says):
        demand_possible(link)
    with pytest.raises(LinkError, match=says), hosts(link):
        pytest.fail("made hosts for it")


@pytest.mark.parametrize("reorder", [0.0, 0.01, MOST_REORDER])
def test_what_a_link_can_be_passes(reorder: float) -> None:
    demand_possible(Link(rtt_ns=150 * MS, reorder=reorder, loss=0.3, rate_bps=10**6, jitter_ns=MS))


@pytest.mark.parametrize(
    ("link", "lacking"),
    [
        (Link(rtt_ns=10 * MS, loss=0.01), "loss"),
        (Link(rtt_ns=10 * MS, bursts=Bursts(0.01, 0.2)), "loss"),
        (Link(rtt_ns=10 * MS, reorder=0.01), "reordering"),
        (Link(rtt_ns=10 * MS, jitter_ns=MS), "jitter"),
        (Link(rtt_ns=10 * MS, limit=100), "a limit of packets"),
        (Link(rtt_ns=10 * MS, tcp=Tcp(congestion="reno")), "TCP's congestion"),
        (Link(rtt_ns=10 * MS, tcp=Tcp(idle_restart=False)), "TCP's idle restart"),
        (Link(rtt_ns=10 * MS, tcp=Tcp(mtu=9000)), "TCP's mtu"),
    ],
)
def test_a_relay_refuses_what_takes_packets(link: Link, lacking: str) -> None:
    with pytest.raises(
        Undoable, match=rf"relay: cannot do {lacking}.*; leave it out, or use backend queue or netem"
    ):
        demand_able("relay", link)
    with pytest.raises(LinkError, match="relay: cannot do"), hosts(link, backend="relay"):
        pytest.fail("made a relay for it")
    demand_able("queue", link)


@given(
    st.builds(
        Link,
        rtt_ns=st.integers(1, 10**9),
        jitter_ns=st.sampled_from([0, MS]),
        loss=st.sampled_from([0.0, 0.01]),
        up_loss=st.sampled_from([None, 0.0, 0.01]),
        reorder=st.sampled_from([0.0, 0.01]),
        rate_bps=st.sampled_from([0, 10**8]),
        limit=st.sampled_from([0, 1000]),
        tcp=st.builds(Tcp, congestion=st.sampled_from(["cubic", "reno"]), idle_restart=st.booleans()),
    )
)
def test_a_backend_does_all_of_a_link_or_refuses_it(link: Link) -> None:
    """The relay has delay and rate; a plain pair has nothing; the queue keeps the order at a rate."""
    plain = Link(rtt_ns=link.rtt_ns, rate_bps=link.rate_bps)
    able = {
        "relay": link == plain or link == Link(rtt_ns=link.rtt_ns, rate_bps=link.rate_bps, up_loss=0.0),
        "queue": not (link.reorder and link.rate_bps),
        "queue/veth": link.is_transparent,
        "netem": True,
    }
    for name, can in able.items():
        try:
            demand_able(name, link)
        except BackendUnavailable as error:
            assert isinstance(error, LinkError)
            assert not can, (name, str(error))
        else:
            assert can, name
    assert set(able) <= {*NAMES, *PATHS}


@pytest.mark.parametrize("achieved_ms", [0.1, 5.0])
def test_an_allowance_never_swallows_the_delay(achieved_ms: float) -> None:
    found = Calibration("queue", 10.0, achieved_ms, None, 1.0, {}, 40, 0.0, allowance_ms=1000.0)
    assert not found.ok
    assert "void" in found.verdict


def test_reordered_packets_leave_most_round_trips_their_delay() -> None:
    with hosts(Link(rtt_ns=10 * MS, reorder=0.1, seed=3), backend="queue") as pair:
        found = calibrate(pair, uploads=0)
    assert found.allowance_ms == 0
    assert found.samples >= 200
    assert found.p50_ms + found.taken_off_ms >= 10


def test_a_calibration_that_nobody_waits_for_is_refused_with_its_length() -> None:
    slow = Link(rtt_ns=60 * S)
    with pytest.raises(
        LinkError, match=r"calibrating RTT 60000 ms would last about \d+ minutes; declare a shorter"
    ):
        effort(slow, 1000, PAYLOADS, 3, 3)
    with pytest.raises(LinkError, match="fewer --samples"):
        effort(Link(rtt_ns=100 * MS, loss=0.9), 40, PAYLOADS, 3, 3)


@pytest.mark.parametrize(("ms", "least", "most"), [(1, 0.01, 1), (150, 2, 8), (5_000, 80, 240)])
def test_a_calibration_says_how_long_it_takes(ms: int, least: float, most: float) -> None:
    """As measured on an idle machine: two to five seconds at 150 ms, some ninety at 5 s."""
    assert least <= effort(Link(rtt_ns=ms * MS), 40, PAYLOADS, 3, 2).seconds <= most


def test_uploads_that_the_probe_would_not_wait_for_are_left_out() -> None:
    assert effort(Link(rtt_ns=150 * MS), 40, PAYLOADS, 3, 1).payloads == PAYLOADS
    assert effort(Link(rtt_ns=5 * S, rate_bps=4_000), 4, PAYLOADS, 3, 1).payloads == (64,)


@given(st.integers(1, 10**9), st.floats(0, 0.5), st.sampled_from([10**5, 10**8, 0]), st.sampled_from(PAYLOADS))
def test_the_estimate_grows_with_all_that_slows_a_link(rtt: int, loss: float, rate: int, size: int) -> None:
    link = Link(rtt_ns=rtt, loss=loss, rate_bps=rate)
    for worse in (
        Link(rtt_ns=2 * rtt, loss=loss, rate_bps=rate),
        Link(rtt_ns=rtt, loss=min(0.99, loss + 0.01), rate_bps=rate),
        Link(rtt_ns=rtt, loss=loss, rate_bps=rate // 2 or 10**8),
    ):
        assert upload_s(link, size) <= upload_s(worse, size)
    assert rtt / 1e9 <= upload_s(link, size) < 2 * LONGEST_S * size


def test_calibrate_announces_what_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(sys.modules["curserve_netem.calibrate"], "WORTH_SAYING_S", 0.0)
    with hosts(Link(rtt_ns=2 * MS), backend="relay") as pair:
        calibrate(pair, samples=4, say=said.append)
    assert len(said) == 1
    assert said[0].startswith("calibrating RTT 2 ms: about ")
