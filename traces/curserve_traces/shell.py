"""Shell commands as structure: every simple command of a script, with its words and its redirections.

Parsing is tree-sitter-bash's; this module flattens its tree to `ShellScript`, which is what judging a command
(`classify`) and counting programs (`statistics`) need. It runs nothing and expands nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

HOLE = "\ufffc"
"""Stands in a word where the shell would expand something (`$x`, `$(…)`), so that the word is not static."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """`operator` (`>`, `>>`, `<`, `<<<`, …) and its target word, holes and all."""

    operator: str
    target: str


@dataclass(frozen=True, slots=True)
class Command:
    """One simple command: its words (the program first), assignments before it, redirections.

    `piped` is true where its standard input is the command before it in a pipeline.
    """

    words: tuple[str, ...]
    assignments: tuple[tuple[str, str], ...] = ()
    redirects: tuple[Redirect, ...] = ()
    piped: bool = False

    @property
    def name(self) -> str:
        """Return the program's name without the folders of the system."""
        first = self.words[0] if self.words else ""
        for folder in ("/usr/local/bin/", "/usr/bin/", "/bin/"):
            if first.startswith(folder):
                return first[len(folder) :]
        return first.removeprefix("\\")


@dataclass(frozen=True, slots=True)
class ShellScript:
    """All that a script may run: its simple commands in order, redirections on groups, function names.

    `broken` is true where the parser could not read all of it.
    """

    commands: tuple[Command, ...]
    redirects: tuple[Redirect, ...] = ()
    functions: frozenset[str] = frozenset()
    operators: tuple[str, ...] = ()
    broken: bool = False


@lru_cache(maxsize=1)
def _parser() -> Parser:
    import tree_sitter_bash
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_bash.language()))


@lru_cache(maxsize=4096)
def parse(command: str) -> ShellScript:
    """Return the structure of a shell script; never raises (what cannot be read is `broken`)."""
    root = _parser().parse(command.encode("utf-8", errors="replace")).root_node
    commands: list[Command] = []
    redirects: list[Redirect] = []
    functions: set[str] = set()
    operators: list[str] = []
    for node, inherited, piped in _walk(root):
        kind = node.type
        if kind == "command":
            commands.append(_command(node, inherited, piped=piped))
        elif kind in ("declaration_command", "unset_command"):
            commands.append(_declaration(node))
        elif kind == "variable_assignment" and (node.parent is None or node.parent.type != "command"):
            commands.append(Command((), (_assignment(node),)))
        elif kind == "function_definition" and (name := node.child_by_field_name("name")):
            functions.add(_text(name))
        elif kind == "file_redirect" and not _belongs(node):
            redirects.append(_redirect(node))
        elif kind in ("|", "|&", "&&", "||", ";", "&", "\n") and not node.is_named:
            operators.append(kind)
    broken = root.has_error
    return ShellScript(tuple(commands), tuple(redirects), frozenset(functions), tuple(operators), broken)


def _walk(root: Node) -> Iterator[tuple[Node, tuple[Redirect, ...], bool]]:
    """Yield every node once, in order, with the redirections that a statement around it puts on it."""
    stack: list[tuple[Node, tuple[Redirect, ...], bool]] = [(root, (), False)]
    while stack:
        node, inherited, piped = stack.pop()
        yield node, inherited, piped
        if node.type in ("heredoc_end", "heredoc_start", "comment"):
            continue
        below: list[tuple[Node, tuple[Redirect, ...], bool]] = []
        body = node.child_by_field_name("body") if node.type == "redirected_statement" else None
        own = tuple(_redirects_of(node)) if body is not None else ()
        after_pipe = False
        for child in node.children:
            if child.type in ("|", "|&"):
                after_pipe = True
            at_body = body is not None and child.id == body.id
            reaches = at_body and child.type == "command"
            below.append((child, own if reaches else (), after_pipe or (at_body and piped)))
        stack.extend(reversed(below))


def _redirects_of(statement: Node) -> Iterator[Redirect]:
    for child in statement.children:
        if child.type == "file_redirect":
            yield _redirect(child)
        elif child.type == "heredoc_redirect":
            yield Redirect("<<", "")
            for inner in child.children:
                if inner.type == "file_redirect":
                    yield _redirect(inner)


def _belongs(redirect: Node) -> bool:
    """Whether the redirection has been handed to the simple command that it stands on."""
    parent = redirect.parent
    if parent is not None and parent.type == "heredoc_redirect":
        parent = parent.parent
    if parent is None or parent.type != "redirected_statement":
        return parent is not None and parent.type == "command"
    body = parent.child_by_field_name("body")
    return body is not None and body.type == "command"


def _redirect(node: Node) -> Redirect:
    operator, target = "", ""
    for child in node.children:
        if not child.is_named:
            operator = child.type
        elif child.type != "file_descriptor":
            target = _word(child)
    return Redirect(operator, target)


def _command(node: Node, inherited: tuple[Redirect, ...], *, piped: bool) -> Command:
    words: list[str] = []
    assignments: list[tuple[str, str]] = []
    redirects = list(inherited)
    for child in node.children:
        if child.type == "variable_assignment":
            assignments.append(_assignment(child))
        elif child.type == "file_redirect":
            redirects.append(_redirect(child))
        elif child.type == "herestring_redirect":
            redirects.append(Redirect("<<<", ""))
        elif child.type == "command_name":
            words.append(_word(child.children[0]) if child.children else _text(child))
        elif child.is_named:
            words.append(_word(child))
    return Command(tuple(words), tuple(assignments), tuple(redirects), piped)


def _declaration(node: Node) -> Command:
    words = [node.children[0].type]
    assignments = [_assignment(child) for child in node.children if child.type == "variable_assignment"]
    return Command(tuple(words), tuple(assignments))


def _assignment(node: Node) -> tuple[str, str]:
    name = node.child_by_field_name("name")
    value = node.child_by_field_name("value")
    return (_text(name) if name else "", _word(value) if value else "")


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", errors="replace")


_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_DOUBLE_ESCAPE = re.compile(r'\\([$`"\\\n])')


def _word(node: Node) -> str:
    """Return the word with quotes removed and a HOLE for whatever the shell would expand."""
    kind = node.type
    if kind in ("word", "number", "special_variable_name", "extglob_pattern"):
        if node.named_child_count:
            return HOLE
        return _ESCAPE.sub(lambda m: "" if m[1] == "\n" else m[1], _text(node))
    if kind == "raw_string":
        return _text(node)[1:-1]
    if kind == "ansi_c_string":
        return _text(node)[2:-1]
    if kind == "concatenation":
        return "".join(_word(child) for child in node.children)
    if kind in ("string", "translated_string"):
        return _string(node)
    if kind == "brace_expression" or not node.is_named:
        return _text(node)
    return HOLE


def _string(node: Node) -> str:
    """Return a double-quoted string; the text between its named children is the string's own."""
    source, parts, at = node.text or b"", [], 1
    for child in node.children:
        if child.is_named and child.type != "string_content":
            start = child.start_byte - node.start_byte
            parts.append(source[at:start].decode("utf-8", errors="replace"))
            parts.append(HOLE)
            at = child.end_byte - node.start_byte
    parts.append(source[at:-1].decode("utf-8", errors="replace"))
    return _DOUBLE_ESCAPE.sub(lambda m: "" if m[1] == "\n" else m[1], "".join(parts))
