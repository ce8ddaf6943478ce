"""`python -m curserve_harness.roles.crowd`: many sessions of a load, played in one client host on a thread each.

The control messages, one JSON object a line, as in `curserve_harness.roles`:

    ← {"op": "prepare", "place": {…}, "at_once": N,
       "sessions": [{"number", "cell", "pristine", "user", "offset_ns"}, …]}
    → {"ok": true, "opened": N}          those are open that are meant to start soon
    ← {"op": "play", "start_ns": T, "think_ns": N, "end_ns": T or null}
    → {"ok": true, "outcomes": [Outcome, …], "spent": {"cpu_ns", "wait_ns"}}
    ← {"op": "live"}                     also while it plays
    → {"ok": true, "live": {…}}          what it is doing
    ← {"op": "stop"}                     what plays is broken off, and `play` is answered

Times are CLOCK_MONOTONIC. A user starts no session after `end_ns`. `spent` is of the tools' processes.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from curserve_engines.cell.spec import BadMessage, cell_from_json
from curserve_harness.machine.processor import Started
from curserve_harness.roles.channel import answer_any, one_line, read_message, write_message
from curserve_harness.roles.lifetime import die_with_parent, leave_on_sigterm, private_stdout, watch_input
from curserve_harness.roles.session import Outcome, Place, Session

_STACK = 512 * 1024

AHEAD_NS = 5 * 10**9
"""So long before it is meant to start a session is opened, at the most."""


@dataclass(frozen=True, slots=True)
class _Clock:
    """When the load begins, how long a user thinks, and from when on none starts another session."""

    start_ns: int
    think_ns: int
    end_ns: int | None


class Crowd:
    """The sessions of one process: each user's one after the other, those of nobody each by itself."""

    def __init__(self, message: dict[str, Any]) -> None:
        place = message["place"]
        self._place = Place(place["url"], Path(place["control"]))
        self._queues: list[list[tuple[Session, int]]] = []
        by_user: dict[int, list[tuple[Session, int]]] = {}
        for planned in message["sessions"]:
            session = Session(planned["number"], cell_from_json(planned["cell"]), planned["pristine"])
            user = planned["user"]
            entry = (session, planned["offset_ns"])
            if user < 0:
                self._queues.append([entry])
            else:
                by_user.setdefault(user, []).append(entry)
        self._queues += by_user.values()
        self._left = deque(self._queues)
        self._ready = threading.Semaphore(0)
        self._start = threading.Event()
        self._stopped = threading.Event()
        self._clock = _Clock(0, 0, None)
        self._playing: set[Session] = set()
        self._outcomes: list[Outcome] = []
        self._threads: list[threading.Thread] = []

    def prepare(self, at_once: int) -> int:
        """Open the first sessions, as many as may be open at once; return how many."""
        threading.stack_size(_STACK)
        workers = min(len(self._left), at_once)
        soon = sum(queue[0][1] <= AHEAD_NS for queue in self._queues[:workers])
        self._threads = [threading.Thread(target=self._work, name="session", daemon=True) for _ in range(workers)]
        for thread in self._threads:
            thread.start()
        for _ in range(soon):
            self._ready.acquire()
        return soon

    def play(self, clock: _Clock) -> list[Outcome]:
        """Let all begin, and return what came of them."""
        self._clock = clock
        self._start.set()
        for thread in self._threads:
            thread.join()
        return self._outcomes

    def live(self) -> dict[str, Any]:
        """Return what it is doing: sessions by state, latencies of the last turns and sessions in ns, errors."""
        over, playing = list(self._outcomes), list(self._playing)
        whole = [one for one in over if one.error is None]
        turns = [turn for session in playing for turn in list(session.played.turns)]
        ttft = [turn.exchange.first_byte_ns - turn.intended_ns for turn in turns if turn.exchange is not None]
        ended = [max(row.get("done_ns") or 0 for row in one.client) - one.meant_ns for one in whole[-200:]]
        return {
            "playing": len(playing),
            "finished": len(over),
            "failed": len(over) - len(whole),
            "planned": 0 if self._clock.end_ns is not None else sum(map(len, self._queues)),
            "ttft": ttft[-500:],
            "task": ended,
            "errors": [f"session {one.session}: {one.error}" for one in over if one.error is not None][-3:],
        }

    def stop(self) -> None:
        """Break off what runs."""
        self._stopped.set()
        self._start.set()
        for session in list(self._playing):
            session.interrupt()

    def _work(self) -> None:
        while not self._stopped.is_set():
            try:
                queue = self._left.popleft()
            except IndexError:
                return
            ended_ns = None
            for session, offset_ns in queue:
                if offset_ns > AHEAD_NS:
                    self._start.wait()
                    if not self._wait(self._clock.start_ns + offset_ns - AHEAD_NS):
                        return
                session.open(self._place)
                if not self._start.is_set():
                    self._ready.release()
                    self._start.wait()
                ended_ns = self._play_one(session, offset_ns, ended_ns)
                session.close()
                if ended_ns is None:
                    break

    def _play_one(self, session: Session, offset_ns: int, ended_ns: int | None) -> int | None:
        """Play a session when it is meant to start; return when it ended, None if the user starts no more."""
        clock = self._clock
        if offset_ns >= 0:
            meant_ns = clock.start_ns + offset_ns
        else:
            meant_ns = max((ended_ns or 0) + clock.think_ns, time.monotonic_ns())
            if clock.end_ns is not None and meant_ns >= clock.end_ns:
                return None
        if not self._wait(meant_ns):
            return None
        self._playing.add(session)
        session.run(meant_ns)
        self._playing.discard(session)
        if self._stopped.is_set():
            session.outcome.error = session.outcome.error or "the load was interrupted"
        self._outcomes.append(session.outcome)
        return time.monotonic_ns()

    def _wait(self, until_ns: int) -> bool:
        """Wait until a time; False if the load is broken off before."""
        while (left := until_ns - time.monotonic_ns()) > 0:
            if self._stopped.wait(min(left / 1e9, 3600)):
                return False
        return not self._stopped.is_set()


class CrowdRole:
    """The role: one crowd at a time."""

    def __init__(self, channel: int) -> None:
        self._channel = channel
        self._crowd: Crowd | None = None
        self._started = Started()
        self._writing = threading.Lock()

    def say(self, message: dict[str, Any]) -> None:
        """Write one line, from any thread."""
        with self._writing:
            write_message(self._channel, message)

    def answer(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """Return the answer to a control message, None to end; a thread of its own answers `play` later."""
        match message["op"]:
            case "prepare":
                self._crowd = Crowd(message)
                opened = self._crowd.prepare(int(message.get("at_once") or 1 << 30))
                gc.collect()
                gc.freeze()  # or a collection would look at all traces, in the middle of turns
                return {"ok": True, "opened": opened}
            case "play" if self._crowd is not None:
                threading.Thread(target=self._play, args=(self._crowd, message), name="play").start()
                return {}
            case "live":
                return {"ok": True, "live": self._crowd.live() if self._crowd is not None else {}}
            case "stop":
                if self._crowd is not None:
                    self._crowd.stop()
                return {}
            case _:
                return answer_any(message)

    def _play(self, crowd: Crowd, message: dict[str, Any]) -> None:
        before = self._started.spent()
        try:
            outcomes = crowd.play(_Clock(message["start_ns"], message["think_ns"], message["end_ns"]))
        except Exception as error:
            self.say({"ok": False, "error": f"{type(error).__name__}: {one_line(error)}"})
            return
        spent = self._started.spent().since(before)
        answer = {"ok": True, "outcomes": [o.to_json() for o in outcomes], "spent": asdict(spent)}
        self.say(answer)


def serve() -> None:
    """Answer control messages until the runner closes the channel."""
    channel = private_stdout()
    watch_input(sys.stdin.fileno())
    write_message(channel, {"ready": True, "pid": os.getpid()})
    role = CrowdRole(channel)
    for line in sys.stdin.buffer:
        try:
            reply = role.answer(read_message(line))
        except (BadMessage, KeyError, TypeError, ValueError) as error:
            reply = {"ok": False, "error": f"{type(error).__name__}: {one_line(error)}"}
        if reply is None:
            break
        if reply:
            role.say(reply)


def main() -> None:
    """Run the role; whatever ends it, sessions are closed on the way out."""
    die_with_parent()
    leave_on_sigterm()
    code = 0
    try:
        serve()
    except SystemExit as leaving:
        code = int(leaving.code or 0)
    os._exit(code)


if __name__ == "__main__":
    main()
