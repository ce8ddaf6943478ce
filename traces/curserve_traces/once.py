"""What is asked or made once in a process, also where threads ask together. Main name: `once`.

`functools.cache` asks again where a second thread comes before the first is answered, and each goes on with an
answer of its own: of sessions that began together, some had their files given to one user, and their commands run
as another.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from typing import Generic, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class once(Generic[P, T]):  # noqa: N801 - a decorator
    """A function whose answer for the same (hashable) arguments is kept; an error is not kept."""

    def __init__(self, function: Callable[P, T]) -> None:
        functools.update_wrapper(self, function)
        self._answers = functools.cache(function)
        self._renew_lock()
        os.register_at_fork(after_in_child=self._renew_lock)  # whoever held it is not there

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the kept answer, or ask; whoever comes meanwhile waits for it."""
        with self._lock:
            return self._answers(*args, **kwargs)  # type: ignore[arg-type] # unhashable: a TypeError

    def forget(self) -> None:
        """Ask again from now on."""
        self._answers.cache_clear()

    def _renew_lock(self) -> None:
        self._lock = threading.RLock()
