"""Training objectives: generation (Eq. 8, 9, 11) and margin ranking (Eq. 14)."""

import torch
from torch import Tensor


def one_hot(code: Tensor, width: int) -> Tensor:
    """The target distribution of Eq. 8: all weight on the true codeword, (..., width)."""
    return torch.nn.functional.one_hot(code, width).float()


def smoothed(code: Tensor, width: int, smoothing: float) -> Tensor:
    """The target distribution of Eq. 10: `smoothing` spread over the other codewords."""
    rest = smoothing / (width - 1)
    return one_hot(code, width) * (1 - smoothing - rest) + rest


def generation(log_p: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy against a target distribution, mean over levels and examples (Eq. 8, 9, 11).

    Args:
        log_p: (batch, levels, codewords) log-probabilities.
        target: the same shape; each row sums to one.
    """
    return -(target * log_p).sum(-1).mean()


def margin_ranking(score: Tensor, real: Tensor, margin: float, reduction: str) -> Tensor:
    """Hinge loss that asks better candidates to score higher by a margin a place (Eq. 14).

    Args:
        score: (batch, candidates), Eq. 13, from the best candidate on.
        real: bool (batch, candidates); pairs with a missing candidate do not count.
        margin: lambda; places j > i ask for (j - i) lambda.
        reduction: over the pairs of one example. "sum" is Eq. 14; "mean" divides by the number of
            pairs; "by_gap" adds up the means of each gap j - i, as BRIO's program does.

    Returns:
        the mean over examples.
    """
    n = score.shape[1]
    place = torch.arange(n, device=score.device)
    gap = place[None, :] - place[:, None]
    pair = (gap > 0) & real[:, :, None] & real[:, None, :]
    hinge = (score[:, None, :] - score[:, :, None] + gap * margin).clamp(min=0) * pair
    if reduction == "sum":
        return hinge.sum((1, 2)).mean()
    if reduction == "mean":
        return (hinge.sum((1, 2)) / pair.sum((1, 2)).clamp(min=1)).mean()
    by_gap = torch.stack([hinge.diagonal(k, 1, 2).sum(-1) for k in range(1, n)], -1)
    count = torch.stack([pair.diagonal(k, 1, 2).sum(-1) for k in range(1, n)], -1)
    return (by_gap / count.clamp(min=1)).sum(-1).mean()
