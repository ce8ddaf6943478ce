"""Saved baselines: runs under a name, in a folder or on a git branch. Main names: `save`, `load`, `names`.

    STORE/NAME/RUN/manifest.json, samples/…

Several runs may be saved under one name; from three on, what differs between them is the noise floor of
comparisons with that name. A store `git:BRANCH` is a branch of the repository at hand that no checkout touches.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from curserve_results.errors import ResultsError
from curserve_results.manifest import NAME as MANIFEST
from curserve_results.manifest import read_manifest
from curserve_results.store import SAMPLES, sample_files

STORE = ".curserve/baselines"
"""Where baselines lie if nobody says: in the folder that one is in, which others may have made."""

_BRANCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}(/[A-Za-z0-9][A-Za-z0-9._-]{0,79}){0,4}")
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


def save(store: str, name: str, run: Path) -> str:
    """Add the run to the baseline `name`; return where it lies. An existing run is never overwritten."""
    _safe("baseline name", name)
    manifest = read_manifest(run)
    identity = re.sub(r"[^A-Za-z0-9._-]", "-", manifest.run).strip(".-")[:80] or "run"
    if not sample_files(run):
        raise ResultsError(f"baseline save {name}: {run} has no finished block; let the run finish first")
    if manifest.void:
        raise ResultsError(f"baseline save {name}: {run} is void ({manifest.void_reason}); repeat the run")
    with (
        _opened(store, write=f"Save baseline {name}: {identity}") as folder,
        _beneath(folder, name, make=True) as own,
    ):
        if os.path.lexists(own / identity):
            raise ResultsError(f"baseline save {name}: run {identity} is saved already in {store}")
        aside = own / f".{identity}.{os.getpid()}.part"
        try:
            (aside / SAMPLES).mkdir(parents=True)
            shutil.copyfile(run / MANIFEST, aside / MANIFEST)
            for path in sample_files(run):
                shutil.copyfile(path, aside / SAMPLES / path.name)
            aside.rename(own / identity)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return f"{store}/{name}/{identity}"


@contextmanager
def load(store: str, name: str) -> Iterator[list[Path]]:
    """Give the run folders of the baseline `name`; one that is gone is a ResultsError naming what there is."""
    _safe("baseline name", name)
    with _opened(store) as folder:
        runs = sorted(path.parent for path in (folder / name).glob(f"*/{MANIFEST}"))
        if not runs:
            there = ", ".join(sorted(p.name for p in folder.glob("*") if p.is_dir())) or "none"
            raise ResultsError(f"baseline {name!r}: not in {store} (there: {there}); save it first: baseline save")
        yield runs


def names(store: str) -> Mapping[str, list[str]]:
    """Return the baselines of a store with the names of their runs."""
    with _opened(store) as folder:
        found: dict[str, list[str]] = {}
        for path in sorted(folder.glob(f"*/*/{MANIFEST}")):
            found.setdefault(path.parent.parent.name, []).append(path.parent.name)
        return found


def _safe(what: str, name: str) -> None:
    """Refuse a name that could leave its folder."""
    if _SAFE.fullmatch(name) is None:
        raise ResultsError(f"{what} {name!r}: expected letters, digits, '.', '_' and '-', at most 80")


@contextmanager
def _beneath(folder: Path, name: str, *, make: bool = False) -> Iterator[Path]:
    """Give the folder `name` of a folder by its descriptor; a link is refused, which a repository can bring.

    What is put there by then goes nowhere else, whatever becomes of the name meanwhile.
    """
    above = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if make:
            with suppress(FileExistsError):
                os.mkdir(name, dir_fd=above)
        try:
            own = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)
        except NotADirectoryError:
            raise ResultsError(
                f"{folder.resolve() / name}: a link, which is not followed, or no folder; remove it, or name "
                "another folder with --store"
            ) from None
    finally:
        os.close(above)
    try:
        yield Path(f"/proc/self/fd/{own}")
    finally:
        os.close(own)


@contextmanager
def _opened(store: str, write: str | None = None) -> Iterator[Path]:
    """Give the store's folder; for a branch a copy of it, committed afterwards if `write` is its message."""
    if not store.startswith("git:"):
        folder = Path(store)
        if write is None and not folder.is_dir():
            raise ResultsError(f"store {store}: there is no such folder; save a run to it first: baseline save")
        if store != STORE:
            folder.mkdir(parents=True, exist_ok=True)
            yield folder
            return
        make = write is not None
        with (
            _beneath(Path(), folder.parent.name, make=make) as above,
            _beneath(above, folder.name, make=make) as own,
        ):
            yield own if make else folder
        return
    branch = store.removeprefix("git:")
    if _BRANCH.fullmatch(branch) is None or ".." in branch or branch.endswith((".", ".lock")):
        raise ResultsError(f"store {store!r}: expected git:BRANCH, such as git:perf/baselines")
    ref = f"refs/heads/{branch}"
    if write is not None and f"branch {ref}" in _git("worktree", "list", "--porcelain").splitlines():
        raise ResultsError(f"store {store}: {branch} is checked out; give a branch that holds baselines only")
    with tempfile.TemporaryDirectory(prefix="curserve-baselines-") as temporary:
        folder = Path(temporary) / "tree"
        folder.mkdir()
        environment = {
            **os.environ,
            "GIT_INDEX_FILE": f"{temporary}/index",
            "GIT_WORK_TREE": str(folder),
            "GIT_DIR": _git("rev-parse", "--absolute-git-dir"),
        }
        parent = _git("rev-parse", "--verify", "--quiet", ref, allowed=(0, 1))
        if not parent and write is None:
            raise ResultsError(f"store {store}: there is no such branch; save a run to it first: baseline save")
        if parent:
            _git("read-tree", parent, environment=environment)
            _git("checkout-index", "--all", environment=environment)
        yield folder
        if write is None:
            return
        _git("add", "--all", "--force", ".", environment=environment, at=folder)
        tree = _git("write-tree", environment=environment)
        identity = {"GIT_AUTHOR_NAME": "curserve-bench", "GIT_AUTHOR_EMAIL": "curserve-bench@localhost"}
        identity |= {key.replace("AUTHOR", "COMMITTER"): value for key, value in identity.items()}
        parents = ("-p", parent) if parent else ()
        commit = _git("commit-tree", tree, *parents, "-m", write, environment={**environment, **identity})
        _git("update-ref", ref, commit, parent or "0" * 40)


def _git(
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    at: Path | None = None,
    allowed: tuple[int, ...] = (0,),
) -> str:
    """Run git and return what it printed; a ResultsError tells what git said."""
    try:
        done = subprocess.run(
            ["git", *arguments], capture_output=True, text=True, env=environment, cwd=at, check=False
        )
    except FileNotFoundError:
        raise ResultsError("a store on a branch needs git; install it, or give a folder as --store") from None
    if done.returncode not in allowed:
        raise ResultsError(
            f"git {arguments[0]}: {(done.stderr.splitlines() or ['failed'])[0]}; is this a repository?"
        )
    return done.stdout.strip()
