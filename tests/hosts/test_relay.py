"""The relay backend: no namespace, bytes late."""

import subprocess

import pytest
import traffic

from curserve_netem import Link, calibrate, hosts
from curserve_netem.hosts import link_program

MS = 1_000_000


def test_a_relay_is_degraded_and_says_so():
    with hosts(Link(), backend="relay") as pair:
        assert pair.degraded
        assert "no congestion window" in pair.facts["notes"][0]


def test_neither_a_round_trip_nor_a_handshake_is_early():
    with hosts(Link(rtt_ns=20 * MS), backend="relay") as pair:
        calibration = calibrate(pair, tune=False)
    # Never early; how little late it is, `make prove` says, on a quiet machine.
    assert calibration.p50_ms >= 20
    assert calibration.handshake_ms > 10


@pytest.mark.parametrize("rtt_ms", [0, 10])
def test_every_byte_arrives(rtt_ms):
    with hosts(Link(rtt_ns=rtt_ms * MS), backend="relay") as pair:
        figures = traffic.transfer(pair, 50_000_000)
    assert figures["exact"]
    assert figures["bytes"] == 50_000_000


@pytest.mark.alone
def test_the_rate_holds_with_the_headers_that_a_wire_would_carry():
    with hosts(Link(rtt_ns=10 * MS, rate_bps=100_000_000), backend="relay") as pair:
        figures = traffic.transfer(pair, 12_000_000)
    wire = figures["bytes"] * (1 + 66 / 1448)
    assert 50 < wire * 8e3 / figures["sending_ns"] <= 103


def test_a_port_is_reached_by_the_same_door_each_time():
    with hosts(Link(rtt_ns=2 * MS), backend="relay") as pair:
        echo = pair.server.popen([link_program(), "echo", pair.server.address], stdout=subprocess.PIPE, text=True)
        port = int(echo.stdout.readline())
        assert pair.reach(port) == pair.reach(port)
        assert pair.reach(port)[0] == pair.client.address


def test_its_processes_end_with_the_block():
    with hosts(Link(), backend="relay") as pair:
        process = pair.server.popen(["sleep", "1000"])
    assert process.returncode is not None
