"""The sandbox around everything executed: entered once per session, so that it costs no call.

`launch` starts `curserve worker` (or `curserve serve`) as the first process of its own user, PID, network, IPC and
UTS namespaces, with the workspace as the one writable place, and returns a Sandboxed, which ends it. The program
gets its listening socket from here: it sees nothing of the file system that the caller connects through.

It ends with its caller, however that ends: bubblewrap's --die-with-parent, a lifeline on its standard input, and
the kernel, which ends a PID namespace with its first process.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import os
import shutil
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from curserve_engines import programs
from curserve_engines.client import Client, ProtocolError, short_name
from curserve_engines.protocol import EngineError, Limits, World, pinned_environment
from curserve_traces import scratch
from curserve_traces.workspace import EPOCH

INSIDE = "/opt/curserve/libexec/curserve"
"""Where the binary is inside: not on the pinned PATH."""

_RESERVED = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/proc", "/dev", "/sys", "/opt/curserve")

_USERS = (
    "root:x:0:0:root:/root:/bin/bash\ncurserve:x:1000:1000::/tmp:/bin/bash\nnobody:x:65534:65534::/:/bin/false\n"
)
_GROUPS = "root:x:0:\ncurserve:x:1000:\nnogroup:x:65534:\n"
_NSSWITCH = "passwd: files\ngroup: files\nhosts: files\n"
_HOSTS = "127.0.0.1 localhost\n::1 localhost\n"
_ETC = {"passwd": _USERS, "group": _GROUPS, "nsswitch.conf": _NSSWITCH, "hosts": _HOSTS}

_ETC_SEEN = ("alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d")
_SYSTEM = tuple(
    Path("/", name)
    for name in ("usr", "bin", "sbin", "lib", "lib32", "lib64", *(f"etc/{name}" for name in _ETC_SEEN))
)
"""What of the machine's own is seen inside, where it has it."""

_TMP_BYTES = 512 * 1024 * 1024


@dataclass(slots=True)
class Sandboxed:
    """A running program of a session; `client` talks to it."""

    client: Client
    process: subprocess.Popen[bytes]
    folder: Path
    kind: str = "bubblewrap"

    def close(self) -> None:
        """End the program and everything that it started; idempotent."""
        self.client.close()
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        try:
            self.process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stderr is not None:
            self.process.stderr.close()
        scratch.remove(self.folder)


def launch(world: World, *, verb: str = "worker", engine: str = "engine") -> Sandboxed:
    """Start `curserve VERB` on `world`; raises EngineError when it cannot be had."""
    program = [
        INSIDE,
        verb,
        "--listen-fd={fd}",
        "--lifeline",
        "--root={root}",
        "--at={at}",
        *_limits(world.limits),
        *(["--persistent"] if world.shell == "persistent" else []),
    ]
    return launch_program(world, program, engine=engine)


def launch_program(
    world: World, program: Sequence[str], *, engine: str = "engine", sandboxed: bool = True
) -> Sandboxed:
    """Start any program that speaks the protocol; `{fd}`, `{root}` and `{at}` in its words are filled in.

    Without the sandbox it sees this machine as we do, and `{root}` is the workspace's real place.
    """
    curserve, rg = programs.need("curserve", engine), programs.need("rg", engine)
    _check_place(world, engine)
    folder = scratch.new("session")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            path = folder / "s"
            with short_name(path) as name:
                listener.bind(name)
            path.chmod(0o600)
            listener.listen(512)
            kind = kind_here() if sandboxed else "none"
            root = world.at if kind == "bubblewrap" else str(world.root.resolve())
            fill = {"{fd}": str(listener.fileno()), "{root}": root, "{at}": world.at}
            command = [_filled(word, fill) for word in program]
            if kind == "bubblewrap":
                bwrap = programs.need("bwrap", engine)
                command = [*_bubblewrap(bwrap, world, curserve=curserve, rg=rg, program=command[0]), *command]
            elif kind == "landlock":
                command = _landlock(command, folder, curserve=curserve, rg=rg, engine=engine)
            process = _spawn(command, listener.fileno())
        client = Client(path, silence_s=world.limits.timeout_s + 60)
        try:
            client.hello()
        except ProtocolError as error:
            process.kill()
            _, said = process.communicate()
            reason = said.decode(errors="replace").strip().replace("\n", "; ") or str(error)
            raise EngineError(f"{engine}: could not be started on {world.root}: {reason}") from error
        return Sandboxed(client, process, folder, kind)
    except BaseException:
        scratch.remove(folder)
        raise


@functools.cache
def kind_here() -> str:
    """Return what keeps commands in on this machine: `bubblewrap`, or `landlock` where no namespace can be had.

    Tried once, with a sandbox around `true`. `CURSERVE_SANDBOX=landlock` chooses the weaker one.
    """
    bwrap = programs.find("bwrap")
    if bwrap is None or os.environ.get("CURSERVE_SANDBOX") == "landlock":
        return "landlock"
    tried = [str(bwrap), "--unshare-all", "--unshare-user", "--ro-bind", "/", "/", "--proc", "/proc", "--", "true"]
    done = subprocess.run(tried, capture_output=True, check=False)
    return "bubblewrap" if done.returncode == 0 else "landlock"


def _landlock(command: list[str], folder: Path, *, curserve: Path, rg: Path, engine: str) -> list[str]:
    """Return the command line of our own program that confines itself; others cannot be run so."""
    if command[0] != INSIDE:
        raise EngineError(
            f"{engine}: needs bubblewrap, which cannot run here; allow user namespaces, or set `sandbox = false` "
            "in its engine.toml if you trust it"
        )
    for name in ("tmp", "bin"):
        (folder / name).mkdir()
    shutil.copy(rg, folder / "bin/rg")
    return [str(curserve), *command[1:], f"--landlock-tmp={folder / 'tmp'}", f"--landlock-bin={folder / 'bin'}"]


def _filled(word: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        word = word.replace(name, value)
    return word


def _check_place(world: World, engine: str) -> None:
    if not world.root.is_dir():
        raise EngineError(f"{engine}: workspace {world.root} is not a folder")
    at = PurePosixPath(world.at)
    if not at.is_absolute() or ".." in at.parts or str(at) != world.at or world.at in ("/", "/tmp"):  # noqa: S108
        raise EngineError(f"{engine}: --at {world.at!r}: expected an absolute path without `..`, such as /testbed")
    if any(at.is_relative_to(taken) for taken in _RESERVED):
        raise EngineError(f"{engine}: --at {world.at}: this place belongs to the system inside the sandbox")


def _limits(limits: Limits) -> list[str]:
    return [
        f"--timeout-s={limits.timeout_s}",
        f"--output-bytes={limits.output_bytes}",
        f"--memory-bytes={limits.memory_bytes}",
        f"--processes={limits.processes}",
    ]


def _bubblewrap(bwrap: Path, world: World, *, curserve: Path, rg: Path, program: str) -> list[str]:
    """Return bubblewrap's command line up to the program."""
    command = [str(bwrap), "--unshare-all", "--unshare-user", "--as-pid-1", "--die-with-parent", "--new-session"]
    command += ["--uid", "1000", "--gid", "1000", "--hostname", "testbed", "--cap-drop", "ALL", "--clearenv"]
    for key, value in pinned_environment().items():
        command += ["--setenv", key, value]
    bound = [(str(rg), "/opt/curserve/bin/rg"), (str(curserve), INSIDE)]
    bound += [(str(place), str(place)) for place in _SYSTEM if place.exists() and not place.is_symlink()]
    late: list[tuple[str, str]] = []
    if program != INSIDE and Path(program).is_file() and not Path(program).is_relative_to("/usr"):
        # An external engine's own program.
        (late if Path(program).is_relative_to("/tmp") else bound).append((program, program))  # noqa: S108
    skeleton = _skeleton(world.at, tuple(bound))
    at = PurePosixPath(world.at)
    if len(at.parts) > 3 and at.parts[1] == "tmp":
        above = str(PurePosixPath(*at.parts[:3]))
        late.append((f"{skeleton}{above}", above))
    command += ["--ro-bind", str(skeleton), "/"]
    for source, place in bound:
        command += ["--ro-bind", source, place]
    command += ["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"]
    command += ["--size", str(_TMP_BYTES), "--tmpfs", "/dev/shm"]  # noqa: S108
    command += ["--size", str(_TMP_BYTES), "--perms", "1777", "--tmpfs", "/tmp"]  # noqa: S108
    for source, place in late:
        command += ["--ro-bind", source, place]
    command += ["--bind", str(world.root.resolve()), world.at, "--chdir", world.at, "--"]
    return command


@functools.cache
def _skeleton(at: str, bound: tuple[tuple[str, str], ...]) -> Path:
    """Make the folders and files on which everything is mounted, once per process.

    They are as old as the workspace's files, whenever a session begins: `ls -la` shows the folder above.
    """
    root = scratch.new("root")
    for folder in ("proc", "dev", "tmp", "etc", at.lstrip("/")):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for name, text in _ETC.items():
        (root / "etc" / name).write_text(text)
    for source, place in bound:
        path = root / place.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        if Path(source).is_dir():
            path.mkdir()
        else:
            path.touch()
    for link in filter(Path.is_symlink, _SYSTEM):
        (root / link.relative_to("/")).symlink_to(link.readlink())
    for path in (*root.rglob("*"), root):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)
            os.utime(path, (EPOCH, EPOCH))
    return root


# --die-with-parent means the parent *thread*: sandboxes are started by one thread that lives as long as we do.
_starter: list[concurrent.futures.ThreadPoolExecutor] = []
os.register_at_fork(after_in_child=_starter.clear)
os.register_at_fork(after_in_child=_skeleton.cache_clear)


def _spawn(command: list[str], listener: int) -> subprocess.Popen[bytes]:
    if not _starter:
        _starter.append(concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="sandbox-starter"))

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(listener,),
            env={},
        )

    return _starter[0].submit(start).result()
