"""What a daemon relies on is replaced under it: its root, a folder above, its socket file."""

import contextlib
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest
from daemon import answer, running, until_it_works

from curserve_engines import programs
from curserve_engines.client import Client, ProtocolError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return planted(tmp_path / "parent/w", "alpha\n")


def planted(folder: Path, text: str) -> Path:
    (folder / "sub").mkdir(parents=True, exist_ok=True)
    (folder / "a.txt").write_text(text)
    (folder / "sub/b.txt").write_text(text)
    return folder


def agrees(client: Client, root: Path) -> None:
    """Commands (from memory) and file tools (from the file system) show the tree that is at the root's path."""
    text = (root / "a.txt").read_bytes()
    assert answer(client, "cat a.txt sub/b.txt") == text * 2
    assert client.call("read", {"path": "a.txt"}).stdout == text
    (root / "n.txt").write_text("new\n")
    assert answer(client, "cat n.txt") == b"new\n"
    (root / "sub/b.txt").write_text("newer\n")
    assert answer(client, "grep -rc newer sub") == b"sub/b.txt:1\n"


def test_a_root_that_is_removed_and_made_again_is_the_new_one(root: Path, tmp_path: Path) -> None:
    with running(root, tmp_path / "s") as (client, _):
        for text in ("one\n", "two\n", "three\n"):
            shutil.rmtree(root)
            planted(root, text)
            agrees(client, root)


def test_another_tree_in_the_place_of_a_folder_above_is_the_new_one(root: Path, tmp_path: Path) -> None:
    planted(tmp_path / "other/w", "other\n")
    with running(root, tmp_path / "s") as (client, _):
        root.parent.rename(tmp_path / "away")
        assert "vanished" in (client.call("bash", {"command": "cat a.txt"}).refused or "")
        (tmp_path / "other").rename(root.parent)
        agrees(client, root)


def test_a_server_that_ends_leaves_the_socket_of_its_successor(root: Path, tmp_path: Path) -> None:
    for number in range(400):
        (root / f"f{number}").write_text("aab " * 3000)
    path = tmp_path / "s"
    with running(root, path) as (client, process):
        command = "for i in $(seq 1 400); do rg -c '(a|aa)+b \\w+' . >/dev/null; done"

        def ask() -> None:
            with contextlib.suppress(ProtocolError):  # it may take longer than the grace
                client.call("bash", {"command": command})

        slow = threading.Thread(target=ask)
        slow.start()
        until_it_works(process)
        process.terminate()
        time.sleep(0.1)
        assert process.poll() is None, "it answers what is in flight"
        words = [programs.need("curserve", "test"), "serve", "--root", root, "--socket", path]
        with subprocess.Popen(words, stdin=subprocess.DEVNULL) as successor:
            process.wait(timeout=20)
            client.close()
            slow.join()
            time.sleep(0.1)
            assert successor.poll() is None
            heir = Client(path, silence_s=10)
            assert heir.stats()["connections"] == 1
            heir.close()
            successor.terminate()
            assert successor.wait(timeout=20) == 0
    assert not path.exists()


def test_a_line_without_an_end_costs_the_limit_and_not_its_length(root: Path, tmp_path: Path) -> None:
    with (root / "sparse").open("wb") as file:
        file.truncate(2 << 30)
    with running(root, tmp_path / "s", "--output-bytes", str(1 << 20)) as (client, process):
        for more in ({"limit": 1}, {}, {"offset": 2, "limit": 1}):
            reply = client.call("read", {"path": "sparse", **more})
            assert (reply.failed is not None) == ("offset" not in more)
        status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        most_kib = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
        assert most_kib < 200 << 10, "MiB where the file has 2 GiB"
