"""Traffic between two hosts, and what it tells about the link; also run as the programs on both ends."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

from curserve_netem import Pair
from curserve_netem.hosts import link_program

SO_TIMESTAMPNS = 35  # of asm-generic/socket.h; Python's socket has no name for it


def one_way(
    pair: Pair, count: int, *, gap_s: float = 0.0005, size: int = 200, reverse: bool = False
) -> list[float]:
    """Send `count` datagrams one way; returns the milliseconds each took.

    Both ends read one clock, and the arrival is stamped by the kernel: a receiver that is late is not the link.
    """
    sender, receiver = (pair.server, pair.client) if reverse else (pair.client, pair.server)
    patience = str(1.0 + pair.link.rtt_ns / 1e9)
    sink = receiver.popen(
        [sys.executable, __file__, "receive", receiver.address, patience], stdout=subprocess.PIPE, text=True
    )
    port = sink.stdout.readline().strip()
    sender.run(
        [sys.executable, __file__, "send", receiver.address, port, str(count), str(gap_s), str(size)], check=True
    )
    out, _ = sink.communicate(timeout=60)
    return json.loads(out)


def transfer(pair: Pair, count: int, *, reverse: bool = False) -> dict:
    """Send `count` checked bytes by TCP; returns both ends' figures."""
    sender, receiver = (pair.server, pair.client) if reverse else (pair.client, pair.server)
    sink = receiver.popen([link_program(), "sink", receiver.address], stdout=subprocess.PIPE, text=True)
    port = int(sink.stdout.readline())
    address, at = (receiver.address, port) if reverse else pair.reach(port)
    done = sender.run([link_program(), "send", f"{address}:{at}", str(count)], capture_output=True, text=True)
    out, _ = sink.communicate(timeout=60)
    assert done.returncode == 0, done.stderr
    return {**json.loads(done.stdout), **json.loads(out)}


def wire_rate_mbps(pair: Pair, seconds: float, *, reverse: bool = False) -> float:
    """Fill the link for a while; returns megabits per second received, link-layer headers included."""
    sender, receiver = (pair.server, pair.client) if reverse else (pair.client, pair.server)
    sink = receiver.popen([link_program(), "sink", receiver.address], stdout=subprocess.PIPE, text=True)
    port = int(sink.stdout.readline())
    sending = sender.popen([link_program(), "send", f"{receiver.address}:{port}", str(10**12)])
    try:
        watch = receiver.run([sys.executable, __file__, "watch", str(seconds)], capture_output=True, text=True)
        return float(watch.stdout)
    finally:
        for process in (sending, sink):
            process.kill()
            process.communicate()


def upload_after_idle(pair: Pair, size: int, idle_s: float) -> dict:
    """Upload `size` bytes until the window is wide, idle, upload again; returns seconds and congestion windows."""
    sink = pair.server.popen([link_program(), "echo", pair.server.address], stdout=subprocess.PIPE, text=True)
    try:
        address, port = pair.reach(int(sink.stdout.readline()))
        words = [sys.executable, __file__, "upload", address, str(port), str(size), str(idle_s)]
        done = pair.client.run(words, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)
    finally:
        sink.kill()
        sink.communicate()


def _watch(seconds: str) -> None:
    def received() -> tuple[int, int]:
        devices = Path("/proc/self/net/dev").read_text().splitlines()
        (row,) = [line for line in devices if line.strip().startswith("link0:")]
        return int(row.split(":")[1].split()[0]), time.monotonic_ns()

    time.sleep(0.5)  # past slow start
    bytes_before, before = received()
    time.sleep(float(seconds))
    bytes_after, after = received()
    print((bytes_after - bytes_before) * 8e3 / (after - before))


def _receive(address: str, patience: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        sock.bind((address, 0))
        print(sock.getsockname()[1], flush=True)
        taken = []
        sock.settimeout(30)
        while True:
            try:
                data, ((_, _, stamp),), _, _ = sock.recvmsg(2000, 64)
            except TimeoutError:
                break
            seconds, nanoseconds = struct.unpack("qq", stamp)
            taken.append((seconds * 10**9 + nanoseconds - struct.unpack_from("q", data)[0]) / 1e6)
            sock.settimeout(float(patience))
    print(json.dumps(taken))


def _send(address: str, port: str, count: str, gap: str, size: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((address, int(port)))
        padding = bytes(int(size) - 8)
        start = time.monotonic()
        for number in range(int(count)):
            while (left := start + number * float(gap) - time.monotonic()) > 0:
                time.sleep(left)
            sock.send(struct.pack("q", time.time_ns()) + padding)


def _upload(address: str, port: str, size: str, idle: str) -> None:
    with socket.create_connection((address, int(port))) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request = struct.pack("<I", int(size)) + bytes(int(size) - 4)

        def once() -> float:
            start = time.monotonic()
            sock.sendall(request)
            answer = b""
            while len(answer) < 64:
                answer += sock.recv(64)
            return time.monotonic() - start

        def window() -> int:
            return struct.unpack_from("I", sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 80)[0]

        warm = [once() for _ in range(6)]
        before = window()
        time.sleep(float(idle))
        after_idle = once()
        algorithm = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0").decode()
    print(json.dumps({"warm_s": min(warm), "after_idle_s": after_idle, "window": before, "congestion": algorithm}))


if __name__ == "__main__":
    {"receive": _receive, "send": _send, "upload": _upload, "watch": _watch}[sys.argv[1]](*sys.argv[2:])
