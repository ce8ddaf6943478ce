"""Whatever a request names, it goes to the model's server, below its base, or nowhere."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from curserve_harness.traces.record.upstream import Upstream

BASES = (
    "http://127.0.0.1:8000",
    "https://api.openai.com/v1",
    "https://user:secret@host.example/a/b/",
    "http://[::1]:8000/v1",
)
PIECES = st.sampled_from(
    [
        r"\\",
        "\r\n",
        " ",
        "\t",
        "é",
        "\x00",
        "\u202e",
        *"/v1 / .. . %2e %2f @evil //evil :80 ? # & chat ; http://evil /v1/ %0d%0a host % x=1 /models".split(),
    ]
)


@given(st.sampled_from(BASES), st.lists(PIECES, max_size=8).map("".join) | st.text(max_size=40))
@example("http://127.0.0.1:8000", "/v1@evil/x")
@example("http://127.0.0.1:8000", "/v1/../admin")
@example("http://127.0.0.1:8000", "/v1/%2e%2e/admin")
@example("http://127.0.0.1:8000", "//evil/v1/x")
@example("http://127.0.0.1:8000", "http://evil/v1/x")
def test_no_target_leads_elsewhere(base: str, target: str) -> None:
    upstream = Upstream(base)
    address = upstream.address(target)
    if address is None:
        return
    assert target.startswith("/v1")
    assert address.raw_authority == upstream.base.raw_authority
    assert address.scheme == upstream.base.scheme
    assert str(address).startswith(str(upstream.base).rstrip("/"))
    below = str(address).removeprefix(str(upstream.base).rstrip("/"))
    assert below[:1] in ("", "/", "?"), below
    assert not {"..", "."} & set(below.partition("?")[0].split("/"))
    assert not set(str(address)) & set("\r\n\t #\\\0")


def test_what_clients_ask_for_passes() -> None:
    upstream = Upstream("https://api.openai.com/v1")
    for target, asked in (
        ("/v1/chat/completions", "/v1/chat/completions"),
        ("/v1/responses/resp_1?include=a&x=%20", "/v1/responses/resp_1?include=a&x=%20"),
        ("/v1/models/gpt-5:ft@2", "/v1/models/gpt-5:ft@2"),
        ("/v1", "/v1"),
    ):
        assert str(upstream.address(target)) == f"https://api.openai.com{asked}"


@pytest.mark.parametrize(
    "base", ["", "api.openai.com", "ftp://x/", "file:///etc", "http://", "https://x/?y", "https://x/#y"]
)
def test_a_bad_base_is_said(base: str) -> None:
    with pytest.raises(ValueError, match=r"expected the address|[Ii]nvalid|[Hh]ost"):
        Upstream(base)


def test_a_password_is_not_shown() -> None:
    assert Upstream("https://user:secret@host.example/v1").shown == "https://host.example/v1"
