"""The duration of a model's step by what is in its batch, read from `step_times.toml` or a user's own file.

`core/sched` (`StepTime`) adds the same terms. Both count in picoseconds, whole numbers, so they agree exactly.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curserve_harness.console.exits import BadInput

BUNDLED = Path(__file__).with_name("step_times.toml")
_PICOSECONDS = {"base_ms": 10**9, "prefill_us": 10**6, "decode_us": 10**6, "kv_ns": 1000, "pair_ns": 1000}
"""The fields of a table, and how many picoseconds their unit has."""
_MEMORY = {"kv_bytes_per_token": 1, "kv_gb": 10**9}
"""Fields that may be left out, and how many bytes their unit has."""
_MOST_PS = {"base_ms": 10**13, "prefill_us": 10**12, "decode_us": 10**12, "kv_ns": 10**9, "pair_ns": 10**7}
"""Ten seconds a step, a second a token, 1 ms, 10 µs: no machine comes near, and no sum passes 64 bits."""


@dataclass(frozen=True, slots=True)
class StepTime:
    """The five terms, in picoseconds."""

    base_ps: int
    prefill_ps: int
    decode_ps: int
    kv_ps: int
    pair_ps: int

    def ns(self, *, prefill_tokens: int = 0, decodes: int = 0, kv_tokens: int = 0, pairs: int = 0) -> int:
        """Return the duration of a step in nanoseconds, rounded to the nearest; 0 for an empty one."""
        load = (prefill_tokens, decodes, kv_tokens, pairs)
        if not any(load):
            return 0
        terms = (self.prefill_ps, self.decode_ps, self.kv_ps, self.pair_ps)
        return (self.base_ps + sum(term * count for term, count in zip(terms, load, strict=True)) + 500) // 1000


@dataclass(frozen=True, slots=True)
class Machine:
    """A model on a GPU (or several), and where its numbers are from.

    `kv_bytes_per_token` is that of all its GPUs together, `kv_bytes` the memory left for KV; `None`: unknown.
    """

    model: str
    gpu: str
    step: StepTime
    source: str
    kv_bytes_per_token: int | None = None
    kv_bytes: int | None = None


def load(path: Path | str | None = None) -> dict[tuple[str, str], Machine]:
    """Return the bundled machines by (model, gpu) and, over them, those of the user's file; raises BadInput."""
    machines = _read(BUNDLED)
    return {**machines, **_read(Path(path))} if path is not None else machines


def find(model: str, gpu: str, machines: Mapping[tuple[str, str], Machine]) -> Machine:
    """Return a machine by its names, in any case; raises BadInput that lists the known ones."""
    wanted = (model.strip().lower(), gpu.strip().lower())
    if wanted in machines:
        return machines[wanted]
    known = ", ".join(f"{name} on {chip}" for name, chip in machines)
    raise BadInput(f"--model {model!r} --gpu {gpu!r}: no step time is known; known: {known}")


def _read(path: Path) -> dict[tuple[str, str], Machine]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"--step-times {path}: {error.strerror}; name a readable TOML file") from error
    except ValueError as error:  # TOMLDecodeError and UnicodeDecodeError
        raise BadInput(f"--step-times {path}: not TOML ({error}); see {BUNDLED}") from error
    if not tables:
        raise BadInput(f"--step-times {path}: no model in it; see {BUNDLED}")
    machines = {}
    for model, gpus in tables.items():
        where = f"--step-times {path}, [{model}"
        if not isinstance(gpus, dict) or not all(isinstance(table, dict) for table in gpus.values()):
            raise BadInput(f"{where}]: expected a table for each GPU, such as [{model}.h100]")
        for gpu, table in gpus.items():
            machines[model.lower(), gpu.lower()] = _machine(model, gpu, table, f"{where}.{gpu}]")
    return machines


def _machine(model: str, gpu: str, table: dict[str, Any], where: str) -> Machine:
    unknown, known = set(table) - {*_PICOSECONDS, *_MEMORY, "source"}, ", ".join((*_PICOSECONDS, *_MEMORY))
    if unknown:
        raise BadInput(f"{where}: unknown field {', '.join(sorted(unknown))}; known: {known}, source")
    source = table.get("source")
    if not isinstance(source, str) or not source.strip():
        raise BadInput(f"{where}: source must say where the numbers are from")
    step = StepTime(*(_term(table, field, where) for field in _PICOSECONDS))
    return Machine(model, gpu, step, source, *(_bytes(table, field, where) for field in _MEMORY))


def _bytes(table: dict[str, Any], field: str, where: str) -> int | None:
    value, unit = table.get(field), _MEMORY[field]
    if value is None:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 1 <= value * unit <= 10**15:
        return round(value * unit)
    raise BadInput(f"{where}: {field} must be a number above 0, up to {1e15 / unit:g}, got {value!r}")


def _term(table: dict[str, Any], field: str, where: str) -> int:
    value, unit = table.get(field), _PICOSECONDS[field]
    limit = _MOST_PS[field] / unit
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= limit:
        term = round(value * unit)
        if term > 0 or field != "base_ms":
            return term
    least = "above 0" if field == "base_ms" else "from 0"
    raise BadInput(f"{where}: {field} must be a number {least} to {limit:g}, got {value!r}")
