"""What a tool call does to its workspace: read it, edit it, or anything else.

Reads and edits are executed when a trace is replayed; anything else is answered from the recording. The
judgement is about replay and statistics; what keeps a hostile command from doing harm is the sandbox.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from curserve_traces.model import Effect, ToolCall, Turn
from curserve_traces.programs import NEUTRAL, dangerous_assignment, program_effect, strongest
from curserve_traces.shell import HOLE, Command, Redirect, ShellScript, parse

_BY_TOOL: dict[str, Effect] = {
    "grep": "read",
    "glob": "read",
    "read": "read",
    "list": "read",
    "edit": "edit",
    "write": "edit",
    "other": "other",
}
_HARMLESS_TARGETS = ("/dev/null", "/dev/stdout", "/dev/stderr", "/dev/tty", "-")
_WRAPPERS = frozenset("sudo time timeout nice nohup stdbuf env command builtin".split())
_SHELL_CHANGERS = frozenset(
    ". source eval set shopt alias unalias trap umask ulimit exec exit logout enable pushd popd hash".split()
)
_UNHEEDED = re.compile(
    r"[a-z][a-z0-9_]*|(PYTHON|PYTEST|DJANGO|PIP|NODE|CARGO|RUST|JAVA|MAVEN|TEST|DEBUG)[A-Z0-9_]*"
)
"""Variables that neither the shell nor the programs here look at."""
_MAX_DEPTH = 8


def effect(call: ToolCall) -> Effect:
    """Return what a call does: `read`, `edit` or `other`."""
    if call.tool != "bash":
        return _BY_TOOL[call.tool]
    command = call.arguments.get("command")
    return command_effect(command) if isinstance(command, str) else "other"


_NO_FILES = frozenset(
    (
        *("think", "finish", "complete", "answer", "final_answer", "message", "task_tracker", "report_intent"),
        *("todowrite", "todoread", "todo_write", "todo_read", "write_todos", "taskcreate", "taskupdate"),
        *("tasklist", "taskget", "update_plan", "update_topic", "enterplanmode", "exitplanmode"),
        *("exit_plan_mode", "askuserquestion", "ask_user", "request_user_input", "toolsearch"),
        *("webfetch", "websearch", "web_fetch", "web_search", "google_web_search"),
    )
)
"""Tools of agents that think, plan, ask or read the web: whatever they answer, the workspace stays as it was."""


def leaves_files(call: ToolCall) -> bool:
    """Return whether a call that is not executed has left the workspace as it was for sure."""
    return call.tool == "other" and (call.original_name or "").lower() in _NO_FILES


def parallel(turn: Turn) -> bool:
    """Whether a turn's calls may run at the same time: there are several, all are reads, and all were executed."""
    return len(turn.calls) > 1 and all(
        effect(recorded.call) == "read" and recorded.not_executed is None for recorded in turn.calls
    )


@lru_cache(maxsize=16384)
def command_effect(command: str) -> Effect:
    """Return what a shell command does; the strongest effect of all it may run."""
    return _script_effect(parse(command), 0)


def changes_shell(command: str) -> bool:
    """Whether a command may leave a lasting shell changed in more than its folder and variables nothing heeds."""
    script = parse(command)
    if script.broken or script.functions:
        return True
    return any(_changes_shell(item) for item in script.commands)


def _changes_shell(command: Command) -> bool:
    names = [name for name, _ in command.assignments] if not command.words else []
    if command.name in ("export", "declare", "typeset", "local", "readonly", "unset"):
        names += [word.partition("=")[0] for word in command.words[1:] if not word.startswith("-")]
    if command.name in _SHELL_CHANGERS or HOLE in command.name or "\0" in command.name:
        return True
    return any(not _UNHEEDED.fullmatch(name) for name in names)


def programs(command: str) -> list[str]:
    """Return the names of all programs and builtins that a shell command names, in order."""
    return [item.name for item in parse(command).commands if item.words and HOLE not in item.name]


def first_program(command: str) -> str | None:
    """Return the first program that does something: not `cd`, not an assignment, not a wrapper like `timeout`."""
    skipped: str | None = None
    for item in parse(command).commands:
        words = list(item.words)
        if not words:
            continue
        name = item.name
        while name in _WRAPPERS and len(words) > 1:
            words = [
                word for word in words[1:] if not word.startswith("-") and not _number(word) and "=" not in word
            ]
            name = words[0].rsplit("/", 1)[-1] if words else name
            if not words:
                break
        if name in NEUTRAL and name not in ("echo", "pwd", "printf", "test", "["):
            skipped = skipped or name
            continue
        return name.rsplit("/", 1)[-1]
    return skipped


def _number(word: str) -> bool:
    return word[:1].isdigit()


def _script_effect(script: ShellScript, depth: int) -> Effect:
    if script.broken or depth > _MAX_DEPTH:
        return "other"
    effects = [_redirect_effect(redirect) for redirect in script.redirects]
    effects += [_command_effect(command, script.functions, depth) for command in script.commands]
    return strongest(effects)


def _command_effect(command: Command, functions: frozenset[str], depth: int) -> Effect:
    effects = [_redirect_effect(redirect) for redirect in command.redirects]
    if any(dangerous_assignment(name, value) for name, value in command.assignments):
        return "other"
    if command.words and command.name not in functions:
        effects.append(_words_effect((command.name, *command.words[1:]), depth))
    return strongest(effects)


def _words_effect(words: Sequence[str], depth: int) -> Effect:
    if words[0] == "\0script":
        script = words[1]
        return "other" if HOLE in script else _script_effect(parse(script), depth + 1)
    if HOLE in words[0] or depth > _MAX_DEPTH:
        return "other"

    def judge(inner: Sequence[str]) -> Effect:
        return _words_effect(inner, depth + 1) if inner else "other"

    return program_effect(words, judge)


def _redirect_effect(redirect: Redirect) -> Effect:
    if redirect.target.startswith(("/dev/tcp/", "/dev/udp/")):
        return "other"
    if not redirect.operator.startswith((">", "&>")) and redirect.operator != "<>":
        return "read"
    if redirect.target in _HARMLESS_TARGETS:
        return "read"
    if redirect.operator == ">&" and redirect.target.isdigit():
        return "read"
    return "edit"
