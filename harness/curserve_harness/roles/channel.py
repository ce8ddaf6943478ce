"""The control channel of a role: one JSON object a line, in on standard input, out on what was standard output."""

from __future__ import annotations

import os
from typing import Any

import orjson

from curserve_engines.cell.spec import BadMessage


def read_message(line: bytes) -> dict[str, Any]:
    """Read one line; raises BadMessage."""
    try:
        message = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BadMessage(f"control message: not JSON ({error})") from error
    if not isinstance(message, dict) or not isinstance(message.get("op"), str):
        raise BadMessage("control message: expected an object with the field op")
    return message


def answer_any(message: dict[str, Any]) -> dict[str, Any] | None:
    """Return any role's answer to what every role is asked, None to end; raises BadMessage for anything else."""
    match message["op"]:
        case "ping":
            return {"ok": True}
        case "exit":
            return None
        case other:
            raise BadMessage(f"control message: unknown op {other!r}")


def write_message(descriptor: int, message: dict[str, Any]) -> None:
    """Write one line, whole."""
    line = memoryview(orjson.dumps(message) + b"\n")
    while line:
        line = line[os.write(descriptor, line) :]


def one_line(error: BaseException) -> str:
    """Return what an error says, on one line."""
    return " ".join(str(error).split()) or type(error).__name__
