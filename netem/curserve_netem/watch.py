"""Watches over the keeper: when it dies the link is gone, and what runs in the hosts would wait for minutes."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from curserve_netem.sweep import kill_processes


class Watch:
    """Ends every process of two hosts as soon as their keeper is gone; `died` says that it was so."""

    def __init__(self, keeper: int, namespaces: Sequence[int], mark: str) -> None:
        self.died = threading.Event()
        self._keeper = os.pidfd_open(keeper)
        self._stop = os.eventfd(0, os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._wait, args=(namespaces, mark), name="keeper", daemon=True)

    def _wait(self, namespaces: Sequence[int], mark: str) -> None:
        poll = select.poll()
        for descriptor in (self._keeper, self._stop):
            poll.register(descriptor, select.POLLIN)
        if self._stop in {ready for ready, _ in poll.poll()}:
            return
        self.died.set()
        kill_processes(namespaces, mark)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.eventfd_write(self._stop, 1)
        self._thread.join()
        os.close(self._stop)
        os.close(self._keeper)
