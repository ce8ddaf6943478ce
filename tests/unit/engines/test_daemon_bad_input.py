"""What is wrong with trees, clients and questions costs one answer, never the daemon."""

import os
import socket
import stat
import struct
import subprocess
import threading
import time
from pathlib import Path

import orjson
import pytest
from daemon import answer, running, until_it_works

from curserve_engines import programs
from curserve_engines.client import Client


def frame(request: dict) -> bytes:
    header = orjson.dumps(request)
    return struct.pack("<II", len(header), 0) + header


def ask(number: int, command: str) -> bytes:
    return frame({"id": number, "op": "call", "tool": "bash", "arguments": {"command": command}, "cwd": None})


def really(root: Path, command: str) -> tuple[int, bytes]:
    environment = {"PATH": f"{programs.need('rg', 'test').parent}:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=root,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    return done.returncode, done.stdout


def test_an_odd_tree_is_answered_as_by_the_real_programs_or_refused(root: Path, tmp_path: Path) -> None:
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "sock"))
        if os.geteuid() == 0:
            os.mknod(root / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        (root / "loop").symlink_to("loop")
        (root / "up").symlink_to("..")
        (root / "sub").mkdir(exist_ok=True)
        (root / "sub/back").symlink_to("../sub")
        Path(os.fsdecode(os.fsencode(root) + b"/\xff\xfe.txt")).write_bytes(b"alpha \xff\n")
        (root / "closed").write_text("alpha\n")
        (root / "closed").chmod(0)
        (root / "new\nline").write_text("alpha\n")
        with running(root, tmp_path / "s") as (client, _):
            answered = 0
            for command in (
                "grep -rn alpha .", "grep -Rn alpha .", "rg -n alpha", "find .", "find . -type p", "ls -la",
                "cat fifo", "cat closed", "cat loop", "cat up/none", "ls sub/back/back",
                "head -1 sub/back/../a.txt", "tree", "wc *",
            ):  # fmt: skip
                reply = client.call("bash", {"command": command}, timeout_ms=5000)
                if reply.refused is None and command != "cat fifo":
                    answered += 1
                    code, out = really(root, command)
                    assert reply.exit_code == code, command
                    assert sorted(reply.stdout.split(b"\n")) == sorted(out.split(b"\n")), command
                assert command != "cat fifo" or reply.refused is not None, "a FIFO is never opened"
            assert answered >= 5
            assert answer(client, "cat a.txt") == b"alpha\nbeta\n"


@pytest.mark.parametrize(
    "pattern", ["a{1,1000}{1,1000}{1,100}", "(" * 5000 + ")" * 5000, "(", "[z-a]", "x{9999999}"]
)
def test_a_hostile_pattern_costs_its_own_answer(root: Path, tmp_path: Path, pattern: str) -> None:
    with running(root, tmp_path / "s") as (client, process):
        for argv in (["rg", "-n", "-e", pattern], ["grep", "-rnE", "-e", pattern, "."]):
            reply = client.call("bash", {"argv": argv}, timeout_ms=20_000)
            assert reply.failed is None, "it took all of its time"
            assert reply.refused is not None or reply.exit_code in (1, 2)
        assert process.poll() is None
        assert answer(client, "cat a.txt") == b"alpha\nbeta\n"


def test_more_output_than_allowed_is_refused_and_said(root: Path, tmp_path: Path) -> None:
    (root / "large").write_bytes(b"a line of some length\n" * 500_000)
    with running(root, tmp_path / "s", "--output-bytes", str(1 << 20)) as (client, _):
        for command in ("cat large", "rg -n line", "cat large large | cat", "seq 3; grep -n line large"):
            reply = client.call("bash", {"command": command})
            assert reply.refused, command
            assert reply.stdout == b""
        assert answer(client, "head -2 large") == b"a line of some length\n" * 2


def test_an_answer_beyond_the_protocol_is_refused(root: Path, tmp_path: Path) -> None:
    (root / "large").write_bytes(b"x" * 1023 + b"\n")
    (root / "large").write_bytes((root / "large").read_bytes() * 51_200)  # 50 MB
    limits = ["--output-bytes", str(4 << 30), "--call-bytes", str(8 << 30)]
    with running(root, tmp_path / "s", *limits) as (client, process):
        reply = client.call("bash", {"command": "cat " + "large " * 22})
        assert reply.refused
        assert "protocol" in reply.refused
        assert process.poll() is None
        assert answer(client, "cat a.txt") == b"alpha\nbeta\n"


def test_a_client_that_never_reads_keeps_nobody_waiting(root: Path, tmp_path: Path) -> None:
    (root / "large").write_bytes(b"a line of some length\n" * 200_000)
    with running(root, tmp_path / "s") as (client, _):
        deaf = [socket.socket(socket.AF_UNIX) for _ in range(8)]
        for peer in deaf:
            peer.connect(str(tmp_path / "s"))
            for number in range(4):
                peer.sendall(ask(number, "cat large"))
        for _ in range(50):
            assert answer(client, "cat a.txt") == b"alpha\nbeta\n"
        for peer in deaf:
            peer.close()


def test_a_root_that_vanishes_is_told_and_the_daemon_stays(root: Path, tmp_path: Path) -> None:
    with running(root, tmp_path / "s") as (client, process):
        assert answer(client, "cat a.txt")
        root.rename(tmp_path / "moved")
        reply = client.call("bash", {"command": "cat a.txt"})
        assert reply.refused
        assert "vanished" in reply.refused
        assert process.poll() is None


def test_out_of_watches_names_the_sysctl(tmp_path: Path) -> None:
    """In a user namespace of its own, whose limit is ours to set."""
    root = tmp_path / "w"
    for number in range(40):
        (root / f"d{number}").mkdir(parents=True)
    script = f"echo 20 > /proc/sys/user/max_inotify_watches && exec {programs.need('curserve', 'test')} serve " \
        f"--root {root} --socket {tmp_path / 's'}"  # fmt: skip
    process = subprocess.Popen(
        ["unshare", "-Ur", "sh", "-c", script], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    try:
        for _ in range(500):
            if (tmp_path / "s").exists() or process.poll() is not None:
                break
            time.sleep(0.01)
        if process.poll() is not None:
            assert process.stderr is not None
            pytest.skip(f"no user namespace whose limit can be set: {process.stderr.read().decode().strip()}")
        client = Client(tmp_path / "s", silence_s=20)
        for _ in range(500):
            if "trouble" in (state := client.stats()):
                break
            time.sleep(0.01)
        assert "sysctl fs.inotify.max_user_watches" in state["trouble"]
        reply = client.call("bash", {"command": "ls"})
        assert reply.refused == state["trouble"]
        client.close()
    finally:
        process.terminate()
        process.communicate()


def test_reads_are_served_while_the_tree_loads(tmp_path: Path) -> None:
    root = tmp_path / "w"
    for number in range(3000):
        folder = root / f"d{number % 50}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"f{number}").write_text("some words to be indexed\n" * 400)
    words = [str(programs.need("curserve", "test")), "serve", "--root", str(root), "--socket", str(tmp_path / "s")]
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL)
    try:
        while not (tmp_path / "s").exists():
            time.sleep(0.001)
        client = Client(tmp_path / "s", silence_s=20)
        line = b"some words to be indexed\n"
        assert client.call("read", {"path": "d7/f7"}).stdout == line * 400
        for command, answer in (
            ("cat d7/f7", line * 400),
            ("sed -n '3,5p' d8/f8", line * 3),
            ("cd d9 && head -1 f9 | wc -l", b"1\n"),
            ("ls d7/f7 d7/missing; cat d7/missing", b"d7/f7\n"),
        ):
            reply = client.call("bash", {"command": command})
            assert (reply.refused, reply.stdout) == (None, answer)
        early = not client.stats()["loaded"]
        reply = client.call("bash", {"command": "grep -rc indexed d7 | wc -l"})
        assert reply.stdout == b"60\n" or (reply.refused or "").startswith("still loading (")
        assert early or reply.refused is None
        while not client.stats()["loaded"]:
            time.sleep(0.01)
        assert client.call("bash", {"command": "grep -rc indexed d7 | wc -l"}).stdout == b"60\n"
        client.close()
    finally:
        process.terminate()
        assert process.wait(timeout=20) == 0


def test_calls_in_flight_are_answered_when_it_is_told_to_end(root: Path, tmp_path: Path) -> None:
    for number in range(2000):
        (root / f"f{number}").write_text("aab " * 2000)
    answers: list[bytes] = []
    with running(root, tmp_path / "s") as (_, process):

        def query() -> None:
            client = Client(tmp_path / "s", silence_s=20)
            answers.append(client.call("bash", {"argv": ["rg", "-c", r"(a|aa)+b \w+"]}).stdout)
            client.close()

        threads = [threading.Thread(target=query) for _ in range(4)]
        for thread in threads:
            thread.start()
        until_it_works(process)
        process.terminate()
        for thread in threads:
            thread.join()
    assert [len(found.splitlines()) for found in answers] == [2000] * 4
