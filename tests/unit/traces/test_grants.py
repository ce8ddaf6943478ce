"""A trace asks, the person grants: no folder, private address or credential is had because a trace names it."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import io
import os
import socket
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curserve_traces.errors import NotGranted, WorkspaceError
from curserve_traces.grants import Grants, readable_source
from curserve_traces.model import Workspace
from curserve_traces.reach import is_public, repository
from curserve_traces.web import Index
from curserve_traces.workspace import materialise

COMMIT = "1" * 40


@contextlib.contextmanager
def listening() -> Iterator[tuple[int, list[object]]]:
    """A socket that nobody may contact: gives its port, and who did."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        came: list[object] = []
        yield server.getsockname()[1], came
        with contextlib.suppress(TimeoutError):
            came.append(server.accept())


@pytest.mark.parametrize("kind", ["path"])
@pytest.mark.parametrize("source", ["~/.ssh", "/etc", ".", "", "/proc/self/root", "file:///etc"])
def test_a_folder_of_the_host_is_only_had_when_it_is_given(kind: str, source: str, tmp_path: Path) -> None:
    with pytest.raises(NotGranted, match="--workspace"):
        materialise(Workspace("path", source), tmp_path)
    lines: list[str] = []
    given_ = Grants(workspace=tmp_path, say=lines.append)
    assert materialise(Workspace("path", source), tmp_path / "cache", grants=given_) == tmp_path
    assert len(lines) == 1
    assert str(tmp_path) in lines[0]


@pytest.mark.parametrize(
    "source",
    [
        "http://127.0.0.1:PORT/x", "https://127.0.0.1:PORT/x", "https://localhost:PORT/x", "https://[::1]:PORT/x",
        "https://127.1:PORT/x", "https://2130706433:PORT/x", "https://0x7f.0.0.1:PORT/x", "https://[::ffff:127.0.0.1]:PORT/x",
        "git://127.0.0.1:PORT/x", "ssh://127.0.0.1:PORT/x", "git@127.0.0.1:x", "user@host:x", "127.0.0.1:x",
        "ext::sh -c 'nc 127.0.0.1 PORT'", "fd::17", "ftp://127.0.0.1:PORT/x", "--upload-pack=nc 127.0.0.1 PORT",
        "https://user:secret@github.com/x/y", "https://github.com@127.0.0.1:PORT/x", "https://github.com/../x",
        "https://github.com/x?y", "https://github.com/x#y", "https://github.com\\@127.0.0.1:PORT/x",
        "https://github.com:PORT@127.0.0.1/x", "https:///x", "https://github.com/x y", "https://github.com/x%0d%0ay",
        "https://github.com/x\r\ny", "file:///etc", "/etc", "~/x", "../x", "https://github.com./x", "HTTPS://a",
        "https://github.com:99999/x", "https://xn--/..", "",
    ],
)  # fmt: skip
def test_no_private_repository_is_contacted(source: str, tmp_path: Path) -> None:
    with listening() as (port, came):
        workspace = Workspace("git", source.replace("PORT", str(port)), COMMIT)
        with pytest.raises(NotGranted):
            materialise(workspace, tmp_path)
    assert not came


def test_a_name_that_leads_to_a_private_address_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every address of a name has to be public: one private one among them is enough."""
    with listening() as (port, came):
        places = [(2, 1, 6, "", (address, port)) for address in ("93.184.216.34", "127.0.0.1")]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: places)
        with pytest.raises(NotGranted, match=r"127\.0\.0\.1"):
            materialise(Workspace("git", f"https://rebinding.example:{port}/x", COMMIT), tmp_path)
    assert not came


def test_git_contacts_the_addresses_that_were_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """git is told the checked address, so that no second look-up can lead it elsewhere."""
    from curserve_traces import gitsource

    with listening() as (port, came):
        monkeypatch.setattr(gitsource, "public_addresses", lambda *_: ["127.0.0.1"])
        with pytest.raises(WorkspaceError, match="fetch"), pytest.MonkeyPatch.context() as patch:
            patch.setattr(gitsource, "DEADLINE_S", 1.0)
            materialise(Workspace("git", f"https://no-such-name.invalid:{port}/x", COMMIT), tmp_path)
    assert came, "it was led to the checked address"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True), ("2606:4700::1111", True), ("127.0.0.1", False), ("10.1.2.3", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False), ("0.0.0.0", False), ("224.0.0.1", False), ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False), ("::", False), ("fe80::1%lo", False), ("fd00::1", False), ("::ffff:10.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::7f00:1", False), ("64:ff9b::808:808", True), ("2002:7f00:1::", False), ("::127.0.0.1",
        False), ("ff02::1", False),
    ],
)  # fmt: skip
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


@given(st.text(max_size=60))
def test_what_passes_as_a_repository_is_plain(tail: str) -> None:
    """Whatever is put behind a host: it is refused, or it is a path there and nothing else."""
    address = f"https://github.com{tail}"
    try:
        parts = repository(address, schemes=("https",))
    except NotGranted:
        return
    assert parts.netloc == f"github.com{tail[: len(parts.netloc) - 10]}"
    assert parts.hostname is not None
    assert parts.hostname.startswith("github.com")
    assert ".." not in parts.path.split("/")
    assert not set(address) & set("?#@\\\r\n\t \"'%") - {"@"}
    assert "@" not in parts.netloc


@pytest.mark.parametrize(
    ("granted", "source", "allowed"),
    [
        ("/srv/mirrors", "/srv/mirrors/django", True), ("/srv/mirrors", "file:///srv/mirrors/django", True),
        ("/srv/mirrors", "/srv/mirrors-of-mine", False), ("/srv/mirrors", "/srv/mirrors/../../etc", False),
        ("https://git.example/team/", "https://git.example/team/x", True), ("https://git.example/team",
        "https://git.example/teams", False),
        ("https://git.example/", "https://git.example:8443/x", False), ("https://git.example/",
        "https://git.example.evil/x", False),
        ("https://git.example/", "http://git.example/x", False), ("http://127.0.0.1:80", "http://127.0.0.1/x",
        True),
        ("https://git.example/", "https://git.example@evil/x", False), ("https://a/", "https://a:b/x", False),
    ],
)  # fmt: skip
def test_a_grant_holds_for_what_lies_below_it(granted: str, source: str, allowed: bool) -> None:
    assert Grants(sources=(granted,)).allows(source) is allowed


@pytest.mark.parametrize(
    "text", ["", "x", "ssh://a/", "https://u@a/", "git@a:b", "https://a/?x", "ext::x", "https://a:b/"]
)
def test_what_is_no_grant_is_said(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|[Pp]ort"):
        readable_source(text)


# --- git's own surroundings


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments]
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"}
    return subprocess.run(
        command, cwd=folder, env=environment, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def mirror(tmp_path: Path) -> tuple[Path, str]:
    folder = tmp_path / "mirrors/one"
    folder.mkdir(parents=True)
    (folder / "a.py").write_text("a = 1\n")
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "one")
    git(folder, "update-server-info")
    return folder, git(folder, "rev-parse", "HEAD")


@pytest.mark.parametrize("how", ["%2e%2e/secret", "..%2fsecret", "../secret", "%2E%2E/secret", "..%2Fsecret"])
@pytest.mark.parametrize("form", ["file://{}", "{}"])
def test_a_granted_folder_is_not_left_by_another_spelling(how: str, form: str, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    git(tmp_path / "secret", "init", "-q")
    git(tmp_path / "secret", "commit", "-q", "--allow-empty", "-m", "one")
    commit = git(tmp_path / "secret", "rev-parse", "HEAD")
    granted = tmp_path / "granted"
    granted.mkdir()
    source = form.format(f"{granted}/{how}")
    with pytest.raises(WorkspaceError):
        materialise(Workspace("git", source, commit), tmp_path / "c", grants=Grants(sources=(str(granted),)))


@pytest.mark.parametrize("way", [".git file", ".git link", "objects link", "refs link", "alternates", "commondir"])
def test_a_granted_repository_lies_in_its_own_folder(way: str, mirror: tuple[Path, str], tmp_path: Path) -> None:
    secret, commit = mirror
    folder = tmp_path / "granted/one"
    folder.mkdir(parents=True)
    if way == ".git file":
        (folder / ".git").write_text(f"gitdir: {secret}/.git\n")
    elif way == ".git link":
        (folder / ".git").symlink_to(secret / ".git")
    else:
        git(folder, "init", "-q", "--bare")
        (folder / "packed-refs").write_text(f"{commit} refs/heads/main\n")
        if way == "alternates":
            (folder / "objects/info/alternates").write_text(f"{secret}/.git/objects\n")
        elif way == "commondir":
            (folder / "commondir").write_text(f"{secret}/.git\n")
        else:
            name = way.split()[0]
            (folder / name).rename(tmp_path / name)
            (folder / name).symlink_to(secret / ".git" / name)
    workspace = Workspace("git", str(folder), commit)
    with pytest.raises(NotGranted, match="may lead to what was not granted"):
        materialise(workspace, tmp_path / "c", grants=Grants(sources=(str(folder),)))


def test_a_grant_ends_with_its_run_though_the_cache_lasts(mirror: tuple[Path, str], tmp_path: Path) -> None:
    folder, commit = mirror
    workspace = Workspace("git", str(folder), commit)
    granted = Grants(sources=(str(folder.parent),))
    kept = materialise(workspace, tmp_path / "c", grants=granted)
    for grants in (Grants(), Grants(offline=True), Grants(sources=(str(tmp_path / "other"),))):
        with pytest.raises(NotGranted):
            materialise(workspace, tmp_path / "c", grants=grants)
    assert materialise(workspace, tmp_path / "c", grants=replace(granted, offline=True)) == kept


def test_what_was_fetched_with_a_grant_is_not_found_as_public(
    mirror: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that only a grant leads to looks like a public one."""
    from curserve_traces import gitsource

    folder, commit = mirror
    monkeypatch.setattr(gitsource, "_allowed", lambda *_: (str(folder), {"protocol.file.allow": "always"}))
    workspace = Workspace("git", "https://git.example/one", commit)
    materialise(workspace, tmp_path / "c", grants=Grants(sources=("https://git.example/",)))
    with pytest.raises(WorkspaceError, match="--offline"):
        materialise(workspace, tmp_path / "c", grants=Grants(offline=True))


def test_a_granted_path_is_taken_as_it_is_written(mirror: tuple[Path, str], tmp_path: Path) -> None:
    folder, commit = mirror
    odd = tmp_path / "granted/a%20b c:d"
    odd.parent.mkdir()
    folder.rename(odd)
    root = materialise(Workspace("git", str(odd), commit), tmp_path / "c", grants=Grants(sources=(str(odd),)))
    assert (root / "a.py").read_text() == "a = 1\n"


class _Logging(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        self.server.seen.append((self.path, dict(self.headers)))  # type: ignore[attr-defined]
        to = self.server.moved.get(self.path.partition("?")[0])  # type: ignore[attr-defined]
        if to is not None:
            self.send_response(302)
            self.send_header("Location", to)
            self.end_headers()
        elif self.server.locked:  # type: ignore[attr-defined]
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, *_: object) -> None: ...


@contextlib.contextmanager
def serving(
    folder: Path, *, locked: bool = False, moved: dict[str, str] | None = None
) -> Iterator[http.server.HTTPServer]:
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), lambda *a: _Logging(*a, directory=str(folder))
    ) as server:
        server.seen, server.locked, server.moved = [], locked, moved or {}  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def test_a_granted_address_is_fetched_and_gets_no_credentials(
    mirror: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, commit = mirror
    home = tmp_path / "home"
    home.mkdir()
    marker = tmp_path / "asked"
    (home / "helper").write_text(f"#!/bin/sh\ntouch {marker}\necho username=me\necho password=secret\n")
    (home / "helper").chmod(0o755)
    (home / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    (home / ".gitconfig").write_text(
        f"[credential]\nhelper = {home}/helper\n[core]\naskPass = {home}/helper\n[http]\nextraHeader = "
        "X-Secret: 1\n"
    )
    for name, value in (("HOME", home), ("GIT_ASKPASS", home / "helper"), ("SSH_ASKPASS", home / "helper")):
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'http.extraHeader=X-Secret: 2'")
    with serving(folder.parent, locked=True) as server:
        url = f"http://127.0.0.1:{server.server_port}/"
        grants = Grants(sources=(url,))
        with pytest.raises(WorkspaceError, match="fetch"):
            materialise(Workspace("git", f"{url}one/.git", commit), tmp_path / "cache", grants=grants)
        assert server.seen  # type: ignore[attr-defined]
        for _, headers in server.seen:  # type: ignore[attr-defined]
            assert not {"Authorization", "X-Secret"} & set(headers)
    assert not marker.exists()


def test_a_redirect_is_not_followed(mirror: tuple[Path, str], tmp_path: Path) -> None:
    folder, commit = mirror
    with listening() as (port, came):
        moved = {"/one/info/refs": f"http://127.0.0.1:{port}/one/info/refs?service=git-upload-pack"}
        with serving(folder.parent, moved=moved) as server:
            url = f"http://127.0.0.1:{server.server_port}/"
            with pytest.raises(WorkspaceError, match="fetch"):
                materialise(Workspace("git", f"{url}one", commit), tmp_path / "c", grants=Grants(sources=(url,)))
    assert not came


def test_a_commit_that_unpacks_to_too_much_is_not_checked_out(
    mirror: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tree may hold itself many times: ten levels of ten are 10^10 files in a few hundred bytes."""
    from curserve_traces import gitsource

    folder, _ = mirror
    tree = git(folder, "rev-parse", "HEAD^{tree}")
    for _ in range(12):
        listed = "".join(f"040000 tree {tree}\t{name}\n" for name in "abcdefghij")
        made = subprocess.run(
            ["git", "mktree"], cwd=folder, input=listed, text=True, capture_output=True, check=True
        )
        tree = made.stdout.strip()
    commit = git(folder, "commit-tree", tree, "-m", "bomb")
    git(folder, "update-ref", "refs/heads/bomb", commit)
    monkeypatch.setattr(gitsource, "MOST_ENTRIES", 20_000)
    with pytest.raises(WorkspaceError, match="unpacks to more"):
        materialise(Workspace("git", str(folder), commit), tmp_path / "c", grants=Grants(sources=(str(folder),)))
    assert not [path for path in (tmp_path / "c/git").iterdir() if path.is_dir()]


def test_offline_fetches_nothing_and_takes_what_is_there(mirror: tuple[Path, str], tmp_path: Path) -> None:
    folder, commit = mirror
    workspace = Workspace("git", str(folder), commit)
    offline, online = (Grants(sources=(str(folder),), offline=flag) for flag in (True, False))
    with pytest.raises(WorkspaceError, match="--offline"):
        materialise(workspace, tmp_path / "c", grants=offline)
    root = materialise(workspace, tmp_path / "c", grants=online)
    assert materialise(workspace, tmp_path / "c", grants=offline) == root


# --- package indexes


def sdist(folder: Path) -> str:
    file = folder / "demo-1.0.tar.gz"
    with tarfile.open(file, "w:gz") as archive:
        info = tarfile.TarInfo("demo-1.0/demo.py")
        info.size = 6
        archive.addfile(info, io.BytesIO(b"x = 1\n"))
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture
def indexed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that an index serves."""
    folder = tmp_path / "simple"
    (folder / "demo").mkdir(parents=True)
    for name in ("PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "*")
    return folder


def point_at(server: http.server.HTTPServer, monkeypatch: pytest.MonkeyPatch, login: str = "") -> str:
    monkeypatch.setenv("PIP_INDEX_URL", f"http://{login}127.0.0.1:{server.server_port}")
    return f"http://127.0.0.1:{server.server_port}"


def test_the_index_of_the_person_serves_and_gets_its_login(
    indexed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256 = sdist(indexed)
    (indexed / "demo/index.html").write_text(f'<a href="../demo-1.0.tar.gz#sha256={sha256}">demo</a>')
    lines: list[str] = []
    with serving(indexed) as server:
        point_at(server, monkeypatch, "me:secret@")
        root = materialise(
            Workspace("sdist", "demo", "1.0", sha256), tmp_path / "c", grants=Grants(say=lines.append)
        )
        assert all("Authorization" in headers for _, headers in server.seen)  # type: ignore[attr-defined]
    assert (root / "demo.py").exists()
    assert "secret" not in lines[0]
    assert "fetching sdist demo 1.0" in lines[0]


@pytest.mark.parametrize("how", ["link", "redirect"])
@pytest.mark.parametrize(
    "to",
    [
        "http://127.0.0.1:PORT/f",
        "https://127.0.0.1:PORT/f",
        "https://localhost:PORT/f",
        "file:///dev/zero",
        "ftp://127.0.0.1:PORT/f",
    ],
)
def test_an_index_leads_nowhere_private_and_takes_no_login_there(
    how: str, to: str, indexed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256 = sdist(indexed)
    with listening() as (port, came):
        to = to.replace("PORT", str(port))
        link = to if how == "link" else "../moved"
        (indexed / "demo/index.html").write_text(f'<a href="{link}/demo-1.0.tar.gz#sha256={sha256}">demo</a>')
        with serving(indexed, moved={"/moved/demo-1.0.tar.gz": to} if how == "redirect" else {}) as server:
            point_at(server, monkeypatch, "me:secret@")
            with pytest.raises(WorkspaceError):
                materialise(Workspace("sdist", "demo", "1.0", sha256), tmp_path / "c")
    assert not came


def test_where_the_index_itself_is_a_link_may_lead_and_where_the_person_says(
    indexed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network that lets everybody out through one machine shows every name at its address."""
    sha256 = sdist(indexed)
    names = {"files.example": "127.0.0.1", "other.example": "127.0.0.2"}
    look_up = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest, **more: look_up(names.get(host, host), *rest, **more)
    )
    with serving(indexed) as server:
        home, port = point_at(server, monkeypatch), server.server_port
        index = Index(home, {}, Grants(sources=(f"http://granted.example:{port}/",)).allows)
        assert index.reachable("files.example", port) == ["127.0.0.1"]
        for host, at in (("files.example", port + 1), ("other.example", port)):
            with pytest.raises(NotGranted, match=f"{host} is {names[host]}"):
                index.reachable(host, at)
        with pytest.raises(NotGranted, match="no https address"):
            index.allow(f"http://ungranted.example:{port}/demo-1.0.tar.gz")
        link = f"http://granted.example:{port}"
        names["granted.example"] = "127.0.0.1"
        (indexed / "demo/index.html").write_text(f'<a href="{link}/demo-1.0.tar.gz#sha256={sha256}">demo</a>')
        workspace = Workspace("sdist", "demo", "1.0", sha256)
        with pytest.raises(NotGranted):
            materialise(workspace, tmp_path / "c")
        root = materialise(workspace, tmp_path / "c", grants=Grants(sources=(f"{link}/",)))
    assert (root / "demo.py").exists()


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("../../x", "1"), ("x@evil", "1"), ("x/y", "1"), ("", "1"), ("-r", "1"), ("x?y", "1"), ("x#y", "1"),
        ("x%2f..", "1"),
        ("x\r\nHost: evil", "1"), ("//evil/x", "1"), ("é", "1"), ("x", "../../../../tmp/x"), ("x", ""), ("x",
        "1/.."), ("x", "-1"),
        ("x" * 500, "1"), ("x", "1" * 500), ("x\0", "1"), ("\u202ex", "1"),
    ],
)  # fmt: skip
def test_what_is_no_name_or_version_of_a_package_asks_nobody(
    name: str, version: str, indexed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(indexed) as server:
        point_at(server, monkeypatch)
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(NotGranted):
            materialise(Workspace("sdist", name, version, "0" * 64), tmp_path / "a/b/c/cache")
        assert not server.seen  # type: ignore[attr-defined]
    made = [path for path in tmp_path.rglob("*") if path not in before and "a/b/c/cache" not in str(path)]
    assert [path for path in made if not (tmp_path / "a/b/c/cache").is_relative_to(path)] == []


@given(st.binary(max_size=300))
def test_any_page_of_an_index_is_a_list_or_one_error(data: bytes) -> None:
    from curserve_traces.fetch import _page

    for page in (data, b"{" + data, b'{"files": [' + data + b"]}", b"<a href='" + data + b"'>"):
        with contextlib.suppress(WorkspaceError):
            list(_page(page, "https://index.example/simple/x/"))
