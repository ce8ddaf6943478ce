"""The five terms of a step's duration, measured on a GPU that is at hand: torch, and nothing else.

    python calibrate.py [--layers 32 --hidden 4096 --inner 14336 --heads 32 --kv-heads 8] > terms.json

A decoder with random weights (16 bits) computes replies at several batches and contexts, and prompts after
several contexts, each many times on CUDA events; the terms are the least squares of relative errors. By default
it is Llama-8B. What it says goes into a table for `--step-times`. Not run yet: no machine of this project has
had a GPU at hand.
"""

from __future__ import annotations

import argparse
import json
import sys

import torch
from torch.nn import functional

BATCHES = (1, 8, 32, 128)
CONTEXTS = (1024, 8192, 32768)
PROMPTS = (1024, 4096, 8192)
BEFORE = (0, 8192, 32768)
HEAD = 128
ROUNDS = 10


class Layer(torch.nn.Module):
    """Attention with grouped heads, and a gated pair of matrices."""

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__()
        width, kv = options.heads * HEAD, options.kv_heads * HEAD
        self.heads, self.kv_heads = options.heads, options.kv_heads
        self.qkv = torch.nn.Linear(options.hidden, width + 2 * kv, bias=False)
        self.out = torch.nn.Linear(width, options.hidden, bias=False)
        self.gate = torch.nn.Linear(options.hidden, 2 * options.inner, bias=False)
        self.down = torch.nn.Linear(options.inner, options.hidden, bias=False)
        self.norms = torch.nn.ModuleList(torch.nn.RMSNorm(options.hidden) for _ in range(2))

    def forward(self, x: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """Compute `x` (batch, new, hidden) after `keys` and `values` (batch, heads, earlier, head)."""
        batch, new, _ = x.shape
        qkv = self.qkv(self.norms[0](x)).view(batch, new, -1, HEAD).transpose(1, 2)
        query, key, value = qkv.split([self.heads, self.kv_heads, self.kv_heads], dim=1)
        key, value = torch.cat([keys, key], 2), torch.cat([values, value], 2)
        mask = None
        if new > 1 and keys.shape[2]:
            mask = torch.nn.attention.bias.causal_lower_right(new, key.shape[2])
        mixed = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, is_causal=new > 1 and mask is None, enable_gqa=True
        )
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, new, -1))
        gate, up = self.gate(self.norms[1](x)).chunk(2, -1)
        return x + self.down(functional.silu(gate) * up)


def step_ms(layers: torch.nn.ModuleList, last: torch.nn.Linear, batch: int, new: int, before: int) -> float | None:
    """Return the median time of a step in ms; None where the memory does not hold it.

    All layers share one set of earlier keys and values: they are read as often, and take a layer's memory.
    """
    first = layers[0]
    try:
        x = torch.randn(batch, new, last.in_features, device="cuda", dtype=torch.bfloat16)
        shape = (batch, first.kv_heads, before, HEAD)
        keys, values = (torch.randn(shape, device="cuda", dtype=torch.bfloat16) for _ in range(2))
        times = []
        for number in range(ROUNDS + 3):
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            y = x
            for layer in layers:
                y = layer(y, keys, values)
            last(y[:, -1]).argmax(-1)
            end.record()
            end.synchronize()
            if number >= 3:
                times.append(begin.elapsed_time(end))
        return sorted(times)[len(times) // 2]
    except torch.cuda.OutOfMemoryError:
        torch.cuda.empty_cache()
        return None


def fit(loads: list[list[float]], times: list[float]) -> list[float]:
    """Return the terms, none below 0: those that would be are left out, one after the other."""
    rows, wanted = torch.tensor(loads, dtype=torch.float64), torch.tensor(times, dtype=torch.float64)
    scale = rows.abs().amax(0).clamp(min=1)
    used = list(range(rows.shape[1]))
    while True:
        found = torch.linalg.lstsq(rows[:, used] / scale[used] / wanted[:, None], torch.ones_like(wanted)[:, None])
        terms = found.solution[:, 0]
        if bool((terms >= 0).all()):
            break
        used.pop(int(terms.argmin()))
    whole = torch.zeros(rows.shape[1], dtype=torch.float64)
    whole[used] = terms / scale[used]
    return whole.tolist()


def main() -> None:
    """Measure, fit, and print the terms with how far each point is off."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    for name, value in {
        "layers": 32, "hidden": 4096, "inner": 14336, "heads": 32, "kv-heads": 8, "vocabulary": 128256,
    }.items():  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("calibrate: no GPU that torch can use; run it where `torch.cuda.is_available()`")
    with torch.inference_mode(), torch.device("cuda"):
        layers = torch.nn.ModuleList(Layer(options) for _ in range(options.layers)).bfloat16()
        last = torch.nn.Linear(options.hidden, options.vocabulary, bias=False).bfloat16()
        loads, times = [], []
        for batch in BATCHES:
            for context in CONTEXTS:
                if (ms := step_ms(layers, last, batch, 1, context)) is not None:
                    loads.append([1, 0, batch, batch * (context + 1), 0])
                    times.append(ms)
        for before in BEFORE:
            for new in PROMPTS:
                if (ms := step_ms(layers, last, 1, new, before)) is not None:
                    loads.append([1, new, 0, 0, new * before + new * (new + 1) / 2])
                    times.append(ms)
    terms = fit([[float(one) for one in load] for load in loads], times)
    predicted = [sum(one * term for one, term in zip(load, terms, strict=True)) for load in loads]
    units = {"base_ms": 1.0, "prefill_us": 1e3, "decode_us": 1e3, "kv_ns": 1e6, "pair_ns": 1e6}
    found = {name: round(term * unit, 4) for (name, unit), term in zip(units.items(), terms, strict=True)}
    points = [
        {"load": load, "ms": round(ms, 4), "off": round(said / ms - 1, 4)}
        for load, ms, said in zip(loads, times, predicted, strict=True)
    ]
    gpu = torch.cuda.get_device_name()
    print(json.dumps({"gpu": gpu, "torch": torch.__version__, **found, "points": points}, indent=1))


if __name__ == "__main__":
    main()
