"""Finds one file of one release on the package index that the user's own pip is configured for, and fetches it.

pip itself would do for wheels; for a source distribution it runs that distribution's build code to learn its
dependencies, and a trace from the internet must not choose what runs here. So pip is asked only for its
configuration, the index is read as PEP 503 and PEP 691 describe, and the file's sha256 decides.
"""

from __future__ import annotations

import base64
import hashlib
import json
import netrc
import re
import shlex
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from curserve_traces.errors import DigestMismatch, WorkspaceError

_ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"
_MOST = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Link:
    """A file on an index; `sha256` where the index tells it."""

    name: str
    url: str
    sha256: str | None


def fetch(name: str, version: str, sha256: str, kind: str, target: Path) -> None:
    """Write the wheel or sdist of `name` `version` with that digest (hex) to `target`.

    Raises WorkspaceError where no index has it, DigestMismatch where the file found is another one.
    """
    config = _pip_config()
    tried = []
    for link in _links(config, name):
        told = link.sha256 == sha256
        if told or (link.sha256 is None and _fits(link.name, name, version, kind)):
            data = _get(config, link.url)
            found = hashlib.sha256(data).hexdigest()
            if found == sha256:
                target.write_bytes(data)
                return
            tried.append(f"{link.name} has sha256 {found}")
    what = f"{kind} {name} {version}"
    if tried:
        raise DigestMismatch(f"workspace {what}: {'; '.join(tried)}; the trace names {sha256}")
    raise WorkspaceError(
        f"workspace {what}: no file with sha256 {sha256} on the configured package index; "
        "check pip's configuration (`pip config list`) and the network, or give the folder with --workspace DIR"
    )


def _pip_config() -> dict[str, str]:
    """Return pip's effective options: environment over user over site configuration."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found: dict[str, str] = {}
    ranks: dict[str, int] = {}
    for line in done.stdout.splitlines():
        key, separator, value = line.partition("=")
        section, _, option = key.rpartition(".")
        rank = {"global": 1, "download": 2, ":env:": 3}.get(section, 0)
        if separator and rank >= ranks.get(option, 1):
            with suppress(ValueError):
                found[option], ranks[option] = " ".join(shlex.split(value)).replace("\\n", " "), rank
    return found


def _default_index() -> str:
    """Return the index that pip takes where nothing is configured, as pip itself tells it."""
    program = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    if done.returncode:
        raise WorkspaceError(
            "this pip does not tell its default index; set one: pip config set global.index-url URL"
        )
    return done.stdout.strip()


def _links(config: dict[str, str], name: str) -> Iterator[Link]:
    normal = re.sub(r"[-_.]+", "-", name).lower()
    for place in config.get("find-links", "").split():
        folder = Path(unquote(urlsplit(place).path)) if place.startswith("file:") else Path(place)
        if folder.is_dir():
            for file in sorted(folder.iterdir()):
                yield Link(file.name, file.resolve().as_uri(), None)
    if config.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        return
    indexes = [config.get("index-url") or _default_index(), *config.get("extra-index-url", "").split()]
    for index in indexes:
        url = f"{index.rstrip('/')}/{normal}/"
        with suppress(FileNotFoundError):
            yield from _page(_get(config, url), url)


def _page(data: bytes, url: str) -> Iterator[Link]:
    if data.lstrip()[:1] == b"{":
        for file in json.loads(data).get("files", []):
            yield Link(file["filename"], urljoin(url, file["url"]), file.get("hashes", {}).get("sha256"))
        return
    anchors = _Anchors()
    anchors.feed(data.decode("utf-8", errors="replace"))
    for href in anchors.found:
        parts = urlsplit(urljoin(url, href))
        digest = re.search(r"sha256=([0-9a-f]{64})", parts.fragment)
        file = unquote(parts.path.rsplit("/", 1)[-1])
        yield Link(file, urlunsplit(parts._replace(fragment="")), digest[1] if digest else None)


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for key, value in attrs if tag == "a" and key == "href" and value]


def _fits(file: str, name: str, version: str, kind: str) -> bool:
    stem = re.sub(r"[-_.]+", "-", name).lower()
    found = re.sub(r"[-_.]+", "-", file).lower()
    wanted = f"{stem}-{re.sub(r'[-_.]+', '-', version).lower()}-"
    return found.startswith(wanted) and file.endswith(".whl") == (kind == "wheel")


def _get(config: dict[str, str], url: str) -> bytes:
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http", "file"):
        raise WorkspaceError(f"{parts.scheme}: URLs of package indexes are not understood; use https")
    headers = {"Accept": _ACCEPT, "User-Agent": "curserve-bench"}
    if parts.scheme != "file" and (login := _login(url)) is not None:
        headers["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
        host = parts.hostname or ""
        parts = parts._replace(netloc=host if parts.port is None else f"{host}:{parts.port}")
    request = urllib.request.Request(urlunsplit(parts), headers=headers)  # noqa: S310 - scheme checked above
    shown = urlunsplit(parts)
    try:
        context = ssl.create_default_context(cafile=config.get("cert")) if parts.scheme == "https" else None
        timeout = float(config.get("default-timeout", config.get("timeout", "60")))
        with urllib.request.urlopen(request, timeout=timeout, context=context) as answer:  # noqa: S310
            data: bytes = answer.read(_MOST + 1)
    except urllib.error.HTTPError as error:
        if error.code in (403, 404):
            raise FileNotFoundError(shown) from error
        raise WorkspaceError(f"package index: {shown}: {error}") from error
    except (OSError, ValueError) as error:
        raise WorkspaceError(
            f"package index: {shown}: {error}; check the network and pip's configuration"
        ) from error
    if len(data) > _MOST:
        raise WorkspaceError(f"package index: {shown}: larger than {_MOST} bytes")
    return data


def _login(url: str) -> str | None:
    parts = urlsplit(url)
    if parts.username:
        return f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    with suppress(OSError, netrc.NetrcParseError):
        found = netrc.netrc().authenticators(parts.hostname or "")
        if found:
            return f"{found[0]}:{found[2]}"
    return None
