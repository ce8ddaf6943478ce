"""Servers and helpers of a run: the recording proxy, the model server, `link run`, the keeper of the hosts.

Attacks that need more than one command are programs of their own (`python serving.py NAME`), which print HELD.
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

HERE = Path(__file__)
BENCH = [sys.executable, "-m", "curserve_harness"]
PATHS = (
    "/v1/../admin", "/v1/%2e%2e/admin", "/v1/..%2fadmin", "/v1/./../admin", "/v1//../admin", "//127.0.0.1/admin", "/\\admin",
    "http://127.0.0.1/admin", "/v1/chat/completions/../../../admin", "/v1/..;/admin", "/v1/\\..\\admin", "@127.0.0.1/admin",
    "/v1/chat/completions#/../../admin", "/admin", "/v1/%252e%252e/admin", "/v1/chat/completions?x=/../admin", "/v1/%2e./admin",
)  # fmt: skip


def free_port() -> int:
    """Return a port that nobody has now."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        number: int = made.getsockname()[1]
        return number


def until_it_listens(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until a server has its port."""
    deadline = time.monotonic() + 30
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        assert process.poll() is None, "it ended"
        assert time.monotonic() < deadline, "it does not listen"
        time.sleep(0.05)


def _proxy() -> None:
    """Through the recorder's proxy no path of the upstream is reached but what the agent may ask for."""
    seen: list[str] = []

    class Upstream(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_GET = do_POST  # noqa: N815 - the base class names it

        def log_message(self, *_: object) -> None:
            pass

    upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    program = Path("agent.py")
    program.write_text(
        "import http.client, os, sys, urllib.parse\n"
        "base = urllib.parse.urlsplit(os.environ['OPENAI_BASE_URL'])\n"
        f"for path in {PATHS!r}:\n"
        "    try:\n"
        "        peer = http.client.HTTPConnection(base.hostname, base.port, timeout=5)\n"
        "        peer._validate_path = lambda url: None\n"
        "        peer.putrequest('POST', path, skip_host=False)\n"
        "        peer.putheader('Content-Length', '2'); peer.endheaders(b'{}'); peer.getresponse().read()\n"
        "    except Exception as error: print(path, error, file=sys.stderr)\n"
    )
    Path("code").mkdir()
    words = [*BENCH, "trace", "record", "--out", "recorded.json", "--workspace", "code"]
    address = f"http://127.0.0.1:{upstream.server_port}/v1"
    environment = {**os.environ, "OPENAI_BASE_URL": address, "OPENAI_API_KEY": "x"}
    subprocess.run(
        [*words, "--", sys.executable, str(program.resolve())],
        env=environment,
        capture_output=True,
        timeout=60,
        check=False,
    )
    paths = [path.split("?")[0].lower() for path in seen]
    outside = [path for path in paths if not path.startswith("/v1/") or ".." in path or "%2e" in path]
    assert not outside, f"reached: {outside}"


def _interrupted() -> None:
    """`llm serve`, interrupted with connections open, says no traceback."""
    port = free_port()
    words = [*BENCH, "llm", "serve", "--port", str(port), *_served()]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        until_it_listens(port, process)
        peers = [socket.create_connection(("127.0.0.1", port)) for _ in range(300)]
        for number, peer in enumerate(peers):
            peer.sendall(
                (
                    b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n",
                    b"GET / HT",
                    b"",
                )[number % 3]
            )
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=20)[0]
        for peer in peers:
            peer.close()
    assert b"Traceback" not in said, said[-500:]
    assert said.count(b"\n") < 30, f"{said.count(10)} lines"


REQUESTS = (
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
    b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 99999999999999\r\n\r\n{",
    b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: -1\r\n\r\n{",
    b"POST /v1/chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nFFFFFFFFFFFFFFFFFF\r\n",
    b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n" + b"[" * 1_000_000,
    b'POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 40\r\n\r\n{"messages": [{"role": 5}], "stream": 1} ',
    b'POST /v1/responses HTTP/1.1\r\nContent-Length: 46\r\n\r\n{"previous_response_id": "../../x", "input": 5}',
    b'POST /v1/responses HTTP/1.1\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\n{"n": 1e999}',
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20000 + b"\r\n",
    b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /\0 HTTP/1.1\r\n\r\n",
)


def _served() -> list[str]:
    """Return the options that make `llm serve` serve a trace of its own."""
    import making
    from attack import Stage

    file = making.trace(Stage(Path("llm").resolve(), "x", "auto", 9), ("cat a.txt",))
    return ["--trace", str(file)]


def _requests() -> None:
    """`llm serve` answers rightly after whatever was asked."""
    port = free_port()
    words = [*BENCH, "llm", "serve", "--port", str(port), *_served()]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        until_it_listens(port, process)
        for data in REQUESTS:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 3) as peer:
                peer.sendall(data)
                peer.settimeout(1)
                peer.recv(1 << 16)
        asked = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        asked.request("GET", "/v1/models")
        answer = asked.getresponse()
        body = answer.read()
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=20)[0]
    assert answer.status == 200, (answer.status, body[:200])
    assert b"Traceback" not in said, said[-500:]


def _killed(which: str) -> None:
    """A helper of a running replay is killed: the replay says so at once, leaves nothing, and resumes."""
    import making
    from attack import Stage

    stage = Stage(Path("stage").resolve(), "x", "auto", 9)
    file = making.trace(stage, ("sleep 1", "cat a.txt") * 6)
    words = [*BENCH, "replay", "--trace", str(file), "--workspace", str(stage.workspace), "--rtt", "1ms", "--model", "swe-grep-mini",
             "--repetitions", "2", "--engine", "client-subprocess", "--execute", "all", "--out", "run"]  # fmt: skip
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
    try:
        killed, deadline = False, time.monotonic() + 60
        while not killed and time.monotonic() < deadline and process.poll() is None:
            victims = _of_its_kind(process.pid, which)
            time.sleep(0.5)
            for victim in victims:  # one that lasts: those of the self-test and the reference end by themselves
                with contextlib.suppress(OSError):
                    signal.pidfd_send_signal(victim, signal.SIGKILL)
                    killed = True
                os.close(victim)
        assert killed, f"no process of a replay has {which!r} in its command line"
        begun = time.monotonic()
        said = process.communicate(timeout=60)[1].decode()
        took = time.monotonic() - begun
    finally:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    assert "Traceback" not in said, said[-600:]
    # What executes may be missed: a call fails. Without its hosts or roles a run ends.
    codes = (0, 3, 4, 5) if which in ("worker --outer", "bwrap") else (3, 4, 5)
    assert process.returncode in codes, (process.returncode, said[-300:])
    if process.returncode not in (0, 5):  # else the run went on to its own end
        assert took < 20, f"said after {took:.0f} s"


def _of_its_kind(parent: int, which: str) -> list[int]:
    """Return descriptors of the processes below `parent` that have `which` in their command line."""
    found = []
    for number in _below(parent):
        with contextlib.suppress(OSError):
            if which in Path(f"/proc/{number}/cmdline").read_bytes().replace(b"\0", b" ").decode():
                found.append(os.pidfd_open(number))
    return found


def _below(number: int) -> list[int]:
    found, rest = [], [number]
    while rest:
        with contextlib.suppress(OSError):
            here = rest.pop()
            for task in Path(f"/proc/{here}/task").iterdir():
                children = [int(word) for word in (task / "children").read_text().split()]
                found += children
                rest += children
    return found


ACTS: dict[str, Callable[[], None]] = {
    "proxy": _proxy,
    "interrupted": _interrupted,
    "requests": _requests,
    "killed-client": partial(_killed, "roles.client"),
    "killed-server": partial(_killed, "roles.server"),
    "killed-keeper": partial(_killed, "keeper"),
    "killed-worker": partial(_killed, "worker --outer"),
    "killed-sandbox": partial(_killed, "bwrap"),
}
FIRST = ("proxy", "interrupted")


def attacks() -> list[object]:
    """Return the attacks of this kind."""
    from attack import Attack, Stage

    def program(_stage: Stage, name: str) -> list[str]:
        return [sys.executable, str(HERE), name]

    found = [
        Attack(
            f"serving.{name}",
            partial(program, name=name),
            (0,),
            "HELD",
            sample=name in FIRST,
            one=True,
            timeout_s=180,
            most_kb=2 << 20,
        )
        for name in ACTS
    ]
    inside = "touch OUTSIDE/pwned; echo x > OUTSIDE/victim; cat HOME/.netrc OUTSIDE/secret; (exec 3<>/dev/tcp/127.0.0.1/PORT); true"
    found.append(
        Attack(
            "serving.link-run-in-a-sandbox",
            lambda _stage: ["link", "run", "--rtt", "1ms", "--sandbox", "bwrap", "--", "sh", "-c", inside],
            (0,),
            sample=True,
            one=True,
        )
    )
    found += [
        Attack(
            f"serving.gate-{number}",
            partial(
                lambda _stage, revision: ["gate", "--against", revision, "--out", "gate", "--", "--rtt", "1ms"],
                revision=revision,
            ),
            (1, 2, 3, 4, 5),
        )
        for number, revision in enumerate(
            ("git:--upload-pack=touch OUTSIDE/pwned", "git:-x", "git:HEAD:../..", "git:", "program:", "git:a\nb")
        )
    ]
    return found


if __name__ == "__main__":
    ACTS[sys.argv[1]]()
    print("HELD")
