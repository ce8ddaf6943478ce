"""Everything that can be wrong with a trace or its workspace.

- TraceError              a trace file cannot be used
  - UnknownFormat         no importer recognises the file
  - MalformedTrace        the file breaks its own format
  - TooLarge              it would take more memory than there is, or nests too deeply
  - UnknownSchema         a schema version that this program does not know
  - CannotWrite           a trace that the disk does not take
- WorkspaceError          the code a trace works on cannot be had
  - DigestMismatch        it was found, but it is not what the trace was recorded on
    - Unfit               a recorded change cannot be made on it
  - NotGranted            the trace asks for what only the person can grant
"""


class TraceError(Exception):
    """Raised when a trace file cannot be used; the message says what was attempted, on what, what to do."""


class UnknownFormat(TraceError):
    """Raised when no importer recognises a file."""


class MalformedTrace(TraceError):
    """Raised when a file breaks the format it claims to have."""


class TooLarge(TraceError):
    """Raised when a file would take more memory than can be had, or is nested too deeply."""


class UnknownSchema(TraceError):
    """Raised when a file has a schema version that this program does not know."""


class CannotWrite(TraceError):
    """Raised when the disk does not take a file (it is full, it fails); nothing half-written is left."""


class WorkspaceError(Exception):
    """Raised when the code a trace works on cannot be had."""


class DigestMismatch(WorkspaceError):
    """Raised when a workspace was found, but is not the one that the trace was recorded on."""


class NotGranted(WorkspaceError):
    """Raised when a trace asks for what is not its own: a folder, a private address; says how to grant it."""


class Unfit(DigestMismatch):
    """Raised when a recorded change cannot be made: a FIFO or the like is there, or permissions forbid it."""
