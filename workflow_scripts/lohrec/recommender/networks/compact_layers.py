"""Layers of the compact network: pre-norm transformer layers over items, and feed-forward parts."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lohrec.common.autograd_functions import drop

SHAPES = 32  # prefixes are computed in multiples of this
EXPANSION = 4  # width of the hidden units, in widths of the network


class FeedForward(nn.Module):
    """x + MLP(norm(x)), with GELU."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, EXPANSION * width)
        self.down = nn.Linear(EXPANSION * width, width)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        """States of any shape (..., width)."""
        hidden = drop(F.gelu(self.up(self.norm(x))), self.dropout, self.training)
        return x + drop(self.down(hidden), self.dropout, self.training)


class SumForward:
    """A feed-forward part of sums of a table's rows, in evaluation, but for a constant.

    With n and b the norm's weight and bias and s the standard deviation of x's entries,
    up(norm(x)) = up.weight (n * (x - mean(x))) / s + up(b). But for s that is linear in x: so the
    product is made once for each row of the table, and a sum adds up such products. Rows lose their
    means here, and x a constant in all of its entries, which no norm sees that comes after.

    Args:
        part: the feed-forward part.
        table: float (rows, width).
    """

    def __init__(self, part: FeedForward, table: Tensor) -> None:
        self.part = part
        self.table = table - table.mean(-1, keepdim=True)
        # A bag adds up in one precision, also under autocast.
        self.up = F.linear(self.table * part.norm.weight, part.up.weight).to(table.dtype)
        self.bias = part.up(part.norm.bias).to(table.dtype)

    def __call__(self, rows: Tensor) -> Tensor:
        """States (sums, width) of int64 (sums, terms), numbers of rows."""
        x = F.embedding_bag(rows, self.table, mode="sum")
        scale = (x.square().mean(-1, keepdim=True) + self.part.norm.eps).rsqrt()
        hidden = torch.addcmul(self.bias, F.embedding_bag(rows, self.up, mode="sum"), scale)
        state: Tensor = x + self.part.down(F.gelu(hidden))
        return state


class Attention(nn.Module):
    """x + attention(norm(x)) to the same and earlier items, by content and by distance.

    A key is the item's plus one for its distance from the item that asks (Shaw et al., 2018): a
    position counted from the end of what is read. It is the same in a row that goes on after the
    asking item and in one that ends there, so that all histories of a row are read at once, each
    exactly as it would be read alone.
    """

    def __init__(self, width: int, heads: int, positions: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.distance = nn.Parameter(torch.empty(heads, width // heads, positions))
        nn.init.normal_(self.distance, std=width**-0.5)
        self.heads, self.positions, self.dropout = heads, positions, dropout

    def forward(self, x: Tensor, last: Tensor | None = None) -> Tensor:
        """States of items.

        Args:
            x: (rows, items, width).
            last: int64 (rows, 1), the one place of each row whose state is wanted; None for all.

        Returns:
            (rows, items, width), or (rows, 1, width).
        """
        place = torch.arange(x.shape[1], device=x.device)
        normed, asking = self.norm(x), place
        k, v = map(self._by_head, self.key_value(normed).chunk(2, -1))
        if last is not None:
            one = last.unsqueeze(-1).expand(-1, -1, x.shape[2])
            x, normed, asking = x.gather(1, one), normed.gather(1, one), last.unsqueeze(1)
        q = self._by_head(self.query(normed)) * (x.shape[2] // self.heads) ** -0.5
        distance = asking.unsqueeze(-1) - place  # ([rows, 1,] asking, items)
        score = q @ k.transpose(-1, -2)
        by_distance = q @ self.distance
        near = distance.clamp(0, self.positions - 1).expand(score.shape)
        score = (score + by_distance.gather(-1, near)).masked_fill(distance < 0, -torch.inf)
        weight = drop(score.softmax(-1), self.dropout, self.training)
        read = (weight @ v).transpose(1, 2).flatten(2)
        return x + drop(self.out(read), self.dropout, self.training)

    def _by_head(self, x: Tensor) -> Tensor:
        by_head: Tensor = x.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        return by_head


class Layer(nn.Module):
    """Attention and feed-forward part."""

    def __init__(self, width: int, heads: int, positions: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(width, heads, positions, dropout)
        self.feed_forward = FeedForward(width, dropout)

    def forward(self, x: Tensor, last: Tensor | None = None) -> Tensor:
        """See `Attention.forward`."""
        state: Tensor = self.feed_forward(self.attention(x, last))
        return state
