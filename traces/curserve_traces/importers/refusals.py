"""The words by which agents tell their model that a call was not executed: refused by the user, or by the agent.

A call whose result says so must never run in a replay: the person who was there did not want it. Where a format
has a field for it, its importer reads the field; these words are for results that have nothing but text. They must
stand at the beginning, so that a program which prints them far inside its output has not been refused.
"""

from __future__ import annotations

import re

_USER = (
    r"The user doesn't want to (?:proceed with this tool use|take this action right now)",  # Claude Code
    r"(?:Error: )?User (?:has )?(?:rejected|declined|denied) (?:the |this )?(?:tool|action|permission|command)",
    r"\[Request interrupted by user for tool use\]",
    r"(?:exec command |patch )?rejected by user\b",  # Codex
    r"\[Operation Cancelled\] Reason: User did not allow tool call",  # Gemini CLI, Qwen Code
    r"The user (?:rejected permission to use|denied|has declined to run|rejected) this (?:specific )?"
    r"(?:tool call|operation|tool)",  # opencode, Cline, goose, Copilot
    r"The tool call is rejected by the user",  # Kimi
    r"User denied permission",  # Crush
    r"Command not executed\. The user rejected your command",  # mini-swe-agent
)
_AGENT = (
    r"<tool_use_error>",  # Claude Code: before the tool began
    r"Permission to use \S+ (?:with command .{0,2000} )?has been denied",
    r"Claude requested permissions? to (?:use|read from|write to|edit)\b",
    r"This (?:command|Bash command.{0,400}?) requires? approval",
    r"approval policy is \S+; reject command",  # Codex
    r"(?:failed to parse function arguments|unsupported call)\b",
    r"Tool execution (?:denied by policy|was blocked)",  # Gemini CLI, pi
    r"The user has specified a rule which prevents you from using this specific tool call",  # opencode
    r"Operation '.{0,2000}' is not supported by this environment",  # SWE-agent
    r"Your (?:proposed )?(?:bash )?command contained syntax errors? and was NOT executed",
    r"Your command was blocked",
)
_BY_USER = re.compile("|".join(_USER), re.DOTALL | re.IGNORECASE)
_BY_AGENT = re.compile("|".join(_AGENT), re.DOTALL)
BY_USER = "the user refused it"
BY_AGENT = "the agent did not run it"


def refusal(text: str) -> str | None:
    """Return who refused the call that got this result, or `None` where nothing says that it was not executed."""
    head = text[:4096].lstrip()
    if _BY_USER.match(head):
        return BY_USER
    return BY_AGENT if _BY_AGENT.match(head) else None
