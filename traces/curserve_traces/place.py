"""Where commands may see their workspace: an allow-list of shapes, since the place comes with the recording.

A workspace that could be mounted over a part of the sandbox would take that part's place. So a place is an
absolute path in its one normal form, and neither is, nor lies above or below, what the sandbox itself mounts.
"""

from __future__ import annotations

from collections.abc import Iterable

RESERVED = (
    *(
        f"/{name}"
        for name in ("bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "run", "sbin")
    ),
    *("/sys", "/usr", "/opt/curserve", "/opt/python", "/opt/site"),
)
"""What the sandbox mounts, and what a system expects to have for itself. `/tmp` has a rule of its own."""

_TEMPORARY = "/tmp"  # noqa: S108 - inside the sandbox: the session's own, in which a workspace may lie
_MOST_BYTES, _MOST_NAME, _MOST_PARTS = 1024, 255, 32


def why_not(at: str, mounted: Iterable[str] = RESERVED) -> str | None:
    """Return why a workspace cannot be seen at `at`, or None where it can."""
    if not at.startswith("/") or at == "/":
        return "expected an absolute path, such as /testbed"
    names = at.split("/")[1:]
    if any(name in ("", ".", "..") for name in names):
        return "expected a path in its one normal form, without `//`, `.`, `..` or a slash at its end"
    if not at.isprintable():
        return "it holds a character that cannot be printed"
    size = max(len(name.encode()) for name in names)
    if len(at.encode()) > _MOST_BYTES or size > _MOST_NAME or len(names) > _MOST_PARTS:
        return f"it is too long (most: {_MOST_BYTES} bytes, {_MOST_PARTS} names of {_MOST_NAME} bytes)"
    if at == _TEMPORARY or any(_related(at, place) for place in mounted):
        return "this place belongs to the system inside the sandbox; choose one such as /testbed"
    return None


def _related(one: str, other: str) -> bool:
    """Whether one of two normal paths is, or lies above or below, the other."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")
