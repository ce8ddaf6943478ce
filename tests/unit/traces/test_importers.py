"""Formats are recognised; calls come out once, in order, with arguments; nothing is guessed; damage is told."""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curserve_traces import codec
from curserve_traces.classify import effect
from curserve_traces.errors import MalformedTrace, TraceError, UnknownFormat, UnknownSchema
from curserve_traces.importers import formats, read_source, sniff, source_of
from curserve_traces.importers.builder import Builder
from curserve_traces.importers.run import import_path
from curserve_traces.importers.tools import canonical
from curserve_traces.importers.walk import sources
from curserve_traces.model import Observation, RecordedCall, Trace
from curserve_traces.schema import violations

from . import agents
from .samples import SAMPLES, lines
from .variants import VARIANTS

EXIT_CODES = {"mini-swe-agent", "mini-swe-agent v1", "openhands-v0 events", "openhands-v0 output"} | {
    "openhands-v1",
    "claude-code",
    "codex",
    *agents.EXIT_CODES,
}
DURATIONS_NS = {
    "swe-agent 1.x": 250_000_000,
    "openhands-v1": 250_000_000,
    "codex": 300_000_000,
    "inspect": 250_000_000,
    "otel": 1_000,
    **agents.DURATIONS_NS,
}


def the_trace(case: str, name: str = "sample.json") -> Trace:
    (imported,) = read_source(source_of(Path(name), SAMPLES[case][1]))
    return imported.trace


def shell_call(trace: Trace) -> RecordedCall:
    return next(recorded for _, _, recorded in trace.calls() if recorded.call.tool == "bash")


def test_every_installed_format_has_a_sample() -> None:
    assert {format_name for format_name, _ in SAMPLES.values()} | {"aider"} == set(
        formats()
    )  # which runs no shell


@pytest.mark.parametrize("case", SAMPLES)
def test_sniffing_finds_the_format(case: str) -> None:
    format_name, data = SAMPLES[case]
    assert sniff(source_of(Path("sample.json"), data)) == format_name


@pytest.mark.parametrize("case", SAMPLES)
def test_calls_come_out_once_in_order_with_arguments_and_output(case: str) -> None:
    trace = the_trace(case)
    calls = [recorded for _, _, recorded in trace.calls() if recorded.call.original_name != "think"]
    assert [recorded.call.tool for recorded in calls] in (["bash"], ["bash", "read"], ["bash", "bash"])
    shell = shell_call(trace)
    assert shell.call.arguments["command"].strip() == "ls -a"
    assert shell.observation is not None
    assert b"a b" in shell.observation.stdout
    assert "metadata" not in shell.observation.stdout.decode()
    ids = [recorded.call.id for recorded in calls]
    assert len(ids) == len(set(ids))
    for recorded in calls[1:]:
        assert "a.py" in str(recorded.call.arguments)


@pytest.mark.parametrize("case", SAMPLES)
def test_nothing_is_guessed(case: str) -> None:
    seen = shell_call(the_trace(case)).observation
    assert seen is not None
    assert seen.exit_code == (1 if case in EXIT_CODES else None)
    assert seen.duration_ns == DURATIONS_NS.get(case)


@pytest.mark.parametrize("case", SAMPLES)
def test_an_imported_trace_is_a_native_file_that_obeys_the_schema(case: str) -> None:
    trace = the_trace(case)
    data = codec.dump(trace)
    assert codec.loads(data) == trace
    assert violations(codec.parse_json(data, "x")) == []


@pytest.mark.parametrize("case", VARIANTS)
def test_variants_of_the_formats_come_out_as_well(case: str) -> None:
    format_name, data = VARIANTS[case]
    assert sniff(source_of(Path("sample.json"), data)) == format_name
    (imported,) = read_source(source_of(Path("sample.json"), data))
    shell = shell_call(imported.trace)
    assert shell.call.arguments["command"] == "ls -a"
    assert shell.observation is not None
    assert b"a b" in shell.observation.stdout
    assert codec.loads(codec.dump(imported.trace)) == imported.trace


def test_what_a_variant_tells_is_read() -> None:
    def seen(case: str) -> Observation:
        (imported,) = read_source(source_of(Path("x.json"), VARIANTS[case][1]))
        observation = shell_call(imported.trace).observation
        assert observation is not None
        return observation

    for case in ("Codex bare", "Codex document", "Codex shell_command", "Codex exec_command"):
        assert (seen(case).exit_code, seen(case).duration_ns, seen(case).stdout) == (0, 100_000_000, b"a b")
    assert (seen("Gemini chat").exit_code, seen("Gemini chat").stdout) == (3, b"a b")
    (imported,) = read_source(source_of(Path("x.json"), VARIANTS["Qwen Code with telemetry"][1]))
    assert imported.trace.turns[0].model_ns == 40_000_000
    (imported,) = read_source(source_of(Path("x.json"), VARIANTS["OTel of OpenLLMetry"][1]))
    assert (imported.trace.turns[0].prompt_tokens, imported.trace.turns[0].output_tokens) == (10, 5)


def test_agents_that_mean_another_thing_by_the_same_name() -> None:
    lines_of = {"file_path": "a", "offset": 10, "limit": 5}
    assert canonical("read_file", lines_of, "qwen-code") == ("read", {"path": "a", "offset": 11, "limit": 5})
    assert canonical("read_file", lines_of, "codex") == ("read", {"path": "a", "offset": 10, "limit": 5})
    assert canonical("read_file", {"file_path": "a", "start_line": 3, "end_line": 7}, "gemini") == (
        "read",
        {"path": "a", "offset": 3, "limit": 5},
    )
    replaced = {"file_path": "a", "old_string": "x", "new_string": "y", "expected_replacements": 3}
    assert canonical("replace", replaced, "gemini") == ("edit", {"path": "a", "old": "x", "new": "y", "all": True})
    assert canonical("StringReplace", {"path": "a", "old_str": "x", "new_str": "y"})[0] == "edit"
    assert canonical("grep", {"pattern": "x"}, "openhands-v1")[1]["mode"] == "files"
    assert canonical("grep_search", {"pattern": "x"}, "qwen-code")[1]["mode"] == "content"
    assert canonical("grep_files", {"pattern": "x"}, "codex")[1]["mode"] == "files"
    assert canonical("search_dir", {"search_term": "x", "dir": "d"}, "swe-agent")[1]["mode"] == "count"


def test_a_shell_calls_own_directory_is_kept() -> None:
    builder = Builder("qwen-code", cwd="/w")
    for where in ("/elsewhere", "sub/../deep", ""):
        builder.call(None, "run_shell_command", {"command": "ls", "directory": where})
    calls = [recorded.call.cwd for _, _, recorded in builder.finish(id="x").trace.calls()]
    assert calls == ["/elsewhere", "/w/deep", "/w"]


def test_ids_that_repeat_are_other_calls_where_the_format_has_no_copies() -> None:
    def spoken(n: int) -> list[dict[str, object]]:
        call = {"id": "call_0", "function": {"name": "bash", "arguments": {"command": f"echo {n}"}}}
        return [
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_0", "content": str(n)},
        ]

    data = lines({"instance_id": "i", "messages": [*spoken(0), *spoken(1), *spoken(2)]})
    (imported,) = read_source(source_of(Path("s.jsonl"), data))
    calls = [recorded for _, _, recorded in imported.trace.calls()]
    assert [c.call.arguments["command"] for c in calls] == ["echo 0", "echo 1", "echo 2"]
    assert [c.observation.stdout for c in calls if c.observation] == [b"0", b"1", b"2"]
    assert len({c.call.id for c in calls}) == 3


def test_claude_code_marks_a_placeholder_and_drops_a_copy() -> None:
    (imported,) = read_source(source_of(Path("s.jsonl"), SAMPLES["claude-code"][1]))
    assert imported.report.dropped["call with the id of an earlier one (a copy)"] == 1
    assert "lower bound" in imported.trace.turns[0].extra["output_tokens"]
    assert imported.trace.turns[0].prompt_tokens == 43
    assert len(imported.trace.turns[0].calls) == 2


def test_openhands_v1_takes_off_the_dispatch_floor() -> None:
    shell = shell_call(the_trace("openhands-v1"))
    assert shell.extra["interval_ns"] == 260_000_000
    assert shell.extra["dispatch_floor_ns"] == 10_000_000


def test_openhands_v0_has_the_models_own_latency() -> None:
    trace = the_trace("openhands-v0 output")
    assert trace.turns[0].model_ns == 2_000_000_000
    assert (trace.workspace.kind, trace.workspace.version) == ("git", "c0ffee")
    assert trace.turns[1].calls[0].call.cwd == "/w"


def test_codex_keeps_the_calls_own_directory() -> None:
    assert shell_call(the_trace("codex")).call.cwd == "/w/sub"


def test_agents_tools_become_canonical() -> None:
    grep = {"pattern": "x", "-i": True, "-A": 2, "output_mode": "files_with_matches", "path": "/p", "glob": "*.py"}
    assert canonical("Grep", grep) == (
        "grep",
        {"pattern": "x", "glob": "*.py", "path": "/p", "mode": "files", "after": 2, "ignore_case": True},
    )
    edit = {"file_path": "a", "old_string": "x", "new_string": "y"}
    assert canonical("Edit", edit) == ("edit", {"path": "a", "old": "x", "new": "y"})
    assert canonical("str_replace_editor", {"command": "create", "path": "a", "file_text": ""}) == (
        "write",
        {"path": "a", "content": ""},
    )
    assert canonical("WebFetch", {"url": "x"}) == ("other", {"url": "x"})
    assert canonical("grep", {"pattern": 3}) == ("other", {"pattern": 3})


def test_results_without_calls_and_calls_without_results_are_told() -> None:
    data = lines(
        {"type": "session", "id": "s", "cwd": "/w"},
        {"type": "message", "message": {"role": "toolResult", "toolCallId": "ghost", "content": []}},
        {
            "type": "message",
            "message": {"role": "assistant", "content": [{"type": "toolCall", "id": "t", "name": "bash"}]},
        },
    )
    (imported,) = read_source(source_of(Path("s.jsonl"), data))
    assert imported.report.dropped["result without a call"] == 1
    assert any("1 of 1 calls have no recorded result" in note for note in imported.report.notes)


def test_a_clock_that_runs_backwards_gives_no_interval() -> None:
    data = SAMPLES["openhands-v1"][1].replace(b"00:00:02.260000", b"00:00:01.900000")
    (imported,) = read_source(source_of(Path("s.jsonl"), data))
    assert "interval_ns" not in shell_call(imported.trace).extra


def test_a_damaged_line_is_told_and_the_rest_comes() -> None:
    good = SAMPLES["pi"][1].splitlines(keepends=True)
    data = b"".join([*good[:2], b'{"type": "mess\n', b"\xff\xfe\n", *good[2:]])
    (imported,) = read_source(source_of(Path("s.jsonl"), data))
    assert imported.report.calls == 2
    assert sum(count for reason, count in imported.report.dropped.items() if "damaged line" in reason) == 2


def test_a_line_longer_than_any_agents_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curserve_traces.importers.source.MAX_LINE", 100_000)
    data = SAMPLES["pi"][1] + b'{"type": "message", "message": "' + b"x" * 200_000 + b'"}\n'
    (imported,) = read_source(source_of(Path("s.jsonl"), data))
    assert imported.report.calls == 2
    assert any("more than any agent writes" in reason for reason in imported.report.dropped)


HUGE = """
import re, sys
from pathlib import Path
from curserve_traces.importers import read_source, source_of
from curserve_traces.errors import TraceError
for name in sys.argv[1:]:
    try:
        (imported,) = read_source(source_of(Path(name)))
        print(imported.report.calls, *imported.report.dropped)
    except TraceError as error:
        print(error)
peak = re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())  # ru_maxrss is the parent's too
print(int(peak[1]) >> 10)
"""


def test_a_line_of_two_gigabytes_is_never_held_in_memory(tmp_path: Path) -> None:
    good = SAMPLES["pi"][1]
    with (tmp_path / "mixed.jsonl").open("wb") as file:
        file.write(good[: good.index(b"\n") + 1])
        file.truncate(2 << 30)  # zeros that take no room on the disk
        file.seek(0, 2)
        file.write(b"\n" + good[good.index(b"\n") + 1 :])
    with (tmp_path / "alone.json").open("wb") as file:
        file.write(b"{")
        file.truncate(2 << 30)
    names = [str(tmp_path / name) for name in ("mixed.jsonl", "alone.json")]
    done = subprocess.run([sys.executable, "-c", HUGE, *names], capture_output=True, text=True, check=True)
    mixed, alone, peak_mb = done.stdout.splitlines()
    assert mixed.startswith("2 damaged line (line 2: 2047 MB long")
    assert "line 1: 2048 MB long, more than any agent writes; nothing else is in it" in alone
    assert int(peak_mb) < 1024


@pytest.mark.parametrize("packed", ["gz", "zst"])
def test_packed_files_are_read_and_damaged_ones_told(tmp_path: Path, packed: str) -> None:
    import gzip

    import zstandard

    data = SAMPLES["pi"][1]
    squeezed = gzip.compress(data) if packed == "gz" else zstandard.ZstdCompressor().compress(data)
    path = tmp_path / f"s.jsonl.{packed}"
    path.write_bytes(squeezed)
    (imported,) = read_source(source_of(path))
    assert imported.report.calls == 2
    path.write_bytes(squeezed[: len(squeezed) // 2] + b"\0" * 9)
    with pytest.raises(TraceError) as caught:
        list(read_source(source_of(path)))
    assert "\n" not in str(caught.value)


def test_two_objects_on_one_line_are_both_read() -> None:
    data = SAMPLES["pi"][1].replace(b"}\n{", b"}{", 2)
    (imported,) = read_source(source_of(Path("s.jsonl"), data))
    assert imported.report.calls == 2


def test_the_wrong_format_named_is_one_clear_line() -> None:
    with pytest.raises(TraceError) as caught:
        list(read_source(source_of(Path("s.json"), SAMPLES["swe-agent 0.x"][1]), "inspect"))
    assert "\n" not in str(caught.value)
    with pytest.raises(UnknownFormat, match="no importer is called 'nope'; there are: acp"):
        list(read_source(source_of(Path("s.json"), b"{}"), "nope"))


def test_an_unknown_version_of_atif_is_named() -> None:
    with pytest.raises(UnknownSchema, match=r"ATIF-v9\.9"):
        list(read_source(source_of(Path("s.json"), SAMPLES["atif"][1].replace(b"ATIF-v1.6", b"ATIF-v9.9"))))


def test_a_mixed_folder_imports_what_it_can(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.json").write_bytes(SAMPLES["atif"][1])
    (folder / "deep" / "b.jsonl").write_bytes(SAMPLES["pi"][1])
    (folder / "notes.txt").write_bytes(b"not a trace")
    (folder / "link.json").symlink_to("/etc/passwd")
    with zipfile.ZipFile(folder / "c.zip", "w") as archive:
        archive.writestr("../../climb.json", SAMPLES["atif"][1])
        archive.writestr("ok.json", SAMPLES["mini-swe-agent"][1])
    out = tmp_path / "out"
    out.mkdir()
    outcomes = list(import_path(folder, out))
    assert sum(len(outcome.imported) for outcome in outcomes) == 3
    refused = [outcome.refused for outcome in outcomes if outcome.refused]
    assert len(refused) == 3
    assert any("climbs out" in reason for reason in refused)
    assert any("not followed" in reason for reason in refused)
    assert sorted(path.name for path in out.iterdir()) == ["i.json", "s-2.json", "s.json"]
    assert [path.name for path in tmp_path.iterdir()] == ["in", "out"] or len(list(tmp_path.iterdir())) == 2


def test_an_identity_cannot_climb_out(tmp_path: Path) -> None:
    source = tmp_path / "a.json"
    source.write_bytes(SAMPLES["mini-swe-agent"][1].replace(b'"instance_id": "i"', b'"instance_id": "../../x/y"'))
    out = tmp_path / "out"
    out.mkdir()
    (outcome,) = import_path(source, out)
    assert outcome.imported[0][0].parent == out
    assert outcome.imported[0][0].exists()


def test_a_folder_of_events_is_one_source(tmp_path: Path) -> None:
    folder = tmp_path / "conversation" / "events"
    folder.mkdir(parents=True)
    for number, line in enumerate(SAMPLES["openhands-v1"][1].splitlines()):
        (folder / f"event-{number:05}-abcd.json").write_bytes(line)
    (source,) = sources(tmp_path)
    assert not isinstance(source, TraceError)
    (imported,) = read_source(source)
    assert imported.report.calls == 3
    assert imported.trace.id == "conversation"


EVERY = {**SAMPLES, **VARIANTS}


def _replaced(value: object, by: object) -> Iterator[object]:
    """Yield a JSON value again and again, each time with another one inside of it replaced."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(pairs):
        for other in (by, *_replaced(inner, by)):
            yield value | {key: other} if isinstance(value, dict) else [*value[:key], other, *value[key + 1 :]]


@pytest.mark.parametrize("by", [{}, [[]], 5, None], ids=repr)
@pytest.mark.parametrize("case", [case for case, (_, data) in EVERY.items() if data[:1] in b"{["])
def test_a_value_of_another_kind_does_not_cost_the_file(case: str, by: object) -> None:
    """What is recorded beside it still comes, or the error names the field: no importer stumbles."""
    name, data = EVERY[case]
    several = b"}\n{" in data
    document = [json.loads(line) for line in data.splitlines()] if several else json.loads(data)
    for damaged in _replaced(document, by):
        text = lines(*damaged) if several else json.dumps(damaged).encode()
        try:
            list(read_source(source_of(Path("x.json"), text), name))
        except TraceError as error:
            assert "after all" not in str(error), f"{error}: {text!r}"


@given(st.sampled_from(sorted(EVERY)), st.data())
@settings(max_examples=600, deadline=None)
def test_damage_to_any_format_raises_nothing_but_trace_errors(case: str, data: st.DataObject) -> None:
    damaged = bytearray(EVERY[case][1])
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, max(0, len(damaged) - 1)))
        how = data.draw(st.sampled_from(["cut", "flip", "drop", "swap"]))
        if how == "cut":
            del damaged[at:]
        elif how == "flip" and damaged:
            damaged[at] = data.draw(st.integers(0, 255))
        elif how == "drop":
            del damaged[at : at + data.draw(st.integers(1, 40))]
        else:
            wrong = data.draw(st.sampled_from([b"null", b"7", b'"x"', b"[]", b"{}", b"true", b"-1e400"]))
            damaged[at : at + 6] = wrong
    for name in ("auto", EVERY[case][0]):
        try:
            for imported in read_source(source_of(Path("x.json"), bytes(damaged)), name):
                codec.loads(codec.dump(imported.trace))
        except TraceError as error:
            assert "\n" not in str(error)


def test_real_files_come_out_complete(trajectories: Path) -> None:
    """At least 98 % of the calls that the manifest counts, and its share of reads within 3 %, format by format."""
    wanted: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    with (trajectories / "MANIFEST.tsv").open() as file:
        rows = {row["path"]: row for row in csv.DictReader(file, delimiter="\t")}
    for name, row in rows.items():
        if not name.endswith((".json", ".jsonl", ".traj", ".eval")):
            continue
        imported = list(read_source(source_of(trajectories / name)))
        if (
            row["format"] == "claude-code-jsonl"
        ):  # the manifest does not count the sub-agents inside a session's file
            imported = imported[:1]
        calls = [recorded.call for one in imported for _, _, recorded in one.trace.calls()]
        reads = sum(effect(call) == "read" for call in calls)
        counts = wanted[row["format"]]
        assert len(calls) >= 0.98 * int(row["n_tool_calls"]), name
        if int(row["n_tool_calls"]):
            counts[0] += int(row["n_tool_calls"])
            counts[1] += len(calls)
            counts[2] += int(row["n_readonly"])
            counts[3] += reads if len(imported) == 1 else int(row["n_readonly"])  # it counts one of the instances
        for call in calls:
            assert call.arguments or call.original_arguments == {} or call.tool == "other", (name, call)
    for format_name, (calls_told, _, reads_told, reads) in wanted.items():
        assert abs(reads - reads_told) <= max(3, 0.03 * calls_told), (format_name, reads_told, reads)


def test_damage_to_real_files_raises_nothing_but_trace_errors(trajectories: Path) -> None:
    """A seeded cut and three mutations of every real file up to 1 MB."""
    chance = random.Random(7)
    for path in sorted(p for p in trajectories.rglob("*") if p.is_file() and p.stat().st_size < 1 << 20):
        whole = path.read_bytes()
        if not whole:
            continue
        cut = whole[: chance.randrange(len(whole))]
        mutated = bytearray(whole)
        for _ in range(3):
            mutated[chance.randrange(len(mutated))] = chance.randrange(256)
        for data in (cut, bytes(mutated)):
            try:
                for imported in read_source(source_of(path, data)):
                    codec.dump(imported.trace)
            except TraceError as error:
                assert "\n" not in str(error)


def test_an_empty_file_is_named_so() -> None:
    with pytest.raises(MalformedTrace, match="empty"):
        list(read_source(source_of(Path("x.json"), b"  \n")))
