"""What an archive may become. Main name: `Budget`."""

from __future__ import annotations

from dataclasses import dataclass, field

from curserve_traces.errors import WorkspaceError

MOST_BYTES = 8 << 30
MOST_RATIO = 200
"""Unpacked bytes to a byte of the archive, beyond the first FREE_BYTES: text is packed to a tenth."""
FREE_BYTES = 256 << 20
MOST_ENTRIES = 500_000
"""Files, links and folders, those that no entry names included. The Linux kernel has 90,000."""
MOST_DEPTH = 100
MOST_PATH = 2_000
"""Bytes of an entry's path, and of a link's target."""
MOST_TEXT = 128 << 20
"""Bytes of all paths and targets: they are held in memory."""


@dataclass(slots=True)
class Budget:
    """What is left for the archive `name` of `size` bytes; raises WorkspaceError where it asks for more."""

    name: str
    size: int
    bytes: int = field(init=False)
    entries: int = MOST_ENTRIES
    text: int = MOST_TEXT

    def __post_init__(self) -> None:
        self.bytes = min(MOST_BYTES, max(FREE_BYTES, MOST_RATIO * self.size))

    def take(self, size: int) -> None:
        """Count bytes of a file, or of the archive's own words."""
        self.bytes -= size
        if self.bytes < 0:
            raise WorkspaceError(
                f"{self.name}: unpacks to more than {MOST_BYTES >> 30} GiB, or to {MOST_RATIO} times its size"
            )

    def entry(self, path: str, target: str = "") -> str:
        """Count an entry, and return its path from the archive's top (an empty one for the top itself)."""
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if path.startswith("/") or ".." in parts or "\0" in path + target:
            raise WorkspaceError(f"{self.name}: its entry {path[:200]!r} leads out of the archive")
        length = max(len(os_bytes(path)), len(os_bytes(target)))
        if len(parts) > MOST_DEPTH or length > MOST_PATH:
            raise WorkspaceError(
                f"{self.name}: its entry {path[:60]!r}… is deeper than {MOST_DEPTH} folders or longer than "
                f"{MOST_PATH} bytes"
            )
        self.inode(len(path) + len(target))
        return "/".join(parts)

    def inode(self, text: int) -> None:
        """Count an inode and the length of what is remembered of it."""
        self.entries -= 1
        self.text -= text
        if self.entries < 0 or self.text < 0:
            raise WorkspaceError(f"{self.name}: unpacks to more than {MOST_ENTRIES} entries")


def os_bytes(path: str) -> bytes:
    """Return a path's bytes, whatever a damaged archive made of them."""
    return path.encode("utf-8", errors="surrogatepass")
