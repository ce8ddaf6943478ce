"""The action's script: each exit code of the gate becomes a verdict, a summary and the right exit code."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run_script(tmp_path: Path, code: int, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the script with a program that behaves as the gate does and notes its arguments."""
    program = tmp_path / "curserve-bench"
    program.write_text(
        '#!/usr/bin/env bash\nprintf "%s\\n" "$@" > arguments\ncommand -v curserve-bench > found\n'
        "while [ $# -gt 0 ]; do\n"
        '  [ "$1" = --summary ] && [ "$EXIT" -le 1 ] && echo "| table |" >> "$2"\n'
        "  shift\n"
        "done\n"
        'echo "curserve-bench: what went wrong" >&2\nexit "$EXIT"\n'
    )
    program.chmod(0o755)
    return subprocess.run(
        ["bash", ROOT / "scripts" / "gate-in-ci.sh"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "CURSERVE_BENCH": str(program),
            "AGAINST": "git:origin/main; touch owned",
            "REPLAY_ARGUMENTS": "--rtt 150ms $(touch owned)",
            "EXIT": str(code),
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
            "GITHUB_OUTPUT": str(tmp_path / "output"),
            **environment,
        },
    )


@pytest.mark.parametrize(
    ("code", "verdict", "expected"),
    [(0, "pass", 0), (1, "fail", 1), (2, "error", 2), (3, "error", 3), (4, "error", 4), (5, "inconclusive", 0)],
)
def test_each_exit_code_has_its_verdict(tmp_path: Path, code: int, verdict: str, expected: int) -> None:
    done = run_script(tmp_path, code)
    assert done.returncode == expected
    assert (tmp_path / "output").read_text() == f"verdict={verdict}\n"
    summary = (tmp_path / "summary").read_text()
    if code <= 1:
        assert summary == "| table |\n"
    else:
        assert "curserve-bench: what went wrong" in summary
        assert "| table |" not in summary


def test_in_shadow_nothing_fails(tmp_path: Path) -> None:
    assert run_script(tmp_path, 1, SHADOW="true").returncode == 0
    assert (tmp_path / "output").read_text() == "verdict=fail\n"


def test_inputs_stay_arguments(tmp_path: Path) -> None:
    run_script(tmp_path, 0)
    assert not (tmp_path / "owned").exists()
    arguments = (tmp_path / "arguments").read_text().splitlines()
    assert arguments[:3] == ["gate", "--against", "git:origin/main; touch owned"]
    assert arguments[-5:] == ["--", "--rtt", "150ms", "$(touch", "owned)"]


def test_a_baseline_may_wrap_the_program_and_work_in_another_folder(tmp_path: Path) -> None:
    run_script(tmp_path, 0)
    assert (tmp_path / "found").read_text() == f"{tmp_path / 'curserve-bench'}\n"
    arguments = (tmp_path / "arguments").read_text().splitlines()
    assert arguments[arguments.index("--out") + 1] == str(tmp_path / "runs" / "gate")


def test_the_action_takes_nothing_of_its_own_from_the_callers_checkout() -> None:
    """In another repository, `make setup` and scripts/ are the caller's, or nobody's."""
    lines = [line.strip() for line in (ROOT / "action.yml").read_text().splitlines()]
    runs = [line for line in lines if line.startswith("run: ") and not line.endswith(">-")]
    assert runs == ['run: make -C "$ACTION" setup', 'run: bash "$ACTION/scripts/gate-in-ci.sh"']
    assert lines.count("ACTION: ${{ github.action_path }}") == 2
    assert "CURSERVE_BENCH: ${{ github.action_path }}/.venv/bin/curserve-bench" in lines
