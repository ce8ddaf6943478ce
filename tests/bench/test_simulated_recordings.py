"""Proof: fitted to half of a GPU server's recorded requests, the simulation answers the rest as that server did.

The recordings are public (casys-kaist/LLMServingSim, `bench/examples/*/vllm/`, MIT) and no part of this
repository: name the folder that holds `*/vllm/requests.jsonl` in CURSERVE_RECORDINGS. The first half, as they
arrived, is for fitting: the server is full by then, so that the second half finds it in another state.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from curserve_core import sim
from curserve_core.sched import StepTime
from numpy.typing import NDArray
from scipy.optimize import minimize

Receipt = Callable[[str, dict[str, object]], None]
FOLDER = Path(os.environ.get("CURSERVE_RECORDINGS", "recordings"))
FOUND = sorted(FOLDER.glob("**/vllm/requests.jsonl"))

pytestmark = [
    pytest.mark.prove,
    pytest.mark.skipif(not FOUND, reason=f"GPU recordings are not here (looked in {FOLDER}; CURSERVE_RECORDINGS)"),
]


@dataclass(frozen=True)
class Recording:
    """Requests as a server answered them; times in seconds."""

    arrived: NDArray[np.float64]
    prompt: NDArray[np.int64]
    reply: NDArray[np.int64]
    first: NDArray[np.float64]
    last: NDArray[np.float64]
    servers: dict[str, object]

    def of(self, first: NDArray[np.float64], last: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Return what is compared, by request."""
        many = np.maximum(self.reply - 1, 1)
        return {"ttft": first - self.arrived, "tpot": (last - first) / many, "latency": last - self.arrived}


def recording(path: Path) -> Recording:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows.sort(key=lambda row: row["queued_ts"])
    column = {name: np.array([row[name] for row in rows]) for name in rows[0] if name != "request_id"}
    meta = json.loads((path.parent / "meta.json").read_text())
    limits, begin = meta["engine_kwargs"], column["queued_ts"].min()
    cache = meta.get("kv_cache", {}).get("num_gpu_blocks", 1_000_001) - 1  # vLLM keeps one for itself
    servers = {
        "blocks": cache, "block_size": 16, "max_num_scheduled_tokens": limits["max_num_batched_tokens"],
        "max_num_seqs": limits["max_num_seqs"], "max_model_len": 131_072, "enable_prefix_caching": True,
        "async_scheduling": True, "replicas": 1, "policy": ("request", 0), "router": "dealt", "offload": None,
        "split": None, "tool_workers": None, "failures": [], "most_sessions": 2**31, "step_by_step": False,
    }  # fmt: skip
    return Recording(
        column["queued_ts"] - begin,
        column["input_toks"],
        column["output_toks"],
        column["first_token_ts"] - begin,
        column["last_token_ts"] - begin,
        servers,
    )


def simulated(real: Recording, terms: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return what the same requests take with these terms, in picoseconds."""
    asked = zip(real.prompt.tolist(), real.reply.tolist(), strict=True)
    scripts = sim.Scripts([((0, 0), [(prompt, reply, 0, 0)]) for prompt, reply in asked])
    number = len(real.prompt)
    starts = np.round(real.arrived * 1e9).astype(int).tolist()
    sessions = sim.Sessions(scripts, list(range(number)), starts, 1)
    found = sim.simulate(
        sessions,
        sim.Gaps(False, [(1.0, 0, [[]])]),
        real.servers,
        StepTime(*(int(term) for term in np.clip(terms, [1, 0, 0, 0, 0], [1e13, 1e12, 1e12, 1e9, 1e7]))),
        counted=(0, number),
        probes=[],
        slo=[],
        every=1,
    )
    turns = {name: np.frombuffer(values, "<i8") for name, values in found["turns"].items()}
    order = np.argsort(turns["session"])
    return real.of(turns["first_ns"][order] / 1e9, turns["last_ns"][order] / 1e9)


def off(
    said: dict[str, NDArray[np.float64]], real: dict[str, NDArray[np.float64]], half: slice
) -> dict[str, float]:
    """Return how far the means of one half are off."""
    return {name: float(said[name][half].mean() / real[name][half].mean() - 1) for name in real}


def fitted(real: Recording) -> NDArray[np.float64]:
    """Return the terms with which the first half is answered best, from several beginnings."""
    truth, half = real.of(real.first, real.last), slice(0, len(real.prompt) // 2)

    def cost(logs: NDArray[np.float64]) -> float:
        said = simulated(real, np.exp(logs))
        each = np.abs(np.log(said["tpot"][half] / truth["tpot"][half])).mean()
        means = sum(abs(error) for error in off(said, truth, half).values())
        spread = sum(
            np.abs(said[name][half] - truth[name][half]).mean() / truth[name][half].mean()
            for name in ("ttft", "latency")
        )
        return float(each + means + spread)

    begin = np.log([10e9, 60e6, 30e6, 80e3, 2e3])
    found = [
        minimize(cost, begin + shift, method="Nelder-Mead", options={"maxfev": 500, "xatol": 1e-3, "fatol": 1e-4})
        for shift in (0.0, 0.7, -0.7)
    ]
    terms: NDArray[np.float64] = np.exp(min(found, key=lambda one: float(one.fun)).x)
    return terms


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("path", FOUND, ids=lambda path: "-".join(path.parts[-4:-2]))
def test_the_half_that_was_not_fitted_is_answered_alike(path: Path, receipt: Receipt) -> None:
    real = recording(path)
    terms = fitted(real)
    truth, said = real.of(real.first, real.last), simulated(real, terms)
    middle = len(real.prompt) // 2
    errors = off(said, truth, slice(middle, None))
    length = {"real": float(real.last.max()), "simulated": float((said["latency"] + real.arrived).max())}
    errors["throughput"] = length["real"] / length["simulated"] - 1
    name = "-".join(path.parts[-4:-2])
    receipt(
        f"simulated-{name}",
        {
            "requests": len(real.prompt), "off": errors, "off where fitted": off(said, truth, slice(0, middle)),
            "terms_ps": [round(float(term)) for term in terms], "seconds": length,
        },
    )  # fmt: skip
    assert abs(errors["tpot"]) <= 0.05
    assert abs(errors["throughput"]) <= 0.05
    assert abs(errors["ttft"]) <= 0.10
