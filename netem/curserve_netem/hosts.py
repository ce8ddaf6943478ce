"""Two hosts and a link: `with hosts(link) as pair:` and processes of one role run only in their host.

Main type: `Pair`. The file system is the same inside and outside, so sockets and files on disk are shared; the
network is not: a host sees its own loopback and the link, nothing else.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from curserve_netem import errors
from curserve_netem.able import demand_able, demand_possible
from curserve_netem.addresses import LOOPBACK, choose
from curserve_netem.backends import candidates, needs_namespaces
from curserve_netem.errors import BackendUnavailable, HostsDied, HostsError, Undoable
from curserve_netem.link import Link
from curserve_netem.sweep import MARK, kill_processes, new_mark, sweep_orphans
from curserve_netem.watch import Watch

_MESSAGE = 1 << 20
_SETUP_SECONDS = 30
_ENDING_SECONDS = 3


def link_program() -> str:
    """Find `curserve-link`, which starts programs inside a host and probes the link."""
    beside = Path(sysconfig.get_path("scripts"), "curserve-link")
    found = str(beside) if beside.exists() else shutil.which("curserve-link")
    if found is None:
        raise HostsError(
            "curserve-link not found beside Python or on PATH; run `make setup` (or pip install curserve)"
        )
    return found


class Host:
    """One of the two hosts; `address` is where the other reaches it."""

    def __init__(self, role: str, address: str, namespaces: Mapping[str, int], mark: str) -> None:
        self.role = role
        self.address = address
        self._mark = mark
        self._namespaces = namespaces  # kind → descriptor; empty where the backend has no namespaces
        self._started: weakref.WeakSet[subprocess.Popen[Any]] = weakref.WeakSet()

    def __repr__(self) -> str:
        return f"Host({self.role}, {self.address})"

    def enter(
        self, argv: Sequence[str | os.PathLike[str]], cwd: str | os.PathLike[str] | None = None
    ) -> list[str]:
        """Return the argv that runs `argv` inside this host; pass `self.descriptors` on to it (`pass_fds`)."""
        if not self._namespaces:
            return [os.fspath(word) for word in argv]
        flags = [word for kind, fd in self._namespaces.items() for word in (f"--{kind}", str(fd))]
        directory = os.path.abspath(cwd or ".")  # noqa: PTH100 - keeps symlinks, as a shell does
        return [link_program(), "enter", *flags, "--cwd", directory, "--", *(os.fspath(word) for word in argv)]

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The descriptors that a process needs to enter this host."""
        return tuple(self._namespaces.values())

    def popen(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
        **options: Any,
    ) -> subprocess.Popen[Any]:
        """Start a process inside this host; takes what `subprocess.Popen` takes, except `shell` and `executable`.

        The process number is the program's own. It ends with the hosts, at the latest.
        """
        environment = dict(os.environ if env is None else env)
        environment[MARK] = self._mark
        program = os.fspath(argv[0])
        if shutil.which(program, path=environment.get("PATH")) is None:
            raise FileNotFoundError(2, f"program not found for the {self.role} host", program)
        process = subprocess.Popen(
            self.enter(argv, cwd),
            env=environment,
            pass_fds=(*pass_fds, *self.descriptors),
            cwd=None if self._namespaces else cwd,
            **options,
        )
        self._started.add(process)
        return process

    def run(self, argv: Sequence[str | os.PathLike[str]], **options: Any) -> subprocess.CompletedProcess[Any]:
        """Run a program inside this host to its end; `input`, `timeout`, `check` and `capture_output` as usual."""
        given, timeout, check = (options.pop(name, None) for name in ("input", "timeout", "check"))
        if options.pop("capture_output", False):
            options.update(stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if given is not None:
            options["stdin"] = subprocess.PIPE
        with self.popen(argv, **options) as process:
            try:
                out, err = process.communicate(given, timeout=timeout)
            except BaseException:
                process.kill()
                raise
        done = subprocess.CompletedProcess(process.args, process.returncode, out, err)
        if check:
            done.check_returncode()
        return done

    def _reap(self) -> None:
        for process in list(self._started):
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=2)


class Pair:
    """Two hosts joined by a link; `backend` names what makes the link, `reason` why that one."""

    def __init__(self, link: Link, backend: str, reason: str, client: Host, server: Host, control: Any) -> None:
        self.link = link
        self.backend = backend
        self.reason = reason
        self.client = client
        self.server = server
        self.facts: dict[str, Any] = {}
        self.taken_off_ns = 0  # the path's own cost, taken off the delay by calibration
        self._control = control

    def __iter__(self) -> Iterator[Host]:
        return iter((self.client, self.server))

    @property
    def degraded(self) -> bool:
        """Whether the link has no packets, hence no congestion window: never in one table with the others."""
        return self.backend == "relay"

    def ask(self, **order: Any) -> dict[str, Any]:
        """Send the keeper an order; returns its answer."""
        try:
            self._control.send(json.dumps(order).encode())
            answer = self._control.recv(_MESSAGE)
        except OSError:
            answer = b""
        if not answer:
            raise HostsDied(f"{self.backend}: the keeper of the hosts has died; nothing measured since counts")
        answered: dict[str, Any] = json.loads(answer)
        _raise_error(answered)
        return answered

    def take_off(self, cost_ns: int) -> None:
        """Shorten the declared delay by the path's own cost (over both directions, in proportion)."""
        self.taken_off_ns = max(0, min(cost_ns, self.link.rtt_ns))
        left = self.link.rtt_ns - self.taken_off_ns
        up = round(left * self.link.up.delay_ns / self.link.rtt_ns) if self.link.rtt_ns else 0
        self.ask(do="delays", up_ns=up, down_ns=left - up)

    def counters(self) -> dict[str, Any]:
        """Return what each direction has done: packets, bytes, lost, tail_dropped, overruns and more."""
        return self.ask(do="counters")

    def reach(self, port: int) -> tuple[str, int]:
        """Return where the client host reaches what listens on the server host's `port`."""
        if not self.degraded:
            return self.server.address, port
        return self.client.address, self.ask(do="reach", port=port)["port"]


@contextmanager
def hosts(link: Link, backend: str = "auto", network: str | None = None) -> Iterator[Pair]:
    """Make two hosts and the link between them; everything in them ends with the block.

    `network` gives them addresses, such as 10.1.2.0/30; otherwise one that the machine does not use is taken.
    Raises HostsError where this machine cannot make them, LinkError where no link can be as declared; says why,
    and what to do.
    """
    demand_possible(link)
    sweep_orphans()
    with _first_that_works(link, backend, network) as pair:
        yield pair


_refused: dict[str, str] = {}  # backends that `auto` need not try again in this process, and why


@contextmanager
def _first_that_works(link: Link, wanted: str, network: str | None) -> Iterator[Pair]:
    names = candidates(wanted)
    unfit: dict[str, str] = {}  # those that this link cannot have
    for name in names:
        if name in _refused and len(names) > 1:
            continue
        addresses = choose(network) if needs_namespaces(name) else LOOPBACK
        keeping = _kept(link, name, addresses)
        try:
            demand_able(name, link)
            pair = keeping.__enter__()
        except BackendUnavailable as error:
            if len(names) == 1:
                raise
            (unfit if isinstance(error, Undoable) else _refused)[name] = str(error)
            continue
        pair.reason = "asked for" if len(names) == 1 else _why_this_one(unfit)
        try:
            yield pair
        except BaseException as error:
            if not keeping.__exit__(type(error), error, error.__traceback__):
                raise
        else:
            keeping.__exit__(None, None, None)
        return
    raise HostsError(f"no backend works here: {'; '.join((_refused | unfit).values())}")


def _why_this_one(unfit: Mapping[str, str]) -> str:
    """Say why `auto` took a backend: what keeps those before it from working."""
    said = {**_refused, **unfit}
    before = [f"{name} does not: {why.removeprefix(f'{name}: ')}" for name, why in said.items()]
    return "; ".join(("the first that works here", *before))


@contextmanager
def _kept(link: Link, name: str, addresses: dict[str, str]) -> Iterator[Pair]:
    """Run a keeper with one backend."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    mark = new_mark()
    with ours:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "curserve_netem.keeper", str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # a signal to our group must not take the keeper before it has cleaned up
            env={**os.environ, MARK: mark},
        )
        theirs.close()
        descriptors: list[int] = []
        both: list[Host] = []
        inside: list[int] = []
        try:
            order = {"backend": name, "link": link.to_json(), "addresses": addresses}
            ready, descriptors = _set_up(ours, order)
            by_kind = dict(zip(ready["ready"], descriptors, strict=True))
            client, server = (
                Host(role, addresses[role], _of(role, by_kind), mark) for role in ("client", "server")
            )
            both = [client, server]
            pair = Pair(link, name.partition("/")[0], "", client, server, ours)
            pair.facts = ready["facts"]
            inside += [os.fstat(fd).st_ino for kind, fd in by_kind.items() if kind.endswith("_net")]
            with Watch(keeper.pid, inside, mark) as watch:
                try:
                    yield pair
                except Exception as error:
                    if watch.died.is_set():
                        raise _died(name, keeper) from error
                    raise
                if watch.died.is_set():
                    raise _died(name, keeper)
        finally:
            with suppress(OSError):
                ours.send(b'{"do": "stop"}')
            _end(keeper, inside, mark)
            for fd in descriptors:
                os.close(fd)
            for host in both:
                host._reap()


def _died(backend: str, keeper: subprocess.Popen[bytes]) -> HostsDied:
    with suppress(subprocess.TimeoutExpired):
        keeper.wait(timeout=1)
    return HostsDied(
        f"{backend}: the keeper of the hosts ended (status {keeper.poll()}), and the link with it; what was "
        "finished is kept: take the run up again with --resume"
    )


def _set_up(control: socket.socket, order: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
    control.settimeout(_SETUP_SECONDS)
    try:
        control.send(json.dumps(order).encode())
        message, descriptors, _, _ = socket.recv_fds(control, _MESSAGE, 16)
    except TimeoutError:
        raise HostsError(f"{order['backend']}: the hosts were not ready after {_SETUP_SECONDS} s") from None
    except OSError as error:
        raise HostsError(f"{order['backend']}: the keeper of the hosts did not start ({error.strerror})") from None
    if not message:
        raise HostsError(f"{order['backend']}: the keeper of the hosts did not start; see above")
    ready = json.loads(message)
    _raise_error(ready)
    return ready, descriptors


def _raise_error(answer: dict[str, Any]) -> None:
    if "error" in answer:
        kind = getattr(errors, answer["kind"], HostsError)
        raise kind(answer["error"])


def _of(role: str, by_kind: Mapping[str, int]) -> dict[str, int]:
    """Return a host's descriptors in the order of entering: the user namespace gives the right to the others."""
    wanted = {"user": "user", "mnt": f"{role}_mnt", "net": f"{role}_net"}
    return {kind: by_kind[key] for kind, key in wanted.items() if key in by_kind}


def _end(keeper: subprocess.Popen[bytes], namespaces: Sequence[int], mark: str) -> None:
    """Wait for a keeper that was told to stop; one that does not is killed, and what it kept with it."""
    try:
        keeper.wait(timeout=_ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        keeper.kill()
        keeper.wait()
    if keeper.returncode != 0:  # it did not come to ending what runs in the hosts
        kill_processes(namespaces, mark)
