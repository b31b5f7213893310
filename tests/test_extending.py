"""docs/extending.md: its examples run as they are printed, and its walks are those of the code."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from conftest import ROOT
from forked_snakemake import snakemake
from test_packages import ORDER

from lohrec.configuration import registry

PAGE = (ROOT / "docs/extending.md").read_text()
TINY = {
    "sources": {"simulated": {"users": 200, "items": 80}},
    "text": {"dimensions": 16},
    "rqvae": {"network": {"hidden": [32]}, "training": {"epochs": 10}},
    "networks": {"t5": {"d_model": 32, "d_ff": 32}},
    "training": {"epochs": 1, "dev_users": 50},
}


def section(heading: str) -> str:
    """The text below a heading."""
    return re.split(r"^## ", PAGE.split(f"\n## {heading}\n")[1], flags=re.MULTILINE)[0]


def blocks(heading: str) -> dict[str, str]:
    """{file: what goes into it} of a section: the sentence before a block names its file."""
    text, *rest = re.split(r"^```\w*\n", section(heading), flags=re.MULTILINE)
    found = {}
    for block, after in zip(rest[::2], rest[1::2], strict=True):
        found[re.findall(r"In `([^`]+)`", text)[-1]] = block
        text = after
    return found


def target(heading: str) -> str:
    """What the section's command asks for."""
    (found,) = re.findall(r"`snakemake --cores 2 -- (\S+)`", section(heading))
    return found


def put(heading: str, folder: Path) -> list[Path]:
    """Do what a section says; the files that are new or changed.

    A block of YAML begins with the key below which the file gets the rest.
    """
    touched = []
    for name, block in blocks(heading).items():
        path = folder / name
        if path.suffix == ".yaml":
            key, row = block.split("\n", 1)
            before, after = re.split(rf"^{key}\n", path.read_text(), flags=re.MULTILINE)
            block = f"{before}{key}\n{row}{after}"
        else:
            assert not path.exists()
        path.write_text(block)
        touched.append(path)
    return touched


def run(folder: Path, *command: str) -> None:
    """Run Python in a copy of the repository, with the copy's library."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(folder / "workflow_scripts")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def make(folder: Path, target: str) -> Path:
    """Run the workflow up to a file."""
    asked = "--cores", "2", "--configfile", "tiny.yaml", "--", target
    status, said = snakemake(folder, *asked)
    assert status == 0, said
    return folder / target


@pytest.fixture(scope="module")
def workflow(tmp_path_factory) -> Path:
    """A copy of the repository in which the demonstration is tiny."""
    folder = tmp_path_factory.mktemp("workflow")
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("rules", "config", "profiles", "envs", "workflow_scripts", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("Snakefile", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    row = yaml.safe_load((ROOT / "config/config.yaml").read_text())["datasets"]["demo"]
    (folder / "tiny.yaml").write_text(
        yaml.safe_dump({"datasets": {"demo": row | {"settings": TINY}}})
    )
    return folder


def test_a_recommender_is_two_files(workflow: Path) -> None:
    heading = "Adding a recommender"
    assert len(put(heading, workflow)) == 2
    metrics = json.loads(make(workflow, target(heading)).read_text())
    assert 0 < metrics["test"]["recall@10"]["mean"] < 1
    run(workflow, "-m", "pytest", "tests/recommender/test_contract.py", "-k", "transitions")

    names = pq.read_table(workflow / "results/demo/data/items.parquet")["asin"].to_pylist()
    program = f"""import lohrec
found = lohrec.Recommender.load("results/demo/transitions/seed_0")
assert len(found.recommend([[{names[0]!r}]], top=5)[0]) == 5"""
    run(workflow, "-c", program)


def test_a_loss_is_two_files(workflow: Path) -> None:
    heading = "Adding a loss or a network"
    assert len(put(heading, workflow)) == 2
    saved = json.loads(make(workflow, target(heading)).read_text())
    assert saved["made"]["settings"]["objective"]["loss"] == "focal"
    assert saved["made"]["settings"]["objective"]["losses"] == {"focal": {"gamma": 1.5}}
    curve = json.loads((workflow / target(heading)).with_name("training.json").read_text())
    assert np.isfinite([row["loss"] for row in curve]).all()
    run(workflow, "-m", "pytest", "tests/recommender/test_losses.py", "-k", "focal")


def test_a_network_is_two_files(workflow: Path) -> None:
    networks = workflow / "workflow_scripts/lohrec/recommender/networks"
    text, start = (networks / "t5.py").read_text(), "        self.config = {"
    assert text.count(start) == 1
    (networks / "twin.py").write_text(text.replace(start, f'        print("a twin")\n{start}'))
    variants = workflow / "config/variants.yaml"
    row = (
        "  twin: {network: twin, settings: {networks: {twin: {d_model: 32, heads: 2, d_kv: 8}}}}\n"
    )
    variants.write_text(variants.read_text() + row)
    make(workflow, "results/demo/twin/seed_0/recommendations.parquet")
    assert "a twin" in (workflow / "logs/demo/fit/twin_seed_0.log").read_text()


def test_a_source_is_two_files(workflow: Path) -> None:
    heading = "Adding a source"
    assert len(put(heading, workflow)) == 2
    rng = np.random.default_rng(0)
    lines = [
        f"u{user}\ti{item}\t{time}\n"
        for user in range(60)
        for time, item in enumerate(rng.choice(20, 8, replace=False))
    ]
    (workflow / "resources/raw").mkdir(parents=True)
    (workflow / "resources/raw/shop.tsv").write_text("".join([*lines, lines[0]]))
    metrics = json.loads(make(workflow, target(heading)).read_text())
    assert metrics["users"] == 60 and metrics["statistics"]["interactions"] == len(lines)
    split = pq.read_table(workflow / "results/shop/data/examples.parquet")["split"].to_pylist()
    assert [split.count(name) for name in ("train", "dev", "test")] == [60 * 5, 60, 60]
    run(workflow, "-m", "pytest", "tests/data/test_sources.py", "-k", "tsv")


def test_the_examples_keep_the_style(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for heading in re.findall(r"^## (Adding a (?:recommender|loss|source).*)$", PAGE, re.MULTILINE):
        for name, block in blocks(heading).items():
            if name.endswith(".py"):
                (tmp_path / Path(name).name).write_text(block)
    assert len(list(tmp_path.glob("*.py"))) == 3
    run(tmp_path, "-m", "ruff", "check", ".")
    run(tmp_path, "-m", "ruff", "format", "--check", ".")


def test_the_tree_is_the_repository() -> None:
    top, packages = section("The tree").split("The packages")
    for name in re.findall(r"`(\w+)/?`(?=.* \| )", top):
        assert (ROOT / name).exists() or name in ("resources", "results")
    assert re.findall(r"^\| `(\w+)` \|", packages, re.MULTILINE) == list(ORDER)


def place(file: str) -> int:
    """A package's place in the order of imports; scripts come last."""
    path = Path(file)
    inside = path.is_relative_to(registry.LIBRARY)
    return ORDER.index(path.relative_to(registry.LIBRARY).parts[0]) if inside else len(ORDER)


def walks() -> Iterator[tuple[tuple[str, str] | None, tuple[str, str]]]:
    """Pairs (caller, called) of the walks, each (file, function); the first has no caller."""
    above: list[tuple[str, str]] = []
    for indent, line in re.findall(r"^( *)- (.+)$", section("Three walks"), re.MULTILINE):
        del above[len(indent) // 2 :]
        if rule := re.match(r"rule `(\w+)`", line):
            (script,) = (ROOT / "workflow_scripts").glob(f"*/{rule[1]}.py")
            above.append((str(script), "main"))
            continue
        file, names = re.match(r"`([\w/]+\.py)` (`[\w.]+`(?:, `[\w.]+`)*)", line).groups()
        names = re.findall(r"[\w.]+", names)
        for name in names:
            yield above[-1] if above else None, (str(registry.LIBRARY / file), name)
        above.append((str(registry.LIBRARY / file), names[-1]))


def source_of(file: str, name: str) -> str:
    """The source of a function, a method or a class."""
    text = Path(file).read_text()
    nodes = ast.parse(text).body
    for part in name.split("."):
        node = [n for n in nodes if getattr(n, "name", None) == part][-1]  # after its overloads
        nodes = getattr(node, "body", [])
    return ast.get_source_segment(text, node)


def test_the_walks_are_the_code_and_never_go_up() -> None:
    steps = list(walks())
    assert len(steps) > 35
    for caller, called in steps:
        assert source_of(*called)
        if caller:
            word = called[1].split(".")[-1]
            assert re.search(rf"\b{word}\b", source_of(*caller)), f"{caller} does not use {called}"
            assert place(called[0]) <= place(caller[0]), f"{called} is above {caller}"


def test_the_picture_shows_the_rules(fresh: Path) -> None:
    """If this fails: make docs."""
    status, drawn = snakemake(fresh, "--rulegraph", "--", "results/games/comparison.md")
    assert status == 0, drawn
    shown = re.findall(r"<text [^>]*>(\w+)</text>", (ROOT / "docs/dag.svg").read_text())
    assert sorted(shown) == sorted(re.findall(r'label ?= ?"(\w+)"', drawn))
