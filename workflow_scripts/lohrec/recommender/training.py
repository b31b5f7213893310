"""Training the lightweight recommender: which batches, and which state is the best (Section 3)."""

import copy
import math
from collections.abc import Mapping
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from lohrec.common import job_log
from lohrec.common import training as runs
from lohrec.common.checkpoints import Checkpoint, fingerprint
from lohrec.common.devices import autocast
from lohrec.common.gradients import Gradients
from lohrec.common.tracking import Trial
from lohrec.data.examples import Examples
from lohrec.identifiers.codewords import normalised
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender import networks
from lohrec.recommender.decoding import recommend
from lohrec.recommender.networks import CodewordNetwork
from lohrec.recommender.objective import objective as losses_of
from lohrec.recommender.training_data import TrainingData

SETTINGS = {
    "warm_epochs": {
        "type": "number", "exclusiveMinimum": 0, "default": 20,
        "description": "The same as epochs, of a row that starts from another row's model.",
    },
    "warm_learning_rate": {
        "type": "number", "exclusiveMinimum": 0, "default": 0.0001,
        "description": "The same as learning_rate, of a row that starts from another row's model.",
    },
    "dropped_items": {
        "type": "number", "minimum": 0, "exclusiveMaximum": 1, "default": 0.0,
        "description": (
            "Share of the items of histories that a step is without, other ones each time; the "
            "first item stays."
        ),
    },
}  # fmt: skip
ONE_HOT = {"loss": "one_hot", "generation": 1.0, "ranking": 0.0, "losses": {"one_hot": {}}}


def accuracy(
    model: CodewordNetwork,
    examples: Examples,
    ids: np.ndarray,
    tree: PrefixTree,
    decoding: Mapping[str, Any],
    bf16: bool | str,
    retriever: CodewordNetwork | None = None,
) -> dict[str, float]:
    """Recall@10 and NDCG@10 at the level of identifiers, and the negative log-likelihood (Eq. 8).

    Args:
        retriever: finds the candidates, which `model` then only orders, as in a cascade.
    """
    rivals = (model,) if retriever is None else (retriever, model)
    with autocast(tree.item.device, bf16):
        leaf, _ = recommend(
            rivals[0], examples, ids, tree, {**decoding, "top": 10}, "dev set", *rivals[1:]
        )
    hit = (leaf == tree.leaf_of_item.cpu()[examples.target][:, None]).float()
    discount = 1 / torch.arange(2, 12).log2()
    return {
        "dev_recall@10": hit.sum(1).mean().item(),
        "dev_ndcg@10": (hit @ discount).mean().item(),
        "dev_loss": likelihood(
            model, TrainingData(examples, ids), tree, decoding["batch_size"], bf16
        ),
    }


@torch.inference_mode()
def likelihood(
    model: CodewordNetwork, data: TrainingData, tree: PrefixTree, size: int, bf16: bool | str
) -> float:
    """L_gen against the true next items (Eq. 8), the mean over examples, `size` of them at once."""
    device = tree.item.device
    order = np.argsort(data.examples.length, kind="stable")
    total = torch.zeros((), device=device)
    for rows in np.split(order, range(size, len(order), size)):
        with autocast(device, bf16):
            losses = losses_of(model, data.batch(rows).to(device), tree, ONE_HOT)
            total += losses["loss"] * len(rows)
    return float(total) / len(order)


def train(
    data: TrainingData,
    dev: Examples,
    network: dict[str, Any],
    training: dict[str, Any],
    objective: dict[str, Any],
    decoding: Mapping[str, Any],
    seed: int,
    device: torch.device,
    start: CodewordNetwork | None = None,
    checkpoint_path: str | Path | None = None,
    code: Mapping[str, str] | None = None,
    trial: Trial | None = None,
) -> tuple[CodewordNetwork, pa.Table]:
    """Train one recommender and return its best state on the dev set, with the history.

    Args:
        data: the train split.
        dev: dev examples; `training["dev_users"]` of them, the same for every variant and seed,
            choose the best state by NDCG@10.
        network: the architecture, its `name` and shape.
        training: batch_size, clip, bf16, dev_users, and what `common.training.train` reads.
        objective: names and weights of the losses, see `objective.objective`.
        decoding: settings of the beam search on the dev set.
        start: a trained model to start from, with its own length and learning rate of training,
            warm_epochs and warm_learning_rate. Where the generation loss has no weight, the model
            only orders candidates: then its states are compared by the order that they give to
            those of `start` (DTR, 3.2).
        checkpoint_path: where the run leaves its state.
        code: hashes of the program, so that no checkpoint outlives a change of it.
        trial: that the training is of.

    Raises:
        ValueError: `start` is of another architecture than the settings.
        FloatingPointError: the loss is no longer finite.
    """
    torch.manual_seed(seed)
    if start is None:
        model = networks.build(network, torch.from_numpy(data.ids)).to(device)
    else:
        model = copy.deepcopy(start).to(device)
    _check_alike(model.config, network)
    retriever = start.to(device).eval() if start and not objective["generation"] else None
    tree = PrefixTree.from_ids(data.ids).to(device)
    dev = dev.sample(training["dev_users"])
    size, bf16 = training["batch_size"], training["bf16"]

    checkpoint = None
    if checkpoint_path is not None:
        measured = {key: value for key, value in decoding.items() if key != "batch_size"}
        settings = [network, training, objective, measured, seed, code]
        checkpoint = Checkpoint(checkpoint_path, _fingerprint(settings, data, dev, start))
    rate = "learning_rate" if start is None else "warm_learning_rate"
    if start is not None:
        warm = {name: training[f"warm_{name}"] for name in ("epochs", "learning_rate")}
        training = training | warm

    # Rows that several examples share are of as many shapes as there are batches.
    compute = partial(losses_of, model, tree=tree, settings=objective)
    gradients = Gradients(model, compute, training["clip"], bf16, graphs=not data.shared)

    def step(rows: np.ndarray) -> tuple[dict[str, Tensor], int]:
        return gradients(data.batch(rows)), len(rows)

    uniform = _uniform_loss(tree) if model.legal else math.log(normalised(network["codewords"]))

    warned = not (objective["ranking"] and objective["generation"])

    def warn(history: list[dict[str, Any]]) -> dict[str, Any]:
        nonlocal warned
        collapsed = history[-1]["generation"] > 0.95 * uniform
        if len(history) > 1 and collapsed and not warned:
            warned = True  # once a run is enough for a terminal
            job_log.warn(
                f"L_gen is {history[-1]['generation']:.2f}, near {uniform:.2f}: the ranking loss "
                "is driving the model to uniform probabilities. Lower ranking "
                f"({objective['ranking']}), or set losses.margin_ranking.reduction to mean."
            )
        return {}

    print(f"{len(data.examples):,} examples")
    history = runs.train(
        model,
        lambda number: data.epoch(size, np.random.default_rng([seed, number])),
        step,
        lambda: accuracy(model, dev, data.ids, tree, decoding, bf16, retriever),
        itemgetter("dev_ndcg@10"),
        training,
        after=warn,
        checkpoint=checkpoint,
        trial=trial,
        remedy=f"Lower training.{rate}, or set training.bf16 to false.",
    )
    return model, history


def _uniform_loss(tree: PrefixTree) -> float:
    """L_gen of a model to which all legal codewords are alike, the mean over items."""
    total = torch.zeros((), dtype=torch.double, device=tree.item.device)
    for first, leaf in zip(tree.first, tree.first_leaf[:-1], strict=True):
        total += (leaf.diff() * first.diff().double().log()).sum()
    return float(total) / (tree.levels * tree.leaves)


def _check_alike(config: dict[str, Any], network: dict[str, Any]) -> None:
    """Refuse a start of another architecture."""
    wanted = {key: network[key] for key in config}
    if config != wanted:
        differ = ", ".join(k for k in wanted if wanted[k] != config[k])
        raise ValueError(
            f"A row that starts from another row's model keeps its architecture, but {differ} "
            f"differ: {wanted} here, {config} there. Give both rows the same "
            "settings of `networks`."
        )


def _fingerprint(
    settings: list[Any], data: TrainingData, dev: Examples, start: CodewordNetwork | None
) -> str:
    """Of all that the result depends on."""
    arrays = [data.ids, np.asarray(data.examples.sequences)]
    arrays += [array for e in (data.examples, dev) for array in (e.start, e.stop)]
    arrays += [a for a in (data.prior, data.teacher, data.labels) if a is not None]
    if start is not None:
        arrays += [p.detach().cpu().numpy() for p in start.parameters()]
    return fingerprint(settings, *arrays)
