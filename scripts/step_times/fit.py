"""The five terms of a step's duration, fitted to the operator tables of `aiconfigurator-core` (Apache-2.0).

    pip download --no-deps aiconfigurator-core==0.12.0 && unzip aiconfigurator_core-*.whl -d FOLDER
    python scripts/step_times/fit.py FOLDER > step_times.json

A dense decoder is put together from its operators: the matrix products of each layer and of the output (`gemm`),
attention of prompts (`context_attention`) and of replies (`generation_attention`), all in 16 bits. What the
tables lack is left out: norms, rotary embedding, sampling, the sums over several GPUs. Attention to earlier
tokens is fitted to its own table: at long contexts it is most of a prompt's time, and no table has matrices for
those. Then the other terms are the least squares of relative errors, none below 0.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator
from scipy.optimize import nnls

FRAMEWORK = ("vllm", "0.24.0")
BATCHES = (1, 4, 16, 64, 256)
CONTEXTS = (1023, 4095, 16383, 65535, 131071)
PROMPTS = (1024, 2048, 4096, 8192)
LONG = (4096, 8192, 16384)
"""Prompts by which attention to earlier tokens is judged."""


@dataclass(frozen=True, slots=True)
class Decoder:
    """A dense decoder as one of `gpus` computes it."""

    layers: int
    hidden: int
    inner: int
    heads: int
    kv_heads: int
    vocabulary: int
    gpus: int = 1
    head: int = 128

    def products(self) -> Iterator[tuple[int, int, int]]:
        """Yield (how often, columns, depth) of the matrix products of one step."""
        per_gpu = self.gpus
        yield self.layers, (self.heads + 2 * self.kv_heads) * self.head // per_gpu, self.hidden
        yield self.layers, self.hidden, self.heads * self.head // per_gpu
        yield self.layers, 2 * self.inner // per_gpu, self.hidden
        yield self.layers, self.hidden, self.inner // per_gpu

    def output(self) -> tuple[int, int]:
        """Return columns and depth of the product that gives the next token."""
        return self.vocabulary // self.gpus, self.hidden


MODELS = {
    "llama-8b": Decoder(32, 4096, 14336, 32, 8, 128256),
    "llama-70b": Decoder(80, 8192, 28672, 64, 8, 128256, gpus=4),
}
MACHINES = (
    ("llama-8b", "h100", "h100_sxm"),
    ("llama-8b", "h200", "h200_sxm"),
    ("llama-8b", "b200", "b200_sxm"),
    ("llama-70b", "h100x4", "h100_sxm"),
)


class Tables:
    """The operators of one GPU; times in ms."""

    def __init__(self, folder: Path, system: str) -> None:
        data = folder / "aiconfigurator_core" / "systems" / "data" / system

        def table(kind: str, name: str) -> pl.DataFrame:
            found = sorted((data / kind / FRAMEWORK[0]).glob(f"*/{name}_perf.parquet"))
            if not found:
                raise SystemExit(f"{data}/{kind}/{FRAMEWORK[0]}: no {name}_perf.parquet; unzip the wheel there")
            return pl.read_parquet(found[-1])

        gemm = table("gemm", "gemm").filter(pl.col("gemm_dtype") == "bfloat16")
        self.gemm = gemm.group_by("m", "n", "k").agg(pl.col("latency").min())
        plain = (
            (pl.col("kv_cache_dtype") == "bfloat16") & (pl.col("head_dim") == 128) & (pl.col("window_size") == 0)
        )
        self.context = table("attention", "context_attention").filter(plain)
        self.generation = table("attention", "generation_attention").filter(plain)

    def product(self, rows: int, columns: int, depth: int) -> float:
        """Return the time of a matrix product, between the table's points; beyond its columns, in proportion."""
        own = self.gemm.filter(pl.col("m") == rows)
        grid = own.pivot(on="k", index="n", values="latency").sort("n")
        n = grid["n"].to_numpy()
        k = np.array(sorted(int(name) for name in grid.columns[1:]))
        values = grid.select(map(str, k)).to_numpy()
        whole = ~np.isnan(values).any(axis=1)
        least = RegularGridInterpolator((n[whole], k), values[whole], bounds_error=False, fill_value=None)
        beyond = max(1.0, columns / n[whole][-1])
        return float(least((columns / beyond, depth))) * beyond

    def attention(self, table: pl.DataFrame, heads: int, kv_heads: int, **where: int) -> float | None:
        """Return the time of attention at a point of its table; None where it was not measured."""
        own = table.filter(
            (pl.col("num_heads") == heads) & pl.col("num_key_value_heads").is_in([kv_heads, kv_heads % heads]),
            *(pl.col(name) == value for name, value in where.items()),
        )
        return None if own.is_empty() else float(own["latency"].min())


def points(decoder: Decoder, tables: Tables) -> Iterator[tuple[list[float], float]]:
    """Yield (step, prompt tokens, replies, tokens read, pairs) and the time in ms of steps of one kind."""
    heads, kv_heads = decoder.heads // decoder.gpus, max(1, decoder.kv_heads // decoder.gpus)

    def products(rows: int, sampled: int) -> float:
        layers = sum(often * tables.product(rows, n, k) for often, n, k in decoder.products())
        return layers + tables.product(sampled, *decoder.output())

    for batch in BATCHES:
        matrices = products(batch, batch)
        for context in CONTEXTS:
            attention = tables.attention(tables.generation, heads, kv_heads, batch_size=batch, step=context)
            if attention is not None:
                tokens = batch * (context + 1)
                yield [1, 0, batch, tokens, 0], matrices + decoder.layers * attention
    for prompt in PROMPTS:
        attention = tables.attention(tables.context, heads, kv_heads, batch_size=1, isl=prompt)
        if attention is not None:
            pairs = prompt * (prompt + 1) // 2
            yield [1, prompt, 0, 0, pairs], products(prompt, 1) + decoder.layers * attention


def pair_ms(decoder: Decoder, tables: Tables) -> float:
    """Return the time of a pair of tokens: the slope of attention of long prompts against their pairs."""
    heads, kv_heads = decoder.heads // decoder.gpus, max(1, decoder.kv_heads // decoder.gpus)
    known = {
        prompt: tables.attention(tables.context, heads, kv_heads, batch_size=1, isl=prompt) for prompt in LONG
    }
    pairs = [prompt * (prompt + 1) / 2 for prompt, ms in known.items() if ms is not None]
    times = [decoder.layers * ms for ms in known.values() if ms is not None]
    return float(np.polyfit(pairs, times, 1)[0])


def fit(
    found: list[tuple[list[float], float]], pair: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return the terms in ms, the relative error of each point, and which points are prompts."""
    loads = np.array([load for load, _ in found], dtype=float)
    times = np.array([ms for _, ms in found])
    rest, wanted = loads[:, :4], times - loads[:, 4] * pair
    scale = rest.max(axis=0)
    terms = nnls(rest / scale / times[:, None], wanted / times)[0] / scale
    terms = np.append(terms, pair)
    return terms, np.abs(loads @ terms / times - 1), loads[:, 1] > 0


def main(folder: Path) -> None:
    """Print the terms of all machines as JSON, with how far they are off."""
    machines = {}
    for model, gpu, system in MACHINES:
        tables = Tables(folder, system)
        found = list(points(MODELS[model], tables))
        terms, errors, prompts = fit(found, pair_ms(MODELS[model], tables))
        machines[f"{model}.{gpu}"] = {
            "base_ms": round(terms[0], 3),
            "prefill_us": round(terms[1] * 1e3, 2),
            "decode_us": round(terms[2] * 1e3, 2),
            "kv_ns": round(terms[3] * 1e6, 2),
            "pair_ns": round(terms[4] * 1e6, 3),
            "points": len(found),
            "decode_off_median": round(float(np.median(errors[~prompts])), 3),
            "decode_off_most": round(float(errors[~prompts].max()), 3),
            "prefill_off_median": round(float(np.median(errors[prompts])), 3),
            "prefill_off_most": round(float(errors[prompts].max()), 3),
        }
    print(json.dumps({"source": "aiconfigurator-core 0.12.0, tables of vLLM", "machines": machines}, indent=1))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: fit.py FOLDER, into which the wheel of aiconfigurator-core was unzipped")
    main(Path(sys.argv[1]))
