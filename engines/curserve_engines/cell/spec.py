"""One cell as all that play it get it: CellSpec. Plain values, plain JSON, for a role's control channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from curserve_engines.protocol import Placement
from curserve_traces.typed import built

Api = Literal["chat", "responses"]
Pace = Literal["real", "virtual"]
State = Literal["known", "unknown", "undetermined"]
"""What the workspace holds when a call runs: what it held in the recording; the same in every engine and in the
reference, but perhaps not what it held in the recording; perhaps not even the same in all of them."""


@dataclass(frozen=True, slots=True)
class CallPolicy:
    """How one call is answered: `executed` by the engine, or `recorded` (from the recording, its delta applied).

    `reason` says why it is answered from the recording, or why the `workspace` that it runs on is not known.
    `program` is the first program of a bash call (a column). `sampled_ns`: the call is not executed, but answered
    from the recording after so long, which is what it took in another run.
    """

    label: Literal["executed", "recorded"] = "executed"
    workspace: State = "known"
    reason: str | None = None
    program: str | None = None
    sampled_ns: int | None = None


@dataclass(frozen=True, slots=True)
class TurnPolicy:
    """How the calls of one turn are answered, and whether they run in parallel (all of them reads)."""

    calls: tuple[CallPolicy, ...] = ()
    parallel: bool = False


@dataclass(frozen=True, slots=True)
class Model:
    """A ModelProfile as one cell needs it: TTFT = `ttft_ns` + uncached prompt tokens / `prefill_tokens_per_s`."""

    name: str
    tpot_ns: int
    ttft_ns: int
    prefill_tokens_per_s: float


@dataclass(frozen=True, slots=True)
class CellSpec:
    """Everything that both roles must know of a cell; the same value goes to both.

    `trace` is a path readable in both hosts. `root` is the cell's own pristine copy of the workspace, used by the
    role that holds the engine. `tcp` holds the fields of `curserve_netem.link.Tcp`. `turns` has one policy per
    turn of the trace; empty means: execute every call, in recorded order. `deadline_s` bounds the whole cell.
    `engine_options` are the engine's own. The remaining fields are copied into every row.
    """

    run: str
    block: int
    cell: int
    trace: str
    engine: str
    placement: Placement
    model: Model
    root: str | None = None
    at: str = "/testbed"
    shell: Literal["fresh", "persistent"] = "fresh"
    api: Api = "chat"
    pace: Pace = "real"
    stream: bool = True
    tcp: Mapping[str, Any] = field(default_factory=dict)
    turns: tuple[TurnPolicy, ...] = ()
    deadline_s: float = 3600.0
    timeout_s: float = 60.0  # of one executed call
    sandbox: str = "auto"
    engine_options: Mapping[str, Any] = field(default_factory=dict)
    # columns only
    trace_id: str = ""
    repetition: int = 0
    link: str | None = None
    backend: str | None = None
    rtt_ns: int = 0
    order: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the cell as plain JSON values."""
        return asdict(self)

    def policy(self, turn: int, call: int) -> CallPolicy:
        """Return how a call is answered."""
        if turn < len(self.turns) and call < len(self.turns[turn].calls):
            return self.turns[turn].calls[call]
        return CallPolicy()

    @property
    def sampled(self) -> bool:
        """Whether no call of the cell is executed, since those that would be have times of another run."""
        return any(call.sampled_ns is not None for turn in self.turns for call in turn.calls)

    def parallel(self, turn: int) -> bool:
        """Return whether the calls of a turn run in parallel."""
        return turn < len(self.turns) and self.turns[turn].parallel


class BadMessage(ValueError):
    """Raised when a control message is not what it should be; says which field."""


def cell_from_json(data: Any) -> CellSpec:
    """Read a CellSpec from JSON values, every value of its type; raises BadMessage, naming the field."""
    number = data.get("cell") if isinstance(data, dict) else None
    try:
        cell = built(CellSpec, data, "cell")
    except TypeError as error:
        raise BadMessage(f"cell {number!r:.40}: {error}; see CellSpec in curserve_engines.cell.spec") from error
    times = ("tpot_ns", cell.model.tpot_ns), ("ttft_ns", cell.model.ttft_ns), ("deadline_s", cell.deadline_s)
    rate = ("prefill_tokens_per_s", cell.model.prefill_tokens_per_s)
    for name, value in (("cell", cell.cell), *times, ("timeout_s", cell.timeout_s), rate):
        if not 0 <= value < 1e18:
            raise BadMessage(f"cell {number}: {name} must be a number that is not negative, got {value!r}")
    if cell.model.prefill_tokens_per_s == 0:
        raise BadMessage(f"cell {number}: prefill_tokens_per_s must not be 0")
    return cell
