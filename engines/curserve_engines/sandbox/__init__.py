"""The sandbox around everything executed: entered once per session, so that it costs no call.

`launch` starts `curserve worker` (or `curserve serve`) as the first process of its own user, PID, network, IPC and
UTS namespaces, with the workspace as the one writable place, and returns a Sandboxed, which ends it. The program
gets its listening socket from here: it sees nothing of the file system that the caller connects through.

It ends with its caller, however that ends: bubblewrap's --die-with-parent, a lifeline on its standard input, and
the kernel, which ends a PID namespace with its first process.
"""

from __future__ import annotations

from curserve_engines.sandbox.kinds import Kind, SandboxUnavailable, choose
from curserve_engines.sandbox.launching import launch, launch_program
from curserve_engines.sandbox.once import run_once
from curserve_engines.sandbox.running import Sandboxed
from curserve_engines.sandbox.user import owner

__all__ = ["Kind", "SandboxUnavailable", "Sandboxed", "choose", "launch", "launch_program", "owner", "run_once"]
