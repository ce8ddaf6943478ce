"""`python -m curserve_engines.sandbox -- PROGRAM`: runs it in the sandbox, on the network that we are on.

What `link run --sandbox` starts on the client host. The program has an empty folder at /testbed, the machine's
packages, the variables `CURSERVE_…`, and our standard streams.
"""

from __future__ import annotations

import os
import sys

from curserve_engines.protocol import EngineError, World
from curserve_engines.sandbox.entering import confined, enter
from curserve_engines.sandbox.kinds import SandboxUnavailable, choose
from curserve_engines.sandbox.running import spawn
from curserve_engines.sandbox.sources import Sources
from curserve_engines.sandbox.user import owner
from curserve_traces import scratch

_NAME = "link run"


def main(arguments: list[str]) -> int:
    """Run what follows `--`; returns its exit status (128 + signal), 3 where there is no sandbox."""
    kind, _, *program = arguments
    try:
        if choose(kind, _NAME) == "landlock":
            raise SandboxUnavailable(f"{_NAME}: --sandbox landlock holds sessions only; take --sandbox bwrap")
        with scratch.folder("linked") as folder, Sources(_NAME, staged=owner() is not None) as sources:
            workspace = folder / "workspace"
            workspace.mkdir()
            world = World(workspace)
            own = {name: value for name, value in os.environ.items() if name.startswith("CURSERVE_")}
            words = confined(program, world, environment=own)
            command = enter(world, words, sources, engine=_NAME, share_net=True)
            status = spawn(command, sources.fds, stdin=None, stdout=None, stderr=None).wait()
    except EngineError as error:
        print(f"curserve-bench: {error}", file=sys.stderr)
        return 3
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
