"""Which session plays what, and when: the part of a load's plan that the seed draws. Main names: `draw`, Sessions.

Columns, not objects: ten thousand sessions take a few hundred kilobytes and some milliseconds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from curserve_harness.plan.arrivals import CLOSED_AHEAD, Arrivals, offsets

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Sessions:
    """The sessions of one repetition, by number.

    `trace`: the place of each one's trace among the plan's. `user`: who plays it (closed), -1 where nobody in
    particular. `offset_ns`: when it is meant to start (open), or when its user begins (the first of each;
    later ones start when the user is ready, and have -1).
    """

    trace: NDArray[np.int32]
    user: NDArray[np.int32]
    offset_ns: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.trace)

    def digest(self) -> str:
        """Return the digest of all of it: the same seed gives the same."""
        whole = hashlib.sha256()
        for column in (self.trace, self.user, self.offset_ns):
            whole.update(column.tobytes())
        return "sha256:" + whole.hexdigest()


def draw(arrivals: Arrivals, traces: int, seed: int, repetition: int) -> Sessions:
    """Draw the sessions of one repetition over a number of traces: each trace as often as the others, but for one.

    A closed load that ends by time gets as many a user as it could play in no time at all would be endless:
    each user has `CLOSED_AHEAD` sessions, and begins them anew after the last.
    """
    import numpy as np

    chance = np.random.default_rng([seed, repetition, 0x7AACE])
    if arrivals.kind != "closed":
        at = offsets(arrivals, seed, repetition)
        return Sessions(_dealt(chance, traces, len(at)), np.full(len(at), -1, np.int32), at)
    users = arrivals.users
    number = (
        arrivals.count if arrivals.count is not None else users * (CLOSED_AHEAD if arrivals.duration_ns else 1)
    )
    user = (np.arange(number) % users).astype(np.int32)
    begin = np.zeros(users, np.int64)
    if arrivals.ramp_ns:
        begin = (np.arange(users) * arrivals.ramp_ns // users).astype(np.int64)
    offset = np.full(number, -1, np.int64)
    offset[: min(users, number)] = begin[: min(users, number)]
    return Sessions(_dealt(chance, traces, number), user, offset)


def _dealt(chance: np.random.Generator, traces: int, number: int) -> NDArray[np.int32]:
    """Deal the traces as a pack of cards that is shuffled anew each time it is used up."""
    import numpy as np

    packs = -(-number // traces)
    order = chance.permuted(np.tile(np.arange(traces, dtype=np.int32), (packs, 1)), axis=1)
    return order.ravel()[:number]


def by_user(sessions: Sessions) -> dict[int, list[int]]:
    """Return the numbers of the sessions of each user, in order."""
    found: dict[int, list[int]] = {}
    for number, user in enumerate(sessions.user.tolist()):
        found.setdefault(user, []).append(number)
    return found


def shares(numbers: Sequence[int], parts: int) -> list[list[int]]:
    """Deal numbers to so many processes, one by one."""
    return [list(numbers[part::parts]) for part in range(parts)]
