"""How many calls a record asks for, whatever its format: for the account of records that are left out."""

from __future__ import annotations

_TYPES = ("tool_use", "toolCall", "function_call", "custom_tool_call", "local_shell_call", "web_search_call")


def calls_within(value: object) -> int:
    """Return the number of calls in a record: blocks, items, Gemini's parts, OpenHands' actions, requests."""
    found, stack = 0, [value]
    while stack:
        at = stack.pop()
        if isinstance(at, list):
            stack += at
        elif isinstance(at, dict):
            if (
                at.get("type") in _TYPES
                or at.get("kind") == "ActionEvent"
                or isinstance(at.get("functionCall"), dict)
            ):
                found += 1
            elif isinstance(asked := at.get("toolRequests"), list):
                found += len(asked)
            else:
                stack += at.values()
    return found
