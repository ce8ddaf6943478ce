"""`curserve-bench doctor`: what works on this machine, what does not, and what to do."""

from __future__ import annotations

import json

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a list of findings.")
def command(as_json: bool) -> None:
    """Say which link backends work on this machine, why others do not, and what to do."""
    from curserve_harness.console.exits import SETUP_FAILED
    from curserve_harness.machine.doctor import examine

    findings = examine()
    if as_json:
        click.echo(json.dumps([finding.to_json() for finding in findings], indent=1))
    else:
        for finding in findings:
            sign = {"works": "✓", "missing": "✗", "note": "·"}[finding.state]
            click.echo(f"{sign} {finding.subject}: {finding.detail}")
    if not any(finding.subject.startswith("link backend") and finding.state == "works" for finding in findings):
        raise SystemExit(SETUP_FAILED)
