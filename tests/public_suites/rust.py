"""Tests that are written in Rust, of ripgrep and of uutils: which words they give, and what they make before.

Nothing is executed: literals are read where calls of the suites' own helpers name them. What is not written out is
left out.
"""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from .cases import Case, Tree, git_folder, git_show, line

_LITERAL = r'(?:b?r(#*)"(?:.*?)"\1|b?"(?:[^"\\]|\\.)*")'
_STRING = re.compile(r'b?r(?P<hashes>#*)"(?P<raw>.*?)"(?P=hashes)|b?"(?P<plain>(?:[^"\\]|\\.)*)"', re.DOTALL)


def _value(found: re.Match[str]) -> bytes | None:
    if found["raw"] is not None:
        return found["raw"].encode()
    text = re.sub(r"\\\n\s*", "", found["plain"])
    text = re.sub(r"\\u\{([0-9a-fA-F_]+)\}", lambda code: chr(int(code[1], 16)), text)
    text = text.replace("\n", "\\n").replace('"', '\\"').replace('\\\\"', '\\"')
    try:
        value = ast.literal_eval(f'b"""{text}"""' if text.isascii() else f'"""{text}"""')
    except (SyntaxError, ValueError):
        return None
    return value if isinstance(value, bytes) else value.encode()


def _literals(text: str, constants: dict[str, bytes]) -> list[bytes] | None:
    """Return the literals of an argument list; None where something else stands among them."""
    rest = _STRING.sub("", text)
    names = re.findall(r"\b[A-Z][A-Z_]{2,}\b", rest)
    if re.sub(r"[\s,&\[\]()]|\b[A-Z][A-Z_]{2,}\b|\.to_string|\.to_owned|\.into|as_bytes|vec!", "", rest):
        return None
    if names:
        return [constants[name] for name in names] if all(name in constants for name in names) else None
    values = [_value(found) for found in _STRING.finditer(text)]
    return None if any(value is None for value in values) else [value for value in values if value is not None]


def _calls(text: str) -> Iterator[tuple[str, str]]:
    """Yield every `name(arguments)` of `text`, in order, parentheses balanced outside of literals."""
    masked = _STRING.sub(lambda found: "\0" * len(found[0]), text)
    for found in re.finditer(r"(\w+!?)\(", masked):
        depth, at = 1, found.end()
        while depth and at < len(masked):
            depth += {"(": 1, ")": -1}.get(masked[at], 0)
            at += 1
        yield found[1], text[found.end() : at - 1]


def _words(arguments: str, constants: dict[str, bytes]) -> list[str] | None:
    values = _literals(arguments, constants)
    if values is None:
        return None
    try:
        return [value.decode() for value in values]
    except UnicodeDecodeError:
        return None


def ripgrep(repository: Path) -> Iterator[Case | None]:
    """Yield the tests of ripgrep (MIT or Unlicense); None for one whose words are not written out."""
    hay = git_show(repository, "tests/hay.rs")
    constants = {}
    for name, text in re.findall(
        r"const (\w+): &'?(?:static )?str\s*=\s*(" + '"' + r".*?[^\\]" + '"' + r");", hay, re.DOTALL
    ):
        found = _STRING.fullmatch(text)
        if found is not None and (value := _value(found)) is not None:
            constants[name] = value
    for source in ("feature", "misc", "regression", "multiline", "binary", "json"):
        text = git_show(repository, f"tests/{source}.rs")
        for body in re.split(r"^rgtest!\(", text, flags=re.MULTILINE)[1:]:
            yield from _of_ripgrep(body, constants)


def _of_ripgrep(body: str, constants: dict[str, bytes]) -> Iterator[Case | None]:
    tree, words, folder, stdin = Tree(), ["rg"], "", None
    known: bool = True
    ends = {"stdout", "assert_err", "assert_non_empty_stderr", "assert_exit_code", "output", "raw_output"}
    for name, arguments in _calls(body):
        given = _literals(arguments, constants)
        text = [value.decode(errors="replace") for value in given or []]
        match name, given:
            case (("create" | "create_bytes" | "create_size"), [_, content]):
                tree.files[text[0]] = content
            case "create_dir", [_]:
                tree.folders.append(text[0])
            case (("link_file" | "link_dir"), [_, _]):
                tree.links.append((text[0], text[1]))
            case (("create" | "create_bytes" | "create_size" | "create_dir" | "link_file" | "link_dir"), _):
                known = False
            case "command", _:
                words, folder, stdin, known = ["rg"], "", None, known
            case (("arg" | "args"), [*_]):
                words += text
            case (("arg" | "args"), None):
                known = False
            case "current_dir", [_]:
                folder = text[0]
            case "pipe", [content]:
                stdin = content
            case (("pipe" | "current_dir"), _):
                known = False
            case _ if name in ends:
                command = line(words, stdin) if known and "--json" not in words else None
                if command is None:
                    yield None
                    continue
                command = f"cd {folder} && {command}" if folder else command
                yield Case("ripgrep", tree.copy(), command)


def uutils(repository: Path, scratch: Path, programs: frozenset[str]) -> Iterator[Case | None]:
    """Yield the tests of uutils' coreutils (MIT); None for one whose words are not written out."""
    for program in sorted(programs):
        try:
            text = git_show(repository, f"tests/by-util/test_{program}.rs")
        except subprocess.CalledProcessError:
            continue
        try:
            fixtures: Path | None = git_folder(repository, f"tests/fixtures/{program}", scratch)
        except subprocess.CalledProcessError:
            fixtures = None
        for body in re.split(r"^(?:\s*)#\[test\]", text, flags=re.MULTILINE)[1:]:
            yield from _of_uutils(body, program, fixtures)


def _of_uutils(body: str, program: str, fixtures: Path | None) -> Iterator[Case | None]:
    tree = Tree(beginning=fixtures)
    for statement in body.split(";\n"):
        words: list[str] | None = None
        stdin: bytes | None = None
        for name, arguments in _calls(statement):
            given = _literals(arguments, {})
            text = [value.decode(errors="replace") for value in given or []]
            match name, given:
                case (("new_ucmd!" | "ucmd"), _):
                    words = [program]
                case (("arg" | "args"), [*_]) if _words(arguments, {}) is not None:
                    words = [*(words or [program]), *text]
                case (("arg" | "args"), _):
                    words = None
                    yield None
                    break
                case "pipe_in", [content]:
                    stdin = content
                case "pipe_in_fixture", [_] if fixtures is not None and (fixtures / text[0]).is_file():
                    stdin = (fixtures / text[0]).read_bytes()
                case (("pipe_in" | "pipe_in_fixture" | "set_stdin" | "env" | "current_dir"), _):
                    words = None
                    yield None
                    break
                case (("write" | "append" | "write_bytes" | "append_bytes"), [_, content]):
                    tree.files[text[0]] = (tree.files.get(text[0], b"") if "append" in name else b"") + content
                case "touch", [_]:
                    tree.files.setdefault(text[0], b"")
                case (("mkdir" | "mkdir_all"), [_]):
                    tree.folders.append(text[0])
                case (("symlink_file" | "symlink_dir" | "relative_symlink_file"), [_, _]):
                    tree.links.append((text[0], text[1]))
        if "ucmd" in statement and words is not None:
            command = line(words, stdin)
            yield None if command is None else Case("uutils", tree.copy(), command)
