"""Reading untrusted JSON, as msgspec knows types, with one clear line for whatever is wrong. Main name: `read`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from curserve_traces.errors import MalformedTrace

Json = dict[str, Any]

_NAMES = {
    "str": "a string",
    "int": "an integer",
    "float": "a number",
    "bytes": "a string",
    "object": "an object",
    "array": "a list",
    "bool": "true or false",
}
_SAID = re.compile(r"(.*?)(?: - at `\$(.*)`)?", re.DOTALL)
_OTHER = "Invalid enum value "


def read(value: object, kind: Any, where: str) -> Any:
    """Return `value` as a `kind`; raises MalformedTrace, which names the field of `where` that is wrong."""
    if type(value) is kind:
        return value
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        said, path = _SAID.fullmatch(str(error)).groups("")  # type: ignore[union-attr]  # it matches anything
    except UnicodeEncodeError:
        said, path = "half a character (a lone surrogate) where none can stand", ""
    if said.startswith(_OTHER):
        said = f"no value {said.removeprefix(_OTHER)[1:-1][:60]!r} is known"
    said = re.sub(
        r"`(\w+)(?: \| null)?`", lambda name: _NAMES.get(name[1], name[1]), said.replace(", got ", ", found ")
    )
    raise MalformedTrace(f"{where}{path}: {said[0].lower()}{said[1:]}; the file is damaged or of another format")


def get(fields: Mapping[str, Any], key: str, kind: Any, where: str) -> Any:
    """Return what is under `key` as a `kind`, `None` where it is missing or null."""
    value = fields.get(key)
    return value if value is None or type(value) is kind else read(value, kind, f"{where}.{key}")


def get_object(fields: Mapping[str, Any], key: str, where: str) -> Json:
    """Return the object under `key`, an empty one where it is missing or null."""
    found: Json | None = get(fields, key, dict, where)
    return {} if found is None else found


def get_list(fields: Mapping[str, Any], key: str, where: str) -> list[Any]:
    """Return the list under `key`, an empty one where it is missing or null."""
    return get(fields, key, list, where) or []
