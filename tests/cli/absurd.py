"""Every verb with every option, as the command line itself lists them, given absurd values and streams.

`cases` makes them: a shortest call of each command (BASES; for one that is not there, what its parameters
require), with one option at a time set to a value that makes no sense, or in surroundings that nobody has in mind.
`run` says what became of one. New verbs and options are in it without a line here.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import click

from curserve_harness.cli import cli

LONGEST_S = 300
"""What a call may last on a busy machine, where a bare `replay` takes two minutes on an idle one.

One that serves until it is interrupted is, after SERVING_S.
"""

SERVING_S = 3.0

CODES = (0, 1, 2, 3, 4, 5, 130, 143)
"""Exit codes of the design, and those of a call that was interrupted or ended."""

ONE_CELL = "--rtt 1ms --repetitions 1 --engine recorded-client --pace virtual --model swe-grep-mini"

BASES: Mapping[str, str] = {
    "replay": f"--trace TRACE --workspace CODE {ONE_CELL} --out NEW",
    "simulate": "--tools RUN --suite quick --sessions 2 --tasks 6 --repetitions 1 --out NEW",
    "report": "RUN",
    "figures": "RUN --out NEW",
    "compare": "RUN RUN",
    "baseline save": "main RUN --store STORE",
    "baseline list": "--store SAVED",
    "baseline show": "main --store SAVED",
    "bench startup": "true --runs 10",
    "bench search": "CODE --sizes 1kB --rounds 1 --engine rg",
    "gate": "RUN --baseline main --store SAVED",
    "llm serve": "--trace TRACE --port 0",
    "verify": "--workspace CODE --calls CALLS --engine client-subprocess",
    "call": "--engine client-subprocess --workspace CODE",
    "link calibrate": "--rtt 1ms --samples 2 --backend relay",
    "link run": "--rtt 1ms --backend relay -- true",
    "trace import": "TRACE --out NEW",
    "trace validate": "TRACE",
    "trace show": "TRACE",
    "trace stats": "TRACE",
    "trace anonymise": "TRACE --out NEW.json",
    "trace export": "TRACE --to parquet --out NEW.parquet",
    "trace synthesise": "--count 2 --out NEW",
    "trace perform": "NONE.toml --out NEW.json",
    "trace record": "--out NEW.json -- true",
    "trace check": "TRACE --workspace CODE",
}
"""Commands by path with their shortest calls; capitals are places of `Ground`."""

SERVES = ("llm serve",)

NUMBERS = (
    "-1",
    "0",
    "99999999999",
    str(2**31),
    str(2**63),
    str(2**64),
    "1" + "0" * 40,
    "",
    "x",
    "1e3",
    "٣",
    "nan",
)
DECIMALS = ("nan", "inf", "-inf", "-1", "0", "1e308", "1e-320", "", "x")
TEXTS = (
    "",
    " ",
    "x" * 5000,
    "\x1b[31m\r",
    "\udcff\udcfe",
    "-",
    "💥",
    "%s{0}{x}$HOME`id`",
    ",,",
    "../..",
    "a\nb",
    "0",
)
PATHS = (
    "",
    "NONE/deep/er",
    "CODE",
    "LOCKED",
    "x" * 300,
    "/" + "d/" * 2500,
    "\udcff",
    "~",
    "LOOP",
    "SOCKET",
    "-",
    "EMPTY",
)


@dataclass(frozen=True, slots=True)
class Ground:
    """Where the calls run: a trace, a run, a baseline and other places, by the names that BASES has for them."""

    folder: Path
    places: Mapping[str, Path]

    def fill(self, word: str, number: int) -> str:
        """Return a word of a call with its place in it; NEW is another one for each call."""
        for name, path in self.places.items():
            if word == name or word.startswith(f"{name}/"):
                return word.replace(name, str(path), 1)
        return word.replace("NEW", str(self.folder / f"new-{number}"), 1) if word.startswith("NEW") else word


@dataclass(frozen=True, slots=True)
class Case:
    """One call: its words, and what is odd around it."""

    command: str
    words: tuple[str, ...]
    around: str = ""

    def __str__(self) -> str:
        shown = " ".join(word if len(word) < 40 else f"{word[:37]}…" for word in self.words)
        return ascii(f"{self.command} {shown} {f'[{self.around}]' if self.around else ''}".strip())[1:-1]


@dataclass(slots=True)
class Around:
    """The surroundings of a call."""

    env: dict[str, str] = field(default_factory=dict)
    unset: tuple[str, ...] = ()
    shell: str = 'exec "$@"'


AROUND: Mapping[str, Around] = {
    "": Around(),
    "no output": Around(shell='exec "$@" >&-'),
    "no errors": Around(shell='exec "$@" 2>&-'),
    "no input": Around(shell='exec "$@" <&-'),
    "no streams": Around(shell='exec "$@" <&- >&- 2>&-'),
    "full output": Around(shell='exec "$@" >/dev/full'),
    "full errors": Around(shell='exec "$@" 2>/dev/full'),
    "full streams": Around(shell='exec "$@" >/dev/full 2>&1'),
    "a reader that left": Around(shell='"$@" | true; exit "${PIPESTATUS[0]}"'),
    "output that cannot be written": Around(shell='exec "$@" 1</dev/null'),
    "a folder that is gone": Around(shell='mkdir gone && cd gone && rmdir ../gone && exec "$@"'),
    "latin-1": Around(env={"PYTHONIOENCODING": "latin-1"}),
    "ascii": Around(env={"PYTHONIOENCODING": "ascii"}),
    "utf-16": Around(env={"PYTHONIOENCODING": "utf-16"}),
    "locale C": Around(env={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
    "an unknown locale": Around(env={"LC_ALL": "xx_XX.nosuch", "LANG": "\udcff"}),
    **{f"COLUMNS={n}": Around(env={"COLUMNS": n, "LINES": n}) for n in ("0", "1", "-1", "100000", "x", "")},
    "no HOME": Around(unset=("HOME", "USER", "LOGNAME", "XDG_CACHE_HOME")),
    "HOME is nowhere": Around(env={"HOME": "/dev/null/none", "XDG_CACHE_HOME": "/dev/null/none"}),
    "HOME is relative": Around(env={"HOME": "."}),
    "TMPDIR is nowhere": Around(env={"TMPDIR": "/nonexistent"}),
    "no PATH": Around(unset=("PATH",)),
    "PATH is empty": Around(env={"PATH": ""}),
    "an odd terminal": Around(env={"TERM": "\udcff", "FORCE_COLOR": "1"}),
    "few descriptors": Around(shell='ulimit -n 16; exec "$@"'),
    "small files": Around(shell='ulimit -f 1; trap "" XFSZ; exec "$@"'),
}  # fmt: skip


def commands(group: click.Command = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Yield every command that does something, by its path."""
    if not isinstance(group, click.Group):
        yield " ".join(path), group
        return
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None, name
        yield from commands(found, (*path, name))


def base(name: str, command: click.Command) -> list[str]:
    """Return the shortest call of a command: as BASES has it, or what its parameters require."""
    if name in BASES:
        return BASES[name].split()
    words: list[str] = []
    for parameter in command.params:
        if parameter.required:
            value = "1" if isinstance(parameter.type, click.types.IntParamType) else "TRACE"
            words += [value] if isinstance(parameter, click.Argument) else [parameter.opts[-1], value]
    return words


def values(parameter: click.Parameter) -> tuple[str, ...]:
    """Return what makes no sense for a parameter."""
    kind = parameter.type
    if isinstance(kind, click.types.IntParamType):
        return NUMBERS
    if isinstance(kind, click.types.FloatParamType):
        return DECIMALS
    if isinstance(kind, click.Choice):
        return ("", "nosuch", "\udcff")
    if isinstance(kind, click.Path) or getattr(kind, "func", None) is Path:
        return PATHS
    return TEXTS


def cases() -> Iterator[Case]:
    """Yield every case: each command plain, without words, in each surrounding, and with each absurd value."""
    for name, command in commands():
        shortest = base(name, command)
        yield Case(name, ())
        yield Case(name, ("--help",))
        yield Case(name, ("--nosuch",))
        yield from (Case(name, tuple(shortest), around) for around in AROUND)
        before, _, after = (shortest, "", []) if "--" not in shortest else _split(shortest)
        for parameter in command.params:
            if isinstance(parameter, click.Argument):
                yield from (Case(name, (*before, value, *after)) for value in values(parameter))
                yield from (Case(name, (value,)) for value in values(parameter) if value)
            elif isinstance(parameter, click.Option) and parameter.is_flag:
                both = (*parameter.opts, *parameter.secondary_opts)
                yield from (Case(name, (*before, flag, flag, *after)) for flag in both)
            else:
                option = parameter.opts[-1] if parameter.opts[-1].startswith("--") else parameter.opts[0]
                kept = _without(before, option)
                yield from (Case(name, (*kept, option, value, *after)) for value in values(parameter))


def _split(words: list[str]) -> tuple[list[str], str, list[str]]:
    place = words.index("--")
    return words[:place], "--", words[place:]


def _without(words: list[str], option: str) -> list[str]:
    """Return the words without an option and its value."""
    if option not in words:
        return words
    place = words.index(option)
    return words[:place] + words[place + 2 :]


def run(case: Case, ground: Ground, number: int) -> str | None:
    """Run a case; return what is wrong with how it ended, or None."""
    around = AROUND[case.around]
    scratch = ground.folder / f"tmp-{number}"
    scratch.mkdir()
    words = [os.fsencode(ground.fill(word, number)) for word in (*case.command.split(), *case.words)]
    environment = {**os.environ, "TMPDIR": str(scratch), **around.env}
    for name in around.unset:
        environment.pop(name, None)
    process = subprocess.Popen(
        ["/bin/bash", "-c", around.shell, "bash", sys.executable, "-m", "curserve_harness", *words],
        cwd=scratch, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    serves = case.command in SERVES
    try:
        out, err = process.communicate(b"", timeout=SERVING_S if serves else LONGEST_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGINT if serves else signal.SIGKILL)
        out, err = process.communicate()
        if not serves:
            return f"did not end within {LONGEST_S} s"
    for sign in (
        b"Traceback (most recent call last)",
        b"panicked at",
        b"Exception ignored",
        b"Fatal Python error",
    ):
        if sign in err or sign in out:
            return f"{sign.decode()}: {err.decode(errors='replace')[-600:]}"
    if serves and process.returncode == -signal.SIGINT:
        return None  # it was interrupted before it could say how
    if process.returncode not in CODES:
        return f"exit code {process.returncode}: {err.decode(errors='replace')[-300:]}"
    if (
        process.returncode not in (0, 1, 5)
        and not (out + err).strip()
        and "errors" not in case.around
        and "streams" not in case.around
    ):
        return f"exit code {process.returncode} without a word"
    left = [path.name for path in scratch.iterdir()] if scratch.is_dir() else []
    return f"left behind: {left}" if [name for name in left if name.startswith("curserve-")] else None


Check = Callable[[Case], str | None]
