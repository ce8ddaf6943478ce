"""A server that does not come up is explained by its log's own error, and what that came from."""

from __future__ import annotations

from pathlib import Path

import pytest

from curserve_harness.vllm.process import _last_error

ROOT = "ImportError: cannot import name 'Seam' from 'vllm.x'"
CHAINED = f"""INFO starting
(EngineCore pid=7) ERROR {ROOT}
(EngineCore pid=7) ERROR The above exception was the direct cause of the following exception:
(EngineCore pid=7) ERROR RuntimeError: Failed to load plugin 'curserve'
RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {{}}
"""


@pytest.mark.parametrize(
    ("log", "says"),
    [
        (CHAINED, f"RuntimeError: Failed to load plugin 'curserve' (from {ROOT})"),
        ("INFO one\nValueError: no weights\nINFO bye\n", "ValueError: no weights"),
        ("INFO one\nkilled\n", "killed"),
        ("", "no output"),
    ],
)
def test_the_root_of_a_failed_start_is_told(log: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_text(log)
    assert _last_error(tmp_path / "log") == says
