"""Training a network over items: which batches, and which state is the best on the dev set."""

from collections.abc import Mapping
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lohrec.common import training as runs
from lohrec.common.checkpoints import Checkpoint, fingerprint
from lohrec.common.devices import exact_products
from lohrec.common.gradients import Gradients
from lohrec.common.tracking import Trial
from lohrec.data.examples import Examples, epoch
from lohrec.recommender.item_losses import loss
from lohrec.recommender.item_networks import Batch, ItemNetwork
from lohrec.recommender.item_scores import best, parts
from lohrec.recommender.recommender import Histories

# Other defaults than those of `configuration/training_settings`: good for some 10^5 examples.
SETTINGS: dict[str, dict[str, Any]] = {
    "epochs": {"default": 12},
    "batch_size": {"default": 680, "description": "Train examples of a step."},
    "learning_rate": {"default": 0.001},
    "warmup": {"default": 0.05},
    "weight_decay": {"default": 0.1},
    "clip": {"default": 5.0},
    "bf16": {"default": "auto"},
    "evaluations": {"default": 6},
    "patience": {"default": 4},
    "dev_users": {"default": 6000},
    "averaging": {"default": 0.998},
}  # fmt: skip


@dataclass(frozen=True)
class ItemData:
    """The train split as a network over items reads it.

    Attributes:
        examples: train examples.
        shared: histories that start alike share a row.
    """

    examples: Examples
    shared: bool

    def epoch(self, size: int, rng: np.random.Generator) -> list[np.ndarray]:
        """See `examples.epoch`."""
        return epoch(self.examples, self.shared, size, rng)

    def batch(self, rows: np.ndarray) -> Batch:
        """The examples `rows`."""
        rows = np.sort(rows)
        row, longest = np.arange(len(rows)), rows
        if self.shared:
            row, longest = self.examples.shared_rows(rows)
        target = np.asarray(self.examples.sequences[self.examples.stop[rows]])
        return Batch(
            torch.from_numpy(self.examples.histories(longest).astype(np.int64)),
            torch.from_numpy(row),
            torch.from_numpy(self.examples.length[rows]),
            torch.from_numpy(target.astype(np.int64)),
        )


def train(
    network: ItemNetwork,
    examples: Examples,
    dev: Examples,
    settings: Mapping[str, Any],
    exclude_history: bool,
    seed: int,
    checkpoint_path: str | Path | None = None,
    code: Mapping[str, str] | None = None,
    trial: Trial | None = None,
) -> list[dict[str, Any]]:
    """Train a network, on its device, and put it into its best state on the dev set.

    Args:
        examples: the train split.
        dev: dev examples; `dev_users` of them, the same for every recommender and seed, choose the
            best state by NDCG@10.
        settings: `loss`, the group `training`, and all else that the network is made of.
        exclude_history: whether lists on the dev set leave out the items of a history.
        seed: of the order of batches; torch has been seeded.
        checkpoint_path: where the run leaves its state.
        code: hashes of the program, so that no checkpoint outlives a change of it.
        trial: that the training is of.

    Returns:
        the rows of `common.training.train`.

    Raises:
        FloatingPointError: the loss is no longer finite.
    """
    training = settings["training"]
    data = ItemData(examples.aligned() if network.shares_rows else examples, network.shares_rows)
    dev = dev.sample(training["dev_users"])
    checkpoint = None
    if checkpoint_path is not None:
        made = [dict(settings), exclude_history, seed, dict(code or {})]
        arrays = [np.asarray(dev.sequences), *(getattr(e, n) for e in (data.examples, dev)
                  for n in ("start", "stop"))]  # fmt: skip
        arrays += [value.cpu().numpy() for value in network.state_dict().values()]
        checkpoint = Checkpoint(checkpoint_path, fingerprint(made, *arrays))

    def compute(batch: Batch) -> dict[str, Tensor]:
        return {"loss": loss(settings["loss"], network, batch)}

    gradients = Gradients(network, compute, training["clip"], training["bf16"], graphs=False)

    def step(rows: np.ndarray) -> tuple[dict[str, Tensor], int]:
        return gradients(data.batch(rows)), len(rows)

    print(f"{len(data.examples):,} examples")
    history = runs.train(
        network,
        lambda number: data.epoch(training["batch_size"], np.random.default_rng([seed, number])),
        step,
        lambda: accuracy(network, dev, exclude_history),
        itemgetter("dev_ndcg@10"),
        training,
        checkpoint=checkpoint,
        trial=trial,
        remedy=remedy(network),
    )
    rows: list[dict[str, Any]] = history.to_pylist()
    return rows


def remedy(network: ItemNetwork) -> str:
    """What to change where a loss is no longer finite."""
    place = f"recommenders.{type(network).__module__.rpartition('.')[2]}.training"
    return f"Lower {place}.learning_rate, or set {place}.bf16 to false."


@torch.inference_mode()
def accuracy(network: ItemNetwork, dev: Examples, exclude_history: bool) -> dict[str, float]:
    """Recall@10, NDCG@10 and the mean of -log P(target)."""
    histories = Histories(dev.histories(np.arange(len(dev))).astype(np.int64), dev.length)
    discount = 1 / torch.arange(2, 12).log2()
    recall = ndcg = negative = 0.0
    for rows, part in parts(histories, network.items, "dev set"):
        log_p = log_probabilities(network, part)
        target = torch.from_numpy(dev.target[rows].astype(np.int64)).to(log_p.device).unsqueeze(1)
        negative -= log_p.gather(1, target).sum().item()
        hit = (best(log_p, part, 10, exclude_history).item == target).float().cpu()
        recall += hit.sum().item()
        ndcg += (hit @ discount[: hit.shape[1]]).sum().item()
    n = len(dev)
    return {"dev_recall@10": recall / n, "dev_ndcg@10": ndcg / n, "dev_loss": negative / n}


def log_probabilities(network: ItemNetwork, histories: Histories) -> Tensor:
    """float32 (users, items), the softmax of the scores after each history, in float32."""
    device = network.item.weight.device
    items, length = (torch.from_numpy(a).to(device) for a in histories)
    row = torch.arange(len(length), device=device)
    with exact_products():
        state = network.states(Batch(items, row, length, row)).float()
        with torch.autocast(device.type, enabled=False):
            score = state @ network.output().float().T
    if (bias := network.bias()) is not None:
        score = score + bias
    return score.log_softmax(-1)
