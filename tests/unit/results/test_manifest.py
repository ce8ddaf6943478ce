"""A manifest that was mended by hand or cut by a machine is refused at the door, with the field that is wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_runs import Truth, write_run

from curserve_results.errors import ResultsError
from curserve_results.manifest import read_manifest

Data = dict[str, Any]
WRONG: dict[str, tuple[Callable[[Data], object], str]] = {
    "calibration": (lambda m: m["links"][0].update(calibration=[]), r"links\[0\].calibration: expected an object"),
    "tcp": (lambda m: m["links"][0].update(tcp=[1]), r"links\[0\].tcp: expected an object"),
    "rtt": (lambda m: m["links"][0].update(requested_rtt_ns=None), r"requested_rtt_ns: expected a whole number"),
    "negative rtt": (lambda m: m["links"][0].update(requested_rtt_ns=-1), "requested_rtt_ns is negative"),
    "NaN": (lambda m: m["links"][0].update(achieved_before_ns=float("nan")), "NaN is no number"),
    "infinity": (lambda m: m["floor"].update(p50_ns=float("inf")), "Infinity is no number"),
    "links": (lambda m: m.update(links={}), "links: expected a list"),
    "a link": (lambda m: m.update(links=["us-asia"]), r"links\[0\]: expected an object"),
    "a link's key": (lambda m: m["links"][0].update(colour=1), r"links\[0\]: no field 'colour'"),
    "floor": (lambda m: m.update(floor=[1]), "floor: expected an object"),
    "blocks": (lambda m: m.update(planned_blocks="nine"), "planned_blocks: expected a whole number, not 'nine'"),
    "a truth": (lambda m: m.update(planned_blocks=True), "planned_blocks: expected a whole number, not True"),
    "tpot": (lambda m: m["models"]["SWE-grep"].update(tpot_ns="abc"), "models.SWE-grep.tpot_ns: expected a whole"),
    "negative tpot": (lambda m: m["models"]["SWE-grep"].update(tpot_ns=-5), "SWE-grep: tpot_ns is negative"),
    "exclusions": (lambda m: m.update(exclusions=[1, None]), r"exclusions\[0\]: expected a string, not 1"),
    "traces": (lambda m: m.update(traces=[1]), "traces: expected an object"),
    "start": (lambda m: m.update(started_at=5), "started_at: expected a string, not 5"),
    "machine": (lambda m: m["machine"].update(cores="two"), "machine.cores: expected a whole number"),
    "no seed": (lambda m: m.pop("seed"), "seed"),
    "extra": (lambda m: m.update(extra=[1]), "extra: expected an object"),
    "at once": (lambda m: m["extra"].update(links_at_once="two"), "links_at_once must be a whole number"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_value_of_another_type_is_named(tmp_path: Path, what: str) -> None:
    change, says = WRONG[what]
    run = write_run(tmp_path / "run", Truth(traces=1, repetitions=1))
    path = run / "manifest.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    with pytest.raises(ResultsError, match=says) as caught:
        read_manifest(run)
    assert "\n" not in str(caught.value)


def test_what_was_written_reads_back_the_same(tmp_path: Path) -> None:
    manifest = read_manifest(write_run(tmp_path / "run", Truth()))
    manifest.write(tmp_path)
    assert read_manifest(tmp_path) == manifest
