"""Ctrl-C ends a verb that runs long, whatever its clients are doing: at once, and without a traceback."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ASKED = json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": "x"}]}).encode()
WHOLE = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(ASKED) + ASKED
CLIENTS = {
    "none": (),
    "waiting": (WHOLE,),
    "half a request": (WHOLE[:-9], WHOLE[:30], b""),
    "two at once": (WHOLE + WHOLE,),
    "no HTTP": (WHOLE + b"GET / HTTP/1.1\r\n\r\nxx", b"\0" * 99, b"GET /\x1b[2J HTTP/1.1\r\nHost: x\r\n\r\n"),
}


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("clients", CLIENTS)
def test_llm_serve_ends_while_clients_wait(how: signal.Signals, clients: str, small_trace_file: Path) -> None:
    words = ["llm", "serve", "--trace", str(small_trace_file), "--port", "0"]
    with subprocess.Popen(
        [sys.executable, "-m", "curserve_harness", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().rsplit(":", 1)[1].split("/")[0])
        opened = []
        for number in range(90 if CLIENTS[clients] else 0):
            opened.append(socket.create_connection(("127.0.0.1", port)))
            opened[-1].sendall(CLIENTS[clients][number % len(CLIENTS[clients])])
            if number % 7 == 0:
                opened.pop().close()
        process.send_signal(how)
        _, said = process.communicate(timeout=30)
        for one in opened:
            one.close()
    assert (process.returncode, said) == (0, "")
