"""Agents' tool names and parameters, mapped to the canonical vocabulary of docs/FORMAT.md.

Only what is understood is mapped: a tool whose parameters do not fit becomes `other` with its own arguments, and
the original name and arguments always stay beside the call.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import Any

from curserve_traces.model import Tool

Arguments = dict[str, Any]
Mapped = tuple[Tool, Arguments] | None


def canonical(name: str, arguments: Mapping[str, Any], agent: str = "") -> tuple[Tool, Arguments]:
    """Return the canonical tool and arguments of an agent's call; `agent` tells what the same name means."""
    short = name.rsplit("__", 1)[-1].lower().removeprefix("builtin_")
    rule = _RULES.get(short)
    mapped = rule(arguments) if rule is not None else None
    if mapped is None:
        return "other", dict(arguments)
    if mapped[0] == "grep" and "mode" not in mapped[1] and (name != "Grep" or agent == "amp"):
        mapped[1]["mode"] = _MODES.get(short, "files" if agent.startswith("openhands") else "content")
    if (
        mapped[0] == "read"
        and "offset" in arguments
        and "offset" in mapped[1]
        and any(kind in agent for kind in _COUNT_FROM_ZERO)
    ):
        mapped[1]["offset"] += 1
    return mapped


_COUNT_FROM_ZERO = ("gemini", "qwen", "iflow", "opencode", "crush")
"""Agents whose `offset` is the number of lines before the first one shown."""

_MODES = {"search_dir": "count", "grep_files": "files"}
"""What a search tool prints where nothing else is asked: lines, but for SWE-agent's `search_dir` (counts) and
Codex's, Claude Code's and OpenHands' (names of files)."""


def _pick(arguments: Mapping[str, Any], **renamed: tuple[str, ...]) -> Arguments:
    """Return canonical arguments: for each new name, the first of the given ones that is there and not null."""
    found: Arguments = {}
    for new, olds in renamed.items():
        for old in olds:
            if arguments.get(old) is not None:
                found[new] = arguments[old]
                break
    return found


def _path(arguments: Mapping[str, Any]) -> Arguments:
    return _pick(
        arguments,
        path=(
            "path",
            "file_path",
            "absolute_path",
            "filePath",
            "dir_path",
            "directory",
            "filename",
            "filepath",
            "directory_path",
            "dirPath",
            "target_directory",
            "targetDirectory",
            "folder",
            "dir",
            "file",
        ),
    )


def _bash(arguments: Mapping[str, Any]) -> Mapped:
    command = arguments.get("command", arguments.get("cmd", arguments.get("code", arguments.get("script"))))
    if isinstance(command, list) and all(isinstance(word, str) for word in command):
        inner = command[-1:] if len(command) == 3 and command[1] in ("-lc", "-c", "-ic") else None
        command = inner[0] if inner else shlex.join(command)
    if not isinstance(command, str):
        return None
    if arguments.get("is_input") in (True, "true"):
        return None  # keys typed into a program that runs already: not a command
    found: Arguments = {"command": command}
    if arguments.get("run_in_background") or arguments.get("is_background"):
        found["background"] = True
    return "bash", found


def _grep(arguments: Mapping[str, Any]) -> Mapped:
    found = _pick(
        arguments,
        pattern=("pattern", "query", "regex", "search_term"),
        glob=("glob", "include", "include_pattern", "file_pattern", "includePattern"),
        type=("type",),
    )
    if not isinstance(found.get("pattern"), str):
        return None
    found |= _path(arguments)
    mode = arguments.get("output_mode")
    if mode in ("content", "files_with_matches", "count"):
        found["mode"] = "files" if mode == "files_with_matches" else mode
    for new, olds in {
        "before": ("-B",),
        "after": ("-A",),
        "context": ("-C", "context"),
        "limit": ("head_limit", "limit"),
    }.items():
        found |= {k: v for k, v in _pick(arguments, **{new: olds}).items() if isinstance(v, int)}
    for new, olds in {
        "ignore_case": ("-i", "ignoreCase", "ignore_case"),
        "line_numbers": ("-n",),
        "multiline": ("multiline",),
    }.items():
        found |= {k: v for k, v in _pick(arguments, **{new: olds}).items() if isinstance(v, bool)}
    if arguments.get("literal") is True:
        found["literal"] = True
    return "grep", found


def _glob(arguments: Mapping[str, Any]) -> Mapped:
    found = _pick(
        arguments, pattern=("pattern", "glob_pattern", "globPattern", "filePattern", "glob", "file_name")
    )
    return ("glob", found | _path(arguments)) if isinstance(found.get("pattern"), str) else None


def _read(arguments: Mapping[str, Any]) -> Mapped:
    found = _path(arguments)
    if not isinstance(found.get("path"), str):
        return None
    lines = _pick(
        arguments, offset=("offset", "start_line", "line_number", "line_offset"), limit=("limit", "n_lines")
    )
    found |= {key: value for key, value in lines.items() if isinstance(value, int) and not isinstance(value, bool)}
    end = arguments.get("end_line")
    if isinstance(end, int) and "limit" not in found and end >= found.get("offset", 1):
        found["limit"] = end - found.get("offset", 1) + 1
    view = arguments.get("view_range")
    if isinstance(view, list) and len(view) == 2 and all(isinstance(n, int) for n in view):
        found["offset"] = view[0]
        if view[1] >= view[0]:
            found["limit"] = view[1] - view[0] + 1
    return "read", found


def _list(arguments: Mapping[str, Any]) -> Mapped:
    return "list", _path(arguments)


def _write(arguments: Mapping[str, Any]) -> Mapped:
    found = _path(arguments) | _pick(arguments, content=("content", "file_text", "contents", "fileText"))
    return (
        ("write", found) if isinstance(found.get("path"), str) and isinstance(found.get("content"), str) else None
    )


def _edit(arguments: Mapping[str, Any]) -> Mapped:
    found = _path(arguments) | _pick(
        arguments,
        old=("old_string", "old_str", "oldString", "oldText", "old"),
        new=("new_string", "new_str", "newString", "newText", "new"),
        all=("replace_all", "replaceAll", "all"),
    )
    if arguments.get("allow_multiple") is True or arguments.get("expected_replacements", 1) not in (0, 1):
        found["all"] = True
    texts = (found.get("path"), found.get("old"), found.get("new", ""))
    if not all(isinstance(text, str) for text in texts):
        return None
    return "edit", found


def _editor(arguments: Mapping[str, Any]) -> Mapped:
    """Map Anthropic's editor tool, which several agents carry: view, create, str_replace, insert, undo_edit."""
    verb = arguments.get("command")
    if verb == "view":
        return _read(arguments)
    if verb in ("create", "write"):
        return _write(arguments)
    return _edit(arguments) if verb == "str_replace" else None


_BASH = (
    "bash shell execute_bash terminal run_shell_command exec_command bash_tool run_command "
    "local_shell bash_command container.exec run runcommand shell_command execute_command cmd_run exec execute "
    "run_terminal_cmd run_terminal_command run_in_terminal shell_exec"
)
_GREP = "grep grep_search search_file_content ripgrep grep_files search_dir search_file greptool rg search_files"
_EDIT = "edit replace str_replace edit_file search_replace stringreplace replace_string_in_file edit_block"
_RULES: dict[str, Callable[[Mapping[str, Any]], Mapped]] = (
    dict.fromkeys(_BASH.split(), _bash)
    | dict.fromkeys(_GREP.split(), _grep)
    | dict.fromkeys("glob find glob_files find_files find_file findfile globtool file_glob_search".split(), _glob)
    | dict.fromkeys("read read_file view cat view_file open goto scroll_up scroll_down readfile".split(), _read)
    | dict.fromkeys("ls list list_directory list_dir list_files listfiles".split(), _list)
    | dict.fromkeys(
        "write write_file create_file createfile writefile write_to_file create create_new_file".split(), _write
    )
    | dict.fromkeys(_EDIT.split(), _edit)
    | dict.fromkeys(
        "str_replace_editor file_editor str_replace_based_edit_tool editor text_editor".split(), _editor
    )
)
