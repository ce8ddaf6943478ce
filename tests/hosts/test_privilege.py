"""Hosts without privilege, and what is swept when nobody could clean up."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from curserve_netem import Link, hosts
from curserve_netem.sweep import MARK

# Root without capabilities has no more rights over the kernel than another user, but can read its own files;
# the one left (CAP_SETFCAP) is what mapping user 0 into a user namespace takes.
POWERLESS = ["setpriv", "--inh-caps=-all", "--bounding-set=-all,+setfcap"]

PROGRAM = """
import json, sys
from curserve_netem import Link, calibrate, hosts
from curserve_netem.namespaces import is_administrator
with hosts(Link(rtt_ns=4_000_000), backend="queue") as pair:
    found = calibrate(pair, samples=20, tune=False, uploads=0)
    user = pair.client.run(["id", "-u"], capture_output=True, text=True).stdout.strip()
    algorithm = pair.client.run(["ip", "route"], capture_output=True, text=True).stdout
    print(json.dumps([is_administrator(), found.p50_ms, user, pair.facts, algorithm]))
"""


def test_an_ordinary_user_gets_the_same_packet_link_through_a_user_namespace():
    without = POWERLESS if os.geteuid() == 0 else []
    if without and shutil.which("setpriv") is None:
        pytest.skip("no setpriv to give up privileges with")
    done = subprocess.run([*without, sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    if "user namespaces are forbidden" in done.stderr or "security module forbids" in done.stderr:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    administrator, p50_ms, user, facts, route = json.loads(done.stdout)
    assert not administrator
    assert p50_ms >= 4
    assert user == "0"  # of its own user namespace
    assert facts["path"] == "packet"
    assert facts["notes"] == []
    assert "congctl cubic" in route


@pytest.mark.alone
def test_the_next_run_sweeps_what_a_killed_owner_and_a_killed_keeper_left():
    owner_program = (
        "import time; from curserve_netem import *\n"
        "with hosts(Link(rtt_ns=2_000_000), backend='queue') as pair:\n"
        "    print(pair.client.popen(['sleep', '1000']).pid, flush=True); time.sleep(1000)"
    )
    owner = subprocess.Popen([sys.executable, "-c", owner_program], stdout=subprocess.PIPE)
    inside = int(owner.stdout.readline())
    (keeper,) = _keepers_of(owner.pid)
    os.kill(keeper, signal.SIGKILL)
    owner.kill()
    owner.wait()
    assert Path(f"/proc/{inside}/stat").exists()
    with hosts(Link()):
        deadline = time.monotonic() + 10
        while Path(f"/proc/{inside}/cmdline").exists() and Path(f"/proc/{inside}/cmdline").read_bytes():
            assert time.monotonic() < deadline, "not swept"
            time.sleep(0.02)


@pytest.mark.alone
def test_the_machines_own_network_is_as_it_was():
    def devices() -> str:
        rows = subprocess.run(["ip", "-o", "addr"], capture_output=True, text=True, check=True).stdout
        routes = subprocess.run(["ip", "route"], capture_output=True, text=True, check=True).stdout
        settings = [p.read_text() for p in Path("/proc/sys/net/ipv4").glob("tcp_*") if os.access(p, os.R_OK)]
        return rows + routes + "".join(settings)

    before = devices()
    with hosts(Link(rtt_ns=2_000_000), backend="queue"):
        assert devices() == before
    assert devices() == before


def _keepers_of(owner: int) -> list[int]:
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                marked = f"{MARK}={owner}:".encode() in (process / "environ").read_bytes()
                if marked and b"curserve_netem.keeper" in (process / "cmdline").read_bytes():
                    found.append(int(process.name))
            except OSError:
                continue
    return found
