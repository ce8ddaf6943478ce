"""Whatever the project installs or runs while it is built is named with the digest of its bytes."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

HOUSE = Path(__file__).parents[2]
LOCKS = (HOUSE / "requirements.lock", *sorted((HOUSE / "scripts/locks").glob("*.lock")))
RECIPES = (
    *(HOUSE / name for name in ("Makefile", ".ci/run", "action.yml", "CONTRIBUTING.md")),
    *sorted((HOUSE / ".github/workflows").glob("*.yml")),
    *sorted((HOUSE / "scripts").glob("*.sh")),
)
NAMED = ("traces/curserve_traces/suites/",)  # recordings, compressed


def pins(lock: Path) -> dict[str, Version]:
    """Return the version of each package that a lock names."""
    found = re.findall(r"^([\w.\-]+)==(\S+)", lock.read_text(), re.MULTILINE)
    return {canonicalize_name(name): Version(version) for name, version in found}


def commands(recipe: Path) -> list[str]:
    """Return the lines of a recipe, continued ones joined, without comments and messages."""
    joined = recipe.read_text().replace("\\\n", " ")
    return [line.strip() for line in joined.splitlines() if not line.strip().startswith(("#", "echo", "@echo"))]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_names_digests_and_no_address(lock: Path) -> None:
    text = lock.read_text()
    entries = re.split(r"^(?=[\w.\-]+==)", text, flags=re.MULTILINE)[1:]
    assert len(entries) == len(pins(lock)) > 10
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in text
    assert re.findall(r"^-.*", text, re.MULTILINE) == []  # no --index-url, --find-links, -e


def test_the_lock_has_all_that_the_project_asks_for() -> None:
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    asked = [
        *project["project"]["dependencies"],
        *extras["dev"],
        *extras["figures"],
        *project["dependency-groups"]["build"],
    ]
    locked = pins(HOUSE / "requirements.lock")
    for text in asked:
        wanted = Requirement(text)
        if wanted.name not in {"curserve", "curserve-core"}:
            version = locked.get(canonicalize_name(wanted.name))
            assert version is not None, f"{text}: not in requirements.lock; run `make lock`"
            assert version in wanted.specifier, (
                f"{text}: requirements.lock has {version}; `make lock` writes it anew"
            )


def test_crates_come_from_one_registry_with_checksums() -> None:
    packages = tomllib.loads((HOUSE / "core/Cargo.lock").read_text())["package"]
    theirs = [package for package in packages if "source" in package]
    assert {package["source"] for package in theirs} == {"registry+https://github.com/rust-lang/crates.io-index"}
    assert [package["name"] for package in theirs if len(package.get("checksum", "")) != 64] == []
    ours = {package["name"] for package in packages if "source" not in package}
    assert {name for name in ours if not name.startswith("curserve")} == set()


def test_npm_packages_come_by_digest() -> None:
    lock = json.loads((HOUSE / "scripts/locks/fff/package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert packages
    assert [
        name for name, package in packages.items() if not package.get("integrity", "").startswith("sha512-")
    ] == []
    assert [name for name, package in packages.items() if "resolved" in package] == []


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)
def test_a_recipe_installs_by_lock_alone(recipe: Path) -> None:
    for line in commands(recipe):
        for install in re.findall(r"pip[\w.]* (?:install|download|wheel)\b[^;&|]*", line):
            # By digest, and never from source; or what lies here, and then nothing is fetched for it.
            by_digest = (
                "--require-hashes" in install and "--only-binary :all:" in install and "--no-deps" in install
            )
            ours = "--no-index" in install and "--no-deps" in install
            assert by_digest or ours, line
        for cargo in re.findall(r"\bcargo(?: \+\S+)? (?:build|test|clippy|run|install|doc|bench)\b[^;&|]*", line):
            assert "--locked" in cargo, line
        for npm in re.findall(r"\bnpm (?:install|i|ci|exec)\b[^;&|]*", line):
            assert "--ignore-scripts" in npm, line
            assert npm.startswith("npm ci") or "--package-lock-only" in npm, line
        assert not re.search(r"\b(?:curl|wget)\b", line), line


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)
def test_an_action_is_pinned_by_commit(recipe: Path) -> None:
    for used in re.findall(r"\buses:\s*(.*)", recipe.read_text()):
        if used != "./" and not used.startswith("OWNER/"):  # ours: in this commit, or at the reader's choice
            assert re.fullmatch(r"[\w\-]+/[\w\-/]+@[0-9a-f]{40} # \S.*", used), f"{recipe.name}: {used}"


def test_maturin_builds_what_the_lock_says() -> None:
    for name in ("cli", "py"):
        assert (
            tomllib.loads((HOUSE / f"core/{name}/pyproject.toml").read_text())["tool"]["maturin"]["locked"] is True
        )


def test_no_archive_or_program_is_checked_in() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=HOUSE, capture_output=True, text=True, check=True
    ).stdout
    archives = re.compile(r"\.(whl|egg|zip|tar|t?gz|bz2|xz|zst|7z|jar|eval|so|o|a|exe|dll|pyc|wasm)$")
    strays = [name for name in tracked if archives.search(name) and not name.startswith(NAMED)]
    assert strays == []
    for name in tracked:
        if (HOUSE / name).is_file():
            with (HOUSE / name).open("rb") as file:
                assert file.read(4) != b"\x7fELF", f"{name}: a program of a machine"
