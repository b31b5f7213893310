import json
import subprocess
import sys

import benchmark_decoding
import benchmark_training
import numpy as np
import pytest
import torch
from conftest import ROOT
from transformers import LlamaForCausalLM

from lohrec.benchmarks import clock, cuda, tables, teacher_sizes, training
from lohrec.common import artefacts
from lohrec.configuration.sections import defaults, tree
from lohrec.data.sequences import leave_one_out
from lohrec.identifiers.codewords import CODES, LEVELS, tokens
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender.networks.t5 import T5
from lohrec.recommender.objective import objective
from lohrec.recommender.training_data import Batch

CONFIG = {
    "d_model": 32,
    "d_ff": 48,
    "heads": 2,
    "d_kv": 16,
    "layers": 1,
    "decoder_layers": 1,
    "dropout": 0.0,
    "codewords": "level",
    "causal_encoder": False,
    "recency": False,
}


def test_rivals_take_turns_and_the_warm_up_does_not_count():
    calls, now = [], [0.0]

    def rival(name, seconds):
        def run():
            calls.append(name)
            now[0] += 100 if len(calls) <= 2 else seconds  # the first round is slow

        return run

    rivals = {"a": rival("a", 1), "b": rival("b", 3)}
    assert clock.in_turns(rivals, 2, lambda: now[0]) == {"a": 1, "b": 3}
    assert calls == ["a", "b"] * 3


def test_a_ratio_above_one_is_ours_faster():
    row = clock.row("x", "fp32", ours=2.0, rival=8.0, floor=1.0)
    assert (row["ratio"], row["floor_share"]) == (4.0, 0.5)


def test_the_share_of_products_is_that_of_the_time():
    a = torch.randn(400, 400)
    assert clock.share_of_products(lambda: a @ a) > 0.5
    assert clock.share_of_products(lambda: a.sort()) == 0


def test_the_naive_step_of_the_benchmark_has_our_loss():
    torch.manual_seed(0)
    model = T5(CONFIG)
    candidates = torch.randint(0, 3, (5, 6, LEVELS)) * 80
    real = torch.rand(5, 6) < 0.8
    real[:, 0] = True
    teacher = torch.rand(5, LEVELS, CODES).softmax(-1)
    history = tokens(torch.randint(0, CODES, (5, 3, LEVELS))).flatten(1)
    batch = Batch(history, False, None, torch.full((5,), 12), candidates, real, teacher)
    settings = cuda.OBJECTIVE
    tree = PrefixTree.from_ids(candidates.flatten(0, 1).numpy())
    ours = objective(model, batch, tree, settings)["loss"]
    naive = training.naive_dwr(model, tree, settings, batch)
    torch.testing.assert_close(ours, naive, rtol=1e-5, atol=1e-5)


def test_steps_and_lists_are_measured(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {"sequences": rng.integers(0, 50, 240), "ids": rng.integers(0, CODES, (50, LEVELS))}
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array.astype(np.int32))
    user = np.repeat(np.arange(30), np.tile([6, 10], 15))
    artefacts.write_parquet(tmp_path / "examples", leave_one_out(user, 20))
    given = [str(tmp_path / name) for name in ("sequences.npy", "examples", "ids.npy", "out.json")]
    network, losses = CONFIG | {"codewords": "all"}, cuda.OBJECTIVE["losses"]
    benchmark_training.main(*given, network, losses, {"batch_size": 8, "batches": 1, "rounds": 1})
    rows = {(row["name"], row["dtype"]): row for row in artefacts.read_json(given[-1])["rows"]}
    assert rows["dwr step", "fp32"]["floor_share"] > 0
    sizes = {"batch_size": 4, "batches": 1, "beams": [20], "rounds": 1, "steps": 2, "users": 8}
    compact = defaults(tree()["networks"]["compact"]) | {"width": 32, "pairs": 8}
    benchmark_decoding.main(*given, network, compact, sizes)
    rows = {(row["name"], row["dtype"]): row for row in artefacts.read_json(given[-1])["rows"]}
    assert rows["beam 20", "fp32"]["same_lists"] == 1
    beside = [row for (name, _), row in rows.items() if name.startswith("compact network")]
    assert len(beside) == 2 and beside[0]["parameters"] > 2 * beside[1]["parameters"]
    assert beside[0]["ratio"] == beside[0]["rival"] / beside[0]["ours"] > 0


def test_the_gpu_script_needs_no_workflow(tmp_path):
    block = "".join(f"sys.modules[{name!r}] = None; " for name in ("snakemake", "polars", "orjson"))
    paths = [str(ROOT / "workflow_scripts"), str(ROOT / "workflow_scripts/benchmarks")]
    script = (
        f"import sys; {block}sys.path[:0] = {paths!r}; import torch, benchmark_cuda; "
        f"b = benchmark_cuda.cuda; torch.set_num_threads(1); "
        f"b.measure('cuda.json', torch.device('cpu'), b.SIZES['tiny'])"
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, capture_output=True)
    rows = json.loads((tmp_path / "cuda.json").read_text())["rows"]
    assert len(rows) == 6 and all(row["ours"] > 0 for row in rows)
    assert "DWR, 200 epochs" in tables.table(tmp_path / "cuda.json")


def test_simulated_games_are_split_as_leave_one_out():
    sequences = np.arange(11, dtype=np.int32)
    train, test = cuda.split(sequences, np.array([5, 6]))
    assert train.target.tolist() == [1, 2, 6, 7, 8]
    assert test.target.tolist() == [4, 10]
    assert test.length.tolist() == [4, 5]


@pytest.mark.parametrize(("value", "text"), [(None, ""), (0.12345, "0.123"), (12345.6, "12,346")])
def test_cells(value, text):
    assert tables.cell(value) == text


@pytest.mark.parametrize("shape", teacher_sizes.SHAPES.values())
def test_weights_are_those_of_transformers(shape):
    config = teacher_sizes.configuration(*shape)
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    matrices, top = teacher_sizes.weights(config)
    total = matrices + top * (1 if config.tie_word_embeddings else 2)
    vectors = sum(p.numel() for p in model.parameters() if p.ndim == 1)
    assert total == sum(p.numel() for p in model.parameters()) - vectors
