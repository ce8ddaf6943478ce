"""SWE-agent `*.traj`, 0.x and 1.x: one text line of action a step, which is a native command or the shell's.

The state tells the working directory: before the step where it is a JSON string (0.x), after it where it is an
object (1.x). `execution_time` (1.x) is the tool as the deployment saw it, its dispatch included: kept as
`duration_ns` and said so. Token counts exist for the whole run only.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from curserve_traces.importers.builder import Builder, clean, text_of
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.values import (
    Json,
    a_list,
    a_string,
    an_integer,
    an_object,
    arguments_of,
    given,
    json_object,
    seconds_ns,
)
from curserve_traces.model import Observation, Workspace

NATIVE = frozenset(
    "open goto scroll_up scroll_down create edit search_dir search_file find_file submit exit_cost exit_context "
    "exit_format exit_error exit_api exit_forfeit skip str_replace_editor view_range undo_edit insert "
    "exit_environment exit_total_execution_time filemap view_image decompile disassemble "
    "connect_start connect_sendline connect_exec connect_stop debug_start debug_stop debug_add_breakpoint "
    "debug_continue debug_step debug_exec set_cursors".split()
)


def sniff(source: Source) -> bool:
    """Whether it is a trajectory with actions and observations."""
    record = source.record()
    return isinstance(record.get("trajectory"), list) and ("history" in record or "environment" in record)


def read(source: Source) -> Iterator[Imported]:
    """Yield the one trajectory of the file."""
    document = an_object(source.document())
    builder = Builder("swe-agent")
    history = [an_object(entry) for entry in a_list(document.get("history"))]
    real = [entry for entry in history if not entry.get("is_demo")]
    for entry in history:
        if entry.get("role") == "assistant" and not entry.get("is_demo"):
            break
        if entry.get("role") in ("system", "user") and not entry.get("is_demo"):
            builder.message("system" if entry["role"] == "system" else "user", text_of(entry.get("content")))
    asked = [entry for entry in real if entry.get("role") == "assistant"]
    cwd: str | None = None
    first: str | None = None
    place = 0
    state: Json = {}
    for raw in a_list(document.get("trajectory")):
        step = an_object(raw)
        before = json_object(step.get("state")) if isinstance(step.get("state"), str) else None
        cwd = a_string(an_object(before).get("working_dir")) or cwd
        first = first or cwd
        place = _step(builder, step, asked, place, cwd, an_object(before) or state)
        state = an_object(before) or an_object(step.get("state"))
        if isinstance(step.get("state"), dict):
            cwd = a_string(step["state"].get("working_dir")) or cwd
            first = first or cwd
    info = an_object(document.get("info"))
    config = json_object(document.get("replay_config")) or {}
    model = an_object(an_object(config.get("agent")).get("model")).get("name")
    first_user = next((text_of(e.get("content")) for e in real if e.get("role") == "user"), None)
    yield builder.finish(
        id=source.path.name.split(".traj")[0],
        workspace=Workspace(at=first or "/testbed"),
        agent="swe-agent",
        agent_version=a_string(info.get("swe_agent_version")) or "unknown",
        model=a_string(model),
        task=first_user,
        shell="persistent",
        extra=given(info=info or None),
    )


def _step(builder: Builder, step: Json, asked: list[Json], place: int, cwd: str | None, state: Json) -> int:
    """Add one step; returns the place in the history behind the entry that asked for it."""
    action = clean(str(step.get("action") or ""))
    entry: Json = {}
    for number in range(place, len(asked)):
        if str(asked[number].get("action") or "").strip() == action.strip() or not asked[number].get("action"):
            entry, place = asked[number], number + 1
            break
    thought = text_of(step.get("thought")) or text_of(step.get("response"))
    reasoning = next(
        (text_of(b.get("thinking")) for b in map(an_object, a_list(entry.get("thinking_blocks")))), ""
    )
    builder.turn(text=thought, reasoning=reasoning or None)
    if not action.strip():
        builder.report.drop("step without an action (the model's answer could not be parsed)")
        return place
    calls = [an_object(call) for call in a_list(entry.get("tool_calls"))]
    name, arguments, identity = parse_action(action)
    if len(calls) == 1 and (function := an_object(calls[0].get("function"))).get("name"):
        name, arguments = str(function["name"]), arguments_of(function.get("arguments"))
        identity = a_string(calls[0].get("id"))
    if (
        name in ("goto", "scroll_up", "scroll_down")
        and (opened := a_string(state.get("open_file")))
        and opened != "n/a"
    ):
        arguments = {"path": opened, **arguments}  # the file that is open, as the state tells
    if identity is not None and builder.recorded(identity) is not None:
        identity = None
    builder.call(identity, name, arguments, cwd=cwd, extra={"action": action} if calls else None)
    took = seconds_ns(step.get("execution_time"))
    if took is not None:
        builder.report.note("tool time: as SWE-agent recorded it (execution_time), its dispatch included")
    code = an_integer(an_object(step.get("extra_info")).get("exit_code"))
    if isinstance(step.get("observation"), str):
        text = clean(step["observation"])
        seen = Observation(exit_code=code, stdout=text.encode(), merged=True, duration_ns=took)
        builder.result(builder.newest_call(), seen)
    return place


def parse_action(action: str) -> tuple[str, Json, str | None]:
    """Return name and arguments of a text action: a native command, or one for the shell."""
    first = action.split(None, 1)[0]
    if first not in NATIVE or (
        "\n" in action.strip() and first not in ("edit", "str_replace_editor", "create", "insert")
    ):
        return "bash", {"command": action}, None
    if first == "str_replace_editor":
        found = _editor(action)
        return (first, found, None) if found else (first, {"action": action}, None)
    try:
        words = shlex.split(action.split("\n", 1)[0])[1:]
    except ValueError:
        words = action.split("\n", 1)[0].split()[1:]
    names = {
        "open": ("path", "line_number"),
        "create": ("filename",),
        "goto": ("line_number",),
        "search_dir": ("search_term", "dir"),
        "search_file": ("search_term", "file"),
        "find_file": ("file_name", "dir"),
    }.get(first)
    if first == "edit" or names is None:
        return first, {"action": action}, None
    return first, dict(zip(names, words, strict=False)), None


def _editor(action: str) -> Json:
    """Return the arguments of `str_replace_editor VERB PATH --option value …`; empty where it is misquoted."""
    try:
        words = shlex.split(action)
    except ValueError:
        return {}
    if len(words) < 3:
        return {}
    found: Json = {"command": words[1], "path": words[2]}
    at = 3
    while at < len(words):
        option = words[at].removeprefix("--")
        values = []
        at += 1
        while at < len(words) and not words[at].startswith("--"):
            values.append(words[at])
            at += 1
        if option == "view_range":
            found[option] = [int(value) for value in values if value.lstrip("-").isdigit()]
        elif values:
            found[option] = values[0] if len(values) == 1 else " ".join(values)
    return found
