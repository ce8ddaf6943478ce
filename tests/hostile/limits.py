"""Bombs: memory, processes, disk, inodes, descriptors, output, time. The session says what happened; the next is right."""

from __future__ import annotations

from functools import partial

import making
from attack import Attack, Done, Stage

BOMBS = {
    "fork": ":(){ :|:& };:; sleep 2",
    "fork-that-hides": "for i in $(seq 3000); do setsid sleep 60 >/dev/null 2>&1 & done; wait",
    "threads": "python3 -c \"import threading, time\nfor _ in range(20000): threading.Thread(target=time.sleep, args=(60,)).start()\"",
    "memory": "python3 -c \"b = []\nwhile True: b.append(b'x' * (64 << 20))\"",
    "memory-of-many": "for i in $(seq 50); do python3 -c \"b = b'x' * (400 << 20); import time; time.sleep(30)\" & done; wait",
    "memory-of-files": "dd if=/dev/zero of=/dev/shm/big bs=1M count=20000; dd if=/dev/zero of=/tmp/big bs=1M count=20000",
    "memory-of-a-shell": "x=a; while :; do x=$x$x; done",
    "memory-of-sort": "yes | head -c 3000000000 | sort -S 8G",
    "disk": "dd if=/dev/zero of=big bs=1M count=30000",
    "disk-of-many": "for i in $(seq 400); do dd if=/dev/zero of=big$i bs=1M count=100 2>/dev/null; done",
    "inodes": "i=0; while [ $i -lt 3000000 ]; do i=$((i+1)); : > f$i || break; done",
    "folders": "mkdir w; cd w; seq 1 3000000 | xargs mkdir",
    "descriptors": "python3 -c \"import os\nwhile True: os.open('a.txt', 0)\"",
    "pipes": "python3 -c \"import os\nwhile True: os.pipe()\"",
    "output": "yes",
    "output-of-errors": "yes >&2",
    "output-without-lines": "cat /dev/zero",
    "output-of-many": "for i in $(seq 30); do yes & done; wait",
    "time": "sleep 1000",
    "time-deaf": "trap '' TERM INT HUP QUIT; while :; do sleep 1; done",
    "time-stopped": "kill -STOP $$",
    "time-spin": "while :; do :; done",
    "time-of-a-child": "setsid sleep 1000; true",
    "tag": "(ulimit -q 0; setsid sleep 1000 >/dev/null 2>&1 &) ; sleep 1000",
    "regex": "echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa! | grep -E '(a|a)*(a|a)*(a|a)*b\\1'",
    "regex-count": "echo a | grep -E '((((a{1,250}){1,250}){1,250}){1,250})'; rg '((a{1,250}){1,250}){1,250}' a.txt",
    "queue": "python3 -c \"import ctypes\nl = ctypes.CDLL(None)\nwhile l.msgget(0, 0o1600) >= 0: pass\"",
    "semaphores": "python3 -c \"import ctypes\nl = ctypes.CDLL(None)\nwhile l.semget(0, 200, 0o1600) >= 0: pass\"",
    "locks": "python3 -c \"import fcntl\nf = open('a.txt', 'r+')\nfor i in range(3000000): fcntl.lockf(f, fcntl.LOCK_EX, 1, 2 * i)\"",
    "watches": "python3 -c \"import ctypes\nl = ctypes.CDLL(None)\nwhile l.inotify_init() >= 0: pass\"",
    "signals": "python3 -c \"import os, signal\nsignal.pthread_sigmask(0, [34])\nwhile True: os.kill(os.getpid(), 34)\"",
    "arguments": "x=$(head -c 3000000 /dev/zero | tr '\\0' a); /bin/echo $x | wc -c; export x; ls",
}  # fmt: skip
INNOCENT = "cat b/c.py; echo right"
FIRST = ("fork", "memory", "tag")


def _bomb(stage: Stage, engine: str) -> list[str]:
    return [
        "call",
        "--engine",
        engine,
        "--workspace",
        str(stage.workspace),
        "--timeout-s",
        "6",
        *stage.sandboxed(),
    ]


def _stdin(_stage: Stage, command: str) -> bytes:
    return b"".join(making.asked(line) for line in (INNOCENT, command, INNOCENT, INNOCENT))


def _next_is_right(_stage: Stage, done: Done, plain: str) -> None:
    """An answer after the bomb is the right one, or says that it is none (137 is no answer); the last is right."""
    said = making.answers(done.stdout)
    assert len(said) >= 2 or done.code in (3, 4), f"only {len(said)} answers: {done.stderr[-300:]}"
    for answer in said[2:]:
        right = answer["exit_code"] == 0 and answer["stdout"] == plain
        assert right or answer["failed"], f"a wrong answer: {answer}"
    assert said[-1]["failed"] is None, f"the last call failed: {said[-1]['failed']}"
    assert len(said) == 4, f"only {len(said)} answers: {done.stderr[-300:]}"


def attacks() -> list[Attack]:
    """Return the attacks of this kind."""
    engines = ("client-subprocess", "daemon")
    return [
        Attack(
            f"limits.{name}",
            partial(_bomb, engine=engines[number % 2]),
            (0, 4),
            held=partial(_next_is_right, plain="alpha b/c.py\nbeta\nright\n"),
            stdin=partial(_stdin, command=command),
            sandbox=name in FIRST,
            sample=name in FIRST,
            one=True,
            timeout_s=180,
            most_kb=1 << 40,  # the bombs are counted too
        )
        for number, (name, command) in enumerate(BOMBS.items())
    ]
