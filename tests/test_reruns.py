"""What the workflow runs again after a change, and what it does not."""

import os
import shutil
from pathlib import Path

import pytest
import yaml
from digest_workflow import TARGET, planned
from forked_snakemake import snakemake

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
        ("losses/smoothed baselines/popularity", 0),
    ],
)
def test_editing_a_module_reruns_the_rows_that_name_it(run: Path, module: str, reruns: int) -> None:
    for name in module.split():
        path = run / f"workflow_scripts/lohrec/recommender/{name}.py"
        path.write_text(path.read_text() + "\n\nedited = True\n")
    assert planned(run, TARGET).get("fit", 0) == reruns


def test_editing_a_source_reruns_the_ingest_of_its_datasets(run: Path) -> None:
    for name, reruns in {"lcrec": False, "simulated": True}.items():
        path = run / f"workflow_scripts/lohrec/data/sources/{name}.py"
        path.write_text(path.read_text() + "\n\nedited = True\n")
        assert ("ingest" in planned(run, TARGET)) == reruns


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
            {"presets": {"demo": {"probabilities": {"codewords": "legal"}}}},
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
        # How much is computed at once, where a job runs, and what other rows say is no part of a
        # result; settings are recorded with it.
        (
            {
                "presets": {
                    "demo": {
                        "candidates": {"batch_size": 7},
                        "decoding": {"batch_size": 7, "rerank": 60},  # the latter of cascades
                        "probabilities": {"batch_size": 7},
                        "cuda": {"train_teacher": {"count": 1}},
                    }
                },
                "variants": {"smooth": {"generation": 2.0}},
            },
            {"summarise": 1},
        ),
    ],
)
def test_a_change_of_a_setting_reruns_its_stage(run: Path, overlay: dict, expected: dict) -> None:
    (run / "mine.yaml").write_text(yaml.safe_dump(overlay))
    assert planned(run, TARGET, "--configfile", "mine.yaml") == expected


def test_another_row_makes_again_its_own_results_and_what_shows_them(
    fresh: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(fresh, tmp_path / "run"))
    rows = {"tiger": {}, "smooth": {}, "distill": {}}
    demo = {"variants": list(rows), "settings": {"analysis": {"beams": [10]}}}
    (folder / "mine.yaml").write_text(yaml.safe_dump({"datasets": {"demo": demo}}))
    asked = "results/demo/report.html", "--configfile", "mine.yaml"
    status, printed = snakemake(folder, "--cores", "4", *asked)
    assert status == 0, printed
    assert planned(folder, *asked) == {}
    other = {"smooth": {"settings": {"losses": {"smoothed": {"smoothing": 0.2}}}}}
    (folder / "other.yaml").write_text(yaml.safe_dump({"variants": other}))
    of_row = ("fit", "recommend", "evaluate", "recommend_at_width", "evaluate_at_width")
    of_row += ("count_invalid_beams",)
    shown = ("compare", "compare_beam_widths", "measure_alignment", "map_embeddings", "show_cases")
    shown += ("draw_training_curves", "draw_slices", "write_report")
    expected = dict.fromkeys((*of_row, *shown), 1)
    assert planned(folder, *asked, "other.yaml") == expected

    # A report shows every sweep that is there.
    (folder / "results/demo/sweeps").mkdir()
    (folder / "results/demo/sweeps/size.svg").write_text("made since")
    assert planned(folder, *asked)["write_report"] == 1


def test_exchanged_parts_of_a_cascade_rerun_it(run: Path) -> None:
    """Their paths stay the same, and only their roles change."""
    one, other = run / "one.yaml", run / "other.yaml"
    for path, parts in {one: ("distill", "dwr"), other: ("dwr", "distill")}.items():
        row = dict(zip(("retriever", "ranker"), parts, strict=True))
        path.write_text(yaml.safe_dump({"variants": {"dtr": {"recommender": "cascade", **row}}}))
    target = "results/demo/dtr/metrics.json"
    status, printed = snakemake(run, "--cores", "4", target, "--configfile", str(one))
    assert status == 0, printed
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
    status, printed = snakemake(folder, "--cores", "2", *asked)
    assert status == 0, printed
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
    status, printed = snakemake(folder, *arguments)
    assert status == 0, printed
    assert (raw / "Gift_Cards_5.json.gz").read_text() == "raw"
    assert not (folder / "resources/downloads").exists()

    (raw / "Gift_Cards_5.json.gz").touch()
    assert planned(folder, arguments[-1]) == {}
    (raw / "Gift_Cards_5.json.gz").write_text("new")
    assert planned(folder, arguments[-1]) == {"ingest": 1}
    (raw / "Gift_Cards_5.json.gz").write_text("old")  # of the same size
    os.utime(raw / "Gift_Cards_5.json.gz", (0, 0))
    assert planned(folder, arguments[-1]) == {"ingest": 1}
    (raw / "Gift_Cards_5.json.gz").write_text("longer")
    os.utime(raw / "Gift_Cards_5.json.gz", (0, 0))
    assert planned(folder, arguments[-1]) == {"ingest": 1}


def test_what_jobs_go_on_from_stays_until_their_outputs_are_recorded(run: Path) -> None:
    results = run / "results/demo"
    model, other = (results / f"{name}/seed_0/.model.checkpoint" for name in ("dwr", "smooth"))
    array = results / "teacher/shards/0/.beams.npy.partial"  # of a job that is done long since
    lists = results / "dwr/seed_0/.per_user.parquet.partial"
    other.parent.mkdir(parents=True)
    for path in (model, other, array, lists):
        path.write_text("kept")
    module = run / "workflow_scripts/lohrec/recommender/losses/margin_ranking.py"
    module.write_text(module.read_text() + "\n\nedited = True\n")
    script = run / "workflow_scripts/evaluation/evaluate.py"
    program = script.read_text()
    script.write_text("raise SystemExit(1)\n")
    status, printed = snakemake(run, "--cores", "4", TARGET)
    assert status == 1, printed
    assert [path.exists() for path in (model, other, array, lists)] == [False, True, False, True]
    script.write_text(program)
    status, printed = snakemake(run, "--cores", "4", TARGET)
    assert status == 0, printed
    assert other.exists() and not lists.exists()  # what nobody has asked for may go on yet
