"""Everything that can be wrong with a run; the harness maps the classes to exit codes.

- ResultsError            one line: what was attempted, on what, what to do next (exit code 2)
  - NotARun               the folder holds no run of ours, or a foreign file lies in it
  - SchemaMismatch        samples or manifest of a version that this program does not know
  - BadSamples            the samples contradict themselves (a clock that stepped, a negative duration)
  - EmptyRun              a run without one finished block
    - VoidRun             a run of which void links leave nothing
  - UnknownName           a link or model that the run does not have
  - Incomparable          two runs that must not be compared (exit code 5)
  - CannotWrite           a result that the disk does not take (exit code 4)
"""

from __future__ import annotations


class ResultsError(Exception):
    """Raised when results cannot be used; the message is one line."""


class NotARun(ResultsError):
    """Raised when a folder is no run folder, or holds a foreign file among its samples."""


class SchemaMismatch(ResultsError):
    """Raised when samples or a manifest have a version that this program does not know."""


class BadSamples(ResultsError):
    """Raised when samples contradict themselves."""


class EmptyRun(ResultsError):
    """Raised when a run has no finished block."""


class VoidRun(EmptyRun):
    """Raised when every sample of a run belongs to a void link."""


class UnknownName(ResultsError):
    """Raised when a table is asked for a link or model that the run does not have."""


class Incomparable(ResultsError):
    """Raised when two runs differ in what must be equal before they are compared."""


class CannotWrite(ResultsError):
    """Raised when a file cannot be written; nothing half-written is left."""
