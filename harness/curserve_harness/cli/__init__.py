"""The command line: one file per verb, loaded only when it is called, so that --help stays fast."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

import click

from curserve_harness.console import exits, memory, streams, terminal
from curserve_harness.console.interrupt import terminable

VERBS: dict[str, str] = {
    # verb: one line for --help; its module is curserve_harness.cli.<verb>, its command `command`
    "replay": "Replay a suite or traces over a link, against engines; print the table.",
    "simulate": "Predict a serving cluster under many sessions, with measured tool times.",
    "load": "Play many sessions at once against one server; print goodput and latencies.",
    "top": "Say what a running replay, load or sweep is doing.",
    "sweep": "Run the replays, loads and simulations of a plan, here or on a Ray cluster.",
    "report": "Print the tables of a run, explain a number, renew a document, write the HTML page.",
    "figures": "Draw every figure of a run as PDF, SVG and PNG.",
    "demo": "Write a page that plays a run side by side, with sliders for distance and speed.",
    "compare": "Compare two runs, group by group.",
    "baseline": "Keep runs under a name: save, list, show.",
    "bench": "Measure whole commands (startup), search engines (search) and real agents (agents).",
    "gate": "Decide whether a candidate regresses: pass, fail or inconclusive.",
    "engines": "List the installed engines, their versions, and what is missing.",
    "llm": "Serve a recorded trace at a model's pace, over OpenAI's API; list the model profiles.",
    "verify": "Compare an engine's answers with those of the real programs, call by call.",
    "call": "Send tool calls (JSON lines) to one engine; print an answer line for each.",
    "link": "Calibrate the link, or run any command over it.",
    "doctor": "Say which link backends work on this machine, why others do not, and what to do.",
    "trace": "Import, list, show, validate, summarise, mask, export, check and record traces.",
}


LIGHT = ("engines", "llm", "call", "link", "doctor")
"""Verbs that load no library for tables; the others say at once where memory is too little for those."""


class Verbs(click.Group):
    """A group that knows its verbs by name and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the verbs in the order of VERBS."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the verb's module and return its command."""
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"{__name__}.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the verbs and their lines without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="curserve-bench")
@click.pass_context
def cli(context: click.Context) -> None:
    """Replay recorded coding-agent trajectories over a calibrated link, running every tool call for real."""
    if context.invoked_subcommand not in (None, *LIGHT):
        memory.demand(str(context.invoked_subcommand))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; the entry point of `curserve-bench`. Never shows a traceback for bad input."""
    streams.guard()
    code = _run(arguments)
    try:
        streams.finish()
    except streams.ReaderLeft:
        pass
    except OSError as error:
        if code != exits.EXECUTION_FAILED:  # else it was told
            print(f"curserve-bench: {exits.line_of(error)}", file=sys.stderr)
        code = exits.EXECUTION_FAILED
    sys.exit(code)


def _run(arguments: Sequence[str] | None) -> int:
    """Run the command line, say what went wrong in a line, and return the exit code."""
    code: object
    try:
        with terminable():
            code = cli.main(args=arguments, prog_name="curserve-bench", standalone_mode=False)
    except SystemExit as error:
        code = error.code
    except click.ClickException as error:
        error.show()
        code = exits.BAD_INPUT
    except (click.Abort, KeyboardInterrupt):
        print("curserve-bench: interrupted; what was finished is kept", file=sys.stderr)
        code = 130
    except streams.ReaderLeft:
        code = exits.PASS  # it had enough (`| head`)
    except Exception as error:
        code = exits.code_of(error)
        if code is None:
            raise  # a defect of ours: the traceback is wanted
        print(f"curserve-bench: {terminal.line(exits.line_of(error))}", file=sys.stderr)
    return code if isinstance(code, int) else exits.PASS
