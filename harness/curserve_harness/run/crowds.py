"""The processes of a load: one model server, and client hosts full of sessions. Main type: Crowds.

Each client host has its own link and its own network, and as many processes as it has a part of the cores;
the server listens in the network of each, on sockets that were made there and handed to it.
"""

from __future__ import annotations

import os
import random
import select
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType
from typing import Any, Self

from curserve_engines import registry
from curserve_engines.cell.spec import CellSpec
from curserve_harness.console.exits import ExecutionFailed
from curserve_harness.plan.load_plan import LoadBlock, LoadPlan
from curserve_harness.plan.profiles import ModelProfile
from curserve_harness.plan.served import model_of
from curserve_harness.prepare.prepared import PreparedTraces
from curserve_harness.run.cell_runner import judged
from curserve_harness.run.load_rows import session_rows
from curserve_harness.run.role_process import RoleProcess
from curserve_harness.run.run_folder import remove
from curserve_harness.samples.rows import Row
from curserve_netem.hosts import Host, Pair
from curserve_results.load.waiting import void_reason
from curserve_results.schema import CONTROLS

START_S = 0.3
"""From when all are ready to the beginning of the load: the messages that say so take their time."""

AT_ONCE = 256
"""Sessions that a process keeps open at once; of an open load more may be planned: they open as others end."""

STOPPING_S = 10.0
LIVE_S = 1.0
"""How often the crowds are asked what they are doing."""

_LISTEN = (
    "import socket, sys; s = socket.create_server((sys.argv[1], 0), backlog=4096); "
    "socket.send_fds(socket.socket(fileno=int(sys.argv[2])), [b'.'], [s.fileno()])"
)


class Interrupted(Exception):
    """Raised when a load was broken off; `rows` are what was measured until then."""

    def __init__(self, rows: list[Row]) -> None:
        super().__init__("interrupted")
        self.rows = rows


@dataclass(frozen=True, slots=True)
class ClientHost:
    """A client host, and the link that it is on."""

    link: str
    pair: Pair


class Crowds:
    """The server and the crowds of some client hosts, for as long as it is entered."""

    def __init__(
        self,
        load: LoadPlan,
        profiles: dict[str, ModelProfile],
        hosts: Sequence[ClientHost],
        prepared: PreparedTraces,
        run: str,
    ) -> None:
        self._load, self._profiles, self._hosts, self._prepared = load, profiles, hosts, prepared
        self.run_name = run
        self._stack = ExitStack()
        self._crowds: list[tuple[ClientHost, str, RoleProcess]] = []
        self.on_live: Callable[[list[dict[str, Any]]], None] | None = None
        """Called while a load plays with what its crowds say."""
        self.ticks: dict[str, list[int]] = {}
        """What the server did in each step of the last engine's load, where it has a scheduler."""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            logs = Path(mkdtemp(prefix="roles-", dir=self._prepared.scratch))
            self._control = logs / "server.sock"
            others = [stack.enter_context(_listener(host.pair.server)) for host in self._hosts[1:]]
            fds = [sock.fileno() for sock in others]
            first = self._hosts[0].pair
            self._server = stack.enter_context(
                RoleProcess(
                    *("server", first.server, logs, "--bind", first.server.address),
                    *("--sessions", str(most_at_once(self._load)), "--control", str(self._control)),
                    *(word for fd in fds for word in ("--listen", str(fd))),
                    *(("--batch", self._load.serving.to_json()) if self._load.serving is not None else ()),
                    pass_fds=fds,
                )
            )
            urls = [self._server.ready["url"], *(_url(sock) for sock in others)]
            processes = max(1, len(os.sched_getaffinity(0)) // len(self._hosts))
            for number, (host, url) in enumerate(zip(self._hosts, urls, strict=True)):
                for part in range(processes):
                    role = RoleProcess("crowd", host.pair.client, logs, log=f"crowd-{number}-{part}")
                    self._crowds.append((host, url, stack.enter_context(role)))
                    role.stands_with(self._server)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def use(self, load: LoadPlan) -> None:
        """Play another load from now on, of no more sessions at once than the one before."""
        self._load = load

    def run(self, block: LoadBlock, engine: str, order: int) -> list[Row]:
        """Play all sessions of a block in one engine; return their rows, judged.

        Raises ExecutionFailed where a role dies or no session finished, Interrupted at Ctrl-C.
        """
        root = Path(mkdtemp(prefix="load-", dir=self._prepared.scratch))
        try:
            specs = self._specs(block, engine, order, root)
            users = self._prepare(block, specs)
            spent = self._server.ask({"op": "spent"})
            start_ns = time.monotonic_ns() + round(START_S * 1e9)
            answers, stopped = self._play(users, start_ns)
            after = {} if stopped else self._server.ask({"op": "spent"})
            self.ticks = {} if stopped else self._server.ask({"op": "ticks"})["ticks"]
        finally:
            remove(root)
        server = {name: max(0, after.get(name, 0) - spent[name]) for name in ("cpu_ns", "wait_ns")}
        rows = self._rows(block, engine, specs, answers, server, start_ns)
        if stopped:
            raise Interrupted(rows)
        return rows

    def _prepare(self, block: LoadBlock, specs: dict[int, CellSpec]) -> list[RoleProcess]:
        """Deal the sessions to the crowds and have the first opened; return the crowds that have any."""
        sessions = self._load.sessions(block.repetition)
        dealt: list[list[dict[str, Any]]] = [[] for _ in self._crowds]
        for number, (user, offset) in enumerate(
            zip(sessions.user.tolist(), sessions.offset_ns.tolist(), strict=True)
        ):
            crowd = (user if user >= 0 else number) % len(self._crowds)
            host = self._crowds[crowd][0]
            specs[number] = replace(
                specs[number], link=host.link, backend=host.pair.backend, rtt_ns=host.pair.link.rtt_ns,
                tcp=asdict(host.pair.link.tcp),
            )  # fmt: skip
            trace = self._prepared[specs[number].trace_id]
            dealt[crowd].append(
                {
                    "number": number,
                    "user": user,
                    "offset_ns": offset,
                    "pristine": str(trace.pristine),
                    "cell": specs[number].to_json(),
                }
            )
        used = []
        for (_, url, role), share in zip(self._crowds, dealt, strict=True):
            if share:
                place = {"url": url, "control": str(self._control)}
                role.tell({"op": "prepare", "place": place, "sessions": share, "at_once": AT_ONCE})
                used.append(role)
        for role in used:
            role.answer("prepare")
        return used

    def _play(self, crowds: Sequence[RoleProcess], start_ns: int) -> tuple[list[dict[str, Any]], bool]:
        """Let the crowds play; return their answers, and whether they were stopped."""
        arrivals = self._load.arrivals
        closed = arrivals.kind == "closed" and arrivals.duration_ns is not None
        end_ns = start_ns + arrivals.duration_ns if closed and arrivals.duration_ns is not None else None
        for role in crowds:
            role.tell({"op": "play", "start_ns": start_ns, "think_ns": arrivals.think_ns, "end_ns": end_ns})
        left, owed = list(crowds), dict.fromkeys((role.fileno() for role in crowds), 1)
        answers: list[dict[str, Any]] = []
        live: dict[int, dict[str, Any]] = {}
        until: float | None = None
        asked = time.monotonic()
        while left:
            try:
                ready = select.select(left, [], [], LIVE_S)[0]
                self._server.must_live("play")
                if until is not None and time.monotonic() > until:
                    return answers, True  # they did not stop: what they had is lost
                for role in ready:
                    answer = role.answer("play")
                    owed[role.fileno()] -= 1
                    if "live" in answer:
                        live[role.fileno()] = answer["live"]
                    else:
                        answers.append(answer)
                    if not owed[role.fileno()]:  # else what it says of itself would answer a later question
                        left.remove(role)
                if until is None and self.on_live is not None and time.monotonic() - asked >= LIVE_S:
                    asked = time.monotonic()
                    self.on_live(list(live.values()))
                    for role in left:
                        owed[role.fileno()] += 1
                        role.tell({"op": "live"})
            except (KeyboardInterrupt, SystemExit):
                if until is not None:
                    raise
                until = time.monotonic() + STOPPING_S
                for role in left:
                    role.tell({"op": "stop"})
        return answers, until is not None

    def _specs(self, block: LoadBlock, engine: str, order: int, root: Path) -> dict[int, CellSpec]:
        """Return what each session plays, by number; its link is filled in when it is dealt."""
        plan = self._load.plan
        sessions = self._load.sessions(block.repetition)
        model = model_of(plan, self._profiles, block.model)
        placement = registry.load(engine).placement
        found, times = {}, self._prepared.times
        for number, place in enumerate(sessions.trace.tolist()):
            prepared = self._prepared[plan.traces[place].id]
            turns, at = prepared.policy, str(root / f"session-{number}")
            if times is not None and engine not in CONTROLS:
                chance = random.Random(f"{plan.seed}/{block.repetition}/{number}")
                turns = times.drawn(turns, registry.title(engine), prepared.trace.id, chance)
            found[number] = CellSpec(
                run=self.run_name, block=block.block, cell=order * len(sessions) + number,
                trace=str(prepared.file), engine=engine, placement=placement, model=model,
                root=at if times is None else None, at=prepared.trace.workspace.at, shell=prepared.trace.shell,
                api=plan.api, pace=plan.pace, stream=plan.stream, turns=turns, sandbox=plan.sandbox,
                trace_id=prepared.trace.id, repetition=block.repetition, order=order,
            )  # fmt: skip
        return found

    def _rows(
        self, block: LoadBlock, engine: str, specs: dict[int, CellSpec], answers: Sequence[dict[str, Any]],
        server: dict[str, int], start_ns: int,
    ) -> list[Row]:  # fmt: skip
        rows: list[Row] = []
        number = sum(len(answer["outcomes"]) for answer in answers)
        failed: list[str] = []
        for answer in answers:
            for outcome in answer["outcomes"]:
                share = len(answer["outcomes"])
                spec = specs[outcome["session"]]
                own = session_rows(spec, outcome, self._load.arrivals, start_ns)
                own[0] |= {
                    "client_cpu_ns": answer["spent"]["cpu_ns"] // share,
                    "client_wait_ns": answer["spent"]["wait_ns"] // share,
                    "server_cpu_ns": server["cpu_ns"] // number,
                    "server_wait_ns": server["wait_ns"] // number,
                }
                if outcome["error"] is not None:
                    failed.append(outcome["error"])
                rows += judged(own, self._prepared[spec.trace_id])
        if number and len(failed) == number and "the load was interrupted" not in failed:
            raise ExecutionFailed(
                f"{engine}, block {block.block}: none of {number} sessions finished: {failed[0]}"
            )
        if (why := void_reason(registry.title(engine), rows)) is not None:
            for row in rows:
                if row["kind"] == "cell":
                    row |= {"phase": "void", "reason": why}
        return rows


def most_at_once(load: LoadPlan) -> int:
    """Return how many sessions may be open at once."""
    if load.arrivals.kind == "closed":
        return load.arrivals.users
    return max(1, min(max(len(load.sessions(r)) for r in range(load.plan.repetitions)), AT_ONCE))


def _url(sock: socket.socket) -> str:
    address, port = sock.getsockname()[:2]
    return f"http://{address}:{port}"


def _listener(host: Host) -> socket.socket:
    """Return a socket that listens in the network of a server host; made there, it stays there."""
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            argv = [sys.executable, "-c", _LISTEN, host.address, str(theirs.fileno())]
            process = host.popen(argv, pass_fds=(theirs.fileno(),))
        _, fds, _, _ = socket.recv_fds(ours, 1, 1)
        process.wait()
    if not fds:
        raise ExecutionFailed(f"server host {host.address}: no socket could be made to listen on there")
    return socket.socket(fileno=fds[0])
