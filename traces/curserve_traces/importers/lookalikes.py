"""Files that are known, hold no tool calls or are not read, and are often given to `trace import`: `lookalike`."""

from __future__ import annotations

import re

from curserve_traces.importers.source import Source

_TOKENS_JSON = ({"input_length", "output_length"}, {"input_tokens", "output_tokens"}, {"in", "out", "hash_ids"})
_TOKENS_CSV = re.compile(
    rb"(?=[^\n]*(?:context|request|input|prompt)[ _]?tokens)(?=[^\n]*(?:generated|response|output)"
    rb"[ _]?tokens)[^\n]*\n",
    re.IGNORECASE,
)
_LOAD = (
    "tokens only, no tool calls: there is nothing to import; such a trace is arrivals and lengths of requests, "
)
_LOAD += "read by what simulates load (`--trace-load`, where a version has it), not by `trace import`"


def lookalike(source: Source) -> str | None:
    """Return what a file is that no importer reads, and what to do with it; `None` where it is not known."""
    if _TOKENS_CSV.match(source.data[:4096]):
        return _LOAD
    head = source.head(4) or [record for record in source.array()[:4] if isinstance(record, dict)]
    first = head[0] if head else {}
    if any(names <= first.keys() for names in _TOKENS_JSON) and not first.keys() & {"messages", "tool_calls"}:
        return _LOAD
    if "ask" in first or "say" in first:
        return "what Cline showed to a person; the session is in api_conversation_history.json beside it"
    if str(first.get("id", "")).startswith(("ses_", "msg_", "prt_")):
        return "one file of opencode's storage; name the folder that has session/, message/ and part/ in it"
    if first.get("tool") == "trae" or ("agent_steps" in first and "llm_interactions" in first):
        return "a trajectory of trae-agent, which is not read yet"
    if "mapping" in first and "current_node" in first:
        return "an export of ChatGPT's conversations: no agent, no tools of one; not read"
    if "chat_messages" in first:
        return "an export of Claude's conversations from the web: not read; Claude Code's sessions are"
    if "log" in first and isinstance(first["log"], dict) and "entries" in first["log"]:
        return "an HTTP archive (HAR): not read; import the agent's own session file"
    if isinstance(first.get("version"), int) and "width" in first and "height" in first:
        return (
            "a terminal recording (asciinema): it shows a screen, not calls; import the agent's own session file"
        )
    if "tool_call_layers" in source.path.name or ("func_name" in str(first)[:200]):
        return "a tool-call file of AutoCodeRover, which holds no outputs: not read"
    if "nbformat" in first:
        return "a Jupyter notebook: not an agent's recording"
    if source.data.startswith(b"SQLite format 3\0"):
        return "an SQLite database of a program that is not known here; export the session from its agent"
    if source.data.startswith(b"PAR1"):
        return "a Parquet file without a column of messages"
    return None
