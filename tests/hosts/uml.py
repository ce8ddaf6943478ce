"""A kernel with sch_netem where this machine's has none: Debian's user-mode-linux, an ordinary process."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

MODULES = ("net/sched/sch_netem", "drivers/net/veth")

SHARED_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # the kernel's memory is a file there

LOAD = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
for path in sys.argv[1:]:
    fd = os.open(path, os.O_RDONLY)
    if libc.syscall(313, fd, b"", 0):
        print("loading", path, os.strerror(ctypes.get_errno()))
"""


def kernel() -> str | None:
    """Find the kernel as a program: installed, or unpacked below .tools."""
    unpacked = Path(__file__).parents[2] / ".tools/usr/bin"
    return shutil.which("linux.uml", path=f"{os.environ['PATH']}:/usr/bin:{unpacked}")


def is_too_old() -> bool:
    """Whether this processor has more registers (AMX) than the kernel can give back to a program."""
    return "amx_tile" in Path("/proc/cpuinfo").read_text()


def modules(program: str) -> list[str]:
    """List the module files that the netem backend needs, beside the kernel that they were built for."""
    root = Path(program).resolve().parents[1] / "lib/uml/modules"
    (version,) = [path for path in root.iterdir() if path.is_dir()][:1]
    return [str(version / "kernel" / f"{name}.ko") for name in MODULES]


def run(argv: list[str], *, timeout_s: float, memory: str = "768M") -> str:
    """Boot the kernel on this machine's files, run a program as its root, and power off; returns the console."""
    program = kernel()
    assert program is not None
    with tempfile.TemporaryDirectory(prefix="curserve-uml-") as folder:
        load = [sys.executable, "-c", LOAD, *modules(program)]
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
        script = Path(folder, "init")
        script.write_text(
            "#!/bin/sh\n"
            "mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t tmpfs tmp /run\n"
            "ip link set lo up\n"
            # This kernel's timers are late by milliseconds; what a wide window sends in one must not be lost.
            "echo 65536 > /proc/sys/net/core/netdev_max_backlog\n"
            + "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())
            + f"cd {shlex.quote(str(Path.cwd()))}\n"
            + f"{shlex.join(load)}\n{shlex.join(argv)}\n"
            + "sync; echo o > /proc/sysrq-trigger; sleep 10\n"
        )
        script.chmod(0o755)
        console = ["con=null", "con0=null,fd:1", "ssl=null"]
        words = [
            program,
            "rootfstype=hostfs",
            "rootflags=/",
            "rw",
            f"mem={memory}",
            *console,
            "quiet",
            f"init={script}",
        ]
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_s,
            env={**os.environ, "TMPDIR": SHARED_MEMORY or folder},
        )
    return done.stdout.decode(errors="replace")
