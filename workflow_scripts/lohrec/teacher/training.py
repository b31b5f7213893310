"""Training a teacher, whatever it reads: steps, accuracy on the dev set, the best state (4.2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from lohrec.common import processes
from lohrec.common.checkpoints import Checkpoint
from lohrec.common.devices import autocast
from lohrec.common.optimiser import adamw
from lohrec.common.training import train
from lohrec.data.examples import Examples
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.teacher.beams import generate_beams
from lohrec.teacher.memory_plan import Step
from lohrec.teacher.probabilities import answer_loss
from lohrec.teacher.prompts import Prompts

SETTINGS = {
    "epochs": {"default": 4},
    "batch_size": {"default": 128},
    "learning_rate": {"default": 5e-05},
    "evaluations": {"default": 4},
    "patience": {"default": 4},
    "dev_users": {"default": 5000},
    "seed": {
        "type": "integer", "minimum": 0, "maximum": 4294967295, "default": 0,
        "description": "Seed of weights, order and dropout.",
    },
}  # fmt: skip


@dataclass(frozen=True)
class Part:
    """What is computed at once.

    Attributes:
        share: of the step's loss; the shares of a step's parts add up to 1.
        tokens: that are read.
        content: for the learner's `loss`.
    """

    share: float
    tokens: int
    content: Any


class Learner(Protocol):
    """A network and what it learns, in steps: a `CodewordLearner` or a `TextLearner`.

    Attributes:
        network: what learns.
        ids: int (items, levels).
        training: the group `teacher.training`, which `common.training.train` reads too.
        planned: what a step computes at once, for the memory plan.
        remedy: what makes a training need less memory.
        dev_batch: dev examples at once.
        description: of what an epoch holds.
    """

    network: PreTrainedModel
    ids: np.ndarray
    training: dict[str, Any]
    planned: Step
    remedy: str
    dev_batch: int
    description: str

    def epoch(self, number: int) -> Sequence[Any]:
        """The steps of an epoch."""

    def parts(self, step: Any) -> list[Part]:
        """A step, in the parts that are computed at once."""

    def loss(self, content: Any) -> Tensor:
        """Of the content of a part."""

    def prompts(self, examples: Examples) -> Prompts:
        """Prompts of other examples."""

    def finish(self) -> PreTrainedModel:
        """The trained model, without what only training needs."""

    def save_words(self, folder: Path) -> None:
        """Write what a teacher with words needs besides its network."""


def train_teacher(
    learner: Learner,
    dev: Examples,
    exclude_history: bool,
    device: torch.device,
    checkpoint_path: str | Path | None = None,
    made_of: str = "",
) -> tuple[PreTrainedModel, pa.Table]:
    """Train a teacher and return its best state on the dev set, with the history.

    Where several processes train together, each computes its share of a step's parts.

    Args:
        learner: the network and what it learns.
        dev: dev examples; `dev_users` of them choose the best state by NDCG@10.
        exclude_history: whether lists on the dev set leave out the items of a history.
        checkpoint_path: where the run leaves its state.
        made_of: a digest of all that the result depends on; no checkpoint outlives its change.

    Raises:
        FloatingPointError: the loss is no longer finite.
    """
    training = learner.training
    model, bf16 = learner.network.to(device), training["bf16"]
    tree = PrefixTree.from_ids(learner.ids).to(device)
    dev = dev.sample(training["dev_users"])
    if processes.rank():
        torch.manual_seed(training["seed"] + processes.rank())  # another dropout in each process
    learned = [p for p in model.parameters() if p.requires_grad]

    def compute(step: Any) -> tuple[dict[str, Tensor], int]:
        parts, total = learner.parts(step), torch.zeros((), device=device)
        model.zero_grad()
        for part in parts[processes.rank() :: processes.world()]:
            with autocast(device, bf16):
                loss = learner.loss(part.content) * part.share
            loss.backward()
            total += loss.detach()
        _add_up_gradients(learned)
        nn.utils.clip_grad_norm_(learned, training["clip"])
        return {"loss": total}, sum(part.tokens for part in parts)

    checkpoint = None
    if checkpoint_path is not None:
        checkpoint = Checkpoint(checkpoint_path, f"{made_of} {processes.world()}")
    print(learner.description)
    rate, decay = training["learning_rate"], training["weight_decay"]
    history = train(
        model,
        learner.epoch,
        compute,
        lambda: accuracy(model, learner, dev, exclude_history, tree, bf16),
        itemgetter("dev_ndcg@10"),
        training,
        optimizer=adamw(model, rate, decay, betas=(0.9, 0.98)),
        checkpoint=checkpoint,
        unit="tokens",
        remedy="Lower teacher.training.learning_rate, or set teacher.training.bf16 to false.",
        description="training the teacher",
    )
    return learner.finish().eval(), history


@torch.inference_mode()
def accuracy(
    model: PreTrainedModel,
    learner: Learner,
    dev: Examples,
    exclude_history: bool,
    tree: PrefixTree,
    bf16: bool | str,
) -> dict[str, float]:
    """Mean loss a codeword and, at the level of identifiers, Recall@10 and NDCG@10."""
    prompts = learner.prompts(dev)
    discount = 1 / torch.arange(2, 12, device=model.device).log2()
    sums = torch.zeros(3, dtype=torch.float64, device=model.device)
    batches = prompts.batches(learner.dev_batch)[processes.rank() :: processes.world()]
    for rows in batches:
        batch = prompts.batch(rows, with_answers=True).to(model.device)
        target = torch.from_numpy(dev.target[batch.example].astype(np.int64)).to(model.device)
        excluded = None
        if exclude_history:
            history = torch.from_numpy(dev.histories(batch.example)).long()
            excluded = tree.used_up(history.to(model.device))
        with autocast(model.device, bf16):
            loss = answer_loss(model, batch)
            batch = prompts.batch(rows, with_answers=False).to(model.device)
            beams = generate_beams(model, batch, 20, prompts.first, tree, excluded)
        assert beams.leaf is not None  # for there is a tree
        leaf = beams.leaf[:, :10]
        hit = (leaf == tree.leaf_of_item[target].unsqueeze(1)).float()
        gain = hit @ discount
        sums += torch.stack([loss.double() * len(target), hit.sum().double(), gain.sum().double()])
    processes.add_up([sums])
    names = ("dev_loss", "dev_recall@10", "dev_ndcg@10")
    return dict(zip(names, (sums / len(dev)).tolist(), strict=True))


def _add_up_gradients(learned: list[nn.Parameter]) -> None:
    if processes.world() > 1:
        for p in learned:
            # A process may have had no part in this step.
            p.grad = torch.zeros_like(p) if p.grad is None else p.grad
        processes.add_up(p.grad for p in learned if p.grad is not None)
