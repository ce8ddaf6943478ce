"""Text that any JSON writer takes. Main name: `valid`."""

from __future__ import annotations


def valid(text: str) -> str:
    """Return `text` without lone surrogates, which agents do record and no JSON writer takes."""
    return text if text.isascii() else text.encode("utf-8", errors="replace").decode()
