"""`curserve-bench replay`: the main job."""

from __future__ import annotations

from pathlib import Path

import click

from curserve_harness.cli.granting import grant_options
from curserve_harness.cli.numbers import SEED
from curserve_harness.cli.sandboxing import sandbox_option
from curserve_results.render import FORMS

BACKENDS = ("auto", "netem", "queue", "relay")


@click.command(context_settings={"show_default": True})
@click.option("--suite", default="quick", help="Bundled suite to replay.")
@click.option(
    "--trace", "traces", multiple=True, type=Path, help="Replay the traces of this file or folder instead."
)
@click.option(
    "--workspace",
    type=Path,
    help="Folder whose copies the calls run in; a trace has no other folder of this machine.",
)
@click.option("--rtt", "rtts", multiple=True, help="Round-trip time of the link, such as 150ms; repeatable.")
@click.option("--tier", "tiers", multiple=True, help="Named link instead of --rtt (or `all`); repeatable.")
@click.option("--last-mile", help="Round-trip time of the client's last mile, added to each tier, such as 20ms.")
@click.option("--backend", type=click.Choice(BACKENDS), default="auto", help="Link backend.")
@click.option(
    "--engine", "engines", multiple=True, help="Engine to run; repeatable. [default: all that work here]"
)
@click.option(
    "--model", "models", multiple=True, default=("swe-grep",), help="Model to pace; repeatable, or `all`."
)
@click.option("--repetitions", type=click.IntRange(1, 10_000), default=3, help="Blocks per trace, link and model.")
@click.option("--seed", type=SEED, default=1, help="Seed of the order of everything.")
@click.option(
    "--execute", type=click.Choice(["reads-and-edits", "all"]), default="reads-and-edits", help="What runs."
)
@click.option(
    "--pace", type=click.Choice(["real", "virtual"]), default="real", help="Wait for model time, or add it."
)
@click.option(
    "--api", type=click.Choice(["chat", "responses"]), default="chat", help="What client-placed turns send."
)
@click.option("--stream/--no-stream", default=True, help="Stream the model's tokens.")
@click.option(
    "--llm", type=click.Choice(["paced", "vllm"]), default="paced", help="Model server: paced, or the real vLLM."
)
@click.option("--vllm-args", default="", help="Options for vLLM's command line, such as '--model DIR'.")
@click.option(
    "--links-at-once",
    type=click.IntRange(1, 16),
    default=1,
    help="How many links run side by side, each between hosts of its own.",
)
@sandbox_option
@grant_options
@click.option("--format", "form", type=click.Choice(FORMS), default="table", help="Form of the printed table.")
@click.option("--out", type=Path, help="Run folder. [default: runs/<time>-<suite>]")
@click.option(
    "--resume",
    is_flag=True,
    help="Finish the interrupted run in --out; its plan holds, but files and folders must be named again.",
)
def command(out: Path | None, resume: bool, form: str, **options: object) -> None:
    """Replay recorded traces over a link, running every tool call for real, and print one table."""
    from curserve_harness.plan.resolve import ReplayOptions
    from curserve_harness.run.replay import replay  # heavy imports wait until they are needed

    click.echo(replay(ReplayOptions(**options), out=out, resume=resume, form=form))  # type: ignore[arg-type]
