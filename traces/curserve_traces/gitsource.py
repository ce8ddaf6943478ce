"""A workspace at a git commit, from a URL or a local mirror; nothing that the repository brings is run."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from curserve_traces.errors import WorkspaceError

_SAFE = (
    *("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.symlinks=true"),
    *(
        "-c",
        "protocol.ext.allow=never",
        "-c",
        "submodule.recurse=false",
        "-c",
        "gc.auto=0",
        "-c",
        "core.autocrlf=false",
    ),
)
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def checkout(source: str, commit: str, target: Path) -> None:
    """Check `commit` of `source` out into the new folder `target`, with that commit's history in its `.git`.

    Raises WorkspaceError where the repository or the commit cannot be had.
    """
    if not _COMMIT.fullmatch(commit):
        raise WorkspaceError(f"workspace git {source}: {commit!r} is not a full commit number")
    if source.startswith("-") or "::" in source:
        raise WorkspaceError(f"workspace git {source!r}: expected a URL or a folder")
    local = Path(source).expanduser()
    place = str(local.resolve()) if local.is_dir() else source
    target.mkdir(parents=True)
    _git(target, source, "init", "--quiet", "--template=", ".")
    _git(target, source, "fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--", place, commit)
    _git(target, source, "checkout", "--quiet", "--detach", commit)
    (target / ".git/FETCH_HEAD").unlink(missing_ok=True)  # it names the mirror's place


def _git(folder: Path, source: str, *arguments: str) -> None:
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_LFS_SKIP_SMUDGE": "1", "LC_ALL": "C.UTF-8"}
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        environment.pop(name, None)
    command = ["git", *_SAFE, *arguments]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise WorkspaceError(f"workspace git {source}: git not found; install git") from error
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["git said nothing"])[-1]
        raise WorkspaceError(
            f"workspace git {source}: `git {arguments[0]}` failed: {said}; check URL and commit, or give "
            "the folder with --workspace DIR"
        )
