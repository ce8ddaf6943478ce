"""The recording proxy: passes everything on to the model's server and back as it comes; an Exchange is kept.

Nothing of the traffic is changed but the address. Credentials pass through and are kept nowhere.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from curserve_harness.llm.stamping import quiet_logger
from curserve_harness.traces.record.changes import Changes
from curserve_harness.traces.record.model_answers import CHAT, RESPONSES
from curserve_harness.traces.record.upstream import PREFIX, Upstream
from curserve_traces.model import WorkspaceDelta

_HOP = {
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "accept-encoding",  # identity is asked for instead: what is kept must be readable
}
_BODY_LIMIT = 256 * 1024 * 1024
_ENDING_S = 0.5


@dataclass(slots=True)
class ProxiedExchange:
    """One request to the model and its answer. Times are CLOCK_MONOTONIC at the proxy."""

    path: str
    request: bytes
    asked_ns: int
    status: int | None = None
    first_byte_ns: int | None = None
    answered_ns: int | None = None
    answer: bytearray = field(default_factory=bytearray)
    rest: list[WorkspaceDelta | None] = field(default_factory=list)
    """What the agent's own tools changed in the workspace before this request."""


class Proxy:
    """Serves `/v1/…` and passes it on to `upstream` (a base URL that ends in `/v1` or the like)."""

    def __init__(self, upstream: str, changes: Changes) -> None:
        self.exchanges: list[ProxiedExchange] = []
        self.failures = 0
        self._upstream = Upstream(upstream)
        self._changes = changes
        self._runner: web.AppRunner | None = None
        self._client: aiohttp.ClientSession | None = None

    async def start(self) -> str:
        """Listen on a free port of loopback; return the base URL for the agent."""
        host = self._upstream.base.host
        self._client = aiohttp.ClientSession(
            auto_decompress=False,
            trust_env=host not in ("127.0.0.1", "localhost", "::1"),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=30),
        )
        application = web.Application(client_max_size=_BODY_LIMIT)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(
            application, access_log=None, logger=quiet_logger(__name__), shutdown_timeout=_ENDING_S
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        return f"http://127.0.0.1:{port}/v1"

    async def stop(self) -> None:
        """Close all connections."""
        if self._runner is not None:
            await self._runner.cleanup()
        if self._client is not None:
            await self._client.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        address = self._upstream.address(request.raw_path)
        path = self._upstream.path(request.raw_path)
        if address is None or path is None:
            said = (
                f"{request.raw_path[:200]!r}: expected a path below {PREFIX}/, without `..` or a host of its own"
            )
            return web.json_response({"error": {"message": said, "type": "invalid_request_error"}}, status=400)
        body = await request.read()
        asked = time.monotonic_ns()
        exchange = ProxiedExchange(path, body, asked)
        is_model = request.method == "POST" and path.endswith((CHAT, RESPONSES))
        if is_model:
            exchange.rest = await self._changes.rest()
            self.exchanges.append(exchange)
        return await self._pass_on(request, exchange, address)

    async def _pass_on(self, request: web.Request, exchange: ProxiedExchange, address: URL) -> web.StreamResponse:
        assert self._client is not None
        headers = [(key, value) for key, value in request.headers.items() if key.lower() not in _HOP]
        try:
            async with self._client.request(
                request.method,
                address,
                data=exchange.request or None,
                headers=[*headers, ("Accept-Encoding", "identity")],
                allow_redirects=False,
            ) as upstream:
                return await self._pass_back(request, exchange, upstream)
        except aiohttp.ClientConnectionError as error:
            self.failures += 1
            said = {"error": {"message": f"{self._upstream.shown}: {error}", "type": "upstream_unreachable"}}
            return web.json_response(said, status=502)

    async def _pass_back(
        self, request: web.Request, exchange: ProxiedExchange, upstream: aiohttp.ClientResponse
    ) -> web.StreamResponse:
        exchange.status = upstream.status
        response = web.StreamResponse(status=upstream.status, reason=upstream.reason)
        for key, value in upstream.headers.items():
            if key.lower() not in _HOP:
                response.headers.add(key, value)
        if "content-length" in upstream.headers:
            response.content_length = int(upstream.headers["content-length"])
        await response.prepare(request)
        async for piece in upstream.content.iter_any():
            exchange.first_byte_ns = exchange.first_byte_ns or time.monotonic_ns()
            exchange.answer += piece
            await response.write(piece)
        exchange.answered_ns = time.monotonic_ns()
        await response.write_eof()
        return response


def environment(base_url: str, given: dict[str, str]) -> dict[str, str]:
    """Return `given` with what makes OpenAI clients speak to the proxy."""
    local = "127.0.0.1,localhost"
    found: dict[str, Any] = given | dict.fromkeys(("OPENAI_BASE_URL", "OPENAI_API_BASE"), base_url)
    for key in ("NO_PROXY", "no_proxy"):
        found[key] = f"{found[key]},{local}" if found.get(key) else local
    found.setdefault("OPENAI_API_KEY", "none")  # clients refuse to start without one; local servers need none
    return found
