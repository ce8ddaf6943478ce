"""A bomb of every kind, in a container of 700 MB, on a file system of 1 GB: we live, the session says what it was.

After each one the next call is right, in the same session or in a new one. As root, where each session has a
control group of its own, and as an ordinary user, who has none: the worker watches what the container has left.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from common_user import as_user, user_folder

from curserve_engines.sandbox.hierarchy import standing

pytestmark = pytest.mark.alone  # what a bomb is ended by depends on what the machine has left

CONTAINER = 700 << 20
FILE_SYSTEM = 1 << 30

ON_DISK = ("workspace", "memory")  # this file system lies in memory

# What it is to say: one of these, or that the programs themselves were told no.
BOMBS = {
    "fork": (":(){ :|:& };:; sleep 10", ("processes", "could not be started")),
    "fork, quietly": ("for i in $(seq 2000); do sleep 60 & done; sleep 10", ("processes", "could not be started")),
    "memory": (
        "python3 -c 'import os, time\nfor i in range(6): os.fork()\nx = bytearray(60 << 20)\ntime.sleep(10)'",
        ("memory",),
    ),
    "shared memory": (
        "head -c 480M /dev/zero > /dev/shm/x & head -c 480M /dev/zero > /tmp/y; sleep 5",
        ("memory",),
    ),
    "memory files": (
        'python3 -c \'import os\nwhile True:\n f = os.memfd_create("x")\n'
        ' for i in range(50): os.write(f, b"x" * (1 << 20))\'',
        ("memory", "Cannot allocate", "No space"),
    ),
    "disk": ("for i in $(seq 30); do head -c 50M /dev/zero > f$i; done; sleep 5", ON_DISK),
    "disk, at once": ("for i in $(seq 30); do fallocate -l 100M g$i; done", ON_DISK),
    "disk, without a name": ("exec 3>x; rm x; head -c 900M /dev/zero >&3; sleep 5", ON_DISK),
    "inodes": ("mkdir d; cd d; seq 400000 | xargs touch; sleep 5", ON_DISK),
    "descriptors": ("python3 -c 'import os\nwhile True: os.open(\"/dev/null\", 0)'", ("Too many open files",)),
    "output": ("yes", ("output",)),
    "pipes": (
        "python3 -c 'import os\nwhile True:\n try:\n  r, w = os.pipe()\n  os.set_blocking(w, False)\n"
        '  os.write(w, b"x" * 65536)\n except OSError: os.fork()\'',
        ("processes", "memory", "could not be started"),
    ),
    "a child that ignores everything": (
        "(trap '' HUP INT TERM QUIT TSTP; setsid sleep 300 & sleep 300) & kill -STOP $!; sleep 300",
        ("timed out",),
    ),
    "the dead": (
        "python3 -c 'import os, time\nwhile True:\n if os.fork() == 0: os._exit(0)'",
        ("processes", "Resource"),
    ),
}

HARNESS = """
import json, os, sys
from pathlib import Path
from curserve_engines import registry
from curserve_engines.protocol import Limits, World
from curserve_traces.model import ToolCall
root, bombs = Path(sys.argv[1]), json.loads(sys.argv[2])
limits = Limits(timeout_s=4, output_bytes=4 << 20, processes=128, session_bytes=512 << 20, inodes=50_000)
for name, bomb in bombs.items():
    (root / name).mkdir()
    (root / name / "a").write_text("alpha")
    with registry.load("client-subprocess").open(World(root / name, limits=limits)) as session:
        def run(command):
            result = session.call(ToolCall("1", "bash", {"command": command}))
            seen = result.observation
            said = (seen.stderr[-300:] + (result.failed or "").encode()).decode(errors="replace")
            return [seen.exit_code, seen.stdout[-80:].decode(), said, result.failed]
        seen = [run(bomb), run("cat a; ls -d /proc/[0-9]* | wc -l"), run("touch b && echo made")]
        print(json.dumps([name, *seen]), flush=True)
    os.system(f"chmod -R u+rwx '{root}'/*; rm -rf '{root}'/*")
"""


@contextlib.contextmanager
def container() -> Iterator[list[Path]]:
    """Give the groups of a container, as cgroup v1 has them; whoever writes 0 to them is in it."""
    ours = standing("memory")
    if os.geteuid() != 0 or ours is None or ours.version != 1:
        pytest.skip("the container of this test is made by root, with control groups of version 1")
    folder = ours.folder / f"curserve-test-{os.getpid()}"
    folder.mkdir()
    (folder / "memory.limit_in_bytes").write_text(str(CONTAINER))
    try:
        yield folder / "cgroup.procs"
    finally:
        left = (folder / "cgroup.procs").read_text().split()
        for below in folder.glob("curserve-sessions/*"):
            left += (below / "cgroup.procs").read_text().split() if below.is_dir() else []
        for pid in left:
            os.kill(int(pid), 9)
        for below in (*folder.glob("curserve-sessions/*/"), *folder.glob("curserve-sessions"), folder):
            subprocess.run(["rmdir", below], check=False, capture_output=True)
        assert left == [], "processes were left behind"
        assert not folder.exists(), "control groups were left behind"


@contextlib.contextmanager
def small_file_system(folder: Path) -> Iterator[Path]:
    place = folder / "small"
    place.mkdir()
    options = f"size={FILE_SYSTEM},nr_inodes=300000,mode=1777"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize("who", ["root", "user"])
def test_every_bomb_is_told_and_the_next_call_is_right(who: str) -> None:
    with container() as procs, user_folder() as folder, small_file_system(folder) as place:
        words = ["-c", HARNESS, place, json.dumps({name: bomb for name, (bomb, _) in BOMBS.items()})]

        def join() -> None:
            procs.write_text("0")

        if who == "user":
            done = as_user(words, preexec_fn=join, timeout=240, env={"TMPDIR": str(folder)})
        else:
            done = subprocess.run(
                [sys.executable, *map(str, words)], capture_output=True, text=True, preexec_fn=join, timeout=240
            )
        assert done.returncode == 0, done.stderr[-2000:]
    seen = {name: rest for name, *rest in map(json.loads, done.stdout.splitlines())}
    assert list(seen) == list(BOMBS)
    for name, (told, after, written) in seen.items():
        assert any(word in told[2] for word in BOMBS[name][1]), (name, told)
        assert told[0] != 0, (name, told)
        assert after[3] is None, (name, told, after)
        assert after[1].startswith("alpha"), (name, after)
        assert int(after[1].removeprefix("alpha")) <= 6, (name, after)
        assert written[:2] == [0, "made\n"], (name, written)
