"""Reading fields of untrusted JSON with one clear line for whatever is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from curserve_traces.errors import MalformedTrace

Json = dict[str, Any]

_MOST = 1 << 63
_NAMES = {
    str: "a string",
    int: "an integer",
    dict: "an object",
    list: "a list",
    bool: "true or false",
    float: "a number",
}


def wrong(where: str, wanted: str, found: object) -> MalformedTrace:
    """Return the error for a value of the wrong type."""
    kind = "null" if found is None else _NAMES.get(type(found), type(found).__name__)
    return MalformedTrace(f"{where}: expected {wanted}, found {kind}; the file is damaged or of another format")


def an_object(value: object, where: str) -> Json:
    """Return `value` if it is an object."""
    if not isinstance(value, dict):
        raise wrong(where, "an object", value)
    return value


def a_list(value: object, where: str) -> list[Any]:
    """Return `value` if it is a list."""
    if not isinstance(value, list):
        raise wrong(where, "a list", value)
    return value


def a_string(value: object, where: str) -> str:
    """Return `value` if it is a string."""
    if not isinstance(value, str):
        raise wrong(where, "a string", value)
    return value


def get_object(fields: Mapping[str, Any], key: str, where: str) -> Json:
    """Return the object under `key`, an empty one where it is missing or null."""
    value = fields.get(key)
    return {} if value is None else an_object(value, f"{where}.{key}")


def get_list(fields: Mapping[str, Any], key: str, where: str) -> list[Any]:
    """Return the list under `key`, an empty one where it is missing or null."""
    value = fields.get(key)
    return [] if value is None else a_list(value, f"{where}.{key}")


def get_string(fields: Mapping[str, Any], key: str, where: str) -> str | None:
    """Return the string under `key`, `None` where it is missing or null."""
    value = fields.get(key)
    return None if value is None else a_string(value, f"{where}.{key}")


def get_integer(fields: Mapping[str, Any], key: str, where: str) -> int | None:
    """Return the integer under `key`, `None` where it is missing or null."""
    value = fields.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong(f"{where}.{key}", "an integer", value)
    if not -_MOST <= value < _MOST:
        raise MalformedTrace(f"{where}.{key}: a number of more than 64 bits; the file is damaged")
    return value


def get_flag(fields: Mapping[str, Any], key: str, where: str) -> bool | None:
    """Return the boolean under `key`, `None` where it is missing or null."""
    value = fields.get(key)
    if value is not None and not isinstance(value, bool):
        raise wrong(f"{where}.{key}", "true or false", value)
    return value


def get_choice(fields: Mapping[str, Any], key: str, choices: tuple[str, ...], where: str) -> str | None:
    """Return the string under `key` if it is one of `choices`, `None` where it is missing or null."""
    value = get_string(fields, key, where)
    if value is not None and value not in choices:
        raise MalformedTrace(f"{where}.{key}: {value[:60]!r} is none of {', '.join(choices)}")
    return value
