"""Engines that are a process a query, each in the form in which its users run it."""

from __future__ import annotations

import re
from pathlib import Path

from curserve_engines import programs
from curserve_harness.bench.search.engine import SearchEngine
from curserve_harness.bench.search.patterns import Pattern


class Ripgrep(SearchEngine):
    """A process a query: what agents run."""

    name, stands_for = "rg", "ripgrep 15, a process a query"

    def words(self, pattern: Pattern) -> list[str]:  # noqa: D102 - as in Engine
        fixed = ["-F"] if pattern.literal else []
        return [str(programs.need("rg", "bench search")), "-n", *fixed, "-e", pattern.text]


class Grep(SearchEngine):
    """GNU grep, told to leave out what rg leaves out."""

    name, stands_for = "grep", "GNU grep, a process a query"

    def words(self, pattern: Pattern) -> list[str]:  # noqa: D102
        kind = "-F" if pattern.literal else "-P"
        hidden = ["--exclude=.*", "--exclude-dir=.[!.]*"]
        return ["grep", "-rnI", kind, *hidden, "-e", pattern.text]


class Ugrep(SearchEngine):
    """ugrep, with its own walk and threads."""

    name, stands_for = "ugrep", "ugrep, a process a query"

    def words(self, pattern: Pattern) -> list[str]:  # noqa: D102
        fixed = ["-F"] if pattern.literal else []
        return [str(programs.find("ugrep")), "-rnI", "--color=never", *fixed, "-e", pattern.text]


class Csearch(SearchEngine):
    """Russ Cox's codesearch: a trigram index on disk, a process a query."""

    name, stands_for = "csearch", "Debian's codesearch, trigram index on disk, a process a query"
    resident = True

    def __init__(self, root: Path, scratch: Path) -> None:
        super().__init__(root, scratch)
        self.index = scratch / "csearch.index"
        self.environment["CSEARCHINDEX"] = str(self.index)

    def ready(self) -> None:  # noqa: D102
        self.index.unlink(missing_ok=True)
        self.run([str(programs.find("cindex")), str(self.root)])

    def words(self, pattern: Pattern) -> list[str]:  # noqa: D102
        return [str(programs.find("csearch")), "-n", re.escape(pattern.text) if pattern.literal else pattern.text]

    def memory(self) -> int | None:  # noqa: D102
        return self.index.stat().st_size

    def again(self) -> bool:  # noqa: D102
        self.ready()
        return True

    def close(self) -> None:  # noqa: D102
        self.index.unlink(missing_ok=True)
