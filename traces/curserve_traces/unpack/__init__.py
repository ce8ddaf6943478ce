"""Unpacks wheels and source distributions that may be hostile: nothing is written elsewhere, nothing executed.

Everything goes by descriptor beneath one new folder, and no link is ever followed while it is written: folders and
files come first, then hard links to files of the archive, symbolic links last, and each of those is then really
resolved. What an archive may become is limited, for every kind of entry (`Budget`).

Unlike `tarfile.extractall(filter="data")`, which judges a link by its name alone: a chain of links that each stay
inside can lead out.
"""

from __future__ import annotations

import os
from pathlib import Path

from curserve_traces.beneath import Folder
from curserve_traces.errors import WorkspaceError
from curserve_traces.unpack.budget import Budget
from curserve_traces.unpack.placing import Target
from curserve_traces.unpack.tars import untar
from curserve_traces.unpack.zips import unzip

__all__ = ["unpack"]


def unpack(archive: Path, target: Path) -> None:
    """Unpack `archive` (a wheel, zip or tar, plain or as .gz or .bz2) into the new folder `target`.

    The one folder that a source distribution wraps everything in is taken off. Raises WorkspaceError where the
    archive is damaged, too large, or wants to write elsewhere; `target` is not there then.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = f".{target.name}.unpacking"
    with Folder.at(target.parent) as parent:
        if parent.status(target.name) is not None:
            raise WorkspaceError(f"{archive.name} cannot be unpacked: {target} exists")
        try:
            parent.make(aside)
            with parent.folder(aside) as folder:
                top = _fill(archive, folder)
            parent.rename(f"{aside}/{top}" if top else aside, target.name)
        except WorkspaceError:
            raise
        except Exception as error:  # a damaged archive can fail in a dozen ways, each of its own type
            reason = str(error) or type(error).__name__
            raise WorkspaceError(f"{archive.name} cannot be unpacked: {reason[:200]}") from error
        finally:
            parent.remove(aside)


def _fill(archive: Path, folder: Folder) -> str:
    """Unpack into `folder`; return the name of the one folder in it that holds everything, or an empty string."""
    with archive.open("rb") as file:
        made = Target(folder, Budget(archive.name, os.fstat(file.fileno()).st_size))
        try:
            (unzip if file.read(2) == b"PK" else untar)(file, made)
            made.link_all()
        finally:
            made.close()
    names = folder.names()
    wrapped = len(names) == 1 and names[0] in made.folders and archive.suffix != ".whl"
    top = names[0] if wrapped else ""
    made.check_links(top)
    return top
