"""Control groups of sessions: what the kernel keeps, what is left behind, what a worker is told."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from curserve_engines.protocol import Limits
from curserve_engines.sandbox import cgroups, room

SMALL = Limits(session_bytes=200 << 20, processes=20)


@pytest.fixture
def group():
    made = cgroups.make(SMALL)
    if made is None:
        pytest.skip("no control group can be made here: v2 is not delegated, or v1 and not root")
    yield made
    made.close()


def left_behind() -> list[Path]:
    return [path for path in Path("/sys/fs/cgroup").rglob(f"session-{os.getpid()}-*") if path.is_dir()]


def run(group: cgroups.Group, command: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["bash", "-c", command], preexec_fn=group.join, capture_output=True, check=False)


def test_the_kernel_ends_what_takes_more_memory_and_counts_it(group: cgroups.Group) -> None:
    took = "import mmap; m = mmap.mmap(-1, 400 << 20); m.write(b'x' * (400 << 20))"
    done = run(group, f'{sys.executable} -c "{took}"; echo $?')
    assert done.stdout.split()[-1] == b"137"
    assert group.events().oom_kills >= 1


def test_the_kernel_starts_no_more_processes_and_counts_them(group: cgroups.Group) -> None:
    run(group, "for i in $(seq 400); do sleep 300 >/dev/null 2>&1 & done")
    there = (group.folders["pids"] / "cgroup.procs").read_text().split()
    assert 100 < len(there) <= SMALL.processes + cgroups.THREADS
    assert group.events().pids_refused >= 1


def test_a_group_that_is_closed_leaves_no_process_and_no_folder(group: cgroups.Group) -> None:
    assert left_behind()
    with subprocess.Popen(["bash", "-c", "trap '' TERM; setsid sleep 300 & wait"], preexec_fn=group.join) as bomb:
        group.close()
        group.close()
        assert bomb.wait(timeout=10) == -signal.SIGKILL
    assert left_behind() == []


def test_what_a_killed_process_leaves_is_removed_by_the_next(group: cgroups.Group) -> None:
    code = (
        "import sys\nfrom curserve_engines.protocol import Limits\nfrom curserve_engines.sandbox import cgroups\n"
    )
    code += "g = cgroups.make(Limits()); print(*g.folders.values(), flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        left = [Path(os.fsdecode(word)) for word in other.stdout.readline().split()]
        other.kill()
    assert left
    assert all(folder.is_dir() for folder in left)
    time.sleep(1.1)  # until then it might be just being made
    another = cgroups.make(SMALL)
    assert another is not None
    another.close()
    assert not any(folder.exists() for folder in left)


def test_a_worker_is_handed_the_gauges_of_every_limit(group: cgroups.Group) -> None:
    gauges = room.gauges(group.folders["memory"], group.kills_file())
    try:
        assert gauges.options[-2].startswith(f"--gauge={SMALL.session_bytes},")
        assert int(os.pread(gauges.fds[-3], 64, 0)) >= 0
        assert b"oom_kill " in os.pread(gauges.fds[-1], 4096, 0)
    finally:
        gauges.close()


def test_what_is_left_is_no_more_than_the_machine_has() -> None:
    left = room.room()
    assert left is not None
    assert 0 < left <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
