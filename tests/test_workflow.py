"""What the workflow asks for, what it runs again, and how it refuses.

The Snakefile, rules, configuration and profiles are the real ones, in a copy; its scripts are
replaced by ones that write a digest of their inputs, so that a whole run takes seconds.
"""

import importlib
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from conftest import ROOT

from lohrec.common import job

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
SCRIPTS = {path.stem: path for path in sorted((ROOT / "workflow_scripts").glob("[!ls]*/*.py"))}
TARGET = "results/demo/dwr/metrics.json"


def snakemake(folder: Path, *arguments: str, path: str | None = None) -> tuple[int, str]:
    """Run Snakemake in a folder; its exit status and what it said, both streams together."""
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *arguments],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PATH": path or os.environ["PATH"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


def planned(folder: Path, *arguments: str) -> dict[str, int]:
    """{rule: jobs} of a dry run."""
    status, said = snakemake(folder, "-n", "--cores", "8", *arguments)
    assert status == 0, said
    if "Nothing to be done" in said:
        return {}
    table = said.split("Job stats:")[-1].split("total")[0]
    found = {rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}
    assert found, said
    return found


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
def finished(fresh: Path, tmp_path_factory) -> Path:
    """The workflow after a run of DWR on the demonstration's data."""
    folder = tmp_path_factory.mktemp("finished") / "workflow"
    shutil.copytree(fresh, folder)
    status, said = snakemake(folder, "--cores", "4", TARGET)
    assert status == 0, said
    return folder


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished run, with its records and the times of its files."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


AFTER_TEACHER = {
    "generate_candidates": 1,
    "score_codewords": 1,
    "gather_shards": 2,
    "order_candidates": 1,
    "fit": 2,
    "recommend": 1,
    "evaluate": 1,
    "summarise": 1,
}


def test_touching_everything_and_editing_comments_reruns_nothing(run: Path) -> None:
    for path in sorted(run.rglob("*"), reverse=True):
        if ".snakemake" not in path.parts and path.is_file():
            path.touch()
    module = run / "workflow_scripts/lohrec/common/digest.py"
    module.write_text('"""Doc."""\n# why\n' + module.read_text())
    assert planned(run, TARGET) == {}


def test_editing_an_imported_module_reruns_its_users_and_what_follows(run: Path) -> None:
    module = run / "workflow_scripts/lohrec/common/language_model.py"
    module.write_text(module.read_text() + "\n\nedited = True\n")
    assert planned(run, TARGET) == {"train_teacher": 1} | AFTER_TEACHER


@pytest.mark.parametrize(
    ("module", "reruns"),
    [
        ("losses/margin_ranking", 1),  # dwr alone
        ("losses/distilled", 2),  # distill, and dwr that starts from it
        ("losses/smoothed", 0),
        ("baselines/popularity", 0),
    ],
)
def test_editing_a_module_reruns_the_rows_that_name_it(run: Path, module: str, reruns: int) -> None:
    path = run / f"workflow_scripts/lohrec/recommender/{module}.py"
    path.write_text(path.read_text() + "\n\nedited = True\n")
    assert planned(run, TARGET).get("fit", 0) == reruns


def test_editing_a_source_reruns_the_ingest_of_its_datasets(run: Path) -> None:
    for name, reruns in {"lcrec": False, "simulated": True}.items():
        path = run / f"workflow_scripts/lohrec/data/sources/{name}.py"
        path.write_text(path.read_text() + "\n\nedited = True\n")
        assert ("ingest" in planned(run, TARGET)) == reruns


def test_another_recommender_is_a_module_with_settings_and_a_row(
    fresh: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(fresh, tmp_path / "run"))
    setting = {"type": "integer", "minimum": 1, "default": 5, "description": "Items compared."}
    path = folder / "workflow_scripts/lohrec/recommender/baselines/nearest.py"
    path.write_text(f"SETTINGS = {{'neighbours': {setting}}}\n")
    for value, refused in ((3, ""), (0, "recommenders.nearest.neighbours: 0 is less than")):
        row = {"recommender": "nearest", "settings": {"recommenders": {"nearest": {}}}}
        row["settings"]["recommenders"]["nearest"]["neighbours"] = value
        (folder / "mine.yaml").write_text(yaml.safe_dump({"variants": {"mine": row}}))
        target = "results/demo/tiger/metrics.json"
        status, said = snakemake(folder, "-n", "--cores", "2", target, "--configfile", "mine.yaml")
        assert bool(status) == bool(refused) and refused in said, said


def test_another_default_reruns_only_what_it_changes(run: Path) -> None:
    path = run / "workflow_scripts/lohrec/recommender/losses/smoothed.py"
    for old, new in (('"maximum": 1', '"maximum": 0.9'), ("0.1", "0.2")):
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))
    assert planned(run, TARGET) == {}
    path = run / "workflow_scripts/lohrec/identifiers/collisions.py"
    path.write_text(path.read_text().replace('"default": 20', '"default": 21'))
    jobs = planned(run, TARGET)
    assert jobs["assign_semantic_ids"] == 1 and "train_rqvae" not in jobs


@pytest.mark.parametrize(
    ("overlay", "expected"),
    [
        (
            {"presets": {"demo": {"probabilities": {"temperature": 2.0}}}},
            {
                "score_codewords": 1,
                "gather_shards": 1,
                "fit": 2,
                "recommend": 1,
                "evaluate": 1,
                "summarise": 1,
            },
        ),
        (
            {"variants": {"dwr": {"settings": {"losses": {"margin_ranking": {"margin": 0.2}}}}}},
            {"fit": 1, "recommend": 1, "evaluate": 1, "summarise": 1},
        ),
        (
            {"variants": {"dwr": {"ranking": 0.5}}},
            {"fit": 1, "recommend": 1, "evaluate": 1, "summarise": 1},
        ),
        # Where a job runs, and what other rows say, is no part of a result.
        (
            {
                "presets": {"demo": {"cuda": {"train_teacher": {"count": 1}}}},
                "variants": {"smooth": {"generation": 2.0}},
            },
            {},
        ),
    ],
)
def test_a_change_of_a_setting_reruns_its_stage(run: Path, overlay: dict, expected: dict) -> None:
    (run / "mine.yaml").write_text(yaml.safe_dump(overlay))
    assert planned(run, TARGET, "--configfile", "mine.yaml") == expected


def test_exchanged_parts_of_a_cascade_rerun_it(run: Path) -> None:
    """Their paths stay the same, and only their roles change."""
    one, other = run / "one.yaml", run / "other.yaml"
    for path, parts in {one: ("distill", "dwr"), other: ("dwr", "distill")}.items():
        row = dict(zip(("retriever", "ranker"), parts, strict=True))
        path.write_text(yaml.safe_dump({"variants": {"dtr": {"recommender": "cascade", **row}}}))
    target = "results/demo/dtr/metrics.json"
    status, said = snakemake(run, "--cores", "4", target, "--configfile", str(one))
    assert status == 0, said
    rerun = {"fit": 1, "recommend": 1, "evaluate": 1, "summarise": 1}
    assert planned(run, target, "--configfile", str(other)) == rerun


def test_another_model_in_the_same_folder_reruns_what_reads_it(fresh: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(fresh, tmp_path / "run"))
    (folder / "llama").mkdir()
    weights = folder / "llama/model.safetensors"
    weights.write_text("one")
    model = {"model": "llama"}
    sections = {
        "text": {"method": "llama", **model},
        "teacher": {"kind": "pretrained"},
        "adaptation": model,
    }
    (folder / "mine.yaml").write_text(yaml.safe_dump({"presets": {"demo": sections}}))
    asked = "results/demo/teacher/model/model.safetensors", "--configfile", "mine.yaml"
    status, said = snakemake(folder, "--cores", "2", *asked)
    assert status == 0, said
    weights.touch()
    assert planned(folder, *asked) == {}
    weights.write_text("two")
    readers = {"check_language_model", "embed_items", "train_teacher"}
    assert readers < planned(folder, *asked).keys()
    weights.write_text("three")
    os.utime(weights, (0, 0))
    assert readers < planned(folder, *asked).keys()


def test_a_changed_raw_file_reruns_even_if_it_is_older(fresh: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(fresh, tmp_path / "run"))
    raw = folder / "resources/raw/amazon2018"
    raw.mkdir(parents=True)
    for name in ("Gift_Cards_5.json.gz", "meta_Gift_Cards.json.gz"):
        (raw / name).write_text("raw")
    arguments = ("--cores", "2", "results/gift_cards/data/statistics.json")
    status, said = snakemake(folder, *arguments)
    assert status == 0, said
    assert (raw / "Gift_Cards_5.json.gz").read_text() == "raw"
    assert not (folder / "resources/downloads").exists()

    (raw / "Gift_Cards_5.json.gz").touch()
    assert planned(folder, arguments[-1]) == {}
    (raw / "Gift_Cards_5.json.gz").write_text("new")
    assert planned(folder, arguments[-1]) == {"ingest": 1}
    (raw / "Gift_Cards_5.json.gz").write_text("longer")
    os.utime(raw / "Gift_Cards_5.json.gz", (0, 0))
    assert planned(folder, arguments[-1]) == {"ingest": 1}


@pytest.mark.parametrize("name", ["Gift_Cards.json.gz", "Gift_Cards.csv"])
def test_all_reviews_or_ratings_serve_where_the_5_core_is_not_there(
    fresh: Path, tmp_path: Path, name: str
) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    for file in (name, "meta_Gift_Cards.json.gz"):
        (raw / file).write_text("raw")
    target = "results/gift_cards/data/statistics.json"
    assert planned(fresh, target, "--config", f"raw_dir={raw}") == {"ingest": 1}


def test_other_names_count_after_a_download(fresh: Path, tmp_path: Path) -> None:
    raw, target = tmp_path / "raw", "results/gift_cards/data/statistics.json"
    raw.mkdir()
    for file in (raw / "Gift_Cards.csv", raw / "meta_Gift_Cards.json.gz"):
        file.write_text("raw")
    folder = Path(shutil.copytree(fresh, tmp_path / "run"))
    download = folder / "resources/downloads/Gift_Cards_5.json.gz"
    download.parent.mkdir(parents=True)
    download.write_text("raw")
    status, said = snakemake(folder, "-n", "--cores", "2", target, "--config", f"raw_dir={raw}")
    assert status == 0, said
    assert "resources/downloads/Gift_Cards_5.json.gz" in said and "Gift_Cards.csv" not in said


def test_a_row_without_generative_variants_has_nothing_to_analyse(fresh: Path) -> None:
    target = "results/games_laptop_text/analysis/alignment.md"
    status, said = snakemake(fresh, "-n", "--cores", "2", target)
    assert status
    assert "games_laptop_text compares no generative variant" in said


def test_a_row_asks_only_for_what_it_needs(fresh: Path) -> None:
    status, said = snakemake(fresh, "-n", "--cores", "8", "results/gift_cards/comparison.json")
    assert status == 0, said
    makers = {}
    for rule, inputs, outputs in re.findall(
        r"^(?:local)?rule (\w+):\n(?:    input: (.*)\n)?    output: (.*)$", said, re.MULTILINE
    ):
        for output in outputs.split(", "):
            makers[output] = rule, inputs.split(", ") if inputs else []

    def needs(variant: str) -> set[str]:
        rules, todo = set(), [f"results/gift_cards/{variant}/seed_0/recommendations.parquet"]
        while todo:
            file = todo.pop()
            rule, inputs = makers[file]
            rules.add(f"{rule} {Path(file).stem}" if rule in wide else rule)
            todo += inputs
        return rules

    wide = {"gather_shards", "order_candidates"}  # one rule for several artefacts
    data = {"download_reviews", "ingest", "split_sequences"}
    ids = data | {"embed_items", "train_rqvae", "assign_semantic_ids"}
    tiger = ids | {"fit", "recommend"}
    distill = tiger | {"train_teacher", "score_codewords", "gather_shards probabilities"}
    ordered = {
        "train_teacher",
        "generate_candidates",
        "gather_shards beams",
        "order_candidates teacher",
    }
    assert needs("popularity") == data | {"fit", "recommend"}
    assert needs("lcrec") == ids | {"train_teacher", "fit", "recommend"}
    assert needs("tiger") == needs("smooth") == tiger
    assert needs("distill") == distill
    assert needs("dwr") == distill | ordered
    assert needs("dwr_no_distill") == tiger | ordered
    assert needs("dwr_distance") == distill | {"order_candidates distance"}
    assert needs("dwr_cooccurrence") == distill | {"order_candidates cooccurrence"}
    assert needs("dtr") == distill | ordered
    # Training that starts from another row starts from that row's model of the same seed.
    _, inputs = makers["results/gift_cards/dwr/seed_2/model/recommender.json"]
    assert "results/gift_cards/distill/seed_2/model/recommender.json" in inputs


def test_diversity_on_the_models_own_vectors_needs_a_model(fresh: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    row = {"settings": {"evaluation": {"diversity": "model"}}}
    own.write_text(yaml.safe_dump({"datasets": {"demo": row}}))
    targets = [f"results/demo/{name}/metrics.json" for name in ("lcrec", "distill", "dtr")]
    jobs = planned(fresh, *targets, "--configfile", str(own))
    assert jobs["embed_codewords"] == jobs["evaluate"] == 3
    status, said = snakemake(
        fresh, "-n", "--cores", "2", "results/demo/comparison.md", "--configfile", str(own)
    )
    assert status and "popularity has no model that embeds items" in said


def test_lists_longer_than_a_compared_beam_stop_that_comparison_alone(
    fresh: Path, tmp_path: Path
) -> None:
    longer = tmp_path / "longer.yaml"
    row = {"settings": {"evaluation": {"cutoffs": [5, 20]}}}
    longer.write_text(yaml.safe_dump({"datasets": {"demo": row}}))
    overlay = "--configfile", str(longer)
    assert planned(fresh, "results/demo/tiger/metrics.json", *overlay)
    target = "results/demo/analysis/beam_widths.md"
    status, said = snakemake(fresh, "-n", "--cores", "2", target, *overlay)
    assert status and "analysis.beams (10) is below evaluation.cutoffs (20)" in said


def test_the_readme_changes_a_setting(fresh: Path, tmp_path: Path) -> None:
    overlay = re.search(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    (tmp_path / "mine.yaml").write_text(textwrap.dedent(overlay))
    given = "results/demo/comparison.md", "--configfile", str(tmp_path / "mine.yaml")
    assert planned(fresh, *given)["fit"] == 2


def test_published_ids_are_imported_and_not_trained(fresh: Path, tmp_path: Path) -> None:
    target = "results/instruments_lcrec/tiger/metrics.json"
    status, said = snakemake(fresh, "-n", "--cores", "1", target)
    assert status != 0
    assert "needs Instruments." in said and "--config raw_dir=FOLDER" in said

    (tmp_path / "lcrec").mkdir()
    for kind in ("inter", "index"):
        (tmp_path / "lcrec" / f"Instruments.{kind}.json").write_text("{}")
    jobs = planned(fresh, target, "--config", f"raw_dir={tmp_path}")
    assert {"ingest", "import_semantic_ids", "embed_interactions"} <= jobs.keys()
    assert not {"train_rqvae", "embed_items", "train_teacher"} & jobs.keys()
    row = yaml.safe_load((ROOT / "config/config.yaml").read_text())["datasets"]["instruments_lcrec"]
    assert jobs["fit"] == len(row["seeds"])  # TIGER needs no other row's model

    row["settings"]["evaluation"]["diversity"] = "text"
    (tmp_path / "text.yaml").write_text(yaml.safe_dump({"datasets": {"instruments_lcrec": row}}))
    overlay = "--configfile", str(tmp_path / "text.yaml"), "--config", f"raw_dir={tmp_path}"
    status, said = snakemake(fresh, "-n", "--cores", "1", target, *overlay)
    assert status and "instruments_lcrec has no text to measure diversity on" in said


def test_a_gpu_preset_stops_before_the_first_job_of_a_machine_without(
    fresh: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(fresh, tmp_path / "run"))
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("bash", "sh", "which"):  # the last for the SLURM plugin, where it is installed
        (tools / tool).symlink_to(shutil.which(tool))
    target = "results/games/text/embeddings.npy"
    status, said = snakemake(folder, "--cores", "2", target, path=str(tools))
    assert status != 0
    assert "embed_items: 1 GPU(s) of 24 GB" in said
    assert "you can run: games_laptop" in said
    assert not (folder / "resources").exists()

    (tools / "nvidia-smi").write_text("#!/bin/sh\necho 40960\n")
    (tools / "nvidia-smi").chmod(0o755)
    status, said = snakemake(folder, "--cores", "2", target, path=str(tools))
    assert status == 0, said
    assert (folder / "resources/downloads/Video_Games_5.json.gz").exists()


def test_a_gpu_preset_can_be_planned_anywhere(fresh: Path) -> None:
    jobs = planned(fresh, "results/games/dwr/metrics.json")
    assert jobs["fit"] == 6
    assert {"download_reviews", "train_teacher", "order_candidates"} <= jobs.keys()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["results/gamez/dwr/metrics.json"], ["'gamez'", "Did you mean games?"]),
        ([TARGET, "--config", "raw_dri=x"], ["'raw_dri'", "Did you mean raw_dir?"]),
    ],
)
def test_a_slip_is_refused_with_the_nearest_name(
    fresh: Path, arguments: list[str], words: list[str]
) -> None:
    status, said = snakemake(fresh, "-n", "--cores", "1", *arguments)
    assert status != 0
    for word in words:
        assert word in said


def rules() -> dict[str, dict[str, set[str]]]:
    """{rule: {section: names}} as the rule files declare them."""
    found: dict[str, dict[str, set[str]]] = {}
    for path in sorted((ROOT / "rules").glob("*.smk")):
        rule, section = {}, ""
        for line in path.read_text().splitlines():
            if line.startswith("use rule"):
                rule = {}  # another rule's script
            elif match := re.match(r"rule (\w+):", line):
                found[match[1]] = rule = {
                    section: set() for section in ("input", "output", "params", "wildcards")
                }
            elif match := re.match(r"    (\w+):", line):
                section = match[1]
            elif (match := re.match(r"        (\w+)=", line)) and section in rule:
                rule[section].add(match[1])
            if rule and section in ("output", "log"):
                rule["wildcards"] |= set(re.findall(r"{(\w+)}", line))
    return found


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
    _, said = snakemake(fresh, "--lint")
    assert set(re.findall(r"^    \* (.*)$", said, re.MULTILINE)) <= {
        "Mixed rules and functions in same snakefile.:"
    }, said


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


def test_the_demonstration_prints_a_line_a_step(
    fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "workflow_scripts"))  # as an installation does
    folder = Path(shutil.copytree(fresh, tmp_path / "run"))
    target = "results/demo/comparison.md"
    jobs = sum(planned(folder, target).values())
    status, said = snakemake(folder, "--cores", "4", "--logger", "lohrec", "--", target)
    assert status == 0, said
    profile, plan, *steps, log, end = said.splitlines()
    assert "profiles/default" in profile and plan.startswith(f"{jobs} steps")
    numbers = [re.match(r"\[ *(\d+)/(\d+)\] \w+ ", line).groups() for line in steps]
    assert numbers == [(str(number), str(jobs)) for number in range(1, jobs + 1)]
    assert log.startswith("Complete log") and end.startswith(f"{jobs} of {jobs} steps done")
