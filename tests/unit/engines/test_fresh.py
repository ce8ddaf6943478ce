"""What was changed before the question is in the answer, whichever way it was changed (docs/PROTOCOL.md)."""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import calls
import pytest
from daemon import running
from ways import AS_ROOT, TEXT, WAYS, Place

from curserve_engines.client import Client

QUESTIONS = (
    "grep -rn --exclude-dir=.git '' . 2>&1",
    "ls -lanR --time-style=full-iso",
    "ls -iR",
    "find . -printf '%P %y %s\\n'",
    "find . -links +1",
    "cat f 2>&1",
)
IS_ROOT = os.geteuid() == 0
FileSystem = Callable[[Path], AbstractContextManager[tuple[Path, dict[str, Place]]]]


def real_answer(command: str, folder: Path) -> bytes:
    environment = {"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}
    words = ["bash", "-c", command]
    return subprocess.run(words, cwd=folder, env=environment, stdout=subprocess.PIPE, check=False).stdout


def stale(client: Client, folder: Path) -> list[str]:
    """Return which questions on `folder` are answered otherwise than by the real programs, or refused."""
    wrong = []
    for command in QUESTIONS:
        told = client.call("bash", {"command": command}, cwd=str(folder))
        right = real_answer(command, folder)
        if told.refused is not None or told.stdout != right:
            wrong.append(f"{command}: {told.refused or told.stdout!r}, and not {right!r}")
    return wrong


def plant(base: Path) -> dict[str, Place]:
    """Make the folders of all ways that can be gone here, each with its file."""
    places = {}
    for name in WAYS:
        if IS_ROOT or name not in AS_ROOT:
            at = Place(base / "root" / name, base / "outside" / name)
            at.folder.mkdir(parents=True)
            at.outside.mkdir(parents=True)
            at.file.write_bytes(TEXT)
            places[name] = at
    return places


def moved(places: dict[str, Place], base: Path) -> dict[str, Place]:
    """Return the same places as they are seen below another folder."""
    return {name: Place(base / "root" / name, base / "outside" / name) for name in places}


@contextmanager
def on_disk(tmp_path: Path) -> Iterator[tuple[Path, dict[str, Place]]]:
    yield tmp_path, plant(tmp_path)


@contextmanager
def in_memory(tmp_path: Path) -> Iterator[tuple[Path, dict[str, Place]]]:
    base = Path("/dev/shm") / f"{tmp_path.name}-{os.getpid()}"
    try:
        yield base, plant(base)
    finally:
        subprocess.run(["rm", "-rf", base], check=True)


@contextmanager
def on_an_overlay(tmp_path: Path) -> Iterator[tuple[Path, dict[str, Place]]]:
    """All files lie in the lower layer, as those of a container's image do."""
    for name in ("lower", "upper", "work", "merged"):
        (tmp_path / name).mkdir()
    places = moved(plant(tmp_path / "lower"), tmp_path / "merged")
    layers = ",".join(f"{name}dir={tmp_path / name}" for name in ("lower", "upper", "work"))
    calls.mount(Path("overlay"), tmp_path / "merged", "overlay", 0, layers)
    try:
        yield tmp_path / "merged", places
    finally:
        calls.unmount(tmp_path / "merged")


FILE_SYSTEMS = [on_disk, in_memory, on_an_overlay] if IS_ROOT else [on_disk, in_memory]


@pytest.mark.parametrize("file_system", FILE_SYSTEMS)
def test_nothing_is_stale_whichever_way_it_was_changed(file_system: FileSystem, tmp_path: Path) -> None:
    with file_system(tmp_path) as (base, places):
        go_all_ways(base / "root", places, tmp_path / "s")


def go_all_ways(root: Path, prepared: dict[str, Place], socket: Path) -> None:
    wrong, places = {}, {}
    for name, at in prepared.items():
        steps = WAYS[name](at)
        next(steps)
        places[name] = (at, steps)
    with running(root, socket) as (client, _):
        for name, (at, steps) in places.items():
            assert stale(client, at.folder) == [], name
            step = 0
            with at.left:
                while True:
                    more = next(steps, steps)
                    step += 1
                    if found := stale(client, at.folder):
                        wrong[f"{name}, step {step}"] = found
                    if more is steps:
                        break
        assert client.stats()["panics"] == 0
    assert wrong == {}
    assert len(places) >= 30


def until_it_ends(at: Path) -> dict[str, Callable[[ExitStack], None]]:
    """Return ways of writing that the kernel reports when they end, and not before (docs/PROTOCOL.md)."""

    def by_a_map(left: ExitStack) -> None:
        with (at / "by_a_map").open("r+b") as file:
            mapped = mmap.mmap(file.fileno(), 0)
        left.callback(mapped.close)
        mapped[:3] = b"MAP"

    def by_aio(left: ExitStack) -> None:
        descriptor = os.open(at / "by_aio", os.O_WRONLY)
        left.callback(os.close, descriptor)
        calls.aio_write(descriptor, b"AIO", 0)

    return {"by_a_map": by_a_map, "by_aio": by_aio}


def test_what_is_reported_late_is_in_the_answer_from_then_on(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for name in until_it_ends(root):
        (root / name).write_bytes(TEXT)
    with running(root, tmp_path / "s") as (client, _):
        for name, begin in until_it_ends(root).items():
            with ExitStack() as left:
                begin(left)
                told = client.call("bash", {"command": f"cat {name}"}).stdout
                # Old or new: what the documentation says of it is no promise to be late.
                assert told in (TEXT, (root / name).read_bytes())
            assert client.call("bash", {"command": f"cat {name}"}).stdout == (root / name).read_bytes() != TEXT


@pytest.mark.parametrize("events", [16_384, 20_000, 50_000])
def test_a_queue_that_overflows_costs_a_walk_and_no_stale_answer(tmp_path: Path, events: int) -> None:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    for number in range(100):
        (root / f"f{number}").write_bytes(TEXT)
    (root / "sub/f").write_bytes(TEXT)
    with running(root, tmp_path / "s") as (client, process):
        process.send_signal(signal.SIGSTOP)
        for number in range(events):
            os.utime(root / f"f{number % 100}", (number, number))
        (root / "sub").rename(root / "moved")
        (root / "f7").write_bytes(b"after the overflow\n")
        process.send_signal(signal.SIGCONT)
        assert stale(client, root) == []
        (root / "moved/f").write_bytes(b"in the folder that was moved meanwhile\n")
        assert stale(client, root) == []
        assert client.stats()["rescans"] >= 1


def test_a_root_behind_a_link_is_answered_for_by_both_of_its_paths(tmp_path: Path) -> None:
    real = tmp_path / "real"
    (real / "sub").mkdir(parents=True)
    (real / "sub/f").write_bytes(TEXT)
    (tmp_path / "link").symlink_to("real")
    with running(tmp_path / "link", tmp_path / "s") as (client, _):
        for path in (real, tmp_path / "link"):
            for command in ("pwd", "cat sub/f", "grep -rn word .", f"cat {real}/sub/f"):
                told = client.call("bash", {"command": command}, cwd=str(path))
                assert (told.refused, told.stdout) == (None, real_answer(command, path)), (path, command)
        told = client.call("read", {"path": "f"}, cwd=str(tmp_path / "link/sub"))
        assert told.stdout == TEXT


def test_an_alias_is_followed_where_its_links_lead(tmp_path: Path) -> None:
    for name in ("one/root", "two/root"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "f").write_text(f"a word in {name}\n")
    (tmp_path / "way").symlink_to("one")
    root = tmp_path / "way/root"
    with running(root, tmp_path / "s", "--at", str(root)) as (client, _):
        for target in ("one", "two", "one"):
            (tmp_path / "way").unlink()
            (tmp_path / "way").symlink_to(target)
            for command in ("cat f", "grep -rn word ."):
                told = client.call("bash", {"command": command}, cwd=str(root))
                assert (told.refused, told.stdout) == (None, real_answer(command, root)), (target, command)
            assert client.call("read", {"path": "f"}, cwd=str(root)).stdout == (root / "f").read_bytes()
            client.call("write", {"path": "g", "content": f"written to {target}\n"}, cwd=str(root))
            assert (tmp_path / target / "root/g").read_text() == f"written to {target}\n"


def test_where_the_user_has_few_watches_files_are_looked_at_instead(tmp_path: Path) -> None:
    """Folders come first: what files have taken is given back to them."""
    root = tmp_path / "root"
    for number in range(30):
        (root / f"d{number}/sub").mkdir(parents=True)
        (root / f"d{number}/sub/f").write_bytes(TEXT)
        for other in range(5):
            (root / f"d{number}/f{other}").write_bytes(TEXT)
    # A user namespace has a limit of its own.
    few = ["unshare", "-Ur", "bash", "-c", 'echo 100 >/proc/sys/user/max_inotify_watches && exec "$0" "$@"']
    if subprocess.run([*few, "true"], check=False, capture_output=True).returncode != 0:
        print("no user namespace is to be had here")
        few = []
    with running(root, tmp_path / "s", before=few) as (client, _):
        state = client.stats()
        assert "trouble" not in state, state
        assert not few or 0 < state["unwatched"] <= 180
        os.link(root / "d3/f1", tmp_path / "outside")
        (tmp_path / "outside").write_bytes(b"by a name outside\n")
        (root / "d29/sub/f").write_bytes(b"and by its own\n")
        for folder in (root, root / "d3", root / "d29"):
            for command in ("grep -rn . .", "ls -lanR --time-style=full-iso"):
                told = client.call("bash", {"command": command}, cwd=str(folder))
                assert (told.refused, told.stdout) == (None, real_answer(command, folder)), command
