"""How the workflow refuses what cannot be made, with what would help."""

import shutil
from pathlib import Path

import pytest
import yaml
from digest_workflow import TARGET, planned
from forked_snakemake import snakemake


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
    status, printed = snakemake(fresh, "-n", "--cores", "1", *arguments)
    assert status != 0
    for word in words:
        assert word in printed


def test_a_raw_file_that_is_nowhere_is_named_and_no_traceback_shown(fresh: Path) -> None:
    target = "results/movielens/data/statistics.json"
    status, printed = snakemake(fresh, "-n", "--cores", "1", target)
    assert status and "movielens needs u.data, which is neither in resources/raw" in printed
    assert "--config raw_dir=FOLDER" in printed and "Traceback" not in printed


def test_several_nodes_are_refused_where_nobody_gives_them(fresh: Path, tmp_path: Path) -> None:
    overlay = tmp_path / "nodes.yaml"
    row = {"settings": {"cuda": {"train_teacher": {"nodes": 2}}}}
    overlay.write_text(yaml.safe_dump({"datasets": {"demo": row}}))
    status, printed = snakemake(fresh, "--cores", "2", TARGET, "--configfile", str(overlay))
    assert status and "demo: cuda.train_teacher.nodes is 2, and SLURM alone" in printed
    assert not (fresh / "results").exists()


def test_a_row_without_generative_variants_has_nothing_to_analyse(fresh: Path) -> None:
    target = "results/games_laptop_text/analysis/alignment.md"
    status, printed = snakemake(fresh, "-n", "--cores", "2", target)
    assert status
    assert "games_laptop_text compares no generative variant" in printed


def test_diversity_on_the_models_own_vectors_needs_a_model(fresh: Path, tmp_path: Path) -> None:
    overlay = tmp_path / "model.yaml"
    row = {"settings": {"evaluation": {"diversity": "model"}}}
    overlay.write_text(yaml.safe_dump({"datasets": {"demo": row}}))
    targets = [f"results/demo/{name}/metrics.json" for name in ("lcrec", "distill", "dtr")]
    jobs = planned(fresh, *targets, "--configfile", str(overlay))
    assert jobs["embed_codewords"] == jobs["evaluate"] == 3
    status, printed = snakemake(
        fresh, "-n", "--cores", "2", "results/demo/comparison.md", "--configfile", str(overlay)
    )
    assert status and "popularity has no model that embeds items" in printed


def test_beams_too_narrow_for_the_longest_list_are_not_compared(
    fresh: Path, tmp_path: Path
) -> None:
    longer = tmp_path / "longer.yaml"
    target = "results/demo/analysis/beam_widths.md"

    def plan(beams: list[int]) -> tuple[int, str]:
        settings = {"evaluation": {"cutoffs": [5, 20]}, "analysis": {"beams": beams}}
        longer.write_text(yaml.safe_dump({"datasets": {"demo": {"settings": settings}}}))
        return snakemake(fresh, "-n", "--cores", "2", target, "--configfile", str(longer))

    status, printed = plan([10, 20, 30])
    assert not status and "beams_20" in printed and "beams_10" not in printed
    status, printed = plan([5, 10])
    assert status and "analysis.beams (5, 10) are below evaluation.cutoffs (20)" in printed


def test_tried_values_that_cannot_work_with_other_rows_stop_the_start(
    fresh: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.yaml"

    def said(given: dict, target: str) -> str:
        mine.write_text(yaml.safe_dump(given))
        target = f"results/demo/{target}"
        status, printed = snakemake(fresh, "-n", "--cores", "2", target, "--configfile", str(mine))
        assert status
        return printed

    wider = {"row": "dwr", "setting": "networks.t5.d_model", "values": [32, 64]}
    printed = said({"sweeps": {"wider": wider}}, "sweeps/wider.md")
    assert "starts from distill and so has its network" in printed
    trials = {"distill_more": [{}, {"networks": {"t5": {"d_model": 32}}}]}
    printed = said({"searches": trials}, "searches/distill_more.md")
    assert "starts from distill and so has its network" in printed
    studies = {"distill_more": {"networks.t5.d_model": {"values": [32, 64]}}}
    studies["dwr"] = {"losses.margin_ranking.candidates": {"low": 2, "high": 64}}
    given = {"studies": {name: {"trials": 2, "settings": of} for name, of in studies.items()}}
    printed = said(given, "studies/distill_more.md")
    assert "starts from distill and so has its network" in printed
    printed = said(given, "studies/dwr.md")
    assert "studies, losses.margin_ranking.candidates: 64" in printed
    assert "above candidates.keep" in printed
    beams = {"row": "tiger", "setting": "decoding.beams", "values": [5, 20]}
    printed = said({"sweeps": {"narrow": beams}}, "sweeps/narrow.md")
    assert "sweeps.narrow: a beam of 5 finds no list of 10 items" in printed


def test_a_gpu_preset_stops_before_the_first_job_of_a_machine_without(
    fresh: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(fresh, tmp_path / "run"))
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("bash", "sh", "which"):  # the last for the SLURM plugin, where it is installed
        (tools / tool).symlink_to(shutil.which(tool))
    target = "results/games/text/embeddings.npy"
    status, printed = snakemake(folder, "--cores", "2", target, PATH=str(tools))
    assert status != 0
    assert "embed_items: 1 GPU(s) of 24 GB" in printed
    assert "you can run: games_laptop" in printed
    assert not (folder / "resources/downloads").exists()

    (tools / "nvidia-smi").write_text("#!/bin/sh\necho 40960\n")
    (tools / "nvidia-smi").chmod(0o755)
    status, printed = snakemake(folder, "--cores", "2", target, PATH=str(tools))
    assert status == 0, printed
    assert (folder / "resources/downloads/Video_Games_5.json.gz").exists()


def test_a_recommender_that_reads_what_nobody_makes_is_refused(fresh: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(fresh, tmp_path / "run"))
    module = folder / "workflow_scripts/lohrec/recommender/baselines/reader.py"
    module.write_text('SETTINGS = {}\nREADS = ["id"]\n')
    (folder / "mine.yaml").write_text("variants: {reader: {recommender: reader}}\n")
    target = "results/demo/reader/metrics.json", "--configfile", "mine.yaml"
    status, printed = snakemake(folder, "-n", "--cores", "1", *target)
    assert status and "READS of reader: there is no 'id'. Did you mean ids?" in printed
