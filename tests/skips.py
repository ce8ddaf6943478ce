"""Where a skipped test is a failure: CI sets CURSERVE_MUST_NOT_SKIP, and installs what the tests need."""

from __future__ import annotations

import os
import re
from collections.abc import Generator

import pytest

ALLOWED = (
    r"processor's AMX is more than user-mode Linux 6\.1 can save",  # another machine proves netem
    r"^ray: ",  # an extra of 80 MB for one option
    r"^vllm: ",  # 7 GB: `.ci/run` says why it could not be installed
    r"^no browser found|^hyperfine is not installed|^fff: ",  # Debian's and npm's: `.ci/run` says why not
    r"are not here \(looked in ",  # recordings that are no part of the project
    # About root, or about everybody else: another test is for the other.
    r"takes root to make|is about root|who is root$|^root is refused|made by root",
    r"ran as an ordinary user|run as they are",
    r"^no control group can be made",  # control groups and namespaces are the machine's
    r"user namespace|^no namespace to mount in|^no TUN device|^this machine has no network",
)
"""What may be skipped there all the same, each with its reason: what the machine itself cannot have."""


def unexpected(reason: str) -> str | None:
    """Say why a skip for `reason` is a failure here; `None` where it may be."""
    if not os.environ.get("CURSERVE_MUST_NOT_SKIP") or any(re.search(shape, reason) for shape in ALLOWED):
        return None
    return f"skipped where CURSERVE_MUST_NOT_SKIP is set: {reason}. Install what it needs, or see tests/skips.py."


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a skip fail where nothing may be skipped."""
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple) and not hasattr(report, "wasxfail"):
        why = unexpected(report.longrepr[2].removeprefix("Skipped: "))
        if why is not None:
            report.outcome, report.longrepr = "failed", why
    return report
