"""Where the recorded trajectories lie, for the tests that use them when they are present."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def trajectories() -> Path:
    """The folder of recorded trajectories, or a skip that says where it was looked for."""
    repository = Path(__file__).resolve().parents[3]
    given = os.environ.get("CURSERVE_SHARED")
    places = [Path(given)] if given else []
    places += [repository.parent / "shared", repository.parent.parent / "shared"]
    for place in places:
        if (place / "trajectories" / "MANIFEST.tsv").is_file():
            return place / "trajectories"
    pytest.skip(f"recorded trajectories are not here (looked in {', '.join(map(str, places))})")
