"""Networks over items against those of RecBole 1.2.1 with the same weights.

RecBole needs older packages than this program, so it has an environment of its own: make recbole.
"""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT

from lohrec.configuration.sections import defaults, tree
from lohrec.identifiers.codewords import PAD
from lohrec.recommender.item_networks import WindowNetwork
from lohrec.recommender.item_training import log_probabilities
from lohrec.recommender.recommender import Histories, named

PYTHON = ROOT / ".recbole/bin/python"
ITEMS, HISTORY, WIDTH, CODES = 40, 12, 16, 5
BERT = {"n_layers": 2, "n_heads": 2, "hidden_size": WIDTH, "inner_size": 4 * WIDTH}

pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="no RecBole; make recbole")


def transformer(theirs: str, ours: str, layers: int = 2) -> dict[str, str]:
    """{RecBole's name: ours} of a stack of layers."""
    parts = {
        "multi_head_attention.query": "attention.query",
        "multi_head_attention.key": "attention.key",
        "multi_head_attention.value": "attention.value",
        "multi_head_attention.dense": "out",
        "multi_head_attention.LayerNorm": "attention_norm",
        "feed_forward.dense_1": "up",
        "feed_forward.dense_2": "down",
        "feed_forward.LayerNorm": "norm",
    }
    return {
        f"{theirs}.layer.{n}.{a}.{kind}": f"{ours}.{n}.{b}.{kind}"
        for n in range(layers)
        for a, b in parts.items()
        for kind in ("weight", "bias")
    }


def linear(theirs: str, ours: str) -> dict[str, str]:
    return {f"{theirs}.{kind}": f"{ours}.{kind}" for kind in ("weight", "bias")}


ITEM = {"item_embedding.weight": "item.weight"}
PLACE = {"position_embedding.weight": "position.weight"}
# {ours: (settings, RecBole's name, its settings, {its weights: ours})}
CASES = {
    "sasrec": (
        {"block": "bert"}, "SASRec", BERT,
        ITEM | PLACE | linear("LayerNorm", "norm") | transformer("trm_encoder", "layers"),
    ),
    "gru4rec": (
        {"hidden": 24}, "GRU4Rec", {"embedding_size": WIDTH, "hidden_size": 24, "num_layers": 1},
        ITEM | linear("dense", "dense")
        | {f"gru_layers.weight_{n}_l0": f"gru.weight_{n}_l0" for n in ("ih", "hh")},
    ),
    "bert4rec": (
        {}, "BERT4Rec", BERT | {"mask_ratio": 0.2},
        ITEM | PLACE | linear("LayerNorm", "norm") | transformer("trm_encoder", "layers")
        | linear("output_ffn", "dense") | linear("output_ln", "output_norm")
        | {"output_bias": "of_item"},
    ),
    "caser": (
        {"window": 4, "horizontal": 3, "vertical": 2}, "Caser",
        {"embedding_size": WIDTH, "nh": 3, "nv": 2, "reg_weight": 0.0},
        ITEM | linear("conv_v", "down") | linear("fc1", "first") | linear("fc2", "second")
        | {k: v for h in range(4) for k, v in linear(f"conv_h.{h}", f"across.{h}").items()},
    ),
    "hgn": (
        {"window": 4}, "HGN",
        {"embedding_size": WIDTH, "reg_weight": [0, 0], "pooling_type": "average"},
        ITEM | linear("w1", "feature")
        | {"w3.weight": "instance.weight", "item_embedding_for_prediction.weight": "next.weight"},
    ),
    "fdsa": (
        {}, "FDSA", BERT | {"pooling_mode": "mean"},
        ITEM | PLACE | linear("LayerNorm", "norm") | linear("concat_layer", "join")
        | transformer("item_trm_encoder", "of_items")
        | transformer("feature_trm_encoder", "of_attributes")
        | linear("feature_att_layer.projection.0", "energy.0")
        | linear("feature_att_layer.projection.2", "energy.2")
        | {"feature_embed_layer.token_embedding_table.item.embedding.weight": "attribute.weight"},
    ),
}  # fmt: skip
# What a user's own table adds to: here a user is a history and nothing else.
OF_USERS = {"hgn": ["b", "user_embedding.weight", "w2.weight", "w2.bias", "w4.weight"],
            "caser": ["user_embedding.weight"]}  # fmt: skip


def their_weight(case: str, name: str, value: np.ndarray) -> np.ndarray:
    """Our weight as RecBole has it."""
    if name in ("item.weight", "next.weight"):
        # Padding is the first row there; a table without padding has a first row all the same.
        return np.roll(value if name == "item.weight" else np.pad(value, ((0, 1), (0, 0))), 1, 0)
    if name == "of_item":
        return np.pad(value, (1, 0))
    if name.startswith("across") and name.endswith("weight"):
        return value.reshape(len(value), 1, -1, WIDTH)
    if name == "down.weight" and case == "caser":
        return value[:, None, :, None]
    if name == "second.weight" and case == "caser":
        return np.pad(value, ((0, 0), (0, WIDTH)))  # of the user
    if name == "attribute.weight":
        return value[:-1].reshape(4, -1, WIDTH)[:, :CODES]
    return value


def prepare(case: str, folder: Path) -> np.ndarray:
    """Our log-probabilities (users, items); the task for RecBole is left in the folder."""
    changed, model, config, names = CASES[case]
    rng = np.random.default_rng(0)
    settings = defaults(tree()["recommenders"][case]) | {"width": WIDTH} | changed
    torch.manual_seed(0)
    codes = [list(range(CODES)) + rng.integers(0, CODES, ITEMS - CODES).tolist() for _ in range(4)]
    told = []
    if case == "fdsa":
        padding = torch.full((1, 4), PAD)
        told = [torch.cat([torch.tensor(codes).T + 256 * torch.arange(4), padding])]
    network = named(case).network_class(ITEMS, HISTORY, settings, *told).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    with torch.no_grad():
        network.item.weight[ITEMS:] = 0

    length = rng.integers(1, HISTORY + 1, 30)
    items = rng.integers(0, ITEMS, (30, HISTORY))
    items[np.arange(HISTORY) >= length[:, None]] = -1
    found = log_probabilities(network, Histories(items, length)).detach().numpy()

    state = {name: value.numpy() for name, value in network.state_dict().items()}
    arrays = {theirs: their_weight(case, ours, state[ours]) for theirs, ours in names.items()}
    asked, window = items + 1, HISTORY
    if case == "bert4rec":
        window += 1
        with_mask = [arrays["item_embedding.weight"], state["mask"]]
        arrays["item_embedding.weight"] = np.vstack(with_mask)
        asked = np.pad(asked, ((0, 0), (0, 1)))
    if isinstance(network, WindowNetwork):
        window = network.window
        rows = zip(asked, length, strict=True)
        asked = np.array([([0] * window + list(row[:n]))[-window:] for row, n in rows])
    folder.mkdir()
    np.savez(folder / "arrays.npz", sequences=asked, **arrays)
    task = {"model": model, "config": config, "items": ITEMS, "window": window}
    task |= {"attributes": codes, "zero": OF_USERS.get(case, [])}
    (folder / "task.json").write_text(json.dumps(task))
    return found


@pytest.fixture(scope="module")
def scores(tmp_path_factory) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """{case: our log-probabilities, and RecBole's}."""
    folder = tmp_path_factory.mktemp("recbole")
    ours = {case: prepare(case, folder / case) for case in CASES}
    done = subprocess.run(
        [PYTHON, Path(__file__).with_name("recbole_networks.py"), *(folder / c for c in CASES)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = {}
    for case, mine in ours.items():
        theirs = np.load(folder / case / "scores.npy")
        found[case] = mine, theirs - np.logaddexp.reduce(theirs, 1, keepdims=True)
    return found


@pytest.mark.parametrize("case", CASES)
def test_scores_are_those_of_recbole(case: str, scores) -> None:
    ours, theirs = scores[case]
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)
    assert ours.std(1).min() > 0.1
