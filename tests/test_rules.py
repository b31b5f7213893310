"""Rules and scripts belong together, and profiles to rules."""

import importlib
import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from conftest import ROOT
from digest_workflow import SCRIPTS
from forked_snakemake import snakemake

from lohrec.benchmarks import demands
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
                    section: set()
                    for section in ("input", "output", "params", "wildcards", "resources")
                }
            elif match := re.match(r"    (\w+):", line):
                section = match[1]
            elif (match := re.match(r"        (\w+)=", line)) and section in rule:
                rule[section].add(match[1])
            if rule and section in ("output", "log"):
                rule["wildcards"] |= set(re.findall(r"{(\w+)}", line))
    return declared


# Inputs that grow with the users.
OF_USERS = {"interactions", "sequences", "examples", "per_user", "recommendations", "beams"}


def test_what_reads_all_users_asks_for_memory_by_its_files() -> None:
    found = {name for name, parts in rules().items() if parts["input"] & OF_USERS}
    assert {"split_sequences", "order_candidates", "compare"} <= found
    asks = {name for name in found if "mem_mb" in rules()[name]["resources"]}
    # Of some users each, or of one row's figures beside weights that are not read.
    small = {"compare_with_generate", "benchmark_decoding", "benchmark_training", "write_card"}
    assert found - asks == small


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
    assert set(re.findall(r"^    \* (.*)$", printed, re.MULTILINE)) == {
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
    grouped = {group.split("=")[0] for group in slurm["groups"]}
    assert grouped <= rules().keys()


def test_what_a_job_asks_of_a_cluster_follows_its_settings_and_its_attempt(fresh: Path) -> None:
    target = "results/games/teacher/model/model.safetensors", "results/demo/tiger/metrics.json"
    asked = {}
    for attempt in ("1", "2"):
        status, printed = snakemake(fresh, "-n", "--cores", "8", "--attempt", attempt, *target)
        assert status == 0, printed
        for rule, found in re.findall(
            r"^rule (\w+):.*?^    resources: (.*?)$", printed, re.M | re.S
        ):
            resources = dict(re.findall(r"(\w+)=(\d+)", found))
            asked[attempt, rule, resources.get("gpu", "0")] = resources
    for rule in ("embed_items", "train_rqvae"):
        on_gpu, on_cpu = (asked["1", rule, gpu] for gpu in ("1", "0"))
        assert int(on_gpu["mem_mb"]) >= int(on_cpu["mem_mb"]) + 3000
    for rule in ("fit", "train_rqvae", "recommend"):
        first, second = (asked[attempt, rule, "0"] for attempt in ("1", "2"))
        for name in ("mem_mb", "runtime"):
            assert int(second[name]) == 2 * int(first[name]) > 0
    # A step of the CPU holds no GPU.
    assert "gpu" not in asked["1", "evaluate", "0"]


def test_a_training_over_several_nodes_asks_for_them_and_for_less_time(
    fresh: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "workflow"
    shutil.copytree(fresh, folder)
    statistics = folder / "results/games_gpu/data/statistics.json"
    statistics.parent.mkdir(parents=True)
    statistics.write_text(json.dumps(dict.fromkeys(("train", "dev", "test", "items"), 10**7)))
    asked = {}
    for nodes in (1, 3):
        cuda = {"train_teacher": {"count": 2, "nodes": nodes}}
        rows = {"datasets": {"games_gpu": {"settings": {"cuda": cuda}}}}
        (folder / "nodes.yaml").write_text(yaml.safe_dump(rows))
        target = "results/games_gpu/teacher/model/model.safetensors"
        given = ["--resources", "gpu=8", "--configfile", "nodes.yaml", "--", target]
        status, printed = snakemake(folder, "-n", "--cores", "8", *given)
        assert status == 0, printed
        wanted = r"^rule train_teacher:.*?^    resources: (.*?)$"
        (found,) = re.findall(wanted, printed, re.M | re.S)
        asked[nodes] = dict(re.findall(r"(\w+)=([\w:]+)", found))
    one, three = asked[1], asked[3]
    assert (one.pop("nodes"), three.pop("nodes")) == ("1", "3")
    # A job of one node names none of the rest: what `mpi` names starts its own processes.
    named = {"tasks": "3", "mpi": "srun", "tasks_per_gpu": "0", "gres": "gpu:2"}
    assert named.items() <= three.items() and not named.keys() & one.keys()
    assert (one["gpu"], three["gpu"]) == ("2", "6")
    assert one["mem_mb"] == three["mem_mb"]  # of a node
    beyond = [int(found["runtime"]) - demands.LEAST_MINUTES for found in (one, three)]
    assert beyond[1] > 100 and abs(beyond[0] - 3 * beyond[1]) <= 3
