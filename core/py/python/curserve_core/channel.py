"""The caller's side of a connection to a program behind a socket."""

from curserve_core._core import Channel

__all__ = ["Channel"]
