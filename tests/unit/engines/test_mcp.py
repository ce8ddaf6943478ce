"""`curserve mcp`: the daemon's answers as tools, with every kind of client, the wrong ones too."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon import running
from mcp_client import HELLO, Json, McpClient, scripted_daemon, texts, words_of

TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def tree(root: Path) -> Path:
    """A workspace with a few files more."""
    (root / "sub/deep.py").write_text("def alpha():\n    return 1\n")
    (root / "long.txt").write_text("".join(f"line {i} ä€🦀\n" for i in range(20_000)))
    return root


@pytest.fixture
def env() -> Iterator[dict[str, str]]:
    """An environment whose daemons are nobody else's; they end with it."""
    with tempfile.TemporaryDirectory() as runtime:  # the path of a socket has room for 107 bytes
        path = f"{Path(sys.prefix) / 'bin'}:/usr/bin:/bin"
        yield {"PATH": path, "XDG_RUNTIME_DIR": runtime, "HOME": runtime, "API_KEY": "secret"}
        for pid in daemons(runtime):
            os.kill(pid, signal.SIGKILL)


def daemons(runtime: str) -> list[int]:
    """Return the processes that serve, and whose environment names this folder for sockets."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if b"serve" in words and runtime.encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
    return found


@pytest.fixture
def client(tree: Path, env: dict[str, str]) -> Iterator[McpClient]:
    """A client that has been greeted, of the daemon of `tree`, which knows the programs of its PATH."""
    with McpClient("--root", str(tree), env=env) as client:
        client.greet()
        ready(client)
        yield client


def ready(client: McpClient) -> None:
    """Wait until the daemon has loaded, and knows the programs."""
    until = time.monotonic() + 60
    while client.call("bash_read", command="grep -c alpha a.txt; rg -c alpha a.txt")[1]:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_the_server_says_what_it_has(client: McpClient, tree: Path, env: dict[str, str]) -> None:
    tools = client.ask("tools/list")["result"]["tools"]
    assert [tool["name"] for tool in tools] == ["grep", "glob", "read", "list", "bash_read"]
    assert all(tool["annotations"]["readOnlyHint"] for tool in tools)
    assert not any(tool["annotations"]["destructiveHint"] for tool in tools)
    assert client.ask("ping")["result"] == {}
    with McpClient("--root", str(tree), env=env) as other:
        said = other.greet()
        assert said["serverInfo"]["name"] == "curserve"
        assert "Prefer them" in said["instructions"]
        assert str(tree) in said["instructions"]
        assert other.end() == (0, "")


CALLS: list[tuple[str, Json]] = [
    ("grep", {"pattern": "alpha"}),
    ("grep", {"pattern": "ALPHA", "ignore_case": True, "mode": "content", "context": 1}),
    ("grep", {"pattern": "return", "glob": ["*.py"], "mode": "count"}),
    ("grep", {"pattern": "nothing"}),
    ("glob", {"pattern": "*.py"}),
    ("read", {"path": "a.txt", "numbered": True}),
    ("read", {"path": "sub/deep.py", "offset": 2, "limit": 1}),
    ("list", {}),
    ("list", {"path": "sub"}),
]


def test_tools_answer_as_the_daemon_does(tree: Path, tmp_path: Path) -> None:
    socket = tmp_path / "s"
    with running(tree, socket) as (daemon, _), McpClient("--session", str(socket)) as client:
        client.greet()
        for tool, arguments in CALLS:
            reply = daemon.call(tool, arguments)
            said, is_error = client.call(tool, **arguments)
            assert not is_error
            shown = reply.stdout.decode() or "[nothing matches]"
            assert said[0] == shown, (tool, arguments)


LINES = [
    "grep -rn alpha . | sort",
    "cat a.txt | wc -l; ls sub",
    "find . -name '*.py' | xargs head -1",
    "for f in *.txt; do echo $f; done",
    "false",
    "cat nofile",
    "pwd",
    "echo $HOME $API_KEY.",
]


def test_a_line_answers_as_bash_does(client: McpClient, tree: Path, env: dict[str, str]) -> None:
    world = {"PATH": env["PATH"], "HOME": env["HOME"], "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    for line in LINES:
        words = ["bash", "-c", line]
        real = subprocess.run(words, cwd=tree, env=world, capture_output=True, check=False, text=True)
        said, is_error = client.call("bash_read", command=line)
        notes = [real.stderr.strip()] if real.stderr else []
        notes += [f"[exit code {real.returncode}]"] if real.returncode else []
        wanted = ([real.stdout] if real.stdout else []) + (["\n".join(notes)] if notes else [])
        assert (said, is_error) == (wanted, False), line
    said, _ = client.call("bash_read", command="pwd", cwd="sub")
    assert said == [f"{tree}/sub\n"]


@pytest.mark.parametrize("line", ["echo x > new", "sed -i s/a/b/ a.txt", "rm a.txt", "python3 -c 'print(1)'"])
def test_a_line_that_does_more_than_read_is_refused(client: McpClient, tree: Path, line: str) -> None:
    said, is_error = client.call("bash_read", command=line)
    assert is_error
    assert said[0].startswith("bash_read: not answered: ")
    assert said[0].endswith("; run this line in your own shell")
    assert not (tree / "new").exists()
    assert (tree / "a.txt").read_text() == "alpha\nbeta\n"


WRONG: list[tuple[str, Json, str]] = [
    ("grep", {"pattern": 5}, '"pattern" is not a string'),
    ("grep", {}, '"pattern" is missing'),
    ("grep", {"pattern": "a", "limit": "many"}, '"limit"'),
    ("grep", {"pattern": "a", "patern": "b"}, "no argument"),
    ("grep", {"pattern": "("}, "unclosed group"),
    ("grep", {"pattern": "a", "path": "/etc"}, "/etc is outside of the served folder"),
    ("read", {"path": "/etc/passwd"}, "outside of the served folder"),
    ("read", {"path": ["a"]}, "is not a string"),
    ("read", {"path": "nofile"}, "nofile"),
    ("read", {"path": "../../etc/passwd"}, "etc/passwd"),
    ("list", {"path": "a.txt"}, "a.txt"),
    ("list", {"cursor": "nonsense"}, "expected one that an answer has given"),
    ("list", {"cursor": 3}, "is not a string"),
    ("bash_read", {}, "command"),
    ("bash_read", {"command": "ls", "cwd": "/"}, "outside of the served folder"),
    ("bash_read", {"command": "ls", "cwd": "nowhere"}, "folder that is not there"),
    ("bash_read", {"command": "cat /etc/passwd"}, "/etc/passwd"),
    ("bash_read", {"command": "if"}, "not answered"),
]


def test_a_wrong_argument_is_one_clear_line(client: McpClient) -> None:
    for tool, arguments, why in WRONG:
        said, is_error = client.call(tool, **arguments)
        assert is_error, (tool, arguments, said)
        assert why in said[0], (tool, arguments, said)
        if why != "unclosed group":  # rg draws where in the pattern
            assert "\n" not in said[0].rstrip("\n")
            assert len(said) == 1


def test_nonsense_ends_nothing(client: McpClient) -> None:
    for nonsense in (
        b"hello\n",
        b"\xff\xfe\x00\n",
        b"{\n",
        b"[]\n",
        b"{}\n",
        b'{"jsonrpc": "2.0", "id": 1}\n',
        b'{"jsonrpc": "2.0", "method": 5}\n',
        b'{"jsonrpc": "2.0", "id": {}, "method": "ping"}\n',
        b"[" * 100_000 + b"\n",
        b'{"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": "none"}\n',
    ):
        client.write(nonsense)
    unknown = client.ask("tools/call", name="write", arguments={})
    assert unknown["error"]["code"] == -32602
    assert "grep, glob, read, list, bash_read" in unknown["error"]["message"]
    assert client.ask("nonsense/method")["error"]["code"] == -32601
    assert client.call("read", path="a.txt") == (["alpha\nbeta\n"], False)
    code, said = client.end()
    assert code == 0
    assert said.startswith("curserve mcp: ")
    assert len(said.splitlines()) <= 5


def test_long_answers_come_in_pages(client: McpClient, tree: Path) -> None:
    whole, cursor, pages = "", {}, 0
    while True:
        said, is_error = client.call("read", path="long.txt", **cursor)
        assert not is_error
        assert len(said[0].encode()) <= 32 << 10
        whole += said[0]
        pages += 1
        if "the next page" not in said[-1]:
            break
        cursor = {"cursor": said[1].split('"')[3]}
    assert whole == (tree / "long.txt").read_text()
    assert pages > 5
    (tree / "long.txt").write_text("short\n")
    said, is_error = client.call("read", path="long.txt", **cursor)
    assert is_error
    assert "has changed" in said[0]


def test_a_daemon_that_dies_comes_back(client: McpClient, env: dict[str, str]) -> None:
    for _ in range(2):
        for pid in daemons(env["XDG_RUNTIME_DIR"]):
            os.kill(pid, signal.SIGKILL)
        assert client.call("read", path="a.txt") == (["alpha\nbeta\n"], False)


def test_calls_at_once_are_answered_at_once(tmp_path: Path) -> None:
    """The daemon here answers none of eight calls before it has all of them."""
    all_there = threading.Barrier(8)

    def reply(request: Json) -> bytes:
        all_there.wait(timeout=60)
        return request["arguments"]["path"].encode()

    with scripted_daemon(tmp_path / "s", reply), McpClient("--session", str(tmp_path / "s")) as client:
        client.greet()
        numbers = [client.start("tools/call", name="read", arguments={"path": f"file {i}"}) for i in range(8)]
        said = [texts(client.answer(number)) for number in numbers]
        assert said == [([f"file {i}"], False) for i in range(8)]


def test_a_call_that_is_cancelled_lets_go(tmp_path: Path) -> None:
    asked = threading.Event()

    def reply(request: Json) -> bytes | None:
        if request["arguments"]["path"] == "slow":
            asked.set()
            return None
        return b"quick"

    with scripted_daemon(tmp_path / "s", reply) as left, McpClient("--session", str(tmp_path / "s")) as client:
        client.greet()
        number = client.start("tools/call", name="read", arguments={"path": "slow"})
        assert asked.wait(timeout=60)
        client.send(method="notifications/cancelled", params={"requestId": number})
        until = time.monotonic() + 60
        while not left:
            assert time.monotonic() < until
            time.sleep(0.005)
        assert client.call("read", path="other") == (["quick"], False)
        assert number not in client.answers


def test_a_long_call_says_that_it_goes_on(tmp_path: Path) -> None:
    told = threading.Event()

    def reply(_: Json) -> bytes:
        assert told.wait(timeout=60)
        return b"found"

    with scripted_daemon(tmp_path / "s", reply), McpClient("--session", str(tmp_path / "s")) as client:
        client.greet()
        number = client.start(
            "tools/call", name="grep", arguments={"pattern": "x"}, _meta={"progressToken": "here"}
        )
        first, second = client.receive(), client.receive()
        told.set()
        assert texts(client.answer(number)) == (["found"], False)
    for message in (first, second):
        assert message["method"] == "notifications/progress"
        assert message["params"]["progressToken"] == "here"
    assert first["params"]["progress"] < second["params"]["progress"]


def test_a_program_that_executes_lines_is_given_none(tmp_path: Path) -> None:
    """A worker's `hello` names no mounts: it would run the line."""
    asked: list[Json] = []

    def reply(request: Json) -> bytes:
        asked.append(request)
        return b"read"

    with (
        scripted_daemon(tmp_path / "s", reply, {"mounts": None}),
        McpClient("--session", str(tmp_path / "s")) as client,
    ):
        client.greet()
        said, is_error = client.call("bash_read", command="echo x > new")
        assert is_error
        assert "would execute the line" in said[0]
        assert client.call("read", path="a") == (["read"], False)
    assert [request["tool"] for request in asked] == ["read"]


def test_the_clients_roots_are_served(tree: Path, env: dict[str, str], tmp_path: Path) -> None:
    other = tmp_path / "other folder"
    other.mkdir()
    (other / "b.txt").write_text("other\n")
    link = tmp_path / "link"
    link.symlink_to(other)
    named = [tree.as_uri(), link.as_uri()]
    with McpClient(env=env, cwd=tmp_path) as client:
        client.greet(capabilities={"roots": {"listChanged": True}})

        def call(tool: str, **arguments: object) -> tuple[list[str], bool]:
            """Call, and name the roots if asked."""
            number = client.start("tools/call", name=tool, arguments=arguments)
            message = client.receive()
            if message.get("method") == "roots/list":
                client.send(id=message["id"], result={"roots": [{"uri": uri} for uri in named]})
                return texts(client.answer(number))
            return texts(message)

        assert call("read", path="a.txt") == (["alpha\nbeta\n"], False)
        assert call("read", path=f"{other}/b.txt") == (["other\n"], False)
        assert call("read", path=f"{link}/b.txt") == (["other\n"], False)
        said, is_error = call("read", path=f"{tmp_path}/elsewhere")
        assert (said, is_error) == (
            [f"read: {tmp_path}/elsewhere is outside of the served folders {tree}, {other}"], True
        )  # fmt: skip
        named[:] = [f"file://{tmp_path}/nowhere"]
        client.send(method="notifications/roots/list_changed")
        said, is_error = call("read", path="a.txt")
        assert is_error
        assert "nowhere" in said[0]


@pytest.mark.parametrize(
    ("options", "code", "why"),
    [
        (["--root", "/nowhere"], 2, "/nowhere"),
        (["--root", "/proc"], 2, "it cannot be served"),
        (["--root", "/"], 2, "--yes serves it"),
        (["--session", "/nowhere"], 3, "is it running?"),
        (["--http", "0.0.0.0:0"], 2, "only loopback"),
        (["--http", "0", "--token-file", "/nowhere"], 2, "/nowhere"),
        (["--nonsense"], 2, "--help"),
    ],
)
def test_a_wrong_start_is_one_clear_line(
    options: list[str], code: int, why: str, env: dict[str, str], tmp_path: Path
) -> None:
    done = subprocess.run(
        words_of(options),
        env=env,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (code, "")
    assert why in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"", "left before `initialize`"),
        (b"hello\n", "left without a message that is one"),
        (b'{"jsonrpc": "2.0", "method": "notifications/initialized"}\n', "not `initialize`"),
    ],
)
def test_a_client_that_does_not_speak_mcp_is_told_so(
    said: bytes, why: str, tree: Path, env: dict[str, str]
) -> None:
    done = subprocess.run(
        words_of(["--root", str(tree)]), env=env, input=said, capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert why in done.stderr.decode().splitlines()[-1]


@contextlib.contextmanager
def served(tree: Path, env: dict[str, str], *options: str) -> Iterator[tuple[str, str]]:
    """Serve over HTTP; yields address and token."""
    words = words_of(["--root", str(tree), "--http", "0", *options])
    process = subprocess.Popen(words, env=env, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        address = process.stdout.readline().strip()
        token = env.get("CURSERVE_MCP_TOKEN") or process.stdout.readline().strip().removeprefix(
            "Authorization: Bearer "
        )
        yield address, token
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def post(address: str, message: object, **headers: str) -> tuple[int, str, dict[str, str]]:
    """Post a message; status, body and headers of the answer."""
    data = message if isinstance(message, bytes) else json.dumps(message).encode()
    kinds = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    request = urllib.request.Request(address, data, {**kinds, **headers})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), dict(error.headers)


def test_http_is_for_whoever_has_the_token(tree: Path, env: dict[str, str]) -> None:
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO}
    with served(tree, env) as (address, token):
        assert len(token) == 64
        bearer = {"Authorization": f"Bearer {token}"}
        for wrong in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": token}):
            status, body, headers = post(address, hello, **wrong)
            assert (status, headers["www-authenticate"]) == (401, "Bearer")
            assert len(body.splitlines()) == 1
        status, body, _ = post(address.replace("/mcp", "/other"), hello, **bearer)
        assert status == 404
        for wrong in ({"Host": "example.org"}, {"Origin": "https://example.org"}):
            assert post(address, hello, **bearer, **wrong)[0] == 403
        for nonsense in (b"hello", b"{", b"[]", b'{"jsonrpc": "2.0", "id": 1}', b"\xff", b"[" * 100_000):
            assert 400 <= post(address, nonsense, **bearer)[0] < 500, nonsense[:20]
        status, body, headers = post(address, hello, **bearer)
        assert (status, "curserve" in body) == (200, True)
        session = {"Mcp-Session-Id": headers["mcp-session-id"], **bearer}
        call = {"name": "read", "arguments": {"path": "a.txt"}}
        status, body, _ = post(
            address, {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call}, **session
        )
        assert (status, "alpha\\nbeta" in body) == (200, True)
        status, *_ = post(address, hello | {"method": "ping"}, **bearer, **{"Mcp-Session-Id": "nonsense"})
        assert status == 404


def test_a_token_of_ones_own(tree: Path, env: dict[str, str]) -> None:
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO}
    with served(tree, {**env, "CURSERVE_MCP_TOKEN": TOKEN}) as (address, _):
        assert post(address, hello, Authorization=f"Bearer {TOKEN}")[0] == 200
        assert post(address, hello, Authorization=f"Bearer {TOKEN[1:]}0")[0] == 401


def test_an_answer_is_as_fresh_as_the_folder(client: McpClient, tree: Path) -> None:
    for i in range(20):
        (tree / "a.txt").write_text(f"{i}\n")
        assert client.call("read", path="a.txt") == ([f"{i}\n"], False)
