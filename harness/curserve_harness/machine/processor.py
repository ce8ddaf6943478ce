"""Processor time of the processes that a process started, and how long they waited for a core. Main type: Started.

Linux counts both for each thread (`/proc/PID/task/TID/schedstat`: ran, waited, slices), and forgets a
thread's when it ends. So long-lived ones are looked at once a second and at the end, which finds all of
theirs; a program that lives for less than a second is mostly missed. What is missed is in the tool times all
the same.
"""

from __future__ import annotations

import contextlib
import os
import threading
from dataclasses import dataclass
from pathlib import Path

PERIOD_S = 1.0


@dataclass(frozen=True, slots=True)
class Spent:
    """Nanoseconds on a processor, and ready to run without one."""

    cpu_ns: int = 0
    wait_ns: int = 0

    def since(self, before: Spent) -> Spent:
        """Return what was spent after `before`."""
        return Spent(self.cpu_ns - before.cpu_ns, self.wait_ns - before.wait_ns)


class Started:
    """What the descendants of this process have spent, those that ended included as far as they were seen."""

    def __init__(self) -> None:
        self._seen: dict[tuple[int, int], Spent] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._watch, name="processor", daemon=True).start()

    def spent(self) -> Spent:
        """Look at all of them now, and return the sum over all that were ever seen."""
        with self._lock:
            for pid in descendants(os.getpid()):
                for thread, spent in threads(pid):
                    self._seen[pid, thread] = spent
            seen = list(self._seen.values())
        return Spent(sum(s.cpu_ns for s in seen), sum(s.wait_ns for s in seen))

    def _watch(self) -> None:
        pause = threading.Event()
        while not pause.wait(PERIOD_S):
            self.spent()


def descendants(pid: int) -> list[int]:
    """Return the processes that `pid` started, and those that they started."""
    found: list[int] = []
    todo = [pid]
    while todo:
        of = todo.pop()
        with contextlib.suppress(OSError, ValueError):
            for task in Path(f"/proc/{of}/task").iterdir():
                todo += map(int, (task / "children").read_text().split())
        if of != pid:
            found.append(of)
    return found


def threads(pid: int) -> list[tuple[int, Spent]]:
    """Return what each thread of a process has spent; nothing of one that has ended."""
    found = []
    with contextlib.suppress(OSError, ValueError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            ran, waited, _ = (task / "schedstat").read_text().split()
            found.append((int(task.name), Spent(int(ran), int(waited))))
    return found
