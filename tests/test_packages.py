"""Packages import downwards only, and importing one runs nothing but its modules."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT

LIBRARY = ROOT / "workflow_scripts/lohrec"
MODULES = sorted(LIBRARY.rglob("*.py"))
# Each imports from itself and from those before it.
ORDER = (
    "common", "configuration", "data", "identifiers", "evaluation", "teacher", "recommender",
    "serving", "benchmarks", "elsewhere",
)  # fmt: skip
# Folders of modules that are found by name, and what each may import beside the packages above:
# modules in the same folder that build on one another. Nothing else in the library imports them.
FOUND_BY_NAME = {
    "data/sources": {"simulated": {"amazon2018"}},
    "recommender/losses": {},
    "recommender/methods": {"cascade": {"generative"}},
    "recommender/baselines": {},
}
# Packages whose import runs code: the front door, and what all networks are.
WITH_CODE = {"__init__.py", "recommender/networks/__init__.py"}


def imports(path: Path) -> Iterator[tuple[str, ...]]:
    """Modules of the library that a file imports, as parts of their names below it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        yield from (tuple(n.split(".")[1:]) for n in names if n.split(".")[0] == "lohrec")


@pytest.mark.parametrize("package", ORDER)
def test_a_package_imports_those_before_it(package: str) -> None:
    allowed = ORDER[: ORDER.index(package) + 1]
    for path in sorted((LIBRARY / package).rglob("*.py")):
        assert {parts[0] for parts in imports(path)} <= set(allowed), path


def test_every_package_has_its_place() -> None:
    packages = {path.parent for path in MODULES if path.name == "__init__.py"}
    assert packages == {path.parent for path in MODULES}
    assert {path.name for path in packages if path.parent == LIBRARY} == set(ORDER)


@pytest.mark.parametrize("folder", FOUND_BY_NAME)
def test_what_is_found_by_name_is_imported_by_its_like_alone(folder: str) -> None:
    for path in MODULES:
        place = path.relative_to(LIBRARY).as_posix()
        names = {
            parts[len(Path(folder).parts)]
            for parts in imports(path)
            if "/".join(parts).startswith(f"{folder}/")
        }
        if place.startswith(f"{folder}/"):
            assert names <= FOUND_BY_NAME[folder].get(path.stem, set()), place
        elif not place.startswith("benchmarks/"):  # which measure single ones
            assert not names, place


def test_importing_a_package_runs_no_code() -> None:
    for path in MODULES:
        place = path.relative_to(LIBRARY).as_posix()
        if path.name == "__init__.py" and place not in WITH_CODE:
            body = ast.parse(path.read_text(encoding="utf-8")).body
            assert not body or (len(body) == 1 and ast.get_docstring(ast.Module(body, []))), place


def test_jobs_run_elsewhere_with_pythons_own_library_alone() -> None:
    for path in sorted((LIBRARY / "elsewhere").glob("*.py")):
        assert {parts[0] for parts in imports(path)} <= {"elsewhere"}, path
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in getattr(node, "names", ()) if hasattr(alias, "name")]
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else names
            assert {name.split(".")[0] for name in names} <= {*sys.stdlib_module_names, "lohrec"}
