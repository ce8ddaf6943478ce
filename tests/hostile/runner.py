"""Plays the corpus: `python tests/hostile/runner.py --user root|ordinary [--sandbox KIND] [--only PART] [--sample]`.

Each attack gets a stage of its own; what must not change is looked at before and after, from outside. One JSON line an
attack goes to --report; exit code 1 where one was not held. `--keep` leaves the stages, `--list` names the attacks.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import corpus
import enter
import outside
from attack import HOUSE, Attack, Done, Stage, check


class Listener:
    """A service of the machine's loopback that nobody may reach; counts who does."""

    def __init__(self) -> None:
        self.heard = 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            with contextlib.suppress(OSError), self.socket.accept()[0]:
                self.heard += 1


def run(words: list[str], attack: Attack, stage: Stage, user: int | None) -> Done:
    """Run the attack's command as `user` in a process group of its own, until it ends or its time is up."""
    streams = [stage.folder / name for name in ("in", "out", "err")]
    with streams[0].open("rb") as given, streams[1].open("wb") as out, streams[2].open("wb") as err:
        process = subprocess.Popen(
            words,
            stdin=given,
            stdout=out,
            stderr=err,
            cwd=stage.work,
            env=stage.environment() | {key: stage.fill(value) for key, value in attack.environment.items()},
            start_new_session=True,
            **({} if user is None else {"user": user, "group": user, "extra_groups": []}),
        )
        if attack.interrupt_after_s is not None:
            time.sleep(attack.interrupt_after_s)
            process.send_signal(signal.SIGINT)
        code, peak = wait(process, attack.timeout_s)
    texts = [stream.read_bytes().decode(errors="replace") for stream in streams[1:]]
    return Done(code, *texts, peak)


def wait(process: subprocess.Popen[bytes], timeout_s: float) -> tuple[int, int]:
    """Return exit code and peak memory in kB; -9 and all of its group gone where it took longer than `timeout_s`."""
    handle, deadline = os.pidfd_open(process.pid), time.monotonic() + timeout_s
    try:
        while True:
            number, status, usage = os.wait4(process.pid, os.WNOHANG)
            if number:
                process.returncode = os.waitstatus_to_exitcode(status)
                return process.returncode, usage.ru_maxrss
            if time.monotonic() > deadline:
                os.killpg(process.pid, signal.SIGKILL)
                deadline = float("inf")
            time.sleep(0.01)
    finally:
        os.close(handle)


def give(folder: Path, user: int) -> None:
    """Make the stage the user's own; as a program, since some are deeper than Python goes."""
    subprocess.run(["chown", "-hR", f"{user}:{user}", folder], check=True)


def play(attack: Attack, stage: Stage, listener: Listener, user: int | None, alone: bool) -> list[str]:
    """Play one attack and return what was wrong; nothing where it was held."""
    words = [stage.fill(word) for word in attack.words(stage)]
    if not words[0].startswith("/"):
        words = [sys.executable, "-m", "curserve_harness", *words]
    (stage.folder / "in").write_bytes(attack.stdin(stage) if attack.stdin else b"")
    if user is not None:
        give(stage.folder, user)
    guarded, heard = [stage.home, stage.outside, stage.workspace], listener.heard
    before, running = outside.look(guarded, alone), {number for number, _ in outside.others()}
    done = run(words, attack, stage, user)
    deadline = time.monotonic() + 2
    while (left := leftovers(stage, running, alone)) and time.monotonic() < deadline:
        time.sleep(0.05)
    wrong = check(stage, attack, done)
    wrong += [f"left process {number} running: {words[:100]}" for number, words in left]
    outside.end([number for number, _ in left])
    wrong += outside.differences(before, outside.look(guarded, alone))
    if attack.name.split(".")[0] != "cleaning":
        wrong += [f"left {path.name} in TMPDIR" for path in stage.tmp.iterdir()]
    if listener.heard != heard:
        wrong.append("a service of this machine was contacted")
    if done.code == -signal.SIGKILL:
        wrong.append(f"did not end within {attack.timeout_s:.0f} s")
    return [f"{line}" for line in wrong] + ([f"… {done.said[-600:]}"] if wrong else [])


def leftovers(stage: Stage, running: set[int], alone: bool) -> list[tuple[int, str]]:
    """Return the processes that came and did not go: all of our PID namespace, else those that carry our mark."""
    found = outside.others() if alone else outside.marked(stage.secret)
    while alone:  # we are process 1: orphans are ours to bury
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                break
        except ChildProcessError:
            break
    return [(number, words) for number, words in found if number not in running]


def of(name: str) -> str:
    """Return the user who plays an attack that CI plays once: half of them each, the same ones every time."""
    return ("root", "ordinary")[zlib.crc32(name.encode()) % 2]


def main() -> int:
    """Play what was asked for; see the module's own text."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--user", choices=["root", "ordinary"], default="root" if os.geteuid() == 0 else "ordinary"
    )
    parser.add_argument("--sandbox", default="auto")
    parser.add_argument("--only", default="", help="attacks whose name has this; several by commas")
    parser.add_argument("--sample", action="store_true", help="only those that CI runs")
    parser.add_argument("--report", type=Path)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    attacks = [attack for attack in corpus.attacks() if any(part in attack.name for part in asked.only.split(","))]
    attacks = [attack for attack in attacks if attack.only in ("", asked.user)]
    if asked.sample:
        attacks = [
            attack for attack in attacks if attack.sample and (not attack.one or of(attack.name) == asked.user)
        ]
    if asked.sandbox != "auto":
        attacks = [attack for attack in attacks if attack.sandbox]
    if asked.list:
        print(*(attack.name for attack in attacks), sep="\n")
        return 0
    if os.geteuid() == 0 and not asked.inside:
        return subprocess.run(enter.again([sys.executable, *sys.argv, "--inside"]), check=False).returncode
    alone = asked.inside
    if asked.user == "root" and not alone:
        parser.error("only root plays the pass of root")
    base = Path(tempfile.mkdtemp(prefix="hostile-", dir="/var/tmp"))
    base.chmod(0o755)
    if alone:
        enter.furnish([enter.python(), HOUSE] if asked.user == "ordinary" else [])
    user = enter.ORDINARY if asked.user == "ordinary" and alone else None
    listener, broken = Listener(), 0
    try:
        for number, attack in enumerate(attacks):
            stage = Stage(base / str(number), asked.user, asked.sandbox, listener.port)
            begun = time.monotonic()
            wrong = play(attack, stage, listener, user, alone)
            broken += bool(wrong)
            print(
                "held  " if not wrong else "BROKEN", attack.name, f"{time.monotonic() - begun:.1f} s", flush=True
            )
            print(*(f"         {line}" for line in wrong), sep="\n", end="\n" if wrong else "", flush=True)
            if asked.report:
                with asked.report.open("a") as report:
                    row = {"attack": attack.name, "user": asked.user, "sandbox": asked.sandbox, "wrong": wrong}
                    report.write(json.dumps(row) + "\n")
            if not asked.keep:
                subprocess.run(["rm", "-rf", stage.folder], check=False, stderr=subprocess.DEVNULL)
    finally:
        corpus.runs.forget()
        if not asked.keep:
            subprocess.run(["rm", "-rf", base], check=False)
    print(f"{len(attacks) - broken} of {len(attacks)} attacks held, as {asked.user}, sandbox {asked.sandbox}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
