"""A model server's batch in real time: continuous batching, step times, streams to sockets; `BatchServer`."""

from curserve_core._core import BatchServer, Served

__all__ = ["BatchServer", "Served"]
