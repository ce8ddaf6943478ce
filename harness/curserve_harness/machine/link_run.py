"""What `curserve-bench link run` does: a command on the client host of a link. Main name: `run_over`."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence

from curserve_harness.console.exits import BadInput
from curserve_netem import Link, Pair, hosts
from curserve_netem import calibrate as calibrate_pair


def run_over(
    link: Link,
    backend: str,
    network: str | None,
    argv: Sequence[str],
    peer: str | None,
    ports: Sequence[int],
    sandbox: str | None = None,
) -> int:
    """Run a command on the client host, calibrated; returns its exit status (128 + signal, as a shell does).

    Without `sandbox` it has all rights of the caller; in one, an empty folder and the link.
    """
    with hosts(link, backend=backend, network=network) as pair:
        calibration = calibrate_pair(pair, uploads=0)
        print(f"link: {pair.backend} ({pair.reason}); {calibration.verdict}", file=sys.stderr)
        if sandbox is None:
            rights = "the command runs with all your rights, on your files; --sandbox auto holds it"
            print(f"link run: {rights}", file=sys.stderr)
        environment = {**os.environ, **_environment(pair, ports)}
        if peer:
            pair.server.popen(shlex.split(peer), env=environment)
        words = [word.replace("{peer}", environment["CURSERVE_PEER"]) for word in argv]
        if sandbox is not None:
            words = [sys.executable, "-m", "curserve_engines.sandbox", sandbox, "--", *words]
        try:
            status = pair.client.popen(words, env=environment).wait()
        except FileNotFoundError as error:
            raise BadInput(f"link run: {error.strerror}: {error.filename}") from None
    return status if status >= 0 else 128 - status


def _environment(pair: Pair, ports: Sequence[int]) -> dict[str, str]:
    """Tell a command where its peer is: with a relay, each port has a door of its own."""
    reached = {f"CURSERVE_PORT_{port}": pair.reach(port) for port in ports}
    address = pair.client.address if pair.degraded else pair.server.address
    return {
        "CURSERVE_PEER": address,
        "CURSERVE_CLIENT": pair.client.address,
        "CURSERVE_SERVER": pair.server.address,
        **{name: str(port) for name, (_, port) in reached.items()},
    }
