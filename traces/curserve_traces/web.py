"""Reads from a package index, which the person configured, and from where its pages lead, which nobody did.

The index is trusted with its own host, scheme and credentials. A link or a redirect to another host must be https,
lead to public addresses or to where the index itself is, and gets no credentials; what a name resolves to is
checked and then connected to.
"""

from __future__ import annotations

import base64
import http.client
import netrc
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from curserve_traces.errors import NotGranted, WorkspaceError
from curserve_traces.reach import public_addresses

_ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"
_PORTS = {"https": 443, "http": 80}


def shown(url: str) -> str:
    """Return an address without the user name and password in it."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


class Index:
    """A package index at `address`; `config` holds pip's options (`cert`, `default-timeout`).

    `allows` says of an address whether the person granted it (`--allow-source`).
    """

    def __init__(self, address: str, config: Mapping[str, str], allows: Callable[[str], bool]) -> None:
        self._own = _origin(urlsplit(address))
        self._allows, self._granted = allows, set[tuple[str | None, int | None]]()
        self._login = _login(urlsplit(address))
        self._timeout = float(config.get("default-timeout", config.get("timeout", "60")))
        context = ssl.create_default_context(cafile=config.get("cert"))
        self._opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(),
            _Http(self),
            _Https(self, context),
            urllib.request.HTTPErrorProcessor(),
            urllib.request.HTTPDefaultErrorHandler(),
            _Redirects(self),
        ):
            self._opener.add_handler(handler)

    def read(self, url: str, most: int) -> Iterator[bytes]:
        """Yield what is at `url` in pieces, `most` bytes at most.

        Raises FileNotFoundError where there is nothing, NotGranted where the address may not be asked for, else
        WorkspaceError.
        """
        request = urllib.request.Request(shown(url), headers={"Accept": _ACCEPT, "User-Agent": "curserve-bench"})  # noqa: S310 - `allow` checks the scheme
        try:
            parts = self.allow(url)
            if _origin(parts) == self._own and self._login is not None:  # never sent on to where a redirect leads
                login = base64.b64encode(self._login.encode()).decode()
                request.add_unredirected_header("Authorization", f"Basic {login}")
            with self._opener.open(request, timeout=self._timeout) as answer:
                left = most
                while piece := answer.read(1 << 20):
                    if (left := left - len(piece)) < 0:
                        raise WorkspaceError(f"package index: {shown(url)}: larger than {most} bytes")
                    yield piece
        except urllib.error.HTTPError as error:
            if error.code in (403, 404):
                raise FileNotFoundError(shown(url)) from error
            raise WorkspaceError(f"package index: {shown(url)}: {error}") from error
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise WorkspaceError(
                f"package index: {shown(url)}: {error}; check the network and pip's configuration"
            ) from error

    def is_own(self, host: str, port: int) -> bool:
        """Whether this is where the index itself is, or what the person granted."""
        return (host, port) == self._own[1:] or (host, port) in self._granted

    def reachable(self, host: str, port: int) -> list[str]:
        """Return the addresses of `host`; raises NotGranted unless they are public, or the index's own.

        A network that lets everybody out through one machine shows every name at the address of that machine.
        """
        _, own_host, own_port = self._own
        also: frozenset[str] = frozenset()
        if own_host is not None and port == own_port:
            with suppress(OSError, UnicodeError):
                found = socket.getaddrinfo(own_host, port, type=socket.SOCK_STREAM)
                also = frozenset(str(place[0]) for *_, place in found)
        return public_addresses(host, port, also)

    def allow(self, url: str) -> SplitResult:
        """Return the parts of an address that may be asked for; raises NotGranted for any other."""
        parts = urlsplit(url)
        host = parts.hostname
        if _origin(parts) == self._own:
            return parts
        if parts.scheme in _PORTS and self._allows(url):
            self._granted.add(_origin(parts)[1:])
            return parts
        if parts.scheme != "https" or not host:
            raise NotGranted(
                f"package index: it leads to {shown(url)[:200]!r}, which is no https address; not followed"
            )
        if urllib.request.getproxies().get("https"):  # else `_connection` checks
            try:
                self.reachable(host, parts.port or 443)
            except NotGranted:
                raise
            except WorkspaceError:
                pass  # only the proxy can look it up
        return parts


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


class _Redirects(urllib.request.HTTPRedirectHandler):
    max_redirections = 5

    def __init__(self, index: Index) -> None:
        self._index = index

    def redirect_request(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: str) -> Any:
        self._index.allow(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _Http(urllib.request.HTTPHandler):
    """Plain http, which `Index.allow` leaves to an index that is configured so."""

    def __init__(self, index: Index) -> None:
        super().__init__()
        self._index = index

    def http_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_connection(http.client.HTTPConnection, self._index, req), req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, index: Index, context: ssl.SSLContext) -> None:
        super().__init__(context=context)
        self._index, self._tls = index, context

    def https_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_connection(http.client.HTTPSConnection, self._index, req), req, context=self._tls)


def _connection(kind: Any, index: Index, request: urllib.request.Request) -> Any:
    """Return what makes the connection for a request: to addresses that were checked, but for index and proxy."""
    trusted = bool(getattr(request, "_tunnel_host", None)) or request.has_proxy()

    def connect(address: tuple[str, int], *arguments: Any) -> socket.socket:
        host, port = address
        if trusted or index.is_own(host, port):
            return socket.create_connection(address, *arguments)
        failed: OSError = OSError(f"{host}: no address")
        for found in index.reachable(host, port):
            try:
                return socket.create_connection((found, port), *arguments)
            except OSError as error:
                failed = error
        raise failed

    def made(host: str, **options: Any) -> Any:
        connection = kind(host, **options)
        connection._create_connection = connect
        return connection

    return made


def _login(parts: SplitResult) -> str | None:
    """Return `user:password` of the index: from its address, else from the user's netrc."""
    if parts.username:
        return f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    with suppress(OSError, netrc.NetrcParseError):
        found = netrc.netrc().authenticators(parts.hostname or "")
        if found:
            return f"{found[0]}:{found[2]}"
    return None
