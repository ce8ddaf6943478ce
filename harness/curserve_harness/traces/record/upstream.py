"""The address of a request at the model's server, made of parts that were checked. Main type: `Upstream`.

An address that is joined as text leads elsewhere (`http://host` and `@other/x`, `/v1/../admin`): so the base is
read once, and a request adds plain segments of a path, and a query, to it.
"""

from __future__ import annotations

import re

from yarl import URL

PREFIX = "/v1"
_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~:,+=@-]+)*/?")
_QUERY = re.compile(r"[A-Za-z0-9._~:,+=@&%/?;-]*")


class Upstream:
    """The model's server at a base address such as `https://api.openai.com/v1`."""

    def __init__(self, base: str) -> None:
        """Read the base; raises ValueError where it is no http(s) address of a server."""
        url = URL(base)
        if url.scheme not in ("http", "https") or not url.host or url.query_string or url.fragment:
            raise ValueError(
                f"{base!r}: expected the address of a model's server, such as https://api.openai.com/v1"
            )
        self.base = url
        self.shown = str(url.with_user(None).with_password(None))

    def path(self, target: str) -> str | None:
        """Return what a request's target names below `/v1`, None where it is not plainly below."""
        path = target.partition("?")[0]
        if path != PREFIX and not path.startswith(f"{PREFIX}/"):
            return None
        below = path.removeprefix(PREFIX)
        return below if _PATH.fullmatch(below) else None

    def address(self, target: str) -> URL | None:
        """Return the address to ask for a request's target (`/v1/models?x=1`), None where it may not be asked."""
        path, (_, _, query) = self.path(target), target.partition("?")
        if path is None or not _QUERY.fullmatch(query):
            return None
        return URL.build(
            scheme=self.base.scheme,
            authority=self.base.raw_authority,
            path=f"{self.base.raw_path.rstrip('/')}{path}" or "/",
            query_string=query,
            encoded=True,
        )
