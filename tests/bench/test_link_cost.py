"""What the packet queue costs a packet: bulk TCP through it at no delay, and through plain veth beside it."""

import json
import subprocess

import pytest

from curserve_netem import Link, hosts
from curserve_netem.hosts import link_program

BYTES = 100_000_000
SEGMENT = 1448


def transfer_seconds(pair) -> float:
    sink = pair.server.popen([link_program(), "sink", pair.server.address], stdout=subprocess.PIPE, text=True)
    server = f"{pair.server.address}:{sink.stdout.readline().strip()}"
    pair.client.run([link_program(), "send", server, str(BYTES)], stdout=subprocess.DEVNULL, check=True)
    figures = json.loads(sink.communicate()[0])
    assert figures["exact"]
    return figures["receiving_ns"] / 1e9


@pytest.mark.alone
@pytest.mark.parametrize("path", ["queue/packet", "queue/veth"])
def test_cost_per_packet(benchmark, path):
    """The difference of the two rows is the queue's own cost."""
    with hosts(Link(), backend=path) as pair:
        seconds = benchmark.pedantic(transfer_seconds, args=(pair,), rounds=5, warmup_rounds=1)
    benchmark.extra_info["ns_per_packet"] = benchmark.stats.stats.min * 1e9 / (BYTES / SEGMENT)
    benchmark.extra_info["gbps"] = BYTES * 8 / 1e9 / benchmark.stats.stats.min
    assert seconds > 0
