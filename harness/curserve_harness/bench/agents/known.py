"""The agents that are measured: how each is started headless, finds its model, and has its shell tool called."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ADAPTER: Final = "curserve_engines.adapters.mini_swe_agent.CurserveEnvironment"
MODEL: Final = "scripted"


@dataclass(frozen=True, slots=True)
class Start:
    """A command, and what its environment has besides; `home` is a folder of this run alone."""

    words: tuple[str, ...]
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent. `start` gives the command for a prompt, a model's URL, a home, and whether to use an adapter."""

    name: str
    program: str
    start: Callable[[str, str, Path, bool], Start]
    call: Callable[[str], tuple[str, dict[str, Any]]]
    """The tool that runs a line of shell, and its arguments."""
    has_adapter: bool = False
    """It is reached by an adapter, and not by what lies on PATH."""
    opening: int = 0
    """How many answers it puts into the model's mouth before the task."""


def _qwen(prompt: str, url: str, home: Path, adapted: bool) -> Start:  # noqa: ARG001
    settings = home / ".qwen/settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(
        json.dumps(
            {
                "general": {"disableAutoUpdate": True},
                "privacy": {"usageStatisticsEnabled": False},
                "telemetry": {"enabled": False},
                "security": {"auth": {"selectedType": "openai"}},
            }
        )
    )
    words = ("qwen", "--yolo", "--auth-type", "openai", "--model", MODEL, "-p", prompt)
    return Start(words, {"OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": "none", "OPENAI_MODEL": MODEL})


def _opencode(prompt: str, url: str, home: Path, adapted: bool) -> Start:  # noqa: ARG001
    config = home / ".config/opencode/opencode.json"
    config.parent.mkdir(parents=True)
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "Local",
        "options": {"baseURL": f"{url}/v1", "apiKey": "none"},
        "models": {MODEL: {"name": MODEL}},
    }
    config.write_text(
        json.dumps(
            {
                "$schema": "https://opencode.ai/config.json",
                "autoupdate": False,
                "share": "disabled",
                "provider": {"local": provider},
                "permission": {"*": "allow"},
                "small_model": f"local/{MODEL}",
            }
        )
    )
    words = ("opencode", "run", "--model", f"local/{MODEL}", "--title", "task", prompt)
    return Start(words, {"OPENCODE_DISABLE_MODELS_FETCH": "1", "OPENCODE_DISABLE_AUTOUPDATE": "1"})


def _codex(prompt: str, url: str, home: Path, adapted: bool) -> Start:  # noqa: ARG001
    config = home / ".codex/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(
        f'model = "{MODEL}"\nmodel_provider = "local"\ncheck_for_update_on_startup = false\n'
        "[analytics]\nenabled = false\n"
        f'[model_providers.local]\nname = "local"\nbase_url = "{url}/v1"\nwire_api = "responses"\n'
    )
    words = (
        "codex", "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", prompt,
    )  # fmt: skip
    return Start(words, {"CODEX_HOME": str(config.parent)})


def _mini(prompt: str, url: str, home: Path, adapted: bool) -> Start:
    words = [
        "mini", "-t", prompt, "--yolo", "--exit-immediately", "--model", f"openai/{MODEL}",
        "-o", str(home / "trajectory.json"),
    ]  # fmt: skip
    if adapted:
        words += ["--environment-class", ADAPTER]
    return Start(
        tuple(words),
        {
            "OPENAI_API_BASE": f"{url}/v1",
            "OPENAI_BASE_URL": f"{url}/v1",
            "OPENAI_API_KEY": "none",
            "MSWEA_CONFIGURED": "true",
            "MSWEA_COST_TRACKING": "ignore_errors",
            "MSWEA_SILENT_STARTUP": "1",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        },
    )


AGENTS: Final = {
    agent.name: agent
    for agent in (
        Agent(
            "qwen", "qwen", _qwen,
            lambda line: ("run_shell_command", {"command": line, "is_background": False, "description": "look"}),
            opening=1,  # "Got it. Thanks for the context!"
        ),
        Agent("opencode", "opencode", _opencode, lambda line: ("bash", {"command": line, "description": "look"})),
        Agent("codex", "codex", _codex, lambda line: ("exec_command", {"cmd": line})),
        Agent("mini-swe-agent", "mini", _mini, lambda line: ("bash", {"command": line}), has_adapter=True),
    )
}  # fmt: skip


def environment(home: Path, start: Start) -> dict[str, str]:
    """Return the environment of one run: of ours only what finds programs."""
    kept = {name: os.environ[name] for name in ("PATH", "NODE_EXTRA_CA_CERTS", "PYTHONPATH") if name in os.environ}
    return {
        **kept,
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "SHELL": "/bin/bash",
        "USER": "user",
        "NO_COLOR": "1",
        "CI": "1",
        **start.environment,
    }
