"""Tables in documents, renewed between markers that hold the command which made them. Main name: `splice`.

<!-- BEGIN curserve-bench report results/recorded/reference-2026-11-21 --table tiers -->
…
<!-- END curserve-bench -->
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

from curserve_results.errors import ResultsError
from curserve_results.files import write_atomically

_BEGIN = re.compile(r"^<!-- BEGIN curserve-bench report (?P<arguments>.+?) -->$", re.MULTILINE)
_END = "<!-- END curserve-bench -->"


def splice(document: Path, make: Callable[[list[str]], str]) -> int:
    """Replace what stands between each pair of markers by `make(arguments of the marker)`; return how many.

    The file is written once, in one step, and only if something changed. Raises ResultsError where there is no
    marker or a BEGIN has no END.
    """
    try:
        text = document.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ResultsError(f"--splice {document}: cannot be read ({error})") from None
    out, at, count = [], 0, 0
    for begin in _BEGIN.finditer(text):
        if begin.start() < at:
            raise ResultsError(f"--splice {document}: a BEGIN marker inside another; close it with {_END}")
        end = text.find(_END, begin.end())
        if end < 0:
            raise ResultsError(f"--splice {document}: {begin[0]} has no {_END}")
        made = make(shlex.split(begin["arguments"]))
        if _END in made:
            raise ResultsError(f"--splice {document}: a table holds the end marker itself; rename the trace")
        out += [text[at : begin.end()], "\n\n", made.strip("\n"), "\n\n"]
        at, count = end, count + 1
    if not count:
        raise ResultsError(
            f"--splice {document}: no marker; add <!-- BEGIN curserve-bench report RUN --> and {_END}"
        )
    new = "".join([*out, text[at:]])
    if new != text:
        write_atomically(document, new.encode())
    return count
