"""Exit codes of every verb, and the exceptions that carry them to the command line.

- Stop                 a run cannot go on; `code` is the exit code, the message one line with cause and remedy
  - BadInput      (2)  what the user gave makes no sense
  - SetupFailed   (3)  the machine cannot do what was asked
  - ExecutionFailed (4) it began and broke
  - Inconclusive  (5)  it ran, and the answer is not to be trusted
"""

from __future__ import annotations

import errno

PASS, FAIL, BAD_INPUT, SETUP_FAILED, EXECUTION_FAILED, INCONCLUSIVE = range(6)


class Stop(Exception):
    """Raised when a run cannot go on; says what was attempted, on what, and what to do next."""

    code = FAIL


class BadInput(Stop):
    """Raised when what the user gave makes no sense."""

    code = BAD_INPUT


class SetupFailed(Stop):
    """Raised when this machine cannot do what was asked."""

    code = SETUP_FAILED


class ExecutionFailed(Stop):
    """Raised when a run began and broke; samples written so far are kept."""

    code = EXECUTION_FAILED


class Inconclusive(Stop):
    """Raised when a run finished, and its answer is not to be trusted (a void link, too little data)."""

    code = INCONCLUSIVE


_FOREIGN = {
    # errors of the rooms below, which know no exit codes: qualified name of the class → code
    "curserve_traces.errors.TraceError": BAD_INPUT,
    "curserve_traces.errors.CannotWrite": EXECUTION_FAILED,
    "curserve_traces.errors.WorkspaceError": SETUP_FAILED,
    "curserve_traces.errors.DigestMismatch": BAD_INPUT,
    "curserve_traces.errors.NotGranted": BAD_INPUT,
    "curserve_engines.registry.UnknownEngine": BAD_INPUT,
    "curserve_engines.external.BadEngineFile": BAD_INPUT,
    "curserve_engines.protocol.EngineError": SETUP_FAILED,
    "curserve_results.errors.ResultsError": BAD_INPUT,
    "curserve_results.errors.Incomparable": INCONCLUSIVE,
    "curserve_results.errors.CannotWrite": EXECUTION_FAILED,
    "curserve_netem.errors.LinkError": BAD_INPUT,
    "curserve_netem.errors.HostsError": SETUP_FAILED,
    "curserve_netem.errors.HostsDied": EXECUTION_FAILED,
    "curserve_netem.errors.CalibrationVoid": INCONCLUSIVE,
    "curserve_harness.plan.plan.PlanError": BAD_INPUT,
}


_LONGEST = 2000
"""Characters of an error; what it quotes may come from a trace."""


def code_of(error: BaseException) -> int | None:
    """Return the exit code of an error that a user can mend, or None for a defect of ours.

    Classes are looked up by name along the error's ancestry, so that no room is imported for it. An OSError is the
    machine's (a full disk, a folder that is not there), but for a connection, which only our own roles make.
    """
    if isinstance(error, Stop):
        return error.code
    for ancestor in type(error).__mro__:
        code = _FOREIGN.get(f"{ancestor.__module__}.{ancestor.__qualname__}")
        if code is not None:
            return code
    if _is_loop(error):
        return BAD_INPUT
    if _is_of_memory(error) or (isinstance(error, OSError) and not isinstance(error, ConnectionError)):
        return EXECUTION_FAILED
    return None


def _is_loop(error: BaseException) -> bool:
    """Whether a path is a circle of links, of which Path.resolve makes an error of its own before Python 3.13."""
    return isinstance(error, RuntimeError) and str(error).startswith("Symlink loop")


def _is_of_memory(error: BaseException) -> bool:
    """Whether memory, or the room for another thread or library, could not be had."""
    said = str(error)
    return (
        isinstance(error, MemoryError)
        or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
        or (isinstance(error, RuntimeError) and "can't start new thread" in said)
        or (isinstance(error, ImportError) and ("Cannot allocate memory" in said or "failed to map" in said))
    )


def line_of(error: BaseException) -> str:
    """Return what is said of an error in one line: what was attempted, on what, what to do next."""
    if _is_of_memory(error):
        return (
            "not enough memory; give it more (`ulimit -v`, the control group's limit), or fewer or smaller traces"
        )
    if _is_loop(error):
        return f"{error}: links in a circle; give a path that leads somewhere"
    if not isinstance(error, OSError) or not error.strerror:
        said = str(error)
        return said if len(said) <= _LONGEST else f"{said[:_LONGEST]}… ({len(said) - _LONGEST} characters more)"
    where = f"{error.filename}: " if error.filename is not None else ""
    if error.filename == "standard output":
        return f"{where}{error.strerror}; what was to be printed is not whole: give it a place that takes it"
    return f"{where}{error.strerror}; give a path that is there and can be written, or make room"
