"""Model profiles, read from `models.toml` or a user's own file of the same form."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curserve_engines.cell.spec import Model
from curserve_harness.console.exits import BadInput

BUNDLED = Path(__file__).with_name("models.toml")
_NUMBERS = {"tokens_per_s": True, "ttft_ms": False, "prefill_tokens_per_s": True}
"""The numeric fields, and whether zero is refused."""


@dataclass(frozen=True, slots=True)
class ModelProfile:
    """TPOT, TTFT and prefill rate of a model. `assumed` names the fields that nobody measured."""

    key: str
    name: str
    tokens_per_s: float
    ttft_ms: float
    prefill_tokens_per_s: float
    source: str
    assumed: tuple[str, ...] = ()

    @property
    def tpot_ns(self) -> int:
        """Time per output token."""
        return round(1e9 / self.tokens_per_s)

    @property
    def tpot_ms(self) -> float:
        """Time per output token."""
        return 1e3 / self.tokens_per_s

    def model(self) -> Model:
        """Return what a cell needs of the profile."""
        return Model(self.name, self.tpot_ns, round(self.ttft_ms * 1e6), self.prefill_tokens_per_s)


def load(path: Path | str | None = None) -> dict[str, ModelProfile]:
    """Return the bundled profiles by key and, over them, those of the user's file; raises BadInput."""
    profiles = _read(BUNDLED)
    return {**profiles, **_read(Path(path))} if path is not None else profiles


def find(name: str, profiles: Mapping[str, ModelProfile]) -> ModelProfile:
    """Return the profile called `name` (key or name, in any case); raises BadInput that lists the names."""
    wanted = _key(name)
    for profile in profiles.values():
        if wanted in (_key(profile.key), _key(profile.name)):
            return profile
    raise BadInput(f"--model {name!r}: unknown model; known: {', '.join(profiles)}")


def _key(name: str) -> str:
    return name.strip().lower().replace(" ", "-")


def _read(path: Path) -> dict[str, ModelProfile]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"--models {path}: {error.strerror}; name a readable TOML file") from error
    except ValueError as error:  # TOMLDecodeError and UnicodeDecodeError
        raise BadInput(f"--models {path}: not TOML ({error}); see {BUNDLED}") from error
    if not tables:
        raise BadInput(f"--models {path}: no model in it; see {BUNDLED}")
    return {key: _profile(key, table, path) for key, table in tables.items()}


def _profile(key: str, table: Any, path: Path) -> ModelProfile:
    where = f"--models {path}, [{key}]"
    if not isinstance(table, dict):
        raise BadInput(f"{where}: expected a table; see {BUNDLED}")
    numbers = {}
    for field, positive in _NUMBERS.items():
        value = table.get(field)
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, float))
            or not (0 <= value < 1e12)
            or (positive and value == 0)
        ):
            raise BadInput(f"{where}: {field} must be a {'positive ' * positive}number, got {value!r}")
        numbers[field] = float(value)
    unknown = set(table) - {*_NUMBERS, "name", "source", "assumed"}
    if unknown:
        raise BadInput(f"{where}: unknown field {', '.join(sorted(unknown))}; see {BUNDLED}")
    name, source, assumed = table.get("name", key), table.get("source", str(path)), table.get("assumed", [])
    if not isinstance(name, str) or not isinstance(source, str) or not isinstance(assumed, list):
        raise BadInput(f"{where}: name and source must be strings, assumed a list")
    return ModelProfile(key, name, source=source, assumed=tuple(map(str, assumed)), **numbers)
