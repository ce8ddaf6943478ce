"""Where nothing may be skipped, a skip fails, but for what is listed."""

import pytest
from skips import unexpected

pytest_plugins = "pytester"
SKIPPING = """
import pytest

@pytest.mark.skipif(True, reason="REASON")
def test_marked(): ...

def test_within():
    pytest.skip("REASON")
"""


@pytest.mark.parametrize(
    ("reason", "outcomes"),
    [("bash is not here", {"errors": 1, "failed": 1}), ("vllm: no GPU", {"skipped": 2})],
)
def test_a_skip_fails_in_ci(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, reason: str, outcomes: dict[str, int]
) -> None:
    monkeypatch.setenv("CURSERVE_MUST_NOT_SKIP", "1")
    pytester.makeconftest("from skips import pytest_runtest_makereport")
    pytester.makepyfile(SKIPPING.replace("REASON", reason))
    pytester.runpytest_inprocess().assert_outcomes(**outcomes)


def test_elsewhere_a_skip_is_a_skip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CURSERVE_MUST_NOT_SKIP", raising=False)
    assert unexpected("bash is not here") is None
