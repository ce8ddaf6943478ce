"""Where this process stands among the machine's control groups, v1 and v2. Main type: Standing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Standing:
    """Our group as one controller knows it: its `folder`, at or below `top`, which is as far up as can be seen."""

    version: int
    folder: Path
    top: Path

    def upwards(self) -> Iterator[Path]:
        """Yield our group and those around it; the limits of each hold for us."""
        folder = self.folder
        yield folder
        while folder != self.top:
            folder = folder.parent
            yield folder


def standing(controller: str) -> Standing | None:
    """Return where we stand for `controller` (`memory`, `pids`), or None where that cannot be seen."""
    try:
        ours = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
        mounts = [line.split(" ") for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    except OSError:
        return None
    for number, controllers, path in ours:
        if controller in controllers.split(",") or (number == "0" and not controllers):
            version = 2 if not controllers else 1
            found = _found(mounts, version, controller, path)
            if found is not None and (version == 1 or controller in words(found.folder / "cgroup.controllers")):
                return found
    return None


def words(file: Path) -> list[str]:
    """Return the words of a small file of a group; none where it cannot be read."""
    try:
        return file.read_text().split()
    except OSError:
        return []


def _found(mounts: list[list[str]], version: int, controller: str, path: str) -> Standing | None:
    """Find the group `path` below a mount of its hierarchy; inside a container that shows only a part of it."""
    for mount in mounts:
        kind, options = mount[mount.index("-") + 1], mount[-1].split(",")
        if kind != ("cgroup2" if version == 2 else "cgroup") or (version == 1 and controller not in options):
            continue
        shown, top = Path(mount[3]), Path(mount[4])
        if ".." not in path and Path(path).is_relative_to(shown):
            folder = top / Path(path).relative_to(shown)
            if folder.is_dir():
                return Standing(version, folder, top)
    return None
