"""Distillation of the teacher (Eq. 11): L = -1/D sum_d sum_v P_teacher(v) log P(v)."""

import math
from typing import Any

import torch
from torch import Tensor

from lohrec.recommender.losses import one_hot
from lohrec.recommender.training_data import Batch

SETTINGS: dict[str, dict[str, Any]] = {
    "mixture": {
        "type": "number", "minimum": 0, "maximum": 1, "default": 0.0,
        "description": (
            "Share of the one-hot loss (Eq. 8) beside the teacher's probabilities (Eq. 11)."
        ),
    },
}  # fmt: skip
READS: list[str] = ["probabilities"]


def loss(log_p: Tensor, code: Tensor, batch: Batch, settings: dict[str, Any]) -> Tensor:
    """Eq. 11, the mean over levels and examples; see `one_hot.loss` for the arguments.

    Args:
        batch: with the teacher's probabilities, shaped like `log_p`. Where that is -inf theirs are
            left out, and the others are divided by their sum.

    Raises:
        ValueError: the batch has none.
    """
    if batch.teacher is None:
        raise ValueError("Distillation needs the teacher's probabilities of the train examples.")
    illegal = log_p == -math.inf
    teacher = batch.teacher.float().masked_fill(illegal, 0.0)
    # A teacher to which no legal codeword is possible, in half precision, teaches nothing.
    legal = teacher / teacher.sum(-1, keepdim=True).clamp(min=1e-6)
    teacher = torch.where(illegal.any(-1, keepdim=True), legal, teacher)
    distilled = -(teacher * log_p.masked_fill(illegal, 0.0)).sum(-1).mean()
    if not settings["mixture"]:
        return distilled
    return distilled.lerp(one_hot.loss(log_p, code, batch, settings), settings["mixture"])
