from pathlib import Path

import pytest
from made_runs import Truth, write_run


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated run of 12 blocks: 3 traces, 4 repetitions, 5 engines."""
    return write_run(tmp_path_factory.mktemp("run") / "run", Truth(), seed=1)
