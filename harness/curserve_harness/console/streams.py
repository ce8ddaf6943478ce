r"""The streams of this process: what is written to them is shown, and whatever they are makes no traceback.

`guard` puts streams in the place of standard output and standard error that show text as `terminal.plain` does,
and spell what their encoding lacks as `\uXXXX`, which in a JSON string is the same character. Where GitHub's
runner reads along, they break what it would take for a command. One that is closed gets a place of its own, so
that no file is opened there. What cannot be said on standard error is dropped; what cannot be written to standard
output is an error that `finish` raises, at the latest.
"""

from __future__ import annotations

import codecs
import io
import os
import re
import sys
from typing import Any

from curserve_harness.console.terminal import drawn, escaped, plain

_STREAMS = ("stdout", "stderr")
_LACKING = "curserve-shown"
_COMMAND = re.compile(r"^([^\S\n]*:):|##\[", re.MULTILINE)
"""What GitHub's runner obeys: `::name` at the beginning of a line, `##[name]` anywhere in it."""

_kept: list[Any] = []
"""Streams that would close what is below them when they are forgotten."""


def _spelled(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return "".join(map(escaped, error.object[error.start : error.end])), error.end


codecs.register_error(_LACKING, _spelled)


class ReaderLeft(Exception):
    """Raised when whoever read standard output has closed it; no OSError, which libraries take for theirs."""


class Stream(io.TextIOWrapper):
    """A text stream of ours; `shows`: text is `plain` in it. `spare`: what it cannot take is lost."""

    def __init__(self, buffer: Any, encoding: str, *, shows: bool, spare: bool, live: bool) -> None:
        super().__init__(buffer, encoding, _LACKING, line_buffering=live)
        self._shows, self._spare = shows, spare
        self._breaks = bool(os.environ.get("GITHUB_ACTIONS"))
        self._begun = ""  # of the line that is written: what may be the beginning of a command

    def write(self, text: str) -> int:
        """Write text as it may be shown; return how much of it that was, which is all."""
        shown = plain(text) if self._shows else text
        if self._breaks:
            shown = self._broken(shown)
        try:
            super().write(shown)
        except OSError as error:
            self._refused(error)
        return len(text)

    def flush(self) -> None:
        """Write what is held back; raises OSError where standard output does not take it."""
        try:
            super().flush()
        except OSError as error:
            self._refused(error)

    def _refused(self, error: OSError) -> None:
        if self._spare:
            silence(self.fileno())
            return
        if isinstance(error, BrokenPipeError):
            raise ReaderLeft from None
        error.filename = "standard output"
        raise error

    def _broken(self, text: str) -> str:
        """Return text without commands for GitHub's runner, whose last character is spelled out."""
        whole = self._begun + text
        last = whole[whole.rfind("\n") + 1 :]
        broken = _COMMAND.sub(lambda found: found[0][:-1] + escaped(found[0][-1]), whole)[len(self._begun) :]
        self._begun = last if last.strip() in ("", ":") else f"x{last[-2:]}"
        return broken

    @property
    def buffer(self) -> Any:
        """The stream of bytes below; where they are read as text at once, they are guarded like it."""
        as_text = self._breaks or self.isatty() or codecs.lookup(self.encoding).name == "ascii"
        return _Bytes(self) if as_text else super().buffer


class _Bytes(io.BufferedIOBase):
    """Bytes that are shown as text."""

    def __init__(self, text: Stream) -> None:
        self._text = text

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._text.write(bytes(data).decode("utf-8", errors="backslashreplace"))
        return len(data)

    def flush(self) -> None:
        self._text.flush()


def guard() -> None:
    """Guard standard output and standard error for the rest of this process, and open what is closed."""
    _open_closed()
    for name in _STREAMS:
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper) and not isinstance(stream, Stream):
            stream.flush()
            spare = name == "stderr"
            live = spare or stream.isatty()
            drawn[name] = Stream(stream.buffer, stream.encoding, shows=False, spare=spare, live=live)
            setattr(sys, name, Stream(stream.buffer, stream.encoding, shows=True, spare=spare, live=live))


def finish() -> None:
    """Write what is held back; raises OSError or ReaderLeft where standard output does not take it, this once."""
    for stream in (*drawn.values(), sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ReaderLeft):
            silence(1)
            raise


def silence(descriptor: int) -> None:
    """Let what is written to a descriptor vanish from here on."""
    null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    os.dup2(null, descriptor)
    os.close(null)


def _open_closed() -> None:
    """Open what is closed: to read from, nothing; to write to, what takes nothing; for errors, what takes all."""
    for descriptor, name, flags in (
        (0, "stdin", os.O_RDONLY),
        (1, "stdout", os.O_RDONLY),
        (2, "stderr", os.O_WRONLY),
    ):
        if getattr(sys, name) is not None:
            continue
        null = os.open(os.devnull, flags)
        os.dup2(null, descriptor)
        if null > 2:
            os.close(null)
        raw = io.FileIO(descriptor, "r" if descriptor == 0 else "w", closefd=False)
        buffer: Any = io.BufferedReader(raw) if descriptor == 0 else io.BufferedWriter(raw)
        _kept.append(io.TextIOWrapper(buffer, "utf-8"))
        setattr(sys, name, _kept[-1])
