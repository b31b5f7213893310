"""Label smoothing (Eq. 9): L = -1/D sum_d sum_v Q(v) log P(v), Q of Eq. 10."""

from typing import Any

from torch import Tensor
from torch.nn import functional as F

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


def target(code: Tensor, width: int, smoothing: float) -> Tensor:
    """Q of Eq. 10: 1 - xi for the true codeword, xi / (width - 1) for each other.

    Args:
        code: int64 (...).
        width: number of codewords.
        smoothing: xi.

    Returns:
        float32 (..., width).
    """
    rest = smoothing / (width - 1)
    return F.one_hot(code, width).float() * (1 - smoothing - rest) + rest


def loss(log_p: Tensor, code: Tensor, batch: Batch, settings: dict[str, Any]) -> Tensor:
    """Eq. 9, the mean over levels and examples; see `one_hot.loss` for the arguments."""
    q = target(code, log_p.shape[-1], settings["smoothing"])
    return -(q * log_p).sum(-1).mean()
