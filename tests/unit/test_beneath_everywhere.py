"""What acts on folders that are not trusted acts through `curserve_traces.beneath`, and in no other way.

The modules below handle sessions' folders, copies of workspaces, targets of archives, scratch and run folders.
What they may still do by path is named with its reason; anything new goes through a Folder, or is argued for here.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BY_PATH = {
    "open", "fdopen", "shutil", "walk", "rglob", "glob", "chmod", "chown", "lchmod", "rename", "replace", "rmtree",
    "unlink", "rmdir", "read_bytes", "read_text", "write_bytes", "write_text", "touch", "symlink_to",
    "hardlink_to", "copyfile", "copytree", "copy", "copy2", "move", "extractall", "extract", "utime",
    "TemporaryDirectory",
}  # fmt: skip
"""Calls that follow links, wait for FIFOs, recurse, or change what a link leads to."""

ALLOWED = {
    "traces/curserve_traces/unpack/__init__.py": {"open": "the archive itself, which we fetched"},
    "traces/curserve_traces/unpack/tars.py": {"open": "tarfile's, of a stream"},
    "traces/curserve_traces/unpack/zips.py": {"open": "zipfile's, of a stream"},
    "traces/curserve_traces/unpack/placing.py": {},
    "traces/curserve_traces/unpack/budget.py": {},
    "traces/curserve_traces/tree.py": {"replace": "dataclasses'"},
    "traces/curserve_traces/delta.py": {},
    "traces/curserve_traces/scratch.py": {},
    "traces/curserve_traces/workspace.py": {"rename": "the tree that we made, within our cache"},
    "harness/curserve_harness/run/run_folder.py": {"glob": "names of blocks in a run folder that we made"},
    "harness/curserve_harness/run/cell_runner.py": {"copy": "PreparedTraces': a pristine copy"},
    "harness/curserve_harness/prepare/prepared.py": {"replace": "dataclasses'"},
    "engines/curserve_engines/cell/tools.py": {},
    "harness/curserve_harness/traces/record/changes.py": {},
}
"""Each such module, with the calls of BY_PATH that it may make, and why."""


def calls(path: Path) -> set[str]:
    """Return the names of functions and methods of BY_PATH that a module calls."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            beneath = {"folder", "opened", "parent", "place", "found", "root", "self", "above", "made"}
            owner = function.value if isinstance(function, ast.Attribute) else None
            if name in BY_PATH and not is_beneath(owner, beneath):
                found.add(name)
    return found


def is_beneath(owner: ast.expr | None, names: set[str]) -> bool:
    """Whether a method is a Folder's or a Found's, by the names that these have in the modules above."""
    if isinstance(owner, ast.Attribute):
        return owner.attr == "root"
    return isinstance(owner, ast.Name) and owner.id in names


@pytest.mark.parametrize("name", ALLOWED)
def test_a_module_on_untrusted_folders_acts_beneath_them(name: str) -> None:
    assert calls(ROOT / name) <= set(ALLOWED[name]), "use curserve_traces.beneath.Folder, or argue in ALLOWED"


def test_the_lint_finds_what_it_forbids(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        "import os, shutil, tempfile\nfrom pathlib import Path\n"
        "def f(path, folder):\n"
        "    open(path); os.walk(path); shutil.rmtree(path); path.chmod(1); Path(path).write_bytes(b'')\n"
        "    os.replace(path, path); folder.open('x'); list(folder.walk()); tempfile.TemporaryDirectory()\n"
    )
    assert calls(module) == {"open", "walk", "rmtree", "chmod", "write_bytes", "replace", "TemporaryDirectory"}


def test_nothing_in_these_rooms_recurses_or_cleans_up_by_path() -> None:
    """What rmtree, TemporaryDirectory and rglob do breaks on a tree deeper than Python's stack."""
    ours = {"traces/curserve_traces/gitsource.py"}  # git's empty home, in which no repository writes
    found = {
        str(path.relative_to(ROOT))
        for room in ("traces/curserve_traces", "engines/curserve_engines")
        for path in (ROOT / room).rglob("*.py")
        if "beneath" not in path.parts
        and calls(path) & {"rmtree", "copytree", "rglob", "TemporaryDirectory", "extractall"}
    }
    assert found <= ours
