"""Run folders from elsewhere: what they name is neither run nor read, and what is written to them follows no link."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import making
from attack import Attack, Done, Stage

from curserve_traces.model import Workspace

ESCAPES = "\x1b[2J\x1b]0;pwned\x07"


@cache
def finished() -> Path:
    """Return an honest run of two blocks, made once by this process."""
    folder = Path(tempfile.mkdtemp(prefix="hostile-run-", dir="/var/tmp"))
    stage = Stage(folder, "root", "auto", 9)
    file = making.trace(stage, ("cat a.txt",), workspace=Workspace("none"))
    words = ["replay", "--trace", file.name, "--workspace", str(stage.workspace), "--rtt", "1ms", "--model", "swe-grep-mini",
             "--repetitions", "2", "--engine", "client-subprocess", "--pace", "virtual", "--out", "run"]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "curserve_harness", *words],
        cwd=stage.work, env=stage.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode not in (0, 5):
        raise RuntimeError(f"no honest run to spoil: {done.stderr[-500:]}")
    return stage.work


def forget() -> None:
    """Remove the honest run, if one was made."""
    if finished.cache_info().currsize:
        shutil.rmtree(finished().parent, ignore_errors=True)


Spoil = Callable[[Stage, Path], None]


def _edit(stage: Stage, run: Path, name: str, change: Callable[[Stage, dict[str, Any]], None]) -> None:
    value = json.loads((run / name).read_text())
    change(stage, value)
    (run / name).write_text(json.dumps(value))


def _plan(change: Callable[[Stage, dict[str, Any]], None]) -> Spoil:
    return partial(_edit, name="plan.json", change=change)


def _put(**values: Any) -> Spoil:
    def change(stage: Stage, value: dict[str, Any]) -> None:
        value.update(json.loads(stage.fill(json.dumps(values))))

    return _plan(change)


def _engine(stage: Stage, run: Path, name: str = "engine.toml") -> None:
    """The run's plan names an engine that lies in the run folder and asks for no sandbox."""
    (run / "engine.toml").write_text(
        stage.fill('name = "mine"\nplacement = "client"\ncommand = ["/bin/sh", "-c", "touch OUTSIDE/pwned"]\n'
        'version = ["/bin/sh", "-c", "touch OUTSIDE/pwned2; echo 1"]\nsandbox = false\n')
    )  # fmt: skip
    named = name.replace("RUN", str(run))

    def change(_stage: Stage, value: dict[str, Any]) -> None:
        value["engines"] = [named]
        for block in value["blocks"]:
            block["engines"] = [named]

    _edit(stage, run, "plan.json", change)


def _trace(path: str) -> Spoil:
    def change(stage: Stage, value: dict[str, Any]) -> None:
        value["traces"][0]["path"] = stage.fill(path)

    return _plan(change)


def _link(name: str, target: str) -> Spoil:
    def spoil(stage: Stage, run: Path) -> None:
        place = run / name
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        place.unlink(missing_ok=True)
        place.symlink_to(stage.fill(target))

    return spoil


def _special(name: str, make: Callable[[Path], None]) -> Spoil:
    def spoil(_stage: Stage, run: Path) -> None:
        (run / name).unlink(missing_ok=True)
        make(run / name)

    return spoil


def _text(name: str, data: bytes) -> Spoil:
    return lambda _stage, run: (run / name).write_bytes(data) and None


def _manifest(**values: Any) -> Spoil:
    return partial(
        _edit,
        name="manifest.json",
        change=lambda stage, value: value.update(json.loads(stage.fill(json.dumps(values)))),
    )


RESUMED: dict[str, Spoil] = {
    "engine-beside": _engine,
    "engine-absolute": partial(_engine, name="RUN/engine.toml"),
    "engine-relative": partial(_engine, name="./run/engine.toml"),
    "engine-up": partial(_engine, name="../work/run/engine.toml"),
    "engine-from-the-run": partial(_engine, name="run/engine.toml"),
    "engine-uri": partial(_engine, name="file://RUN/engine.toml"),
    "engine-without-suffix": partial(_engine, name="run/engine"),
    "workspace": _put(workspace="HOME/.ssh"),
    "workspace-root": _put(workspace="/"),
    "workspace-relative": _put(workspace="../home"),
    "workspace-tilde": _put(workspace="~"),
    "vllm": _put(llm="vllm", vllm_args=["--model", "OUTSIDE", "--chat-template", "HOME/.netrc"]),
    "suite-up": _put(suite="../../../HOME"),
    "trace-passwd": _trace("/etc/passwd"),
    "trace-home": _trace("HOME/notes.txt"),
    "trace-up": _trace("../../home/.netrc"),
    "trace-fd": _trace("/dev/fd/0"),
    "trace-address": _trace("http://127.0.0.1:PORT/x"),
    "version": _put(version=99),
    "version-text": _put(version="1"),
    "blocks-none": _put(blocks=[]),
    "blocks-text": _put(blocks="x"),
    "links-beyond": _put(links_at_once=10**9),
    "repetitions-beyond": _put(repetitions=10**18),
    "repetitions-below": _put(repetitions=-1),
    "seed-text": _put(seed="x"),
    "execute": _put(execute="everything"),
    "pace": _put(pace="warp"),
    "backend": _put(backend="$(touch OUTSIDE/pwned)"),
    "models": _put(models=["../../x"]),
    "plan-empty": _text("plan.json", b""),
    "plan-deep": _text("plan.json", b"[" * 1_000_000),
    "plan-nan": _text("plan.json", b'{"version": NaN}'),
    "plan-list": _text("plan.json", b"[]"),
    "plan-link": _link("plan.json", "HOME/notes.txt"),
    "plan-fifo": _special("plan.json", os.mkfifo),
    "plan-folder": _special("plan.json", Path.mkdir),
    "lock-link": _link(".lock", "OUTSIDE/victim"),
    "lock-fifo": _special(".lock", os.mkfifo),
    "samples-link": _link("samples", "OUTSIDE"),
    "manifest-link": _link("manifest.json", "OUTSIDE/victim"),
    "manifest-fifo": _special("manifest.json", os.mkfifo),
    "manifest-deep": _text("manifest.json", b'{"a":' * 300_000),
    "table-link": _link("table.txt", "OUTSIDE/victim"),
    "table-json-link": _link("table.json", "OUTSIDE/victim"),
    "table-fifo": _special("table.md", os.mkfifo),
    "block-link": _link("samples/block-000001.parquet", "OUTSIDE/victim"),
    "block-temporary-link": _link("samples/.block-000001.parquet.tmp", "OUTSIDE/victim"),
    "block-garbage": _text("samples/block-000000.parquet", b"PAR1" + b"\xff" * 500 + b"PAR1"),
    "block-empty": _text("samples/block-000000.parquet", b""),
    "block-beyond": _text("samples/block-999999.parquet", b"PAR1"),
    "nothing": lambda _stage, _run: None,
}  # fmt: skip
HARMLESS = ("nothing", "blocks-none", "models", "suite-up", "version-text")
FINISHED = ("nothing",)
REPORTED: dict[str, Spoil] = {
    "manifest-speaks": _manifest(suite=ESCAPES, command=[ESCAPES, "=cmd"], engines={ESCAPES: ESCAPES}),
    "manifest-machine-speaks": _manifest(machine={"kernel": ESCAPES, "cpu": ESCAPES}),
    "manifest-empty": _text("manifest.json", b""),
    "manifest-list": _text("manifest.json", b"[]"),
    "manifest-deep": _text("manifest.json", b'{"a":' * 300_000),
    "manifest-number": _text("manifest.json", b'{"seed": ' + b"9" * 1_000_000 + b"}"),
    "manifest-html": _manifest(suite="</script><script>alert(1)</script><img src=x onerror=alert(1)>"),
    "manifest-latex": _manifest(suite="\\input{/etc/passwd}\\write18{touch OUTSIDE/pwned}"),
    "block-garbage": _text("samples/block-000000.parquet", b"PAR1" + b"\xff" * 500 + b"PAR1"),
    "block-link": _link("samples/block-000001.parquet", "HOME/notes.txt"),
    "block-fifo": _special("samples/block-000001.parquet", os.mkfifo),
    "samples-link": _link("samples", "HOME"),
    "manifest-fifo": _special("manifest.json", os.mkfifo),
    "manifest-link": _link("manifest.json", "HOME/notes.txt"),
    "manifest-zero": _link("manifest.json", "/dev/zero"),
    "block-zero": _link("samples/block-000000.parquet", "/dev/zero"),
    "plan-fifo": _special("plan.json", os.mkfifo),
}  # fmt: skip


def _spoiled(stage: Stage, spoil: Spoil, unfinished: bool) -> Path:
    shutil.copytree(finished(), stage.work, dirs_exist_ok=True)
    run = stage.work / "run"
    if unfinished:
        (run / "samples/block-000001.parquet").unlink()
        for name in ("table.txt", "table.csv", "table.json", "table.md"):
            (run / name).unlink(missing_ok=True)
    spoil(stage, run)
    return run


def _resume(stage: Stage, spoil: Spoil, unfinished: bool, *more: str) -> list[str]:
    _spoiled(stage, spoil, unfinished)
    return ["replay", "--resume", "--out", "run", *more, *stage.sandboxed()]


def _resume_with(stage: Stage, spoil: Spoil) -> list[str]:
    return _resume(stage, spoil, True, "--workspace", str(stage.workspace))


REPORTS = (
    ("report", "run"), ("report", "run", "--format", "csv"), ("report", "run", "--format", "latex"), ("report", "run", "--html", "page.html"),
    ("compare", "run", "run"), ("figures", "run", "--out", "figures"), ("report", "run", "--format", "markdown"),
    ("baseline", "save", "mine", "run"), ("report", "run", "--explain", "client-subprocess:end-to-end"),
)  # fmt: skip


def _report(stage: Stage, spoil: Spoil, words: tuple[str, ...]) -> list[str]:
    _spoiled(stage, spoil, False)
    return list(words)


def _spoken(_stage: Stage, done: Done) -> None:
    assert "\x1b" not in done.said, "an escape sequence reaches the terminal"
    for line in done.stdout.splitlines():
        assert not any(cell.strip('"').startswith(("=", "+", "@")) for cell in line.split(",")), (
            f"a formula: {line[:80]}"
        )


FIRST = ("engine-beside", "workspace", "plan-fifo", "block-link")


def attacks() -> list[Attack]:
    """Return the attacks of this kind."""
    found = []
    for name, spoil in RESUMED.items():
        codes = (0, 2, 3, 5) if name in HARMLESS else (2, 3, 4)
        if name.startswith(("block-", "table-", "manifest-", "repetitions", "seed", "links-beyond", "trace-up")):
            codes = (0, 2, 3, 4, 5)
        found.append(
            Attack(
                f"runs.resume-{name}",
                partial(_resume_with, spoil=spoil),
                codes,
                sample=name in FIRST,
                sandbox=name == "nothing",
            )
        )
    found.append(
        Attack(
            "runs.resume-without-its-workspace",
            partial(_resume, spoil=RESUMED["nothing"], unfinished=True),
            (2,),
            "--workspace",
        )
    )
    found.append(
        Attack(
            "runs.resume-finished",
            lambda stage: _resume(stage, RESUMED["nothing"], False, "--workspace", str(stage.workspace)),
            (0, 2, 5),
            sample=True,
        )
    )
    for number, (name, spoil) in enumerate(REPORTED.items()):
        for words in (REPORTS[number % len(REPORTS)], REPORTS[(number + 3) % len(REPORTS)]):
            found.append(
                Attack(
                    f"runs.{'-'.join(word.strip('-') for word in words if word not in ('run', 'client-subprocess:end-to-end'))}-{name}",
                    partial(_report, spoil=spoil, words=words),
                    (0, 1, 2, 3, 4, 5),
                    held=_spoken,
                    sample=name == "manifest-speaks",
                    one=True,
                )
            )
    return found
