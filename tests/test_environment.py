"""The environment is pinned, and pinned the same everywhere."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import yaml
from conftest import ROOT
from packaging.requirements import Requirement


def pins(lines: list[str]) -> dict[str, str]:
    return dict(line.split("==") for line in lines if line and not line.startswith("-r"))


def test_the_conda_environment_has_the_pins_of_requirements() -> None:
    requirements = pins((ROOT / "requirements.txt").read_text().split("\n"))
    environments = sorted((ROOT / "envs").glob("*.yaml"))
    assert environments
    for path in environments:
        parts = yaml.safe_load(path.read_text())["dependencies"]
        (pip,) = [part["pip"] for part in parts if isinstance(part, dict)]
        assert pins(pip) == requirements, path.name


def test_every_requirement_is_pinned() -> None:
    for path in ROOT.glob("requirements*.txt"):
        for line in path.read_text().splitlines():
            assert re.fullmatch(r"-r \S+|[A-Za-z0-9_.-]+==[0-9][0-9A-Za-z.]*", line), (path, line)


def test_the_lock_has_the_pins_with_hashes_on_every_python_and_no_address() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text
    locked = {python: {} for python in ("3.11.0", "3.12.0", "3.13.0")}
    for package in re.split(r"\n(?=\S)", text.strip()):
        line, *hashes = package.replace("\\", "").split("\n")
        assert hashes
        for one in hashes:
            assert re.fullmatch(r" +--hash=sha256:[0-9a-f]{64} ?", one)
        one = Requirement(line)
        for python, found in locked.items():
            here = {"python_full_version": python, "python_version": python[:4]}
            if one.marker is None or one.marker.evaluate(here):
                found[one.name] = str(one.specifier).removeprefix("==")
    asked = pins((ROOT / "requirements.txt").read_text().split("\n"))
    for found in locked.values():
        assert asked.items() <= found.items()
        assert len(found) > len(asked)


def test_every_package_that_is_imported_is_required_by_name() -> None:
    normal, served = (
        {name.lower().replace("_", "-") for name in pins((ROOT / file).read_text().split("\n"))}
        for file in ("requirements.txt", "requirements-serve.txt")
    )
    distributions = packages_distributions()
    files = [*(ROOT / "workflow_scripts").rglob("*.py")]
    web = ROOT / "workflow_scripts/lohrec/serving/web.py"  # of the extra `serve`
    assert served <= {name.lower() for name in imported(web)}
    files.remove(web)
    own = {path.name for path in (ROOT / "workflow_scripts").iterdir()}
    # Whoever sets tracking to one of the first two installs it; RecBole has its own environment.
    own |= {"mlflow", "wandb", "recbole"}
    for module in set().union(*map(imported, files)) - sys.stdlib_module_names - own:
        owners = {name.lower().replace("_", "-") for name in distributions.get(module, ())}
        assert owners & normal, f"{module} is imported, and requirements.txt does not name it"


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module.split(".")[0])
    return names


def test_the_citation_has_the_version_of_the_package() -> None:
    package = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == package["version"]
    assert citation["license"] == package["license"]
