"""JSON into frozen dataclasses, every value of the type that its field names. Main name: `built`.

Manifests, plans and cells are written by machines and mended by hand; a list where an object belongs must be one
clear line at the door, not an error in the middle of a table.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
_MOST = 1 << 63

_NAMES = {str: "a string", int: "a whole number", float: "a number", bool: "true or false", type(None): "null"}


def built(kind: type[T], data: object, where: str = "") -> T:
    """Return a `kind` (a dataclass) from an object; a TypeError says which value is not of its type."""
    if not isinstance(data, dict):
        raise TypeError(f"{where or 'the file'}: expected an object")
    hints = _hints(kind)  # type: ignore[arg-type]  # a class can be hashed
    unknown = data.keys() - {field.name for field in fields(kind)}  # type: ignore[arg-type]
    if unknown:
        raise TypeError(f"{where or 'the file'}: no field {min(unknown)!r} is known")
    dot = f"{where}." if where else ""
    return kind(**{name: _value(hints[name], value, f"{dot}{name}") for name, value in data.items()})


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _value(hint: Any, value: object, where: str) -> Any:
    """Return a value as its field holds it."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin in (Union, types.UnionType):
        if value is None and type(None) in inner:
            return None
        (only,) = (one for one in inner if one is not type(None))
        return _value(only, value, where)
    if is_dataclass(hint):
        return built(hint, value, where)  # type: ignore[arg-type]
    if origin is Literal:
        if not isinstance(value, str | int) or value not in inner:
            raise TypeError(f"{where}: {value!r:.40} is none of {', '.join(map(str, inner))}")
        return value
    if origin in (Mapping, dict):
        if not isinstance(value, dict):
            raise TypeError(f"{where}: expected an object")
        return {key: _value(inner[1], one, f"{where}.{key}") for key, one in value.items()}
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise TypeError(f"{where}: expected a list")
        return tuple(_value(inner[0], one, f"{where}[{place}]") for place, one in enumerate(value))
    accepted = (int, float) if hint is float else (hint,)
    if not isinstance(value, accepted) or (isinstance(value, bool) and hint is not bool):
        raise TypeError(f"{where}: expected {_NAMES[hint]}, not {value!r:.40}")
    if type(value) is int and not -_MOST <= value < _MOST:
        raise TypeError(f"{where}: {value!r:.40} is no number of 64 bits")
    return value
