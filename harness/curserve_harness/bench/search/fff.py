"""fff, a file finder for agents that stays in memory: its Node.js package, asked over a pipe."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from curserve_engines import programs
from curserve_harness.bench.search.engine import SearchEngine, resident_bytes
from curserve_harness.bench.search.patterns import Pattern
from curserve_harness.console.exits import ExecutionFailed

_PACKAGE = "@ff-labs/fff-node"


class Fff(SearchEngine):
    """fff's index in a Node.js process; lines go through a pipe."""

    name, stands_for = "fff", "fff's Node.js package, resident, over a pipe"
    resident = True
    process: subprocess.Popen[bytes] | None = None

    @classmethod
    def absent(cls) -> str | None:  # noqa: D102 - as in Engine
        if programs.find("node") is None:
            return "fff: no program `node` here"
        return None if _package() else f"fff: no package {_PACKAGE} here; npm install -g {_PACKAGE}"

    def ready(self) -> None:  # noqa: D102
        words = [
            str(programs.find("node")),
            str(Path(__file__).with_suffix(".mjs")),
            str(_package()),
            str(self.root),
        ]
        self.process = subprocess.Popen(words, env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._answer()

    def query(self, pattern: Pattern) -> bytes:  # noqa: D102
        assert self.process is not None and self.process.stdin is not None
        asked = {"text": pattern.text, "mode": "plain" if pattern.literal else "regex"}
        try:
            self.process.stdin.write(json.dumps(asked).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise ExecutionFailed("bench search: fff has ended; see its message above") from error
        return self._answer()

    def _answer(self) -> bytes:
        """Read one answer: its length in bytes on a line, then it."""
        assert self.process is not None and self.process.stdout is not None
        head = self.process.stdout.readline()
        if not head:
            raise ExecutionFailed("bench search: fff has ended; see its message above")
        return self.process.stdout.read(int(head))

    def memory(self) -> int | None:  # noqa: D102
        assert self.process is not None
        return resident_bytes(self.process.pid)

    def close(self) -> None:  # noqa: D102
        if self.process is not None:
            self.process.terminate()
            self.process.communicate()


def version() -> str:
    """Return the version of the package; empty where there is none."""
    package = _package()
    return f"{_PACKAGE} {json.loads((package / 'package.json').read_bytes())['version']}" if package else ""


def _package() -> Path | None:
    """Return the folder of the package: in the checkout's `.tools`, NODE_PATH, or among node's globals."""
    node = programs.find("node")
    folders = [Path(sys.prefix).parent / ".tools/node_modules"]
    folders += [Path(folder) for folder in os.environ.get("NODE_PATH", "").split(os.pathsep) if folder]
    folders += [node.parent.parent / "lib/node_modules"] if node else []
    return next((folder / _PACKAGE for folder in folders if (folder / _PACKAGE).is_dir()), None)
