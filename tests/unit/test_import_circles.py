"""No module imports itself by way of others: what a file needs can be read, and tested, before the file."""

import graphlib
from pathlib import Path

import grimp
import pytest

PACKAGES = sorted(path.parent.name for path in Path(__file__).parents[2].glob("*/curserve_*/__init__.py"))


def circle(imports: dict[str, set[str]]) -> list[str]:
    """Return the modules of a circle, the first one again at the end; `imports` has what each module imports."""
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_of_a_package_imports_itself_in_a_circle(package: str) -> None:
    """Imports in functions and for types count too: they only hide a circle."""
    graph = grimp.build_graph(package, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    found = circle(imports)
    assert not found, f"{' <- '.join(found)}: move what both need to a module below both"


def test_all_five_packages_are_looked_at() -> None:
    assert len(PACKAGES) == 5


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}})
    assert not circle({"a": {"b", "c"}, "b": {"c"}, "c": set()})
