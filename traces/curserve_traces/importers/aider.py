"""Aider's `.aider.chat.history.md`: what was said, in Markdown; its SEARCH/REPLACE blocks are the model's edits.

Lines behind `####` are the user's, those behind `>` Aider's own: which edits it applied, which it skipped, how
many tokens. A run that begins anew is a trace of its own. Commands that the user ran are no calls of the model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from curserve_traces.importers.builder import Builder
from curserve_traces.importers.refusals import BY_USER
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.values import given
from curserve_traces.model import Observation

_START = re.compile(r"^# aider chat started at (.+)$", re.MULTILINE)
_SEARCH, _DIVIDER, _REPLACE = (re.compile(mark) for mark in (r"<{5,9} SEARCH", r"={5,9}", r">{5,9} REPLACE"))
_VERSION = re.compile(r"^aider v?(\d[\w.]*)", re.IGNORECASE)
_MODEL = re.compile(r"^(?:Main )?[Mm]odel: (\S+)")
_TOKENS = re.compile(r"^Tokens: (.*? sent)(?:, .*?)?, (\S+) received")


def sniff(source: Source) -> bool:
    """Whether it is a history of Aider's chats."""
    return _START.search(source.data[:65536].decode("utf-8", "replace")) is not None


def read(source: Source) -> Iterator[Imported]:
    """Yield a trace for every run."""
    text = source.data.decode("utf-8", "replace").replace("\r\n", "\n")
    starts = [*_START.finditer(text)]
    for number, match in enumerate(starts):
        end = starts[number + 1].start() if number + 1 < len(starts) else len(text)
        yield _run(text[match.end() : end], match[1].strip(), number)


def _run(text: str, started: str, number: int) -> Imported:
    builder = Builder("aider")
    facts: dict[str, str] = {}
    task = None
    for kind, words in _parts(text):
        if kind == "user":
            builder.message("user", words)
            task = task or words
        elif kind == "model":
            _answer(builder, words)
        else:
            _aider(builder, words, facts)
    return builder.finish(
        id=f"aider-{number}-{started}",
        agent="aider",
        agent_version=facts.get("version", "unknown"),
        model=facts.get("model"),
        task=task,
        extra=given(started=started),
    )


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """Yield who wrote (`user`, `model`, `aider`) and what, in order; a block and a fence are the model's."""
    kind, lines, fence, block = "", list[str](), False, False
    for line in text.split("\n"):
        block = (block or "<<<<< SEARCH" in line) and ">>>>> REPLACE" not in line
        inside = fence or block or ">>>>> REPLACE" in line
        fence = fence != (line.startswith("```") and not block)
        mine = "model" if inside else _writer(line)
        if mine != kind and (line.strip() or mine != "model"):
            if "\n".join(lines).strip():
                yield kind, "\n".join(lines).strip("\n")
            kind, lines = mine, []
        lines.append({"user": line[5:], "aider": line[2:]}.get(mine, line))
    if "\n".join(lines).strip():
        yield kind, "\n".join(lines).strip("\n")


def _writer(line: str) -> str:
    return "user" if line.startswith("#### ") else "aider" if line.startswith("> ") or line == ">" else "model"


def _answer(builder: Builder, words: str) -> None:
    builder.turn(text=words)
    for path, old, new in _blocks(words):
        builder.call(None, "edit_block", {"path": path, "old": old, "new": new})


def _blocks(words: str) -> Iterator[tuple[str, str, str]]:
    """Yield path, old and new text of each SEARCH/REPLACE block; the path stands before it and its fence."""
    path, side, texts = "", "", {"old": list[str](), "new": list[str]()}
    for line in words.splitlines(keepends=True):
        mark = line.strip()
        if _SEARCH.fullmatch(mark):
            side, texts = "old", {"old": [], "new": []}
        elif side == "old" and _DIVIDER.fullmatch(mark):
            side = "new"
        elif side == "new" and _REPLACE.fullmatch(mark):
            side = ""
            yield path, "".join(texts["old"]), "".join(texts["new"])
        elif side:
            texts[side].append(line)
        elif mark and not mark.startswith("```"):
            path = mark.strip("*`#: ")


def _aider(builder: Builder, words: str, facts: dict[str, str]) -> None:
    for line in map(str.strip, words.split("\n")):
        if match := _VERSION.match(line):
            facts.setdefault("version", match[1])
        elif match := _MODEL.match(line):
            facts.setdefault("model", match[1])
        elif (match := _TOKENS.match(line)) and builder.current is not None:
            exact = int(match[2]) if match[2].isdecimal() else None  # `2.1k` is rounded: kept as it is
            builder.amend(output_tokens=exact, extra={**builder.current.extra, "tokens": match[0]})
        elif line.startswith("Applied edit to "):
            _end(builder, line.removeprefix("Applied edit to "), line, None)
        elif line.startswith("Skipping edits to "):
            _end(builder, line.removeprefix("Skipping edits to "), line, BY_USER)


def _end(builder: Builder, path: str, line: str, refused: str | None) -> None:
    """Tell the edits of a file that they were applied, or that the user did not want them."""
    for identity in builder.waiting_calls():
        recorded = builder.recorded(identity)
        if recorded is not None and recorded.call.arguments.get("path") == path.strip():
            builder.result(identity, Observation(text=line, is_error=True if refused else None), refused=refused)
