"""The layer of BERT (Devlin et al., 2019), which several sequential recommenders are made of."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lohrec.common.autograd_functions import drop

EXPANSION = 4  # of the feed-forward part


class BertLayer(nn.Module):
    """norm(x + attention(x)), then norm(x + feed-forward(x)), with GELU.

    Raises:
        ValueError: the width is no multiple of the heads.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(width, heads, dropout)
        self.out = nn.Linear(width, width)
        self.attention_norm = nn.LayerNorm(width, eps=1e-12)
        self.up = nn.Linear(width, EXPANSION * width)
        self.down = nn.Linear(EXPANSION * width, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.dropout = dropout

    def forward(self, x: Tensor, seen: Tensor, place: Tensor | None = None) -> Tensor:
        """States (rows, places, width); with `place` (rows, 1, width), of that place of each row.

        Args:
            seen: see `Attention.forward`.
            place: int64 (rows,).
        """
        asked = x if place is None else x[torch.arange(len(x), device=x.device), place, None]
        read = drop(self.out(self.attention(x, seen, asked)), self.dropout, self.training)
        x = self.attention_norm(asked + read)
        fed = drop(self.down(F.gelu(self.up(x))), self.dropout, self.training)
        state: Tensor = self.norm(x + fed)
        return state


class Attention(nn.Module):
    """Softmax(Q K' / sqrt(width of a head)) V, the heads side by side."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(
                f"The recommender's width ({width}) is no multiple of its heads ({heads}): change "
                "one of them."
            )
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.heads, self.dropout = heads, dropout

    def forward(self, x: Tensor, seen: Tensor, asked: Tensor | None = None) -> Tensor:
        """What each place of x (rows, places, width) reads of it, of the same shape.

        Args:
            seen: bool, (places, places) or (rows, 1, 1, places): what a place may read.
            asked: (rows, n, width), some of the places, if only these shall read.
        """
        parts = (self.query(x if asked is None else asked), self.key(x), self.value(x))
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        score = q * q.shape[-1] ** -0.5 @ k.transpose(-1, -2)
        weight = score.masked_fill(~seen, -torch.inf).softmax(-1)
        read: Tensor = drop(weight, self.dropout, self.training) @ v
        return read.transpose(1, 2).flatten(2)


def earlier(x: Tensor) -> Tensor:
    """Of places (rows, places, ...), for each those up to itself, bool (places, places)."""
    return torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).tril()
