"""`curserve mcp` and the protocol's own Python client, over both transports, in the old manner and the new."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import httpx2
import pytest
from daemon import running
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_client import CURSERVE, words_of

TOKEN = "0123456789abcdef"
Mode = Literal["legacy", "auto"]


@pytest.fixture
def socket(root: Path, tmp_path: Path) -> Iterator[Path]:
    """A loaded daemon's socket."""
    with running(root, tmp_path / "s"):
        yield tmp_path / "s"


@asynccontextmanager
async def over_stdio(socket: Path, mode: Mode) -> AsyncIterator[Client]:
    server = StdioServerParameters(command=str(CURSERVE), args=["mcp", "--session", str(socket)])
    async with Client(server, mode=mode) as client:
        yield client


@asynccontextmanager
async def over_http(socket: Path, mode: Mode) -> AsyncIterator[Client]:
    words = words_of(["--session", str(socket), "--http", "0"])
    process = subprocess.Popen(words, env={"CURSERVE_MCP_TOKEN": TOKEN}, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        address = process.stdout.readline().strip()
        async with (
            httpx2.AsyncClient(headers={"Authorization": f"Bearer {TOKEN}"}) as web,
            Client(streamable_http_client(address, http_client=web), mode=mode) as client,
        ):
            yield client
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("transport", [over_stdio, over_http])
@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_the_official_client(socket: Path, root: Path, transport, mode: Mode) -> None:
    """It lists the tools, calls them one by one and many at once, and hears what is wrong."""

    async def talk() -> None:
        async with transport(socket, mode) as client:
            assert "Prefer them" in (client.instructions or "")
            listed = await client.list_tools()
            assert [tool.name for tool in listed.tools] == ["grep", "glob", "read", "list", "bash_read"]
            assert all(tool.annotations and tool.annotations.read_only_hint for tool in listed.tools)
            result = await client.call_tool("read", {"path": "a.txt"})
            assert (result.content[0].text, result.is_error) == ("alpha\nbeta\n", False)
            many = await asyncio.gather(
                *(
                    client.call_tool("grep", {"pattern": f"^{word}", "mode": "content"})
                    for word in ["al", "be"] * 20
                )
            )
            assert [result.content[0].text for result in many] == ["a.txt:1:alpha\n", "a.txt:2:beta\n"] * 20
            wrong = await client.call_tool("read", {"path": "/etc/passwd"})
            assert wrong.is_error
            assert wrong.content[0].text == f"read: /etc/passwd is outside of the served folder {root}"
            refused = await client.call_tool("bash_read", {"command": "touch new"})
            assert refused.is_error
            with pytest.raises(MCPError, match="no tool"):
                await client.call_tool("write", {})

    asyncio.run(asyncio.wait_for(talk(), timeout=120))
