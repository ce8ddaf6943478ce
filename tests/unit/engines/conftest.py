"""What tests of engines share: a small folder, a real vLLM server started once, a place for figures."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from curserve_harness.vllm.process import VllmOptions, VllmServer, why_no_vllm

sys.path.insert(0, str(Path(__file__).parent))  # for the helper `daemon`


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with one file and an empty folder in it, for a daemon or a shim to work on."""
    folder = tmp_path / "w"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("alpha\nbeta\n")
    return folder


@pytest.fixture(scope="session")
def vllm_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmServer]:
    """A tiny model with a KV cache of 128 blocks of 128 tokens: small enough to be under pressure."""
    if (reason := why_no_vllm()) is not None:
        pytest.skip(reason)
    folder: Path = tmp_path_factory.mktemp("vllm")
    limits = {"cells": 40}
    with VllmServer(folder, VllmOptions(context=8192, kv_blocks=128, max_seqs=24, limits=limits)) as server:
        yield server
