"""`curserve-bench simulate`: a serving cluster under load, predicted."""

from __future__ import annotations

from pathlib import Path

import click

from curserve_harness.cli.numbers import SEED
from curserve_results.render import FORMS

ROUTERS = ("dealt", "round-robin", "least-loaded", "affinity", "prefix")
LINKS = ("nvlink", "rdma-400g", "tcp-25g")
NEXT_TURNS = ("recompute", "transfer", "append")


@click.command(context_settings={"show_default": True})
@click.option("--suite", default="swe", help="Bundled suite whose turns are played, or `synthetic`.")
@click.option(
    "--trace", "traces", multiple=True, type=Path, help="Play the traces of this file or folder instead."
)
@click.option(
    "--trace-load",
    type=Path,
    help="Ask what a recorded load of a service asked instead; `--arrivals recorded`: when it did.",
)
@click.option(
    "--tools", type=Path, help="Run folder of `replay`: tool times are drawn from its samples.  [required]"
)
@click.option(
    "--engine",
    "engines",
    multiple=True,
    default=("client-subprocess", "daemon"),
    help="Engine whose tool times are drawn; repeatable.",
)
@click.option(
    "--tier", "tiers", multiple=True, default=("us-asia",), help="Link of --tools, or `all`; repeatable."
)
@click.option("--mix", help="Users in several places at once, such as same-coast=0.5,us-asia=0.5.")
@click.option("--model", "models", multiple=True, default=("llama-8b",), help="Model that serves; repeatable.")
@click.option("--gpu", default="h100", help="GPU (or several) of a replica, as in the table of step times.")
@click.option("--step-times", type=Path, help="Your own table of step times.")
@click.option("--kv", help="KV memory of a replica, such as 40GB. [default: that of the GPU]")
@click.option("--kv-per-token", help="KV of a token, such as 128KiB. [default: that of the model]")
@click.option("--t0", help="Time of any step, such as 6ms or 5ms..7ms: a range is swept.")
@click.option("--tp", help="Time per token of a prompt, or a range.")
@click.option("--td", help="Time per request that decodes, or a range.")
@click.option("--tk", help="Time per token whose KV is read, or a range.")
@click.option("--replicas", type=click.IntRange(1, 1024), default=1, help="Servers.")
@click.option("--router", type=click.Choice(ROUTERS), default="affinity", help="Which replica answers a turn.")
@click.option("--policy", default="request", help="KV in the tool gap: request, session[:60s] or ttl:2s.")
@click.option("--offload", help="Memory of each replica's host for KV, such as 200GB.")
@click.option(
    "--disaggregated",
    multiple=True,
    help="Replicas for prompts and for replies, such as 2p6d, or `colocated`; repeatable, to compare.",
)
@click.option("--link", type=click.Choice(LINKS), default="rdma-400g", help="Link between the two.")
@click.option(
    "--next-turn",
    type=click.Choice(NEXT_TURNS),
    default="recompute",
    help="With --disaggregated: the last reply is computed again, comes back, or the decoder goes on.",
)
@click.option("--fail", multiple=True, help="A replica that fails, such as 0@60s+30s; repeatable.")
@click.option("--tool-workers", type=click.IntRange(1, 1_000_000), help="Processors for tools on the server.")
@click.option(
    "--arrivals",
    default="closed",
    help="closed, 'poisson 2/s', 'poisson 2/s..200/s', 'gamma 2/s cv 3', 'diurnal 1/s peak 4/s period 10min'.",
)
@click.option("--sessions", help="Users of a closed load, or a range such as 1..256.")
@click.option("--think", help="What a user waits between two sessions, such as 5s.")
@click.option("--duration", help="Time in which sessions of an open load arrive.  [default: 300s]")
@click.option("--tasks", type=click.IntRange(1, 10_000_000), help="Sessions, in place of a duration.")
@click.option("--warm-up", help="Of an open load: what arrives before does not count.  [default: a fifth]")
@click.option("--points", type=click.IntRange(2, 100), default=5, help="Loads of a range, evenly by ratio.")
@click.option("--slo", "slos", multiple=True, help="Objectives, such as 'ttft p95 <= 500ms, task p95 <= 60s'.")
@click.option(
    "--repetitions", type=click.IntRange(1, 10_000), default=20, help="Repetitions, each with its own draws."
)
@click.option("--seed", type=SEED, default=1, help="Seed of all draws; the same in every engine.")
@click.option(
    "--threads", type=click.IntRange(1, 1024), help="Cells that run at once; the results do not depend on it."
)
@click.option(
    "--most-sessions",
    type=click.IntRange(1, 10_000_000),
    default=20_000,
    help="Stop where more sessions than this are there at once.",
)
@click.option("--format", "form", type=click.Choice(FORMS), default="table", help="Form of the printed tables.")
@click.option("--out", type=Path, help="Run folder. [default: runs/<time>-simulated]")
@click.option("--resume", is_flag=True, help="Finish the interrupted simulation in --out, with the same options.")
def command(out: Path | None, resume: bool, form: str, **options: object) -> None:
    """Simulate a serving cluster under many sessions, with measured tool times, and print what is predicted."""
    from curserve_harness.simulate.options import SimulateOptions
    from curserve_harness.simulate.run import simulate  # heavy imports wait until they are needed

    click.echo(simulate(SimulateOptions(**options), out=out, resume=resume, form=form))  # type: ignore[arg-type]
