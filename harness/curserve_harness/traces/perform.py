"""Records a bundled trace by really doing it: a script of turns, every call executed in the pinned world.

A maintainer investigates a package, writes down the turns in a TOML file, and `perform` runs every call on a
pristine copy of the pinned package: reads and edits in the sandbox of `client-subprocess`, the rest (`python`,
`pytest`) in one that also sees the packages that the script names. What comes out is recorded: exit codes, bytes,
durations, deltas. Nothing is invented but the words of the agent; token counts are estimates and marked.
"""

from __future__ import annotations

import re
import subprocess
import time
import tomllib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from curserve_engines.protocol import Session, World, pinned_environment
from curserve_engines.registry import load as load_engine
from curserve_engines.sandbox import run_once
from curserve_traces import scratch
from curserve_traces.classify import effect
from curserve_traces.errors import TraceError
from curserve_traces.grants import NOTHING, Grants
from curserve_traces.model import (
    TOOLS,
    Message,
    Observation,
    RecordedCall,
    ToolCall,
    Trace,
    Turn,
    Workspace,
)
from curserve_traces.workspace import diff, materialise, pristine_copy, snapshot, tree_digest

AGENT = "curserve-bench perform"
METHOD = (
    "estimated: UTF-8 bytes / 4, rounded up; the prompt is all messages before, plus 1200 for tools and system"
)
_TOOLS_TOKENS = 1200
_SITE = "/opt/site"
_PACKAGE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?:==[A-Za-z0-9.!+_-]+)?")
_SYSTEM = (
    "You are a software engineer with a shell. Investigate the task in the repository at {at}, fix it with the "
    "smallest change, check the fix, and say what you did."
)


@dataclass(frozen=True, slots=True)
class Instructions:
    """What a maintainer wrote: the task, the pinned package, the packages that `other` calls need, the turns."""

    id: str
    task: str
    workspace: Workspace
    packages: tuple[str, ...]
    turns: tuple[tuple[str, tuple[ToolCall, ...]], ...]
    origin: str | None = None


def read_script(path: Path) -> Instructions:
    """Return the script in a TOML file; raises TraceError naming what is wrong."""
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TraceError(f"{path}: no script of turns ({error})") from None
    try:
        place = raw["workspace"]
        workspace = Workspace(
            kind=place["kind"],
            source=place["source"],
            version=place["version"],
            sha256=place["sha256"],
            at=place.get("at", "/testbed"),
            licence=place["licence"],
        )
        turns = []
        for t, turn in enumerate(raw["turn"], 1):
            given = [{"tool": "bash", "command": command} for command in turn.get("bash", [])] + turn.get(
                "call", []
            )
            turns.append(
                (
                    turn["text"].strip(),
                    tuple(_call(c, f"call-{t}-{n}", workspace.at) for n, c in enumerate(given, 1)),
                )
            )
        return Instructions(
            id=raw["id"],
            task=raw["task"].strip(),
            workspace=workspace,
            packages=tuple(raw.get("packages", ())),
            turns=tuple(turns),
            origin=raw.get("origin"),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise TraceError(f"{path}: the script lacks or mistypes {error}") from None


def _call(raw: Mapping[str, Any], identity: str, at: str) -> ToolCall:
    fields = dict(raw)
    tool = fields.pop("tool")
    if tool not in TOOLS:
        raise TraceError(f"script: unknown tool {tool!r}; there are {', '.join(TOOLS)}")
    return ToolCall(identity, tool, fields, cwd=at)


def perform(script: Instructions, grants: Grants = NOTHING, *, sandbox: str = "auto") -> Trace:
    """Return the trace of really doing `script`, on a granted folder where the unpacked workspace is at hand."""
    source = materialise(script.workspace, grants=grants)
    if script.packages and grants.offline:
        raise TraceError(f"--offline: the script's calls import {', '.join(script.packages)}; drop --offline")
    workspace = replace(script.workspace, digest=tree_digest(source))
    with scratch.folder("perform") as place:
        copy = pristine_copy(source, place / "workspace")
        site = _site(script.packages, place / "site")
        world = World(copy, workspace.at, sandbox=sandbox)
        with load_engine("client-subprocess").open(world) as session:
            turns = tuple(_estimated(script, list(_turns(script, session, world, site))))
    return Trace(
        id=script.id,
        workspace=workspace,
        turns=turns,
        agent=AGENT,
        agent_version="1",
        task=script.task,
        origin=script.origin or "recorded by this project: every call really executed",
        licence="Apache-2.0",
        extra={"token_counts": METHOD, "packages": list(script.packages)},
    )


def _turns(script: Instructions, session: Session, world: World, site: Path | None) -> Iterator[Turn]:
    copy, at = world.root, world.at
    state = snapshot(copy)
    for number, (text, calls) in enumerate(script.turns):
        before = (Message("system", _SYSTEM.format(at=at)), Message("user", script.task)) if number == 0 else ()
        started = time.time_ns()
        effects = [effect(call) for call in calls]
        recorded: list[RecordedCall] = []
        if len(calls) > 1 and set(effects) == {"read"}:
            with ThreadPoolExecutor(len(calls)) as pool:
                recorded = [
                    RecordedCall(call, seen)
                    for call, seen in zip(calls, pool.map(lambda c: _execute(c, session), calls), strict=True)
                ]
        else:
            for call, kind in zip(calls, effects, strict=True):
                seen = _elsewhere(call, world, site) if kind == "other" else _execute(call, session)
                after = snapshot(copy, state)
                delta = diff(state, after, copy)
                recorded.append(RecordedCall(call, seen, delta if kind != "read" else None))
                if kind == "read" and delta.changes:
                    raise TraceError(f"{script.id}: {call.arguments} is judged a read and changed the workspace")
                state = after
        for item in recorded:
            _refuse_failures(script, item)
        yield Turn(text=text, calls=tuple(recorded), before=before, started_at_ns=started)


def _refuse_failures(script: Instructions, item: RecordedCall) -> None:
    seen = item.observation
    if seen is not None and b"command not found" in seen.stderr:
        raise TraceError(f"{script.id}: {item.call.arguments}: {seen.stderr.decode(errors='replace').strip()}")
    if item.delta is not None and any(len(change.content or b"") > 1 << 20 for change in item.delta.changes):
        raise TraceError(f"{script.id}: {item.call.arguments} leaves a file of more than 1 MiB")


def _execute(call: ToolCall, session: Session) -> Observation:
    started = time.time_ns()
    result = session.call(call)
    if result.failed is not None:
        raise TraceError(f"{call.id}: {dict(call.arguments)}: {result.failed}")
    return replace(result.observation, started_at_ns=started, duration_ns=result.wall_ns)


def _site(packages: tuple[str, ...], folder: Path) -> Path | None:
    """Install the packages that `other` calls import, for the system's Python, which the sandbox sees."""
    if not packages:
        return None
    for package in packages:
        if not _PACKAGE.fullmatch(package):
            raise TraceError(f"packages: {package[:80]!r} is not NAME or NAME==VERSION; mend the script")
    command = [
        "pip",
        "--python",
        "/usr/bin/python3",
        "install",
        "--quiet",
        "--no-compile",
        "--only-binary",
        ":all:",
    ]
    done = subprocess.run(
        [*command, "--target", folder, "--", *packages], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise TraceError(f"cannot install {', '.join(packages)}: {done.stderr.strip().splitlines()[-1]}")
    (folder / "bin").mkdir(exist_ok=True)
    return folder


def _elsewhere(call: ToolCall, world: World, site: Path | None) -> Observation:
    """Execute a call that is neither read nor edit, in a like sandbox that sees the packages as well."""
    if call.tool != "bash":
        raise TraceError(f"{call.id}: tool {call.tool} cannot be performed")
    environment = {"PYTHONDONTWRITEBYTECODE": "1", "PYTEST_ADDOPTS": "-p no:cacheprovider"}
    environment["PATH"] = f"{pinned_environment()['PATH']}:/opt/python"
    with scratch.folder("python") as python:
        python.chmod(0o755)
        (python / "python").symlink_to("/usr/bin/python3")
        binds = {"/opt/python": python}
        if site is not None:
            binds[_SITE] = site
            environment |= {"PATH": f"{environment['PATH']}:{_SITE}/bin", "PYTHONPATH": _SITE}
        command = ["bash", "-c", call.arguments["command"]]
        started, began = time.time_ns(), time.monotonic_ns()
        done = run_once(world, command, environment=environment, binds=binds, engine="perform")
        took = time.monotonic_ns() - began
    return Observation(done.returncode, done.stdout, done.stderr, started_at_ns=started, duration_ns=took)


def tokens(text: str | bytes) -> int:
    """Return an estimated token count: bytes / 4, rounded up."""
    size = len(text.encode()) if isinstance(text, str) else len(text)
    return -(-size // 4)


def _estimated(script: Instructions, turns: list[Turn]) -> Iterator[Turn]:
    """Add estimated token counts, as METHOD says; each prompt holds everything before it."""
    prompt = _TOOLS_TOKENS + tokens(script.task)
    cached = 0
    for turn in turns:
        output = tokens(turn.text) + sum(
            tokens(re.sub(r"\s+", " ", str(dict(r.call.arguments)))) + 8 for r in turn.calls
        )
        yield replace(
            turn,
            prompt_tokens=prompt,
            cached_tokens=cached,
            output_tokens=output,
            extra={"token_counts": "estimated"},
        )
        cached = prompt + output
        prompt = cached + sum(tokens(r.observation.shown()) + 6 for r in turn.calls if r.observation is not None)


__all__ = ["Instructions", "perform", "read_script", "tokens"]
