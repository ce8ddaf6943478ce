"""The real vLLM server as the model server: VllmServer starts it, waits for it, and leaves nothing behind.

It lives in an environment of its own (`make vllm`), because it pins torch and a hundred other packages. Without
weights it serves a tiny random Qwen3 made on the spot. It runs in a process namespace of its own with a private
/dev/shm, so that its engine and workers vanish with it, whatever ends it.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from curserve_engines.vllm.engine import VllmEngine, vllm_python, vllm_version
from curserve_traces import scratch

READY_S = 600.0
"""A tiny model is up in 18 to 50 s on quiet cores; on busy ones it took three minutes."""


class VllmError(Exception):
    """Raised when vLLM cannot be had, does not come up, or refuses; says what to do next."""


@dataclass(frozen=True, slots=True)
class VllmOptions:
    """How to start vLLM. `model` None: a tiny random one; `arguments` go to vLLM's own command line.

    `pace`: `{"tpot_ns", "ttft_ns", "prefill_tokens_per_s"}`, to stretch a tiny model's steps to a profile's.
    `limits`: `{"share", "sessions", "cells", "idle_s", "unplayed_s"}` of the plug-in. `kv_blocks` overrides the
    size of the KV cache.
    """

    model: str | None = None
    arguments: tuple[str, ...] = ()
    context: int = 32768
    kv_blocks: int | None = None
    block_size: int | None = None
    max_seqs: int = 64
    pace: Mapping[str, float] | None = None
    limits: Mapping[str, float] = field(default_factory=dict)
    device: str = "cpu"


def why_no_vllm() -> str | None:
    """Return why the real server cannot be started here, `None` if it can."""
    if os.environ.get("CURSERVE_NO_VLLM"):
        return "vllm: not started, since CURSERVE_NO_VLLM is set"
    return VllmEngine().info().missing


class VllmServer:
    """A running vLLM server; a context manager. `folder` holds its model, log, stamps and forced tokens."""

    def __init__(self, folder: Path, options: VllmOptions | None = None, host: str = "127.0.0.1", port: int = 0):
        self.folder, self.options, self.host = folder, options or VllmOptions(), host
        self.port = port or _free_port(host)
        self.url = f"http://{host}:{self.port}"
        self.log = folder / "vllm.log"
        self._key = secrets.token_urlsafe(24)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start and wait until it answers; raises VllmError with the last lines of its log."""
        python = vllm_python()
        deadline = time.monotonic() + READY_S
        for name in ("forced", "tmp"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "stamps.jsonl").touch()
        command = [*_apart(), str(python), "-m", "vllm.entrypoints.openai.api_server", *self._arguments(python)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment(python)
            )
        try:
            self._await_ready(deadline)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End the server and all its processes; remove what only it needed."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()  # its namespace dies with it
            process.wait()
        for name in ("forced", "tmp"):
            scratch.remove(self.folder / name)

    def open(self, cell: Mapping[str, Any]) -> None:
        """Open a cell, given as CellSpec's JSON."""
        self._post("open", {"cell": dict(cell)})

    def close(self, number: int) -> dict[str, Any]:
        """Close a cell: `{"rows", "details", "steps", "error"}`."""
        return self._post("close", {"cell": number})

    def state(self) -> dict[str, Any]:
        """Return the plug-in's state: sessions, blocks held, evictions."""
        return self._ask("GET", "state", None)

    def kv_usage(self) -> float:
        """Return the share of KV blocks in use, as vLLM's own metric tells it."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=30) as answer:  # noqa: S310 - our own URL
            for line in answer.read().decode().splitlines():
                if line.startswith("vllm:kv_cache_usage_perc{"):
                    return float(line.rsplit(" ", 1)[1])
        raise VllmError(f"vllm: {self.url}/metrics reports no vllm:kv_cache_usage_perc; use vLLM 0.32")

    def alive(self) -> bool:
        """Return whether the server's process runs."""
        return self._process is not None and self._process.poll() is None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _arguments(self, python: Path) -> list[str]:
        options = self.options
        arguments = ["--host", self.host, "--port", str(self.port), "--max-num-seqs", str(options.max_seqs)]
        arguments += ["--middleware", "curserve_engines.vllm.edge.Edge", "--enable-request-id-headers"]
        arguments += ["--worker-cls", "curserve_engines.vllm.worker.Worker", "--disable-uvicorn-access-log"]
        if options.model is None:
            model = self.folder / "model"
            if not (model / "config.json").is_file():
                self._make_tiny(python, model)
            arguments += ["--model", str(model), "--load-format", "dummy", "--served-model-name", "tiny"]
            arguments += ["--max-model-len", str(options.context)]
            arguments += ["--enable-auto-tool-choice", "--tool-call-parser", "hermes"]
        elif "--model" not in options.arguments:
            arguments += ["--model", options.model]
        if options.device == "cpu":
            arguments += ["--enforce-eager", "--dtype", "bfloat16"]
        if options.kv_blocks is not None:
            arguments += ["--num-gpu-blocks-override", str(options.kv_blocks)]
        if options.block_size is not None:
            arguments += ["--block-size", str(options.block_size)]
        return [*arguments, *options.arguments]

    def _make_tiny(self, python: Path, model: Path) -> None:
        command = [str(python), "-m", "curserve_engines.vllm.tiny", str(model), str(self.options.context)]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode != 0:
            last = (made.stderr.strip().splitlines() or ["no output"])[-1]
            raise VllmError(f"vllm: the tiny model could not be made: {last}; run `make vllm` again")

    def _environment(self, python: Path) -> dict[str, str]:
        options = self.options
        environment = dict(os.environ) | {
            "HF_HUB_OFFLINE": "1",
            "VLLM_NO_USAGE_STATS": "1",
            "VLLM_PLUGINS": "curserve",
            "VLLM_USE_EXPERIMENTAL_PARSER_CONTEXT": "1",  # what the Responses loop needs to run tools
            "CURSERVE_VLLM_KEY": self._key,
            "CURSERVE_VLLM_FORCED": str(self.folder / "forced"),
            "CURSERVE_VLLM_STAMPS": str(self.folder / "stamps.jsonl"),
            "CURSERVE_VLLM_LIMITS": json.dumps(dict(options.limits)),
            "VLLM_HOST_IP": "127.0.0.1",  # a host has its loopback and the link, and no way to ask the outside
            "TMPDIR": str(self.folder / "tmp"),
            "VLLM_RPC_BASE_PATH": "/dev/shm",  # noqa: S108 - its own, see `_apart`; a socket's name must be short
        }
        # The engines' programs (`curserve`, `rg`) are of this environment; vLLM's own tools come first.
        environment["PATH"] = f"{python.parent}:{Path(sys.executable).parent}:{environment.get('PATH', '')}"
        if options.pace is not None:
            environment["CURSERVE_VLLM_PACE"] = json.dumps(dict(options.pace))
        if options.device == "cpu":
            cpu = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1"}
            # The worker in the engine's process, as vLLM has it on one GPU: on its own it would spin on a core of
            # this machine for a second after each step, all through a tool call.
            cpu["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
            environment = cpu | environment
        return environment

    def _await_ready(self, deadline: float) -> None:
        while time.monotonic() < deadline:
            if not self.alive():
                raise VllmError(
                    f"vllm: the server ended while starting: {_last_error(self.log)} (log: {self.log})"
                )
            try:
                self.state()
            except VllmError as error:
                if isinstance(error.__cause__, urllib.error.HTTPError) and error.__cause__.code == 404:
                    raise VllmError(
                        f"vllm: {vllm_version(vllm_python())} came up without our plug-in: it lacks the seam "
                        "`vllm.endpoint_plugins` (since 0.26), or cannot load it; use vLLM 0.32 (`make vllm`; "
                        f"log: {self.log})"
                    ) from error
                time.sleep(0.25)
            else:
                return
        raise VllmError(f"vllm: the server did not come up in {READY_S:g} s; see {self.log}")

    def _post(self, verb: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._ask("POST", verb, json.dumps(body).encode())

    def _ask(self, method: str, verb: str, body: bytes | None) -> dict[str, Any]:
        headers = {"x-curserve-key": self._key, "content-type": "application/json"}
        request = urllib.request.Request(f"{self.url}/curserve/v1/{verb}", body, headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310 - our own URL
                found: dict[str, Any] = json.loads(answer.read())
                return found
        except urllib.error.HTTPError as error:
            raise VllmError(_refusal(error.read(), f"vllm: {self.url} answered {error.code}")) from error
        except (OSError, ValueError) as error:
            raise VllmError(f"vllm: {self.url} does not answer ({error}); see {self.log}") from error


def _apart() -> Sequence[str]:
    """Return the command that gives a process tree a process namespace and /dev/shm that die with the parent.

    Not bubblewrap: under its /proc, which hides parts of the kernel's, the tools' own sandbox could mount none.
    """
    for program in ("setpriv", "unshare", "mount"):
        if shutil.which(program) is None:
            raise VllmError(f"vllm: {program} not found; install util-linux")
    user = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    shm = 'mount -t tmpfs tmpfs /dev/shm && exec "$@"'
    return (
        *("setpriv", "--pdeathsig", "KILL", "unshare", *user, "--mount", "--pid", "--fork", "--kill-child"),
        *("--mount-proc", "--", "sh", "-c", shm, "sh"),
    )


def _free_port(host: str) -> int:
    with socket.create_server((host, 0)) as found:
        return int(found.getsockname()[1])


def _refusal(body: bytes, otherwise: str) -> str:
    """Return the message of an error body: vLLM writes OpenAI's shape, FastAPI its own."""
    try:
        said = json.loads(body)
        return str(said["error"]["message"] if "error" in said else said["detail"])
    except (ValueError, KeyError, TypeError):
        return otherwise


def _last_error(log: Path) -> str:
    """Return the last error of a log, with the one that it came from, else its last line."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    found = [(n, re.search(r"\w+(Error|Exception): .*", line)) for n, line in enumerate(lines)]
    errors = [(n, error[0]) for n, error in found if error is not None and "See root cause" not in error[0]]
    if not errors:
        return (lines or ["no output"])[-1][-300:]
    at, said = errors[-1]
    causes = [error for n, error in errors if any("was the direct cause" in line for line in lines[n:at])]
    return f"{said[:300]}{f' (from {causes[-1][:200]})' if causes else ''}"
