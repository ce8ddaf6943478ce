"""Validation against the published JSON schema of ATIF, which lies beside this module with its origin."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

SCHEMA = Path(__file__).parent / "atif-v1.8.schema.json"


@lru_cache(maxsize=1)
def _validator() -> Validator:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(SCHEMA.read_text("utf-8")))


def violations(document: Any, limit: int = 20) -> list[str]:
    """Return what is wrong with an ATIF document, a line each, with the place; empty where it is valid."""
    found: list[str] = []
    for error in _validator().iter_errors(document):
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
        found.append(f"{place.lstrip('.') or 'document'}: {error.message.splitlines()[0][:160]}")
        if len(found) >= limit:
            break
    return found
