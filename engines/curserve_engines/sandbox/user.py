"""As whom commands run inside the sandbox, and to whom the session's files belong."""

from __future__ import annotations


def owner() -> tuple[int, int] | None:
    """Return the uid and gid that commands have, or None where they have ours."""
    return None
