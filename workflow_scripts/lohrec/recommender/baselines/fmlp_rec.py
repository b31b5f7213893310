"""FMLP-Rec: learned filters over the frequencies of the history (Zhou et al., WWW 2022).

The n last items, padded on the left, are E = dropout(norm(M + P)) (Eq. 4). A block is

    X = FFT(F) * W,  F~ = norm(F + dropout(FFT^-1(X)))       (Eq. 5-8)
    F' = norm(F~ + dropout(GELU(F~ W1 + b1) W2 + b2))        (Eq. 9, 10; four times as wide inside)

with complex weights W and the FFT over the items, and the score of item i is f_n . x_i, f_n the
last row (Eq. 11). Norms come after the sum, as in the authors' program. The filters are circular,
so what is at the end tells what is at the beginning: each target has a window of its own, and the
padding, whose items are zeros, has its positions.

By the convolution theorem that is a circular convolution: over so few items it is computed as such,
with the kernel k = FFT^-1(W), in less time and, as other products, in bfloat16 where training is.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lohrec.common.autograd_functions import drop
from lohrec.recommender.item_networks import WindowNetwork
from lohrec.recommender.item_recommender import ItemRecommender

SETTINGS: dict[str, dict[str, Any]] = {
    "width": {"type": "integer", "minimum": 1, "default": 128, "description": "Width."},
    "layers": {"type": "integer", "minimum": 1, "default": 2, "description": "Blocks."},
    "dropout": {
        "type": "number", "minimum": 0, "exclusiveMaximum": 1, "default": 0.5,
        "description": "Dropout of embeddings, filters and layers.",
    },
    "loss": {
        "enum": ["cross_entropy", "bpr"], "default": "cross_entropy",
        "description": "Over all items, or against one sampled item; bpr is the paper's.",
    },
}  # fmt: skip
SHARED = ["training"]
GPU = {"fit": "fit", "recommend": "recommend"}
TRAITS = ["seeded", "embeds_items", "teaches"]
EXPANSION = 4


class Network(WindowNetwork):
    """See `ItemNetwork` for the arguments."""

    def __init__(self, items: int, history: int, settings: Mapping[str, Any]) -> None:
        super().__init__(items, history, settings)
        width, self.window, self.dropout = settings["width"], history, settings["dropout"]
        self.position = nn.Embedding(history, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.blocks = nn.ModuleList(
            Block(width, history, self.dropout) for _ in range(settings["layers"])
        )
        self.begin()

    def read(self, window: Tensor) -> Tensor:
        """States of windows."""
        x = drop(self.norm(self.embed(window) + self.position.weight), self.dropout, self.training)
        for block in self.blocks[:-1]:
            x = block(x)
        state: Tensor = self.blocks[-1](x, last=True)
        return state


class Block(nn.Module):
    """A filter and a feed-forward part."""

    def __init__(self, width: int, window: int, dropout: float) -> None:
        super().__init__()
        # Real and imaginary parts.
        self.weight = nn.Parameter(torch.randn(window // 2 + 1, width, 2) * 0.02)
        self.filter_norm, self.norm = (nn.LayerNorm(width, eps=1e-12) for _ in range(2))
        self.up = nn.Linear(width, EXPANSION * width)
        self.down = nn.Linear(EXPANSION * width, width)
        self.window, self.dropout = window, dropout

    def forward(self, x: Tensor, last: bool = False) -> Tensor:
        """What comes of x (examples, window, width), or with `last` its last row alone."""
        found = self.filtered(x, last)
        x = x[:, -1] if last else x
        x = self.filter_norm(x + drop(found, self.dropout, self.training))
        fed = drop(self.down(F.gelu(self.up(x))), self.dropout, self.training)
        state: Tensor = self.norm(x + fed)
        return state

    def filtered(self, x: Tensor, last: bool) -> Tensor:
        """FFT^-1(FFT(x) * W), or its last row: sum_m k_(n - m mod window) x_m for each row n."""
        kernel: Tensor = torch.fft.irfft(torch.view_as_complex(self.weight), n=self.window, dim=0)
        if last:
            return (x * kernel.flip(0)).sum(1)
        row = torch.arange(self.window, device=x.device)
        shifted = kernel[(row.unsqueeze(1) - row) % self.window]
        return torch.einsum("nmd,bmd->bnd", shifted, x)


class FMLPRec(ItemRecommender):
    """FMLP-Rec."""

    network_class = Network
