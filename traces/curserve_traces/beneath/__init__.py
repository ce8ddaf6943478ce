"""What the host does in a folder that something untrusted wrote: beneath it, by descriptor, following no link.

A session's folder, a copy of a workspace, the target of an archive, a scratch or run folder are read and changed
through `Folder` alone (a test forbids `open`, `shutil` and the like on them elsewhere). What stands there may be
anything: a link to the user's home, a FIFO that blocks whoever opens it, 100,000 folders one in the other, a
folder without permissions. So every path is walked component by component from an open descriptor, each component
opened as a folder that is no link; what is opened is checked; and depth costs neither stack nor descriptors.

One `openat2` with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS would give the same guarantee with fewer system calls.
It cannot name what lies deeper than PATH_MAX, though, so the walk by components would have to stay beside it.

- Folder     an open folder; its methods create, read, replace, list, rename and remove beneath it
- walk       everything beneath a folder, of any depth
- remove     a tree of any depth; tells what it could not remove
- Refused    an OSError: what is there is not what it has to be
"""

from curserve_traces.beneath.folder import Folder
from curserve_traces.beneath.paths import Refused, kind, parts
from curserve_traces.beneath.removal import Left, remove
from curserve_traces.beneath.trail import Found, walk

__all__ = ["Folder", "Found", "Left", "Refused", "kind", "parts", "remove", "walk"]
