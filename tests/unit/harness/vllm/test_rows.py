"""The real server's rows get the model's own time as it was measured."""

from __future__ import annotations

from curserve_harness.roles.vllm import with_model_time


def test_model_time_is_what_was_measured() -> None:
    turn = {"kind": "turn", "turn": 0, "prompt_read_ns": 10, "first_token_ns": 30, "last_token_ns": 100}
    cut_short = {"kind": "turn", "turn": 1, "prompt_read_ns": 200}
    call = {"kind": "call", "turn": 0, "call": 0}
    rows = with_model_time([turn, cut_short, call], [{"prompt": 7, "steps": 5}])
    assert (rows[0]["ttft_ns"], rows[0]["decode_ns"]) == (20, 70)
    assert (rows[0]["prompt_tokens"], rows[0]["output_tokens"]) == (7, 5)
    assert "ttft_ns" not in rows[1]
    assert rows[2] == {"kind": "call", "turn": 0, "call": 0}
