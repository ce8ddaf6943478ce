"""What `curserve-bench link run` does: a command on the client host of a link. Main name: `run_over`."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

from curserve_harness.console.exits import BadInput, ExecutionFailed
from curserve_harness.console.progress import say
from curserve_netem import Link, Pair, hosts
from curserve_netem import calibrate as calibrate_pair
from curserve_netem.listening import everywhere, listens

_LISTENING_S = 10.0
"""How long a peer has to begin; one that begins later is started all the same."""


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
        calibration = calibrate_pair(pair, uploads=0, say=say)
        print(f"link: {pair.backend} ({pair.reason}); {calibration.verdict}", file=sys.stderr)
        if sandbox is None:
            rights = "the command runs with all your rights, on your files; --sandbox auto holds it"
            print(f"link run: {rights}", file=sys.stderr)
        environment = {**os.environ, **_environment(pair, ports)}
        serving = _serving(pair, peer, ports, environment) if peer else None
        words = [word.replace("{peer}", environment["CURSERVE_PEER"]) for word in argv]
        if sandbox is not None:
            words = [sys.executable, "-m", "curserve_engines.sandbox", sandbox, "--", *words]
        try:
            status = pair.client.popen(words, env=environment).wait()
        except FileNotFoundError as error:
            raise BadInput(f"link run: {error.strerror}: {error.filename}") from None
        if serving is not None:
            _refuse_bypass(pair, serving.pid)
    return status if status >= 0 else 128 - status


def _serving(
    pair: Pair, peer: str, ports: Sequence[int], environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start the peer; under a relay wait until it listens where the relay leads, for a while at least."""
    try:
        words = shlex.split(peer)
    except ValueError as error:
        raise BadInput(f"--peer {peer!r}: {error}; quote it as a shell would") from None
    if not words:
        raise BadInput("--peer: no command in it; leave it out, or give one")
    try:
        process = pair.server.popen(words, env=environment)
    except OSError as error:
        raise BadInput(f"--peer {words[0]}: {error.strerror}; name a program that is there") from None
    deadline = time.monotonic() + _LISTENING_S
    waiting = list(ports) if pair.degraded else []
    while waiting and time.monotonic() < deadline:
        waiting = [port for port in waiting if not listens(pair.server.address, port)]
        if waiting and process.poll() is not None:
            raise ExecutionFailed(
                f"link run: the peer ended (status {process.returncode}) before it listened on port {waiting[0]}; "
                f"the relay holds that port on {pair.client.address}, so it cannot be on every address: let it "
                f"listen on $CURSERVE_SERVER ({pair.server.address})"
            )
        time.sleep(0.02)
    _refuse_bypass(pair, process.pid)
    return process


def _refuse_bypass(pair: Pair, peer: int) -> None:
    """Raise ExecutionFailed where a peer can be reached past the relay, which has no network of its own."""
    if pair.degraded and (ports := everywhere(peer)):
        raise ExecutionFailed(
            f"link run: the peer listens on every address at port {ports[0]}, so it is reached past the relay, "
            f"without delay; let it listen on $CURSERVE_SERVER ({pair.server.address}), or use backend queue"
        )


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
