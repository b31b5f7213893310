"""The path of a pretrained language model, with a small LLaMA checkpoint in its place."""

import json
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import tiny_llama
import yaml
from conftest import ROOT
from small_workflow import run
from test_end_to_end import workflow  # noqa: F401
from transformers import AutoModelForCausalLM, AutoTokenizer

from lohrec.configuration import settings
from lohrec.identifiers.codewords import WORD

TARGETS = ["results/demo/dwr/metrics.json", "results/demo/lcrec_free/metrics.json"]


@pytest.fixture(scope="module")
def finished(workflow: Path) -> Path:  # noqa: F811
    """A run with text vectors, LoRA, tasks, two folds, distillation and ranking."""
    model = str(tiny_llama.checkpoint(workflow / "tiny_llama"))
    config = yaml.safe_load((workflow / "tiny.yaml").read_text())
    row = config["datasets"]["demo"]
    row["settings"] |= {
        "sources": {"simulated": {"users": 60, "items": 50}},
        "text": {"method": "llama", "model": model, "dimensions": 32, "max_tokens": 64},
        "teacher": {
            "kind": "pretrained",
            "training": {
                "epochs": 0.5, "batch_size": 32, "evaluations": 1, "dev_users": 20, "bf16": False,
            },
        },
        "adaptation": {"model": model, "method": "lora", "checkpointing": True},
        "sharding": {"folds": 2, "shards": 1},
    }  # fmt: skip
    (workflow / "tiny.yaml").write_text(yaml.safe_dump(config))
    run(workflow, *TARGETS)
    return workflow


def test_a_checkpoint_becomes_teacher_and_variant(finished: Path) -> None:
    results = finished / "results/demo"
    checked = json.loads((results / "teacher/language_model.json").read_text())
    assert checked["model_type"] == "llama" and checked["memory_plan_gb"]["optimiser"] > 0
    vectors = np.load(results / "text/embeddings.npy")
    assert vectors.shape[1] == 32 and np.isfinite(vectors).all()

    folders = [results / "teacher" / name / "model" for name in ("", "folds/0", "folds/1")]
    weights = []
    for folder in folders:
        model = AutoModelForCausalLM.from_pretrained(folder)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        assert len(tokenizer.encode("<a_1><d_255>", add_special_tokens=False)) == 2
        weights.append(model.get_output_embeddings().weight[-1024:])
    assert not any((weights[0] == other).all() for other in weights[1:])  # taught by others

    report = json.loads((results / "priors/teacher.json").read_text())["beams"]
    beams = np.load(results / "teacher/beams.npy")
    assert beams.shape[1:] == (25, 4) and report["examples"] == len(beams)
    by_level = report["invalid_by_level"]
    lost = sum(map(sum, by_level.values()))
    assert lost == pytest.approx(report["invalid_share"])
    assert by_level["word"][0] == pytest.approx((beams[..., 0] == WORD).mean())
    probabilities = np.load(results / "teacher/probabilities.npy").astype(float)
    np.testing.assert_allclose(probabilities.sum(-1), 1, atol=5e-3)
    assert len(probabilities) == len(beams)

    for variant in ("dwr", "lcrec_free"):
        metrics = json.loads((results / variant / "metrics.json").read_text())
        for split in ("dev", "test"):
            assert 0 <= metrics[split]["recall@10"]["mean"] <= 1
    lists = pl.read_parquet(results / "lcrec_free/seed_0/recommendations.parquet")
    assert not lists.select("split", "user", "item").is_duplicated().any()
    log = (finished / "logs/demo/train_teacher.log").read_text()
    assert "memory plan in GB" in log and "tokens_per_second" in log


def test_shards_come_from_the_teacher_that_has_not_seen_them(finished: Path) -> None:
    """Every shard's arrays, made again with each fold's teacher: one of the two is equal."""
    import score_codewords

    results = finished / "results/demo"
    common = [
        str(results / name)
        for name in ("data/sequences.npy", "data/examples.parquet", "ids/semantic_ids.npy")
    ]
    settings = {
        "probabilities": {"codewords": "level", "batch_size": 64},
        "sharding": {"folds": 2, "shards": 1},
    }
    examples = pl.read_parquet(results / "data/examples.parquet").filter(
        pl.col("split").cast(pl.String) == "train"
    )
    gathered = np.load(results / "teacher/probabilities.npy")
    for shard in range(2):
        equal = []
        for fold in range(2):
            model = str(results / f"teacher/folds/{fold}/model/model.safetensors")
            again = str(finished / f"again_{shard}_{fold}.npy")
            score_codewords.main(
                *common, model, again, shard, settings, 16, {}, {"count": 0, "memory_gb": 0}, 1
            )
            rows = (examples["user"] % 2 == shard).to_numpy()
            equal.append(np.abs(np.load(again) - gathered[rows]).max() < 1e-3)
        assert equal == [shard % 2 == 0, shard % 2 == 1]
    # A fold's teacher has read no example of its users.
    for fold in range(2):
        log = (finished / f"logs/demo/train_fold_teacher/{fold}.log").read_text()
        assert f"sequential {(examples['user'] % 2 != fold).sum():,}" in log


def test_a_rerun_makes_missing_shards_only(finished: Path) -> None:
    for name in ("shards/1/beams.npy", "beams.npy"):
        (finished / "results/demo/teacher" / name).unlink()
    said = run(finished, "-n", "results/demo/teacher/beams.npy")
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", said.split("Job stats:")[-1], re.MULTILINE))
    assert jobs == {"gather_shards": "1", "generate_candidates": "1", "total": "2"}


def test_paper_rows_train_a_pinned_llama_with_lora() -> None:
    presets = yaml.safe_load((ROOT / "config/config.yaml").read_text())["presets"]
    paper = settings.preset("paper", presets, "")
    assert paper["teacher"]["kind"] == "pretrained"
    assert paper["teacher"]["training"]["bf16"] is True
    adaptation = paper["adaptation"]
    assert (adaptation["method"], adaptation["rank"], adaptation["alpha"]) == ("lora", 8, 32)
    assert (adaptation["dropout"], len(adaptation["modules"])) == (0.05, 7)
    assert adaptation["model"] == paper["text"]["model"]
    assert adaptation["revision"] == paper["text"]["revision"]
