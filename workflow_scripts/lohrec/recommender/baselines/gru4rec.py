"""GRU4Rec: a recurrent network over the history (Hidasi et al., ICLR 2016; Tan et al., 2016).

With the embedding x_t of the t-th item (dropout), the gates of a GRU without biases are

    z_t = sigmoid(W_z x_t + U_z h_{t-1}),  r_t = sigmoid(W_r x_t + U_r h_{t-1})    (Eq. 2, 4)
    h_t = (1 - z_t) h_{t-1} + z_t tanh(W x_t + r_t U h_{t-1})                      (Eq. 1, 3)

and the score of item i is (D h_t + d) x_i: a layer back to the width of the items, as in RecBole.
Torch multiplies r_t with U h_{t-1}, the paper h_{t-1} before U.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lohrec.common.autograd_functions import drop
from lohrec.recommender.item_networks import CausalNetwork
from lohrec.recommender.item_recommender import ItemRecommender

SETTINGS: dict[str, dict[str, Any]] = {
    "width": {"type": "integer", "minimum": 1, "default": 128, "description": "Of items."},
    "hidden": {"type": "integer", "minimum": 1, "default": 256, "description": "Of the GRU."},
    "layers": {"type": "integer", "minimum": 1, "default": 1, "description": "Of the GRU."},
    "dropout": {
        "type": "number", "minimum": 0, "exclusiveMaximum": 1, "default": 0.4,
        "description": "Dropout of the items that are read.",
    },
    "loss": {
        "enum": ["cross_entropy", "bpr"], "default": "cross_entropy",
        "description": "Over all items, or against one sampled item; bpr is the paper's.",
    },
    "training": {"learning_rate": {"default": 0.002}},
}  # fmt: skip
SHARED = ["training"]
GPU = {"fit": "fit", "recommend": "recommend"}
TRAITS = ["seeded", "embeds_items", "teaches"]


class Network(CausalNetwork):
    """See `ItemNetwork` for the arguments."""

    def __init__(self, items: int, history: int, settings: Mapping[str, Any]) -> None:
        super().__init__(items, history, settings)
        width, hidden, self.dropout = settings["width"], settings["hidden"], settings["dropout"]
        self.gru = nn.GRU(width, hidden, settings["layers"], bias=False, batch_first=True)
        self.dense = nn.Linear(hidden, width)
        self.begin()
        for weight in self.gru.parameters():
            nn.init.xavier_uniform_(weight)

    def read(self, items: Tensor) -> Tensor:
        """States after each item."""
        x = drop(self.embed(items), self.dropout, self.training)
        # Torch's GRU has no bfloat16 on every device.
        with torch.autocast(x.device.type, enabled=False):
            hidden, _ = self.gru(x.float())
        state: Tensor = self.dense(hidden)
        return state


class GRU4Rec(ItemRecommender):
    """GRU4Rec."""

    network_class = Network
