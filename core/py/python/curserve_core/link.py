"""The link's packet queue and byte relay; see `core/link`."""

from curserve_core._core import LinkQueue, LinkRelay

__all__ = ["LinkQueue", "LinkRelay"]
