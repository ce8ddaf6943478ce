"""Writes NOTICE: what others wrote of the Rust crates in our wheels, and the notices that their licences ask for.

    python3 scripts/notices.py [--check]

Run it after a change of core/Cargo.lock. Where a crate gives a choice, Apache-2.0 or the Unlicense is chosen,
which ask for no notice beside the licence itself; else its own licence text stands here. `--check` writes nothing,
and fails where NOTICE is not up to date.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

HOUSE = Path(__file__).parents[1]
HEAD = """\
curserve-bench
Copyright The curserve-bench authors
Licensed under the Apache License, Version 2.0 (LICENSE).

The programs and modules in the wheels `curserve` and `curserve-core` contain these crates, compiled and unchanged:

"""
BETWEEN = """
Of those under Apache-2.0, LICENSE is the licence; the Unlicense gives a work to the public. The others ask for
these notices:
"""


def metadata() -> dict[str, Any]:
    """Return what cargo knows of our crates and all that they use on Linux."""
    command = [
        "cargo",
        "metadata",
        "--locked",
        "--format-version",
        "1",
        "--filter-platform",
        "x86_64-unknown-linux-gnu",
    ]
    done = subprocess.run(command, cwd=HOUSE / "core", capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"notices: `{' '.join(command)}` in core failed:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def shipped(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the crates of others that are compiled into our wheels, by name and version."""
    packages = {package["id"]: package for package in found["packages"]}
    nodes = {node["id"]: node for node in found["resolve"]["nodes"]}
    waiting = [key for key, package in packages.items() if package["name"] in {"curserve", "curserve-core"}]
    seen: set[str] = set()
    while waiting:
        key = waiting.pop()
        if key not in seen:
            seen.add(key)
            for dependency in nodes[key]["deps"]:
                kinds = [kind["kind"] for kind in dependency["dep_kinds"]]
                waiting += [dependency["pkg"]] if None in kinds else []
    others = (packages[key] for key in seen if packages[key]["source"])
    return sorted(others, key=lambda package: (package["name"], package["version"]))


def chosen(expression: str) -> str:
    """Return the licence under which we take a crate: of a choice the one that asks for least."""
    parts = re.split(r" AND ", expression)
    picked = []
    for part in parts:
        choices = re.split(r" OR |/", part.strip("() "))
        choices = [choice.strip() for choice in choices]
        preferred = [choice for choice in ("Apache-2.0", "Unlicense") if choice in choices]
        picked.append(preferred[0] if preferred else choices[0])
    return " AND ".join(picked)


def texts(package: dict[str, Any], licence: str) -> list[str]:
    """Return the texts that the chosen licence asks to be passed on."""
    folder = Path(package["manifest_path"]).parent
    wanted = []
    for part in licence.split(" AND "):
        if part in {"Apache-2.0", "Unlicense"}:
            continue
        names = {"MIT": "LICENSE-MIT", "BSD-3-Clause": "LICENSE-WHATWG", "Unicode-3.0": "LICENSE-UNICODE"}
        files = [folder / names.get(part, "LICENSE"), folder / "LICENSE"]
        text = next((file.read_text() for file in files if file.is_file()), None)
        if text is None:
            name = f"{package['name']} {package['version']}"
            raise SystemExit(f"notices: {name} has no text of {part}; look for it by hand")
        wanted.append("\n".join(line.rstrip() for line in text.strip().splitlines()))
    return wanted


def notice() -> str:
    """Return the content of NOTICE."""
    users: defaultdict[str, list[str]] = defaultdict(list)
    rows = []
    for package in shipped(metadata()):
        name = f"{package['name']} {package['version']}"
        licence = chosen(package["license"])
        rows.append(f"- {name}: {licence}\n")
        for text in texts(package, licence):
            users[text].append(name)
    parts = [f"\n{'-' * 100}\n{', '.join(names)}\n\n{text}\n" for text, names in users.items()]
    return HEAD + "".join(rows) + BETWEEN + "".join(parts)


def main() -> int:
    """Write it, or compare."""
    file = HOUSE / "NOTICE"
    if "--check" in sys.argv[1:]:
        return int(not file.is_file() or file.read_text() != notice())
    file.write_text(notice())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
