"""vLLM's own scheduler and KV cache manager in this process, without a model. Runs in vLLM's environment.

What it is asked and what it answers is noted as operations, in the form that `core/sched/tests/replay` reads.
"""

from __future__ import annotations

import copy
import json
import tempfile
from collections import Counter, deque
from pathlib import Path
from typing import Any

import torch
from texts import Segment, token_ids
from vllm.config import CacheConfig, DeviceConfig, ModelConfig, VllmConfig
from vllm.sampling_params import SamplingParams
from vllm.utils.hashing import sha256
from vllm.v1.core.kv_cache_utils import get_request_block_hasher, init_none_hash
from vllm.v1.core.sched.async_scheduler import AsyncScheduler
from vllm.v1.core.sched.scheduler import Scheduler
from vllm.v1.kv_cache_interface import FullAttentionSpec, KVCacheConfig, KVCacheGroupSpec
from vllm.v1.outputs import ModelRunnerOutput
from vllm.v1.request import Request, RequestStatus
from vllm.v1.structured_output import StructuredOutputManager
from workloads import Limits

from curserve_engines.vllm.tiny import model_config

init_none_hash(sha256)


def base_config() -> VllmConfig:
    """A configuration of a model that is never loaded."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "config.json").write_text(json.dumps(model_config(4096, 8192)))
        model = ModelConfig(model=folder, skip_tokenizer_init=True, dtype="bfloat16", max_model_len=8192)
        return VllmConfig(model_config=model, cache_config=CacheConfig(), device_config=DeviceConfig("cpu"))


def configured(base: VllmConfig, limits: Limits) -> VllmConfig:
    """The base with a workload's limits; set one by one, since vLLM checks them against a server's needs."""
    config = copy.copy(base)
    config.model_config = copy.copy(base.model_config)
    config.cache_config = copy.copy(base.cache_config)
    config.scheduler_config = copy.copy(base.scheduler_config)
    config.model_config.max_model_len = limits.length
    cache, scheduler = config.cache_config, config.scheduler_config
    cache.block_size, cache.enable_prefix_caching = limits.block_size, limits.caching
    cache.num_gpu_blocks = limits.blocks + 1
    scheduler.max_num_batched_tokens, scheduler.max_num_scheduled_tokens = limits.scheduled, None
    scheduler.max_num_seqs = limits.seqs
    scheduler.enable_chunked_prefill = limits.chunked
    scheduler.scheduler_reserve_full_isl = limits.reserve
    scheduler.watermark = 0.0
    scheduler.long_prefill_token_threshold = limits.threshold
    scheduler.long_prefill_token_threshold_adaptive = bool(limits.fair_share_of)
    scheduler.policy = "priority" if limits.priority else "fcfs"
    scheduler.async_scheduling = limits.asynchronous
    return config


class Replica:
    """One scheduler, and the operations so far."""

    def __init__(self, base: VllmConfig, limits: Limits) -> None:
        config = configured(base, limits)
        spec = FullAttentionSpec(limits.block_size, num_kv_heads=1, head_size=1, dtype=torch.float32)
        kv = KVCacheConfig(limits.blocks + 1, [], [KVCacheGroupSpec(["layer"], spec)])
        kind = AsyncScheduler if limits.asynchronous else Scheduler
        self.scheduler = kind(
            vllm_config=config,
            kv_cache_config=kv,
            structured_output_manager=StructuredOutputManager(config),
            block_size=limits.block_size,
            log_stats=False,
        )
        self.scheduler.kv_cache_manager.watermark_blocks = limits.watermark
        self.ops: list[dict[str, Any]] = []
        self.seen: Counter[str] = Counter()
        self.flying: deque[Any] = deque()
        self.replies: dict[str, tuple[int, int]] = {}
        self.outputs: Counter[str] = Counter()
        self._next: dict[str, deque[tuple[int, int]]] = {}
        self._hasher = get_request_block_hasher(limits.block_size, sha256)
        self._evicted = 0
        self._watch()

    def _watch(self) -> None:
        pool, manager = self.scheduler.kv_cache_manager.block_pool, self.scheduler.kv_cache_manager
        evict, allocate = pool._maybe_evict_cached_block, manager.allocate_slots

        def counted(block: Any) -> bool:
            evicted = bool(evict(block))
            self._evicted += evicted
            return evicted

        def judged(request: Any, tokens: int, **options: Any) -> Any:
            blocks = allocate(request, tokens, **options)
            if blocks is None and options.get("full_sequence_must_fit"):
                options |= {"full_sequence_must_fit": False}
                hit = options["new_computed_blocks"].blocks
                computed = request.num_computed_tokens + options["num_new_computed_tokens"]
                first = manager.coordinator.get_num_blocks_to_allocate(
                    request.request_id, computed + tokens, hit, 0, computed, computed, computed + tokens
                )
                watermark = manager.watermark_blocks if options["has_scheduled_reqs"] else 0
                self.seen["reserved"] += first + watermark <= pool.get_num_free_blocks()
            return blocks

        pool._maybe_evict_cached_block = counted
        manager.allocate_slots = judged

    def _request(
        self, name: int, priority: int, resumable: bool, arrival: int, most: int, prompt: list[Segment]
    ) -> Request:
        sampling = SamplingParams(max_tokens=most, ignore_eos=True)
        return Request(
            str(name),
            token_ids(prompt),
            sampling,
            None,
            arrival_time=float(arrival),
            priority=priority,
            block_hasher=self._hasher,
            resumable=resumable,
        )

    def add(
        self,
        name: int,
        priority: int,
        session: bool,
        arrival: int,
        most: int,
        reply: tuple[int, int],
        prompt: list[Segment],
    ) -> None:
        """A new request or session."""
        self.ops.append({"add": [name, priority, session, [arrival, most, reply, prompt]]})
        self.replies[str(name)] = reply
        self.scheduler.add_request(self._request(name, priority, session, arrival, most, prompt))

    def next(self, name: int, arrival: int, most: int, reply: tuple[int, int], prompt: list[Segment]) -> None:
        """A session's next turn."""
        self.ops.append({"next": [name, [arrival, most, reply, prompt]]})
        request = self.scheduler.requests.get(str(name))
        if request is None:
            return
        if request.status == RequestStatus.WAITING_FOR_STREAMING_REQ:
            self.replies[str(name)], self.outputs[str(name)] = reply, 0
        else:
            self._next.setdefault(str(name), deque()).append(reply)
        self.scheduler.add_request(self._request(name, 0, True, arrival, most, prompt))

    def close(self, name: int) -> None:
        """No more turns for a session."""
        self.ops.append({"close": name})
        if str(name) in self.scheduler.requests:
            self.scheduler.add_request(self._request(name, 0, False, 0, 1, [(0, 0, 1)]))

    def abort(self, name: int) -> None:
        """Away with it."""
        self.ops.append({"abort": name})
        self.scheduler.finish_requests(str(name), RequestStatus.FINISHED_ABORTED)

    def plan(self) -> bool:
        """Plan a step; whether anybody is in it."""
        scheduler, evicted = self.scheduler, self._evicted
        before = {
            name: (request.status, request.num_computed_tokens) for name, request in scheduler.requests.items()
        }
        output = scheduler.schedule()
        batch, hit = [], 0
        for name, tokens in output.num_scheduled_tokens.items():
            request = scheduler.requests[name]
            computed = request.num_computed_tokens - tokens
            batch.append((int(name), computed, tokens, not request.is_prefill_chunk))
            status, had = before[name]
            if status != RequestStatus.RUNNING:
                hit += computed - had
                self.seen["resumed session"] += had > 0
        preempted = [
            name
            for name, request in scheduler.requests.items()
            if request.status == RequestStatus.PREEMPTED and before[name][0] == RequestStatus.RUNNING
        ]
        self.seen["preempted"] += len(preempted)
        self.seen["preempted in flight"] += sum(
            scheduler.requests[name].num_in_flight_tokens > 0 for name in preempted
        )
        self.seen["evicted"] += self._evicted - evicted
        self.seen["hit tokens"] += hit
        self.ops.append(
            {
                "plan": {
                    "batch": batch,
                    "preempted": sorted(map(int, preempted)),
                    "evicted": self._evicted - evicted,
                    "hit": hit,
                    "free": scheduler.kv_cache_manager.block_pool.get_num_free_blocks(),
                    "running": _names(scheduler.running),
                    "holding": _lying(scheduler.kv_holding_waiting),
                    "waiting": _lying(scheduler.waiting),
                }
            }
        )
        if batch:
            self.flying.append((output, batch))
        return bool(batch)

    def update(self) -> list[tuple[int, int, str]]:
        """Let the oldest step be over, with made-up tokens; returns (name, outputs, how it ended)."""
        output, batch = self.flying.popleft()
        names = [str(name) for name, *_ in batch]
        sampled = [token_ids([(*self._said(str(name)), 1)]) if samples else [] for name, _, _, samples in batch]
        result = ModelRunnerOutput(
            req_ids=names,
            req_id_to_index={name: place for place, name in enumerate(names)},
            sampled_token_ids=sampled,
            logprobs=None,
            prompt_logprobs_dict={},
            pooler_output=[],
        )
        given = []
        for said in (self.scheduler.update_from_output(output, result).get(0) or _Nothing).outputs:
            name = said.request_id
            self.outputs[name] += len(said.new_token_ids)
            end = self._end(name) if said.finish_reason is not None else ""
            given.append((int(name), self.outputs[name], end))
            queues = (self.scheduler.running, self.scheduler.kv_holding_waiting, self.scheduler.waiting)
            lost = end in ("paused", "continued") and not any(int(name) in _lying(queue) for queue in queues)
            self.seen["session lost by vLLM"] += lost
            if end == "continued":
                self.replies[name], self.outputs[name] = self._next[name].popleft(), 0
        self.ops.append({"update": given})
        return given

    def _said(self, name: str) -> tuple[int, int]:
        stream, offset = self.replies[name]
        return stream, offset + self.outputs[name]

    def _end(self, name: str) -> str:
        request = self.scheduler.requests.get(name)
        if request is None:
            return "finished"
        return "paused" if request.status == RequestStatus.WAITING_FOR_STREAMING_REQ else "continued"


class _Nothing:
    outputs: tuple[Any, ...] = ()


def _names(requests: Any) -> list[int]:
    return [int(request.request_id) for request in requests]


def _lying(queue: Any) -> list[int]:
    """The requests of a queue as they lie: a heap's list, or their order."""
    return _names(getattr(queue, "_heap", queue))
