"""`curserve serve`: hostile peers, sockets, signals."""

import json
import resource
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

import pytest

from curserve_engines import programs
from curserve_engines.client import Client, ProtocolError

CURSERVE = programs.need("curserve", "test")


@pytest.fixture
def root(root: Path) -> Path:
    (root / "out").symlink_to("/etc")
    return root


@pytest.fixture
def daemon(root: Path, tmp_path: Path):
    with serve(root, tmp_path / "s") as process:
        client = Client(tmp_path / "s", silence_s=20)
        ready(client)
        yield client
        client.close()
        process.terminate()
        assert process.wait(timeout=10) == 0
        assert not (tmp_path / "s").exists(), "a graceful end removes the socket"


def serve(root: Path, path: Path, **options) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [CURSERVE, "serve", "--root", root, "--socket", path], stderr=subprocess.PIPE, **options
    )
    appears(path)
    return process


def appears(path: Path) -> bool:
    for _ in range(500):
        if path.exists():
            return True
        time.sleep(0.01)
    return False


def ready(client: Client) -> None:
    while not client.stats()["loaded"]:
        time.sleep(0.01)


def raw(path: Path, data: bytes, *, read: bool = True) -> bytes:
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(5)
        peer.connect(str(path))
        peer.sendall(data)
        return peer.recv(65536) if read else b""


def frame(header: bytes, payload: bytes = b"") -> bytes:
    return struct.pack("<II", len(header), len(payload)) + header + payload


def test_garbage_costs_the_connection_and_not_the_daemon(daemon: Client, tmp_path: Path) -> None:
    path = tmp_path / "s"
    assert b"longer than the protocol allows" in raw(path, b"GET / HTTP/1.1\r\n\r\n")
    assert b'"error"' in raw(path, frame(b"not json"))
    assert b'"error"' in raw(path, frame(b'{"id": 1, "op": "dance"}'))
    assert b'"error"' in raw(path, frame(b"[]"))
    assert b"protocol version" in raw(path, frame(b'{"id": 1, "op": "hello", "version": 99}'))
    for end in range(1, 30):  # dies in mid-frame
        raw(path, frame(b'{"id": 1, "op": "ping"}', b"x" * 9)[:end], read=False)
    assert daemon.call("bash", {"command": "cat a.txt"}).stdout == b"alpha\nbeta\n"
    assert daemon.stats()["protocol_errors"] >= 4


def test_many_calls_in_flight_on_one_connection_are_all_answered(daemon: Client, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(20)
        peer.connect(str(tmp_path / "s"))
        for number in range(300):
            call = {"id": number, "op": "call", "tool": "read", "arguments": {"path": "a.txt"}, "cwd": None}
            peer.sendall(frame(json.dumps(call).encode()))
        stream = peer.makefile("rb")
        seen = set()
        for _ in range(300):
            header, payload = struct.unpack("<II", stream.read(8))
            seen.add(json.loads(stream.read(header))["id"])
            assert stream.read(payload) == b"alpha\nbeta\n"
        assert seen == set(range(300))


def test_many_sessions_at_once(daemon: Client, tmp_path: Path) -> None:
    wrong: list[object] = []

    def session() -> None:
        client = Client(tmp_path / "s", silence_s=20)
        for _ in range(50):
            reply = client.call("bash", {"command": "head -1 a.txt"})
            if reply.stdout != b"alpha\n":
                wrong.append(reply)
        client.close()

    threads = [threading.Thread(target=session) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_write_is_seen_by_the_next_query(daemon: Client, root: Path) -> None:
    for number in range(200):
        (root / "n").write_text(f"{number}\n")
        assert daemon.call("bash", {"command": "cat n"}).stdout == b"%d\n" % number
        assert daemon.call("edit", {"path": "n", "old": str(number), "new": "edited"}).exit_code == 0
        assert daemon.call("bash", {"command": "cat n"}).stdout == b"edited\n"


@pytest.mark.parametrize("path", ["../x", "out/passwd", "/etc/passwd", "sub/../../x", "none/../../../etc/passwd"])
def test_file_tools_stay_below_the_root(daemon: Client, path: str) -> None:
    for tool, more in [("read", {}), ("write", {"content": "x"}), ("edit", {"old": "r", "new": "s"})]:
        reply = daemon.call(tool, {"path": path, **more})
        assert reply.refused is not None, (tool, path)
        assert reply.stdout == b""


def test_a_stale_socket_is_taken_over_and_a_living_one_is_not(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "s"
    killed = serve(root, path)
    killed.kill()
    killed.communicate()
    assert path.exists()
    path_mode = tmp_path / "s"
    first = serve(root, path)
    client = Client(path_mode, silence_s=10)
    for _ in range(200):
        try:
            ready(client)
            break
        except ProtocolError:
            time.sleep(0.02)
    assert path.stat().st_mode & 0o777 == 0o600
    second = subprocess.run(
        [CURSERVE, "serve", "--root", root, "--socket", path], capture_output=True, text=True, check=False
    )
    assert second.returncode == 3
    assert "another server listens here" in second.stderr
    client.close()
    first.terminate()
    first.communicate()


@pytest.mark.parametrize(
    "options",
    [
        ["--root", "/none"],
        [],
        ["--root", "/tmp", "--socket"],
        ["--dance"],
        *(["--root", "/tmp", "--at", at] for at in ("rel", "/", "", "/a/../b", "/a/", "//a", "/./a", ".")),
        *(["--root", "/tmp", "--timeout-s", limit] for limit in ("0", "-1", "nan", "inf", "1e300", "soon")),
    ],
)
def test_bad_options_are_one_line(options: list[str]) -> None:
    done = subprocess.run([CURSERVE, "serve", *options], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("curserve: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("descriptors", [64, 4096], ids=["no descriptors left", "all connections taken"])
def test_idle_connections_keep_nobody_out(root: Path, tmp_path: Path, descriptors: int) -> None:
    """1,030 peers that say nothing; who was here before them asks again, and who comes after them is answered."""
    mine, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < 4096:
        pytest.skip("this process may not have 4,096 descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, most))
    process = serve(
        root,
        tmp_path / "s",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors)),
    )
    silent: list[socket.socket] = []
    try:
        early = Client(tmp_path / "s", silence_s=20)
        ready(early)
        for _ in range(1030):
            silent.append(socket.socket(socket.AF_UNIX))
            silent[-1].settimeout(20)
            silent[-1].connect(str(tmp_path / "s"))
            if len(silent) % 100 == 0:
                time.sleep(0.02)
        time.sleep(1.1)
        late = Client(tmp_path / "s", silence_s=20)
        for client in (early, late, early):
            assert client.call("bash", {"command": "cat a.txt"}).stdout == b"alpha\nbeta\n"
        assert late.stats()["connections"] <= min(1024, descriptors)
        early.close()
        late.close()
    finally:
        for peer in silent:
            peer.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (mine, most))
        process.terminate()
        assert process.wait(timeout=10) == 0


def test_the_end_of_a_lifeline_takes_the_socket_along(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "s"
    words = [CURSERVE, "serve", "--root", root, "--socket", path, "--lifeline"]
    with subprocess.Popen(words, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert appears(path)
        process.stdin.close()
        assert process.wait(timeout=30) == 0
    assert not path.exists()
