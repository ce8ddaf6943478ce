"""The serving model: what a turn prefills, and the line that measured turns lie on."""

import pytest

from vllm_costs.serving_model import (
    Colocated,
    Disaggregated,
    fit,
    kv_bytes,
    request_tokens,
    session_tokens,
)


def test_a_session_prefills_what_is_new_and_a_request_the_rest_of_a_block_too() -> None:
    assert session_tokens(147) == 148
    assert request_tokens(147, 4000, 128, cached=True) == 147 + 32
    assert request_tokens(147, 4000, 128, cached=False) == 4147


def test_the_fitted_model_is_the_one_the_turns_were_made_by() -> None:
    true = Colocated(base_ms=7.0, tokens_per_s=250_000, pairs_per_s=1e8)
    turns = [(n, c) for n in (31, 150, 1200, 4200) for c in (0, 1000, 4000, 16000)]
    found = fit([(n, c, true.append_prefill(n, c)) for n, c in turns])
    assert found.base_ms == pytest.approx(7.0, rel=0.01)
    assert found.tokens_per_s == pytest.approx(250_000, rel=0.01)
    assert found.pairs_per_s == pytest.approx(1e8, rel=0.01)


def test_where_attention_costs_nothing_a_line_is_found() -> None:
    true = Colocated(base_ms=12.0, tokens_per_s=20_000)
    found = fit([(n, 4000, true.append_prefill(n, 4000)) for n in (30, 150, 4200, 16000)])
    assert found.append_prefill(1000, 4000) == pytest.approx(62.0, rel=0.01)


def test_turns_that_say_nothing_of_the_rate_are_refused() -> None:
    with pytest.raises(ValueError, match="no rate"):
        fit([(100, 0, 9.0), (200, 0, 5.0), (400, 0, 3.0)])


def test_apart_the_handover_and_the_moving_come_on_top() -> None:
    """Qwen3-8B: 36 layers, 8 KV heads of 128, two bytes a value: 147 kB a token."""
    moved = kv_bytes(1000, layers=36, kv_heads=8, head_size=128)
    assert moved == 147_456_000
    apart = Disaggregated(100.0, 50e9, Colocated(10.0, 10_000))
    assert apart.turn(new=100, moved_bytes=moved, prefilled_again=100) == pytest.approx(
        100 + 2.949 + 10 + 20, abs=0.01
    )
