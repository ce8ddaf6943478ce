"""What can go wrong with a link, for callers to catch.

LinkError            the description of a link makes no sense (exit code 2)
HostsError           two hosts could not be made on this machine (exit code 3)
HostsDied            the hosts were there, and their keeper or link ended while they were used (exit code 4)
BackendUnavailable   one backend cannot work here; `auto` goes on to the next (a HostsError)
Undoable             a backend cannot do what the link declares: a LinkError, and for `auto` a BackendUnavailable
CalibrationVoid      the link does not do what was requested, or drifted (exit code 5)
"""

from __future__ import annotations


class LinkError(ValueError):
    """Raised when a link's description makes no sense; says what was read and what would be right."""


class HostsError(RuntimeError):
    """Raised when the hosts, or the link between them, cannot be made; says why and what to do."""


class HostsDied(HostsError):
    """Raised when what holds the hosts and their link ended while they were used; nothing in them runs on."""


class BackendUnavailable(HostsError):
    """Raised when a backend cannot work on this machine; says what it lacks and what to do."""


class Undoable(LinkError, BackendUnavailable):
    """Raised when a backend cannot do what a link declares, on any machine; says what, and what can."""


class CalibrationVoid(HostsError):
    """Raised when the achieved RTT is outside its tolerance or drifted, so that the run must not count."""
