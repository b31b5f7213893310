"""Distillation of the teacher (Eq. 11): L = -1/D sum_d sum_v P_teacher(v) log P(v)."""

import math
from typing import Any

import torch
from torch import Tensor

from lohrec.recommender.training_data import Batch

SETTINGS: dict[str, dict[str, Any]] = {
    "mixture": {
        "type": "number", "minimum": 0, "maximum": 1, "default": 0.0,
        "description": (
            "Share of the one-hot loss (Eq. 8) beside the teacher's probabilities (Eq. 11)."
        ),
    },
    "temperature": {
        "type": "number", "exclusiveMinimum": 0, "default": 1.0,
        "description": "Temperature of the teacher's probabilities.",
    },
    "share": {
        "type": "number", "minimum": 0, "maximum": 1, "default": 1.0,
        "description": (
            "Share of the train examples that have the teacher's probabilities; the others learn "
            "the true item alone (Eq. 8)."
        ),
    },
}  # fmt: skip
READS: list[str] = ["probabilities"]


def loss(log_p: Tensor, code: Tensor, batch: Batch, settings: dict[str, Any]) -> Tensor:
    """Eq. 11, the mean over levels and examples; see `one_hot.loss` for the arguments.

    Args:
        batch: with the teacher's probabilities, shaped like `log_p`. Where that is -inf theirs are
            left out, and the others are divided by their sum. Where all are zero, the true codeword
            is learned.

    Raises:
        ValueError: the batch has none.
    """
    if batch.teacher is None:
        raise ValueError("Distillation needs the teacher's probabilities of the train examples.")
    illegal = log_p == -math.inf
    teacher = batch.teacher.float().masked_fill(illegal, 0.0)
    if settings["temperature"] != 1:
        teacher = teacher.pow(1 / settings["temperature"])  # softmax(z / T), once it adds up to 1
    total = teacher.sum(-1, keepdim=True)
    true = torch.zeros_like(teacher).scatter(-1, code.unsqueeze(-1), 1.0)
    # In half precision a teacher may give all that is legal no probability.
    taught = torch.where(total > 0, teacher / total, true)
    target = taught.lerp(true, settings["mixture"])
    return -(target * log_p.masked_fill(illegal, 0.0)).sum(-1).mean()
