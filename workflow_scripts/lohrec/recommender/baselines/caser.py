"""Caser: convolutions over the last items as over an image (Tang and Wang, WSDM 2018).

E (L x d) holds the last L items. A horizontal filter F of height h gives
o_h = max_i relu(E_{i:i+h-1} . F) (Eq. 3-5), a vertical one a weighted sum of the rows of E (Eq. 7),

    z = relu(W [o; o~] + b)                    (Eq. 9, dropout before it)
    s = relu(W' [z; P_u] + b'),  score_i = s . x_i

As in RecBole the second layer leads back to the width of the items and has a relu; that of the
paper leads to items, without one (Eq. 10). A user is a history and nothing else here, so there is
no P_u. Targets are single (T = 1).
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
    "width": {"type": "integer", "minimum": 1, "default": 128, "description": "Of items (d)."},
    "window": {
        "type": "integer", "minimum": 1, "default": 5,
        "description": "The last items that are read (L); filters are as high, and less.",
    },
    "horizontal": {
        "type": "integer", "minimum": 1, "default": 16,
        "description": "Horizontal filters of each height.",
    },
    "vertical": {"type": "integer", "minimum": 1, "default": 4, "description": "Vertical filters."},
    "dropout": {
        "type": "number", "minimum": 0, "exclusiveMaximum": 1, "default": 0.4,
        "description": "Dropout of what the filters give.",
    },
    "loss": {
        "enum": ["cross_entropy", "binary", "bpr"], "default": "cross_entropy",
        "description": "Over all items, or against one sampled item; binary is the paper's.",
    },
}  # fmt: skip
SHARED = ["training"]
GPU = {"fit": "fit", "recommend": "recommend"}
TRAITS = ["seeded", "embeds_items", "teaches"]


class Network(WindowNetwork):
    """See `ItemNetwork` for the arguments."""

    def __init__(self, items: int, history: int, settings: Mapping[str, Any]) -> None:
        super().__init__(items, history, settings)
        width, high, wide = settings["width"], settings["horizontal"], settings["vertical"]
        self.window, self.dropout = settings["window"], settings["dropout"]
        # A filter of height h over whole rows: a linear layer on h rows.
        self.across = nn.ModuleList(
            nn.Linear((height + 1) * width, high) for height in range(self.window)
        )
        self.down = nn.Linear(self.window, wide)
        self.first = nn.Linear(self.window * high + wide * width, width)
        self.second = nn.Linear(width, width)
        self.begin()
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_normal_(module.weight)

    def read(self, window: Tensor) -> Tensor:
        """States of windows."""
        x = self.embed(window)
        found = []
        for height, across in enumerate(self.across, start=1):
            rows = x.unfold(1, height, 1).transpose(2, 3).flatten(2)
            found.append(F.relu(across(rows)).amax(1))
        # (examples, vertical, width)
        down = (self.down.weight @ x + self.down.bias.unsqueeze(1)).flatten(1)
        z = drop(torch.cat([down, *found], 1), self.dropout, self.training)
        return F.relu(self.second(F.relu(self.first(z))))


class Caser(ItemRecommender):
    """Caser."""

    network_class = Network
