"""BERT4Rec: a bidirectional encoder that fills gaps (Sun et al., CIKM 2019).

Items and positions, norm and dropout, then layers of BERT in which each place sees all others
(Eq. 1-6). The score of item i at a masked place is GELU(h W + b) x_i + b_i, with the table x that
is read (Eq. 7), and a norm after GELU as in BERT and in the authors' program.

It learns to fill masked places of a user's sequence (Eq. 8): each with the probability `mask`, and
in a share `last` of the sequences the last place alone, as when it recommends. There the history is
followed by one masked place (Section 3.6).
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lohrec.common.autograd_functions import drop
from lohrec.recommender.item_layers import BertLayer
from lohrec.recommender.item_networks import Batch, ItemNetwork, whole
from lohrec.recommender.item_recommender import ItemRecommender

SETTINGS: dict[str, dict[str, Any]] = {
    "width": {
        "type": "integer", "minimum": 1, "default": 128, "multiple_of": "heads",
        "description": "Width, a multiple of heads.",
    },
    "layers": {"type": "integer", "minimum": 1, "default": 2, "description": "Layers."},
    "heads": {"type": "integer", "minimum": 1, "default": 2, "description": "Attention heads."},
    "dropout": {
        "type": "number", "minimum": 0, "exclusiveMaximum": 1, "default": 0.2,
        "description": "Dropout of embeddings, attention and layers.",
    },
    "mask": {
        "type": "number", "exclusiveMinimum": 0, "maximum": 1, "default": 0.4,
        "description": "Share of the places that are masked.",
    },
    "last": {
        "type": "number", "minimum": 0, "maximum": 1, "default": 0.2,
        "description": "Share of the sequences whose last place alone is masked.",
    },
    "loss": {"enum": ["cross_entropy"], "default": "cross_entropy", "description": "The paper's."},
    "training": {"epochs": {"default": 40}},
}  # fmt: skip
SHARED = ["training"]
GPU = {"fit": "fit", "recommend": "recommend"}
TRAITS = ["seeded", "embeds_items", "teaches"]


class Network(ItemNetwork):
    """See `ItemNetwork` for the arguments."""

    shares_rows = True  # of train examples: a user's items are one sequence with gaps

    def __init__(self, items: int, history: int, settings: Mapping[str, Any]) -> None:
        super().__init__(items, history, settings)
        width, self.dropout = settings["width"], settings["dropout"]
        self.share, self.last = settings["mask"], settings["last"]
        self.mask = nn.Parameter(torch.randn(width) * 0.02)
        self.position = nn.Embedding(history + 1, width)
        self.norm, self.output_norm = (nn.LayerNorm(width, eps=1e-12) for _ in range(2))
        self.layers = nn.ModuleList(
            BertLayer(width, settings["heads"], self.dropout) for _ in range(settings["layers"])
        )
        self.dense = nn.Linear(width, width)
        self.of_item = nn.Parameter(torch.zeros(items))
        self.begin()

    def bias(self) -> Tensor:
        """Learned."""
        return self.of_item

    def read(self, items: Tensor, masked: Tensor) -> Tensor:
        """States (rows, places, width).

        Args:
            items: int64 (rows, places), -1 on the right.
            masked: bool (rows, places), places whose item is not seen.
        """
        x = torch.where(masked.unsqueeze(-1), self.mask, self.embed(items))
        x = self.norm(x + self.position.weight[: x.shape[1]])
        x = drop(x, self.dropout, self.training)
        seen = ((items >= 0) | masked)[:, None, None]
        for layer in self.layers:
            x = layer(x, seen)
        state: Tensor = self.output_norm(F.gelu(self.dense(x)))
        return state

    def states(self, batch: Batch) -> Tensor:
        """The state of a masked place after each history."""
        place = torch.arange(batch.items.shape[1] + 1, device=batch.items.device)
        end = batch.length.unsqueeze(1)
        items = F.pad(batch.items[batch.row], (0, 1), value=-1).where(place < end, -1)
        x = self.read(items, place == end)
        return x[torch.arange(len(x), device=x.device), batch.length]

    def taught(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The states of masked places of the rows, and their items."""
        items, length = whole(batch)
        rows, device = len(items), items.device
        last = torch.arange(items.shape[1], device=device) == length.unsqueeze(1) - 1
        masked = (torch.rand(items.shape, device=device) < self.share) & (items >= 0)
        alone = (torch.rand(rows, 1, device=device) < self.last) | ~masked.any(1, keepdim=True)
        masked = torch.where(alone, last, masked)
        return self.read(items, masked)[masked], items[masked]


class BERT4Rec(ItemRecommender):
    """BERT4Rec."""

    network_class = Network
