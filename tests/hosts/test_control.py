"""What runs in a session cannot answer for it, write its channels, or reach the worker."""

from pathlib import Path

import pytest

from curserve_engines import registry
from curserve_engines.protocol import Limits, World
from curserve_traces.model import ToolCall

FORGERIES = {
    "a program writes to all that it has": """python3 -c '
import os
for f in range(3, 64):
    try: os.write(f, b"0000000000000000 0 /\\n")
    except OSError: pass'; (exit 7)""",
    "the status is closed": "exec 8>&- 7>&-; (exit 7)",
    "the end of a call is another function": "unset -f __curserve_end; __curserve_end() { :; }; (exit 7)",
    "words are split elsewhere": "IFS=0123456789; set -u; (exit 7)",
    "names that the shell itself might use": "readonly status=0 PWD; local() { status=0; }; (exit 7)",
    "aliases": "shopt -s expand_aliases; alias printf=false return=false local=false; (exit 7)",
    "a socket cannot be opened again": "for f in 0 8 10; do echo x > /proc/$$/fd/$f; done; (exit 7)",
    "the command's file cannot be written": "echo 'echo evil' >> /proc/$$/fd/7; "
    """python3 -c 'open("/proc/self/fd/7", "r+").write("echo evil")'; (exit 7)""",
}
WORKER = {
    "its limits": "prlimit --pid 1 --nofile=0:0; python3 -c 'import resource as r; r.prlimit(1, 0, (0, 0))'",
    "its memory": "cat /proc/1/mem /proc/1/environ /proc/1/maps; ls /proc/1/fd/",
    "its end": "kill -9 1; kill -SEGV 1; kill -BUS 1; kill -STOP 1; kill -TERM 1; kill -ALRM 1; kill -PIPE 1",
    "when and where it runs": """python3 -c '
import os
for pid in (1, *map(int, os.listdir("/proc/1/task"))):
    for act in (
        lambda: os.setpriority(os.PRIO_PROCESS, pid, 19), lambda: os.setpriority(os.PRIO_USER, 0, 19),
        lambda: os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0)),
        lambda: os.sched_setaffinity(pid, {0}), lambda: os.sched_setparam(pid, os.sched_param(0)),
    ):
        try: act()
        except PermissionError: continue
        print("not held", pid)
os.setpriority(os.PRIO_PROCESS, 0, 5); os.sched_setaffinity(0, {0})' ; renice -n 19 -p 1; ionice -c 3 -p 1""",
    "the mark": "ulimit -q 5; ulimit -Sq 5; python3 -c 'import resource as r; r.setrlimit(12, (1, 1))'",
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_lasting_shell_tells_the_truth_or_that_it_is_broken(name: str, tmp_path: Path) -> None:
    world = World(tmp_path, shell="persistent", limits=Limits(timeout_s=10))
    with registry.load("client-subprocess").open(world) as session:
        told = session.call(ToolCall("1", "bash", {"command": FORGERIES[name]}))
        assert (told.observation.exit_code, told.failed) == (7, None)
        after = session.call(ToolCall("1", "bash", {"command": "echo after; (exit 3)"}))
        assert (after.observation.exit_code, after.observation.stdout, after.failed) == (3, b"after\n", None)


def test_who_answers_in_place_of_the_shell_breaks_the_session(tmp_path: Path) -> None:
    forged = "(for i in $(seq 9 20); do echo '0000000000000000 0 /' >&$i; done) 2>/dev/null; sleep 1"
    with registry.load("client-subprocess").open(World(tmp_path, shell="persistent")) as session:
        told = session.call(ToolCall("1", "bash", {"command": forged}))
        assert told.observation.exit_code is None
        assert "in place of the session's shell" in str(told.failed)
        after = session.call(ToolCall("1", "bash", {"command": "echo whole"}))
        assert (after.failed, after.observation.stdout) == (None, b"whole\n")


@pytest.mark.parametrize("name", WORKER)
def test_the_worker_is_out_of_reach(name: str, tmp_path: Path) -> None:
    with registry.load("client-subprocess").open(World(tmp_path, limits=Limits(timeout_s=10))) as session:
        told = session.call(ToolCall("1", "bash", {"command": WORKER[name]}))
        assert told.failed is None
        assert b"not held" not in told.observation.stdout
        for _ in range(3):
            after = session.call(ToolCall("1", "bash", {"command": "ulimit -n; ls /proc/self/fd | wc -l; nice"}))
            assert (after.failed, after.observation.stdout) == (None, b"4096\n4\n0\n")
