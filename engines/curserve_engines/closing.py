"""What every session does at the end of its `with`, so that an engine writes only `close`. Main type: Closing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Closing(ABC):
    """Ends by `close` at the end of its `with`."""

    @abstractmethod
    def close(self) -> None:
        """End the session and everything it started."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
