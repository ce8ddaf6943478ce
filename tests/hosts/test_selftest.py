"""The sandbox looks at itself: a whole one is taken, one that somebody weakened runs nothing."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from common_user import as_user, user_folder

from curserve_engines import registry
from curserve_engines.protocol import EngineError, World
from curserve_engines.sandbox import entering, selftest
from curserve_engines.sandbox.remedy import remedy


def test_every_probe_is_held_here() -> None:
    found = selftest.test()
    assert found.reason is None
    assert found.held > 110


def test_every_probe_is_held_for_an_ordinary_user() -> None:
    script = "from curserve_engines.sandbox import selftest; t = selftest.test(); print(t.held, t.reason)"
    with user_folder() as folder:
        done = as_user(["-c", script], env={"XDG_CACHE_HOME": str(folder), "TMPDIR": str(folder)})
    held, reason = done.stdout.split(maxsplit=1)
    assert reason.strip() == "None", done.stderr
    assert int(held) > 110


def replaced(old: str, *new: str) -> Callable[[list[str]], list[str]]:
    """Return what replaces the first `old` of bubblewrap's words."""
    return lambda words: [*words[: words.index(old)], *new, *words[words.index(old) + 1 :]]


def sharing(name: str) -> Callable[[list[str]], list[str]]:
    """Return what leaves one namespace of the caller's in place."""
    others = [f"--unshare-{other}" for other in ("user", "net", "pid", "ipc", "uts") if other != name]
    return replaced("--unshare-all", *others)


def appended(*new: str) -> Callable[[list[str]], list[str]]:
    """Return what adds words after the mounts."""
    return lambda words: [*words[: words.index("--chdir")], *new, *words[words.index("--chdir") :]]


WEAKER = {
    # what somebody (an old bubblewrap, a wrapper, a kernel) does → what the first process says
    "shares the network": (sharing("net"), "net namespace is the caller"),
    "shares the IPC": (sharing("ipc"), "ipc namespace is the caller"),
    "shares the name": (sharing("uts"), "--hostname"),
    "shares the processes": (sharing("pid"), "pid"),
    "is not the first process": (replaced("--as-pid-1"), "not the first process"),
    "keeps capabilities": (appended("--cap-add", "CAP_NET_ADMIN"), "a capability is left"),
    "is root inside": (replaced("1000", "0"), "root inside"),
    "shows a folder of the machine": (appended("--bind", "/var/tmp", "/opt"), "/opt can be written to"),
    "has a writable root": (appended("--tmpfs", "/usr/share"), "/usr/share can be written to"),
    "hands the environment on": (appended("--setenv", "API_TOKEN", "secret"), "$API_TOKEN came from outside"),
}


@pytest.mark.parametrize("name", WEAKER)
def test_a_weakened_sandbox_runs_nothing(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weaken, said = WEAKER[name]
    whole = entering.bubblewrap
    monkeypatch.setattr(selftest, "why_not", lambda: None)  # it held before somebody weakened it
    monkeypatch.setattr(entering, "bubblewrap", lambda *given, **more: weaken(whole(*given, **more)))
    with pytest.raises(EngineError) as error:
        registry.load("client-subprocess").open(World(tmp_path))
    assert said in str(error.value)
    tested = selftest.test()
    assert tested.reason is not None
    assert said in tested.reason


def test_one_probe_that_gets_through_is_enough() -> None:
    lines = [json.dumps({"probe": f"p{n}", "held": n != 7, "said": None}) for n in range(120)]
    assert "lets through: p7" in (selftest._judged(3, "\n".join(lines).encode(), "").reason or "")


def test_few_answers_are_no_test() -> None:
    assert selftest._judged(0, b"", "").reason is not None


def test_that_it_held_is_remembered_and_a_failure_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    selftest.why_not.forget()
    asked = []
    monkeypatch.setattr(selftest, "test", lambda: asked.append(1) or selftest.Tested(0, "broken"))
    for _ in range(2):
        assert selftest.why_not() == "broken"
        selftest.why_not.forget()
    monkeypatch.setattr(selftest, "test", lambda: asked.append(1) or selftest.Tested(123))
    for _ in range(2):
        assert selftest.why_not() is None
        selftest.why_not.forget()
    assert len(asked) == 3


def call(*options: str, **more) -> subprocess.CompletedProcess[str]:
    with user_folder() as folder:
        (folder / "w").mkdir()
        words = ["-m", "curserve_harness", "call", "--engine", "client-subprocess", "--json"]
        words += ["--workspace", str(folder / "w"), *options]
        return as_user(
            words, env={"XDG_CACHE_HOME": str(folder / "cache"), "TMPDIR": str(folder)}, input="", **more
        )


def test_without_user_namespaces_nothing_runs_and_the_remedy_is_exact() -> None:
    """In a user namespace of its own, whose limit of further ones is set to none."""
    none = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    done = call(before=("unshare", "--user", "--map-root-user", "sh", "-c", none, "sh"))
    if "unshare failed" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 3, done.stderr
    assert "no sandbox, so nothing was run: bubblewrap cannot run here" in done.stderr
    assert "sysctl -w user.max_user_namespaces=15000" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_remedies_of_distributions_and_containers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kernel").mkdir()
    (tmp_path / "kernel/unprivileged_userns_clone").write_text("0\n")
    (tmp_path / "kernel/apparmor_restrict_unprivileged_userns").write_text("1\n")
    monkeypatch.setenv("container", "podman")
    line = remedy("setting up uid map: Permission denied", sysctls=tmp_path)
    assert "kernel.unprivileged_userns_clone=1" in line
    assert "kernel.apparmor_restrict_unprivileged_userns=0" in line
    assert "docker run --security-opt seccomp=unconfined" in line
    assert ("--sandbox landlock" in line) == (os.geteuid() != 0)


def test_gvisor_is_told_to_be_missing() -> None:
    done = call("--sandbox", "gvisor")
    assert done.returncode == 3
    assert "--sandbox gvisor is not built yet; take --sandbox bwrap" in done.stderr
