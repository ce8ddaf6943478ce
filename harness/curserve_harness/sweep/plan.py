"""`plan.toml`: which runs a sweep makes. Main names: `read_plan`, SweepPlan, Cell.

    [defaults]                       # options of every cell, by their long names
    suite = "quick"
    repetitions = 3

    [[grid]]                         # one cell for each combination of what has a list under `over`
    verb = "load"
    engine = ["daemon", "client-subprocess"]     # a list that is not under `over` is a repeated option
    over = { rtt = ["0ms", "15ms", "150ms"], sessions = [1, 4, 16] }

A plan may come from anybody: it names no program. Engines that are not registered are named on the command
line of `sweep`, and nothing that reads or writes a folder of this machine can be asked for.
"""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curserve_harness.console.exits import BadInput

VERBS = ("replay", "load", "simulate")
FORBIDDEN = (
    "out",
    "resume",
    "workspace",
    "trace",
    "trace-load",
    "step-times",
    "allow-source",
    "vllm-args",
    "tools",
    "format",
)
"""Options that name files and folders of a machine, or what is written where: a person's, not a plan's."""

ONLY = {"--tools": ("load", "simulate"), "--workspace": ("replay", "load")}
"""Options of `sweep` that not every verb has."""

MOST_CELLS = 100_000


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of a sweep: a verb and its options, in the order of the file."""

    number: int
    verb: str
    arguments: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return the name of its folder."""
        return f"cell-{self.number:05d}"

    def command(self, out: Path, more: Sequence[str] = ()) -> list[str]:
        """Return what follows `curserve-bench`; of the options of every cell, those that its verb has."""
        own = [word for word in more if self.verb in ONLY.get(word.partition("=")[0], VERBS)]
        return [self.verb, *self.arguments, *own, "--out", str(out)]


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """All cells, in order."""

    cells: tuple[Cell, ...]


def read_plan(path: Path) -> SweepPlan:
    """Read a plan; raises BadInput that names the place."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}; name a readable TOML file") from error
    except ValueError as error:
        raise BadInput(f"{path}: not TOML ({error})") from error
    unknown = set(data) - {"defaults", "grid"}
    if unknown:
        raise BadInput(f"{path}: unknown table {', '.join(sorted(unknown))}; there are [defaults] and [[grid]]")
    defaults, grids = data.get("defaults", {}), data.get("grid", [])
    if not isinstance(defaults, dict) or not isinstance(grids, list) or not grids:
        raise BadInput(f"{path}: no [[grid]] in it; a sweep needs one at least")
    cells: list[Cell] = []
    for place, grid in enumerate(grids):
        where = f"{path}, [[grid]] {place + 1}"
        if not isinstance(grid, dict):
            raise BadInput(f"{where}: not a table")
        for verb, options in _combinations(defaults, grid, where):
            cells.append(Cell(len(cells), verb, tuple(_words(options, where))))
            if len(cells) > MOST_CELLS:
                raise BadInput(f"{where}: more than {MOST_CELLS:,} cells; split the sweep")
    return SweepPlan(tuple(cells))


def _combinations(
    defaults: Mapping[str, Any], grid: Mapping[str, Any], where: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    over = grid.get("over", {})
    verb = grid.get("verb")
    if verb not in VERBS:
        raise BadInput(f"{where}: verb is {verb!r}; one of {', '.join(VERBS)}")
    if not isinstance(over, dict) or not all(isinstance(values, list) and values for values in over.values()):
        raise BadInput(f"{where}: over must be a table of lists, such as over = {{ rtt = ['0ms', '15ms'] }}")
    fixed = {**defaults, **{name: value for name, value in grid.items() if name not in ("verb", "over")}}
    for values in itertools.product(*over.values()):
        yield verb, {**fixed, **dict(zip(over, values, strict=True))}


def _words(options: Mapping[str, Any], where: str) -> Iterator[str]:
    for name, value in options.items():
        option = name.replace("_", "-")
        if option in FORBIDDEN:
            raise BadInput(f"{where}: {name} is not for a plan to say; give it to `sweep`, or leave it out")
        if not option.replace("-", "").isalnum():
            raise BadInput(f"{where}: {name!r} is no name of an option")
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, bool):
                yield f"--{option}" if one else f"--no-{option}"
                continue
            if not isinstance(one, (str, int, float)):
                raise BadInput(f"{where}: {name} must be text, a number, a flag, or a list of such")
            if option == "engine" and ("/" in str(one) or str(one).endswith(".toml")):
                raise BadInput(
                    f"{where}: engine {one!r}: a plan names registered engines only; give files to --engine"
                )
            yield f"--{option}={one}"
