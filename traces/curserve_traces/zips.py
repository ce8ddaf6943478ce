"""Zip archives that may be hostile: what their table of contents may weigh is limited before it is read."""

from __future__ import annotations

import zipfile
from typing import IO

from curserve_traces.errors import MalformedTrace, TraceError

MOST_CONTENTS = 16 << 20
"""Bytes of the table of contents; `zipfile` makes about 15 times as much of it in memory."""

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What `zipfile` unpacks piece by piece. Of bzip2 and LZMA it unpacks a piece whole, whatever that becomes."""


def open_zip(file: IO[bytes], where: str) -> zipfile.ZipFile:
    """Open a zip; raises MalformedTrace where it is damaged, TraceError where it lists too much."""
    try:
        end = zipfile._EndRecData(file)  # type: ignore[attr-defined]
        if end is None:
            raise MalformedTrace(f"{where}: no zip, or a damaged one; fetch the file again")
        if end[zipfile._ECD_SIZE] > MOST_CONTENTS:  # type: ignore[attr-defined]
            raise TraceError(
                f"{where}: its table of contents is larger than {MOST_CONTENTS >> 20} MB; unpack it by hand"
            )
        return zipfile.ZipFile(file)
    except TraceError:
        raise
    except Exception as error:  # a zip can fail in a dozen ways, each of its own type
        raise MalformedTrace(f"{where}: the zip is damaged ({error}); fetch the file again") from None
