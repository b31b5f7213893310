"""Parts of a layer with a backward pass of their own: less to keep, and less to read again.

Autograd keeps what each elementary operation read and wrote. On a CPU, where such operations cost
as much as their memory traffic, these parts are one operation each. On a GPU they are torch's.
"""

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional as F

POOL = 2**24  # factors of a dropout


def drop(x: Tensor, share: float, training: bool) -> Tensor:
    """Dropout: each entry becomes zero with probability `share`, the others grow to make up for it.

    Args:
        share: below 1.
    """
    if not training or not share:
        return x
    return _applied(_Drop, x, share) if x.device.type == "cpu" else F.dropout(x, share)


def relu_drop(x: Tensor, share: float, training: bool) -> Tensor:
    """Dropout after ReLU. Zeros of either kind pass no gradient, so the result is all it keeps."""
    if not training or not share:
        return F.relu(x)
    return _applied(_ReluDrop, x, share) if x.device.type == "cpu" else F.dropout(F.relu(x), share)


def rms_norm(x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    """Root-mean-square normalisation over the last dimension; `weight` is (width,)."""
    if x.device.type == "cpu":
        return _applied(_RmsNorm, x, weight, epsilon)
    return F.rms_norm(x, weight.shape, weight, epsilon)


def pack(x: Tensor, place: Tensor) -> Tensor:
    """The rows `place` of x, each once at most; (n, d) -> (places, d)."""
    return _applied(_Pack, x, place)


def unpack(x: Tensor, place: Tensor, rows: int) -> Tensor:
    """Rows of zeros but for the rows `place`, which are those of x; (places, d) -> (rows, d)."""
    return _applied(_Unpack, x, place, rows)


def _applied(function: type[Function], *arguments: Any) -> Tensor:
    result: Tensor = function.apply(*arguments)
    return result


@lru_cache(maxsize=2)  # a network has one share, in two types at most
def _pool(share: float, dtype: torch.dtype) -> Tensor:
    """Zeros, so many as `share` says, and the scale of what is kept; always the same ones."""
    draws = torch.rand(POOL, generator=torch.Generator().manual_seed(0))
    return draws.ge_(share).div_(1 - share).to(dtype)


def _mask(x: Tensor, share: float) -> Tensor:
    """Factors of x: zeros and the scale of what is kept.

    Drawing them costs more than all else here, so they are a stretch of a pool that was drawn
    once, from a random place on: within a mask nothing repeats, and two are seldom the same. Of
    what fills more than half of the pool there would be few, so these are drawn.
    """
    if x.numel() > POOL // 2:
        return torch.empty_like(x).bernoulli_(1 - share).div_(1 - share)
    begin = int(torch.randint(POOL - x.numel() + 1, ()))
    return _pool(share, x.dtype)[begin : begin + x.numel()].view(x.shape)


class _Drop(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, share: float) -> Tensor:
        ctx.factor = factor = _mask(x, share)
        return x * factor

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad * ctx.factor, None


class _ReluDrop(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, share: float) -> Tensor:
        y = F.relu(x).mul_(_mask(x, share))
        ctx.save_for_backward(y)
        ctx.scale = 1 / (1 - share)
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (y,) = ctx.saved_tensors
        return (grad * (y > 0)).mul_(ctx.scale), None


class _RmsNorm(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
        width = x.shape[-1]
        scale: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        scale = scale.square_().div_(width).add_(epsilon).rsqrt_()
        ctx.save_for_backward(x, weight, scale)
        return (x * scale).mul_(weight)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight, scale = ctx.saved_tensors
        normed = x * scale
        product = grad * normed
        of_weight = product.flatten(0, -2).sum(0)
        # d/dx of x s w: s (g w - normed mean(g w normed))
        inner = (product @ weight).unsqueeze(-1).div_(x.shape[-1])
        of_x = (grad * weight).sub_(normed.mul_(inner)).mul_(scale)
        return of_x, of_weight, None


# Autograd's own backward passes of these two add up rows, as if one could come twice.
class _Pack(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, place: Tensor) -> Tensor:
        ctx.save_for_backward(place)
        ctx.rows = len(x)
        return x.index_select(0, place)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (place,) = ctx.saved_tensors
        return grad.new_zeros(ctx.rows, grad.shape[1]).index_copy_(0, place, grad), None


class _Unpack(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, place: Tensor, rows: int) -> Tensor:
        ctx.save_for_backward(place)
        return x.new_zeros(rows, x.shape[1]).index_copy_(0, place, x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (place,) = ctx.saved_tensors
        return grad.index_select(0, place), None, None
