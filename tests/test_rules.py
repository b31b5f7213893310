"""Rules and scripts belong together, and profiles to rules."""

import importlib
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from conftest import ROOT
from digest_workflow import SCRIPTS, snakemake

from lohrec.common import job


def rules() -> dict[str, dict[str, set[str]]]:
    """{rule: {section: names}} as the rule files declare them."""
    declared: dict[str, dict[str, set[str]]] = {}
    for path in sorted((ROOT / "rules").glob("*.smk")):
        rule, section = {}, ""
        for line in path.read_text().splitlines():
            if line.startswith("use rule"):
                rule = {}  # another rule's script
            elif match := re.match(r"rule (\w+):", line):
                declared[match[1]] = rule = {
                    section: set() for section in ("input", "output", "params", "wildcards")
                }
            elif match := re.match(r"    (\w+):", line):
                section = match[1]
            elif (match := re.match(r"        (\w+)=", line)) and section in rule:
                rule[section].add(match[1])
            if rule and section in ("output", "log"):
                rule["wildcards"] |= set(re.findall(r"{(\w+)}", line))
    return declared


# Inputs that a rule names by functions.
BY_FUNCTION = {"generate_candidates": {"model"}, "score_codewords": {"model"}}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_rule_has_what_its_script_takes(name: str) -> None:
    declared = rules()[name]
    declared["input"] |= BY_FUNCTION.get(name, set())
    sections = {part: {n: f"{part} {n}" for n in names} for part, names in declared.items()}
    sections["wildcards"] = dict.fromkeys(declared["wildcards"], "0")
    main = importlib.import_module(name).main
    given = job.arguments(main, SimpleNamespace(rule=name, threads=1, **sections))
    # A script takes what it writes.
    assert "outputs" in given or declared["output"] <= given.keys()


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_takes_its_inputs_in_one_way(name: str) -> None:
    source = SCRIPTS[name].read_text()
    assert source.endswith('\n\nif __name__ == "__main__":\n    job.run(main, snakemake)\n')
    assert "noqa" not in source


def test_every_rule_has_a_script_and_every_script_a_rule() -> None:
    assert SCRIPTS.keys() == rules().keys()
    assert all("code" in sections["params"] for sections in rules().values())


def test_the_lint_finds_nothing_but_functions_above_their_rule(fresh: Path) -> None:
    _, printed = snakemake(fresh, "--lint")
    assert set(re.findall(r"^    \* (.*)$", printed, re.MULTILINE)) <= {
        "Mixed rules and functions in same snakefile.:"
    }, printed


def test_the_slurm_profile_repeats_what_the_default_profile_says() -> None:
    default, slurm = (
        yaml.safe_load((ROOT / f"profiles/{name}/config.yaml").read_text())
        for name in ("default", "slurm")
    )
    # There, a cluster's own limits take the place of this machine's one GPU.
    for key in default.keys() - {"resources"}:
        assert slurm[key] == default[key]
    folds = {"train_fold_teacher"}
    assert slurm["set-resources"].keys() <= rules().keys() | folds
    of_teacher = (slurm["set-resources"][f"train_{which}teacher"] for which in ("", "fold_"))
    assert len({str(resources) for resources in of_teacher}) == 1
