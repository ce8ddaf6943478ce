"""The sample: one row of raw measurement. Everything else is derived from rows of this schema.

Three kinds of row share it: `cell` (a whole trajectory in one engine), `turn` (one model step) and `call` (one
tool call). Times are CLOCK_MONOTONIC nanoseconds, one clock for both hosts. A column that does not apply is
null. The version changes whenever a column changes meaning, not when one is added; docs/FORMAT.md tells each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

SCHEMA_VERSION = 1

KINDS = ("cell", "turn", "call")
ANSWERS = ("identical", "reordered", "different", "unchecked")
LABELS = ("executed", "recorded", "refused", "failed", "sampled")
WORKSPACES = ("known", "unknown", "undetermined")
PHASES = ("warm-up", "measured", "cool-down", "void")
"""Of a session of a load: only measured ones enter tables; the `reason` of a void one says why."""

ORDER_UNDEFINED = "order undefined"
"""How the `reason` of a right `reordered` answer begins in files without the column `right`."""

CONTROLS = ("recorded-client", "recorded-server")
"""Engines that answer from the recording: the floor of harness and link, not a way to run tools."""

REFERENCE = "client-subprocess"
"""The engine that speed-ups are over."""

COLUMNS: dict[str, str] = {
    # where the row belongs
    "run": "String",
    "block": "Int32",
    "cell": "Int32",
    "kind": "String",
    "trace": "String",
    "repetition": "Int32",
    "engine": "String",
    "placement": "String",
    "model": "String",
    "api": "String",
    "link": "String",
    "backend": "String",
    "rtt_ns": "Int64",  # requested
    "order": "Int32",  # place of the cell within its block, from 0
    "turn": "Int32",
    "call": "Int32",
    # a cell: player's start to the end of the last turn. a call: asked for to answered, at the caller
    "started_ns": "Int64",
    "done_ns": "Int64",
    # a session of a load, which is a cell whose `started_ns` is when it was meant to start
    "session": "Int32",  # its number in the plan, the same in every engine
    "phase": "String",
    "began_ns": "Int64",  # when it did start
    "client_cpu_ns": "Int64",  # processor time of its player and its tools there
    "client_wait_ns": "Int64",  # they were ready to run, and no core was free
    "server_cpu_ns": "Int64",
    "server_wait_ns": "Int64",
    # a turn, in the order of time; the middle three at the model, the others at the player or loop
    "intended_ns": "Int64",  # when the loop was ready to send
    "sent_ns": "Int64",  # first byte of the request written
    "prompt_read_ns": "Int64",  # last byte of the prompt read, at the model
    "first_token_ns": "Int64",  # written, at the model
    "last_token_ns": "Int64",  # written, at the model
    "first_byte_ns": "Int64",  # read, at the player
    "received_ns": "Int64",  # last byte read, at the player or loop
    "tools_started_ns": "Int64",
    "tools_done_ns": "Int64",
    "ttft_ns": "Int64",  # what the profile asks for; of a served model, as measured
    "decode_ns": "Int64",
    "prompt_tokens": "Int64",
    "output_tokens": "Int64",
    "queued_ns": "Int64",  # from the prompt read to the first step that has a part of it
    "cached_tokens": "Int64",  # of the prompt, found in the prefix cache
    "computed_tokens": "Int64",  # of the prompt; what a preemption made it compute again counts again
    "preemptions": "Int32",
    "bytes_up": "Int64",
    "bytes_down": "Int64",
    # a call
    "tool": "String",
    "program": "String",  # first program of a bash call
    "wall_ns": "Int64",
    "service_ns": "Int64",
    "recorded_ns": "Int64",  # what it took in the recording, where it is answered from that
    "exit_code": "Int32",
    "output_bytes": "Int64",
    "answer": "String",
    "right": "Boolean",  # whether it is one that the real programs may give; null where it was not compared
    "label": "String",
    "refusal": "String",  # the kind of a refusal (docs/PROTOCOL.md)
    "reason": "String",  # why refused, failed, different or answered from the recording
    "barrier_ns": "Int64",  # of a mirror: how long the call waited for what it needs
    "wire_bytes": "Int64",  # of a mirror: over the link since the call before, both ways
    "fill_ns": "Int64",  # of a cell in a mirror: until the copy was whole, before the player started
    "workspace": "String",  # whether it was, at the call, what it was in the recording
}

LOAD = (
    *("session", "phase", "began_ns", "client_cpu_ns", "client_wait_ns", "server_cpu_ns", "server_wait_ns"),
    *("queued_ns", "cached_tokens", "computed_tokens", "preemptions"),
)
"""Columns that only a load (or a simulated one) fills."""

MIRROR = ("barrier_ns", "wire_bytes", "fill_ns")
"""Columns that only a mirror fills."""

ADDED = ("workspace", "recorded_ns", "right", "refusal", *LOAD, *MIRROR)
"""Columns that files of this version may lack, since they came later; they read as null."""


def polars_schema() -> dict[str, pl.DataType]:
    """Return the schema as polars types (polars is imported here, not at start)."""
    import polars as pl

    types = {"String": pl.String(), "Boolean": pl.Boolean(), "Int32": pl.Int32(), "Int64": pl.Int64()}
    return {name: types[kind] for name, kind in COLUMNS.items()}
