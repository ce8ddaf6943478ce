"""The Rust core in process; each submodule of `_core` is one room of `core/`."""

from curserve_core._core import Corpus, Refused, __version__

__all__ = ["Corpus", "Refused", "__version__"]
