"""The simulated cluster: what is said, what tools take, who comes when, and `simulate`; see `core/sim`."""

from curserve_core._core import Gaps, Scripts, Sessions, simulate

__all__ = ["Gaps", "Scripts", "Sessions", "simulate"]
