"""`curserve-bench load`: many sessions at once against one server."""

from __future__ import annotations

from pathlib import Path

import click

from curserve_harness.cli.granting import grant_options
from curserve_harness.cli.numbers import SEED
from curserve_harness.cli.replay import BACKENDS
from curserve_harness.cli.sandboxing import sandbox_option
from curserve_results.render import FORMS


@click.command(context_settings={"show_default": True})
@click.option("--suite", default="quick", help="Bundled suite whose traces the sessions play.")
@click.option(
    "--trace", "traces", multiple=True, type=Path, help="Play the traces of this file or folder instead."
)
@click.option("--workspace", type=Path, help="Folder whose copies the calls run in.")
@click.option("--sessions", type=click.IntRange(1), help="Users of a closed load. [default: 1]")
@click.option("--think", help="How long a user thinks between two sessions, such as 5s.")
@click.option(
    "--arrivals",
    default="closed",
    help="closed, 'poisson 2/s', 'gamma 2/s cv 3', 'diurnal 1/s peak 4/s period 10min'.",
)
@click.option("--trace-load", type=Path, help="A recorded load (Mooncake, kv-cache-tester, Azure): its times.")
@click.option(
    "--tools", type=Path, help="Run folder of `replay`: calls take what they took there, instead of running."
)
@click.option("--ramp", help="Begin the users, or grow to the rate, in this time.")
@click.option(
    "--duration", help="Start sessions for this long, such as 60s; those that still run then end by themselves."
)
@click.option("--tasks", "count", type=click.IntRange(1), help="Sessions in all. [default: one a user]")
@click.option("--warm-up", help="Cut sessions that were meant to start in this time at the beginning.")
@click.option("--cool-down", help="Cut sessions that were meant to start in this time at the end of --duration.")
@click.option(
    "--slo",
    "slos",
    multiple=True,
    help="What is to hold, such as 'ttft p95 <= 500ms, task p95 <= 60s'; repeatable.",
)
@click.option("--rtt", "rtts", multiple=True, help="Round-trip time of the link, such as 150ms; repeatable.")
@click.option("--tier", "tiers", multiple=True, help="Named link instead of --rtt (or `all`); repeatable.")
@click.option("--last-mile", help="Round-trip time of the client's last mile, added to each tier, such as 20ms.")
@click.option("--mix", is_flag=True, help="Clients on all links at once, instead of one link after the other.")
@click.option(
    "--hosts",
    type=click.IntRange(1, 64),
    default=1,
    help="Client hosts on each link, each with a link of its own.",
)
@click.option("--backend", type=click.Choice(BACKENDS), default="auto", help="Link backend.")
@click.option(
    "--engine", "engines", multiple=True, help="Engine to run; repeatable. [default: all that work here]"
)
@click.option(
    "--model", "models", multiple=True, default=("swe-grep",), help="Model to pace; repeatable, or `all`."
)
@click.option("--gpu", help="GPU that serves --model, such as h100: all turns share its steps and its KV memory.")
@click.option("--step-times", type=Path, help="Step times of your own, as step_times.toml has them.")
@click.option("--kv-blocks", type=click.IntRange(1), help="Blocks of 16 tokens of KV memory. [default: the GPU's]")
@click.option("--max-num-seqs", type=click.IntRange(1), default=1024, help="Requests that run at once on --gpu.")
@click.option("--keep-kv", is_flag=True, help="On --gpu, server-placed sessions keep their KV through tool calls.")
@click.option(
    "--repetitions", type=click.IntRange(1, 10_000), default=1, help="Independent loads, each with its own draw."
)
@click.option("--seed", type=SEED, default=1, help="Seed of the sessions, their times and the order of engines.")
@click.option(
    "--execute", type=click.Choice(["reads-and-edits", "all"]), default="reads-and-edits", help="What runs."
)
@click.option(
    "--api", type=click.Choice(["chat", "responses"]), default="chat", help="What client-placed turns send."
)
@click.option("--stream/--no-stream", default=True, help="Stream the model's tokens.")
@click.option("--floor/--no-floor", default=True, help="Measure the harness by controls at the same load.")
@click.option(
    "--find", type=click.Choice(["capacity"]), help="The most --sessions at which --slo holds, by bisection."
)
@sandbox_option
@grant_options
@click.option("--format", "form", type=click.Choice(FORMS), default="table", help="Form of the printed table.")
@click.option("--out", type=Path, help="Run folder. [default: runs/<time>-load-<suite>]")
@click.option("--resume", is_flag=True, help="Finish the interrupted load in --out; give the same options again.")
def command(
    out: Path | None,
    resume: bool,
    form: str,
    slos: tuple[str, ...],
    sessions: int | None,
    think: str | None,
    arrivals: str,
    ramp: str | None,
    duration: str | None,
    count: int | None,
    warm_up: str | None,
    cool_down: str | None,
    mix: bool,
    hosts: int,
    floor: bool,
    gpu: str | None,
    step_times: Path | None,
    kv_blocks: int | None,
    max_num_seqs: int,
    keep_kv: bool,
    find: str | None,
    trace_load: Path | None,
    tools: Path | None,
    **options: object,
) -> None:
    """Play many sessions at once against one server, every tool call for real, and judge them by an SLO."""
    from curserve_harness.console.exits import BadInput
    from curserve_harness.plan.arriving import parse_arrivals
    from curserve_harness.plan.resolve import ReplayOptions
    from curserve_harness.plan.serving import declare
    from curserve_harness.prepare.sampled import read_times
    from curserve_harness.run.capacity import MOST, find_capacity
    from curserve_harness.run.load import LoadOptions, load
    from curserve_results.slo import parse_slo
    from curserve_traces.loads import read_load

    recorded: list[int] = []
    if trace_load is not None:
        if arrivals != "recorded":
            raise BadInput("--trace-load: its times are for --arrivals recorded; add that, or drop the file")
        recorded = [session.start_ns for session in read_load(trace_load)]
    declared = parse_arrivals(
        arrivals,
        recorded_ns=recorded,
        sessions=sessions,
        think=think,
        ramp=ramp,
        duration=duration,
        count=count,
        warm_up=warm_up,
        cool_down=cool_down,
    )
    slo = str(parse_slo(slos)) if slos else None
    serving = None
    if gpu is not None:
        models = options.pop("models")
        assert isinstance(models, tuple)
        if len(models) != 1:
            raise BadInput("--model: one server serves one model; give one with --gpu")
        serving = declare(
            *(models[0], gpu),
            step_times=step_times,
            kv_blocks=kv_blocks,
            max_num_seqs=max_num_seqs,
            keep=keep_kv,
        )
    elif step_times or kv_blocks or keep_kv:
        raise BadInput("--step-times, --kv-blocks, --keep-kv: they are of a server that is shared; add --gpu")
    replay = ReplayOptions(**options)  # type: ignore[arg-type]
    times = read_times(tools) if tools is not None else None
    asked = LoadOptions(
        replay=replay,
        arrivals=declared,
        slo=slo,
        hosts=hosts,
        mix=mix,
        floor=floor,
        serving=serving,
        times=times,
    )
    if find is not None:
        if resume:
            raise BadInput("--resume: a search for a capacity is begun anew; drop it, and choose another --out")
        click.echo(find_capacity(asked, most=sessions or MOST, out=out, form=form))
        return
    click.echo(load(asked, out=out, form=form, resume=resume))
