"""Sessions that break say so, and the next call is executed by a new one."""

from pathlib import Path

import pytest

from curserve_engines import registry
from curserve_engines.protocol import BROKEN, EngineError, Limits, Loading, Result, World
from curserve_engines.renewed import Renewed, is_broken
from curserve_harness.oracle.compared import wait_until_loaded
from curserve_traces.model import Observation, ToolCall


def call(session, command: str) -> Result:
    return session.call(ToolCall("1", "bash", {"command": command}))


@pytest.mark.parametrize("engine", ["client-subprocess", "daemon"])
def test_a_full_quota_is_told_and_the_next_call_is_executed_anew(engine: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("alpha\n")
    limits = Limits(timeout_s=20, disk_bytes=8 << 20)
    with registry.load(engine).open(World(tmp_path, limits=limits)) as session:
        told = call(session, 'echo out; python3 -c \'open("big", "wb").write(bytes(64 << 20))\'; sleep 0.5')
        assert told.observation.exit_code is None
        assert is_broken(told.failed)
        assert "8 MiB" in str(told.failed)
        after = call(session, "cat a")
        assert (after.failed, after.observation.stdout) == (None, b"alpha\n")


def test_a_program_that_is_gone_is_a_broken_session(tmp_path: Path) -> None:
    class Ends:
        def __init__(self) -> None:
            begun.append(self)

        def call(self, call: ToolCall, **_place: int | None) -> Result:
            failed = BROKEN + "gone" if call.arguments["command"] == "die" else None
            return Result(Observation(), 1, failed=failed)

        def close(self) -> None:
            closed.append(self)

    begun: list[Ends] = []
    closed: list[Ends] = []
    session = Renewed(Ends)
    assert is_broken(call(session, "die").failed)
    assert closed == begun
    assert call(session, "live").failed is None
    assert len(begun) == 2
    session.close()
    session.close()
    assert closed == begun
    assert is_broken(call(session, "live").failed)


def test_where_no_new_session_can_be_had_that_is_told() -> None:
    class Breaks:
        def call(self, call: ToolCall, **_place: int | None) -> Result:
            return Result(Observation(), 1, failed=BROKEN + "once")

        def close(self) -> None:
            pass

    first = iter([Breaks()])

    def begin() -> Breaks:
        for session in first:
            return session
        raise EngineError("no more of them")

    session = Renewed(begin)
    assert is_broken(call(session, "x").failed)
    assert "no new one could be begun: no more of them" in str(call(session, "x").failed)


def test_a_session_says_whether_it_has_loaded_and_one_that_cannot_say_has() -> None:
    class Loads:
        def __init__(self) -> None:
            self.asked = 0

        def call(self, call: ToolCall, **_place: int | None) -> Result:
            return Result(Observation(), 1)

        def loaded(self) -> bool:
            self.asked += 1
            return self.asked > 2

        def close(self) -> None:
            pass

    inner = Loads()
    with Renewed(lambda: inner) as session:
        assert isinstance(session, Loading)
        wait_until_loaded(session)
        assert inner.asked == 3
        assert session.loaded()
    with registry.load("recorded-client").open(World(Path())) as control:
        wait_until_loaded(control)
