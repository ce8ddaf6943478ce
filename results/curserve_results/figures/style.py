"""How figures look: sized for a column, colour-blind-safe, fonts embedded, one colour an engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

COLUMN = 3.4
"""Width of a column in inches; `WIDE` spans two."""

WIDE = 7.0

# Okabe and Ito's palette (https://jfly.uni-koeln.de/color/), distinct in all common forms of colour blindness
COLOURS = {
    "recorded-client": "#999999",
    "recorded-server": "#bbbbbb",
    "client-subprocess": "#d55e00",
    "server-subprocess": "#e69f00",
    "daemon": "#0072b2",
    "vllm": "#009e73",
    "mirror": "#cc79a7",
}
_SPARE = ("#56b4e9", "#f0e442", "#000000")
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), "-")

PARTS = {
    "uplink": "#56b4e9",
    "TTFT": "#bbbbbb",
    "decode": "#777777",
    "downlink": "#0072b2",
    "dispatch": "#009e73",
    "tool": "#d55e00",
}

RC: Any = {
    "font.size": 7,
    "axes.titlesize": 7,
    "axes.labelsize": 7,
    "legend.fontsize": 6,
    "xtick.labelsize": 6,
    "ytick.labelsize": 6,
    "pdf.fonttype": 42,  # embed fonts as TrueType
    "ps.fonttype": 42,
    "svg.fonttype": "path",  # no font is needed to show it
    "svg.hashsalt": "curserve-bench",  # the same data gives the same file
    "savefig.dpi": 300,
    "savefig.bbox": "tight",
    "savefig.pad_inches": 0.02,
    "figure.constrained_layout.use": True,
    "axes.axisbelow": True,
    "axes.linewidth": 0.6,
    "grid.linewidth": 0.4,
    "lines.linewidth": 1.0,
    "lines.markersize": 3.5,
}


def colours(engines: Iterable[str]) -> dict[str, str]:
    """Return an engine's colour; unknown engines share the spare ones in turn."""
    found, spare = {}, 0
    for engine in engines:
        if engine in COLOURS:
            found[engine] = COLOURS[engine]
        else:
            found[engine] = _SPARE[spare % len(_SPARE)]
            spare += 1
    return found


@contextmanager
def styled() -> Iterator[Any]:
    """Give matplotlib's pyplot with our style, off screen; what was set before is restored."""
    import matplotlib as mpl

    before = mpl.get_backend()
    mpl.use("Agg")
    import matplotlib.pyplot as plt
    import seaborn as sns

    try:
        with sns.axes_style("whitegrid"), plt.rc_context(RC):
            yield plt
    finally:
        mpl.use(before, force=False)


def plain(text: str) -> str:
    """Return text that matplotlib draws as it is: a dollar would start a formula."""
    return "".join(c if c.isprintable() else " " for c in text).replace("$", r"\$")
