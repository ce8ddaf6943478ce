"""What is asked once has one answer, however many threads ask at the same time."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from curserve_engines.sandbox import user
from curserve_traces.once import once


def test_threads_that_ask_together_get_one_answer() -> None:
    asked = []

    @once
    def answer(of: str) -> object:
        asked.append(of)
        time.sleep(0.05)
        return object()

    together = threading.Barrier(8)

    def ask(of: str) -> object:
        together.wait()
        return answer(of)

    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(ask, ["a", "b"] * 4))
    assert sorted(asked) == ["a", "b"]
    assert len(answers) == 2
    answer.forget()
    assert answer("a") not in answers


def test_an_error_is_not_kept_and_lets_the_next_one_ask() -> None:
    errors = [OSError("no")]

    @once
    def answer() -> int:
        if errors:
            raise errors.pop()
        return 1

    with pytest.raises(OSError, match="no"):
        answer()
    assert answer() == 1


def test_a_child_that_was_forked_while_another_thread_asked_can_ask() -> None:
    begun, go_on = threading.Event(), threading.Event()

    @once
    def answer() -> int:
        begun.set()
        go_on.wait(10)
        return 1

    asking = threading.Thread(target=answer)
    asking.start()
    begun.wait(10)
    go_on.set()
    if (child := os.fork()) == 0:
        os._exit(answer())
    asking.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1


def test_all_sessions_of_a_process_run_as_the_same_user() -> None:
    user.owner.forget()
    together = threading.Barrier(8)

    def ask(_: int) -> tuple[int, int] | None:
        together.wait()
        return user.owner()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1
