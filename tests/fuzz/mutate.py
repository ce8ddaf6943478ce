"""Mutations of files: of their bytes, and of the JSON in them. One seed, one file."""

from __future__ import annotations

import contextlib
import copy
import json
import random
from typing import Any

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63) - 1, 10**40, 0.5, -1e308, 1e308, "", "x", "\0", "\ud800",
    "../../x",
    "/etc/passwd", "x" * 5000, "\x1b[2J", "\u202e", [], {}, [[]], [None], {"": None}, {"a": {"b": []}}, "NaN",
    "2025-99-99T99:99:99Z",
    "-rf", "$(x)", "9" * 400, ["a", 1, None], "bundled:../../x", "sha256:" + "0" * 64, "=1+1", {"type": "text",
    "text": 5},
)  # fmt: skip


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Return `data` with some of its JSON values or its bytes changed."""
    if chance.random() < 0.25:
        return _bytes(data, chance)
    try:
        documents = [json.loads(data)]
        joined = b""
    except ValueError:
        try:
            documents, joined = [json.loads(line) for line in data.splitlines() if line], b"\n"
        except ValueError:
            return _bytes(data, chance)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        with contextlib.suppress(RecursionError):
            _json(documents, chance)
    try:
        out = joined.join(json.dumps(document).encode() for document in documents)
    except RecursionError:
        return b"[" * 900 + data + b"]" * 900
    return _bytes(out, chance) if chance.random() < 0.05 else out


def _json(root: list[Any], chance: random.Random) -> None:
    """Change one value somewhere in `root`: put another in its place, remove, repeat, rename or nest it."""
    holders: list[Any] = [root]
    for holder in holders:
        holders += [
            inner
            for inner in (holder.values() if isinstance(holder, dict) else holder)
            if isinstance(inner, dict | list) and inner
        ]
    holder = chance.choice(holders)
    if not holder:
        return
    key: Any = chance.choice(list(holder)) if isinstance(holder, dict) else chance.randrange(len(holder))
    match chance.randrange(7):
        case 0 | 1 | 2:
            holder[key] = copy.deepcopy(chance.choice(ODD))
        case 3:
            del holder[key]
        case 4:
            other = chance.choice(holders)
            holder[key] = json.loads(json.dumps(other)) if len(json.dumps(other)) < 20_000 else None
        case 5 if isinstance(holder, dict):
            holder[str(chance.choice(ODD))[:50]] = holder.pop(key)
        case 5:
            holder.extend(json.loads(json.dumps(holder))[:50])
        case 6:
            for _ in range(chance.choice((1, 3, 150, 600))):
                holder[key] = [holder[key]] if chance.random() < 0.5 else {"a": holder[key]}


def _bytes(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 5))):
        at = chance.randrange(len(changed) + 1)
        match chance.randrange(4):
            case 0:
                changed[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del changed[at : at + chance.randrange(1, 40)]
            case 2:
                changed[at:at] = chance.choice(
                    (b"\0", b"[" * 3000, b'"', b"\xff", b"\n", b"{", b"}", b"9" * 5000, b"\\u")
                )
            case 3:
                changed[at:at] = changed[at : at + chance.randrange(1, 200)]
    return bytes(changed)
