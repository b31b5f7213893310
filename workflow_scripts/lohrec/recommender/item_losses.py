"""What networks over items learn: all items at once, or the next one against a sampled other.

With the score r of the next item, r' of another that is not in the row read, and r_i of all items:

    cross_entropy   -r + log sum_i exp(r_i)
    binary          -log sigmoid(r) - log(1 - sigmoid(r'))    Kang and McAuley (2018)
    bpr             -log sigmoid(r - r')                      Rendle et al. (2009)
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional as F

from lohrec.common.few_shapes import few_shapes
from lohrec.recommender.item_networks import Batch, ItemNetwork

CELLS = 2**22  # scores that are computed at once, or those of TILE places
# Places and items are padded to multiples of this: for few shapes, and because a CPU reads rows
# faster that begin where a line of its cache does.
TILE = 64
DRAWS = 5  # of another item, until it is neither the target nor in the row


def loss(name: str, network: ItemNetwork, batch: Batch) -> Tensor:
    """The mean of the loss `name` over the places that the network is taught."""
    state, target = network.taught(batch)
    table, bias = network.output(), network.bias()
    if name == "cross_entropy":
        return cross_entropy(state, table, bias, target)
    other = others(batch, network.items)
    positive, negative = (_scores(state, table, bias, item) for item in (target, other))
    if name == "bpr":
        return -F.logsigmoid(positive - negative).mean()
    return -(F.logsigmoid(positive) + F.logsigmoid(-negative)).mean()


def others(batch: Batch, items: int) -> Tensor:
    """For each example an item that is neither its target nor in its row, int64 (examples,).

    What else its user has is not known here and may be drawn, as may any if a row has nearly all.
    """
    had = torch.cat([batch.items[batch.row], batch.target.unsqueeze(1)], 1)
    found = torch.randint_like(batch.target, items)
    for _ in range(DRAWS):
        taken = (had == found.unsqueeze(1)).any(1)
        found = torch.randint_like(found, items).where(taken, found)
    return found


def cross_entropy(state: Tensor, table: Tensor, bias: Tensor | None, target: Tensor) -> Tensor:
    """The mean cross-entropy over all items; gradients are made on the way, and no table of scores.

    Args:
        state: (places, width).
        table: (items, width).
        bias: (items,), or None.
        target: int64 (places,).
    """
    value: Tensor = _CrossEntropy.apply(state, table, bias, target)  # type: ignore[no-untyped-call]
    return value


def _scores(state: Tensor, table: Tensor, bias: Tensor | None, item: Tensor) -> Tensor:
    score = (state * F.embedding(item, table)).sum(1)
    return score if bias is None else score + bias[item]


class _CrossEntropy(Function):
    @staticmethod
    def forward(
        ctx: Any, state: Tensor, table: Tensor, bias: Tensor | None, target: Tensor
    ) -> Tensor:
        kind, dtype = state.device.type, state.dtype
        if torch.is_autocast_enabled(kind):
            dtype = torch.get_autocast_dtype(kind)
        places, items, total = len(state), len(table), table.new_zeros(())
        h, weight = (few_shapes(x.to(dtype), TILE) for x in (state, table))
        of_state, of_table = torch.empty_like(h), torch.zeros_like(weight, dtype=table.dtype)
        of_bias = None if bias is None else torch.zeros_like(bias)
        size, least = max(1, CELLS // len(weight) // TILE) * TILE, torch.finfo(dtype).tiny
        # Every type is chosen here: autocast would cast some of them back.
        with torch.autocast(kind, enabled=False):
            for low in range(0, len(h), size):
                part = slice(low, low + size)
                real = len(target[part])
                true = torch.arange(real, device=h.device), target[part]
                score = h[part] @ weight.T
                score[:, items:] = -torch.inf
                if bias is not None:
                    score[:, :items] += bias
                p = score.softmax(-1)
                total -= p[true].clamp(min=least).to(total.dtype).log().sum()
                # The gradient of the scores: p less one at the target. (On a CPU scatter_add_
                # copies all of p, which takes longer than a product.)
                p[true] -= 1
                p[real:] = 0
                if of_bias is not None:
                    of_bias += p[:, :items].sum(0, dtype=of_bias.dtype)
                of_state[part] = p @ weight
                of_table += p.T @ h[part]
        ctx.save_for_backward(of_state[:places], of_table[:items], of_bias)
        ctx.dtype = state.dtype
        return total / places

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor | None, None]:
        of_state, of_table, of_bias = ctx.saved_tensors
        grad = grad / len(of_state)
        of_bias = None if of_bias is None else of_bias * grad
        return (of_state * grad).to(ctx.dtype), of_table * grad, of_bias, None
