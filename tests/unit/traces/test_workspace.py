"""Workspaces: fetched, verified, unpacked without harm, copied, changed by deltas inside their root only."""

import hashlib
import io
import os
import subprocess
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curserve_traces.errors import DigestMismatch, NotGranted, WorkspaceError
from curserve_traces.grants import Grants
from curserve_traces.model import FileChange, Workspace, WorkspaceDelta, digest
from curserve_traces.workspace import apply_delta, diff, materialise, pristine_copy, snapshot, tree_digest


def tree(root: Path) -> Path:
    (root / "pkg").mkdir(parents=True)
    (root / "pkg/a.py").write_text("a = 1\n")
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    (root / "link").symlink_to("pkg/a.py")
    return root


# --- where it comes from


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A local package index, told to pip by its own variables."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def sdist(index: Path) -> str:
    file = index / "demo-1.0.tar.gz"
    with tarfile.open(file, "w:gz") as archive:
        for name, text in [
            ("demo-1.0/demo.py", "x = 1\n"),
            ("demo-1.0/setup.py", "raise SystemExit('executed')\n"),
        ]:
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_sdist_is_fetched_verified_and_not_executed(index: Path, tmp_path: Path) -> None:
    workspace = Workspace("sdist", "demo", "1.0", sdist(index))
    root = materialise(workspace, tmp_path / "cache")
    assert sorted(path.name for path in root.iterdir()) == ["demo.py", "setup.py"]
    assert (root / "demo.py").stat().st_mtime == 1_700_000_000
    (index / "demo-1.0.tar.gz").unlink()
    assert materialise(workspace, tmp_path / "cache") == root, "the second time it comes from the cache"


def test_wheel_is_fetched_by_its_digest(index: Path, tmp_path: Path) -> None:
    file = index / "demo_pkg-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("demo/__init__.py", "x = 1\n")
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    root = materialise(Workspace("wheel", "demo-pkg", "1.0", sha256), tmp_path / "cache")
    assert (root / "demo/__init__.py").read_text() == "x = 1\n"
    with pytest.raises(DigestMismatch, match="has sha256"):
        materialise(Workspace("wheel", "demo-pkg", "1.0", "0" * 64), tmp_path / "cache")
    with pytest.raises(WorkspaceError, match="pip config list"):
        materialise(Workspace("wheel", "absent", "1.0", sha256), tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*tree*")), "no half-made entry stays"


def test_git_commit_is_checked_out_with_its_history_and_without_hooks(tmp_path: Path) -> None:
    mirror = tree(tmp_path / "mirror")
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_AUTHOR_DATE": "2020-01-01T00:00:00Z"}

    def git(*arguments: str) -> str:
        command = ["git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments]
        return subprocess.run(
            command, cwd=mirror, env=env, check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "one")
    first = git("rev-parse", "HEAD")
    (mirror / "new").write_text("x")
    git("add", "-A")
    git("commit", "-qm", "two")
    workspace = Workspace("git", str(mirror), first)
    with pytest.raises(NotGranted, match="--allow-source"):
        materialise(workspace, tmp_path / "cache")
    lines: list[str] = []
    granted = Grants(sources=(str(tmp_path),), say=lines.append)
    root = materialise(workspace, tmp_path / "cache", grants=granted)
    assert lines == [f"fetching commit {first} of the repository {mirror}, which the trace names"]
    assert not (root / "new").exists()
    assert (root / "link").is_symlink()
    log = subprocess.run(["git", "log", "--format=%s"], cwd=root, capture_output=True, text=True, check=True)
    assert log.stdout == "one\n"
    for wrong in ("0" * 40, "main", "--upload-pack=touch /tmp/x"):
        with pytest.raises(WorkspaceError):
            materialise(Workspace("git", str(mirror), wrong), tmp_path / "cache", grants=granted)


def test_a_tree_that_differs_is_refused(index: Path, tmp_path: Path) -> None:
    workspace = Workspace("sdist", "demo", "1.0", sdist(index))
    known = tree_digest(materialise(workspace, tmp_path / "cache"))
    root = materialise(replace(workspace, digest=known), tmp_path / "cache")
    (root / "demo.py").write_text("x = 2\n")
    with pytest.raises(DigestMismatch, match="--workspace"):
        materialise(replace(workspace, digest=known), tmp_path / "cache")
    with pytest.raises(WorkspaceError, match="names no workspace"):
        materialise(Workspace())


# --- copies and deltas


def test_pristine_copy_keeps_links_modes_and_times(tmp_path: Path) -> None:
    root = tree(tmp_path / "w")
    os.utime(root / "pkg/a.py", (5, 5))
    copy = pristine_copy(root, tmp_path / "c")
    assert tree_digest(copy) == tree_digest(root)
    assert (copy / "pkg/a.py").stat().st_mtime == 5
    (copy / "pkg/a.py").write_text("changed")
    assert (root / "pkg/a.py").read_text() == "a = 1\n"
    with pytest.raises(WorkspaceError, match="exists"):
        pristine_copy(root, copy)


def test_delta_carries_one_tree_into_the_other(tmp_path: Path) -> None:
    root = tree(tmp_path / "w")
    other = pristine_copy(root, tmp_path / "c")
    before = snapshot(root)
    (root / "pkg/a.py").write_text("a = 2\n")
    (root / "new/deep").mkdir(parents=True)
    (root / "new/deep/f").write_bytes(b"\0\xff")
    (root / "run.sh").chmod(0o644)
    (root / "link").unlink()
    (root / "link").symlink_to("new")
    delta = diff(before, snapshot(root, before), root)
    assert {change.path for change in delta.changes} == {
        "pkg/a.py",
        "new",
        "new/deep",
        "new/deep/f",
        "run.sh",
        "link",
    }
    apply_delta(other, delta)
    assert tree_digest(other) == tree_digest(root)
    back = diff(snapshot(root), before)
    assert {change.path for change in back.changes if change.after is None} == {"new", "new/deep", "new/deep/f"}


paths = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3).map("/".join)


@given(st.lists(st.tuples(st.sampled_from(["file", "folder", "link", "remove"]), paths, st.binary(max_size=8))))
@example([("remove", "a", b""), ("file", "a", b"x")])
@example([("remove", "a", b""), ("link", "a", b"")])
@example([("remove", "a/b", b""), ("folder", "a/b", b"")])
@settings(max_examples=60, deadline=None)
def test_any_change_is_carried_over(tmp_path_factory: pytest.TempPathFactory, steps) -> None:
    base = tmp_path_factory.mktemp("delta")
    root = base / "w"
    (root / "a").mkdir(parents=True)
    (root / "a/b").write_bytes(b"old")
    other = pristine_copy(root, base / "c")
    before = snapshot(root)
    import shutil

    for kind, path, data in steps:
        place = root / path
        try:
            if kind == "remove":
                shutil.rmtree(place) if place.is_dir() and not place.is_symlink() else place.unlink()
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            if kind == "file":
                place.write_bytes(data)
            elif kind == "folder":
                place.mkdir()
            else:
                place.symlink_to(data.hex() or "x")
        except OSError:
            pass  # an impossible step (a file as a folder, a loop of links) changes nothing
    apply_delta(other, diff(before, snapshot(root), root))
    assert tree_digest(other) == tree_digest(root)


def change(path: str, before: bytes | None = None, after: bytes | None = b"evil", **rest) -> WorkspaceDelta:
    old, new = (None if data is None else digest(data) for data in (before, after))
    return WorkspaceDelta((FileChange(path, old, new, content=after, **rest),))


@pytest.mark.parametrize(
    "path", ["../escape", "/escape", "a/../../escape", "out/escape", "", "a//b", "./a", "loop/x"]
)
def test_delta_cannot_leave_the_workspace(tmp_path: Path, path: str) -> None:
    root, outside = tmp_path / "w", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "out").symlink_to(outside)
    (root / "loop").symlink_to("loop")
    before = snapshot(tmp_path)
    with pytest.raises(WorkspaceError):
        apply_delta(root, change(path))
    assert snapshot(tmp_path) == before


def test_delta_on_another_state_changes_nothing(tmp_path: Path) -> None:
    root = tree(tmp_path / "w")
    before = snapshot(root)
    good = change("ok").changes[0]
    for bad in (change("pkg/a.py", before=b"other"), change("pkg/a.py"), change("gone", before=b"x")):
        with pytest.raises(DigestMismatch):
            apply_delta(root, WorkspaceDelta((good, *bad.changes)))
    lying = FileChange("f", None, digest(b"promised"), content=b"delivered")
    with pytest.raises(DigestMismatch, match="not what its digest says"):
        apply_delta(root, WorkspaceDelta((lying,)))
    with pytest.raises(WorkspaceError, match="no content"):
        apply_delta(root, WorkspaceDelta((FileChange("f", None, digest(b"x")),)))
    assert snapshot(root) == before


def test_a_link_is_replaced_not_written_through(tmp_path: Path) -> None:
    root = tmp_path / "w"
    root.mkdir()
    (tmp_path / "outside").write_text("precious")
    (root / "f").symlink_to("../outside")
    apply_delta(root, change("f", before=b"../outside"))
    assert (tmp_path / "outside").read_text() == "precious"
    assert (root / "f").read_bytes() == b"evil"
