"""What the scripted model has an agent do: Steps, each one call, with calls that do nothing between them.

The calls that do nothing cost what the agent's own dispatch costs; the others are what agents really call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

PROMPT: Final = "Look through this repository with your tools, and say when you are done."

FAREWELL: Final = "I have looked through the repository."


@dataclass(frozen=True, slots=True)
class Step:
    """One call: a line for the agent's shell. `name` is the row that it counts in."""

    name: str
    line: str


NOTHING: Final = Step("nothing", "true")
"""What costs the agent's dispatch, and a shell."""

READS: Final = (
    Step("grep -rn | head", "grep -rn 'class .*Error' --include='*.py' . | head -20"),
    Step("grep -rln | sort | head", "grep -rln 'def __init__' . | sort | head -20"),
    Step("find | head", "find . -name '*.py' -type f | head -50"),
    Step("rg | head", "rg -n --sort path 'import os' | head -30"),
    Step("cd && ls -la", "cd . && ls -la"),
    Step("grep -rn", "grep -rn 'raise NotImplementedError' --include='*.py' ."),
    Step("find | xargs grep", "find . -name '*.py' | xargs grep -ln 'logging' | head -10"),
)


def steps(rounds: int) -> tuple[Step, ...]:
    """Return the whole task: `rounds` times every read, with nothing before each."""
    return tuple(step for _ in range(rounds) for read in READS for step in (NOTHING, read))


def script(calls: Sequence[tuple[str, dict[str, Any]]], opening: int) -> dict[str, Any]:
    """Return the script of a model that calls these tools in turn, and then ends.

    The model's turns are counted by what stands in the conversation: `opening` of them are the agent's own words.
    """
    said = [{"name": name, "arguments": arguments} for name, arguments in calls]
    return {"opening": opening, "calls": said, "farewell": FAREWELL}
