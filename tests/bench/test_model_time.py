"""What the harness costs and how late its tokens are: the receipt of the floor and of the pacing, over loopback.

Loopback is the 0 ms link. Times are of the machine that ran it, so the receipt carries them, and no test asserts
them; a busy machine shows in the receipt's load.
"""

import importlib.util
import itertools
from dataclasses import asdict
from pathlib import Path

import pytest
from receipts import write_receipt

from curserve_engines.cell.spec import CellSpec, Model
from curserve_harness.plan import profiles
from curserve_harness.samples.rows import join_rows
from curserve_traces import codec
from curserve_traces.model import Message, Observation, RecordedCall, ToolCall, Trace, Turn, Workspace

ROOT = Path(__file__).resolve().parents[2]
TARGETS_NS = {
    ("whole", 50): 500_000,
    ("streamed", 50): 1_000_000,
    ("whole", 200): 2_000_000,
    ("streamed", 200): 2_000_000,
}
TURNS, TOKENS = 60, 100


def load_roles():
    path = ROOT / "tests/unit/harness/conftest.py"
    spec = importlib.util.spec_from_file_location("roles_for_bench", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.running_role


def trace_of(kilobytes, folder):
    """Write a trace whose conversation ends at about `kilobytes`, and return its path."""
    call = RecordedCall(ToolCall("c", "bash", {"command": "cat a"}), Observation(0, b"o" * 200))
    turns = [Turn(text="I look at it. " * 10, calls=(call,), output_tokens=TOKENS) for _ in range(TURNS)]
    before = (Message("user", "x" * max(1000, kilobytes * 1000 - TURNS * 700)),)
    turns[0] = Turn(text=turns[0].text, calls=(call,), output_tokens=TOKENS, before=before)
    path = folder / f"{kilobytes}.json"
    codec.save(Trace(id=f"{kilobytes}kB", workspace=Workspace(), turns=tuple(turns)), path)
    return path


def quantiles_us(values_ns):
    ordered = sorted(values_ns)
    return {
        f"p{p}": round(ordered[min(len(ordered) - 1, len(ordered) * p // 100)] / 1e3, 1) for p in (10, 50, 90, 99)
    }


@pytest.mark.prove
def test_floor_and_pacing_leave_a_receipt(tmp_path):
    profile = profiles.find("swe-grep-mini", profiles.load()).model()
    model = Model(profile.name, profile.tpot_ns, profile.ttft_ns, profile.prefill_tokens_per_s)
    running_role, number = load_roles(), itertools.count(1)
    floor, late = {}, []
    traces = {kilobytes: trace_of(kilobytes, tmp_path) for kilobytes in (50, 200)}
    cases = [("client", form, kb) for form in ("whole", "streamed") for kb in traces] + [
        ("server", "streamed", 50)
    ]
    with running_role("server") as server, running_role("client") as client:
        for _ in range(3):  # interleaved: a busy spell falls on all
            for placement, form, kilobytes in cases:
                cell = CellSpec(
                    run="bench",
                    block=0,
                    cell=next(number),
                    trace=str(traces[kilobytes]),
                    engine=f"recorded-{placement}",
                    placement=placement,
                    model=model,
                    stream=form == "streamed",
                )
                assert server.ask(op="open", cell=cell.to_json()) == {"ok": True}
                played = client.ask(op="run", cell=cell.to_json(), url=server.ready["url"])
                closed = server.ask(op="close", cell=cell.cell)
                assert played["ok"], played
                assert closed["ok"], closed
                rows = [r for r in join_rows(cell, played["rows"], closed["rows"]) if r["kind"] == "turn"]
                found = floor.setdefault((placement, form, kilobytes), [])
                for one, two in itertools.pairwise(rows):
                    found.append(two["intended_ns"] - one["intended_ns"] - one["ttft_ns"] - one["decode_ns"])
                if form == "streamed":
                    late += [
                        r["last_token_ns"] - r["prompt_read_ns"] - r["ttft_ns"] - r["decode_ns"] for r in rows
                    ]
    assert min(late) >= 0, "a token was early"
    assert all(min(values) > 0 for values in floor.values())
    figures = {
        "what": "harness floor a turn (recorded controls, loopback, model time taken off) and pacing error",
        "model": asdict(model),
        "floor_us": {
            f"{placement}-placed, {form}, {kb} kB": {
                **quantiles_us(values),
                **({"target_p50": TARGETS_NS[form, kb] / 1e3} if placement == "client" else {}),
            }
            for (placement, form, kb), values in floor.items()
        },
        "last_token_error_us": {**quantiles_us(late), "target_p50": 50, "target_p99": 300, "turns": len(late)},
    }
    write_receipt("model_time", figures)
