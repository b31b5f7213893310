"""HGN: which features of the last items, and which items, matter (Ma et al., KDD 2019).

With the last items S (L x d) and the user u,

    S_F = S * sigmoid(S W1 + u W2 + b)              (Eq. 2, feature gating)
    g = sigmoid(S_F w3 + u W4),  s = sum_l g_l S_F,l / sum_l g_l    (Eq. 4-6, instance gating)
    score_i = u . q_i + s . q_i + sum_l S_l . q_i   (Eq. 8)

with tables of their own for the items that are read and those that come next. A user is a history
and nothing else here, so there is no u, which takes W2 and W4 with it.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lohrec.recommender.item_networks import WindowNetwork
from lohrec.recommender.item_recommender import ItemRecommender

SETTINGS: dict[str, dict[str, Any]] = {
    "width": {"type": "integer", "minimum": 1, "default": 128, "description": "Of items (d)."},
    "window": {
        "type": "integer", "minimum": 1, "default": 5,
        "description": "The last items that are read (L).",
    },
    "loss": {
        "enum": ["cross_entropy", "bpr"], "default": "cross_entropy",
        "description": "Over all items, or against one sampled item; bpr is the paper's.",
    },
}  # fmt: skip
SHARED = ["training"]
GPU = {"fit": "fit", "recommend": "recommend"}
TRAITS = ["seeded", "embeds_items", "teaches"]


class Network(WindowNetwork):
    """See `ItemNetwork` for the arguments."""

    def __init__(self, items: int, history: int, settings: Mapping[str, Any]) -> None:
        super().__init__(items, history, settings)
        width, self.window = settings["width"], settings["window"]
        self.feature = nn.Linear(width, width)
        self.instance = nn.Linear(width, 1, bias=False)
        self.next = nn.Embedding(items, width)
        self.begin()
        for layer in (self.feature, self.instance):
            nn.init.xavier_uniform_(layer.weight)

    def output(self) -> Tensor:
        """A table of its own."""
        return self.next.weight

    def read(self, window: Tensor) -> Tensor:
        """States of windows."""
        x = self.embed(window)
        gated = x * torch.sigmoid(self.feature(x))
        g = torch.sigmoid(self.instance(gated))
        pooled = (g * gated).sum(1) / g.sum(1)
        state: Tensor = pooled + x.sum(1)
        return state


class HGN(ItemRecommender):
    """HGN."""

    network_class = Network
