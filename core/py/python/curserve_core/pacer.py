"""Writes token streams to sockets by absolute deadlines, on threads of its own; `Pacer` is the main type."""

from curserve_core._core import Pacer, Written

__all__ = ["Pacer", "Written"]
