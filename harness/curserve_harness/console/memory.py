"""A limit of address space (`ulimit -v`) below what our libraries map is reported at once. Main name: `demand`.

Under such a limit polars' threads cannot start: it hung, aborted, or failed with a name that it did not define.
What is mapped is not what is used, so nothing else tells how much it takes.
"""

from __future__ import annotations

import os
import resource

from curserve_harness.console.exits import SetupFailed

_LIBRARIES = 1536 << 20
_THREAD = 256 << 20
"""Bytes of address space: a report with two processors came through with 2.0 GB, and not with 1.2."""


def demand(verb: str) -> None:
    """Raise SetupFailed where this process may map less than a verb's libraries do."""
    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    needed = _LIBRARIES + _THREAD * (os.cpu_count() or 1)
    if most != resource.RLIM_INFINITY and most < needed:
        raise SetupFailed(
            f"{verb}: this process may map {most >> 20} MB (`ulimit -v`), its libraries map {needed >> 20} MB: "
            "raise that limit, or limit what is used, by a control group"
        )
