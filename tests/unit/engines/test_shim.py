"""The `rg`/`grep` shim: the daemon's answer, or the real program, and to its caller no difference."""

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from curserve_engines import programs
from curserve_engines.client import Client

CURSERVE = programs.need("curserve", "test")


@pytest.fixture
def shim(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment in which `rg` and `grep` are the shim, in front of the real ones."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("rg", "grep"):
        (folder / name).symlink_to(CURSERVE)
    shutil.copy(CURSERVE, tmp_path / "copy-of-it")
    (tmp_path / "bin2").mkdir()
    (tmp_path / "copy-of-it").rename(tmp_path / "bin2/grep")  # a second shim, as a copy: never a loop
    path = f"{folder}:{tmp_path / 'bin2'}:{os.environ['PATH']}"
    with tempfile.TemporaryDirectory() as runtime:  # the path of a socket has room for 107 bytes
        yield {"PATH": path, "XDG_RUNTIME_DIR": runtime, "LC_ALL": "C.UTF-8"}


def grep(root: Path, env: dict[str, str], *words: str, **options) -> subprocess.CompletedProcess[str]:
    options = {"stdin": subprocess.DEVNULL, **options}
    return subprocess.run(
        words, cwd=root, env=env, capture_output=True, text=True, check=False, timeout=20, **options
    )


def test_without_a_daemon_it_is_the_real_program(root: Path, shim: dict[str, str]) -> None:
    done = grep(root, shim, "grep", "-n", "beta", "a.txt")
    assert (done.returncode, done.stdout, done.stderr) == (0, "2:beta\n", "")
    assert grep(root, shim, "rg", "--version").stdout.startswith("ripgrep")
    assert grep(root, shim, "grep", "(", "none").returncode == 2
    piped = subprocess.run(
        ["grep", "b"], cwd=root, env=shim, input="abc\nx\n", capture_output=True, text=True, check=False
    )
    assert piped.stdout == "abc\n"
    alone = {**shim, "PATH": shim["PATH"].split(":")[0]}
    nowhere = grep(root, alone, str(Path(alone["PATH"]) / "rg"), "x")
    assert nowhere.returncode == 127
    assert "not on PATH" in nowhere.stderr


def test_with_a_daemon_it_forwards_and_falls_back(root: Path, shim: dict[str, str]) -> None:
    """A stand-in at the well-known place answers one command line and refuses the rest."""
    folder = Path(shim["XDG_RUNTIME_DIR"]) / "curserve"
    folder.mkdir(mode=0o700)
    value = 0xCBF29CE484222325
    for byte in os.fsencode(root):
        value = ((value ^ byte) * 0x100000001B3) % 2**64
    asked: list[dict] = []
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / f"{value:016x}"))
    listener.listen()

    def answer() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb") as stream:
                while head := stream.read(8):
                    request = json.loads(stream.read(struct.unpack("<II", head)[0]))
                    mounts = str(Path("/proc/self/ns/mnt").readlink())
                    told, body = {"id": request["id"], "root": str(root), "mounts": mounts}, b""
                    if request["op"] == "call":
                        asked.append(request)
                        mine = "forwarded" in request["arguments"]["argv"]
                        body = b"outerr" if mine else b""
                        told |= {"exit_code": 1, "stdout_len": 3 if mine else 0, "stderr_len": 3, "service_ns": 1}
                        told |= {"refused": None if mine else "no", "failed": None}
                    data = json.dumps(told).encode()
                    stream.write(struct.pack("<II", len(data), len(body)) + data + body)
                    stream.flush()

    threading.Thread(target=answer, daemon=True).start()
    try:
        # On a busy machine the stand-in may not say a word in time; then the real one has answered.
        for _ in range(20):
            done = grep(root / "sub", shim, "rg", "-n", "forwarded")
            if done.stdout:
                break
        assert (done.returncode, done.stdout, done.stderr) == (1, "out", "err")
        assert asked[-1]["arguments"]["argv"] == ["rg", "-n", "forwarded"]
        assert asked[-1]["cwd"] == str(root / "sub")
        assert grep(root, shim, "grep", "-n", "beta", "a.txt").stdout == "2:beta\n", "refused: the real one"
        count = len(asked)
        for env, words, options in [
            ({"RIPGREP_CONFIG_PATH": "/x"}, ["rg", "forwarded"], {}),
            ({}, ["rg", "forwarded"], {"stdin": subprocess.PIPE}),
        ]:
            grep(root, {**shim, **env}, *words, **options)
        assert len(asked) == count, "not forwarded: another configuration, input that may be read"
        folder.chmod(0o777)
        grep(root, shim, "rg", "forwarded")
        assert len(asked) == count, "not forwarded: somebody else could have put the socket there"
    finally:
        listener.close()


@contextmanager
def known(root: Path, shim: dict[str, str]) -> Iterator[Client]:
    """A daemon where shims look for it."""
    process = subprocess.Popen([CURSERVE, "serve", "--root", root], env=shim)
    try:
        deadline = time.monotonic() + 10
        folder = Path(shim["XDG_RUNTIME_DIR"]) / "curserve"
        while not (found := list(folder.glob("????????????????"))):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        client = Client(found[0], silence_s=10)
        while not client.stats()["loaded"]:
            time.sleep(0.01)
        yield client
        client.close()
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 0
    assert not found[0].exists()


def test_the_well_known_socket_is_found_by_the_shim(root: Path, shim: dict[str, str]) -> None:
    with known(root, shim) as client:
        for _ in range(
            200
        ):  # a daemon that gets no processor in time is passed over, or asks programs for their versions
            assert grep(root / "sub", shim, "grep", "-n", "beta", "../a.txt").stdout == "2:beta\n"
            if client.stats()["answered"] > 0:
                break
        assert client.stats()["answered"] > 0
        answered, refused = client.stats()["answered"], client.stats()["refused"]
        for language in ("de_DE.UTF-8", "en_US.ISO-8859-1"):
            assert grep(root, {**shim, "LC_ALL": language}, "grep", "-n", "beta", "a.txt").stdout == "2:beta\n"
        assert client.stats()["answered"] == answered, "another language is the real program's"
        assert client.stats()["refused"] >= refused


OUTPUTS = [
    "grep -rn alpha . | cat",
    "rg -n alpha --sort path | cat",
    # Into a file that is searched: the real programs skip it, or say so.
    "echo alpha old > out; grep -rn alpha . >> out; cat out",
    "echo alpha old > out; rg -n --sort path alpha . >> out; cat out",
    "echo alpha old > out; grep alpha * >> out; cat out",
    "grep -rn alpha . > out; cat out",
    "grep nofile nofile a.txt 2> out; cat out",
    # grep says less to nobody.
    "grep alpha a.txt nofile > /dev/null; echo $?",
    "grep alpha nofile a.txt > /dev/null; echo $?",
    "rg alpha a.txt nofile > /dev/null; echo $?",
    # In one stream the order of lines and messages shows.
    "grep -n alpha a.txt nofile b.txt 2>&1 | cat",
    "rg -n --sort path alpha a.txt nofile b.txt 2>&1 | cat",
    # Nobody takes it.
    "grep alpha a.txt > /dev/full; echo $?",
    "grep alpha a.txt 2>&1 > /dev/full; echo $?",
    "rg alpha a.txt > /dev/full; echo $?",
    "grep -n alpha a.txt >&-; echo $?",
    "rg -n alpha a.txt >&-; echo $?",
    "grep alpha a.txt nofile 2>&-; echo $?",
    "grep alpha a.txt <&-; echo $?",
    "grep alpha <&-; echo $?",
    "{ late; rg alpha a.txt; } | gone; echo ${PIPESTATUS[0]}",
    "{ late; rg -n line; } | gone; echo ${PIPESTATUS[0]}",
    "rg -n line long.txt | head -1; echo ${PIPESTATUS[0]}",
    "rg --sort path line | head -1; echo ${PIPESTATUS[0]}",
    "rg --sort path -n line . nofile | head -1; echo ${PIPESTATUS[0]}",
    "{ late; rg --sort path -n line a.txt long.txt nofile; } | gone; echo ${PIPESTATUS[0]}",
    "{ late; rg --sort path --files; } | gone; echo ${PIPESTATUS[0]}",
    "{ late; rg -c line long.txt nofile; } | gone; echo ${PIPESTATUS[0]}",
    "{ late; grep -n line a.txt long.txt; } | gone; echo ${PIPESTATUS[0]}",
    "grep -n line long.txt | head -1; echo ${PIPESTATUS[0]}",
    "trap '' PIPE; { late; grep -n line long.txt; } | gone; echo ${PIPESTATUS[0]}",
    "trap '' PIPE; { late; rg -n line long.txt; } | gone; echo ${PIPESTATUS[0]}",
    "trap '' PIPE; { late; grep -P 'l(?=ine)' long.txt; } | gone; echo ${PIPESTATUS[0]}",
]


# A reader that has surely gone before anything is written.
READER = "gone() { exec <&-; touch ../gone; }; late() { until [ -e ../gone ]; do sleep 0.01; done; }; "


@pytest.mark.parametrize("line", OUTPUTS)
def test_its_outputs_are_those_of_the_real_program(
    root: Path, shim: dict[str, str], line: str, tmp_path: Path
) -> None:
    (root / "b.txt").write_text("alpha 2\n")
    (root / "long.txt").write_text("".join(f"line {i}\n" for i in range(40_000)))

    def ran(env: dict[str, str]) -> tuple[int, str, str]:
        for left in (root / "out", tmp_path / "gone"):
            left.unlink(missing_ok=True)
        done = grep(root, env, "bash", "-c", READER + line)
        return done.returncode, done.stdout, done.stderr

    real = ran({**shim, "PATH": os.environ["PATH"]})
    with known(root, shim):
        assert ran(shim) == real


def test_a_stopped_daemon_makes_nobody_wait(root: Path, shim: dict[str, str]) -> None:
    """`grep` above gives each twenty seconds, and a daemon's answer once had thirty to come."""
    process = subprocess.Popen([CURSERVE, "serve", "--root", root], env=shim)
    try:
        folder = Path(shim["XDG_RUNTIME_DIR"]) / "curserve"
        deadline = time.monotonic() + 10
        while not list(folder.glob("????????????????")):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGSTOP)
        for _ in range(3):
            done = grep(root, shim, "grep", "-n", "beta", "a.txt")
            assert (done.returncode, done.stdout, done.stderr) == (0, "2:beta\n", "")
    finally:
        process.kill()
        process.wait()
