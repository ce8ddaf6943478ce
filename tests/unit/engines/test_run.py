"""`curserve run -- AGENT`: to the agent no difference but time, whatever happens to the daemon."""

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from curserve_engines import programs

CURSERVE = programs.need("curserve", "test")
AGENT = str(Path(__file__).with_name("scripted_agent.py"))

CALLS = [
    ["bash", "-c", "grep -rn alpha . | head -5"],
    ["bash", "-c", "cat a.txt; ls -la nofile; echo $?"],
    ["bash", "-c", "cd sub && pwd && ls"],
    ["bash", "-c", "echo $PATH; echo $HOME; echo $0 $#"],
    ["bash", "-c", "which grep; command -v bash; type rg; env | sort | grep -v '^_='"],
    ["bash", "-c", "echo $SHELL $SHLVL; nosuchprogram; cd nowhere"],
    ["bash", "-lc", "cat a.txt"],
    ["bash", "-c", "cat $0 $1", "a.txt", "b.txt"],
    ["bash", "a-script.sh"],
    ["sh", "-c", "cat a.txt | wc -l; echo -e x; [ -f a.txt ] && echo there"],
    ["sh", "-c", "cat a.txt && grep -n beta a.txt"],
    ["sh", "-c", "nosuchprogram; cd nowhere; echo $0"],
    ["rg", "-n", "--sort", "path", "alpha", "."],
    ["rg", "-c", "alpha", "a.txt"],
    ["grep", "-rn", "beta", "."],
    ["grep", "nothing", "a.txt"],
    ["egrep", "alpha|beta", "a.txt"],
    ["fgrep", "-c", "a", "a.txt", "nofile"],
    ["find", ".", "-name", "*.txt"],
    ["find", ".", "-type", "f", "-exec", "grep", "-l", "alpha", "{}", "+"],
    ["find", "nofile"],
    ["cat", "a.txt"],
    ["bash", "-c", "echo new > made.txt; cat made.txt; rm made.txt"],
    ["bash", "-c", "for i in 1 2 3; do echo $i; done | tail -1; exit 7"],
    ["bash", "-c", "sed -n '1,2p' a.txt; kill -TERM $$"],
]


@pytest.fixture
def tree(root: Path) -> Path:
    """A workspace with a few files more."""
    (root / "b.txt").write_text("alpha 2\n")
    (root / "sub/deep.txt").write_text("x alpha\n")
    (root / "a-script.sh").write_text("echo script; grep -c alpha a.txt\n")
    return root


@pytest.fixture
def env(root: Path) -> Iterator[dict[str, str]]:
    """An environment whose daemons are nobody else's; they end with it."""
    home = root.parent / "home"
    home.mkdir()
    path = f"{Path(sys.prefix) / 'bin'}:/usr/bin:/bin"
    with tempfile.TemporaryDirectory() as runtime:  # the path of a socket has room for 107 bytes
        yield {
            "PATH": path,
            "XDG_RUNTIME_DIR": runtime,
            "LC_ALL": "C.UTF-8",
            "HOME": str(home),
            "SHELL": "/bin/bash",
        }
        for pid in daemons(runtime):
            os.kill(pid, signal.SIGKILL)


def daemons(runtime: str) -> list[int]:
    """Return the processes whose environment names this folder for sockets, and that serve; no child of theirs."""
    found: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if b"serve" in words and runtime.encode() in (entry / "environ").read_bytes():
                found[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    return [pid for pid, parent in found.items() if parent not in found]


def run(
    words: list[str], cwd: Path, env: dict[str, str], *options: str, **more
) -> subprocess.CompletedProcess[str]:
    """Run `curserve run OPTIONS -- WORDS`."""
    command = [str(CURSERVE), "run", *options, "--", *words]
    return subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=120,
        **{"stdin": subprocess.DEVNULL, **more},
    )  # fmt: skip


def agent(calls: list[list[str]], folder: Path, width: int = 1) -> list[str]:
    """Return the command line of an agent that makes these calls."""
    file = folder / "calls.json"
    file.write_text(json.dumps(calls))
    return [sys.executable, AGENT, str(file), str(width)]


def stats(cwd: Path, env: dict[str, str]) -> dict:
    """Return what the daemon says of its work."""
    command = [str(CURSERVE), "stats", "--json"]
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=True, timeout=20)
    return json.loads(done.stdout)


def ready(cwd: Path, env: dict[str, str]) -> None:
    """Wait until the daemon answers the calls of shims: it has loaded, and knows the caller's programs."""
    until = time.monotonic() + 30
    while stats(cwd, env)["answered"] == 0:
        assert time.monotonic() < until, stats(cwd, env)
        run(["bash", "-c", "exit 0"], cwd, env)
        run([sys.executable, "-c", "import subprocess; subprocess.run(['bash', '-c', 'cat a.txt'], "
             "stdin=subprocess.DEVNULL, capture_output=True)"], cwd, env)  # fmt: skip


def test_an_agent_sees_no_difference(tree: Path, env: dict[str, str], tmp_path: Path) -> None:
    words = agent(CALLS, tmp_path)
    bare = subprocess.run(words, cwd=tree, env=env, capture_output=True, text=True, check=True)
    assert run(["true"], tree, env).returncode == 0
    ready(tree, env)
    before = stats(tree, env)["answered"]
    among_shims = run(words, tree, env)
    assert among_shims.stderr == ""
    for words, real, ours in zip(CALLS, json.loads(bare.stdout), json.loads(among_shims.stdout), strict=True):
        assert (words, ours) == (words, real)
    assert stats(tree, env)["answered"] - before >= 10


def test_nothing_is_left_but_the_daemon_which_leaves_too(tree: Path, env: dict[str, str]) -> None:
    runtime = Path(env["XDG_RUNTIME_DIR"]) / "curserve"
    seen = run(["sh", "-c", f"ls {runtime}; command -v rg"], tree, env, "--leave-s", "1")
    assert seen.returncode == 0
    assert "run-" in seen.stdout, "the folder of this run"
    assert not list(runtime.glob("run-*"))
    (pid,) = daemons(env["XDG_RUNTIME_DIR"])
    assert run(["true"], tree / "sub", env, "--root", str(tree)).returncode == 0
    assert daemons(env["XDG_RUNTIME_DIR"]) == [pid], "a second run finds it"
    until = time.monotonic() + 30
    while daemons(env["XDG_RUNTIME_DIR"]):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert list(runtime.iterdir()) == []


def test_a_killed_daemon_is_not_noticed_and_comes_back(tree: Path, env: dict[str, str], tmp_path: Path) -> None:
    calls = [call for call in CALLS if "env" not in call[-1]] * 20
    words = agent(calls, tmp_path)
    bare = subprocess.run(words, cwd=tree, env=env, capture_output=True, text=True, check=True)
    assert run(["true"], tree, env).returncode == 0
    ready(tree, env)
    command = [str(CURSERVE), "run", "--", *words]
    with subprocess.Popen(command, cwd=tree, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        killed = set()
        while process.poll() is None and len(killed) < 3:
            for pid in set(daemons(env["XDG_RUNTIME_DIR"])) - killed:
                time.sleep(0.1)
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
        out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert len(killed) >= 2, "it came back at least once"
    for words, real, ours in zip(calls, json.loads(bare.stdout), json.loads(out), strict=True):
        assert (words, ours) == (words, real)


def test_a_session_is_recorded_with_what_the_real_programs_said(
    tree: Path, env: dict[str, str], tmp_path: Path
) -> None:
    calls = [["bash", "-c", "cat a.txt"], ["bash", "-c", "grep -n alpha b.txt | head -3"]]
    done = run(agent(calls, tmp_path), tree, env, "--record", str(tmp_path / "session.json"))
    assert done.returncode == 0, done.stderr
    steps = json.loads((tmp_path / "session.json").read_text())["steps"]
    made = [call["arguments"]["command"] for step in steps for call in step.get("tool_calls", [])]
    assert made == [line for *_, line in calls]
    said = [result["content"] for step in steps for result in step.get("observation", {}).get("results", [])]
    assert said == ["alpha\nbeta\n", "1:alpha 2\n"]


def test_sixty_four_shims_at_once(tree: Path, env: dict[str, str], tmp_path: Path) -> None:
    calls = [call for call in CALLS if "made.txt" not in call[-1] and "env" not in call[-1]] * 12
    bare = subprocess.run(agent(calls, tmp_path, 4), cwd=tree, env=env, capture_output=True, text=True, check=True)
    assert run(["true"], tree, env).returncode == 0
    ready(tree, env)
    together = run(agent(calls, tmp_path, 64), tree, env)
    assert together.stderr == ""
    for words, real, ours in zip(calls, json.loads(bare.stdout), json.loads(together.stdout), strict=True):
        assert (words, ours) == (words, real)


def test_the_agents_exit_is_ours(tree: Path, env: dict[str, str]) -> None:
    assert run(["bash", "-c", "exit 7"], tree, env).returncode == 7
    assert run(["bash", "-c", "kill -9 $$"], tree, env).returncode == -9
    assert run(["bash", "-c", "kill -TERM $$"], tree, env).returncode == -15
    missing = run(["no-such-agent"], tree, env)
    assert (missing.returncode, missing.stderr) == (127, "curserve run: no-such-agent is not on PATH\n")
    (tree / "no-program").write_text("text")
    broken = run(["./no-program"], tree, env)
    assert (broken.returncode, broken.stderr.count("\n")) == (126, 1)
    assert run([], tree, env).returncode == 2
    assert run(["true"], tree, env, "--nonsense").returncode == 2
    assert run(["true"], tree, env, "--root", "/no/such").returncode == 2
    assert run(["true"], tree, env, "--leave-s", "-1").returncode == 2


def test_signals_reach_the_agent(tree: Path, env: dict[str, str]) -> None:
    script = "trap 'echo got; exit 3' TERM INT; echo up; while :; do sleep 0.05; done"
    for number in (signal.SIGTERM, signal.SIGINT):
        with subprocess.Popen(
            [str(CURSERVE), "run", "--", "bash", "-c", script],
            cwd=tree,
            env=env,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            process.send_signal(number)
            out, _ = process.communicate(timeout=20)
        assert (process.returncode, out) == (3, "got\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["env", "-i", "bash", "-c", "cat a.txt"], "alpha\nbeta\n"),
        (["env", "-i", "PATH=/usr/bin", "bash", "-c", "cat a.txt"], "alpha\nbeta\n"),
        (["bash", "-lc", "cat a.txt"], "alpha\nbeta\n"),
        (["bash", "-c", "cd / && cat etc/hostname"], Path("/etc/hostname").read_text()),
        (["bash", "-c", "exit 0"], ""),
    ],
)  # fmt: skip
def test_an_agent_that_goes_its_own_way_runs(tree: Path, env: dict[str, str], words: list[str], said: str) -> None:
    done = run([sys.executable, "-c", f"import subprocess; subprocess.run({words!r})"], tree, env)
    assert (done.returncode, done.stdout, done.stderr) == (0, said, "")


def test_a_root_that_moves_or_goes_is_left_to_the_real_programs(tree: Path, env: dict[str, str]) -> None:
    script = (
        "import subprocess, os\n"
        "words = ['bash', '-c', 'cat a.txt']\n"
        "def call(): return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True)\n"
        "print(call()); os.rename(os.getcwd(), os.getcwd() + '-moved')\n"
        "print(call()); os.unlink('a.txt'); print(call())\n"
    )
    done = run([sys.executable, "-c", script], tree, env)
    first, second, third = done.stdout.splitlines()
    assert done.stderr == ""
    assert first == second
    assert "returncode=1" in third
    assert "No such file" in third


def test_without_a_place_for_sockets_the_agent_runs(tree: Path, env: dict[str, str]) -> None:
    (Path(env["XDG_RUNTIME_DIR"]) / "curserve").write_text("in the way")
    done = run(["cat", "a.txt"], tree, env)
    assert (done.returncode, done.stdout) == (0, "alpha\nbeta\n")
    assert done.stderr.count("\n") == 1
    assert "real programs run" in done.stderr


def test_what_costs_much_is_not_served_unasked(tree: Path, env: dict[str, str]) -> None:
    done = run(["cat", "a.txt"], tree, {**env, "HOME": str(tree)})
    assert (done.returncode, done.stdout) == (0, "alpha\nbeta\n")
    assert "your home folder" in done.stderr
    assert not daemons(env["XDG_RUNTIME_DIR"])
    (tree / ".git").mkdir()
    (tree / ".git/index").write_bytes(b"DIRC" + (2).to_bytes(4) + (500_000).to_bytes(4))
    done = run(["cat", "a.txt"], tree, env)
    assert done.stdout == "alpha\nbeta\n"
    assert "500000 files" in done.stderr
    assert run(["true"], tree, env, "--yes").stderr == ""
    assert daemons(env["XDG_RUNTIME_DIR"])
    assert "does not report" in run(["true"], Path("/proc/self"), env).stderr


class AnotherVersion:
    """A daemon of another version, as far as `run` asks: it says how many are connected, and ends if told."""

    def __init__(self, root: Path, runtime: str) -> None:
        folder = Path(runtime) / "curserve"
        folder.mkdir(mode=0o700)
        value = 0xCBF29CE484222325
        for byte in os.fsencode(root):
            value = ((value ^ byte) * 0x100000001B3) % 2**64
        self.path = folder / f"{value:016x}"
        self.connections, self.ended = 1, threading.Event()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen()
        self.hello = {"root": str(root), "program_version": "0.0.9"}
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        """Serve each connection by a thread of its own."""
        while not self.ended.is_set():
            connection, _ = self.listener.accept()
            threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def answer(self, connection: socket.socket) -> None:
        """Answer requests, each by its kind."""
        with connection, connection.makefile("rwb") as stream:
            while head := stream.read(8):
                request = json.loads(stream.read(struct.unpack("<II", head)[0]))
                said = {"id": request["id"], **self.hello, "connections": self.connections}
                if request["op"] == "shutdown":
                    self.path.unlink()
                    self.ended.set()
                data = json.dumps(said).encode()
                stream.write(struct.pack("<II", len(data), 0) + data)
                stream.flush()


def test_a_daemon_of_another_version_makes_room_when_nobody_needs_it(tree: Path, env: dict[str, str]) -> None:
    other = AnotherVersion(tree, env["XDG_RUNTIME_DIR"])
    other.connections = 2
    said = run(["cat", "a.txt"], tree, env)
    assert said.stdout == "alpha\nbeta\n"
    assert "version 0.0.9" in said.stderr
    assert not other.ended.is_set()
    other.connections = 1
    assert run(["true"], tree, env).stderr == ""
    assert other.ended.is_set()
    assert stats(tree, env)["calls"] == 0, "ours is there now"


def test_what_a_killed_run_leaves_is_swept(tree: Path, env: dict[str, str]) -> None:
    process = subprocess.Popen(
        [str(CURSERVE), "run", "--", "bash", "-c", "echo up; exec sleep 60"],
        cwd=tree, env=env, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()
    (left,) = (Path(env["XDG_RUNTIME_DIR"]) / "curserve").glob("run-*")
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    (agent_pid,) = [int(pid) for pid in children if Path(f"/proc/{pid}/comm").read_text() in ("sleep\n", "bash\n")]
    process.kill()
    process.wait()
    os.utime(left, (0, 0))
    run(["true"], tree, env)
    assert not left.exists()
    os.kill(agent_pid, signal.SIGKILL)
