"""moatless trees: `nodes[].action_steps[]`, and the older `transitions[].actions[]` and `steps[].action`."""

from __future__ import annotations

from collections.abc import Iterator

from curserve_traces.importers.builder import Builder, text_of
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.values import Json, a_list, a_string, an_integer, an_object
from curserve_traces.model import Observation


def sniff(source: Source) -> bool:
    """Whether it has nodes with action steps, or transitions with actions."""
    record = source.record()
    nodes = _nodes(record)
    return bool(nodes) and any(isinstance(node.get("action_steps", node.get("actions")), list) for node in nodes)


def _nodes(record: Json) -> list[Json]:
    """Return the nodes in order: of a flat list, of a tree under `root`, or transitions."""
    if isinstance(record.get("root"), dict):
        found, stack = [], [record["root"]]
        while stack:
            node = an_object(stack.pop())
            found.append(node)
            stack.extend(reversed(a_list(node.get("children"))))
        return found
    steps = [an_object(step) for step in a_list(record.get("steps"))]
    if steps and all(isinstance(step.get("action"), dict) for step in steps):
        return [{"actions": [step], **step} for step in steps]
    return [an_object(node) for node in a_list(record.get("nodes")) or a_list(record.get("transitions"))]


def read(source: Source) -> Iterator[Imported]:
    """Yield the one trajectory of the file."""
    record = an_object(source.document())
    builder = Builder("moatless")
    for node in _nodes(record):
        if text := text_of(node.get("user_message")):
            builder.message("user", text)
        steps = [an_object(step) for step in a_list(node.get("action_steps")) or a_list(node.get("actions"))]
        if not steps:
            continue
        completions = an_object(node.get("completions"))
        completion = an_object(next(iter(completions.values()), None)) or an_object(node.get("completion"))
        usage = an_object(completion.get("usage"))
        builder.turn(
            text=text_of(node.get("assistant_message")) or _thoughts(steps[0]),
            prompt_tokens=an_integer(usage.get("prompt_tokens")),
            cached_tokens=an_integer(usage.get("cached_tokens")),
            output_tokens=an_integer(usage.get("completion_tokens")),
        )
        for step in steps:
            action = an_object(step.get("action") or step.get("request"))
            kind = a_string(action.get("action_args_class")) or a_string(action.get("action_name")) or "unknown"
            name = kind.rsplit(".", 1)[-1].removesuffix("Args")
            arguments = {
                k: v for k, v in action.items() if k not in ("action_args_class", "thoughts", "action_name")
            }
            builder.call(None, name, arguments)
            seen = step.get("observation") or step.get("response")
            text = text_of(an_object(seen).get("message")) if isinstance(seen, dict) else text_of(seen)
            if seen is not None:
                builder.result(builder.newest_call(), Observation(stdout=text.encode(), merged=True))
    yield builder.finish(id=source.path.stem, agent="moatless", extra={})


def _thoughts(step: Json) -> str:
    return text_of(an_object(step.get("action")).get("thoughts"))
