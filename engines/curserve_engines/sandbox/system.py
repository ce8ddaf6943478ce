"""What of the machine commands see: an allow-list of what its own packages bring, and nothing of its people's."""

from __future__ import annotations

import functools
from pathlib import Path

_OF_USR = ("bin", "sbin", "lib", "lib32", "lib64", "libx32", "libexec", "include", "share")
"""Programs, libraries, and data of packages; not `local`, `src` or what else somebody put there by hand."""

_AT_ROOT = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_OF_ETC = ("alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d")

_NAMES = (*(f"usr/{name}" for name in _OF_USR), *_AT_ROOT, *(f"etc/{name}" for name in _OF_ETC))


@functools.cache
def shown() -> tuple[str, ...]:
    """Return the places that are bound read-only, where this machine has them."""
    places = [Path("/", name) for name in _NAMES]
    return tuple(str(place) for place in places if place.exists() and not place.is_symlink())


@functools.cache
def linked() -> dict[str, str]:
    """Return the links that stand in the root (`/bin` → `usr/bin`), with where they point to."""
    links = [Path("/", name) for name in _NAMES]
    return {str(link): str(link.readlink()) for link in links if link.is_symlink()}
