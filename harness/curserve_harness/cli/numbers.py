"""Numbers of several verbs, within what a run can do with them."""

from __future__ import annotations

import math
from typing import Any

import click

SEED = click.IntRange(0, 2**63 - 1)
"""A seed: what every generator of random numbers that we use takes."""


class Seconds(click.FloatRange):
    """A time limit: from a millisecond to a day, and a number at all."""

    def __init__(self) -> None:
        super().__init__(0.001, 86_400)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds; refuses what compares with nothing."""
        seconds = float(super().convert(value, param, ctx))
        if math.isnan(seconds):
            self.fail(f"{value!r} is no number of seconds.", param, ctx)
        return seconds
