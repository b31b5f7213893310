"""Margin ranking (Eq. 14) of candidates by their length-normalised log-probability (Eq. 13)."""

from typing import Any

import torch
from torch import Tensor

SETTINGS: dict[str, dict[str, Any]] = {
    "margin": {
        "type": "number", "minimum": 0, "default": 0.1,
        "description": (
            "Margin a place (lambda of Eq. 14, which the paper does not give); with BRIO's 0.001 "
            "nearly equal scores cost nothing and ranking flattens what distillation taught."
        ),
    },
    "reduction": {
        "enum": ["mean", "sum", "by_gap"], "default": "mean",
        "description": "Of the pairs of an example: sum is Eq. 14, by_gap BRIO's program.",
    },
    "candidates": {
        "type": ["integer", "null"], "minimum": 2, "default": None,
        "description": (
            "Most candidates of an example that are ranked, the target among them; null: all that "
            "candidates.keep has kept."
        ),
    },
    "ranked_target": {
        "type": "boolean", "default": True,
        "description": "Whether the true target is among the ranked candidates.",
    },
}  # fmt: skip
READS: list[str] = ["prior"]


def score(log_p_total: Tensor, levels: int) -> Tensor:
    """f(C) = sum_d log P(c_d | c_<d, history) / D^eta (Eq. 13) with eta = 1.

    All identifiers have as many codewords, so another eta would only scale scores and margin.

    Args:
        log_p_total: log-probabilities of whole identifiers, of any shape.
        levels: D, codewords an identifier.
    """
    return log_p_total / levels


def loss(scores: Tensor, real: Tensor, settings: dict[str, Any]) -> Tensor:
    """L_rank = sum_{i < j} max(0, f(C_j) - f(C_i) + (j - i) lambda) (Eq. 14).

    Args:
        scores: (batch, candidates), Eq. 13, from the best candidate on; the first is the target.
        real: bool (batch, candidates); pairs with a missing candidate do not count.
        settings: see `SETTINGS`.

    Returns:
        the mean over examples.
    """
    if not settings["ranked_target"]:
        real = real.clone()
        real[:, 0] = False
    n = scores.shape[1]
    place = torch.arange(n, device=scores.device)
    gap = place[None, :] - place[:, None]
    pair = (gap > 0) & real[:, :, None] & real[:, None, :]
    margin = gap * settings["margin"]
    hinge: Tensor = (scores[:, None, :] - scores[:, :, None] + margin).clamp(min=0) * pair
    if settings["reduction"] == "sum":
        return hinge.sum((1, 2)).mean()
    if settings["reduction"] == "mean":
        return (hinge.sum((1, 2)) / pair.sum((1, 2)).clamp(min=1)).mean()
    by_gap = torch.stack([hinge.diagonal(k, 1, 2).sum(-1) for k in range(1, n)], -1)
    count = torch.stack([pair.diagonal(k, 1, 2).sum(-1) for k in range(1, n)], -1)
    return (by_gap / count.clamp(min=1)).sum(-1).mean()
