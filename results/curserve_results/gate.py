"""The gate: pass, fail or inconclusive, from effects that were measured. Main names: `decide`, `Decision`.

It fails only if an effect's lower bound is above zero, the effect is above both the limit and the noise floor, and
a confirmation run agrees; it passes only if every upper bound is below the limit, that is, if the test had the
power to see a regression of that size; anything else is inconclusive. What makes a run worthless (missing cells,
more wrong answers, a void link, an implausible speed-up) fails by itself.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from xml.sax.saxutils import escape, quoteattr

from curserve_results.errors import ResultsError
from curserve_results.missing import lacking, missing
from curserve_results.schema import CONTROLS

if TYPE_CHECKING:
    from curserve_results.compare import Effect, Group
    from curserve_results.summary import Summary

Verdict = Literal["pass", "fail", "inconclusive"]

IMPLAUSIBLE = math.log(10)
"""A candidate faster than its baseline by more than this has most likely stopped doing the work."""

BELOW_CONTROL = math.log(0.8)
"""An engine cannot beat the control of its own placement, which does nothing; this much is noise."""


@dataclass(frozen=True, slots=True)
class GroupJudgement:
    """The verdict on one group, with its reason in one line."""

    effect: Effect
    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The gate's answer; `faults` are what makes the candidate fail whatever its times are."""

    verdict: Verdict
    limit: float
    judgements: tuple[GroupJudgement, ...]
    faults: tuple[str, ...] = ()
    needs_confirmation: bool = False

    def lines(self) -> tuple[str, ...]:
        """Return the reasons, most important first."""
        order = {"fail": 0, "inconclusive": 1, "pass": 2}
        judged = sorted(self.judgements, key=lambda j: order[j.verdict])
        return (
            f"{self.verdict.upper()} at a limit of {math.expm1(self.limit):.1%}",
            *self.faults,
            *(f"{j.verdict}: {_name(j.effect)}: {j.reason}" for j in judged),
        )


def parse_limit(text: str) -> float:
    """Read a limit such as `5%` and return ln(1.05); a threshold without unit is a ResultsError."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", text)
    if match is None or not 0 < float(match[1]) <= 1000:
        raise ResultsError(f"--max-regression {text!r}: expected a percentage above 0 with its unit, such as 5%")
    return math.log1p(float(match[1]) / 100)


def decide(
    effects: Sequence[Effect],
    limit: float,
    confirmation: Sequence[Effect] | None = None,
    faults: Sequence[str] = (),
) -> Decision:
    """Judge `effects` (ln candidate / baseline) against `limit`, in log units.

    Without `confirmation` a regression that was seen is inconclusive, and `needs_confirmation` is true. Groups
    without an interval, or a run with nothing to judge, are inconclusive.
    """
    again = None if confirmation is None else {(e.group, e.metric): e for e in confirmation}
    judgements = tuple(_judge(effect, limit, again) for effect in effects if effect.group[3] not in CONTROLS)
    verdicts = {j.verdict for j in judgements}
    seen = any(_regressed(j.effect, limit) for j in judgements)
    implausible = [
        f"implausible: {_name(e)} is {math.exp(-e.ratio.estimate):.1f} times as fast as the baseline"
        for e in effects
        if e.ratio.estimate < -IMPLAUSIBLE and e.group[3] not in CONTROLS
    ]
    faults = (*faults, *implausible)
    verdict: Verdict = "pass"
    if faults or "fail" in verdicts:
        verdict = "fail"
    elif not judgements or "inconclusive" in verdicts:
        verdict = "inconclusive"
    return Decision(verdict, limit, judgements, faults, seen and confirmation is None and not faults)


def _regressed(effect: Effect, limit: float) -> bool:
    """Return whether an effect shows a regression: real, above the limit, above the noise."""
    return (
        effect.ratio.low is not None
        and effect.ratio.low > 0
        and effect.floor is not None
        and effect.ratio.estimate > max(limit, effect.floor)
    )


def _judge(effect: Effect, limit: float, again: dict[tuple[Group, str], Effect] | None) -> GroupJudgement:
    """Judge one group."""
    ratio, size = effect.ratio, f"{math.expm1(effect.ratio.estimate):+.1%}"
    if ratio.low is None or ratio.high is None:
        return GroupJudgement(effect, "inconclusive", f"{size}, but {ratio.blocks} blocks carry no interval")
    size += f" [{math.expm1(ratio.low):+.1%} to {math.expm1(ratio.high):+.1%}]"
    if _regressed(effect, limit):
        if again is None:
            return GroupJudgement(effect, "inconclusive", f"{size}: slower; a confirmation run has to agree")
        second = again.get((effect.group, effect.metric))
        if second is not None and _regressed(second, limit):
            confirmed = f"{math.expm1(second.ratio.estimate):+.1%}"
            return GroupJudgement(effect, "fail", f"{size}, confirmed by {confirmed}")
        return GroupJudgement(effect, "inconclusive", f"{size}: slower, but the confirmation run does not agree")
    if ratio.high < limit:
        return GroupJudgement(effect, "pass", size)
    if effect.floor is None and ratio.low > 0:
        return GroupJudgement(
            effect, "inconclusive", f"{size}: no noise floor was measured (three or more A/A runs)"
        )
    return GroupJudgement(effect, "inconclusive", f"{size}: not enough power to rule the limit out; more rounds")


def _name(effect: Effect) -> str:
    """Name a group and its metric."""
    link, model, api, engine = effect.group
    return f"{engine} {effect.metric.replace('_', ' ')} ({link}, {model}, {api})"


def faults_of(baseline: Sequence[Summary], candidate: Sequence[Summary]) -> tuple[str, ...]:
    """Return what makes the candidate's runs fail whatever their times are."""
    found = []
    for summary in candidate:
        manifest = summary.manifest
        if manifest.void_reason is not None:
            found.append(f"void: run {manifest.run}: {manifest.void_reason}")
        found += [f"void: link {link.name}: {link.void_reason}" for link in manifest.links if link.void_reason]
        found += missing(summary)
        found += lacking(baseline, summary)
        found += _below_control(summary)
    return (*found, *_wrong(baseline, candidate))


def _below_control(summary: Summary) -> list[str]:
    """Name engines whose tool round trips are faster than those of a control that does nothing."""
    import polars as pl

    means = (
        summary.cells.drop_nulls("log_round_trip")
        .group_by("link", "model", "api", "placement", "engine")
        .agg(log=(pl.col("log_round_trip") * pl.col("turns")).sum() / pl.col("turns").sum())
    )
    control = means.filter(pl.col("engine").is_in(list(CONTROLS))).drop("engine").rename({"log": "control"})
    both = means.filter(~pl.col("engine").is_in(list(CONTROLS))).join(
        control, on=["link", "model", "api", "placement"]
    )
    below = both.filter(pl.col("log") - pl.col("control") < BELOW_CONTROL)
    return [
        f"implausible: {row['engine']} ({row['link']}, {row['model']}) beats its control, which does nothing"
        for row in below.sort("engine").iter_rows(named=True)
    ]


def _wrong(baseline: Sequence[Summary], candidate: Sequence[Summary]) -> list[str]:
    """Name engines that answer wrongly more often than in the baseline."""
    shares = []
    for side in (baseline, candidate):
        judged: dict[str, list[int]] = {}
        for summary in side:
            for row in summary.calls.iter_rows(named=True):
                counts = judged.setdefault(row["engine"], [0, 0])
                counts[0] += row["judged"] - row["right"]
                counts[1] += row["judged"]
        shares.append({engine: (w / n if n else 0.0, w, n) for engine, (w, n) in judged.items()})
    return [
        f"wrong answers: {engine}: {wrong} of {of} ({share:.1%}; baseline {shares[0].get(engine, (0.0,))[0]:.1%})"
        for engine, (share, wrong, of) in sorted(shares[1].items())
        if share > shares[0].get(engine, (0.0,))[0]
    ]


def junit(decision: Decision) -> str:
    """Return the decision as a JUnit file: a test case a group, inconclusive ones skipped."""
    cases = []
    for judgement in decision.judgements:
        reason = quoteattr(judgement.reason)
        inner = {
            "pass": "",
            "fail": f"<failure message={reason}/>",
            "inconclusive": f"<skipped message={reason}/>",
        }
        name = quoteattr(_name(judgement.effect))
        cases.append(
            f'  <testcase classname="curserve-bench.gate" name={name}>{inner[judgement.verdict]}</testcase>'
        )
    cases += [
        f'  <testcase classname="curserve-bench.gate" name={quoteattr(fault.split(":")[0])}>'
        f"<failure>{escape(fault)}</failure></testcase>"
        for fault in decision.faults
    ]
    failures = len(decision.faults) + sum(j.verdict == "fail" for j in decision.judgements)
    skipped = sum(j.verdict == "inconclusive" for j in decision.judgements)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<testsuite name="curserve-bench gate" tests="{len(cases)}" failures="{failures}" skipped="{skipped}">\n'
        + "\n".join(cases)
        + "\n</testsuite>\n"
    )
