r"""The one place where text goes to the terminal: what a trace, a run folder or a file name holds is only shown.

`guard` puts streams in the place of standard output and standard error that show control characters (escape
sequences among them) and characters that turn or hide text as `\uXXXX`; in a JSON string that is the same
character.
Rich draws with escape sequences of its own, so its consoles come from `console`, which does so to the text in
them.
"""

from __future__ import annotations

import io
import re
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

_UNSEEN = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but tab and newline
    r"\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # direction, invisible, line breaks
    r"\ud800-\udfff\U000e0000-\U000e0fff"  # half characters, tags
)
_COMMANDS = re.compile(f"[{_UNSEEN}]")
_LINE = re.compile(f"[\t\n{_UNSEEN}]")


def _escaped(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def plain(text: str) -> str:
    """Return text that a terminal shows and does not obey; newlines and tabs stay."""
    return _COMMANDS.sub(_escaped, text)


def line(text: str) -> str:
    """Return text as one line that a terminal shows and does not obey."""
    return _LINE.sub(_escaped, text)


class Guarded(io.TextIOWrapper):
    """A text stream of which everything that is written is `plain`."""

    def write(self, text: str) -> int:
        """Write `plain(text)`; return how much of `text` that was, which is all of it."""
        super().write(plain(text))
        return len(text)

    @property
    def buffer(self) -> Any:
        """The stream of bytes below; on a terminal they are text too, and guarded."""
        return _Bytes(self) if self.isatty() else super().buffer


class _Bytes(io.BufferedIOBase):
    """Bytes on their way to a terminal."""

    def __init__(self, text: Guarded) -> None:
        self._text = text

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._text.write(bytes(data).decode("utf-8", errors="backslashreplace"))
        return len(data)

    def flush(self) -> None:
        self._text.flush()


def guard() -> None:
    """Guard standard output and standard error for the rest of this process."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper) and not isinstance(stream, Guarded):
            stream.flush()
            guarded = Guarded(
                stream.buffer,
                stream.encoding,
                "backslashreplace",
                line_buffering=name == "stderr" or stream.isatty(),
            )
            setattr(sys, name, guarded)


def console(*, stderr: bool = False, **options: Any) -> Console:
    """Return a console of rich on one of the two streams, past the guard, in which all text is `plain`."""
    from rich.console import Console
    from rich.segment import Segment

    class Plain(Console):
        def render(self, *arguments: Any, **named: Any) -> Any:
            for segment in super().render(*arguments, **named):
                yield segment if segment.control else Segment(plain(segment.text), segment.style)

    ours, first = (sys.stderr, sys.__stderr__) if stderr else (sys.stdout, sys.__stdout__)
    return Plain(file=first if isinstance(ours, Guarded) else ours, **options)
