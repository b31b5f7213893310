"""Label smoothing (Eq. 9): L = -1/D sum_d sum_v Q(v) log P(v), Q of Eq. 10."""

import math
from typing import Any

from torch import Tensor

from lohrec.recommender.training_data import Batch

SETTINGS: dict[str, dict[str, Any]] = {
    "smoothing": {
        "type": "number", "minimum": 0, "maximum": 1, "default": 0.1,
        "description": (
            "Share of the target distribution that is spread over the other codewords (xi of Eq. "
            "10)."
        ),
    },
}  # fmt: skip
READS: list[str] = []


def target(code: Tensor, legal: Tensor, smoothing: float) -> Tensor:
    """Q of Eq. 10: 1 - xi for the true codeword, and xi spread evenly over the other legal ones.

    Args:
        code: int64 (...).
        legal: bool (..., width), the codewords that take part, the true one among them. Where it
            is the only one, it has all.
        smoothing: xi.

    Returns:
        float32 (..., width).
    """
    others = legal.sum(-1, keepdim=True) - 1
    rest = legal * (smoothing / others.clamp(min=1))
    return rest.scatter(-1, code.unsqueeze(-1), 1 - smoothing * (others > 0).float())


def loss(log_p: Tensor, code: Tensor, batch: Batch, settings: dict[str, Any]) -> Tensor:
    """Eq. 9, the mean over levels and examples; see `one_hot.loss` for the arguments."""
    legal = log_p > -math.inf
    q = target(code, legal, settings["smoothing"])
    return -(q * log_p.where(legal, 0.0)).sum(-1).mean()
