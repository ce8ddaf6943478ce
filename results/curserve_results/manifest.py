"""The manifest: what a run was, so that its numbers can be judged and repeated. Main type: Manifest.

Written as `manifest.json` beside the samples when the run starts, and again when it ends (floor, achieved
round-trip times, void). A run folder without one is not a run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from curserve_results.errors import NotARun, ResultsError, SchemaMismatch
from curserve_results.files import read_limited, write_atomically
from curserve_results.schema import SCHEMA_VERSION
from curserve_traces.typed import built

NAME = "manifest.json"
MOST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a run was made; runs compare only when their fingerprints agree."""

    kernel: str = "unknown"
    architecture: str = "unknown"
    cpu: str = "unknown"
    cores: int = 0
    memory_bytes: int | None = None
    load_1m: float | None = None

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits over kernel, architecture, CPU and cores, by which two machines are alike."""
        alike = f"{self.kernel}|{self.architecture}|{self.cpu}|{self.cores}"
        return hashlib.sha256(alike.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class LinkRecord:
    """One link of the run as requested and as calibrated (`achieved_*`: median payload round trip).

    `void_reason` is set when the link drifted or never was what was asked for; its samples enter no table.
    """

    name: str
    backend: str = "unknown"
    requested_rtt_ns: int = 0
    achieved_before_ns: int | None = None
    achieved_after_ns: int | None = None
    tcp: Mapping[str, Any] = field(default_factory=dict)
    void_reason: str | None = None
    calibration: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """The model profile that set the pace; `assumed` names the values that no source gives.

    Of a model that was served (`Manifest.served`) it says what its steps were stretched to, 0 where to nothing.
    """

    tpot_ns: int
    ttft_base_ns: int = 0
    prefill_tokens_per_s: float | None = None
    assumed: tuple[str, ...] = ()
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything about a run that is not a sample; unknown keys of a file are kept in `extra`."""

    run: str
    seed: int
    command: tuple[str, ...] = ()
    suite: str = "unknown"
    started_at: str | None = None
    finished_at: str | None = None
    revision: str | None = None
    pace: str = "real"
    planned_blocks: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    engines: Mapping[str, str] = field(default_factory=dict)
    machine: Machine = field(default_factory=Machine)
    links: tuple[LinkRecord, ...] = ()
    models: Mapping[str, ModelRecord] = field(default_factory=dict)
    traces: Mapping[str, str] = field(default_factory=dict)
    floor: Mapping[str, Any] | None = None
    void_reason: str | None = None
    exclusions: tuple[str, ...] = ()
    schema_version: int = SCHEMA_VERSION
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def void(self) -> bool:
        """Whether the whole run is void."""
        return self.void_reason is not None

    @property
    def served(self) -> bool:
        """Whether a real server decoded (`--llm vllm`): its pace is in the samples, no profile's."""
        return bool(self.extra.get("llm", "paced") != "paced")

    @property
    def links_at_once(self) -> int:
        """How many links ran side by side on the one machine."""
        at_once: int = self.extra.get("links_at_once", 1)
        return at_once

    def link(self, name: str) -> LinkRecord | None:
        """Return the record of the link called `name`, if the run has it."""
        return next((link for link in self.links if link.name == name), None)

    def write(self, folder: Path) -> None:
        """Write `folder/manifest.json`, whole or not at all."""
        data = asdict(self)
        data["void"] = self.void
        data["machine"]["fingerprint"] = self.machine.fingerprint
        text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
        content = text.encode("utf-8", "backslashreplace")  # half characters of the command line, as JSON has them
        write_atomically(folder / NAME, content, links=False)

    def with_changes(self, **changes: Any) -> Manifest:
        """Return a copy with some fields replaced."""
        return replace(self, **changes)


def read_manifest(folder: Path) -> Manifest:
    """Read `folder/manifest.json`; a missing, damaged or newer one is a one-line ResultsError."""
    path = folder / NAME
    try:
        data = json.loads(read_limited(path, MOST_BYTES), parse_constant=_no_number)
    except FileNotFoundError:
        raise NotARun(f"{folder}: no {NAME} here; give the folder that `replay --out` wrote") from None
    except (OSError, ValueError, RecursionError) as error:
        raise NotARun(f"{path}: cannot be read as JSON ({error}); the run is damaged, repeat it") from None
    if not isinstance(data, dict):
        raise NotARun(f"{path}: holds no JSON object; this is not a manifest of ours")
    version = data.get("schema_version")
    if version != SCHEMA_VERSION:
        raise SchemaMismatch(
            f"{path}: schema version {version!r}, this program reads {SCHEMA_VERSION}; "
            "use the version of curserve-bench that wrote it, or repeat the run"
        )
    try:
        return _from_json(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ResultsError(f"{path}: not a manifest this program understands ({error})") from None


def _no_number(text: str) -> float:
    """Refuse what JSON does not have: it would be shown as a measurement."""
    raise ValueError(f"{text} is no number")


_AT_LEAST_ZERO = ("requested_rtt_ns", "achieved_before_ns", "achieved_after_ns", "tpot_ns", "ttft_base_ns")


def _from_json(data: dict[str, Any]) -> Manifest:
    """Build a Manifest from parsed JSON; raises KeyError, TypeError or ValueError where it does not fit."""
    known = {f.name for f in fields(Manifest)} - {"extra"}
    values = {key: value for key, value in data.items() if key in known}
    extra = data.get("extra", {})
    if not isinstance(extra, dict):
        raise TypeError("extra: expected an object")
    outside = {key: value for key, value in data.items() if key not in known and key not in ("void", "extra")}
    values["extra"] = {**extra, **outside}
    if isinstance(values.get("machine"), dict):
        machine = values["machine"]
        values["machine"] = {f.name: machine[f.name] for f in fields(Machine) if f.name in machine}
    for name in ("machine", "models"):
        if values.get(name, {}) is None:  # as early versions wrote what they did not know
            del values[name]
    manifest = built(Manifest, values)
    for where, record in (*((link.name, link) for link in manifest.links), *manifest.models.items()):
        for name in _AT_LEAST_ZERO:
            if (getattr(record, name, None) or 0) < 0:
                raise ValueError(f"{where}: {name} is negative")
    if not isinstance(manifest.extra.get("links_at_once", 1), int):
        raise TypeError("links_at_once must be a whole number")
    return manifest
