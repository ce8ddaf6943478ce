"""Finds engines: every entry point in the group `curserve.engines` is a function that returns an Engine."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from curserve_engines.protocol import Engine, EngineError

GROUP = "curserve.engines"


class UnknownEngine(EngineError):
    """Raised when no engine has the name that was asked for."""


def _entries() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def names() -> list[str]:
    """Return the names of all registered engines, in alphabetical order."""
    return sorted(_entries())


def title(name: str) -> str:
    """Return the name that samples and tables carry, also where `name` is a file that declares the engine."""
    return load(name).name if name.endswith(".toml") else name


def load(name: str) -> Engine:
    """Return the engine `name`, or the one that the file `name` (an `engine.toml`) declares.

    Raises UnknownEngine, or EngineError where its code cannot be imported or its file is wrong.
    """
    if name.endswith(".toml"):
        from curserve_engines import external

        return external.load(Path(name))
    entry = _entries().get(name)
    if entry is None:
        raise UnknownEngine(
            f"unknown engine {name!r}; known: {', '.join(names()) or 'none'}; or a file engine.toml"
        )
    try:
        engine: Engine = entry.load()()
    except (ImportError, AttributeError) as error:
        raise EngineError(f"engine {name!r} ({entry.value}) cannot be loaded: {error}") from error
    return engine
