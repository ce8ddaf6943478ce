"""Our own overhead, measured by pytest-benchmark: writing a block, reading a run, starting the command line.

No test asserts a time; `pytest tests/bench --benchmark-only` prints them.
"""

import itertools
import subprocess
import sys
from pathlib import Path

import pytest
from made_runs import Truth, write_run
from pytest_benchmark.fixture import BenchmarkFixture

from curserve_results.store import RunWriter, scan
from curserve_results.summary import summarise
from curserve_results.tables import main_tables


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("run") / "run", Truth(), seed=1)


def test_writing_a_block(benchmark: BenchmarkFixture, run: Path, tmp_path: Path) -> None:
    rows = scan(run).filter(block=0).collect().to_dicts()
    writer, numbers = RunWriter(tmp_path), itertools.count()

    def write() -> Path:
        number = next(numbers)
        return writer.write_block(number, [{**row, "block": number} for row in rows])

    assert benchmark.pedantic(write, rounds=5).exists()


def test_the_main_table(benchmark: BenchmarkFixture, run: Path) -> None:
    tables = benchmark.pedantic(lambda: main_tables(summarise(run)), rounds=3)
    assert len(tables[0].rows) == 5


def test_starting_the_command_line(benchmark: BenchmarkFixture) -> None:
    program = Path(sys.executable).with_name("curserve-bench")
    done = benchmark.pedantic(
        lambda: subprocess.run([program, "--help"], capture_output=True, check=True), rounds=5
    )
    assert b"report" in done.stdout
