"""The netem backend on a real sch_netem: this kernel's, or user-mode Linux's where this one has none.

CI installs user-mode-linux, and must not skip (tests/skips.py). One machine is excepted: where the processor has
AMX, user-mode Linux 6.1 starts no program (its host wants all registers at once, 11 kB of them, and it saves 2.7),
so that nothing can be proved there; other machines prove it.
"""

import json
import sys
from math import sqrt
from pathlib import Path

import pytest
import uml
from receipts import write_receipt

from curserve_netem import BackendUnavailable, Link, hosts

pytestmark = [pytest.mark.alone, pytest.mark.timeout(900)]  # a kernel boots first, slower on a busy machine
PROOF = str(Path(__file__).with_name("proof.py"))


def _has_netem() -> bool:
    try:
        with hosts(Link(rtt_ns=1_000_000), backend="netem"):
            return True
    except BackendUnavailable:
        return False


def _prove(size: str, out: Path, timeout_s: float) -> dict:
    """Run the same program with the same backend code here, or in user-mode Linux."""
    import subprocess

    words = [sys.executable, PROOF, "netem", str(out), size]
    if _has_netem():
        subprocess.run(words, check=True, timeout=timeout_s)
    elif uml.kernel() is None:
        reason = "this kernel has no sch_netem, and user-mode-linux is not installed (scripts/system-tools.sh)"
        pytest.skip(reason)
    elif uml.is_too_old():
        pytest.skip(
            "this kernel has no sch_netem, and the processor's AMX is more than user-mode Linux 6.1 can save"
        )
    else:
        # TCP may hold a tenth of the memory and stalls above: a gigabyte of single packets needs more.
        console = uml.run(words, timeout_s=timeout_s, memory="3G" if size == "full" else "768M")
        assert out.exists(), console
    figures = json.loads(out.read_text())
    assert "error" not in figures, figures["error"]
    return figures


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    return _prove("quick", tmp_path_factory.mktemp("netem") / "figures.json", 800)


def test_the_measured_rtt_is_right_for_every_tier(figures):
    assert {row["requested_ms"] for row in figures["rtts"]} >= {1.0, 1.5, 2.0, 15.0, 70.0, 95.0, 150.0, 250.0}
    assert [row["verdict"] for row in figures["rtts"] if not row["ok"]] == []


def test_the_kernel_reports_the_settings_that_were_asked_for(figures):
    for row in figures["rtts"]:
        up, down = row["facts"]["settings"]
        assert up["delay_ns"] == pytest.approx(row["requested_ms"] / 2 * 1e6, abs=2_000)
        assert down["delay_ns"] == pytest.approx(row["requested_ms"] / 2 * 1e6, abs=2_000)
        assert up["limit"] >= 1_000
    chain = figures["bursts"]["facts"]["settings"][0]
    assert (chain["bursts p"], chain["bursts r"]) == pytest.approx((0.02, 0.25), abs=1e-3)


def test_loss_lies_within_its_binomial_interval_in_both_directions(figures):
    share = figures["loss"]["loss"]
    for way in ("up", "down"):
        came, lost = figures["loss"][way]["came"], figures["loss"][way]["lost"]
        assert came >= 4_000
        assert abs(lost - came * share) < 4.5 * sqrt(came * share * (1 - share)), (way, lost, came)


def test_tcp_loses_packets_and_not_whole_bursts(figures):
    # The link loses what it loses of packets of at most the MTU; a discipline that is handed 64 kB at once would
    # count (and lose) one of those for forty packets.
    row = figures["loss_of_tcp"]
    assert row["exact"]
    assert row["came"] >= row["bytes"] / 1500
    assert abs(row["lost"] - row["came"] * row["loss"]) < 4.5 * sqrt(row["came"] * row["loss"])
    assert row["retransmits"] >= row["lost"] / 2


def test_bursts_lose_what_their_chain_loses(figures):
    came, lost = figures["bursts"]["up"]["came"], figures["bursts"]["up"]["lost"]
    # Losses in runs vary more than independent ones: by (2 - p - r) / (p + r) in variance (a two-state chain).
    share, clustering = figures["bursts"]["loss"], (2 - 0.27) / 0.27
    assert abs(lost - came * share) < 4.5 * sqrt(came * share * (1 - share) * clustering), (lost, came)


def test_jitter_has_its_deviation_in_both_directions(figures):
    for row in figures["jitter"]:
        assert row["arrived"] >= 500
        assert row["deviation_ms"] == pytest.approx(row["expected_deviation_ms"], rel=0.25), row


def test_the_two_directions_can_differ(figures):
    found = figures["directions"]
    assert found["up_ms"] >= found["expected_up_ms"]
    assert found["expected_down_ms"] <= found["down_ms"] < found["up_ms"]


def test_the_rate_holds_as_bits_on_the_wire(figures):
    for way in ("up", "down"):
        assert figures["rate"][way]["mbps"] == pytest.approx(100, rel=0.02)


def test_idle_restart_costs_round_trips_where_it_is_on_and_none_where_it_is_off(figures):
    on, off = figures["idle_restart"]
    assert on["congestion"] == off["congestion"] == "cubic"
    assert on["after_idle_s"] > 1.6 * on["warm_s"]
    assert off["after_idle_s"] < 1.4 * off["warm_s"]


def test_nothing_is_left_behind(figures):
    assert figures["left_behind"] == []


@pytest.mark.prove
@pytest.mark.timeout(1800)
def test_the_figures_of_netem_on_a_real_kernel(tmp_path):
    figures = _prove("full", tmp_path / "figures.json", 1700)
    write_receipt("link-netem", figures)
    for row in figures["rtts"]:
        assert abs(row["error_ms"]) <= max(0.15, 0.01 * row["requested_ms"]), row["verdict"]
    assert figures["exact"]["clean"]["exact"]
    assert figures["exact"]["lossy"]["exact"]
    assert figures["exact"]["lossy"]["retransmits"] > 0
    assert figures["exact"]["counters"]["up"]["overruns"] == 0
