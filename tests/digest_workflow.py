"""The real Snakefile, rules, configuration and profiles, with scripts that write a digest.

A script writes a digest of its inputs, so that a whole run takes seconds.
"""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT
from forked_snakemake import snakemake

SCRIPT = """from lohrec.common import {module}

{module}.write(snakemake.input, snakemake.output, snakemake.log[0])
"""
MODULE = """import hashlib
from pathlib import Path


def write(inputs, outputs, log):
    for path in outputs:
        content = path + "".join(Path(p).read_text() for p in inputs)
        Path(path).write_text(hashlib.sha256(content.encode()).hexdigest())
    Path(log).write_text("done")
"""
LANGUAGE_MODEL = {"train_teacher", "generate_candidates", "score_codewords", "recommend"}
SCRIPTS = {
    path.stem: path
    for path in sorted((ROOT / "workflow_scripts").glob("*/*.py"))
    if not (path.parent / "__init__.py").exists()  # packages
}
TARGET = "results/demo/dwr/metrics.json"


def planned(folder: Path, *arguments: str, run: Callable = snakemake) -> dict[str, int]:
    """{rule: jobs} of a dry run."""
    status, printed = run(folder, "-n", "--cores", "8", *arguments)
    assert status == 0, printed
    return counted(printed)


def counted(printed: str) -> dict[str, int]:
    """{rule: jobs} of what a dry run has printed."""
    if "Nothing to be done" in printed:
        return {}
    table = printed.split("Job stats:")[-1].split("total")[0]
    jobs = {rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}
    assert jobs, printed
    return jobs


@pytest.fixture(scope="session")
def fresh(tmp_path_factory) -> Path:
    """The workflow with digest-writing scripts; nothing has run."""
    folder = tmp_path_factory.mktemp("workflow")
    for name in ("Snakefile", "rules", "config", "profiles", "envs"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    library = Path("workflow_scripts/lohrec")
    # Modules declare their settings, and rows name modules.
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / library, folder / library, ignore=ignored)
    for module in ("digest", "language_model"):
        (folder / library / "common" / f"{module}.py").write_text(MODULE)
    for name, path in SCRIPTS.items():
        module = "language_model" if name in LANGUAGE_MODEL else "digest"
        copy = folder / path.relative_to(ROOT)
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(SCRIPT.format(module=module))
    return folder


@pytest.fixture(scope="session")
def finished(fresh: Path, tmp_path_factory) -> Path:
    """The workflow after a run of DWR on the demonstration's data."""
    folder = tmp_path_factory.mktemp("finished") / "workflow"
    shutil.copytree(fresh, folder)
    status, printed = snakemake(folder, "--cores", "4", TARGET)
    assert status == 0, printed
    return folder


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished run, with its records and the times of its files."""
    return Path(shutil.copytree(finished, tmp_path / "run"))
