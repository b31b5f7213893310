"""Distillation of the teacher (Eq. 11): L = -1/D sum_d sum_v P_teacher(v) log P(v)."""

import math
from typing import Any

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
        batch: with the teacher's probabilities, shaped like `log_p`; zero where that is -inf.

    Raises:
        ValueError: the batch has none.
    """
    if batch.teacher is None:
        raise ValueError("Distillation needs the teacher's probabilities of the train examples.")
    # Where a codeword is not legal, zero times minus infinity is zero.
    finite = log_p.masked_fill(log_p == -math.inf, 0.0)
    distilled = -(batch.teacher.float() * finite).sum(-1).mean()
    if not settings["mixture"]:
        return distilled
    return distilled.lerp(one_hot.loss(log_p, code, batch, settings), settings["mixture"])
