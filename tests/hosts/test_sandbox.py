"""The sandbox: hostile commands replayed for real; nothing outside changes, nothing outlives the session."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from common_user import USER, as_user, user_folder

from curserve_engines import registry, sandbox
from curserve_engines.protocol import EngineError, Limits, Session, World
from curserve_traces.model import ToolCall
from curserve_traces.place import why_not
from curserve_traces.workspace import EPOCH, snapshot

LIMITS = Limits(timeout_s=15, output_bytes=4 << 20, memory_bytes=512 << 20, processes=128)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """What hostile commands are after: beside the workspace, in the home folder, in the environment."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_text("TOP-SECRET-FILE")
    (folder / "victim").write_text("untouched")
    return folder


@pytest.fixture
def root(tmp_path: Path, outside: Path) -> Path:
    folder = tmp_path / "w"
    folder.mkdir()
    (folder / "a.txt").write_text("alpha\n")
    (folder / "leak").symlink_to(outside / "secret")
    (folder / "escape").symlink_to(outside)
    return folder


@pytest.fixture
def session(root: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("API_TOKEN", "TOP-SECRET-VARIABLE")
    with registry.load("server-subprocess").open(World(root, "/testbed", limits=LIMITS)) as session:
        yield session


def run(session: Session, command: str, **more):
    return session.call(ToolCall("1", "bash", {"command": command}, **more))


def alive(session: Session) -> None:
    result = run(session, "echo alive")
    assert (result.failed, result.observation.stdout) == (None, b"alive\n")


# ruff: noqa: E501 - attacks are easier to judge on one line
HOSTILE = {
    "sed runs a command": r"sed -n '1e touch /escape OUTSIDE/pwned' a.txt",
    "sed writes a file": "sed -n 'w OUTSIDE/pwned' a.txt",
    "find writes a file": "find . -fprintf OUTSIDE/pwned x; find . -fprintf /x y; find /testbed/.. -delete",
    "bash opens a connection": "exec 3<>/dev/tcp/127.0.0.1/PORT && cat <&3",
    "a name is looked up": "getent hosts example.org; curl -s -m 3 http://127.0.0.1:PORT/",
    "rg runs a command": "printf '#!/bin/sh\\ntouch OUTSIDE/pwned\\n' > p; chmod +x p; rg --pre ./p alpha",
    "git runs a hook": "git init -q g && cd g && printf '#!/bin/sh\\ntouch OUTSIDE/pwned /x\\n' > .git/hooks/pre-commit && "
    "chmod +x .git/hooks/pre-commit && git config core.fsmonitor 'touch OUTSIDE/pwned' && git status; "
    "git -c user.name=a -c user.email=a commit --allow-empty -m x",
    "writes outside": "echo pwned > OUTSIDE/victim; echo pwned > escape/victim; echo x >> /etc/passwd; rm -rf / --no-preserve-root",
    "writes through a link": "cp a.txt leak; cat leak; tee escape/new < a.txt",
    "reads secrets": "cat OUTSIDE/secret leak HOME/.bashrc HOME/.ssh/* /etc/shadow /root/.bashrc; env; cat /proc/*/environ",
    "reads the parent's memory": "cat /proc/1/mem /proc/1/maps; ls -la /proc/1/root/ /proc/1/cwd/; gdb -p 1",
    "traces the worker": "python3 -c 'import ctypes; print(ctypes.CDLL(None).ptrace(16, 1, 0, 0))'; strace -p 1",
    "signals everybody": "kill -9 -1; kill -9 1; kill -STOP 1",
    "makes namespaces": "unshare -Ur id; unshare -n true; mount -t tmpfs none /mnt; mount --bind / /mnt; chroot / id",
    "talks to other namespaces": "python3 -c 'import socket; socket.socket(40, 1)' ; python3 -c 'import socket; "
    's=socket.socket(socket.AF_UNIX); s.connect("\\0curserve-test")\'',
    "fills the temporary folder": "dd if=/dev/zero of=/tmp/x bs=1M count=2000; dd if=/dev/zero of=/dev/shm/x bs=1M count=2000",
    "makes a huge file": "truncate -s 100G huge; fallocate -l 100G huge2",
    "takes all memory": "head -c 3G /dev/zero | tail; python3 -c 'x = bytearray(10**10)'",
    "types into a terminal": "python3 -c 'import fcntl; fcntl.ioctl(0, 0x5412, b\"x\")'",
    "keyrings": "keyctl show; python3 -c 'import ctypes; print(ctypes.CDLL(None).syscall(250, 0, -3, 0))'",
    "device nodes": "mknod d b 254 0; mknod /dev/x c 1 1; cat /dev/vda /dev/mem /dev/kmsg",
    "kernel settings": "echo 1 > /proc/sys/vm/drop_caches; echo x > /proc/sysrq-trigger; echo c > /sys/power/state",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_command_changes_nothing_outside(
    name: str, session: Session, outside: Path, tmp_path: Path
) -> None:
    import socket

    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.settimeout(0.1)
        before = snapshot(outside)
        command = HOSTILE[name].replace("OUTSIDE", str(outside)).replace("HOME", str(Path.home()))
        result = run(session, command.replace("PORT", str(server.getsockname()[1])))
        with pytest.raises(TimeoutError):
            server.accept()
    seen = result.observation.stdout + result.observation.stderr
    assert b"TOP-SECRET" not in seen
    assert b"uid=0" not in seen
    assert snapshot(outside) == before
    assert not Path("/escape").exists()
    assert not Path("/x").exists()
    alive(session)


def test_the_hostile_commands_would_work_without_the_sandbox(tmp_path: Path, outside: Path) -> None:
    """The attacks are real: the same ones, run plainly on throw-away folders, do what they are meant to."""
    work = tmp_path / "plain"
    work.mkdir()
    (work / "a.txt").write_text("alpha\n")
    for name in ("sed writes a file", "find writes a file", "rg runs a command", "git runs a hook"):
        if name.startswith("rg") and not shutil.which("rg"):
            continue
        command = (
            HOSTILE[name]
            .split("; find . -fprintf /x")[0]
            .replace("OUTSIDE", str(outside))
            .replace(" /x\\n", "\\n")
        )
        subprocess.run(["bash", "-c", command], cwd=work, capture_output=True, check=False)
        assert (outside / "pwned").exists(), name
        (outside / "pwned").unlink()


@pytest.mark.parametrize("at", ["/testbed", "/workspace/deep/repo", "/tmp/one/repo"])
def test_what_is_above_the_workspace_is_as_old_in_every_session(root: Path, at: str) -> None:
    with registry.load("server-subprocess").open(World(root, at, limits=LIMITS)) as session:
        result = run(session, "stat -c '%Y %a' .. && ls -la && touch new && ! touch ../new")
    assert result.observation.exit_code == 0, result.observation.stderr
    assert result.observation.stdout.startswith(b"%d 755\n" % EPOCH)


def test_fork_bomb_ends_and_the_session_goes_on(session: Session) -> None:
    result = run(session, ":(){ :|:& };:; sleep 10")
    assert result.failed is not None or result.observation.exit_code != 0
    deadline = time.monotonic() + 10
    while run(session, "ls -d /proc/[0-9]* | wc -l").observation.stdout.strip() not in (b"4", b"5"):
        assert time.monotonic() < deadline, "the bomb still runs"
        time.sleep(0.2)
    alive(session)


def _running(marker: str) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if marker.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid()]


def _gone(marker: str) -> bool:
    deadline = time.monotonic() + 10
    while _running(marker):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


DAEMONS = (
    "setsid -f sleep {m}; (nohup sleep {m} >/dev/null 2>&1 &); (trap '' HUP TERM INT; sleep {m}) >/dev/null 2>&1 &"
)


def test_nothing_survives_close(root: Path) -> None:
    marker = f"{300 + os.getpid()}.{time.monotonic_ns() % 10**6}"
    with registry.load("client-subprocess").open(World(root, limits=LIMITS)) as session:
        run(session, DAEMONS.format(m=marker))
        assert _running(marker)
    assert _gone(marker)


CHILD = """
import sys, time
from pathlib import Path
from curserve_engines import registry
from curserve_engines.protocol import World
from curserve_traces import scratch
from curserve_traces.model import ToolCall
session = registry.load("daemon").open(World(Path(sys.argv[1])))
session.call(ToolCall("1", "bash", {"command": sys.argv[2]}))
print(scratch.base(), flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_survives_the_end_of_the_parent(root: Path, end: signal.Signals) -> None:
    marker = f"{300 + os.getpid()}.{time.monotonic_ns() % 10**6}"
    command = [sys.executable, "-c", CHILD, root, DAEMONS.format(m=marker)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as parent:
        assert parent.stdout is not None
        left = Path(parent.stdout.readline().strip())
        assert left.is_dir()
        assert _running(marker)
        parent.send_signal(end)
        parent.wait(timeout=20)
    assert _gone(marker)
    from curserve_traces import scratch

    scratch.sweep()
    assert not left.exists(), "the next run removes what a killed one left"
    assert scratch.base().exists()


SCRIPT = """
import sys
from pathlib import Path
from curserve_engines import registry
from curserve_engines.protocol import World
from curserve_traces.model import ToolCall
with registry.load("server-subprocess").open(World(Path(sys.argv[1]))) as session:
    print(session.call(ToolCall("1", "bash", {"command": "cat a.txt; id -u; touch b"})).observation.stdout.decode())
"""
NAMESPACE = ("unshare", "--user", "--map-root-user", "--net", "--mount")


def test_it_works_inside_an_unprivileged_user_namespace_with_its_own_network(root: Path) -> None:
    """The link's hosts are such namespaces where we are an ordinary user."""
    with user_folder() as folder:
        (folder / "a.txt").write_text("alpha\n")
        done = as_user(["-c", SCRIPT, folder], before=NAMESPACE)
        if "unshare failed" in done.stderr:
            pytest.skip(f"no user namespace here: {done.stderr.strip()}")
        assert done.stdout.split() == ["alpha", "1000"], done.stderr
        assert (folder / "b").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="is about root")
def test_root_that_cannot_become_anybody_else_is_refused(root: Path) -> None:
    command = [*NAMESPACE, sys.executable, "-c", SCRIPT, root]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "commands never run as root; start as an ordinary user instead" in done.stderr
    assert done.stdout == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="is about root")
def test_nothing_inside_is_root_and_the_copy_is_theirs(root: Path, session: Session) -> None:
    """A workspace below a folder that only root may enter works all the same: pytest's own is such a one."""
    assert root.stat().st_uid == (root / "leak").lstat().st_uid == sandbox.owner()[0]
    seen = run(session, "stat -c %u /proc/sys; touch mine && stat -c %u mine; mkdir -p d/e && rm -r d")
    assert seen.observation.stdout.split() == [b"65534", b"1000"]
    assert (root / "mine").stat().st_uid == sandbox.owner()[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="is about root")
def test_a_folder_of_somebody_is_worked_in_as_its_owner_and_never_as_root(root: Path) -> None:
    with pytest.raises(EngineError, match="commands never run as root"):
        registry.load("server-subprocess").open(World(root, limits=LIMITS, use="in place"))
    for path in (root, root / "a.txt"):
        os.chown(path, USER, USER)
    with registry.load("server-subprocess").open(World(root, limits=LIMITS, use="in place")) as session:
        assert run(session, "echo x >> a.txt && echo y > new").observation.exit_code == 0
    assert ((root / "new").stat().st_uid, (root / "leak").lstat().st_uid) == (USER, 0)


@pytest.mark.parametrize(
    "at", ["/opt", "//opt/curserve/libexec", "/tmp", "/opt/curserve", "/proc", "/a/../usr", "/a\nb"]
)
def test_no_workspace_takes_the_place_of_the_sandbox(root: Path, at: str) -> None:
    with pytest.raises(EngineError, match="--at"):
        registry.load("server-subprocess").open(World(root, at, limits=LIMITS))


def test_all_that_is_mounted_is_reserved(root: Path) -> None:
    """Else a recording could name a place that covers it."""
    from curserve_engines.sandbox.bubblewrap import RG, bubblewrap
    from curserve_engines.sandbox.sources import Sources

    with Sources("test", staged=False) as sources:
        words = bubblewrap(World(root), {RG: Path("/bin/sh")}, sources)
    after = {
        "--ro-bind": 2,
        "--ro-bind-fd": 2,
        "--bind-fd": 2,
        "--proc": 1,
        "--dev": 1,
        "--tmpfs": 1,
        "--perms": 3,
    }
    mounted = {words[i + after[word]] for i, word in enumerate(words) if word in after} - {"/", "/testbed"}
    assert {RG, "/proc", "/dev", "/usr/bin"} <= mounted
    for place in mounted:
        assert why_not(place), place
