"""A run folder from elsewhere chooses no program, no folder and no command line of this machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from curserve_harness.plan.plan import PlanError, read_plan
from curserve_harness.plan.resolve import ReplayOptions, resolve
from curserve_traces import codec
from curserve_traces.model import Trace

FAST = ("--rtt", "1ms", "--model", "swe-grep-mini", "--repetitions", "1")


def bench(*arguments: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "curserve_harness", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def foreign(small_trace: Trace, small_workspace: Path, tmp_path: Path) -> tuple[Path, Path, dict[str, Any]]:
    """A run folder as it would come from elsewhere, its trace's file, and its plan."""
    file, folder = tmp_path / "small.json", tmp_path / "run"
    codec.save(small_trace, file)
    plan, _ = resolve(
        ReplayOptions(traces=(file,), rtts=("1ms",), repetitions=1, models=("swe-grep-mini",),
               engines=("client-subprocess",),
               workspace=small_workspace)
    )  # fmt: skip
    folder.mkdir()
    return folder, file, json.loads(plan.to_json())


def resume(folder: Path, plan: dict[str, Any], *options: object) -> subprocess.CompletedProcess[str]:
    (folder / "plan.json").write_text(json.dumps(plan))
    return bench("replay", "--resume", "--out", folder, *options)


def test_an_engine_file_in_the_folder_does_not_run(
    foreign: tuple[Path, Path, dict[str, Any]], granted: tuple[str, str], tmp_path: Path
) -> None:
    folder, file, plan = foreign
    marker = tmp_path / "ran"
    engine = folder / "engine.toml"
    engine.write_text(
        f'name = "client"\nsandbox = false\ncommand = ["touch", "{marker}"]\nversion = ["touch", "{marker}"]\n'
    )
    plan["engines"] = [str(engine)]
    for block in plan["blocks"]:
        block["engines"] = [str(engine)]
    for options in ((), ("--trace", file, *granted), ("--engine", "daemon", "--trace", file, *granted)):
        done = resume(folder, plan, *options)
        assert done.returncode == 2, done.stderr
        assert f"--engine {engine}" in done.stderr
        assert not marker.exists()
    for name in ("engine.toml", "./engine.toml", f"{folder}/../run/engine.toml", "/bin/sh", "daemon.toml"):
        plan["engines"] = [name]
        for block in plan["blocks"]:
            block["engines"] = [name]
        assert resume(folder, plan, "--trace", file, *granted).returncode == 2
        assert not marker.exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"workspace": "/etc"}, "--workspace /etc"),
        ({"workspace": "~/.ssh"}, "--workspace '~/.ssh'"),
        ({"execute": "all"}, "--execute all"),
        ({"llm": "vllm", "vllm_args": ["--trust-remote-code", "--model", "/tmp/evil"]}, "--vllm-args"),
        ({"engines": ["/bin/sh"]}, "blocks[0]"),
        ({"backend": "pigeon"}, "pigeon"),
        ({"links_at_once": 10**6}, "links_at_once"),
        ({"seed": "x"}, "seed"),
        ({"seed": 10**30}, "seed"),
        ({"models": [["swe-grep-mini"]]}, "models[0]"),
        ({"execute": ["all"]}, "execute"),
        ({"command": "sh"}, "command"),
        ({"traces": [{"id": "a", "digest": "b", "path": "bundled:../../../../../etc/passwd"}]}, "blocks[0]"),
    ],
)
def test_what_only_a_person_may_say_is_asked_for(
    change: dict[str, Any], says: str, foreign: tuple[Path, Path, dict[str, Any]], granted: tuple[str, str]
) -> None:
    folder, file, plan = foreign
    done = resume(folder, plan | change, "--trace", file, *granted)
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert not (folder / "samples").exists() or not list((folder / "samples").iterdir())


def test_no_file_is_opened_because_a_plan_names_it(
    foreign: tuple[Path, Path, dict[str, Any]], granted: tuple[str, str]
) -> None:
    folder, file, plan = foreign
    done = resume(folder, plan, *granted)
    assert done.returncode == 2
    assert f"--trace {file}" in done.stderr
    for path in ("/dev/zero", "bundled:../../../../../../dev/zero", "/etc/passwd", ""):
        plan["traces"][0]["path"] = path
        done = resume(folder, plan, *granted, "--trace", file)
        assert done.returncode == 2
        assert "name it again" in done.stderr


def test_a_link_or_a_pipe_in_a_run_folder_is_not_followed(
    foreign: tuple[Path, Path, dict[str, Any]], tmp_path: Path
) -> None:
    import os

    folder, _, plan = foreign
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    (folder / "plan.json").symlink_to(tmp_path / "plan.json")
    done = bench("replay", "--resume", "--out", folder)
    assert done.returncode in (2, 4)
    assert "plan.json" in done.stderr
    (folder / "plan.json").unlink()
    os.mkfifo(folder / "plan.json")
    assert bench("replay", "--resume", "--out", folder).returncode in (2, 4)
    os.mkfifo(folder / "manifest.json")
    for verb in (("report", folder), ("compare", folder, folder), ("baseline", "save", "x", folder)):
        assert bench(*verb).returncode == 2


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"version": 1, "traces": ' + "[" * 900 + "]" * 900 + "}", "9" * 9000]
)
def test_a_nested_plan_is_one_clear_error(text: str) -> None:
    with pytest.raises(PlanError, match=r"plan\.json"):
        read_plan(text, "plan.json")


def test_a_resume_with_everything_named_again_finishes(
    foreign: tuple[Path, Path, dict[str, Any]], granted: tuple[str, str], small_workspace: Path
) -> None:
    folder, file, plan = foreign
    for _ in range(4):  # a link that was void on a busy machine says: repeat
        done = resume(folder, plan, "--trace", file, *granted)
        if done.returncode != 5:
            break
    assert done.returncode == 0, done.stderr
    assert f"{small_workspace}: calls run on copies of it" in done.stderr
    again = bench("replay", "--resume", "--out", folder)
    assert (again.returncode, again.stdout) == (0, done.stdout), again.stderr
