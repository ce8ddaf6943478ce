"""What is mounted, opened before anybody becomes somebody else. Main type: Sources.

Bound by descriptor, what was looked at is what is mounted, whatever its path leads to by then. bubblewrap still
wants a path that its user can walk; where root becomes that user, `curserve enter` puts each descriptor on a stage
first, so that a workspace may lie below root's home.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

from curserve_engines.protocol import EngineError
from curserve_engines.sandbox.room import Gauges
from curserve_traces import scratch
from curserve_traces.once import once

STAGE = "/tmp"  # noqa: S108 - as in core/exec/src/stage.rs: in a mount namespace of its own


class Sources:
    """Descriptors for one start: passed to the program, closed here at the end of the `with`."""

    def __init__(self, engine: str, *, staged: bool) -> None:
        self._engine = engine
        self._staged = staged
        self.fds: list[int] = []
        self.on_stage: list[int] = []
        self.join: tuple[int, ...] = ()
        """The session's control groups, which belong to whoever made them."""
        self.gauges = Gauges()
        """What tells our worker how much memory is left."""

    def __enter__(self) -> Self:
        return self

    def open(self, path: Path | str, *, program: bool = False) -> int:
        """Return a descriptor of `path`, which may only name it; of a `program`, it can be executed."""
        try:
            if program:
                path = executable(Path(path))
            fd = os.open(path, (os.O_RDONLY if program else os.O_PATH) | os.O_CLOEXEC)
        except OSError as error:
            raise EngineError(f"{self._engine}: the sandbox needs {path}: {error.strerror}") from error
        self.fds.append(fd)
        return fd

    def bind(self, path: Path, place: str, *, writable: bool = False) -> list[str]:
        """Return bubblewrap's words that mount `path`, opened now, at `place`."""
        fd = self.open(path)
        option = "--bind" if writable else "--ro-bind"
        if not self._staged:
            return [f"{option}-fd", str(fd), place]
        self.on_stage.append(fd)
        return [option, f"{STAGE}/{fd}", place]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.gauges.close()
        while self.fds:
            os.close(self.fds.pop())


@once
def executable(path: Path) -> Path:
    """Return `path`, or a copy of it that anybody may run where only its owner may (installed under umask 077)."""
    if path.stat().st_mode & 0o005 == 0o005 or os.geteuid() != 0:
        return path
    copy = scratch.new("program") / path.name
    shutil.copyfile(path, copy)
    copy.chmod(0o755)
    return copy


os.register_at_fork(after_in_child=executable.forget)
