"""FDSA: self-attention over items, and over their attributes beside it (Zhang et al., IJCAI 2019).

An item's attributes a_1 .. a_m become one by attention, alpha = softmax(w . ReLU(W a + b) + c) and
f = sum alpha_i a_i (Eq. 2, 3). Items and attributes, each with the same positions, norm and
dropout, go through layers of their own (Eq. 4-7); the last states are joined,
W [o_item; o_attributes] + b (Eq. 8), and the score of item i is norm(.) x_i (Eq. 9). Layers, norms
and the ReLU are RecBole's.

An item's attributes are its brand and categories where the data tell them, else the codewords of
its semantic ID (`recommender/item_attributes.py`).
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lohrec.common.autograd_functions import drop
from lohrec.recommender.item_attributes import AttributeNetwork, AttributeRecommender
from lohrec.recommender.item_layers import BertLayer, earlier

SETTINGS: dict[str, dict[str, Any]] = {
    "width": {
        "type": "integer", "minimum": 1, "default": 128, "multiple_of": "heads",
        "description": "Width, a multiple of heads.",
    },
    "layers": {"type": "integer", "minimum": 1, "default": 2, "description": "Layers of each."},
    "heads": {"type": "integer", "minimum": 1, "default": 2, "description": "Attention heads."},
    "dropout": {
        "type": "number", "minimum": 0, "exclusiveMaximum": 1, "default": 0.5,
        "description": "Dropout of embeddings, attention and layers.",
    },
    "loss": {
        "enum": ["cross_entropy", "binary", "bpr"], "default": "cross_entropy",
        "description": "Over all items, or against one sampled item; binary is the paper's.",
    },
}  # fmt: skip
SHARED = ["training"]
READS = ["ids"]
GPU = {"fit": "fit", "recommend": "recommend"}
TRAITS = ["seeded", "embeds_items", "teaches"]


class Network(AttributeNetwork):
    """See `ItemNetwork` for the arguments."""

    def __init__(
        self, items: int, history: int, settings: Mapping[str, Any], attributes: Tensor
    ) -> None:
        super().__init__(items, history, settings, attributes)
        width, self.dropout = settings["width"], settings["dropout"]
        self.attribute = nn.Embedding(self.padding + 1, width)
        self.energy = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1))
        self.position = nn.Embedding(history, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.of_items, self.of_attributes = (
            nn.ModuleList(
                BertLayer(width, settings["heads"], self.dropout) for _ in range(settings["layers"])
            )
            for _ in range(2)
        )
        self.join = nn.Linear(2 * width, width)
        self.begin()

    def read(self, items: Tensor) -> Tensor:
        """States after each item."""
        seen = earlier(items)
        number = self.attributes[items]  # (rows, places, attributes)
        attribute = self.attribute(number)
        # On several threads the gradient of `energy[number]` differs from run to run.
        energy = F.embedding(number, self.energy(self.attribute.weight)).squeeze(-1)
        # Not -inf: a place without an item is all padding.
        energy = energy.masked_fill(number == self.padding, torch.finfo(energy.dtype).min)
        weight = energy.softmax(-1).unsqueeze(-1)
        joined = []
        for x, layers in (
            (self.embed(items), self.of_items),
            ((weight * attribute).sum(-2), self.of_attributes),
        ):
            x = self._dropped(self.norm(x + self.position.weight[: x.shape[1]]))
            for layer in layers:
                x = layer(x, seen)
            joined.append(x)
        return self._dropped(self.norm(self.join(torch.cat(joined, -1))))

    def _dropped(self, x: Tensor) -> Tensor:
        return drop(x, self.dropout, self.training)


class FDSA(AttributeRecommender):
    """FDSA."""

    network_class = Network
