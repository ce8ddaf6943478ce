"""`curserve-bench llm`: the model server on its own, for any OpenAI client."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def command() -> None:
    """Serve a recorded trace at a model's pace, over OpenAI's API."""


@command.command()
@click.option(
    "--trace", "trace_path", type=click.Path(path_type=Path), help="A trace file: native, or importable."
)
@click.option("--model", default="swe-grep", show_default=True, help="A model profile; see `llm models`.")
@click.option("--models", "models_path", type=click.Path(path_type=Path), help="Your own profiles (TOML).")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0: any free port.")
@click.option("--pace", type=click.Choice(["real", "virtual"]), default="real", show_default=True)
def serve(trace_path: Path, model: str, models_path: Path | None, host: str, port: int, pace: str) -> None:
    """Answer every OpenAI client with the turns of a trace, until Ctrl-C.

    The turn is found by counting what the model has already said in the conversation that the client sends.
    """
    import asyncio

    import uvloop

    from curserve_harness.console.exits import BadInput, SetupFailed
    from curserve_harness.llm.script import make_script
    from curserve_harness.llm.standalone import serve_script
    from curserve_harness.plan import profiles
    from curserve_traces import codec

    if trace_path is None:
        raise BadInput("llm serve: --trace FILE is missing; name a trace file")
    profile = profiles.find(model, profiles.load(models_path))
    script = make_script(codec.load(trace_path), profile.model())

    def ready(url: str) -> None:
        click.echo(f"{profile.name} at {1e3 / profile.tpot_ms:.0f} tokens/s on {url}/v1 (Ctrl-C ends it)")

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve_script(script, host, port, ready, real_pace=pace == "real"))
    except OSError as error:
        raise SetupFailed(
            f"llm serve: {host}:{port}: {error.strerror}; choose another --host or --port"
        ) from error


@command.command()
@click.option("--models", "models_path", type=click.Path(path_type=Path), help="Your own profiles (TOML).")
def models(models_path: Path | None) -> None:
    """List the model profiles, with sources; what nobody measured is marked `assumed`."""
    from curserve_harness.plan import profiles

    for key, profile in profiles.load(models_path).items():
        click.echo(f"{key}: {profile.name}, {profile.tokens_per_s:g} tokens/s ({profile.tpot_ms:.2f} ms a token)")
        for field, text in (
            ("ttft_ms", f"TTFT {profile.ttft_ms:g} ms + uncached prompt tokens / prefill rate"),
            ("prefill_tokens_per_s", f"prefill {profile.prefill_tokens_per_s:g} tokens/s"),
        ):
            click.echo(f"    {text}{' (assumed)' if field in profile.assumed else ''}")
        click.echo(f"    {profile.source}")
