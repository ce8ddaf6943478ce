"""Proofs of the daemon: no stale and no torn answer under edits, throughput under load, an overflow's rescan.

Each has a small form for every test run and a large one (`make prove`) whose figures go into results/proofs/.
"""

import os
import random
import signal
import socket
import struct
import subprocess
import sys
import sysconfig
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import pytest

from curserve_engines import programs
from curserve_harness.bench.search.corpora import make

sys.path.insert(0, str(Path(__file__).parents[1] / "unit/engines"))
from daemon import answer, running
from receipts import write_receipt

CODE = Path(sysconfig.get_paths()["purelib"])
WORDS = [b"alpha", b"beta", b"gamma", b"delta", b"omega"]


class Tree:
    """A folder under random edits, and what a plain scan of it answers."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root, self.random = root, random.Random(seed)
        self.folders = [root / name for name in ("", "d0", "d1", "d0/d2", "d1/d3", "d0/d2/d4", "build")]
        self.refused = 0

    def path(self) -> Path:
        return self.random.choice(self.folders) / f"f{self.random.randrange(6)}"

    def text(self) -> bytes:
        lines = self.random.randrange(40) if self.random.random() < 0.97 else 4000
        return b"".join(self.random.choice(WORDS) + b" %d\n" % self.random.randrange(1000) for _ in range(lines))

    def edit(self) -> str:
        """Do one random edit; errors of the file system are part of the game."""
        kind = self.random.choice(
            ["create", "create", "append", "append", "rewrite", "replace", "rename", "delete", "move", "rules",
             "link", "mkdir", "rmdir", "chmod", "truncate"]
        )  # fmt: skip
        one, two = self.path(), self.path()
        try:
            self._edit(kind, one, two)
        except OSError as error:
            return f"{kind} {one}: {error}"
        return f"{kind} {one} {two}"

    def _edit(self, kind: str, one: Path, two: Path) -> None:
        if kind in ("create", "rewrite"):
            one.write_bytes(self.text())
        elif kind == "append":
            with one.open("ab") as file:
                file.write(self.text())
        elif kind == "replace":
            aside = one.with_name("aside")
            aside.write_bytes(self.text())
            aside.replace(one)
        elif kind == "rename":
            one.rename(two)
        elif kind == "delete":
            one.unlink()
        elif kind == "move":
            self.random.choice(self.folders[1:]).rename(self.random.choice(self.folders[1:]))
        elif kind == "rules":
            rules = self.random.choice([b"", b"build/\n", b"f1\n!f2\n", b"d1\n", b"*\n!*.py\n!*/\n!f3\n"])
            (self.random.choice(self.folders) / ".ignore").write_bytes(rules)
        elif kind == "link":
            one.unlink(missing_ok=True)
            one.symlink_to(self.random.choice(["f0", "../f1", "nowhere"]))
        elif kind == "mkdir":
            self.random.choice(self.folders[1:]).mkdir(parents=True)
        elif kind == "rmdir" and self.random.random() < 0.2:
            subprocess.run(["rm", "-rf", str(self.random.choice(self.folders[1:]))], check=True)
        elif kind == "chmod":
            one.chmod(self.random.choice([0o644, 0o600, 0o755]))
        elif kind == "truncate":
            os.truncate(one, min(one.stat().st_size, self.random.randrange(200)))

    def scan(self, word: bytes) -> list[bytes]:
        """Return what `grep -rn WORD .` prints, by reading every file; sorted."""
        found = []
        for path in self.everything():
            if not path.is_symlink() and path.is_file():
                content = path.read_bytes()
                if word in content:
                    shown = b"./" + bytes(path.relative_to(self.root))
                    for number, line in enumerate(content.split(b"\n"), 1):
                        if word in line:
                            found.append(b"%s:%d:%s" % (shown, number, line))
        return sorted(found)

    def listing(self) -> list[bytes]:
        """Return what `find .` prints; sorted."""
        return sorted([b".", *(b"./" + bytes(path.relative_to(self.root)) for path in self.everything())])

    def everything(self) -> list[Path]:
        """Return every name in the tree, links not followed."""
        return [Path(folder, name) for folder, folders, names in os.walk(self.root) for name in folders + names]


def edits_against_a_plain_scan(tmp_path: Path, edits: int, seed: int) -> dict:
    root = tmp_path / "w"
    root.mkdir()
    tree = Tree(root, seed)
    queries, latency = dict.fromkeys(("grep", "rg", "find", "cat", "ignored"), 0), []
    rg = programs.need("rg", "test")
    with running(root, tmp_path / "s") as (client, _):
        done = 0
        while done < edits:
            said = [tree.edit() for _ in range(tree.random.choice([1, 1, 1, 2, 5]))]
            done += len(said)
            word = tree.random.choice(WORDS)
            kind = tree.random.choices(list(queries), [6, 6, 4, 4, 0.2])[0]
            queries[kind] += 1
            text = word.decode()
            command = {
                "grep": f"grep -rn {text} .", "rg": f"rg -uu --no-messages -n {text} .", "find": "find .",
                "cat": f"cat {tree.path()}", "ignored": f"rg -n {text} .",
            }[kind]  # fmt: skip
            began = time.perf_counter_ns()
            reply = client.call("bash", {"command": command})
            latency.append(time.perf_counter_ns() - began)
            if reply.refused is not None:
                tree.refused += 1
                continue
            found = sorted(reply.stdout.split(b"\n")[:-1])
            if kind == "cat":
                try:
                    expected = Path(command[4:]).read_bytes()
                except OSError:
                    expected = b""
                assert reply.stdout == expected, f"edit {done}: {said}: {command}"
                continue
            if kind == "ignored":
                real = subprocess.run(
                    [rg, "-n", text, "."], cwd=root, capture_output=True, stdin=subprocess.DEVNULL, check=False
                )
                expected_lines = sorted(real.stdout.split(b"\n")[:-1])
            else:
                expected_lines = tree.listing() if kind == "find" else tree.scan(word)
            assert found == expected_lines, f"edit {done}: {said}: {command}"
        stats = client.stats()
    latency.sort()
    assert tree.refused < sum(queries.values()) / 10, f"{tree.refused} refused of {queries}"
    return {
        "edits": done, "seed": seed, "queries": queries, "refused": tree.refused, "stale_or_torn": 0,
        "query_p50_us": latency[len(latency) // 2] / 1e3,
        "query_p99_us": latency[len(latency) * 99 // 100] / 1e3,
        "rescans": stats["rescans"], "panics": stats["panics"],
    }  # fmt: skip


def concurrent_writers(tmp_path: Path, seconds: float) -> dict:
    """Ask while others write: each answer is of one version, and not of an old one.

    Of an append that goes over the end of a page the kernel shows any reader the part before it first, so the line
    that is being written may be there in part.
    """
    root = tmp_path / "w"
    root.mkdir()
    written, stop, wrong = [0, 0, 0], threading.Event(), []
    for name in ("replaced", "appended", "grown"):
        (root / name).write_bytes(b"")

    def writer(place: int) -> None:
        version = 0
        with (root / "appended").open("ab", buffering=0) as appended:
            while not stop.is_set():
                version += 1
                if place == 0:
                    (root / "aside").write_bytes(b"version %d\n" % version * 3000)
                    (root / "aside").replace(root / "replaced")
                elif place == 1:
                    appended.write(b"line %d of the appended file\n" % version)
                else:
                    (root / f"new{version % 50}").write_bytes(b"made %d\n" % version)
                written[place] = version
                if version % 64 == 0:
                    time.sleep(0.001)

    asked, left = [0], [0]

    def ask(command: str) -> list[bytes]:
        """Return the lines of an answer; [] where the daemon leaves it to the real program, which is no answer."""
        reply = client.call("bash", {"command": command})
        asked[0] += 1
        left[0] += reply.refused is not None
        return reply.stdout.split(b"\n")[:-1] if reply.refused is None else [b""]

    threads = [threading.Thread(target=writer, args=(place,)) for place in range(3)]
    with running(root, tmp_path / "s") as (client, _):
        for thread in threads:
            thread.start()
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end and not wrong:
                before = list(written)
                lines = ask("cat replaced")
                whole = len(set(lines)) == 1 and len(lines) == 3000
                if before[0] and lines != [b""] and not (whole and int(lines[0].split()[1]) >= before[0]):
                    wrong.append(("replaced", before[0], len(lines), sorted(set(lines))[:3]))
                before = list(written)
                lines = ask("grep line appended")
                expected = [b"line %d of the appended file" % number for number in range(1, len(lines) + 1)]
                whole = lines == expected or (lines[:-1] == expected[:-1] and expected[-1].startswith(lines[-1]))
                complete = len(lines) - (lines != expected)
                if lines != [b""] and not (whole and complete >= before[1]):
                    wrong.append(("appended", before[1], len(lines), lines[-3:]))
                before = list(written)
                lines = ask("rg made")
                newest = max((int(line.rsplit(b" ", 1)[1]) for line in lines if line), default=0)
                if lines != [b""] and newest < before[2]:
                    wrong.append(("made", before[2], newest))
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    assert wrong == []
    return {
        "seconds": seconds,
        "writes": sum(written),
        "queries": asked[0],
        "refused": left[0],
        "stale_or_torn": 0,
    }


def test_edits_are_in_the_next_answer(tmp_path: Path) -> None:
    edits_against_a_plain_scan(tmp_path, 1500, seed=1)


def test_answers_beside_writers_are_whole_and_fresh(tmp_path: Path) -> None:
    assert concurrent_writers(tmp_path, 2)["queries"] > 30


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_no_answer_in_a_hundred_thousand_edits_is_stale_or_torn(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    figures = {"edits": edits_against_a_plain_scan(tmp_path / "a", 100_000, seed=2)}
    figures["concurrent"] = concurrent_writers(tmp_path / "b", 60)
    write_receipt("daemon-freshness", figures)


def a_call(number: int, argv: list[str]) -> bytes:
    request = {"id": number, "op": "call", "tool": "bash", "arguments": {"argv": argv}, "cwd": None}
    header = orjson.dumps(request)
    return struct.pack("<II", len(header), 0) + header


def load(tmp_path: Path, megabytes: int, sessions: int, in_flight: int, seconds: float) -> dict:
    """Keep `in_flight` calls on each of `sessions` connections under way; answers equal the real program's."""
    corpus = make(CODE, megabytes * 1_000_000, tmp_path / "w", seed=1)
    rg = str(programs.need("rg", "test"))
    words = [
        "ValueError_x",
        "numpy.testing",
        "DeprecationWarning(",
        "zqx_nowhere",
        "contextmanager",
        "sysconf",
    ]
    questions = [["rg", "-n", "-F", word] for word in words]
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}

    def really(argv: list[str]) -> bytes:
        done = subprocess.run(
            [rg, *argv[1:]],
            cwd=corpus.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        return b"\n".join(sorted(done.stdout.split(b"\n")))

    expected = [really(argv) for argv in questions]
    with ThreadPoolExecutor(8) as pool:
        began = time.monotonic()
        count = len(list(pool.map(really, questions * max(1, int(seconds)))))
        processes_per_s = count / (time.monotonic() - began)
    done, wrong = [0] * sessions, []
    with running(corpus.root, tmp_path / "s") as (client, process):
        end = time.monotonic() + seconds

        def session(place: int) -> None:
            with socket.socket(socket.AF_UNIX) as peer:
                peer.settimeout(60)
                peer.connect(str(tmp_path / "s"))
                stream = peer.makefile("rb", 1 << 16)
                peer.sendall(b"".join(a_call(n, questions[n % len(questions)]) for n in range(in_flight)))
                number, open_calls = in_flight, in_flight
                while open_calls:
                    header, payload = struct.unpack("<II", stream.read(8))
                    told, body = orjson.loads(stream.read(header)), stream.read(payload)
                    open_calls -= 1
                    right = told.get("refused", "none") is None and told["exit_code"] in (0, 1)
                    if not right or b"\n".join(sorted(body.split(b"\n"))) != expected[told["id"] % len(questions)]:
                        wrong.append((told, body[:100]))
                        return
                    done[place] += 1
                    if time.monotonic() < end:
                        peer.sendall(a_call(number, questions[number % len(questions)]))
                        number, open_calls = number + 1, open_calls + 1

        threads = [threading.Thread(target=session, args=(place,)) for place in range(sessions)]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        taken = time.monotonic() - began
        stats = client.stats()
        status = Path(f"/proc/{process.pid}/status").read_text()
        memory = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))
    assert wrong == []
    assert stats["protocol_errors"] == stats["failed"] == stats["refused"] == stats["panics"] == 0
    assert min(done) > 0, "a session was starved"
    return {
        "sessions": sessions, "in_flight": in_flight, "seconds": taken, "files": corpus.files,
        "bytes": corpus.bytes, "calls": sum(done), "errors": 0, "daemon_per_s": sum(done) / taken,
        "rg_processes_per_s": processes_per_s, "ratio": sum(done) / taken / processes_per_s,
        "least_and_most_of_a_session": [min(done), max(done)], "peak_memory_bytes": memory,
    }  # fmt: skip


def test_many_sessions_with_many_calls_in_flight_are_all_answered(tmp_path: Path) -> None:
    load(tmp_path, 3, sessions=16, in_flight=8, seconds=2)


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_sixty_four_sessions_with_eight_calls_in_flight_for_a_minute(tmp_path: Path) -> None:
    figures = load(tmp_path, 40, sessions=64, in_flight=8, seconds=60)
    write_receipt("daemon-load", figures)
    assert figures["ratio"] >= 50


def rescan(tmp_path: Path, megabytes: int) -> dict:
    """Rewrite every file while the daemon cannot follow, until the kernel's queue overflows, and ask at once."""
    corpus = make(CODE, megabytes * 1_000_000, tmp_path / "w", seed=1)
    files = sorted(path for path in corpus.root.rglob("*") if path.is_file())
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    with running(corpus.root, tmp_path / "s") as (client, process):
        assert answer(client, "rg -uu -c zqx_rewritten || true") == b""
        process.send_signal(signal.SIGSTOP)
        for path in files:
            path.write_bytes(b"zqx_rewritten\n")
        for number in range(limit):  # equal events in a row become one: so in turns
            os.utime(files[number % len(files)])
        process.send_signal(signal.SIGCONT)
        began = time.perf_counter()
        found = answer(client, "rg -uu -l zqx_rewritten | wc -l")
        taken = time.perf_counter() - began
        assert int(found) == len(files)
        assert client.stats()["rescans"] >= 1, "no overflow: this shows nothing"
    return {"files": len(files), "bytes_before": corpus.bytes, "first_answer_s": taken}


def test_an_overflow_gives_no_stale_answer(tmp_path: Path) -> None:
    rescan(tmp_path, 2)


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_the_rescan_of_a_rewritten_tree(tmp_path: Path) -> None:
    write_receipt("daemon-rescan", rescan(tmp_path, 40))


def small_reads(tmp_path: Path, megabytes: int, rounds: int) -> dict:
    """Time small reads over the socket from Python."""
    corpus = make(CODE, megabytes * 1_000_000, tmp_path / "w", seed=1)
    longest = max((path for path in corpus.root.rglob("*.py")), key=lambda path: (path.stat().st_size, path))
    name = str(longest.relative_to(corpus.root))
    figures = {}
    with running(corpus.root, tmp_path / "s") as (client, _):
        for command in (f"sed -n '10,40p' {name}", f"cat {name}", f"grep -n import {name} | head -5", "ls"):
            expected = subprocess.run(["bash", "-c", command], cwd=corpus.root, stdout=subprocess.PIPE, check=True)
            times = []
            for _ in range(rounds):
                began = time.perf_counter_ns()
                reply = client.call("bash", {"command": command})
                times.append(time.perf_counter_ns() - began)
                assert reply.refused is None
            if command != "ls":  # its order is the locale's
                assert reply.stdout == expected.stdout
            times.sort()
            figures[command.replace(name, "FILE")] = {
                "p50_us": times[rounds // 2] / 1e3, "p90_us": times[rounds * 9 // 10] / 1e3,
                "bytes": len(reply.stdout),
            }  # fmt: skip
    return figures


def test_small_reads_equal_the_real_programs(tmp_path: Path) -> None:
    small_reads(tmp_path, 2, 20)


@pytest.mark.prove
def test_what_small_reads_take(tmp_path: Path) -> None:
    write_receipt("daemon-small-reads", small_reads(tmp_path, 40, 5000))
