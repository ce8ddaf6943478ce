import os
from collections.abc import Sequence
from typing import Any, Literal

__version__: str

class Channel:
    def __init__(self, fd: int) -> None: ...
    def exchange(self, header: bytes) -> tuple[bytes, bytes]: ...
    def close(self) -> None: ...

class Written:
    first_ns: int | None
    last_ns: int | None
    done_ns: int | None
    bytes: int
    tokens: int
    error: str | None
    def starts(self) -> list[int]: ...
    def ends(self) -> list[int]: ...

class Pacer:
    def __init__(self) -> None: ...
    def fileno(self) -> int: ...
    def submit(
        self, fd: int, data: bytes, cuts: list[int], first_ns: int, step_ns: int, lead: bytes | None = None
    ) -> int: ...
    def write(
        self, fd: int, data: bytes, cuts: list[int], first_ns: int, step_ns: int, lead: bytes | None = None
    ) -> Written: ...
    def take(self) -> list[tuple[int, Written]]: ...
    def stop(self) -> None: ...

class LinkQueue:
    @staticmethod
    def over_packets(
        client: str, server: str, mtu: int, up: dict[str, Any], down: dict[str, Any]
    ) -> LinkQueue: ...
    @staticmethod
    def over_taps(client: int, server: int, mtu: int, up: dict[str, Any], down: dict[str, Any]) -> LinkQueue: ...
    def set_delays(self, up_ns: int, down_ns: int) -> None: ...
    def counters(self) -> dict[str, dict[str, Any]]: ...
    def stop(self) -> None: ...

class LinkRelay:
    def __init__(self, mtu: int, up: dict[str, Any], down: dict[str, Any]) -> None: ...
    def set_delays(self, up_ns: int, down_ns: int) -> None: ...
    def listen(self, address: str, server: str, port: int) -> int: ...

class StepTime:
    def __init__(self, base_ps: int, prefill_ps: int, decode_ps: int, kv_ps: int, pair_ps: int) -> None: ...
    def ns(self, *, prefill_tokens: int = 0, decodes: int = 0, kv_tokens: int = 0, pairs: int = 0) -> int: ...

class Step:
    batch: list[tuple[int, int, int, bool]]
    admitted: list[int]
    preempted: list[int]
    hit_tokens: int
    evicted_blocks: int
    prefill_tokens: int
    decodes: int
    kv_tokens: int
    pairs: int
    def ns(self, step_time: StepTime) -> int: ...

class Scheduler:
    in_flight: int
    running: list[int]
    holding: list[int]
    waiting: list[int]
    blocks: int
    free_blocks: int
    idle_blocks: int
    evicted_blocks: int
    def __init__(
        self,
        blocks: int,
        *,
        block_size: int = 16,
        enable_prefix_caching: bool = True,
        max_num_scheduled_tokens: int = 8192,
        max_num_seqs: int = 1024,
        max_model_len: int = 131_072,
        enable_chunked_prefill: bool = True,
        scheduler_reserve_full_isl: bool = True,
        watermark_blocks: int = 0,
        long_prefill_token_threshold: int = 0,
        priority: bool = False,
        async_scheduling: bool = True,
    ) -> None: ...
    def add(
        self,
        prompt: list[tuple[int, int, int]],
        reply: tuple[int, int],
        max_tokens: int,
        *,
        arrival: int = 0,
        priority: int = 0,
        resumable: bool = False,
    ) -> int: ...
    def next_turn(
        self,
        request: int,
        prompt: list[tuple[int, int, int]],
        reply: tuple[int, int],
        max_tokens: int,
        *,
        arrival: int = 0,
    ) -> None: ...
    def close(self, request: int) -> None: ...
    def abort(self, request: int) -> None: ...
    def schedule(self) -> Step | None: ...
    def update(self) -> list[tuple[int, int, Literal["finished", "paused", "continued"] | None]]: ...
    def blocks_of(self, request: int) -> int: ...
    def blocks_for(self, tokens: int) -> int: ...
    def kept_tokens(self, request: int) -> int | None: ...

class Scripts:
    def __init__(
        self,
        scripts: list[tuple[tuple[int, int], list[tuple[int, int, int, int]]]],
        texts: list[list[tuple[int, int, int]]] | None = None,
        *,
        shared: bool = False,
    ) -> None: ...

class Gaps:
    def __init__(self, at_user: bool, tiers: list[tuple[float, int, list[list[tuple[int, int]]]]]) -> None: ...

class Sessions:
    def __init__(
        self,
        scripts: Scripts,
        script: list[int],
        start_ns: list[int],
        seed: int,
        *,
        users: int = 0,
        think_ns: int = 0,
    ) -> None: ...

def simulate(
    sessions: Sessions,
    gaps: Gaps,
    servers: dict[str, Any],
    step_time: StepTime,
    *,
    counted: tuple[int, int],
    probes: Sequence[int],
    slo: list[tuple[str, float, int]],
    every: int,
) -> dict[str, Any]: ...

class Refused(Exception): ...

class Corpus:
    def __init__(
        self,
        root: str | os.PathLike[str],
        at: str | os.PathLike[str] | None = None,
        *,
        owner: tuple[int, int] | None = None,
    ) -> None: ...
    def shell(self, command: str, cwd: str | os.PathLike[str] | None = None) -> tuple[int, bytes, bytes]: ...
    @staticmethod
    def is_quick(command: str) -> bool: ...
    def memory(self) -> tuple[int, int]: ...

class Served:
    first_ns: int | None
    last_ns: int | None
    done_ns: int | None
    due_ns: tuple[int, int]
    queued_ns: int
    cached_tokens: int
    computed_tokens: int
    preemptions: int
    bytes: int
    tokens: int
    error: str | None

class BatchServer:
    def __init__(
        self,
        blocks: int,
        step_ps: tuple[int, int, int, int, int] | list[int],
        *,
        block_size: int = 16,
        max_num_seqs: int = 1024,
        max_num_batched_tokens: int = 8192,
        max_model_len: int = 131_072,
        prefix_caching: bool = True,
        async_scheduling: bool = True,
    ) -> None: ...
    def fileno(self) -> int: ...
    def submit(
        self,
        fd: int,
        data: bytes,
        cuts: list[int],
        stream: int,
        prompt_tokens: int,
        tokens: int,
        lead: bytes | None = None,
        session: bool = False,
    ) -> int: ...
    def write(
        self,
        fd: int,
        data: bytes,
        cuts: list[int],
        stream: int,
        prompt_tokens: int,
        tokens: int,
        lead: bytes | None = None,
        session: bool = False,
    ) -> Served: ...
    def forget(self, stream: int) -> None: ...
    def take(self) -> list[tuple[int, Served]]: ...
    def ticks(self) -> list[tuple[str, list[int]]]: ...
    def stop(self) -> None: ...
