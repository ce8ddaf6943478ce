"""The folder that an archive is unpacked into. Main name: `Target`."""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import dataclass, field

from curserve_traces.beneath import Folder, Refused
from curserve_traces.errors import WorkspaceError
from curserve_traces.unpack.budget import Budget

_PIECE = 1 << 20
_MOST_LINKS = 40
"""Linux: a path that goes through more links leads nowhere (ELOOP)."""
_MOST_STEPS = 1_000_000
"""Components that are looked up to resolve all links of an archive."""


@dataclass(slots=True)
class Target:
    """A new folder, and what an archive has brought so far."""

    root: Folder
    budget: Budget
    folders: set[str] = field(default_factory=set)
    _hard: list[tuple[str, str]] = field(default_factory=list)
    _soft: dict[str, str] = field(default_factory=dict)
    _steps: int = 0
    _open: tuple[str, Folder] | None = None

    def folder(self, name: str) -> None:
        """Make the folder of an entry, which may be there already."""
        self._make(self.budget.entry(name))

    def file(self, name: str, executable: bool, size: int, read: Callable[[int], bytes]) -> None:
        """Make the file of an entry, of `size` bytes as it says; of two with one name the last counts."""
        path = self.budget.entry(name)
        above, _, last = path.rpartition("/")
        self._make(above)
        parent = self._within(above)
        status = parent.status(last) if path else None
        if not path or (status is not None and not stat.S_ISREG(status.st_mode)):
            raise WorkspaceError(f"{self.budget.name}: its entry {path!r} is a file and a folder")
        if status is not None:
            parent.unlink(last)
        left = size
        with parent.create(last, 0o755 if executable else 0o644) as file:
            while left > 0 and (piece := read(min(left, _PIECE))):
                self.budget.take(len(piece))
                file.write(piece)
                left -= len(piece)
        if left:
            raise WorkspaceError(f"{self.budget.name}: its entry {path!r} ends {left} bytes early")

    def hard_link(self, name: str, existing: str) -> None:
        """Note a hard link to a file of the archive."""
        self._hard.append((self.budget.entry(name), self.budget.entry(existing)))

    def soft_link(self, name: str, target: str) -> None:
        """Note a symbolic link."""
        path = self.budget.entry(name, target)
        if path in self._soft:
            raise WorkspaceError(f"{self.budget.name}: its link {path!r} is there twice")
        self._soft[path] = target

    def link_all(self) -> None:
        """Make the links, symbolic ones last: so none is ever written through."""
        for path, existing in self._hard:
            self._make(path.rpartition("/")[0])
            self._once(path, self.root.link, existing)
        for path, target in self._soft.items():
            self._make(path.rpartition("/")[0])
            self._once(path, self.root.symlink, target)

    def check_links(self, top: str) -> None:
        """Raise WorkspaceError where a symbolic link, really resolved, leads out of the folder `top`."""
        with self.root.folder(top) if top else self.root.again() as folder:
            for path in self._soft:
                self._resolve(folder, path.removeprefix(f"{top}/") if top else path)

    def _resolve(self, folder: Folder, path: str) -> None:
        """Follow a link through all others, component by component; what is not there is taken for a folder."""
        *here, name = path.split("/")
        todo = [name]
        links = 0
        while todo and links <= _MOST_LINKS:
            self._steps += 1
            if self._steps > _MOST_STEPS:
                raise WorkspaceError(
                    f"{self.budget.name}: its links take more than {_MOST_STEPS} steps to resolve"
                )
            name = todo.pop()
            if name in ("", "."):
                continue
            if name == "..":
                if not here:
                    raise WorkspaceError(f"{self.budget.name}: its link {path!r} leads out of the archive")
                here.pop()
                continue
            place = "/".join([*here, name])
            status = folder.status(place)
            if status is None or not stat.S_ISLNK(status.st_mode):
                here.append(name)
                continue
            links += 1
            target = folder.readlink(place)
            if target.startswith("/"):
                raise WorkspaceError(f"{self.budget.name}: its link {path!r} leads out of the archive")
            todo += reversed(target.split("/"))

    def _make(self, path: str) -> None:
        """Make a folder and those above it, each counted once."""
        if not path or path in self.folders:
            return
        parts = path.split("/")
        for number in range(1, len(parts) + 1):
            above = "/".join(parts[:number])
            if above not in self.folders:
                self.budget.inode(len(above))
                try:
                    self._within("/".join(parts[: number - 1])).make(parts[number - 1])
                except FileExistsError:
                    raise self._twice(above) from None
                self.folders.add(above)

    def _within(self, path: str) -> Folder:
        """Return the folder `path`, found from the one that was asked for last: entries come folder by folder."""
        if self._open is None:
            self._open = ("", self.root.again())
        last, folder = self._open
        if path != last:
            if last and path.startswith(f"{last}/"):
                found = folder.folder(path[len(last) + 1 :])
            else:
                found = self.root.folder(path) if path else self.root.again()
            folder.close()
            self._open = (path, found)
        return self._open[1]

    def close(self) -> None:
        """Close what is held open."""
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def _once(self, path: str, make: Callable[[str, str], None], to: str) -> None:
        try:
            make(path, to)
        except FileExistsError:
            raise self._twice(path) from None
        except (FileNotFoundError, Refused):
            raise WorkspaceError(f"{self.budget.name}: its link {path!r} is to no file of the archive") from None

    def _twice(self, path: str) -> WorkspaceError:
        return WorkspaceError(f"{self.budget.name}: its entry {path!r} is there twice, as two kinds or as a link")
