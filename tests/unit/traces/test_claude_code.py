"""Claude Code: one message id is one turn, its display is not its output, a branch that was left is marked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from curserve_harness.traces.check import check, compare
from curserve_traces.grants import Grants
from curserve_traces.importers import Imported, read_source, source_of
from curserve_traces.model import Observation, RecordedCall

from .samples import lines


def line(number: int, kind: str, content: Any, message: str | None = None, **more: Any) -> dict[str, Any]:
    usage = {"usage": {"input_tokens": 1000, "output_tokens": 5}} if kind == "assistant" else {}
    return {
        "type": kind,
        "sessionId": "s",
        "cwd": "/w",
        "version": "2.1.50",
        "uuid": f"u{number}",
        "parentUuid": f"u{number - 1}" if number else None,
        "timestamp": f"2026-01-01T00:00:{number:02}.000Z",
        "message": {"id": message, "role": kind, "model": "m", "content": content, **usage},
        **more,
    }


def use(identity: str, name: str = "Bash", **arguments: Any) -> list[dict[str, Any]]:
    return [{"type": "tool_use", "id": identity, "name": name, "input": arguments or {"command": "ls"}}]


def seen(identity: str, text: Any, **more: Any) -> list[dict[str, Any]]:
    return [{"type": "tool_result", "tool_use_id": identity, "content": text, **more}]


def read(*records: dict[str, Any]) -> Imported:
    (imported,) = read_source(source_of(Path("s.jsonl"), lines(*records)))
    return imported


def calls(imported: Imported) -> list[RecordedCall]:
    return [recorded for _, _, recorded in imported.trace.calls()]


def only(imported: Imported) -> Observation:
    ((_, _, recorded),) = imported.trace.calls()
    assert recorded.observation is not None
    return recorded.observation


INTERLEAVED = (
    line(0, "user", "go"),
    line(2, "assistant", use("t1"), "m1"),
    line(3, "user", seen("t1", "A")),
    line(4, "assistant", use("t2"), "m1"),
    line(5, "user", seen("t2", "B")),
    line(6, "assistant", [{"type": "text", "text": "done"}], "m2"),
)


def test_results_between_the_calls_of_one_message_do_not_cut_its_turn() -> None:
    imported = read(*INTERLEAVED)
    assert [len(turn.calls) for turn in imported.trace.turns] == [2, 0]
    assert [turn.prompt_tokens for turn in imported.trace.turns] == [1000, 1000]
    assert [turn.extra["first_block_ns"] for turn in imported.trace.turns] == [2 * 10**9, 10**9]
    assert [c.observation.stdout for c in calls(imported) if c.observation] == [b"A", b"B"]


def test_lines_that_are_copied_within_a_file_count_once() -> None:
    once, twice = read(*INTERLEAVED), read(*INTERLEAVED, *INTERLEAVED)
    assert twice.trace.turns == once.trace.turns
    assert twice.report.dropped["line that stands in the file already (a copy)"] == 6
    renamed = [{**record, "uuid": f"other{n}"} for n, record in enumerate(INTERLEAVED)]
    assert read(*INTERLEAVED, *renamed).trace.turns == once.trace.turns


def test_results_of_one_line_do_not_share_what_stands_beside_the_message() -> None:
    imported = read(
        line(1, "assistant", [*use("t1"), *use("t2")], "m1"),
        line(2, "user", [*seen("t1", "A"), *seen("t2", "B")], toolUseResult={"stdout": "B", "stderr": ""}),
    )
    assert [c.observation.stdout for c in calls(imported) if c.observation] == [b"A", b"B"]


def test_what_is_display_is_not_output() -> None:
    def answer(name: str, text: str, beside: Any = None, error: bool = False) -> tuple[Any, ...]:
        imported = read(
            line(1, "assistant", use("t1", name, file_path="a", command="x", pattern="x"), "m1"),
            line(2, "user", seen("t1", text, is_error=error), toolUseResult=beside),
        )
        found = only(imported)
        assert found.shown() == text
        assert calls(imported)[0].extra.get("trimmed") is True
        return found.exit_code, found.stdout, found.stderr

    assert answer("Bash", "Exit code 2\nno\n", error=True) == (2, b"no\n", b"")
    assert answer("Bash", "Exit code 1", error=True) == (1, b"", b"")
    assert answer("Bash", "a\nwarn", {"stdout": "a", "stderr": "warn"}) == (None, b"a", b"warn")
    assert answer("Bash", "(Bash completed with no output)") == (None, b"", b"")
    assert answer("Read", "     1→x\n     2→  y") == (None, b"x\n  y", b"")
    reminded = "     1→x\n     2→y\n\n<system-reminder>\nDo so.\n</system-reminder>\n"
    assert answer("Read", reminded) == (None, b"x\ny", b"")
    assert answer("Read", "1\tx\n2\t", {"type": "text", "file": {"content": "x\n"}}) == (None, b"x\n", b"")
    assert answer("Grep", "Found 2 files\na.py\nb.py") == (None, b"a.py\nb.py", b"")
    assert answer("Grep", "No matches found") == (None, b"", b"")
    assert answer("Glob", "a\nb", {"filenames": ["a", "b"], "numFiles": 2}) == (None, b"a\nb", b"")


def test_a_file_whose_lines_only_look_numbered_in_part_keeps_them() -> None:
    imported = read(
        line(1, "assistant", use("t1", "Read", file_path="a"), "m1"), line(2, "user", seen("t1", "1→x\nplain"))
    )
    assert only(imported).stdout == b"1\xe2\x86\x92x\nplain"


def test_ends_that_the_agent_stripped_are_no_difference_and_all_else_is() -> None:
    shown = Observation(stdout=b"a\n\nb", merged=True)
    assert compare(shown, Observation(0, stdout=b"\na\n\nb\n"), trimmed=True)[0] == "identical"
    assert compare(shown, Observation(0, stdout=b"a\n\nb\n"))[0] == "different"
    assert compare(shown, Observation(0, stdout=b"a\nb\n"), trimmed=True)[0] == "different"
    assert compare(shown, Observation(0, stdout=b" a\n\nb\n"), trimmed=True)[0] == "different"


def test_a_session_checks_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    imported = read(
        line(1, "assistant", use("t1", command="cat a.txt"), "m1"),
        line(2, "user", seen("t1", "one\ntwo")),
        line(3, "assistant", use("t2", command="grep nothing a.txt"), "m2"),
        line(4, "user", seen("t2", "Exit code 1", is_error=True)),
        line(5, "assistant", use("t3", "Read", file_path="/w/a.txt"), "m3"),
        line(6, "user", seen("t3", "     1→one\n     2→two\n     3→")),
        line(7, "assistant", use("t4", "Edit", file_path="/w/a.txt", old_string="one", new_string="1"), "m4"),
        line(8, "user", seen("t4", "The file /w/a.txt has been updated.")),
        line(9, "assistant", use("t5", command="head -1 a.txt"), "m5"),
        line(10, "user", seen("t5", "1")),
    )
    assert [(row.verdict, row.reason) for row in check(imported.trace, grants=Grants(tmp_path))] == [
        ("identical", None)
    ] * 5


def test_a_branch_that_was_left_is_marked_and_told() -> None:
    imported = read(
        line(0, "user", "go"),
        line(1, "assistant", use("t1"), "m1"),
        line(2, "user", seen("t1", "A")),
        line(3, "user", "do it otherwise", parentUuid="u0"),
        line(4, "assistant", use("t2"), "m2"),
    )
    assert [turn.extra.get("branch") for turn in imported.trace.turns] == ["left by the user", None]
    assert "1 turns with 1 calls stand on branches that the user left: marked" in imported.report.notes
    assert all("branch" not in turn.extra for turn in read(*INTERLEAVED).trace.turns)


def test_a_session_that_begins_again_with_its_first_prompt_has_left_what_came_before() -> None:
    again = (
        line(0, "user", "go"),
        line(1, "assistant", use("t1"), "m1"),
        line(2, "user", seen("t1", "A")),
        line(3, "user", "go otherwise", parentUuid=None),
        line(4, "assistant", use("t2"), "m2"),
    )
    assert [turn.extra.get("branch") for turn in read(*again).trace.turns] == ["left by the user", None]
    # What a compaction or a hook puts between is no prompt, nor is one that nothing follows.
    for more in ({"isCompactSummary": True}, {"isMeta": True}, {"logicalParentUuid": "u2"}):
        records = [*again[:3], {**again[3], **more}, again[4]]
        assert all("branch" not in turn.extra for turn in read(*records).trace.turns), more
    alone = [*again[:4], line(4, "assistant", use("t2"), "m2", parentUuid="u2")]
    assert all("branch" not in turn.extra for turn in read(*alone).trace.turns)


def test_a_result_without_text_is_told() -> None:
    image = [{"type": "image", "source": {"type": "base64", "data": "AAAA"}}]
    imported = read(
        line(1, "assistant", use("t1", "Read", file_path="a.png"), "m1"), line(2, "user", seen("t1", image))
    )
    assert imported.report.dropped["image in a result (not text)"] == 1


def test_iflow_writes_the_same_lines_and_is_not_claude_code() -> None:
    answer = {"functionResponse": {"id": "t1", "response": {"output": "Output: a\nExit Code: 3"}}}
    content = {"callId": "t1", "responseParts": answer, "resultDisplay": "a"}
    imported = read(
        line(1, "assistant", use("t1", "run_shell_command", command="ls"), "m1", sessionId="session-5e1f"),
        line(2, "user", seen("t1", content), sessionId="session-5e1f"),
    )
    assert imported.trace.agent == "iflow"
    assert (only(imported).exit_code, only(imported).stdout) == (3, b"a")
