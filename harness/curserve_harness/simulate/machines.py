"""The servers of a simulation: step time and KV memory of each model, known or swept. Main type: Served.

A model of `step_times.toml` has measured terms. One of `models.toml` has a rate and nothing else: what nobody
published is taken from the options, and where an option names a range, every value of it is a model of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from curserve_harness.console.exits import BadInput
from curserve_harness.plan import profiles, step_time
from curserve_harness.plan.profiles import ModelProfile
from curserve_harness.plan.step_time import Machine, StepTime
from curserve_harness.simulate.options import SimulateOptions, between, ends, size_bytes, time_ns
from curserve_results.manifest import ModelRecord

SWEPT = 3
"""Values of a range of terms: its ends and the one in the middle, by ratio."""

TERMS = {"t0": "base_ps", "tp": "prefill_ps", "td": "decode_ps", "tk": "kv_ps"}
"""Options, and the terms that they replace."""

BLOCK = 16
"""Tokens a block."""


@dataclass(frozen=True, slots=True)
class Served:
    """A model on the machine that serves it: `name` is its name in tables. `blocks` are those of one replica."""

    name: str
    step: StepTime
    kv_bytes_per_token: int
    kv_bytes: int
    source: str
    assumed: tuple[str, ...] = ()

    @property
    def blocks(self) -> int:
        """Blocks of KV memory of one replica."""
        return self.kv_bytes // (self.kv_bytes_per_token * BLOCK)

    def record(self) -> ModelRecord:
        """Return what a manifest says of it: the pace of one request alone, without context."""
        alone = self.step.base_ps + self.step.decode_ps
        prefill = self.step.prefill_ps
        rate = 1e12 / prefill if prefill else None
        return ModelRecord(round(alone / 1000), self.step.ns(prefill_tokens=1), rate, self.assumed, self.source)


def machines(options: SimulateOptions) -> list[Served]:
    """Return the servers to simulate, each named once; raises BadInput."""
    known = step_time.load(options.step_times)
    found: list[Served] = []
    for model in options.models:
        for served in _of(model, options, known):
            if any(served.name == other.name for other in found):
                raise BadInput(f"--model {model}: named twice; give each model once")
            found.append(served)
    return found


def _of(model: str, options: SimulateOptions, known: dict[tuple[str, str], Machine]) -> list[Served]:
    machine = known.get((model.strip().lower(), options.gpu.strip().lower()))
    if machine is None and any(name == model.strip().lower() for name, _ in known):
        step_time.find(model, options.gpu, known)  # says which machines it is known on
    if machine is None:
        try:
            profile = profiles.find(model, profiles.load())
        except BadInput:
            names = sorted({name for name, _ in known})
            raise BadInput(
                f"--model {model!r}: unknown; with measured step times: {', '.join(names)} "
                f"(--gpu {', '.join(sorted({gpu for _, gpu in known}))}); "
                f"by rate alone: {', '.join(profiles.load())}"
            ) from None
        return _by_rate(profile, options)
    per_token = _per_token(options, machine.kv_bytes_per_token)
    memory = size_bytes("--kv", options.kv) if options.kv else machine.kv_bytes
    if per_token is None or memory is None:
        raise BadInput(
            f"--model {model} --gpu {options.gpu}: its table has no KV sizes; add --kv and --kv-per-token"
        )
    name = f"{machine.model} on {machine.gpu}"
    return _swept(name, machine.step, (per_token, memory), machine.source, ("kv_gb",), options)


def _by_rate(profile: ModelProfile, options: SimulateOptions) -> list[Served]:
    """Return a model of which only the rate is known; the options say the rest."""
    missing = [f"--{name}" for name, given in (("kv", options.kv), ("td", options.td)) if given is None]
    if missing:
        raise BadInput(
            f"--model {profile.key}: nobody published its batch and KV terms; give {' and '.join(missing)}, "
            "--td as a range such as 5us..100us"
        )
    per_token = _per_token(options, LLAMA_8B) or LLAMA_8B
    base = StepTime(round(1e12 / profile.tokens_per_s), round(1e12 / profile.prefill_tokens_per_s), 0, 0, 0)
    assumed = ("td", "tk", "kv", *profile.assumed)
    memory = size_bytes("--kv", str(options.kv))
    return _swept(profile.name, base, (per_token, memory), profile.source, assumed, options)


LLAMA_8B = 131_072
"""Bytes of KV a token, where neither a table nor an option says them: those of Llama-8B."""


def _per_token(options: SimulateOptions, known: int | None) -> int | None:
    return size_bytes("--kv-per-token", options.kv_per_token) if options.kv_per_token else known


def _swept(
    name: str,
    step: StepTime,
    memory: tuple[int, int],
    source: str,
    assumed: Sequence[str],
    options: SimulateOptions,
) -> list[Served]:
    """Return a server for every value of the terms that the options name."""
    given = {term: _values(f"--{term}", value) for term in TERMS if (value := getattr(options, term)) is not None}
    found = []
    for values in product(*given.values()):
        terms = dict(zip(given, values, strict=True))
        ranged = {term: value for term, value in terms.items() if len(given[term]) > 1}
        more = "".join(f", {term} {_shown(value)}" for term, value in ranged.items())
        changed = {field: getattr(step, field) for field in StepTime.__slots__}
        changed |= {TERMS[term]: round(value * 1000) for term, value in terms.items()}
        if "t0" not in terms and step.decode_ps == 0:  # by rate: a request alone keeps its pace
            changed["base_ps"] = max(1, step.base_ps - changed["decode_ps"])
        _check(f"{name}{more}", changed)
        found.append(Served(f"{name}{more}", StepTime(**changed), *memory, source, (*assumed, *terms)))
        if found[-1].blocks < 1:
            raise BadInput(f"--kv: {memory[1]} bytes hold no block of {BLOCK} tokens; give more")
    return found


def _values(option: str, text: str) -> list[float]:
    both = ends(option, text)
    if both is None:
        return [time_ns(option, text)]
    low, high = (time_ns(option, end) for end in both)
    if low >= high:
        raise BadInput(f"{option} {text!r}: the range runs backwards; write the smaller end first")
    return between(low, high, SWEPT)


def _check(name: str, terms: dict[str, int]) -> None:
    most = {"base_ps": 10**13, "prefill_ps": 10**12, "decode_ps": 10**12, "kv_ps": 10**9, "pair_ps": 10**7}
    for option, field in TERMS.items():
        if terms[field] > most[field]:
            raise BadInput(f"--{option}: {terms[field] / 1000:g} ns for {name}; at most {most[field] / 1000:g} ns")


def _shown(ns: float) -> str:
    for unit, size in (("ms", 1e6), ("us", 1e3)):
        if ns >= size:
            return f"{ns / size:.3g}{unit}"
    return f"{ns:.3g}ns"
