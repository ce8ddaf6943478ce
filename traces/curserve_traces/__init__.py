"""Traces: what an agent did, read from any recording, kept without loss.

`model` has the words (Trace, Turn, ToolCall, Observation, Workspace); `codec` the native file format
(ATIF with an `extra.curserve` block); `importers/` one file per foreign format; `workspace` brings the code.
"""
