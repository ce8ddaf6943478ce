"""What the person who replays a trace grants it. Main type: `Grants`.

A trace may come from the internet. What it brings (a package with its digest, a commit of a public repository) is
fetched, and said; a folder of this machine, a private address, a mirror is had only if the person names it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

_PORTS = {"https": 443, "http": 80}


def _say(line: str) -> None:
    print(f"curserve-bench: {line}", file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Grants:
    """What was granted on the command line; nothing by default.

    `workspace` is the folder that calls run on (a copy of it) in place of what the trace names. `sources` are
    prefixes of repositories (`https://git.example/team/`, `http://127.0.0.1:8080/`, `/srv/mirrors`) that may be
    fetched from although they are no public https address. `offline` forbids every fetch. `say` is called with
    one line before anything is fetched or a folder is used.
    """

    workspace: Path | None = None
    sources: tuple[str, ...] = ()
    offline: bool = False
    say: Callable[[str], None] = _say

    def allows(self, source: str) -> bool:
        """Whether a repository's address is one of `sources`, or below one of them."""
        return any(_below(source, granted) for granted in self.sources)

    def saying_once(self) -> Grants:
        """Return the same, where a line that was said is not said again (several traces have one workspace)."""
        said: set[str] = set()

        def say(line: str) -> None:
            if line not in said:
                said.add(line)
                self.say(line)

        return replace(self, say=say)


NOTHING = Grants()


def local_folder(source: str) -> Path | None:
    """Return the folder that an address names (`/srv/x`, `file:///srv/x`), None where it names none."""
    if source.startswith("file://"):
        source = source.removeprefix("file://")
    return Path(source).resolve() if source.startswith("/") and "\0" not in source else None


def readable_source(text: str) -> str:
    """Return `text`, as given to `--allow-source`; raises ValueError where it is no prefix that can be granted."""
    if local_folder(text) is not None:
        return text
    parts = urlsplit(text)
    if parts.scheme not in _PORTS or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError(
            "expected a folder, or the beginning of an http(s) address such as https://git.example/team/"
        )
    _ = parts.port  # raises ValueError for one that is no number
    return text


def _below(source: str, granted: str) -> bool:
    """Whether `source` is `granted` or lies below it, compared part by part."""
    folder, place = local_folder(granted), local_folder(source)
    if folder is not None or place is not None:
        return folder is not None and place is not None and place.is_relative_to(folder)
    try:
        wanted, given = urlsplit(source), urlsplit(granted)
        same = (wanted.hostname, wanted.port or _PORTS.get(wanted.scheme)) == (
            given.hostname,
            given.port or _PORTS.get(given.scheme),
        )
    except ValueError:
        return False
    ours, theirs = given.path.rstrip("/").split("/"), wanted.path.split("/")
    return wanted.scheme == given.scheme and same and theirs[: len(ours)] == ours
