"""What a command line writes is written, or the file is what it was: also where the disk is full."""

from __future__ import annotations

import os
from pathlib import Path

import calls
from daemon import running


def test_a_full_disk_leaves_the_file_that_was_to_be_written(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    if os.geteuid() != 0:
        print("not root: no file system of one's own to fill")
        return
    long = "x" * 50_000
    calls.mount(Path("none"), root, "tmpfs", 0, "size=512k")
    try:
        (root / "f").write_bytes(b"what was there\n")
        os.link(root / "f", root / "g")
        (root / "filler").write_bytes(b"y" * (os.statvfs(root).f_bavail * 4096 - 8192))
        number = (root / "f").stat().st_ino
        with running(root, tmp_path / "s") as (client, _):
            for command in (f"echo {long} >f", f"echo {long} >>f", f"echo {long} >g"):
                told = client.call("bash", {"command": command})
                # The real program runs then, and finds the disk full by itself.
                assert told.refused is not None and "No space left" in told.refused, (command[:20], told)
                assert (root / "f").read_bytes() == b"what was there\n"
            (root / "filler").unlink()
            assert client.call("bash", {"command": f"echo {long} >f"}).refused is None
            assert (root / "g").read_text() == f"{long}\n"
            assert (root / "f").stat().st_ino == number
    finally:
        calls.unmount(root)
