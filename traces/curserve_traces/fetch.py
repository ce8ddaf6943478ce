"""Finds one file of one release on the package index that the user's own pip is configured for, and fetches it.

pip itself would do for wheels; for a source distribution it runs that distribution's build code to learn its
dependencies, and a trace from the internet must not choose what runs here. So pip is asked only for its
configuration, the index is read as PEP 503 and PEP 691 describe, and the file's sha256 decides.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from packaging.utils import (
    InvalidName,
    InvalidSdistFilename,
    InvalidWheelFilename,
    NormalizedName,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from curserve_traces.errors import DigestMismatch, NotGranted, WorkspaceError
from curserve_traces.grants import Grants
from curserve_traces.web import Index, shown

MOST_FILE = 2 * 1024**3
MOST_PAGE = 128 * 1024**2


@dataclass(frozen=True, slots=True)
class IndexLink:
    """A file on an index, or in a folder of pip's find-links; `sha256` where the index tells it."""

    name: str
    place: str | Path
    sha256: str | None


def fetch(name: str, version: str, sha256: str, kind: str, target: Path, grants: Grants) -> None:
    """Write the wheel or sdist of `name` `version` with that digest (hex) to `target`; say where from before.

    Raises WorkspaceError where no index has it, NotGranted where name or version are none, DigestMismatch where
    the file found is another one.
    """
    project, release = _checked(name, version, kind)
    what = f"{kind} {project} {release}"
    config = _pip_config()
    tried = []
    for link, index in _links(config, project, what, grants):
        told = link.sha256 == sha256
        if told or (link.sha256 is None and _fits(link.name, project, release, kind)):
            found = _bring(link, index, target)
            if found == sha256:
                return
            target.unlink()
            tried.append(f"{link.name} has sha256 {found}")
    if tried:
        raise DigestMismatch(f"workspace {what}: {'; '.join(tried)}; the trace names {sha256}")
    raise WorkspaceError(
        f"workspace {what}: no file with sha256 {sha256} on the configured package index; "
        "check pip's configuration (`pip config list`) and the network, or give the folder with --workspace DIR"
    )


def _checked(name: str, version: str, kind: str) -> tuple[NormalizedName, Version]:
    """Return name and version as PEP 503 and PEP 440 have them; raises NotGranted where they are neither."""
    try:
        if not (name.isascii() and version.isascii() and len(name) <= 200 and len(version) <= 100):
            raise InvalidName(name[:80])
        return canonicalize_name(name, validate=True), Version(version)
    except (InvalidName, InvalidVersion):
        raise NotGranted(
            f"workspace {kind} {name[:80]!r} {version[:80]!r}: no name and version of a package (PEP 503, "
            "PEP 440); give the folder with --workspace DIR"
        ) from None


def _bring(link: IndexLink, index: Index | None, target: Path) -> str:
    """Write the file to `target`; return its sha256 (hex)."""
    if isinstance(link.place, Path):
        with link.place.open("rb") as source:
            return _copied(iter(lambda: source.read(1 << 20), b""), target)
    assert index is not None  # an address comes from an index
    try:
        return _copied(index.read(link.place, MOST_FILE), target)
    except FileNotFoundError:
        raise WorkspaceError(
            f"package index: {shown(link.place)}: listed and not there; try again later"
        ) from None


def _copied(pieces: Iterator[bytes], target: Path) -> str:
    found = hashlib.sha256()
    with target.open("wb") as file:
        for piece in pieces:
            found.update(piece)
            file.write(piece)
    return found.hexdigest()


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
            "this pip does not say what its default index is; set one: pip config set global.index-url URL"
        )
    return done.stdout.strip()


def _links(
    config: dict[str, str], project: NormalizedName, what: str, grants: Grants
) -> Iterator[tuple[IndexLink, Index | None]]:
    for place in config.get("find-links", "").split():
        folder = Path(unquote(urlsplit(place).path)) if place.startswith("file:") else Path(place)
        if folder.is_dir():
            for file in sorted(folder.iterdir()):
                if file.is_file():
                    yield IndexLink(file.name, file.resolve(), None), None
    if config.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        return
    addresses = [config.get("index-url") or _default_index(), *config.get("extra-index-url", "").split()]
    for address in addresses:
        grants.say(f"fetching {what}, which the trace names, from the package index {shown(address)}")
        index = Index(address, config, grants.allows)
        url = f"{address.rstrip('/')}/{project}/"
        with suppress(FileNotFoundError):
            for link in _page(b"".join(index.read(url, MOST_PAGE)), url):
                yield link, index


def _page(data: bytes, url: str) -> Iterator[IndexLink]:
    if data.lstrip()[:1] == b"{":
        try:
            listed: Any = json.loads(data)
            for file in listed.get("files", []):
                sha256 = file.get("hashes", {}).get("sha256")
                yield IndexLink(str(file["filename"]), urljoin(url, file["url"]), sha256)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise WorkspaceError(f"package index: {shown(url)}: no list of files ({error!r:.100})") from None
        return
    anchors = _Anchors()
    anchors.feed(data.decode("utf-8", errors="replace"))
    for href in anchors.found:
        with suppress(ValueError):  # an address that is none is no file
            parts = urlsplit(urljoin(url, href))
            digest = re.search(r"sha256=([0-9a-f]{64})", parts.fragment)
            file = unquote(parts.path.rsplit("/", 1)[-1])
            yield IndexLink(file, urlunsplit(parts._replace(fragment="")), digest[1] if digest else None)


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for key, value in attrs if tag == "a" and key == "href" and value]


def _fits(file: str, project: NormalizedName, release: Version, kind: str) -> bool:
    try:
        name, version = parse_wheel_filename(file)[:2] if kind == "wheel" else parse_sdist_filename(file)
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        return False
    return (name, version) == (project, release)
