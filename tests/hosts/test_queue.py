"""The queue backend: what it must do on any Linux, and the figures it must show on a quiet one."""

import json
import subprocess
import sys
from math import sqrt
from pathlib import Path

import pytest
import traffic
from receipts import write_receipt

from curserve_netem import Bursts, Link, Tcp, calibrate, hosts

PROOF = str(Path(__file__).with_name("proof.py"))
MS = 1_000_000
PATHS = ["queue/packet", "queue/tun"]

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module", params=PATHS)
def path(request):
    from curserve_netem import BackendUnavailable

    try:
        with hosts(Link(rtt_ns=MS), backend=request.param):
            return request.param
    except BackendUnavailable as error:
        pytest.skip(str(error))


def test_every_byte_arrives_both_ways(path):
    with hosts(Link(rtt_ns=10 * MS), backend=path) as pair:
        for reverse in (False, True):
            figures = traffic.transfer(pair, 20_000_000, reverse=reverse)
            assert figures["exact"]
            assert figures["bytes"] == 20_000_000
            assert figures["congestion"] == "cubic"
        counters = pair.counters()
    for way in ("up", "down"):
        assert (counters[way]["lost"], counters[way]["overruns"], counters[way]["refused"]) == (0, 0, 0)
        assert counters[way]["bytes"] > 20_000_000


def test_every_byte_arrives_over_a_lossy_link(path):
    with hosts(Link(rtt_ns=4 * MS, loss=0.01, seed=3), backend=path) as pair:
        figures = traffic.transfer(pair, 3_000_000)
        counters = pair.counters()
    assert figures["exact"]
    assert figures["retransmits"] > 0
    assert counters["up"]["lost"] > 0


def test_a_packet_is_a_packet(path):
    """No segment above the MTU crosses the link: 10 MB need at least as many packets as their segments."""
    with hosts(Link(rtt_ns=2 * MS), backend=path) as pair:
        traffic.transfer(pair, 10_000_000)
        counters = pair.counters()
    assert counters["up"]["packets"] >= 10_000_000 / 1448
    assert counters["up"]["bytes"] <= counters["up"]["packets"] * 1514


def test_loss_is_the_same_for_a_seed(path):
    lost = []
    for _ in range(2):
        with hosts(Link(rtt_ns=2 * MS, loss=0.1, seed=9), backend=path) as pair:
            traffic.one_way(pair, 2_000, gap_s=0)
            row = pair.counters()["up"]
            lost.append((row["packets"] + row["lost"], row["lost"]))
    assert lost[0] == lost[1]
    came, count = lost[0]
    assert abs(count - came * 0.1) < 4.5 * sqrt(came * 0.09)


def test_bursts_reach_the_queue():
    with hosts(Link(rtt_ns=2 * MS, bursts=Bursts(0.5, 0.1), seed=2), backend="queue/packet") as pair:
        arrived = traffic.one_way(pair, 500, gap_s=0)
    assert len(arrived) < 250


def test_a_full_queue_drops_at_its_tail_and_counts_it(path):
    with hosts(Link(rtt_ns=200 * MS, limit=10), backend=path) as pair:
        arrived = traffic.one_way(pair, 200, gap_s=0)
        dropped = pair.counters()["up"]["tail_dropped"]
    assert dropped > 0
    assert len(arrived) + dropped == 200


def test_jitter_reorders_as_netem_does(path):
    with hosts(Link(rtt_ns=40 * MS, jitter_ns=10 * MS, seed=1), backend=path) as pair:
        taken = traffic.one_way(pair, 300, gap_s=0.001)
    assert len(taken) == 300
    assert max(taken) - min(taken) > 10


def test_the_two_directions_can_differ(path):
    with hosts(Link(rtt_ns=40 * MS, up_share=0.75), backend=path) as pair:
        up, down = (sorted(traffic.one_way(pair, 60, gap_s=0.002, reverse=back))[6] for back in (False, True))
    assert up >= 30
    assert 10 <= down < up


def test_the_rate_holds_as_bits_on_the_wire(path):
    with hosts(Link(rtt_ns=10 * MS, rate_bps=50_000_000), backend=path) as pair:
        assert traffic.wire_rate_mbps(pair, 1.0) == pytest.approx(50, rel=0.02)


def test_idle_restart_costs_round_trips_where_it_is_on_and_none_where_it_is_off():
    found = {}
    for restart in (True, False):
        with hosts(Link(rtt_ns=60 * MS, tcp=Tcp(idle_restart=restart)), backend="queue/packet") as pair:
            found[restart] = traffic.upload_after_idle(pair, 200_000, 1.0)
    assert found[True]["after_idle_s"] > 1.6 * found[True]["warm_s"]
    assert found[False]["after_idle_s"] < 1.4 * found[False]["warm_s"]


def test_another_mtu_is_kept(path):
    with hosts(Link(rtt_ns=2 * MS, tcp=Tcp(mtu=9000)), backend=path) as pair:
        traffic.transfer(pair, 5_000_000)
        row = pair.counters()["up"]
    assert row["bytes"] / row["packets"] > 4_000


def test_a_shorter_delay_takes_effect_at_once(path):
    with hosts(Link(rtt_ns=60 * MS), backend=path) as pair:
        pair.take_off(40 * MS)
        assert 20 <= calibrate(pair, samples=10, tune=False, uploads=0).p50_ms < 60


def _figures(backend: str, tmp_path: Path) -> dict:
    out = tmp_path / "figures.json"
    subprocess.run([sys.executable, PROOF, backend, str(out), "full"], check=True, timeout=1700)
    figures = json.loads(out.read_text())
    assert "error" not in figures, figures["error"]
    return figures


@pytest.mark.prove
@pytest.mark.timeout(1800)
def test_the_figures_of_the_queue(tmp_path):
    figures = _figures("queue/packet", tmp_path)
    with hosts(Link(), backend="queue/packet") as pair:
        runs = [traffic.transfer(pair, 2_000_000_000) for _ in range(5)]
    figures["throughput_gbps"] = sorted(8 * run["bytes"] / run["receiving_ns"] for run in runs)
    write_receipt("link-queue", figures)
    assert figures["exact"]["clean"]["exact"]
    assert figures["exact"]["lossy"]["exact"]
    for row in figures["rtts"]:
        assert row["ok"], row["verdict"]


@pytest.mark.prove
@pytest.mark.timeout(1800)
def test_the_figures_of_the_relay(tmp_path):
    rows = []
    for rtt_ms in (1, 2, 15, 70, 150, 250):
        with hosts(Link(rtt_ns=rtt_ms * MS), backend="relay") as pair:
            rows.append(calibrate(pair, samples=200).to_json())
    with hosts(Link(), backend="relay") as pair:
        fast = sorted(8 * 2e9 / traffic.transfer(pair, 2_000_000_000)["receiving_ns"] for _ in range(5))
    with hosts(Link(rtt_ns=150 * MS), backend="relay") as pair:
        far = traffic.transfer(pair, 1_000_000_000)
    with hosts(Link(rtt_ns=10 * MS, rate_bps=100_000_000), backend="relay") as pair:
        paced = traffic.transfer(pair, 60_000_000)
    rate = paced["bytes"] * (1 + 66 / 1448) * 8e3 / paced["receiving_ns"]
    write_receipt("link-relay", {"rtts": rows, "throughput_gbps": fast, "far": far, "rate_mbps": rate})
    assert far["exact"]
    assert all(row["ok"] for row in rows)
    assert rate == pytest.approx(100, rel=0.03)
