"""Peers on a socket of the daemon or the worker that break the framing, wait, or crowd: the next peer is answered.

Each attack is a program of its own (`python frames.py NAME`), which starts `curserve`, plays the peer, and asks rightly
at the end; it prints HELD.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

HERE = Path(__file__)


def frame(header: bytes | dict[str, object], payload: bytes = b"", sizes: tuple[int, int] | None = None) -> bytes:
    """Return a frame; `sizes` lie."""
    data = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<II", *(sizes or (len(data), len(payload)))) + data + payload


CALL: dict[str, object] = {
    "id": 1,
    "op": "call",
    "tool": "bash",
    "arguments": {"command": "cat a.txt"},
    "cwd": None,
}


def _call(**changed: object) -> bytes:
    return frame({**CALL, **changed})


def _noise(seed: int, length: int = 4000) -> bytes:
    return random.Random(seed).randbytes(length)


def _flips(seed: int) -> bytes:
    data = bytearray(_call() * 3)
    chance = random.Random(seed)
    for _ in range(8):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data)


BYTES: dict[str, bytes] = {
    "huge-header": frame(b"", sizes=(0xFFFFFFFF, 0)),
    "huge-payload": frame(CALL, sizes=(len(json.dumps(CALL)), 0xFFFFFFFF)),
    "header-at-its-limit": frame(b"[" * (16 << 20)),
    "header-beyond": frame(b" " * 100, sizes=((16 << 20) + 1, 0)),
    "payload-promised": frame(CALL, sizes=(len(json.dumps(CALL)), 1 << 30)),
    "no-header": frame(b""),
    "not-json": frame(b"hello"),
    "not-utf8": frame(b"\xff\xfe{}"),
    "deep": frame(b"[" * 1_000_000),
    "deep-in-arguments": frame(b'{"id":1,"op":"call","tool":"bash","arguments":' + b'{"a":' * 200_000 + b"1" + b"}" * 200_000 + b"}"),
    "number-long": frame(b'{"id":1,"op":' + b"9" * 1_000_000 + b"}"),
    "number-float": frame(b'{"id":1e999,"op":"ping"}'),
    "id-below": _call(id=-1),
    "id-beyond": frame(b'{"id":99999999999999999999999,"op":"ping"}'),
    "id-text": _call(id="x"),
    "id-twice": _call() * 50,
    "keys-twice": frame(b'{"id":1,"op":"ping","op":"shutdown","id":2}'),
    "op-unknown": _call(op="exec"),
    "op-number": _call(op=5),
    "hello-version": frame({"id": 1, "op": "hello", "version": 99}),
    "tool-unknown": _call(tool="rm"),
    "arguments-list": _call(arguments=[]),
    "arguments-null": _call(arguments=None),
    "cwd-up": _call(cwd="/testbed/../../etc"),
    "cwd-number": _call(cwd=5),
    "cwd-nul": _call(cwd="/test\0bed"),
    "timeout-below": _call(timeout_ms=-1),
    "timeout-beyond": _call(timeout_ms=2**63),
    "timeout-text": _call(timeout_ms="soon"),
    "command-long": _call(arguments={"command": "echo " + "a" * 8_000_000}),
    "payload-unasked": frame(CALL, b"x" * 100_000),
    "zeros": b"\0" * 100_000,
    "ones": b"\xff" * 100_000,
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    **{f"noise-{seed}": _noise(seed) for seed in range(8)},
    **{f"flips-{seed}": _flips(seed) for seed in range(8)},
    "cut-length": b"\x10\0",
    "cut-header": frame(CALL)[:20],
    "cut-payload": frame(CALL, sizes=(len(json.dumps(CALL)), 50)),
}  # fmt: skip


class Server:
    """`curserve serve` or `worker` on a workspace, and what is asked of it."""

    def __init__(self, kind: str, root: Path, place: Path) -> None:
        self.place = place
        words = ["curserve", kind, "--socket", str(place), "--root", str(root)]
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while not place.exists():
            assert time.monotonic() < deadline and self.process.poll() is None, f"{kind} did not start"
            time.sleep(0.01)

    def peer(self) -> socket.socket:
        """Return a new connection."""
        made = socket.socket(socket.AF_UNIX)
        made.settimeout(10)
        made.connect(str(self.place))
        return made

    def asked_rightly(self) -> None:
        """Ask as a client does; whoever was there before must not matter."""
        begun = time.monotonic()
        while True:
            answer, payload = self._asked()
            if "full" not in str(answer.get("error")) or time.monotonic() - begun > 8:
                break
            time.sleep(0.1)  # it says so itself: try again
        assert answer.get("exit_code") == 0 or answer.get("refused"), answer
        assert answer.get("exit_code") != 0 or payload.startswith(b"alpha"), payload
        took = time.monotonic() - begun
        assert took < 8, f"answered after {took:.1f} s"  # the half frame of another is given up after 30

    def _asked(self) -> tuple[dict[str, object], bytes]:
        with self.peer() as peer:
            with contextlib.suppress(BrokenPipeError):
                peer.sendall(_call())
            sizes = struct.unpack("<II", _exactly(peer, 8))
            return json.loads(_exactly(peer, sizes[0])), _exactly(peer, sizes[1])


def _exactly(peer: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        chunk = peer.recv(count - len(data))
        assert chunk, "closed"
        data += chunk
    return data


def _send(server: Server, data: bytes) -> None:
    """Send it, read what comes, and close in the middle."""
    with server.peer() as peer, contextlib.suppress(OSError):
        peer.settimeout(1)
        peer.sendall(data)
        peer.recv(1 << 16)
    server.asked_rightly()


def _crowd(server: Server, first: bytes, count: int = 1024, while_there: bool = True) -> None:
    """Hold connections, each with the beginning of a frame (or nothing)."""
    with contextlib.ExitStack() as held:
        for _ in range(count):
            with contextlib.suppress(OSError):
                peer = held.enter_context(server.peer())
                peer.sendall(first)
        if while_there:
            server.asked_rightly()
    server.asked_rightly()


def _slow(server: Server) -> None:
    """Many peers that send a byte now and then."""
    with contextlib.ExitStack() as held:
        peers = [held.enter_context(server.peer()) for _ in range(200)]
        for byte in frame(CALL)[:20]:
            for peer in peers:
                with contextlib.suppress(OSError):
                    peer.send(bytes([byte]))
        server.asked_rightly()


def _deaf(server: Server) -> None:
    """Peers that ask for much and read nothing."""
    with contextlib.ExitStack() as held:
        for _ in range(16):
            peer = held.enter_context(server.peer())
            with contextlib.suppress(OSError):
                peer.settimeout(0.5)
                peer.sendall(_call(arguments={"command": "seq 1 3000000"}) * 20)
        server.asked_rightly()


def _gone(server: Server) -> None:
    """Peers that ask and are gone."""
    for _ in range(300):
        with server.peer() as peer:
            peer.sendall(_call())
    server.asked_rightly()


def _stopped(server: Server) -> None:
    server.process.send_signal(19)
    begun = time.monotonic()
    real = subprocess.run(
        [str(_shim()), "alpha", "."], cwd=Path("code"), stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    took = time.monotonic() - begun
    server.process.send_signal(18)
    assert b"alpha" in real.stdout, real
    assert took < 8, f"the shim took {took:.1f} s"


def _shim() -> Path:
    place = Path("shim/rg")
    place.parent.mkdir(exist_ok=True)
    program = next(folder for folder in os.environ["PATH"].split(":") if Path(folder, "curserve").exists())
    place.symlink_to(Path(program, "curserve"))
    return Path.cwd() / place


@contextlib.contextmanager
def _silent(root: Path) -> Iterator[None]:
    """A peer at the daemon's well-known place that accepts and says nothing."""
    folder = Path(os.environ["XDG_RUNTIME_DIR"], "curserve")
    folder.mkdir(mode=0o700, exist_ok=True)
    hash_ = 0xCBF29CE484222325
    for byte in bytes(root.resolve()):
        hash_ = ((hash_ ^ byte) * 0x100000001B3) % 2**64
    with socket.socket(socket.AF_UNIX) as made:
        place = folder / f"{hash_:016x}"
        made.bind(str(place))
        made.listen(50)
        yield
        place.unlink(missing_ok=True)
    folder.rmdir()


def _silent_daemon() -> None:
    root = Path("code").resolve()
    with _silent(root):
        begun = time.monotonic()
        real = subprocess.run(
            [str(_shim()), "alpha", "."], cwd=root, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        took = time.monotonic() - begun
    assert b"alpha" in real.stdout, real
    assert took < 8, f"the shim took {took:.1f} s"


def _threads_elsewhere(kind: str) -> None:
    """700 threads of the same user do not keep a server from starting."""
    program = "import threading, time\nfor _ in range(700): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\nprint(1, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as crowd:
        assert crowd.stdout is not None
        crowd.stdout.readline()
        try:
            _served(kind, lambda server: server.asked_rightly())
        finally:
            crowd.kill()


def _served(kind: str, act: Callable[[Server], None]) -> None:
    server = Server(kind, Path("code").resolve(), Path("s.sock").resolve())
    try:
        server.asked_rightly()
        act(server)
        assert server.process.poll() is None, f"{kind} is gone"
    finally:
        server.process.terminate()
        try:
            server.process.wait(10)
        except subprocess.TimeoutExpired:
            server.process.kill()
            raise AssertionError(f"{kind} did not end when it was told to") from None


ACTS: dict[str, Callable[[Server], None]] = {
    **{name: partial(_send, data=data) for name, data in BYTES.items()},
    "half-frames": partial(_crowd, first=frame(CALL)[:20]),
    "half-lengths": partial(_crowd, first=b"\x10"),
    "idle-crowd": partial(_crowd, first=b""),
    "promised-payloads": partial(_crowd, first=frame(CALL, sizes=(len(json.dumps(CALL)), 1 << 30)), count=200),
    "slow": _slow,
    "deaf": _deaf,
    "gone": _gone,
}
ALONE: dict[str, Callable[[], None]] = {
    "silent-daemon": _silent_daemon,
    "threads-elsewhere-serve": partial(_threads_elsewhere, "serve"),
    "threads-elsewhere-worker": partial(_threads_elsewhere, "worker"),
    "stopped-daemon": lambda: _at_its_place(_stopped),
}
FIRST = ("deep", "half-frames", "silent-daemon", "threads-elsewhere-serve")


def _at_its_place(act: Callable[[Server], None]) -> None:
    """Serve at the well-known place, where the shim looks."""
    root = Path("code").resolve()
    process = subprocess.Popen(
        ["curserve", "serve", "--root", str(root)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    try:
        time.sleep(1)
        server = Server.__new__(Server)
        server.process = process
        act(server)
    finally:
        process.terminate()
        process.wait(10)


def attacks() -> list[object]:
    """Return the attacks of this kind."""
    from attack import Attack, Stage

    def words(stage: Stage, name: str, kind: str) -> list[str]:
        (stage.work / "code").mkdir()
        (stage.work / "code/a.txt").write_text("alpha\n")
        return [sys.executable, str(HERE), name, kind]

    found = []
    for number, name in enumerate((*ACTS, *ALONE)):
        kinds = ("serve", "worker") if name in ("half-frames", "deep") else (("serve", "worker")[number % 3 == 2],)
        found += [
            Attack(
                f"frames.{name}-{kind}",
                partial(words, name=name, kind=kind),
                (0,),
                "HELD",
                sample=name in FIRST,
                one=True,
                timeout_s=120,
            )
            for kind in kinds
        ]
    return found


if __name__ == "__main__":
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
    if sys.argv[1] in ALONE:
        ALONE[sys.argv[1]]()
    else:
        _served(sys.argv[2], ACTS[sys.argv[1]])
    print("HELD")
