"""No circle among the files of a Rust crate: whoever changes one need not understand them all.

The compiler does not mind circles within a crate, so this reads the paths that the files name: `use` and others
that begin with `crate`, `super` or `self`. A name that a file only passes on (`pub use`) counts for the file that
has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

CORE = Path(__file__).parents[2] / "core"
Names = tuple[str, ...]
CRATES = sorted(path.parent.name for path in CORE.glob("*/Cargo.toml") if (path.parent / "src").is_dir())


@dataclass
class Crate:
    """The files of one crate, by the path of their module, and what each passes on."""

    files: dict[Names, Path]
    passed_on: dict[Names, dict[str, Names]] = field(default_factory=dict)

    @classmethod
    def read(cls, source: Path) -> Crate:
        files = {}
        for path in source.rglob("*.rs"):
            names = path.relative_to(source).with_suffix("").parts
            files[names[:-1] if names[-1] in ("mod", "lib", "main") else names] = path
        crate = cls(files)
        for module in files:
            passed = re.findall(r"\bpub(?:\([a-z ]+\))? use ([^;]+);", code(files[module]))
            paths = (crate.absolute(module, path) for use in passed for path in spread(use))
            crate.passed_on[module] = {path[-1]: path for path in paths if path is not None}
        return crate

    def absolute(self, module: Names, path: Names) -> Names | None:
        """Return a path as it is from the root of the crate; None where it leads out of it."""
        first, rest = path[0], path[1:]
        if first == "crate":
            return rest
        if first == "self":
            return module + rest
        if first == "super":
            return self.absolute(module[:-1], rest) if rest[:1] == ("super",) else module[:-1] + rest
        return module + path if (*module, first) in self.files else None

    def owner(self, path: Names) -> Names:
        """Return the module whose file has what a path names."""
        known = max((path[:end] for end in range(len(path) + 1) if path[:end] in self.files), key=len)
        further = self.passed_on[known].get(path[len(known)]) if len(path) > len(known) else None
        return known if further is None or further == path else self.owner(further)

    def needs(self, module: Names) -> set[Names]:
        """Return the modules that a module's file names."""
        text = code(self.files[module])
        owners = set()
        for use in re.findall(r"\b(pub(?:\([a-z ]+\))? )?use ([^;]+);", text):
            if not use[0]:
                owners |= {
                    self.owner(path) for raw in spread(use[1]) if (path := self.absolute(module, raw)) is not None
                }
        inline = re.sub(r"\buse [^;]+;", "", text)
        for word in re.findall(r"\b(?:crate|super|self)(?:::\w+)+", inline):
            path = self.absolute(module, tuple(word.split("::")))
            if path is not None:
                owners.add(self.owner(path))
        return owners - {module}


def code(path: Path) -> str:
    """Return a file's text without comments and tests."""
    text = path.read_text().partition("#[cfg(test)]\nmod ")[0]
    return re.sub(r"//.*", "", text)


def spread(use: str) -> Iterator[Names]:
    """Yield the paths of one `use`."""
    words = re.sub(r"\s+as\s+\w+", "", re.sub(r"\s+", " ", use)).replace(" ", "")
    head, brace, tail = words.partition("{")
    if not brace:
        yield tuple(name for name in head.split("::") if name != "self" or head.startswith("self"))
        return
    prefix = tuple(name for name in head.split("::") if name)
    depth, start = 0, 0
    inside = tail[:-1] + ","
    for at, sign in enumerate(inside):
        depth += (sign == "{") - (sign == "}")
        if sign == "," and depth == 0:
            if part := inside[start:at]:
                for path in spread(part):
                    yield prefix + tuple(name for name in path if name != "self")
            start = at + 1


def circle(crate: Crate) -> list[str]:
    """Return one circle among the files, as names; [] where there is none."""
    try:
        TopologicalSorter({module: crate.needs(module) for module in crate.files}).prepare()
    except CycleError as error:
        return ["::".join(module) or "lib" for module in error.args[1]]
    return []


@pytest.mark.parametrize("crate", CRATES)
def test_no_file_needs_itself_by_way_of_others(crate: str) -> None:
    assert circle(Crate.read(CORE / crate / "src")) == []


def test_a_circle_is_found(tmp_path: Path) -> None:
    """By whatever spelling, and through a name that is passed on."""
    (tmp_path / "sub").mkdir()
    files = {
        "lib.rs": "mod one;\nmod two;\nmod sub;\npub use one::Thing;\n",
        "one.rs": "use crate::sub::{deep::{self, Deep}, Other};\npub struct Thing;\n",
        "two.rs": "// use crate::one::Thing;\n#[cfg(test)]\nmod tests {\n    use super::*;\n}\n",
        "sub/mod.rs": "mod deep;\npub use self::deep::Deep;\n",
        "sub/deep.rs": "use super::super::two::Two;\npub struct Deep;\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert circle(Crate.read(tmp_path)) == []
    (tmp_path / "two.rs").write_text("fn f(_: crate::Thing) {}\n")
    assert set(circle(Crate.read(tmp_path))) == {"one", "sub::deep", "two"}
