"""Errors as OpenAI's API words them: a JSON body with `message`, `type`, `param` and `code`."""

from __future__ import annotations

import orjson
from aiohttp import web


class ApiError(Exception):
    """Raised when a request cannot be answered; becomes an OpenAI-shaped response."""

    def __init__(
        self, message: str, *, status: int = 400, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.param, self.code = status, param, code

    def response(self) -> web.Response:
        """Return the response that says so."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        error = {"message": str(self), "type": kind, "param": self.param, "code": self.code}
        return json_response({"error": error}, self.status)


def json_response(value: object, status: int = 200) -> web.Response:
    """Return a JSON response."""
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")
