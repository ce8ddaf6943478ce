"""The model server before the real OpenAI client, before plain HTTP, and before requests that make no sense."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import openai
import pytest

from curserve_traces import codec
from curserve_traces.model import Trace, Turn, Workspace

TEXT = 'Let me look. “Ünïcode” and\nnew lines — and a lone quote " too.'


@pytest.fixture(scope="module")
def server(tmp_path_factory, made):
    trace = made.trace(turns=3, calls=2, text=TEXT, tokens=25)
    path = tmp_path_factory.mktemp("trace") / "t.json"
    codec.save(trace, path)
    command = [sys.executable, "-m", "curserve_harness", "llm", "serve", "--trace", str(path), "--port", "0"]
    process = subprocess.Popen([*command, "--model", "swe-grep-mini"], stdout=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    yield re.search(r"http://\S+", line)[0], trace
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0
    process.stdout.close()


@pytest.fixture(scope="module")
def client(server):
    with openai.OpenAI(base_url=server[0], api_key="none", max_retries=0) as client:
        yield client


def post(server, path, body, method="POST"):
    host = server[0].removeprefix("http://").removesuffix("/v1")
    connection = http.client.HTTPConnection(host, timeout=20)
    connection.request(method, path, body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer


def test_a_whole_agent_loop_in_chat_streamed_and_not(server, client):
    _, trace = server
    for stream in (True, False):
        messages = [{"role": "user", "content": "mend it"}]
        for turn in trace.turns:
            if stream:
                text, calls, usage, finish = streamed_chat(client, messages)
            else:
                answer = client.chat.completions.create(model="any", messages=messages)
                choice = answer.choices[0]
                text, usage, finish = choice.message.content or "", answer.usage, choice.finish_reason
                calls = [(c.id, c.function.name, c.function.arguments) for c in choice.message.tool_calls or ()]
            assert text == turn.text
            assert [c[0] for c in calls] == [c.call.id for c in turn.calls]
            assert [json.loads(c[2]) for c in calls] == [c.call.arguments for c in turn.calls]
            assert usage.completion_tokens == turn.output_tokens
            assert finish == ("tool_calls" if calls else "stop")
            tool_calls = [
                {"id": i, "type": "function", "function": {"name": n, "arguments": a}} for i, n, a in calls
            ]
            messages.append(
                {"role": "assistant", "content": text, **({"tool_calls": tool_calls} if calls else {})}
            )
            messages += [{"role": "tool", "tool_call_id": i, "content": "out"} for i, _, _ in calls]
        assert "recorded trace ends" in streamed_chat(client, messages)[0]


def streamed_chat(client, messages):
    text, calls, usage, finish = "", [], None, None
    chunks = 0
    options = {"include_usage": True}
    for chunk in client.chat.completions.create(
        model="any", messages=messages, stream=True, stream_options=options
    ):
        chunks += 1
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            finish = choice.finish_reason or finish
            for call in choice.delta.tool_calls or ():
                if call.index == len(calls):
                    calls.append([call.id, call.function.name, ""])
                calls[call.index][2] += call.function.arguments or ""
    assert chunks >= usage.completion_tokens
    return text, [tuple(c) for c in calls], usage, finish


def test_a_whole_agent_loop_in_responses_streamed_and_not(server, client):
    _, trace = server
    for stream in (True, False):
        previous, new = None, [{"role": "user", "content": "mend it"}]
        for turn in trace.turns:
            answer = client.responses.create(
                model="any", input=new, previous_response_id=previous or openai.omit, stream=stream
            )
            if stream:
                events = list(answer)
                assert [e.sequence_number for e in events] == list(range(len(events)))
                deltas = "".join(e.delta for e in events if e.type == "response.output_text.delta")
                assert deltas == turn.text
                answer = events[-1].response
            assert answer.status == "completed"
            assert answer.output_text == turn.text
            calls = [item for item in answer.output if item.type == "function_call"]
            assert [(c.call_id, json.loads(c.arguments)) for c in calls] == [
                (c.call.id, c.call.arguments) for c in turn.calls
            ]
            assert answer.usage.output_tokens == turn.output_tokens
            previous = answer.id
            new = [{"type": "function_call_output", "call_id": c.call_id, "output": "out"} for c in calls]


def test_a_responses_client_that_resends_everything_gets_the_same_turns(server, client):
    _, trace = server
    given = [{"role": "user", "content": "mend it"}]
    for turn in trace.turns:
        answer = client.responses.create(model="any", input=given)
        assert answer.output_text == turn.text
        given += [item.model_dump(exclude_none=True) for item in answer.output]
        given += [
            {"type": "function_call_output", "call_id": i.call_id, "output": "out"}
            for i in answer.output
            if i.type == "function_call"
        ]


def test_the_model_is_listed(client):
    assert [m.id for m in client.models.list()] == ["SWE-grep-mini"]


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/v1/chat/completions", b"{not json", "JSON"),
        ("/v1/chat/completions", b"\xff\xfe", "JSON"),
        ("/v1/chat/completions", b"", "JSON"),
        ("/v1/chat/completions", b"[1]", "object"),
        ("/v1/chat/completions", b"{}", "messages"),
        ("/v1/chat/completions", b'{"messages": []}', "messages"),
        ("/v1/chat/completions", b'{"messages": [3], "model": "m"}', "messages[0]"),
        ("/v1/chat/completions", b'{"messages": [{"role": "cat"}], "model": "m"}', "role"),
        ("/v1/chat/completions", b'{"messages": [{"role": "user", "content": 3}], "model": "m"}', "content"),
        ("/v1/chat/completions", b'{"messages": [{"role": "user", "content": "x"}]}', "model"),
        ("/v1/chat/completions", b'{"messages": [{"role": "user"}], "model": "m", "stream": "yes"}', "stream"),
        ("/v1/chat/completions", b'{"messages": [{"role": "user"}], "model": "m", "n": 2}', "n must be 1"),
        ("/v1/responses", b'{"model": "m"}', "input"),
        ("/v1/responses", b'{"model": "m", "input": [3]}', "input[0]"),
        ("/v1/responses", b'{"model": "m", "input": "x", "previous_response_id": "resp_no"}', "resp_no"),
    ],
)
def test_a_malformed_request_gets_an_openai_shaped_400(server, path, body, said):
    status, answer = post(server, path, body)
    assert status == 400
    assert said in answer["error"]["message"]
    assert answer["error"]["type"] == "invalid_request_error"


def test_unknown_paths_and_methods_are_told(server):
    assert post(server, "/v1/embeddings", b"{}")[0] == 404
    assert post(server, "/v1/chat/completions", None, "GET")[0] == 405
    status, answer = post(server, "/v1/chat/completions", b'{"messages": [{"role": "user"}], "model": "m"}')
    assert status == 200, answer


def test_an_error_and_a_stream_leave_the_connection_usable(server):
    host = server[0].removeprefix("http://").removesuffix("/v1")
    connection = http.client.HTTPConnection(host, timeout=20)
    sock = None
    for body in (b"{", b'{"messages": [{"role": "user"}], "model": "m", "stream": true}') * 3:
        connection.request("POST", "/v1/chat/completions", body)
        sock = sock or connection.sock
        assert connection.sock is sock
        data = connection.getresponse().read()
        assert data.endswith(b"data: [DONE]\n\n") or b"error" in data
    connection.close()


def test_a_client_that_is_killed_in_mid_stream_leaves_the_server_serving(server):
    host, port = server[0].removeprefix("http://").removesuffix("/v1").split(":")
    request = b'{"messages": [{"role": "user"}], "model": "m", "stream": true}'
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(request)
    for _ in range(20):
        sock = socket.create_connection((host, int(port)))
        sock.sendall(head + request)
        if os.urandom(1)[0] % 2:
            sock.recv(100)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # reset, as of a killed process
        sock.close()
    assert post(server, "/v1/chat/completions", request.replace(b"true", b"false"))[0] == 200


def test_http_1_0_is_refused_in_words(server):
    host, port = server[0].removeprefix("http://").removesuffix("/v1").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as sock:
        sock.sendall(b"POST /v1/chat/completions HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}")
        assert b"HTTP/1.1 is needed" in sock.recv(10_000)


def test_bad_input_on_the_command_line_is_one_line(tmp_path):
    empty = tmp_path / "empty.toml"
    empty.write_text("")
    trace = tmp_path / "t.json"
    codec.save(Trace(id="t", workspace=Workspace(), turns=(Turn(text="x"),)), trace)
    serve = ["llm", "serve", "--trace", str(trace)]
    for arguments, said in [
        (["llm", "serve"], "--trace"),
        (["llm", "serve", "--trace", str(tmp_path / "none.json")], "none.json"),
        ([*serve, "--model", "gpt-9"], "swe-grep-mini"),
        ([*serve, "--models", str(empty)], "no model"),
    ]:
        done = subprocess.run(
            [sys.executable, "-m", "curserve_harness", *arguments], capture_output=True, text=True, timeout=30
        )
        assert done.returncode == 2, done
        assert done.stderr.startswith("curserve-bench: ")
        assert done.stderr.count("\n") == 1
        assert said in done.stderr
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "curserve_harness", *serve, "--port", port],
            capture_output=True,
            text=True,
            timeout=30,
        )
    assert done.returncode == 3
    assert port in done.stderr


def test_tokens_are_never_early_and_take_their_time(server):
    body = b'{"messages": [{"role": "user"}], "model": "m"}'
    started = time.monotonic()
    post(server, "/v1/chat/completions", body)
    assert time.monotonic() - started >= 0.050 + 24 / 2858
