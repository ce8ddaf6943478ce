r"""The one place where text becomes fit for a terminal: what a trace, a run or a file name holds is only shown.

Control characters (escape sequences among them) and characters that turn or hide text become `\uXXXX`; in a JSON
string that is the same character. `streams` does so to whatever is printed. Rich draws with escape sequences of
its own, so its consoles come from `console`, which does so to the text in them.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console

_UNSEEN = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but tab and newline
    r"\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # direction, invisible, line breaks
    r"\ud800-\udfff\U000e0000-\U000e0fff"  # half characters, tags
)
drawn: dict[str, TextIO] = {}
"""The streams past the guard (`streams.guard`), by name, for rich's consoles, which show it as `plain`."""

_COMMANDS = re.compile(f"[{_UNSEEN}]")
_LINE = re.compile(f"[\t\n{_UNSEEN}]")


def escaped(character: str) -> str:
    """Return a character as JSON spells it out."""
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def _escaped(match: re.Match[str]) -> str:
    return escaped(match[0])


def plain(text: str) -> str:
    """Return text that a terminal shows and does not obey; newlines and tabs stay."""
    return _COMMANDS.sub(_escaped, text)


def line(text: str) -> str:
    """Return text as one line that a terminal shows and does not obey."""
    return _LINE.sub(_escaped, text)


def console(*, stderr: bool = False, **options: Any) -> Console:
    """Return a console of rich on one of the two streams, past the guard, in which all text is `plain`."""
    from rich.console import Console
    from rich.segment import Segment

    class Plain(Console):
        def render(self, *arguments: Any, **named: Any) -> Any:
            for segment in super().render(*arguments, **named):
                yield segment if segment.control else Segment(plain(segment.text), segment.style)

    name = "stderr" if stderr else "stdout"
    return Plain(file=drawn.get(name) or getattr(sys, name), **options)
