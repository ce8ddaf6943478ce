"""Baselines in a folder and on a branch: saved whole, never overwritten, gone ones named."""

import shutil
import subprocess
from pathlib import Path

import pytest

from curserve_results.baseline import STORE, load, names, save
from curserve_results.errors import ResultsError
from curserve_results.manifest import read_manifest
from curserve_results.store import scan


@pytest.fixture(params=["folder", "branch"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "folder":
        return str(tmp_path / "baselines")
    subprocess.run(["git", "init", "-q", str(tmp_path / "repository")], check=True)
    monkeypatch.chdir(tmp_path / "repository")
    return "git:baselines"


def test_a_baseline_loads_as_saved(run: Path, store: str) -> None:
    save(store, "main", run)
    assert names(store) == {"main": ["simulated-1"]}
    with load(store, "main") as folders:
        assert [read_manifest(folder) for folder in folders] == [read_manifest(run)]
        assert scan(folders[0]).collect().equals(scan(run).collect())


def test_a_second_run_joins_and_the_same_one_is_refused(run: Path, store: str, tmp_path: Path) -> None:
    save(store, "main", run)
    with pytest.raises(ResultsError, match="saved already"):
        save(store, "main", run)
    again = tmp_path / "again"
    subprocess.run(["cp", "-r", str(run), str(again)], check=True)
    read_manifest(run).with_changes(run="simulated-2").write(again)
    save(store, "main", again)
    assert names(store) == {"main": ["simulated-1", "simulated-2"]}


def test_a_branch_touches_no_checkout(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = tmp_path / "repository"
    subprocess.run(["git", "init", "-q", str(repository)], check=True)
    monkeypatch.chdir(repository)
    save("git:baselines", "main", run)
    assert [path.name for path in repository.iterdir()] == [".git"]
    status = subprocess.run(["git", "status", "--porcelain"], capture_output=True, text=True, check=True)
    assert status.stdout == ""


def git(*arguments: object, at: Path) -> str:
    named = ("-c", "user.name=t", "-c", "user.email=t@localhost")
    done = subprocess.run(
        ["git", "-C", str(at), *named, *map(str, arguments)], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_a_branch_that_is_checked_out_is_refused(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = tmp_path / "repository"
    subprocess.run(["git", "init", "-q", "-b", "main", str(repository)], check=True)
    git("commit", "-q", "--allow-empty", "-m", "first", at=repository)
    git("worktree", "add", "-q", "-b", "other", tmp_path / "other", at=repository)
    monkeypatch.chdir(repository)
    for branch in ("main", "other"):
        with pytest.raises(
            ResultsError, match=f"{branch} is checked out; give a branch that holds baselines only"
        ):
            save(f"git:{branch}", "m", run)
    assert git("log", "--all", "--oneline", at=repository).count("\n") == 1
    assert git("status", "--porcelain", at=repository) == ""


def test_a_branch_may_have_a_slash(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path / "repository")], check=True)
    monkeypatch.chdir(tmp_path / "repository")
    save("git:perf/base", "main", run)
    assert names("git:perf/base") == {"main": ["simulated-1"]}


@pytest.mark.parametrize("branch", ["", "-x", "a..b", "a/", "/a", "a//b", "a.lock", "a/.b", "refs/heads/../x"])
def test_a_branch_that_git_could_not_have_is_refused(run: Path, branch: str) -> None:
    with pytest.raises(ResultsError, match="expected git:BRANCH"):
        save(f"git:{branch}", "main", run)


def test_a_store_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    monkeypatch.chdir(tmp_path)
    for store in ("nowhere", "git:nowhere"):
        with pytest.raises(ResultsError, match=f"store {store}: there is no such"):
            names(store)


def test_a_baseline_that_is_gone_says_what_there_is(run: Path, store: str) -> None:
    save(store, "main", run)
    with (
        pytest.raises(ResultsError, match=r"baseline 'old': not in .* \(there: main\); save it first"),
        load(store, "old"),
    ):
        pytest.fail("gave a baseline")


@pytest.mark.parametrize("name", ["../up", "", ".hidden", "a/b", "x" * 99, "-rf"])
def test_names_cannot_leave_the_store(run: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(ResultsError, match="expected letters, digits"):
        save(str(tmp_path), name, run)


def test_void_and_empty_runs_are_no_baselines(run: Path, tmp_path: Path) -> None:
    read_manifest(run).write(tmp_path)
    with pytest.raises(ResultsError, match="no finished block"):
        save(str(tmp_path / "store"), "main", tmp_path)
    void = tmp_path / "void"
    subprocess.run(["cp", "-r", str(run), str(void)], check=True)
    read_manifest(run).with_changes(void_reason="drifted").write(void)
    with pytest.raises(ResultsError, match=r"is void \(drifted\)"):
        save(str(tmp_path / "store"), "main", void)
    assert not (tmp_path / "store" / "main").exists()


@pytest.mark.parametrize("linked", [".curserve", ".curserve/baselines", ".curserve/baselines/main"])
def test_a_link_that_a_repository_brings_is_not_followed(
    linked: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    here = tmp_path / "here"
    (here / linked).parent.mkdir(parents=True)
    (here / linked).symlink_to(elsewhere)
    monkeypatch.chdir(here)
    with pytest.raises(ResultsError, match="a link, which is not followed"):
        save(STORE, "main", run)
    assert not list(elsewhere.iterdir())


def test_a_link_that_takes_the_name_meanwhile_gets_nothing(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is checked and used by one descriptor, so what its name becomes afterwards does not matter."""
    elsewhere, here = tmp_path / "elsewhere", tmp_path / "here"
    for folder in (elsewhere, here):
        folder.mkdir()
    monkeypatch.chdir(here)
    copy = shutil.copyfile

    def swap(source: Path, target: Path) -> Path:
        if not (moved := here / "moved").exists():
            (here / ".curserve").rename(moved)
            (here / ".curserve").symlink_to(elsewhere)
        return Path(copy(source, target))

    monkeypatch.setattr("curserve_results.baseline.shutil.copyfile", swap)
    save(STORE, "main", run)
    assert not list(elsewhere.iterdir())
    assert list((here / "moved/baselines/main").iterdir())
