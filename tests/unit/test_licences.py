"""No dependency has a licence that core/deny.toml does not allow, and NOTICE names what our wheels contain.

Fields of metadata that are there after set-up are enough for this: `cargo deny` takes minutes to compile, and
PyPI's builds of it are not its authors'.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

HOUSE = Path(__file__).parents[2]
RULES: dict[str, Any] = tomllib.loads((HOUSE / "core/deny.toml").read_text())
CRATES = frozenset(RULES["licenses"]["allow"])
PYTHON = CRATES | {"0BSD", "BSD", "CC0-1.0", "MIT-0", "MIT-CMU", "PSF-2.0"}
# Weak copyleft, by file. None of it is in our wheels or changed by us: pip installs it beside them.
APART = {"hypothesis": "MPL-2.0", "orjson": "MPL-2.0", "pathspec": "MPL-2.0"}
# What packages without an SPDX expression call their licences.
NAMES = {
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}


def allows(expression: str, allowed: frozenset[str]) -> bool:
    """Whether an SPDX expression can be met by allowed licences alone."""
    words = re.findall(r"[()]|[^()\s]+", expression.replace("/", " OR "))

    def alternatives() -> bool:
        met = all_of()
        while words and words[0] == "OR":
            words.pop(0)
            met = all_of() or met
        return met

    def all_of() -> bool:
        met = one()
        while words and words[0] == "AND":
            words.pop(0)
            met = one() and met
        return met

    def one() -> bool:
        word = words.pop(0)
        if word == "(":
            met = alternatives()
            assert words.pop(0) == ")", expression
            return met
        if words and words[0] == "WITH":
            word = " ".join([word, words.pop(0), words.pop(0)])
        return word in allowed

    met = alternatives()
    assert not words, expression
    return met


@pytest.mark.parametrize(
    ("expression", "met"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("MIT OR GPL-2.0-only", True),
        ("MIT AND LGPL-2.1-only", False),
        ("MIT/Apache-2.0", True),
        ("(MIT OR GPL-2.0-only) AND Unicode-3.0", True),
        ("(MIT OR Apache-2.0) AND MPL-2.0", False),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", False),
    ],
)
def test_expressions_are_read_as_spdx_means_them(expression: str, met: bool) -> None:
    assert allows(expression, CRATES) is met


def test_every_crate_has_an_allowed_licence_and_comes_from_crates_io() -> None:
    command = ["cargo", "metadata", "--locked", "--format-version", "1"]
    packages = json.loads(subprocess.check_output(command, cwd=HOUSE / "core"))["packages"]
    assert len(packages) > 100
    licences = {package["name"]: package["license"] or "none" for package in packages}
    refused = [name for name, licence in licences.items() if not allows(licence, CRATES)]
    assert refused == []
    sources = {package["source"] for package in packages} - {None}
    assert sources == {f"registry+{address}" for address in RULES["sources"]["allow-registry"]}


def test_every_python_package_has_an_allowed_licence() -> None:
    refused = []
    lines = re.findall(r"^[\w.\-]+==[^\\\n]+", (HOUSE / "requirements.lock").read_text(), re.MULTILINE)
    asked = [Requirement(line.strip()) for line in lines]
    here = [one for one in asked if one.marker is None or one.marker.evaluate()]
    assert len(here) > 50
    for one in here:
        expression = licence_of(metadata.metadata(one.name))
        allowed = PYTHON | {APART[one.name]} if one.name in APART else PYTHON
        if not allows(expression, frozenset(allowed)):
            refused.append(f"{one.name}: {expression}")
    assert refused == []


def licence_of(package: metadata.PackageMetadata) -> str:
    """Return a package's SPDX expression, or what its classifiers or its licence field say, as one."""
    for expression in package.get_all("License-Expression", []):
        return str(expression)
    approved = [name for name in package.get_all("Classifier", []) if " :: OSI Approved :: " in name]
    classified = [name.rsplit(" :: ", 1)[1] for name in approved]
    names = classified or [field.strip() for field in package.get_all("License", ["none"])]
    return " AND ".join(NAMES.get(name, re.sub(r" \d-Clause License$", " License", name)) for name in names)


def test_notice_names_what_the_wheels_contain() -> None:
    done = subprocess.run([sys.executable, "scripts/notices.py", "--check"], cwd=HOUSE, check=False)
    assert done.returncode == 0, "NOTICE is not up to date: run python3 scripts/notices.py"
