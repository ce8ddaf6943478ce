"""What the model will say: a Script, made from a Trace and a Model before the clock starts.

Model time must not depend on the engine, so it comes from the recording alone: TTFT from the tokens that no
cache could hold, then one token every TPOT. Counts that the recording lacks are estimated from its text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from curserve_engines.cell.spec import Model
from curserve_engines.cell.spoken import SpokenCall, spoken
from curserve_traces.model import Trace, Turn
from curserve_traces.text import valid

CHARS_PER_TOKEN = 4
"""The usual rule of thumb for English and code, used where a recording has no counts."""


@dataclass(frozen=True, slots=True)
class ScriptTurn:
    """One turn as the server emits it. `estimated`: its token counts are not recorded ones."""

    reasoning: str
    text: str
    calls: tuple[SpokenCall, ...]
    prompt_tokens: int
    uncached_tokens: int
    output_tokens: int
    estimated: bool
    ttft_ns: int
    tpot_ns: int

    @property
    def decode_ns(self) -> int:
        """From the first token to the last."""
        return (self.output_tokens - 1) * self.tpot_ns

    def usage(self) -> tuple[int, int, int]:
        """Return prompt, cached and output tokens."""
        return self.prompt_tokens, max(0, self.prompt_tokens - self.uncached_tokens), self.output_tokens


@dataclass(frozen=True, slots=True)
class Script:
    """All turns of a trace in the voice of one model."""

    model: str
    turns: tuple[ScriptTurn, ...]

    def turn(self, number: int) -> ScriptTurn:
        """Return a turn; after the last recorded one the model says that the recording ends here."""
        if number < len(self.turns):
            return self.turns[number]
        tpot = self.turns[-1].tpot_ns if self.turns else 0
        return ScriptTurn("", "The recorded trace ends here.", (), 0, 0, 8, True, 0, tpot)


def make_script(trace: Trace, model: Model) -> Script:
    """Return the script of `trace` spoken by `model`."""
    turns: list[ScriptTurn] = []
    prompt = 0
    for number, turn in enumerate(trace.turns):
        calls = tuple(spoken(recorded, number, c) for c, recorded in enumerate(turn.calls))
        reasoning, text = valid(turn.reasoning or ""), valid(turn.text)
        shown = len(reasoning) + len(text) + sum(len(c.name) + len(c.arguments) for c in calls)
        output = turn.output_tokens or tokens(shown)
        uncached, known = _uncached(trace.turns, number)
        if known and turn.prompt_tokens is not None:
            prompt = turn.prompt_tokens
        else:
            prompt += uncached
        ttft = model.ttft_ns + round(uncached * 1e9 / model.prefill_tokens_per_s)
        estimated = not known or turn.output_tokens is None
        turns.append(ScriptTurn(reasoning, text, calls, prompt, uncached, output, estimated, ttft, model.tpot_ns))
        prompt += output
    return Script(model.name, tuple(turns))


def tokens(chars: int) -> int:
    """Estimate the tokens of a text by its length; at least one."""
    return max(1, -(-chars // CHARS_PER_TOKEN))


def _uncached(turns: Sequence[Turn], number: int) -> tuple[int, bool]:
    """Return the prompt tokens that no cache could hold, and whether the recording has them.

    They are prompt[t] − prompt[t−1] − output[t−1]: the rest is the previous prompt and what the model wrote.
    """
    turn = turns[number]
    before = turns[number - 1] if number else None
    if turn.prompt_tokens is not None:
        if before is None:
            return turn.prompt_tokens, True
        if before.prompt_tokens is not None and before.output_tokens is not None:
            added = turn.prompt_tokens - before.prompt_tokens - before.output_tokens
            if added >= 0:  # else the agent shortened its history: estimate
                return added, True
    chars = sum(len(message.text) for message in turn.before)
    if before is not None:
        chars += sum(len(c.observation.shown()) for c in before.calls if c.observation is not None)
    return tokens(chars), False
