"""Which addresses a trace may make us contact: public ones, by https, under names that are plainly names.

What a name resolves to is looked up once, here, and the connection is made to that: a name that answers with a
public address to the check and a private one to the connection (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import SplitResult, urlsplit

from curserve_traces.errors import NotGranted, WorkspaceError

_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)
_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~+@=,-]+)+/?")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_TRANSLATED = tuple(map(ipaddress.IPv6Network, ("2002::/16", "2001::/32", "64:ff9b:1::/48", "::/96")))


def repository(address: str, *, schemes: tuple[str, ...], any_host: bool = False) -> SplitResult:
    """Return the parts of a repository's address; raises NotGranted where it is not plain.

    No user, query or fragment; a path of ordinary characters without `..`; a host that is a name (with `any_host`
    an IP address or a bare name as well, since the person granted it).
    """
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    host = parts.hostname or ""
    named = bool(_HOST.fullmatch(host)) and len(host) <= 253
    plain = f"{parts.scheme}://{parts.netloc}{parts.path}" == address and parts.netloc.lower() == (
        f"[{host}]" if ":" in host else host
    ) + (f":{port}" if port is not None else "")
    if parts.scheme not in schemes or not plain or not _PATH.fullmatch(parts.path) or not (named or any_host):
        raise NotGranted(
            f"repository {address[:200]!r}: a trace may name a public one, by https and without user name, "
            "such as https://github.com/django/django; "
            "if it is yours, grant it with --allow-source PREFIX, or give the "
            "folder with --workspace DIR"
        )
    return parts


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet: not private, loopback, link-local, in no disguise."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        if any(ip in network for network in _TRANSLATED):
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def public_addresses(host: str, port: int, also: frozenset[str] = frozenset()) -> list[str]:
    """Return what `host` resolves to; raises NotGranted if any of it is neither public nor one of `also`."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise WorkspaceError(
            f"{host}: cannot be found ({getattr(error, 'strerror', None) or error}); check the network, or "
            "give the folder with --workspace DIR"
        ) from None
    addresses = list(dict.fromkeys(str(place[0]) for *_, place in found))
    for address in addresses:
        if address not in also and not is_public(address):
            raise NotGranted(
                f"{host} is {address}, which is no public address; a trace may not lead there: if it is yours, "
                "grant it with --allow-source PREFIX, or give the folder with --workspace DIR"
            )
    return addresses
