"""A workspace at a git commit, from a public repository or a granted mirror; nothing that it brings is run.

git gets an environment of its own: no configuration, credentials, agent or netrc of the user's, one protocol, no
redirects, and the addresses that were checked. What it writes, and what the commit unpacks to, is limited.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from curserve_traces.beneath import Folder
from curserve_traces.errors import NotGranted, WorkspaceError
from curserve_traces.grants import Grants, local_folder
from curserve_traces.reach import public_addresses, repository

_SAFE = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.symlinks": "true",
    "core.autocrlf": "false",
    "core.protectNTFS": "true",
    "core.protectHFS": "true",
    "core.askPass": "",
    "credential.helper": "",
    "protocol.allow": "never",
    "submodule.recurse": "false",
    "transfer.bundleURI": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "60",
}
_KEPT = ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "CURL_CA_BUNDLE")
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_PINS = (2, 37)
"""The git that takes `http.curloptResolve`, by which the checked addresses are the ones contacted."""

MOST_PACK = 8 * 1024**3
MOST_BYTES = 8 * 1024**3
MOST_ENTRIES = 1_000_000
DEADLINE_S = 1800.0


def checkout(source: str, commit: str, target: Path, grants: Grants) -> None:
    """Check `commit` of `source` out into the new folder `target`, with that commit's history in its `.git`.

    Raises WorkspaceError where the repository or the commit cannot be had, NotGranted where the trace may not ask.
    """
    if not _COMMIT.fullmatch(commit):
        raise WorkspaceError(f"workspace git {source}: {commit[:80]!r} is not a full commit number")
    place, config = _allowed(source, grants)
    grants.say(f"fetching commit {commit} of the repository {place}, which the trace names")
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as home:
        git = _Git(source, target, config, _environment(Path(home), proxies=grants.allows(source)))
        target.mkdir(parents=True)
        git("init", "--quiet", "--template=", ".")
        git(
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-recurse-submodules",
            "--no-auto-maintenance",
            "--",
            place,
            commit,
        )
        git.measure(commit)
        git("checkout", "--quiet", "--detach", commit)
    (target / ".git/FETCH_HEAD").unlink(missing_ok=True)  # it names the mirror's place


def require(source: str, grants: Grants) -> None:
    """Raise NotGranted where a trace may not have the repository `source`; nobody is asked for it.

    What was fetched once with a grant is kept, and is had again only with the grant.
    """
    granted = grants.allows(source)
    if local_folder(source) is not None:
        if not granted:
            raise NotGranted(
                f"repository {source[:200]!r}: a folder of this machine; if the trace may have it, grant it with "
                "--allow-source FOLDER, or give a workspace with --workspace DIR"
            )
    elif granted:
        repository(source, schemes=("https", "http"), any_host=True)
    else:
        repository(source, schemes=("https",))


def _allowed(source: str, grants: Grants) -> tuple[str, dict[str, str]]:
    """Return the address to fetch from, and the configuration that holds git to it; raises NotGranted."""
    require(source, grants)
    folder = local_folder(source)
    if folder is not None:
        _check_whole(folder)
        # The path that was checked, not an address: git would decode `%2e%2e` in one.
        return str(folder), {"protocol.file.allow": "always"}
    if grants.allows(source):
        return source, {f"protocol.{urlsplit(source).scheme}.allow": "always"}
    parts = repository(source, schemes=("https",))
    host, port = parts.hostname or "", parts.port or 443
    if _version() < _PINS:
        raise WorkspaceError(
            f"workspace git {source}: this git cannot be held to checked addresses; install git "
            f"{'.'.join(map(str, _PINS))} or newer, or give the folder with --workspace DIR"
        )
    addresses = ",".join(f"[{one}]" if ":" in one else one for one in public_addresses(host, port))
    return source, {"protocol.https.allow": "always", "http.curloptResolve": f"{host}:{port}:{addresses}"}


_ELSEWHERE = ("commondir", "objects/info/alternates", "objects/info/http-alternates")
"""Files in which a repository names others."""


def _check_whole(folder: Path) -> None:
    """Raise NotGranted where what git would read as the repository `folder` may lie elsewhere.

    Whoever made a granted folder need not be the person: it may have come as an archive of repositories.
    """
    with contextlib.ExitStack() as opened:
        repository = opened.enter_context(Folder.at(folder))
        own = repository.status(".git")
        strange = [".git"] if own is not None and not stat.S_ISDIR(own.st_mode) else []
        if own is not None and not strange:
            repository = opened.enter_context(repository.folder(".git"))
        if not strange and repository.status("objects") is None:
            raise NotGranted(f"repository {folder}: there is none in this folder itself; grant that of one")
        strange += [name for name in _ELSEWHERE if repository.status(name) is not None]
        for found in () if strange else repository.walk():
            if stat.S_ISLNK(found.status.st_mode) or found.name.endswith(".promisor"):
                strange.append(found.path)
    if strange:
        raise NotGranted(
            f"repository {folder}: its {strange[0]!r} may lead to what was not granted; grant a whole clone "
            "(git clone --mirror --dissociate), or give the folder with --workspace DIR"
        )


def _version() -> tuple[int, ...]:
    try:
        said = subprocess.run(["git", "--version"], capture_output=True, text=True, check=False).stdout
    except FileNotFoundError as error:
        raise WorkspaceError("git not found; install git, or give the folder with --workspace DIR") from error
    found = re.search(r"(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _environment(home: Path, *, proxies: bool) -> dict[str, str]:
    """Return git's whole environment: an empty home, so that there is no netrc, configuration or agent."""
    kept = {name: os.environ[name] for name in _KEPT + (_PROXIES if proxies else ()) if name in os.environ}
    return kept | {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "LC_ALL": "C.UTF-8",
    }


class _Git:
    def __init__(self, source: str, folder: Path, config: dict[str, str], environment: dict[str, str]) -> None:
        self._source, self._folder, self._environment = source, folder, environment
        options = [word for key, value in (_SAFE | config).items() for word in ("-c", f"{key}={value}")]
        blocks = MOST_PACK // 512
        self._command = ["sh", "-c", f'ulimit -f {blocks}; exec "$@"', "sh", "git", *options]

    def __call__(self, *arguments: str) -> None:
        with self._started(*arguments, stdout=subprocess.DEVNULL) as process:
            try:
                _, said = process.communicate(timeout=DEADLINE_S)
            except subprocess.TimeoutExpired:
                raise WorkspaceError(
                    f"workspace git {self._source}: `git {arguments[0]}` took more than {DEADLINE_S:.0f} s; "
                    "give the folder with --workspace DIR"
                ) from None
        if process.returncode != 0:
            lines = said.decode(errors="replace").strip().splitlines() or [f"exit code {process.returncode}"]
            raise WorkspaceError(
                f"workspace git {self._source}: `git {arguments[0]}` failed: {lines[-1]}; check URL and "
                "commit, or give the folder with --workspace DIR"
            )

    def measure(self, commit: str) -> None:
        """Raise WorkspaceError where the commit's tree is larger than a workspace may be, before it is written."""
        size = entries = 0
        with self._started("ls-tree", "-r", "-t", "-l", "-z", commit, stdout=subprocess.PIPE) as process:
            rest = b""
            while piece := process.stdout.read(1 << 20):  # type: ignore[union-attr]
                *whole, rest = (rest + piece).split(b"\0")
                entries += len(whole)
                size += sum(int(number) for line in whole if (number := line.split(None, 4)[3]).isdigit())
                if size > MOST_BYTES or entries > MOST_ENTRIES or len(rest) > 1 << 16:
                    raise WorkspaceError(
                        f"workspace git {self._source}: the commit unpacks to more than {MOST_BYTES >> 30} GiB or "
                        f"{MOST_ENTRIES} entries; give the folder with --workspace DIR"
                    )

    @contextlib.contextmanager
    def _started(self, *arguments: str, stdout: int) -> Iterator[subprocess.Popen[bytes]]:
        try:
            process = subprocess.Popen(
                [*self._command, *arguments],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=subprocess.PIPE if stdout == subprocess.DEVNULL else subprocess.DEVNULL,
                start_new_session=True,  # so that all of it can be ended
            )
        except FileNotFoundError as error:
            raise WorkspaceError(f"workspace git {self._source}: sh or git not found; install git") from error
        with process:
            try:
                yield process
            except BaseException:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                raise
