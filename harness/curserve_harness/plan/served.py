"""Which model a run decodes with, by its name: the profile's that paces, or the one that the real vLLM serves.

Main name: `model_of`. A served model's pace is measured, whatever profile its steps were stretched to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from curserve_engines.cell.spec import Model
from curserve_harness.plan.plan import Plan
from curserve_harness.plan.profiles import ModelProfile

TINY = "tiny random Qwen3 (vLLM)"
"""What vLLM serves where no model is named."""


def option(arguments: Sequence[str], name: str) -> str | None:
    """Return the value of an option on vLLM's command line (the last that is given), or None."""
    found = None
    for place, word in enumerate(arguments):
        if word == name and place + 1 < len(arguments):
            found = arguments[place + 1]
        elif word.startswith(f"{name}="):
            found = word.removeprefix(f"{name}=")
    return found


def is_given(plan: Plan) -> bool:
    """Whether the run serves a model that its command line names, which is stretched to no profile."""
    return plan.llm == "vllm" and option(plan.vllm_args, "--model") is not None


def model_of(plan: Plan, profiles: Mapping[str, ModelProfile], key: str) -> Model:
    """Return the model of the plan's profile `key`: as it paces, or under the name of what is served."""
    profile = profiles[key].model()
    return profile if plan.llm == "paced" else replace(profile, name=_served(plan))


def _served(plan: Plan) -> str:
    if not is_given(plan):
        return TINY
    given = option(plan.vllm_args, "--served-model-name") or option(plan.vllm_args, "--model") or ""
    if given.startswith(("/", "./", "../")):
        given = PurePosixPath(given).name
    return f"{given} (vLLM)"
