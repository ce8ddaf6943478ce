"""The player's HTTP against real sockets: any cut of the bytes gives the same answer; nonsense gives one line."""

import contextlib
import itertools
import socket
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curserve_harness.play.connection import Connection, Events, WireError

CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'a\r\ndata: {"a"\r\n8;x=y\r\n: 1}\n\nda\r\n12\r\nta: [DONE]\n\n: hi\n\n\r\n0\r\n\r\n'
)
SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
TO_THE_END = b"HTTP/1.1 200 OK\r\n\r\nhello"


@contextlib.contextmanager
def answering(pieces, *, close=True, pause_s=0.0):
    """Give the URL of a server that reads one request and answers with `pieces`, each in a send of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        got = []

        def serve():
            peer, _ = listener.accept()
            with peer:
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                data = b""
                while b"\r\n\r\n" not in data:
                    data += peer.recv(65536)
                head, _, body = data.partition(b"\r\n\r\n")
                length = int(head.rpartition(b"Content-Length: ")[2])
                while len(body) < length:
                    body += peer.recv(1 << 20)
                got.append(body)
                with contextlib.suppress(OSError):
                    for piece in pieces:
                        peer.sendall(piece)
                        time.sleep(pause_s)
                    if not close:
                        peer.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", got
        finally:
            thread.join(20)


def post(url, body=(b"{}",), seconds=20.0, sink=None):
    connection = Connection(url, time.monotonic_ns() + int(seconds * 1e9))
    pieces = []
    try:
        exchange = connection.post(connection.request_head("/x"), list(body), sink or pieces.append)
    finally:
        connection.close()
    return exchange, b"".join(pieces)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, len(CHUNKED) - 1), max_size=6, unique=True).map(sorted))
def test_a_chunked_answer_is_the_same_however_it_is_cut(cuts):
    edges = [0, *cuts, len(CHUNKED)]
    pieces = [CHUNKED[a:b] for a, b in itertools.pairwise(edges)]
    events = []
    with answering(pieces, close=False, pause_s=0.001) as (url, _):
        exchange, _ = post(url, sink=Events(events.append))
    assert events == [b'{"a": 1}']
    assert exchange.bytes_down == len(CHUNKED)
    assert exchange.sent_ns <= exchange.first_byte_ns <= exchange.received_ns


@pytest.mark.parametrize(("answer", "close"), [(SIZED, False), (TO_THE_END, True)])
def test_an_answer_with_a_length_or_to_the_end(answer, close):
    with answering([answer], close=close) as (url, _):
        assert post(url)[1] == b"hello"


def test_a_large_body_in_parts_travels_whole():
    parts = [b"start", bytearray(b"x" * 8_000_000), b"", b"end"]
    with answering([SIZED], close=False) as (url, got):
        exchange, _ = post(url, parts)
    assert got == [b"".join(parts)]
    assert exchange.bytes_up > 8_000_000


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200",
        b"SSH-2.0-OpenSSH_9\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nmore",
        b"x" * 100_000,
    ],
)
def test_what_is_no_answer_is_told_in_one_line(answer):
    with answering([answer]) as (url, _), pytest.raises(WireError, match="model server http") as error:
        post(url)
    assert "\n" not in str(error.value)


def test_a_server_that_says_nothing_is_left_at_the_deadline():
    with answering([], close=False) as (url, _), pytest.raises(WireError, match="deadline"):
        post(url, seconds=0.2)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "https://127.0.0.1", "127.0.0.1:80", ""])
def test_a_server_that_cannot_be_reached_is_named(url):
    with pytest.raises(WireError, match="model server"):
        Connection(url, time.monotonic_ns() + 10**9)
