"""Recordings that are small and become large, that nest, that lie, or that speak to the terminal."""

from __future__ import annotations

import gzip
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import making
import zstandard
from attack import Attack, Done, Stage

ESCAPES = "\x1b[2J\x1b]0;pwned\x07\x1b]52;c;cHduZWQ=\x07\x9b31m\u202egnp.exe\r\x08\x00\x7f\u2028"
_AVAILABLE = re.search(r"MemAvailable:\s+(\d+)", Path("/proc/meminfo").read_text())
MOST_KB = int(_AVAILABLE[1]) // 2 if _AVAILABLE else 1 << 20
"""What a reader may take: half of the memory that is left. What these files become is estimated before it is read."""


def _gzip(stage: Stage, head: bytes, middle: bytes, times: int, tail: bytes, name: str) -> Path:
    file = stage.work / name
    with gzip.open(file, "wb", compresslevel=1) as out:
        out.write(head)
        for _ in range(times):
            out.write(middle)
        out.write(tail)
    return file


def _zst(stage: Stage, head: bytes, middle: bytes, times: int, tail: bytes, name: str) -> Path:
    file = stage.work / name
    with file.open("wb") as raw, zstandard.ZstdCompressor(level=1).stream_writer(raw) as out:
        out.write(head)
        for _ in range(times):
            out.write(middle)
        out.write(tail)
    return file


TEXT = (b'{"schema_version": "ATIF-v1.7", "notes": "', b"a" * (1 << 20), 1200, b'"}')
LISTS = (b'{"schema_version": "ATIF-v1.7", "steps": [', b"[]," * (1 << 18), 800, b"[]]}")
NESTED = (b'{"schema_version": "ATIF-v1.7", "steps": ', b"[" * (1 << 20), 64, b"")
BOMBS = {"text": TEXT, "lists": LISTS, "nested": NESTED}


def _bomb(stage: Stage, parts: tuple[bytes, bytes, int, bytes], form: str, verb: str) -> list[str]:
    file = (_gzip if form == "gz" else _zst)(stage, *parts, f"bomb.json.{form}")
    return _verb(verb, file)


def _verb(verb: str, file: Path) -> list[str]:
    if verb == "import":
        return ["trace", "import", str(file), "--out", "native"]
    if verb == "replay":
        return ["replay", "--trace", str(file), "--rtt", "1ms", "--out", "run"]
    return ["trace", verb, str(file)]


def _eval(stage: Stage, entries: Callable[[], Iterator[tuple[str, bytes, int]]], verb: str) -> list[str]:
    """Write an inspect log (`.eval`, a zip) whose entries become large; `times` repeats the bytes."""
    file = stage.work / "log.eval"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
        for name, data, times in entries():
            with out.open(zipfile.ZipInfo(name), "w", force_zip64=True) as entry:
                for _ in range(times):
                    entry.write(data)
    return _verb(verb, file)


HEAD = json.dumps({"version": 2, "status": "success", "eval": {"task": "x", "model": "m"}, "plan": {}}).encode()


def _one_large() -> Iterator[tuple[str, bytes, int]]:
    yield "header.json", HEAD, 1
    yield "samples/1_epoch_1.json", b'{"id": 1, "epoch": 1, "messages": [{"role": "user", "content": "', 1
    yield "samples/2_epoch_1.json", b" " * (1 << 20), 1200


def _many_large() -> Iterator[tuple[str, bytes, int]]:
    yield "header.json", HEAD, 1
    for number in range(40):
        yield f"samples/{number}_epoch_1.json", b"[" + b"[]," * (1 << 18), 40


def _header_large() -> Iterator[tuple[str, bytes, int]]:
    yield "header.json", b" " * (1 << 20), 1200


def _many_entries() -> Iterator[tuple[str, bytes, int]]:
    yield "header.json", HEAD, 1
    for number in range(50000):
        yield f"samples/{number}_epoch_1.json", b"{}", 1


def _names() -> Iterator[tuple[str, bytes, int]]:
    yield "header.json", HEAD, 1
    for name in (
        "../../../../OUTSIDE/victim",
        "/etc/passwd",
        "samples/../../../x_epoch_1.json",
        "samples/" + ESCAPES.replace("\0", "") + ".json",
    ):
        yield name, b'{"id": "../../../../../pwned", "epoch": 1, "messages": []}', 1


EVALS = {
    "one": _one_large,
    "many": _many_large,
    "header": _header_large,
    "entries": _many_entries,
    "names": _names,
}


def _raw(stage: Stage, data: bytes, verb: str, name: str = "hostile.json") -> list[str]:
    file = stage.work / name
    file.write_bytes(data)
    return _verb(verb, file)


RAW = {
    "brackets": b"[" * 3_000_000,
    "braces": b'{"a":' * 1_000_000,
    "number": b'{"schema_version": ' + b"9" * 3_000_000 + b"}",
    "float": b'{"schema_version": "ATIF-v1.7", "steps": [{"metrics": {"prompt_tokens": 1e999}}]}',
    "nan": b'{"schema_version": "ATIF-v1.7", "steps": [{"metrics": {"prompt_tokens": NaN}}]}',
    "surrogate": b'{"schema_version": "\\ud800", "session_id": "\\udfff"}',
    "nul": b'{"schema_version": "ATIF-v1.7\\u0000"}',
    "bom": b"\xef\xbb\xbf{}",
    "utf16": "{}".encode("utf-16"),
    "not-utf8": b'{"a": "\xff\xfe"}',
    "empty": b"",
    "null": b"null",
    "list": b"[1, 2, 3]",
    "keys": b"{" + b",".join(b'"%d": 1' % number for number in range(300_000)) + b"}",
    "lines": b"{}\n" * 300_000,
    "line": b'{"type": "user", "message": "' + b"a" * 50_000_000 + b'"}\n',
}  # fmt: skip
FIELDS = (
    "id",
    "agent",
    "model",
    "task",
    "origin",
    "text",
    "command",
    "stdout",
    "path",
    "cwd",
    "tool",
    "licence",
    "at",
)


def _speaks(stage: Stage, field: str, verb: str) -> list[str]:
    """A trace with escape sequences in one of its texts."""

    def change(value: making.Json) -> None:
        text = json.dumps(value)
        ours = json.dumps("X" + ESCAPES)[1:-1]
        for old in {
            "id": ["hostile"],
            "agent": ["unknown"],
            "text": ["\\u2026", "done"],
            "command": ["cat a.txt"],
            "tool": ['"bash'],
        }.get(field, ["@" + field]):
            text = text.replace(old, ('"' if old.startswith('"') else "") + ours)
        value.clear()
        value.update(json.loads(text))

    from curserve_traces.model import Observation, RecordedCall, ToolCall, Workspace

    call = RecordedCall(
        ToolCall("c1", "bash", {"command": "cat a.txt", "path": "@path"}, "/@cwd"),
        Observation(1, ESCAPES.encode(), b"@stdout"),
    )
    file = making.trace(
        stage, (), calls=(call,), change=change, model="@model", task="@task", origin="@origin", licence="@licence",
        workspace=Workspace("sdist", "@path", "@version", "0" * 64, "/@at"),
    )  # fmt: skip
    if verb == "replay":
        return ["replay", "--trace", str(file), "--rtt", "1ms", "--model", "swe-grep-mini", "--repetitions", "1", "--out", "run",
                "--workspace", str(stage.workspace), "--engine", "client-subprocess"]  # fmt: skip
    if verb == "check":
        return ["trace", "check", str(file), "--verbose", "--workspace", str(stage.workspace)]
    return ["trace", verb, str(file)]


def _quiet(_stage: Stage, done: Done) -> None:
    """No control character reaches the terminal, but line ends and tabs."""
    found = {char for char in done.said if (ord(char) < 32 and char not in "\n\t") or 127 <= ord(char) < 160}
    found |= {char for char in done.said if char in "\u202e\u2028\u2029\u2066\u2067\u2068\u202a\u202b\u202d"}
    assert not found, f"control characters reach the terminal: {sorted(map(ascii, found))}"


def attacks() -> list[Attack]:
    """Return the attacks of this kind."""
    found = []
    for number, (name, parts) in enumerate(BOMBS.items()):
        for form in ("gz", "zst"):
            verb = ("show", "import", "replay", "stats")[number % 4]
            found.append(
                Attack(
                    f"recordings.bomb-{name}-{form}-{verb}",
                    partial(_bomb, parts=parts, form=form, verb=verb),
                    (2, 3),
                    most_kb=MOST_KB,
                    sample=name == "text" and form == "zst",
                    one=True,
                )
            )
    for name, entries in EVALS.items():
        found.append(
            Attack(
                f"recordings.eval-{name}",
                partial(_eval, entries=entries, verb="import"),
                (0, 1, 2, 3),
                most_kb=MOST_KB,
                sample=name == "names",
                one=True,
            )
        )
    verbs = ("show", "import", "stats", "validate", "check", "replay")
    for number, (name, data) in enumerate(RAW.items()):
        for verb in (verbs[number % 6], verbs[(number + 1) % 6]):
            file = "hostile.jsonl" if name.startswith("line") else "hostile.json"
            found.append(
                Attack(
                    f"recordings.raw-{name}-{verb}",
                    partial(_raw, data=data, verb=verb, name=file),
                    (0, 1, 2, 3),
                    held=_quiet,
                    most_kb=MOST_KB,
                    sample=name == "brackets",
                    one=True,
                )
            )
    for number, field in enumerate(FIELDS):
        for verb in ("show", ("check", "list", "stats", "replay", "validate")[number % 5]):
            found.append(
                Attack(
                    f"recordings.speaks-{field}-{verb}",
                    partial(_speaks, field=field, verb=verb),
                    None,
                    held=_quiet,
                    sample=field in ("command", "id"),
                    one=True,
                )
            )
    return found
