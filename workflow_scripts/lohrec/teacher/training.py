"""Training a teacher, over codewords alone or with words (Section 4.2)."""

from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from lohrec.common import processes
from lohrec.common import training as runs
from lohrec.common.checkpoints import Checkpoint
from lohrec.common.devices import autocast
from lohrec.data.examples import Examples
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.teacher.beams import answers
from lohrec.teacher.training_steps import CodewordLessons, TextLessons, answer_loss

SETTINGS = {
    "epochs": {"default": 4},
    "batch_size": {"default": 128},
    "learning_rate": {"default": 5e-05},
    "evaluations": {"default": 4},
    "patience": {"default": 4},
    "dev_users": {"default": 5000},
    "seed": {"type": "integer", "default": 0, "description": "Seed of weights, order and dropout."},
}  # fmt: skip

Lessons = CodewordLessons | TextLessons


def train(
    lessons: Lessons,
    dev: Examples,
    training: dict[str, Any],
    device: torch.device,
    checkpoint_path: str | Path | None = None,
    made_of: str = "",
) -> tuple[PreTrainedModel, pa.Table]:
    """Train a teacher and return its best state on the dev set, with the history.

    Where several processes train together, each computes its share of a step's parts.

    Args:
        lessons: the network and what it learns.
        dev: dev examples; `training["dev_users"]` of them choose the best state by NDCG@10.
        training: seed, clip, bf16, dev_users, and what `common.training.train` reads.
        checkpoint_path: where the run leaves its state.
        made_of: a digest of all that the result depends on; no checkpoint outlives its change.

    Raises:
        FloatingPointError: the loss is no longer finite.
    """
    model, bf16 = lessons.network.to(device), training["bf16"]
    tree = PrefixTree.from_ids(lessons.ids).to(device)
    dev = _sample(dev, training["dev_users"])
    if processes.rank():
        torch.manual_seed(training["seed"] + processes.rank())  # another dropout in each process
    learned = [p for p in model.parameters() if p.requires_grad]

    def step(drawn: Any) -> tuple[dict[str, Tensor], int]:
        parts, total = lessons.parts(drawn), torch.zeros((), device=device)
        model.zero_grad()
        for part in parts[processes.rank() :: processes.world()]:
            with autocast(device, bf16):
                loss = lessons.loss(part.content) * part.share
            loss.backward()
            total += loss.detach()
        _add_up_gradients(learned)
        nn.utils.clip_grad_norm_(learned, training["clip"])
        return {"loss": total}, sum(part.tokens for part in parts)

    checkpoint = None
    if checkpoint_path is not None:
        checkpoint = Checkpoint(checkpoint_path, f"{made_of} {processes.world()}")
    print(lessons.what)
    rate, decay = training["learning_rate"], training["weight_decay"]
    history = runs.train(
        model,
        lessons.epoch,
        step,
        lambda: accuracy(model, lessons, dev, tree, bf16),
        itemgetter("dev_ndcg@10"),
        training,
        optimizer=runs.adamw(model, rate, decay, betas=(0.9, 0.98)),
        checkpoint=checkpoint,
        unit="tokens",
        remedy="Lower learning_rate of the teacher, or set its bf16 to false.",
        description="training the teacher",
    )
    return lessons.finish().eval(), history


@torch.inference_mode()
def accuracy(
    model: PreTrainedModel, lessons: Lessons, dev: Examples, tree: PrefixTree, bf16: bool | str
) -> dict[str, float]:
    """Mean loss a codeword and, at the level of identifiers, Recall@10 and NDCG@10."""
    questions = lessons.ask(dev)
    discount = 1 / torch.arange(2, 12, device=model.device).log2()
    sums = torch.zeros(3, dtype=torch.float64, device=model.device)
    batches = questions.batches(lessons.batch)[processes.rank() :: processes.world()]
    for part in batches:
        asked = questions.ask(part, answered=True).to(model.device)
        target = torch.from_numpy(dev.target[asked.example].astype(np.int64)).to(model.device)
        with autocast(model.device, bf16):
            loss = answer_loss(model, asked)
            asked = questions.ask(part, answered=False).to(model.device)
            leaf = answers(model, asked, 20, questions.first, tree).leaf[:, :10]
        hit = (leaf == tree.leaf_of_item[target].unsqueeze(1)).float()
        gain = hit @ discount[: hit.shape[1]]
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


def _sample(examples: Examples, users: int) -> Examples:
    rows = np.random.default_rng(0).choice(len(examples), min(users, len(examples)), replace=False)
    rows.sort()
    return Examples(
        examples.sequences, examples.user[rows], examples.start[rows], examples.stop[rows]
    )
