"""What sessions say: traces as tokens, turn by turn, and synthetic ones of measured shapes. Main type: Talk."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from curserve_engines.cell.spec import Model
from curserve_harness.console.exits import BadInput
from curserve_harness.llm.script import make_script, tokens
from curserve_harness.plan.policy import trace_policy
from curserve_harness.simulate.samples import RECORDED
from curserve_traces.model import Trace

if TYPE_CHECKING:
    from curserve_core.sim import Scripts

ANY = "any"
"""The kind of a turn of which nobody knows what its tools were: drawn from all samples."""

SYNTHETIC = 200
"""Synthetic sessions to draw from."""

FIRST_TOKENS = 12_000
"""Of a synthetic session's first prompt: system prompt, tools and task."""

SYSTEM_TOKENS = 10_000
"""Of them, those that all synthetic sessions share."""


Text = tuple[tuple[int, int, int], ...]
"""A prompt as pieces of texts: which text, its first token, how many."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A turn: tokens before the reply and of the reply, kind of tools, and time besides them in ns."""

    new: int
    reply: int
    kind: str
    more_ns: int = 0


@dataclass(frozen=True, slots=True)
class Talk:
    """A session as it will be said; `shared` tokens of its beginning are text `prefix`, which others share."""

    name: str
    turns: tuple[Spoken, ...]
    prefix: int = 0
    shared: int = 0
    texts: tuple[Text, ...] = ()
    """The whole prompt of each turn, where it is not all that was said before with something new at its end."""
    common: bool = False
    """Whether others who say this say the same text: requests of a server's log."""

    def most_tokens(self) -> int:
        """Return how long the conversation gets."""
        if self.texts:
            prompts = (sum(piece[2] for piece in text) for text in self.texts)
            return max(prompt + turn.reply for prompt, turn in zip(prompts, self.turns, strict=True))
        return self.shared + sum(turn.new + turn.reply for turn in self.turns)


def from_traces(traces: Sequence[Trace]) -> list[Talk]:
    """Return recorded traces as talk; token counts that the recording lacks are estimated from its text."""
    texts: dict[str, int] = {}
    talks = []
    for trace in traces:
        system = "".join(m.text for turn in trace.turns[:1] for m in turn.before if m.role == "system")
        script = make_script(trace, Model("any", 0, 0, 1e9))
        turns = [
            Spoken(max(1, said.uncached_tokens), max(1, said.output_tokens), *_tools(trace, number))
            for number, said in enumerate(script.turns)
        ]
        shared = min(tokens(len(system)) if system else 0, turns[0].new - 1) if turns else 0
        if shared:
            first = turns[0]
            turns[0] = Spoken(first.new - shared, first.reply, first.kind, first.more_ns)
        talks.append(Talk(trace.id, tuple(turns), texts.setdefault(system, len(texts)), shared))
    return [talk for talk in talks if talk.turns]


def _tools(trace: Trace, number: int) -> tuple[str, int]:
    """Return the kind of a turn's tools, and what those took that are answered from the recording."""
    policies = trace_policy(trace, "reads-and-edits")[number].calls
    calls = trace.turns[number].calls
    apart = [call for call, policy in zip(calls, policies, strict=True) if policy.label == "recorded"]
    more = sum((call.observation.duration_ns or 0) for call in apart if call.observation is not None)
    if not calls or len(apart) == len(calls):
        return RECORDED, more
    return policies[0].program or calls[0].call.tool, more


def synthetic(seed: int) -> list[Talk]:
    """Return sessions of the shapes that real ones were measured to have (`curserve_traces.synthetic`)."""
    from curserve_traces.synthetic import batches

    frame = next(batches(SYNTHETIC, seed, SYNTHETIC))
    talks = []
    for (name,), calls in frame.group_by("trace", maintain_order=True):
        turns: list[Spoken] = []
        read = FIRST_TOKENS - SYSTEM_TOKENS
        for (_,), own in calls.group_by("turn", maintain_order=True):
            others = own.filter(effect="other")
            kind = RECORDED if others.height == own.height else str(own["program"][0])
            turns.append(
                Spoken(read, max(1, int(own["output_tokens"][0])), kind, int(others["duration_ns"].sum()))
            )
            read = tokens(int(own["output_bytes"].sum()))
        talks.append(Talk(str(name), tuple(turns), 0, SYSTEM_TOKENS))
    return talks


def kinds(talks: Sequence[Talk]) -> list[str]:
    """Return the kinds of tools that are used, each once."""
    return list(dict.fromkeys(turn.kind for talk in talks for turn in talk.turns))


def scripts(talks: Sequence[Talk]) -> Scripts:
    """Return talk as the core takes it."""
    from curserve_core.sim import Scripts

    if not talks:
        raise BadInput("--trace: no session with a turn in it; give another")
    number = {kind: place for place, kind in enumerate(kinds(talks))}
    said = [
        (
            (talk.prefix, talk.shared),
            [(turn.new, turn.reply, number[turn.kind], turn.more_ns) for turn in talk.turns],
        )
        for talk in talks
    ]
    if not talks[0].texts:
        return Scripts(said)
    return Scripts(said, [list(text) for talk in talks for text in talk.texts], shared=talks[0].common)


def digest(talks: Sequence[Talk]) -> str:
    """Return a digest of everything that is said."""
    whole = hashlib.sha256()
    for talk in talks:
        whole.update(repr(talk).encode("utf-8", "backslashreplace"))
    return f"sha256:{whole.hexdigest()}"
