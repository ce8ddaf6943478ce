"""The cluster of a simulation as the core takes it. Main name: `servers`."""

from __future__ import annotations

import re
from typing import Any

from curserve_harness.console.exits import BadInput
from curserve_harness.simulate.machines import BLOCK, Served
from curserve_harness.simulate.options import SimulateOptions, size_bytes, time_ns

LINKS: dict[str, tuple[float, int]] = {
    # name: bytes a second in one direction, time before the first byte in ns
    "nvlink": (450e9, 10_000),  # NVLink 4: 900 GB/s a GPU, both directions (NVIDIA H100 data sheet)
    "rdma-400g": (50e9, 20_000),  # 400 Gbit/s
    "tcp-25g": (3.125e9, 200_000),  # 25 Gbit/s
}
"""Ways between replicas; the times before the first byte are assumed."""

PCIE = (50e9, 20_000)
"""Between a GPU and the memory of its host: PCIe 5 x16 has 63 GB/s in one direction, copies reach about 50."""

COLOCATED = "colocated"
"""Every replica computes prompts and replies."""

ROUTERS = ("dealt", "round-robin", "least-loaded", "affinity", "prefix")
NEXT_TURNS = ("recompute", "transfer", "append")
_SPLIT = re.compile(r"(\d+)p(\d+)d")
_FAIL = re.compile(r"(\d+)@([^+]+)\+(.+)")


def arrangements(options: SimulateOptions) -> list[str]:
    """Return how the replicas are arranged, each way once: COLOCATED, or such as `2p6d`. Raises BadInput."""
    found = list(dict.fromkeys(options.disaggregated)) or [COLOCATED]
    sizes = {sum(_parts(one)) for one in found if one != COLOCATED}
    wanted = options.replicas if COLOCATED in found or options.replicas != 1 else None
    if sizes and wanted is not None and sizes != {wanted}:
        raise BadInput(
            f"--replicas {options.replicas} and --disaggregated {', '.join(found)}: not as many servers; "
            "the latter says how many there are, and with `colocated` among them --replicas must be as many"
        )
    return found


def servers(options: SimulateOptions, served: Served, arranged: str = COLOCATED) -> dict[str, Any]:
    """Return the servers that run one model; raises BadInput."""
    per_token = served.kv_bytes_per_token
    parts = None if arranged == COLOCATED else _parts(arranged)
    split = None if parts is None else (parts[0], *_way(LINKS[options.link], per_token), options.next_turn)
    replicas = options.replicas if parts is None else sum(parts)
    offload = None
    if options.offload is not None:
        if split is not None:
            raise BadInput("--offload with --disaggregated: one way at a time loads KV; drop one of them")
        token_ps, latency = _way(PCIE, per_token)
        offload = (size_bytes("--offload", options.offload) // (per_token * BLOCK), token_ps, latency)
    return {
        "blocks": served.blocks,
        "block_size": BLOCK,
        "max_num_scheduled_tokens": 8192,
        "max_num_seqs": 1024,
        "max_model_len": 1_000_000,
        "enable_prefix_caching": True,
        "async_scheduling": True,
        "replicas": replicas,
        "policy": policy(options),
        "router": options.router,
        "offload": offload,
        "split": split,
        "tool_workers": options.tool_workers,
        "failures": [_failure(text, replicas) for text in options.fail],
        "most_sessions": options.most_sessions,
        "step_by_step": False,
    }


def policy(options: SimulateOptions) -> tuple[str, int]:
    """Return what becomes of blocks in the tool gap, and for how long in ns."""
    name, _, limit = options.policy.partition(":")
    if name not in ("request", "session", "ttl") or (name == "request" and limit) or (name == "ttl" and not limit):
        raise BadInput(
            f"--policy {options.policy!r}: request (blocks join the free ones), session or session:60s (kept, "
            "for at most so long), or ttl:2s (kept so long, nothing reserved)"
        )
    if set(options.disaggregated) - {COLOCATED} and name != "request":
        raise BadInput("--disaggregated: between turns no replica keeps blocks for a session; drop --policy")
    return name, round(time_ns("--policy", limit)) if limit else 2**61


def _parts(arranged: str) -> tuple[int, int]:
    match = _SPLIT.fullmatch(arranged)
    prefill, decode = (int(part) for part in match.groups()) if match else (0, 0)
    if not 1 <= prefill <= 1024 or not 1 <= decode <= 1024:
        raise BadInput(f"--disaggregated {arranged!r}: written 2p6d, at least one of each, or {COLOCATED}")
    return prefill, decode


def _way(link: tuple[float, int], per_token: int) -> tuple[int, int]:
    """Return picoseconds a token, and the latency in ns."""
    return round(per_token / link[0] * 1e12), link[1]


def _failure(text: str, replicas: int) -> tuple[int, int, int]:
    match = _FAIL.fullmatch(text)
    if match is None:
        raise BadInput(f"--fail {text!r}: written REPLICA@WHEN+HOW-LONG, such as 0@60s+30s")
    replica, at, down = int(match[1]), time_ns("--fail", match[2]), time_ns("--fail", match[3])
    if replica >= replicas:
        raise BadInput(f"--fail {text!r}: replicas are numbered from 0 to {replicas - 1}")
    return replica, round(at), round(down)
