"""What the documents say is what the recorded runs say, and what they point to is there."""

import re
import shutil
from pathlib import Path

import pytest

from curserve_harness.cli.report import from_marker
from curserve_results.splice import splice
from curserve_results.summary import summarise
from curserve_results.tables import speed_up

HOME = Path(__file__).parents[3]
DOCUMENTS = sorted([HOME / "README.md", *(HOME / "docs").glob("*.md")])


@pytest.mark.parametrize("name", ["README.md", "docs/RESULTS.md"])
def test_the_tables_in_a_document_are_those_of_the_recorded_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(HOME)
    copy = tmp_path / "document.md"
    shutil.copy(HOME / name, copy)
    assert splice(copy, lambda arguments: from_marker(arguments, Path(name).parent)) >= 1
    assert copy.read_text() == (HOME / name).read_text(), f"renew it: curserve-bench report --splice {name}"


def test_the_sentence_with_the_result_has_the_measured_numbers() -> None:
    said = re.search(r"\*\*The result:\*\*(.*?)\n\n", (HOME / "README.md").read_text(), re.DOTALL)
    assert said is not None
    ratios = re.findall(r"(\d\.\d\d)(?= times)", said[1])
    rates = re.findall(r"(?:at )([\d,]+)(?: tokens/s|[,;])", said[1])
    summary = summarise(HOME / "results/recorded/reference-2026-11-21")
    measured = {}
    for model in summary.manifest.models:
        found, tpot = speed_up(summary, "us-asia", model, "chat", "daemon"), summary.tpot_ns(model)
        assert found is not None
        assert tpot is not None
        measured[f"{1e9 / tpot:,.0f}"] = f"{found.estimate:.2f}"
    assert len(ratios) == len(rates) == 3
    assert [measured[rate] for rate in rates] == ratios


def test_the_readme_is_short() -> None:
    assert len((HOME / "README.md").read_bytes()) <= 7000


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_points_to_is_there(document: Path) -> None:
    text = document.read_text()
    for place, anchor in re.findall(r"(?:\]\(|src=\"|srcset=\")(?!https?:)([^)#\" ]*)(?:#([^)\" ]+))?", text):
        target = document.parent / place if place else document
        assert target.exists(), f"{document.name} points to {place}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)
            known = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in known, f"{document.name} points to {place}#{anchor}"
