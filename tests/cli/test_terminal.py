"""What a trace, a run folder or a file name holds is shown on a terminal, and commands nothing there."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curserve_harness.console import streams, terminal
from curserve_results.render.data import harmless
from curserve_traces import codec
from curserve_traces.model import Message, Observation, RecordedCall, ToolCall, Trace, Turn, Workspace

EVIL = "\x1b]0;OWNED\x07\x1b[31mEVIL\x9b2J\u202eLIVE\u2066\r\x08\x7f\x0cEVIL\u2028\U000e0041"
FORBIDDEN = (
    "\x1b]",
    "\x07",
    "\x1b[31m",
    "\x9b",
    "\u202e",
    "\u2066",
    "\x08",
    "\x7f",
    "\x0c",
    "\u2028",
    "\U000e0041",
)


def on_terminal(*arguments: object, given_: bytes = b"") -> tuple[int, str]:
    """Run a verb whose output and errors are a terminal; return its exit code and what the terminal got."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "curserve_harness", *map(str, arguments)],
        stdin=subprocess.PIPE, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm-256color"},
    )  # fmt: skip
    os.close(theirs)
    assert process.stdin is not None
    process.stdin.write(given_)
    process.stdin.close()
    seen = bytearray()
    while True:
        try:
            piece = os.read(ours, 1 << 16)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        seen += piece
    os.close(ours)
    return process.wait(timeout=60), seen.decode(errors="surrogateescape")


def held(said: str) -> None:
    for sequence in FORBIDDEN:
        assert sequence not in said, (sequence, said[max(0, said.find(sequence) - 80) :][:200])
    assert "\rEVIL" not in said
    assert "\r\x08" not in said
    assert "Traceback" not in said


@pytest.fixture
def trace(tmp_path: Path, small_workspace: Path) -> Path:
    call = ToolCall(EVIL, "bash", {"command": f"cat README.md # {EVIL}"}, cwd=None)
    other = ToolCall(f"2{EVIL}", "other", {EVIL: EVIL}, original_name=EVIL)
    seen = Observation(0, EVIL.encode(), EVIL.encode(), duration_ns=5)
    turns = (
        Turn(
            EVIL,
            (RecordedCall(call, seen), RecordedCall(other, seen)),
            before=(Message("user", EVIL),),
            model=EVIL,
        ),
        Turn("done"),
    )
    made = Trace(
        f"id\nforged: line{EVIL}", Workspace("path", EVIL, EVIL), turns, agent=EVIL, agent_version=EVIL,
        model=EVIL,
        task=EVIL,
        origin=EVIL,
    )  # fmt: skip
    codec.save(made, tmp_path / "evil.json")
    return tmp_path / "evil.json"


@pytest.mark.parametrize(
    "verb",
    [
        ("show",), ("show", "--turn", "0"), ("check",), ("check", "--verbose", "--workspace", "WORKSPACE"),
        ("validate",),
        *(("stats", "--format", form) for form in ("table", "markdown", "json", "csv")),
        ("import", "--out", "OUT"),
        ("export", "--to", "mlperf", "--out", "OUT"), ("anonymise", "--out", "OUT.json"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_trace_is_shown(verb: tuple[str, ...], trace: Path, small_workspace: Path, tmp_path: Path) -> None:
    places = {
        "WORKSPACE": str(small_workspace),
        "OUT": str(tmp_path / "out"),
        "OUT.json": str(tmp_path / "o.json"),
    }
    words = [places.get(word, word) for word in verb]
    _, said = on_terminal("trace", words[0], trace, *words[1:])
    held(said)
    assert said
    assert not [text for text in said.splitlines() if text.startswith("forged:")]


def test_a_replay_is_shown(trace: Path, granted: tuple[str, str], tmp_path: Path) -> None:
    _, said = on_terminal(
        "replay", "--trace", trace, *granted, "--rtt", "1ms", "--repetitions", "1", "--engine",
        "client-subprocess",
        "--out", tmp_path / "run",
    )  # fmt: skip
    held(said)
    assert "EVIL" in said


def test_errors_show_names_of_files_and_fields(tmp_path: Path) -> None:
    file = tmp_path / f"{EVIL.replace('/', '')}.json"
    file.write_text("{")
    for words in (
        ("trace", "show", file), ("replay", "--trace", file), ("report", file), ("replay", "--engine", EVIL),
        ("verify", "--workspace", EVIL, "--calls", EVIL), ("compare", EVIL, EVIL), (EVIL,), ("replay",
        f"--{EVIL}"),
        ("trace", "check", file, "--engine", EVIL), ("baseline", "show", EVIL), ("figures", EVIL),
    ):  # fmt: skip
        code, said = on_terminal(*words)
        held(said)
        assert code == 2, said


def test_answers_are_shown_as_the_same_json(small_workspace: Path) -> None:
    asked = json.dumps({"tool": "bash", "arguments": {"command": f"printf '{EVIL}'"}}).encode() + b"\n"
    _, said = on_terminal("call", "--engine", "client-subprocess", "--workspace", small_workspace, given_=asked)
    held(said)
    answer: dict[str, Any] = json.loads(said[said.index("{") :])
    assert answer["stdout"].startswith("\x1b]0;OWNED")


@pytest.mark.parametrize("form", ["table", "markdown", "latex", "csv", "json", "html"])
def test_a_run_folder_is_shown(form: str, tmp_path: Path) -> None:
    from made_runs import Truth, write_run

    from curserve_results.manifest import read_manifest

    run = write_run(tmp_path / "run", Truth())
    manifest = read_manifest(run)
    links = tuple(
        replace(link, backend=EVIL, calibration={"reason": EVIL, "facts": {EVIL: EVIL}}) for link in manifest.links
    )
    manifest.with_changes(
        run=EVIL, suite=EVIL, command=(EVIL,), revision=EVIL, versions={EVIL: EVIL}, exclusions=(EVIL,),
        links=links,
        engines=dict.fromkeys(manifest.engines, EVIL),
    ).write(run)  # fmt: skip
    for words in (
        ("report", run, "--format", form), ("report", run, "--explain", f"{EVIL}:x"), ("compare", run, run),
    ):  # fmt: skip
        _, said = on_terminal(*words)
        held(said)


@given(st.text() | st.lists(st.sampled_from(EVIL)).map("".join))
def test_nothing_but_newlines_and_tabs_commands(text: str) -> None:
    shown = terminal.plain(text)
    assert all(c.isprintable() or c in "\n\t" or not terminal._COMMANDS.match(c) for c in shown)
    assert terminal.plain(shown) == shown
    assert "\n" not in terminal.line(text)
    shown.encode()
    assert json.loads(terminal.plain(json.dumps({"x": text}, ensure_ascii=False))) == {"x": text}


@given(st.sampled_from("=+-@\t\r"), st.text())
def test_no_cell_is_a_formula(first: str, rest: str) -> None:
    assert harmless(first + rest)[0] == "'"


COMMANDS = (
    "::error file=a::wrong\n   ::set-output name=x::y\ntext ::error::harmless\n##[error]x ##[add-path]/tmp\n:\n"
)


@pytest.mark.parametrize("runner", ["true", ""])
def test_a_trace_commands_no_runner_of_github(runner: str, small_workspace: Path, tmp_path: Path) -> None:
    """A line of an output that begins with `::` would be a command in the log of a workflow."""
    seen = Observation(0, COMMANDS.encode(), b"")
    call = RecordedCall(ToolCall("1", "bash", {"command": f"echo\n{COMMANDS}"}), seen)
    made = Trace("id", Workspace("path", str(small_workspace)), (Turn(COMMANDS, (call,)), Turn("done")), agent="a")
    codec.save(made, tmp_path / "trace.json")
    for words in (("trace", "show", "--turn", "0"), ("trace", "show"), ("trace", "check", "--verbose")):
        done = subprocess.run(
            [sys.executable, "-m", "curserve_harness", *words[:2], tmp_path / "trace.json", *words[2:]],
            capture_output=True, text=True, check=False, env={**os.environ, "GITHUB_ACTIONS": runner},
        )  # fmt: skip
        said = done.stdout + done.stderr
        obeyed = [line for line in said.splitlines() if line.lstrip().startswith("::") or "##[" in line]
        assert bool(obeyed) == (not runner and words[1] == "show"), obeyed
    assert "\\u003a" in said or not runner or words[1] != "show"


@given(st.lists(st.text(alphabet=":#[ \t\nx") | st.sampled_from(["::", "##[", "\n"])))
def test_no_piece_of_a_line_becomes_a_command(pieces: list[str]) -> None:
    """However a line is cut into writes; and text without one stays as it is."""
    below = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GITHUB_ACTIONS", "true")
        stream = streams.Stream(below, "utf-8", shows=True, spare=False, live=False)
    for piece in pieces:
        assert stream.write(piece) == len(piece)
    stream.flush()
    said, whole = below.getvalue().decode(), "".join(pieces)
    assert not [line for line in said.split("\n") if line.lstrip().startswith("::") or "##[" in line]
    assert said.replace("\\u003a", ":").replace("\\u005b", "[") == whole
    stream.detach()


@given(st.text(), st.sampled_from(["ascii", "latin-1", "utf-8", "koi8-r"]))
def test_what_an_encoding_lacks_is_spelled_as_in_json(text: str, encoding: str) -> None:
    below = io.BytesIO()
    stream = streams.Stream(below, encoding, shows=True, spare=False, live=False)
    stream.write(json.dumps({"x": text}, ensure_ascii=False))
    stream.flush()
    assert json.loads(below.getvalue().decode(encoding)) == {"x": text}
    stream.detach()
