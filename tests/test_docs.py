"""What the pages name is there: modules, functions, rules, settings, results, links."""

import ast
import re
from pathlib import Path

import faults
import numpy as np
import pytest
import yaml
from conftest import ROOT

from lohrec.configuration import registry, targets
from lohrec.configuration.sections import Setting, tree
from lohrec.evaluation import charts

PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("config/*.md"),
        *ROOT.glob("profiles/*/*.md"),
    ]
)
# The examples of docs/extending.md are new modules and rows: tests/test_extending.py runs them.
PLAIN = [page for page in PAGES if page.name != "extending.md"]
RULES = "".join(path.read_text() for path in sorted(ROOT.glob("rules/*.smk")))
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
each_plain_page = pytest.mark.parametrize("page", PLAIN, ids=lambda page: page.stem)


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for link, _, heading in re.findall(r"\]\(([^)#]*)(#([^)]+))?\)", page.read_text()):
        assert link.startswith("https://") or (page.parent / link).exists(), link
        if heading and not link.startswith("https://"):
            assert heading in headings(page.parent / link if link else page), (link, heading)


def headings(page: Path) -> set[str]:
    """What links to the headings of a page end in, as hosts of Markdown make it."""
    lines = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in lines}


@each_plain_page
def test_modules_and_functions_exist(page: Path) -> None:
    folders = [registry.LIBRARY, ROOT, registry.LIBRARY / page.stem]  # of teacher.md: its package
    named = r"`([\w/]+\.py)(?::([\w.]+))?`((?:, `\w+`)*)"
    for name, function, more in re.findall(named, page.read_text()):
        files = [folder / name for folder in folders if (folder / name).is_file()]
        assert files, name
        names = {getattr(node, "name", None) for node in ast.parse(files[0].read_text()).body}
        if function:
            assert {function, *re.findall(r"\w+", more)} <= names, f"{name}: {function}{more}"


def test_rules_exist() -> None:
    rules = re.findall(r"^(?:use )?rule (?:\w+ as )?(\w+)", RULES, re.MULTILINE)
    page = (ROOT / "docs/paper.md").read_text()
    table = re.search(r"^\| paper \|.*\n\|[-|]+\n((?:\|.*\n)+)", page, re.M)
    assert table
    cells = [line.split("|")[-3] for line in table[1].splitlines()]
    named = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    assert len(named) > 8 and set(named) <= set(rules)


SETTING = rf"(?:{'|'.join(tree())})(?:\.[a-z0-9_]+)+"
FILE = (".py", ".json", ".md", ".svg", ".npy", ".parquet", ".safetensors")


def is_setting(name: str) -> bool:
    """Whether a name such as teacher.network.hidden is that of a setting, or of a group."""
    place = tree()
    for part in name.split("."):
        place = place.schema["default"] if isinstance(place, Setting) else place
        if part not in place:
            return False
        place = place[part]
    return True


@each_plain_page
def test_settings_exist(page: Path) -> None:
    if page.name != "configuration.md":  # made from the settings themselves
        for name in re.findall(rf"`({SETTING})`", page.read_text()):
            assert is_setting(name) or name.endswith(FILE), name


def test_settings_that_messages_name_exist() -> None:
    named = set()
    for file in registry.LIBRARY.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                words = re.findall(rf"(?<![\w./`]){SETTING}", node.value)
                named |= {(file.name, word) for word in words if not word.endswith(FILE)}
    assert len(named) > 10
    other = {one for one in named if not is_setting(one[1])}
    assert {word for _, word in other} <= charts.STYLE.keys(), other  # matplotlib's own


@each_plain_page
def test_results_and_targets_of_make_exist(page: Path) -> None:
    text, config = page.read_text(), ROOT / "config"
    datasets, variants = (
        yaml.load((config / f"{file}.yaml").read_text(), yaml.CSafeLoader)[rows]
        for file, rows in (("config", "datasets"), ("variants", "variants"))
    )
    for block in re.findall(r"```yaml\n(datasets:\n.*?|# \S+\n.*?)```", text, re.DOTALL):
        datasets |= yaml.safe_load(block).get("datasets", {})  # rows that the page itself adds
    for target in re.findall(r"\bresults/[a-z_]+/[\w/.]+", text):
        targets.check(target, datasets, variants)
    made = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE)) <= set(made)


def outputs() -> set[str]:
    """What rules leave below results/DATASET; a wildcard in capital letters."""
    declared = [block.split("\n    log:")[0] for block in RULES.split("\n    output:\n")[1:]]
    paths = {p for block in declared for p in re.findall(r'"results/\{dataset\}/([^"]+)"', block)}
    arrays = ("beams", "probabilities")
    paths |= {re.sub(r"\{(array|lesson)\}", one, path) for path in paths for one in arrays}
    named = {re.sub(r"\{(\w+)\}", lambda wildcard: wildcard[1].upper(), path) for path in paths}
    return {path for path in named if "ARRAY" not in path and "LESSON" not in path}


def test_the_page_of_outputs_names_what_rules_leave_and_nothing_else() -> None:
    text = (ROOT / "docs/outputs.md").read_text()
    listed: set[str] = set()
    files: set[str] = set()  # of a recommender's folder
    for cell in re.findall(r"^\| (`.*?`) \|", text, re.MULTILINE):
        names = re.findall(r"`([^`]+)`", cell)
        names = [re.sub(r"\.\w+$", n, names[0]) if n.startswith(".") else n for n in names]
        inside = all(
            "/" not in n and n.split(".")[0] not in ("comparison", "report") for n in names
        )
        (files if inside else listed).update(names)
    folders = tuple(path for path in listed if path.endswith("/"))
    left = outputs()
    assert {path for path in left if path not in listed and not path.startswith(folders)} == set()
    for path in listed:
        assert path in left or (path in folders and any(p.startswith(path) for p in left)), path
    library = "".join(file.read_text() for file in registry.LIBRARY.rglob("*.py"))
    assert len(files) == 6 and all(f'"{name}"' in library for name in files)


def test_the_page_counts_what_is_tried() -> None:
    def cases(file: str) -> int:
        """Rows of the lists that a module of tests goes through."""
        module = ast.parse((ROOT / "tests" / file).read_text())
        functions = [node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)]
        marks = [mark for one in functions for mark in one.decorator_list]
        lists = [one.value for one in module.body if isinstance(one, ast.AnnAssign)]
        lists += [given for mark in marks for given in getattr(mark, "args", ())]
        return sum(len(one.elts) for one in lists if isinstance(one, ast.List))

    page = " ".join((ROOT / "docs/running.md").read_text().split())
    assert f"tries {len(faults.KINDS)} kinds of faults" in page
    assert f"and {len(faults.CLUSTER)} things that befall jobs on a SLURM cluster" in page
    assert f"{cases('test_bad_inputs.py')} broken files" in page


def test_the_figures_of_the_readme_are_those_of_the_results() -> None:
    named = {"popularity": "popularity", "EASE": "ease", "SASRec": "sasrec", "FMLP-Rec": "fmlp_rec"}
    figures: dict[str, list[tuple[float, float]]] = {}
    for table in tables(ROOT / "docs/results.md"):
        places = [n for n, name in enumerate(table[0]) if name in ("Recall@10", "NDCG@10")]
        for row in table[2:] if len(places) == 2 else ():
            found = tuple(float(row[place].split()[0]) for place in places)
            figures.setdefault(row[0].partition("`")[2].partition("`")[0], []).append(found)
    (headline,) = [t for t in tables(ROOT / "README.md") if "Instruments, three seeds" in t[0]]
    for title, *cells in headline[2:]:
        name = named.get(title.split(",")[0]) or re.findall("`(.*)`", title)[0]
        for cell in cells:
            rounded = [float(figure) for figure in cell.split(", ")]
            near = [abs(np.subtract(one, rounded)).max() < 0.00051 for one in figures[name]]
            assert any(near), (title, cell)


def tables(page: Path) -> list[list[list[str]]]:
    """Tables of a page: rows of cells."""
    blocks = re.findall(r"(?:^\|.*\n)+", page.read_text(), re.MULTILINE)
    return [[[c.strip() for c in r.strip("|").split("|")] for r in b.splitlines()] for b in blocks]
