"""The corpus: every attack of every module, in the order of the page docs/SECURITY.md."""

from __future__ import annotations

import archives
import asks
import cleaning
import frames
import inside
import limits
import recordings
import runs
import serving
import shell
from attack import Attack

MODULES = (asks, runs, archives, cleaning, inside, limits, shell, frames, recordings, serving)


def attacks() -> list[Attack]:
    """Return all attacks; each name is there once."""
    found = [attack for module in MODULES for attack in module.attacks()]
    names = [attack.name for attack in found]
    assert len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)
    return found
