"""The seam between the harness and every way to execute a tool call: Engine opens a Session on a World.

An engine is one file and one entry point in the group `curserve.engines`. The harness opens one session per
cell, calls it from several threads at once when a turn has parallel calls, and closes it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self, runtime_checkable

from curserve_traces.model import Observation, RecordedCall, ToolCall

Placement = Literal["client", "server", "serving-process", "both"]

PATH = "/opt/curserve/bin:/usr/local/bin:/usr/bin:/bin"
"""The fixed PATH of the pinned world; `/opt/curserve/bin` holds the real `rg` 15, never our shims."""


BROKEN = "session broken: "
"""How `Result.failed` begins where a session executes no call any more, and its workspace's state is unknown."""


def pinned_environment() -> dict[str, str]:
    """Return the whole environment of an executed command: nothing of the caller's leaks in."""
    return {
        "PATH": PATH,
        "LC_ALL": "C.UTF-8",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "HOME": "/tmp",  # noqa: S108 - inside the sandbox, where /tmp is the session's own tmpfs
        "USER": "curserve",
        "TERM": "dumb",
        "PAGER": "cat",
        "GIT_PAGER": "cat",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_OPTIONAL_LOCKS": "0",
    }


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call may use; the last four are a whole session's.

    `memory_bytes` is the address space of one process. `disk_bytes` and `inodes` are what the session may add to
    its workspace; where its file system has less than twice as much left, half of what is left.
    """

    timeout_s: float = 60.0
    output_bytes: int = 64 * 1024 * 1024
    memory_bytes: int = 4 * 1024**3
    processes: int = 512
    session_bytes: int = 8 * 1024**3
    disk_bytes: int = 4 * 1024**3
    inodes: int = 300_000


@dataclass(frozen=True, slots=True)
class World:
    """The pinned world of a session: the same for every engine.

    `root` is the workspace on this machine; commands see it at `at`. It is the session's own writable copy, and
    where we are root its files are given to the user that commands run as. A folder that is somebody's own is used
    `in place`: commands run as its owner, who must not be root. `sandbox` is what holds them (`--sandbox`).
    `turns` are the recorded calls, which only the `recorded` controls use.
    """

    root: Path
    at: str = "/testbed"
    shell: Literal["fresh", "persistent"] = "fresh"
    limits: Limits = field(default_factory=Limits)
    turns: tuple[tuple[RecordedCall, ...], ...] = ()
    use: Literal["copy", "in place"] = "copy"
    sandbox: str = "auto"


@dataclass(frozen=True, slots=True)
class Result:
    """What one call gave, and what it cost.

    `wall_ns` is the engine's whole time as its caller saw it, refusal and fallback included; `service_ns` the
    time inside the engine's own process, `None` where it has none. `refused` is the reason why the engine left
    the call to the real programs (the observation is then theirs), `refusal` its kind, where the engine gives one.
    A mirror says how long the call waited for what it needs, and the bytes over the link since the call before.
    `failed` is why there is no answer at all.
    """

    observation: Observation
    wall_ns: int
    service_ns: int | None = None
    refused: str | None = None
    failed: str | None = None
    refusal: str | None = None
    barrier_ns: int | None = None
    wire_bytes: int | None = None


class Session(Protocol):
    """One engine opened on one world; calls may come from several threads."""

    def call(self, call: ToolCall, *, turn: int | None = None, index: int | None = None) -> Result:
        """Execute `call`; a failed call is a Result, never an exception.

        `turn` and `index` are the call's place in its trace, from 0; only the `recorded` controls need them.
        """
        ...

    def close(self) -> None:
        """End the session and everything it started."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@runtime_checkable
class Loading(Protocol):
    """A session that may still be loading its workspace, and until then leaves calls to the real programs."""

    def loaded(self) -> bool:
        """Return whether it answers as it will from now on."""
        ...


@runtime_checkable
class Following(Protocol):
    """A session whose workspace lies on the other host, where answers from a recording change it."""

    def catch_up(self) -> None:
        """Return when all that the workspace shows now is known here."""
        ...


class Home(Protocol):
    """The part of a session on both hosts that stands beside the workspace."""

    fill_ns: int
    """From its start to the moment when the other host had the whole workspace."""

    def close(self) -> None:
        """End it and everything it started."""
        ...


@runtime_checkable
class Paired(Protocol):
    """A session on both hosts: the one beside the model says at which port the other is to call it."""

    port: int

    def wait(self) -> None:
        """Return when it answers as it will from now on; raises EngineError where that does not come."""
        ...


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What `curserve-bench engines` shows: the version of what answers, and what is missing on this machine."""

    version: str
    missing: str | None = None


class Engine(Protocol):
    """A way to execute tool calls."""

    name: str
    placement: Placement

    def info(self) -> EngineInfo:
        """Say which version answers, or what is missing and what to do about it."""
        ...

    def open(self, world: World) -> Session:
        """Start a session; raises EngineError when it cannot be started."""
        ...


@runtime_checkable
class PairedEngine(Protocol):
    """An engine of placement `both`: `open_at` is called beside the model, `open_home` beside the workspace."""

    def open_at(self, world: World, host: str) -> Session:
        """Start the part beside the model, which waits for the other at an address of its own, `host`, alone."""
        ...

    def open_home(self, world: World, address: str) -> Home:
        """Start the part beside the workspace, which calls the other at `address` (HOST:PORT)."""
        ...


class EngineError(Exception):
    """Raised when an engine or a session cannot be had; says what was attempted and what to do next."""
