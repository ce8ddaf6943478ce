"""`curserve-bench link`: measure the link, and run any command over it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from curserve_harness.cli.sandboxing import KINDS

if TYPE_CHECKING:
    from curserve_netem import Link

_OPTIONS = [
    click.option("--backend", default="auto", show_default=True, help="auto, netem, queue or relay."),
    click.option("--network", help="Addresses of the hosts, such as 10.1.2.0/30."),
    click.option("--jitter", help="Spread of the delay in each direction, such as 2ms."),
    click.option("--distribution", help="Of the jitter: uniform, normal, pareto or paretonormal."),
    click.option("--loss", help="Share of packets lost in each direction, such as 0.1%."),
    click.option("--reorder", help="Share of packets that overtake the others, such as 1%."),
    click.option("--rate", help="Bits per second in each direction, such as 100mbit."),
    click.option("--up-rate", help="Another rate from client to server."),
    click.option(
        "--limit", type=click.IntRange(1, 2**31 - 1), help="Packets that the link holds. [default: above the BDP]"
    ),
    click.option("--last-mile", help="Round-trip time of the client's access line, on top, such as 30ms."),
    click.option("--seed", type=click.IntRange(0, 2**62), default=0, help="Seed of loss and jitter."),
    click.option("--congestion", default="cubic", show_default=True, help="TCP congestion control."),
    click.option("--idle-restart/--no-idle-restart", default=True, show_default=True, help="TCP after idle time."),
    click.option("--mtu", type=int, default=1500, show_default=True, help="Largest packet in bytes."),
]


def _link_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def _links(rtts: str | None, tier: str | None, options: dict[str, Any]) -> list[Link]:
    """Read the options as links; LinkError says what makes no sense."""
    from dataclasses import replace

    from curserve_netem import Link, LinkError, Tcp, tiers
    from curserve_netem.parse import parse_duration_ns, parse_fraction, parse_rate_bps

    if not rtts and not tier:
        raise LinkError("no link given; add --rtt 150ms or --tier us-asia")
    tcp = Tcp(congestion=options["congestion"], idle_restart=options["idle_restart"], mtu=options["mtu"])
    readers: dict[str, tuple[str, Callable[[str], Any]]]
    readers = {"jitter": ("jitter_ns", parse_duration_ns), "loss": ("loss", parse_fraction)}
    readers |= {"reorder": ("reorder", parse_fraction), "rate": ("rate_bps", parse_rate_bps)}
    readers |= {"up_rate": ("up_rate_bps", parse_rate_bps), "distribution": ("distribution", str)}
    fields: dict[str, Any] = {"tcp": tcp, "limit": options["limit"] or 0, "seed": options["seed"]}
    fields |= {name: read(options[option]) for option, (name, read) in readers.items() if options[option]}
    found = [Link(rtt_ns=parse_duration_ns(rtt), **fields) for rtt in (rtts or "").split(",") if rtts]
    names = list(tiers.load()) if tier == "all" else [tier] if tier else []
    found += [replace(tiers.tier(name), **fields) for name in names]
    if options["last_mile"]:
        mile = Link(rtt_ns=parse_duration_ns(options["last_mile"]), name="last-mile")
        found = [link.with_last_mile(mile) for link in found]
    for link in found:
        for warning in link.warnings():
            click.echo(f"curserve-bench: warning: {warning}", err=True)
    return found


@click.group()
def command() -> None:
    """Measure the link between the two hosts, and run any command over it."""


@command.command()
@click.option("--rtt", "rtts", help="Round-trip times, such as 1ms,15ms,150ms.")
@click.option("--tier", help="A named link instead, or all.")
@click.option(
    "--samples", type=click.IntRange(1, 100_000), default=100, show_default=True, help="Round trips for each."
)
@click.option("--json", "as_json", is_flag=True, help="Print a list of rows.")
@click.option("--figure", type=click.Path(dir_okay=False), help="Also draw requested against achieved (SVG, PNG).")
@click.option("--document", type=click.Path(dir_okay=False, exists=True), help="Renew the table in this file.")
@_link_options
def calibrate(
    rtts: str | None,
    tier: str | None,
    backend: str,
    network: str | None,
    samples: int,
    as_json: bool,
    figure: str | None,
    document: str | None,
    **options: Any,
) -> None:
    """Measure requested against achieved; exit code 5 where a link is outside its tolerance."""
    from curserve_harness.console.exits import INCONCLUSIVE
    from curserve_harness.machine.link_table import calibrate_links, draw, print_table, renew

    rows = calibrate_links(_links(rtts, tier, options), backend, network, samples)
    if document:
        renew(document, rows)
    if figure:
        draw(rows, figure)
    if as_json:
        click.echo(json.dumps([row.to_json() for row in rows], indent=1))
    else:
        print_table(rows)
    if not all(row.calibration.ok for row in rows):
        raise SystemExit(INCONCLUSIVE)


@command.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--rtt", "rtt", help="Round-trip time, such as 150ms.")
@click.option("--tier", help="A named link instead.")
@click.option("--peer", help="A command line that runs on the server host meanwhile.")
@click.option(
    "--port",
    "ports",
    type=click.IntRange(1, 65_535),
    multiple=True,
    help="Port of the server host that a relay must lead to.",
)
@click.option(
    "--sandbox",
    type=click.Choice(KINDS),
    help="Hold the command in an empty folder with the link and nothing else. [default: it has all your rights]",
)
@_link_options
@click.argument("argv", nargs=-1, required=True)
def run(
    rtt: str | None,
    tier: str | None,
    backend: str,
    network: str | None,
    peer: str | None,
    ports: tuple[int, ...],
    sandbox: str | None,
    argv: tuple[str, ...],
    **options: Any,
) -> None:
    """Run a command on the client host; its peer is at the other end, at {peer} or $CURSERVE_PEER.

    The command and --peer run with all your rights, as if you had started them; --sandbox holds the command.
    """
    from curserve_harness.machine.link_run import run_over
    from curserve_netem import LinkError

    links = _links(rtt, tier, options)
    if len(links) != 1:
        raise LinkError("link run takes one link: one --rtt, or one --tier")
    raise SystemExit(run_over(links[0], backend, network, argv, peer, ports, sandbox))
