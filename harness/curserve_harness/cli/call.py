"""`curserve-bench call`: tool calls from standard input to one engine, an answer line for each."""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from curserve_harness.cli.numbers import Seconds
from curserve_harness.cli.place import place_option
from curserve_harness.cli.sandboxing import sandbox_option
from curserve_harness.console.exits import EXECUTION_FAILED, BadInput

if TYPE_CHECKING:
    from curserve_engines.protocol import Session


def _stream(name: str, data: bytes) -> dict[str, str]:
    try:
        return {name: data.decode("utf-8")}
    except UnicodeDecodeError:
        return {f"{name}_b64": base64.b64encode(data).decode("ascii")}


@click.command(name="call")
@click.option("--engine", required=True, help="The engine that answers (see `curserve-bench engines`).")
@click.option("--workspace", required=True, type=click.Path(path_type=Path), help="The folder that calls work on.")
@place_option
@click.option("--shell", type=click.Choice(["fresh", "persistent"]), default="fresh", show_default=True)
@click.option("--timeout-s", type=Seconds(), default=60.0, show_default=True)
@sandbox_option
@click.option("--in-place", is_flag=True, help="Work in the folder itself, not in a copy that is thrown away.")
@click.option("--json", "_json", is_flag=True, help="JSON lines in and out (the only form there is).")
def command(
    engine: str, workspace: Path, at: str, shell: str, timeout_s: float, sandbox: str, in_place: bool, _json: bool
) -> None:
    """Read tool calls as JSON lines on standard input, write one JSON line each.

    In: {"tool": "bash", "arguments": {"command": "ls"}, "cwd": "/testbed"}; docs/FORMAT.md has the tools. Out:
    exit_code, stdout, stderr (stdout_b64, stderr_b64 where the bytes are not UTF-8), wall_ns, service_ns, refused
    and failed with their reasons.
    """
    from curserve_engines import registry
    from curserve_engines.protocol import Limits, World
    from curserve_harness.plan.resolve import one_host_only
    from curserve_traces import scratch
    from curserve_traces.workspace import pristine_copy

    if not workspace.is_dir():
        raise BadInput(f"workspace {workspace} is not a folder; give the calls' tree with --workspace")
    chosen = registry.load(engine)
    one_host_only([engine], "call")
    with scratch.folder("call") as folder:
        root = workspace.resolve() if in_place else pristine_copy(workspace, folder / "workspace")
        world = World(
            root,
            at,
            "persistent" if shell == "persistent" else "fresh",
            Limits(timeout_s=timeout_s),
            use="in place" if in_place else "copy",
            sandbox=sandbox,
        )
        with chosen.open(world) as session:
            failed = [answer["failed"] for answer in _answers(session)]
    if any(failed):
        sys.exit(EXECUTION_FAILED)


def _answers(session: Session) -> Iterator[dict[str, Any]]:
    """Answer line by line, so that a caller may hold a conversation."""
    import orjson

    from curserve_traces.model import TOOLS, ToolCall

    output = sys.stdout.buffer
    for number, line in enumerate(iter(sys.stdin.buffer.readline, b""), 1):
        if not line.strip():
            continue
        try:
            asked = orjson.loads(line)
            tool, arguments, cwd = asked["tool"], asked["arguments"], asked.get("cwd")
            if tool not in TOOLS or not isinstance(arguments, dict) or not isinstance(cwd, str | None):
                raise ValueError(f"tool must be one of {', '.join(TOOLS)}; arguments an object; cwd a string")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            what = f"lacks {error}" if isinstance(error, KeyError) else str(error)
            raise BadInput(f"standard input, line {number}: not a tool call: {what}") from error
        result = session.call(ToolCall(str(asked.get("id", number)), tool, arguments, cwd))
        seen = result.observation
        answer = {
            "exit_code": seen.exit_code,
            **_stream("stdout", seen.stdout),
            **_stream("stderr", seen.stderr),
            "wall_ns": result.wall_ns,
            "service_ns": result.service_ns,
            "refused": result.refused,
            "refusal": result.refusal,
            "failed": result.failed,
        }
        output.write(orjson.dumps(answer) + b"\n")
        output.flush()
        yield answer
