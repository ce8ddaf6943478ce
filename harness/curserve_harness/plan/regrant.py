"""What a resume is given again: whatever in a run folder would choose a program, a folder or a command line.

A run folder may come from elsewhere. Its plan says what is to be measured; which program runs, what of this
machine it sees and how far a trace may go is for the person to say, on this command line, each time.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from curserve_engines import registry
from curserve_harness.console.exits import BadInput
from curserve_harness.plan.plan import Plan
from curserve_harness.plan.resolve import ReplayOptions, place_of, vllm_arguments


def require(plan: Plan, options: ReplayOptions) -> None:
    """Raise BadInput where the plan wants what was not given: says the option, and what it would allow."""
    known = registry.names()
    given = {place_of(Path(name)) for name in options.engines if name.endswith(".toml")}
    for name in plan.engines:
        if name not in known and name not in given:
            raise BadInput(
                f"--resume: the run has the engine {name}, which is a program to run here; if you trust it, "
                f"name it again: --engine {shlex.quote(name)}"
            )
    if plan.workspace is not None and plan.workspace != place_of(options.workspace):
        raise BadInput(
            f"--resume: the run copies the folder {plan.workspace} into its sandboxes; if it may, name it again: "
            f"--workspace {shlex.quote(plan.workspace)}"
        )
    if plan.llm == "vllm" and list(plan.vllm_args) != vllm_arguments(options):
        words = shlex.quote(shlex.join(plan.vllm_args))
        raise BadInput(
            f"--resume: the run starts vLLM with options of its own; read them and give them again: --llm vllm "
            f"--vllm-args {words}"
        )
    if plan.sandbox != options.sandbox:
        raise BadInput(f"--resume: the run's commands are held otherwise; give --sandbox {plan.sandbox} again")
    if plan.execute == "all" and options.execute != "all":
        raise BadInput("--resume: the run executes every call, not only reads and edits; give --execute all again")
