"""`--sandbox` of every verb that executes: what holds the commands of recordings."""

from __future__ import annotations

import click

KINDS = ("auto", "bwrap", "gvisor", "landlock")

sandbox_option = click.option(
    "--sandbox",
    type=click.Choice(KINDS),
    default="auto",
    show_default=True,
    help="What holds commands: bubblewrap (auto: that or nothing), or the weaker Landlock, never as root.",
)
